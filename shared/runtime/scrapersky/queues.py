"""Messages between the functions: what is sent to SQS, and what a worker reads from it.

A message names a job and nothing else that counts: tenant, domain and state come from the job's row.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MESSAGE_VERSION = 1
BATCH_LIMIT = 10  # SendMessageBatch's own; ours are about 150 bytes each, far from its 1 MiB
CORRELATION_ID_LIMIT = 128


class MalformedMessage(ValueError):
    """A queue message that is not ours; the reason is safe to log."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a committed outbox row owes: `queue` is the job's kind, `body` the JSON to send."""

    id: int
    queue: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobMessage:
    """What a worker is told: which job, and which request it came from."""

    job_id: UUID
    correlation_id: str

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read an SQS body.

        Raises:
            MalformedMessage: not JSON, another version, or a field that is missing or of the wrong form.
        """
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedMessage("the body is no JSON") from error
        if not isinstance(data, dict):
            raise MalformedMessage("the body is no JSON object")
        if data.get("version") != MESSAGE_VERSION:
            raise MalformedMessage(f"`version` is not {MESSAGE_VERSION}")
        try:
            job_id = UUID(data["job_id"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise MalformedMessage("`job_id` is no UUID") from error
        correlation_id = data.get("correlation_id", "")
        if not isinstance(correlation_id, str) or len(correlation_id) > CORRELATION_ID_LIMIT:
            raise MalformedMessage("`correlation_id` is no short text")
        return cls(job_id, correlation_id)


class Sender:
    """Sends outbox messages to their queues.

    Args:
        client: gives the SQS client when the first message is sent, since loading boto3 takes a cold start's half.
        urls: queue URL by job kind.
    """

    def __init__(self, client: "Callable[[], SQSClient]", urls: Mapping[str, str]) -> None:
        self._client = client
        self._urls = urls

    def send(self, messages: Sequence[Message]) -> tuple[list[int], dict[int, str]]:
        """Send, and return the ids that the queue took and the reason for each that it did not take.

        An entry can fail in a call that succeeded, so every answer is looked through.
        """
        sent: list[int] = []
        refused: dict[int, str] = {}
        by_queue: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_queue[message.queue].append(message)
        for queue, owed in by_queue.items():
            url = self._urls.get(queue)
            if url is None:
                refused.update((message.id, f"no queue for {queue}") for message in owed)
                continue
            for start in range(0, len(owed), BATCH_LIMIT):
                self._send_batch(url, owed[start : start + BATCH_LIMIT], sent, refused)
        return sent, refused

    def _send_batch(self, url: str, messages: Sequence[Message], sent: list[int], refused: dict[int, str]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(message.id), "MessageBody": json.dumps(message.body, separators=(",", ":"))}
            for message in messages
        ]
        try:
            answer = self._client().send_message_batch(QueueUrl=url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            refused.update((message.id, type(error).__name__) for message in messages)
            return
        sent.extend(int(entry["Id"]) for entry in answer.get("Successful", ()))
        refused.update((int(entry["Id"]), entry["Code"]) for entry in answer.get("Failed", ()))
