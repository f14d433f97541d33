"""Dead-letter queues: what is in them, and the way back.

A message is moved by receiving it, sending it to its source queue and deleting it, in this order. SQS can move a queue
by itself (StartMessageMoveTask), but moves all of it or nothing, does not move what was not put there by a redrive
policy (a batch message that batch_start has set aside), and the local engine lacks it. This way is the same for both,
and whatever breaks in its middle leaves the message where it was, or in both places: a message that comes twice changes
nothing, since each names a row and the row's claim decides.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scrapersky_cli.cloud import CloudError, Resource, told

QUEUE = "AWS::SQS::Queue"
RECEIVE_LIMIT = 10  # SQS's own
_WAIT_SECONDS = 2  # a long poll asks every server of SQS, so that nothing found is nothing there
# For how long nobody else sees what is looked at or moved: longer than a batch of ten takes, and short enough that what
# a broken run leaves is back within the minute.
_HIDDEN_SECONDS = 60
# SendMessageBatch takes a megabyte in all, and took 256 KiB until 2025. Attributes are a few hundred bytes.
_BATCH_BYTES = 200_000

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue by its id in the template, its own name, and where it is."""

    logical_id: str
    name: str
    url: str
    arn: str


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue that others give messages up to, and how many it holds: to be had, being looked at, and delayed."""

    queue: Queue
    sources: tuple[Queue, ...]
    visible: int
    in_flight: int
    delayed: int

    @property
    def depth(self) -> int:
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead message. `source` is the ARN of the queue that gave it up, if it tells; `sent_at` is a Unix time."""

    message_id: str
    body: str
    source: str | None
    receives: int
    sent_at: float | None
    attributes: Mapping[str, str]


@dataclass(slots=True)
class Moved:
    """How a redrive went. What is in `left` is where it was, with the reason; `twice` were sent, but not removed.

    `not_received` were counted at the beginning and not to be had: somebody else is at them, or has ended them.
    """

    moved: int = 0
    twice: int = 0
    came_back: int = 0
    not_received: int = 0
    left: dict[str, int] = field(default_factory=dict)

    def leave(self, reason: str, messages: int = 1) -> None:
        self.left[reason] = self.left.get(reason, 0) + messages


def find(sqs: Any, resources: Sequence[Resource]) -> list[DeadLetterQueue]:
    """The dead-letter queues among a stack's queues, by the queues' own redrive policies."""
    queues: dict[str, tuple[Queue, Mapping[str, str]]] = {}
    for resource in resources:
        with told():
            attributes = sqs.get_queue_attributes(QueueUrl=resource.physical_id, AttributeNames=["All"])["Attributes"]
        arn = attributes["QueueArn"]
        queues[arn] = (Queue(resource.logical_id, arn.rpartition(":")[2], resource.physical_id, arn), attributes)
    sources: dict[str, list[Queue]] = {}
    for queue, attributes in queues.values():
        if target := _target(attributes):
            sources.setdefault(target, []).append(queue)
    return [
        DeadLetterQueue(
            queue=queues[arn][0],
            sources=tuple(giving),
            visible=int(queues[arn][1]["ApproximateNumberOfMessages"]),
            in_flight=int(queues[arn][1]["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(queues[arn][1]["ApproximateNumberOfMessagesDelayed"]),
        )
        for arn, giving in sorted(sources.items(), key=lambda item: item[0])
        if arn in queues
    ]


def _target(attributes: Mapping[str, str]) -> str | None:
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None


def peek(sqs: Any, queue: Queue, limit: int) -> list[Letter]:
    """Up to `limit` messages, all of which stay, and are there for others again at the end."""
    seen: dict[str, Entry] = {}
    try:
        while len(seen) < limit:
            received = {m["MessageId"]: m for m in _receive(sqs, queue, min(RECEIVE_LIMIT, limit - len(seen)))}
            if received.keys() <= seen.keys():  # none, or none but what is seen again after its minute
                break
            seen |= received
    finally:
        _show_again(sqs, queue, list(seen.values()))
    return [_letter(message) for message in seen.values()]


def redrive(
    sqs: Any, dead: DeadLetterQueue, limit: int | None, on_progress: Callable[[Moved], None] = lambda _: None
) -> Moved:
    """Move the messages, or `limit` of them, back to the queues that gave them up.

    At most as many as there were when it began: one whose cause is still there may be back at once, and for batches it
    is, as a new message. If SQS told too few (its counts lag by a minute), the rest takes another run.

    Raises:
        CloudError: SQS could not be asked any more; the message says how many were moved by then. What was not, is
            there still, within a minute.
    """
    moved = Moved()
    sent: set[str] = set()  # by the ids that the copies have
    done: set[str] = set()  # by the ids that they had here; SQS may deliver what was deleted once more
    kept: dict[str, Entry] = {}
    remaining = dead.depth or RECEIVE_LIMIT
    remaining = remaining if limit is None else min(remaining, limit)
    try:
        while remaining > 0:
            received = _receive(sqs, dead.queue, min(RECEIVE_LIMIT, remaining))
            _delete(sqs, dead.queue, [message for message in received if message["MessageId"] in done])
            back = [message for message in received if message["MessageId"] in sent - kept.keys()]
            moved.came_back += len(back)
            kept |= {
                message["MessageId"]: message for message in received if message["MessageId"] in sent | kept.keys()
            }
            new = [message for message in received if message["MessageId"] not in done | kept.keys()]
            if not new:  # nothing, or nothing but what was here before and is seen again after its minute
                break
            remaining -= len(new)
            for destination, messages in _by_destination(dead, new):
                if destination is None:
                    moved.leave("its source queue is not told", len(messages))
                    staying = messages
                else:
                    staying = _move(sqs, dead.queue, destination, messages, moved, sent)
                kept |= {message["MessageId"]: message for message in staying}
            done |= {message["MessageId"] for message in new} - kept.keys()
            on_progress(moved)
        moved.not_received = remaining if dead.depth else 0
        _show_again(sqs, dead.queue, list(kept.values()))
    except CloudError as error:
        raise CloudError(f"{error.message}; {moved.moved} messages were moved, the rest is still there") from error
    return moved


def _by_destination(dead: DeadLetterQueue, messages: Sequence[Entry]) -> Iterator[tuple[Queue | None, list[Entry]]]:
    groups: dict[Queue | None, list[Entry]] = {}
    for message in messages:
        source = _letter(message).source
        named = next((queue for queue in dead.sources if queue.arn == source), None)
        only = dead.sources[0] if len(dead.sources) == 1 else None
        groups.setdefault(named or only, []).append(message)
    yield from groups.items()


def _move(
    sqs: Any, queue: Queue, destination: Queue, messages: Sequence[Entry], moved: Moved, sent: set[str]
) -> list[Entry]:
    """Send, then delete. The messages that are to be seen here again."""
    kept: list[Entry] = []
    for batch in _batches(messages):
        entries = [
            {
                "Id": str(position),
                "MessageBody": message["Body"],
                "MessageAttributes": _attributes(message),
            }
            for position, message in enumerate(batch)
        ]
        with told():
            answer = sqs.send_message_batch(QueueUrl=destination.url, Entries=entries)
        for failure in answer.get("Failed", ()):
            moved.leave(f"{destination.name} did not take it: {failure['Code']}")
            kept.append(batch[int(failure["Id"])])
        taken = [batch[int(one["Id"])] for one in answer.get("Successful", ())]
        sent.update(one["MessageId"] for one in answer.get("Successful", ()))
        undeleted = _delete(sqs, queue, taken)
        moved.twice += undeleted
        moved.moved += len(taken) - undeleted
    return kept


def _delete(sqs: Any, queue: Queue, messages: Sequence[Entry]) -> int:
    """How many could not be deleted."""
    if not messages:
        return 0
    entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
    with told():
        return len(sqs.delete_message_batch(QueueUrl=queue.url, Entries=entries).get("Failed", ()))


def _batches(messages: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for message in messages:
        weight = len(message["Body"].encode())
        if batch and size + weight > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += weight
    if batch:
        yield batch


def _attributes(message: Entry) -> dict[str, Any]:
    """The message's own attributes as SendMessage takes them: without the lists that it always answers empty."""
    kept = ("DataType", "StringValue", "BinaryValue")
    return {
        name: {key: value[key] for key in kept if key in value}
        for name, value in (message.get("MessageAttributes") or {}).items()
    }


def _receive(sqs: Any, queue: Queue, limit: int) -> list[Entry]:
    with told():
        answer = sqs.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=limit,
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=_WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
    return list(answer.get("Messages", ()))


def _show_again(sqs: Any, queue: Queue, messages: Sequence[Entry]) -> None:
    """Let others see the messages now. One that fails here is seen within the minute, so that nothing is said of it."""
    for begin in range(0, len(messages), RECEIVE_LIMIT):
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for n, message in enumerate(messages[begin : begin + RECEIVE_LIMIT])
        ]
        with told():
            sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=entries)


def _letter(message: Entry) -> Letter:
    system = message.get("Attributes") or {}
    sent = system.get("SentTimestamp")
    return Letter(
        message_id=message["MessageId"],
        body=message["Body"],
        source=system.get("DeadLetterQueueSourceArn"),
        receives=int(system.get("ApproximateReceiveCount") or 0),
        sent_at=int(sent) / 1000 if sent else None,
        attributes={
            name: str(value.get("StringValue", "(binary)"))
            for name, value in (message.get("MessageAttributes") or {}).items()
        },
    )
