"""Dead messages are moved back without one being lost, whatever breaks, and the moving has an end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from scrapersky_cli import dead_letters
from scrapersky_cli.cloud import CloudError
from support.dead_queues import arn, bodies, dead, fill, make_queues, run
from support.stubbed_cloud import client


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)  # moto's queues are empty when they say so
    with mock_aws():
        yield client("sqs")


@pytest.fixture
def urls(sqs: Any) -> dict[str, str]:
    return make_queues(sqs)


def test_a_redrive_moves_everything_back_with_what_belongs_to_it(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    texts = fill(sqs, urls["BatchDead"], 24)
    attributes = {
        "reason": {"DataType": "String", "StringValue": "x"},
        "n": {"DataType": "Number", "StringValue": "1"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    sqs.send_message(QueueUrl=urls["BatchDead"], MessageBody="zzz", MessageAttributes=attributes)
    ran = run(monkeypatch, sqs, urls, "redrive", "BatchDeadQueue")
    assert (ran.exit_code, ran.stdout) == (0, "25 messages moved to shop-Batch\n")
    assert "20 of about 25 moved" in ran.stderr
    found = []
    while got := sqs.receive_message(
        QueueUrl=urls["Batch"], MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=100
    ).get("Messages"):
        found += got
    assert sorted(message["Body"] for message in found) == [*texts, "zzz"]
    (whole,) = (message for message in found if message["Body"] == "zzz")
    assert whole["MessageAttributes"] == attributes
    assert bodies(sqs, urls["BatchDead"]) == []


@pytest.mark.parametrize("named", ["BatchDeadQueue", "shop-BatchDead", "url", "arn"])
def test_a_queue_may_be_named_as_it_is_known_and_so_many_are_moved_as_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str], named: str
) -> None:
    fill(sqs, urls["BatchDead"], 15)
    name = {"url": urls["BatchDead"], "arn": arn(sqs, urls["BatchDead"])}.get(named, named)
    ran = run(monkeypatch, sqs, urls, "redrive", name, "--max", "12", "--json")
    assert json.loads(ran.stdout) == {
        "queue": "shop-BatchDead",
        "moved": 12,
        "sent_but_not_removed": 0,
        "came_back": 0,
        "left": {},
        "not_received": 0,
    }
    assert (len(bodies(sqs, urls["Batch"])), len(bodies(sqs, urls["BatchDead"]))) == (12, 3)


@pytest.mark.parametrize("name", ["Nobody", "BatchQueue", "shop-Batch"])
def test_a_queue_that_is_none_is_told_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str], name: str
) -> None:
    ran = run(monkeypatch, sqs, urls, "redrive", name)
    assert ran.exit_code == 2
    assert ran.stderr == f"error: {name} is none of the stack's dead-letter queues: BatchDeadQueue, ScanDeadQueue\n"


def test_a_stack_without_such_queues_says_so(monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]) -> None:
    ran = run(monkeypatch, sqs, {"Other": urls["Other"]}, "list")
    assert (ran.exit_code, ran.stderr) == (1, "error: the stack shop has no dead-letter queue\n")


def test_each_message_goes_to_the_queue_that_gave_it_up(sqs: Any, urls: dict[str, str]) -> None:
    """Two queues that share one dead-letter queue; a message that nobody gave up stays."""
    policy = {"deadLetterTargetArn": arn(sqs, urls["BatchDead"]), "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=urls["Scan"], Attributes={"RedrivePolicy": json.dumps(policy)})
    for name in ("Scan", "Batch"):
        sqs.send_message(QueueUrl=urls[name], MessageBody=name)
        for _ in range(2):
            sqs.receive_message(QueueUrl=urls[name], VisibilityTimeout=0)
    sqs.send_message(QueueUrl=urls["BatchDead"], MessageBody="whose")
    both = dead(sqs, urls)
    named = {source.logical_id: source for source in both.sources}
    assert set(named) == {"ScanQueue", "BatchQueue"}

    class WithSources:
        """moto does not tell DeadLetterQueueSourceArn; SQS and the local engine do."""

        def __getattr__(self, name: str) -> Any:
            return getattr(sqs, name)

        def receive_message(self, **asked: Any) -> Any:
            answer = sqs.receive_message(**asked)
            for message in answer.get("Messages", ()):
                if f"{message['Body']}Queue" in named:
                    source = named[f"{message['Body']}Queue"].arn
                    message["Attributes"]["DeadLetterQueueSourceArn"] = source
            return answer

    moved = dead_letters.redrive(WithSources(), both, None)
    assert (moved.moved, moved.left) == (2, {"its source queue is not told": 1})
    assert bodies(sqs, urls["BatchDead"]) == ["whose"]
    assert (bodies(sqs, urls["Scan"]), bodies(sqs, urls["Batch"])) == (["Scan"], ["Batch"])


class Breaking:
    """SQS that breaks at one operation, from its n-th call on, and tells what was called."""

    def __init__(self, sqs: Any, operation: str, calls: int) -> None:
        self._sqs = sqs
        self._operation = operation
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name != self._operation:
            return getattr(self._sqs, name)
        self._calls -= 1
        if self._calls >= 0:
            return getattr(self._sqs, name)

        def broken(**_asked: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://sqs")

        return broken


@pytest.mark.parametrize("operation", ["receive_message", "send_message_batch", "delete_message_batch"])
def test_whatever_breaks_in_the_middle_no_message_is_lost(sqs: Any, urls: dict[str, str], operation: str) -> None:
    texts = fill(sqs, urls["BatchDead"], 25)
    with pytest.raises(CloudError, match="10 messages were moved, the rest is still there"):
        dead_letters.redrive(Breaking(sqs, operation, 1), dead(sqs, urls), None)
    url = urls["BatchDead"]
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    left = int(waiting["ApproximateNumberOfMessages"]) + int(waiting["ApproximateNumberOfMessagesNotVisible"])
    there = bodies(sqs, urls["Batch"])
    assert left == 15
    # What was sent but not deleted is in both: nothing but a deletion after a sending takes a message away.
    assert len(there) == (20 if operation == "delete_message_batch" else 10)
    assert set(there) <= set(texts)


def test_what_the_source_does_not_take_stays_and_is_told(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    fill(sqs, urls["BatchDead"], 3)

    class Refusing(Breaking):
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
            answer = sqs.send_message_batch(QueueUrl=QueueUrl, Entries=Entries[1:])
            return answer | {"Failed": [{"Id": Entries[0]["Id"], "Code": "InternalError", "SenderFault": False}]}

    ran = run(monkeypatch, Refusing(sqs, "", 0), urls, "redrive", "BatchDeadQueue")
    assert (ran.exit_code, ran.stdout) == (1, "2 messages moved to shop-Batch\n")
    assert ran.stderr == "1 stay: shop-Batch did not take it: InternalError\n"
    assert (len(bodies(sqs, urls["Batch"])), len(bodies(sqs, urls["BatchDead"]))) == (2, 1)


def test_what_could_not_be_removed_is_told_as_coming_twice(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    fill(sqs, urls["BatchDead"], 2)

    class Keeping(Breaking):
        def delete_message_batch(self, *, Entries: list[dict[str, Any]], **_asked: Any) -> Any:  # noqa: N803
            return {"Failed": [{"Id": entry["Id"], "Code": "x", "SenderFault": False} for entry in Entries]}

    ran = run(monkeypatch, Keeping(sqs, "", 0), urls, "redrive", "BatchDeadQueue")
    assert ran.exit_code == 1
    assert "2 were sent but could not be removed here: they come twice, which changes nothing" in ran.stderr


class Returning(Breaking):
    """A queue whose messages fail at once, and are put back among the dead as new ones."""

    def __init__(self, sqs: Any, dead: str) -> None:
        super().__init__(sqs, "", 0)
        self._dead = dead
        self.returned = 0

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_asked: Any) -> Any:  # noqa: N803
        self.returned += len(Entries)
        return self._sqs.send_message_batch(QueueUrl=self._dead, Entries=Entries)


@pytest.mark.parametrize(("there", "moved"), [(12, 12), (0, 0)])
def test_what_comes_back_at_once_does_not_keep_it_going(sqs: Any, urls: dict[str, str], there: int, moved: int) -> None:
    fill(sqs, urls["BatchDead"], there)
    returning = Returning(sqs, urls["BatchDead"])
    assert dead_letters.redrive(returning, dead(sqs, urls), None).moved == moved
    assert returning.returned == moved
    assert len(bodies(sqs, urls["BatchDead"])) == there


def test_a_count_that_lags_is_no_reason_to_move_nothing(sqs: Any, urls: dict[str, str]) -> None:
    counted = dead(sqs, urls)
    fill(sqs, urls["BatchDead"], 3)
    assert dead_letters.redrive(sqs, counted, None).moved == 3


def test_a_message_that_is_seen_again_is_not_moved_twice(sqs: Any, urls: dict[str, str]) -> None:
    """SQS delivers at least once: what was sent and deleted may be received again."""
    fill(sqs, urls["BatchDead"], 12)

    class Repeating(Breaking):
        last: dict[str, Any] | None = None

        def receive_message(self, **asked: Any) -> Any:
            answer = sqs.receive_message(**asked)
            again = [self.last] if self.last else []
            self.last = (answer.get("Messages") or [None])[0]
            return answer | {"Messages": [*answer.get("Messages", ()), *again]}

    result = dead_letters.redrive(Repeating(sqs, "", 0), dead(sqs, urls), None)
    assert result.moved == 12
    assert len(bodies(sqs, urls["Batch"])) == 12


def test_large_messages_go_in_requests_that_sqs_takes(sqs: Any, urls: dict[str, str]) -> None:
    for letter in "abc":
        sqs.send_message(QueueUrl=urls["BatchDead"], MessageBody=letter * 120_000)
    sizes: list[int] = []

    class Watching(Breaking):
        def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
            sizes.append(sum(len(entry["MessageBody"]) for entry in Entries))
            return sqs.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)

    assert dead_letters.redrive(Watching(sqs, "", 0), dead(sqs, urls), None).moved == 3
    assert sizes == [120_000] * 3


def test_what_somebody_else_holds_is_told_and_not_taken_for_moved(
    monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]
) -> None:
    """A message that dead_letter fails at is hidden for minutes, and back for a moment."""
    fill(sqs, urls["ScanDead"], 5)
    held = sqs.receive_message(QueueUrl=urls["ScanDead"], MaxNumberOfMessages=3, VisibilityTimeout=600)["Messages"]
    ran = run(monkeypatch, sqs, urls, "redrive", "ScanDeadQueue")
    assert len(held) == 3
    assert (ran.exit_code, ran.stdout) == (1, "2 messages moved to shop-Scan\n")
    assert ran.stderr == "3 were not to be had: somebody else has received them; try again in a few minutes\n"


def test_an_empty_queue_is_no_error(monkeypatch: pytest.MonkeyPatch, sqs: Any, urls: dict[str, str]) -> None:
    ran = run(monkeypatch, sqs, urls, "redrive", "ScanDeadQueue")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "0 messages moved to shop-Scan\n", "")
