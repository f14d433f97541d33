"""Queue messages: what a worker accepts, and what a sender tells of each message it was given."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from scrapersky.domain.status import JobKind
from scrapersky.queues import (
    BatchRequest,
    BatchStart,
    DeliveryMessage,
    EventNudge,
    JobMessage,
    MalformedMessage,
    Message,
    Sender,
    parse_batch_message,
)

JOB = "6f0c1f5e-6f7a-4c8e-9d0e-0a1b2c3d4e5f"


def body(**changes: Any) -> str:
    return json.dumps({"version": 1, "job_id": JOB, "correlation_id": "request-1", **changes})


def test_a_message_names_its_job_and_its_request() -> None:
    assert JobMessage.parse(body()) == JobMessage(UUID(JOB), "request-1")


def test_a_tenant_in_a_message_counts_for_nothing() -> None:
    assert JobMessage.parse(body(tenant_id=str(uuid4()))) == JobMessage(UUID(JOB), "request-1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the body is no JSON"),
        ("{", "the body is no JSON"),
        ("[" * 100_000, "the body is no JSON"),
        ("[]", "the body is no JSON object"),
        ("null", "the body is no JSON object"),
        (body(version=2), "`version` is not 1"),
        (json.dumps({"job_id": JOB}), "`version` is not 1"),
        (json.dumps({"version": 1}), "`job_id` is no UUID"),
        (body(job_id=7), "`job_id` is no UUID"),
        (body(job_id="x"), "`job_id` is no UUID"),
        (body(correlation_id=7), "`correlation_id` is no short text"),
        (body(correlation_id="x" * 129), "`correlation_id` is no short text"),
    ],
)
def test_what_is_no_message_of_ours_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=f"^{reason}$"):
        JobMessage.parse(text)


class Answers:
    """An SQS client's one call: gives one prepared answer or error a call and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []
        self.delays: list[int] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803, ARG002 - boto3's names
        self.calls.append([entry["Id"] for entry in Entries])
        self.delays.extend(entry["DelaySeconds"] for entry in Entries)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def messages(count: int, queue: str = "domain_scan") -> list[Message]:
    return [Message(number, queue, {"version": 1}) for number in range(count)]


def sender(client: Answers) -> Sender:
    return Sender(lambda: client, {"domain_scan": "https://sqs.example/scan"})  # type: ignore[arg-type,return-value]


def test_messages_go_ten_at_a_time() -> None:
    client = Answers()
    sent, refused = sender(client).send(messages(23))
    assert (sent, refused) == (list(range(23)), {})
    assert [len(call) for call in client.calls] == [10, 10, 3]


def test_an_entry_that_failed_in_a_call_that_succeeded_is_told() -> None:
    client = Answers({"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "Code": "Throttled", "SenderFault": False}]})
    assert sender(client).send(messages(2)) == ([0], {1: "Throttled"})


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "secret"}}, "SendMessageBatch"),
        EndpointConnectionError(endpoint_url="https://sqs.example"),
    ],
)
def test_a_call_that_fails_refuses_its_own_messages_only(error: Exception) -> None:
    client = Answers(error)
    sent, refused = sender(client).send(messages(11))
    assert sent == [10]
    assert refused == {number: type(error).__name__ for number in range(10)}


def test_a_kind_without_a_queue_is_refused_by_name() -> None:
    assert sender(Answers()).send(messages(1, "unheard_of")) == ([], {0: "no queue for unheard_of"})


def batch_body(**changes: Any) -> str:
    request = {"version": 1, "tenant_id": JOB, "batch_id": JOB, "domains": ["a.example"], "max_pages": 2}
    return json.dumps({**request, **changes})


def test_a_message_is_handed_out_after_its_delay_and_at_once_without_one() -> None:
    client = Answers()
    sender(client).send([Message(1, "domain_scan", {}), Message(2, "domain_scan", {}, delay_seconds=300)])
    assert client.delays == [0, 300]


def test_a_nudge_is_read_as_it_was_sent() -> None:
    message = EventNudge("request-1").message()
    assert message.queue == "event"
    assert EventNudge.parse(json.dumps(message.body)) == EventNudge("request-1")
    with pytest.raises(MalformedMessage, match=r"^`version` is not 1$"):
        EventNudge.parse("{}")


def test_a_delivery_message_names_its_delivery() -> None:
    assert DeliveryMessage.parse(body(delivery_id=JOB)) == DeliveryMessage(UUID(JOB), "request-1")
    with pytest.raises(MalformedMessage, match=r"^`delivery_id` is no UUID$"):
        DeliveryMessage.parse(body())


def test_a_batch_message_is_the_start_of_a_round_or_a_whole_request() -> None:
    start = json.dumps({"version": 1, "run": JOB, "round": 2, "correlation_id": "request-1"})
    assert parse_batch_message(start) == BatchStart(UUID(JOB), 2, "request-1")
    assert parse_batch_message(batch_body()) == BatchRequest(
        UUID(JOB), JobKind.DOMAIN_SCAN, ("a.example",), 2, 5, UUID(JOB), ""
    )


def test_a_batch_message_may_ask_for_sitemap_scans_whose_pages_are_urls() -> None:
    asked = parse_batch_message(batch_body(kind="sitemap_scan", max_pages=1_000_000))
    assert asked == BatchRequest(UUID(JOB), JobKind.SITEMAP_SCAN, ("a.example",), 1_000_000, 5, UUID(JOB), "")
    unsaid = {"version": 1, "tenant_id": JOB, "batch_id": JOB, "domains": ["a.example"]}
    by_default = [parse_batch_message(json.dumps({**unsaid, **kind})) for kind in ({}, {"kind": "sitemap_scan"})]
    assert [asked.max_pages for asked in by_default if isinstance(asked, BatchRequest)] == [10, 10_000]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "the body is no JSON"),
        (batch_body(version=3), "`version` is not 1"),
        (batch_body(tenant_id=None), "`tenant_id` is no UUID"),
        (batch_body(batch_id="x"), "`batch_id` is no UUID"),
        (batch_body(domains="a.example"), "`domains` is no list of texts"),
        (batch_body(domains=[1]), "`domains` is no list of texts"),
        (batch_body(domains=[]), "`domains` holds 0, not 1 to 10000"),
        (batch_body(domains=["a.example"] * 10_001), "`domains` holds 10001, not 1 to 10000"),
        (batch_body(max_pages=0), "`max_pages` is no whole number from 1 to 100"),
        (batch_body(max_pages=101, kind="domain_scan"), "`max_pages` is no whole number from 1 to 100"),
        (batch_body(max_pages=1_000_001, kind="sitemap_scan"), "`max_pages` is no whole number from 1 to 1000000"),
        (batch_body(kind="unheard_of"), "`kind` is none of domain_scan, sitemap_scan"),
        (batch_body(kind=None), "`kind` is none of domain_scan, sitemap_scan"),
        (batch_body(kind=["domain_scan"]), "`kind` is none of domain_scan, sitemap_scan"),
        (batch_body(max_pages=True), "`max_pages` is no whole number from 1 to 100"),
        (batch_body(max_concurrent=1001), "`max_concurrent` is no whole number from 1 to 1000"),
        (json.dumps({"version": 1, "run": JOB}), "`round` is no whole number from 1 to 2147483647"),
        (json.dumps({"version": 1, "run": "x", "round": 1}), "`run` is no UUID"),
    ],
)
def test_a_batch_message_that_is_none_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=f"^{reason}$"):
        parse_batch_message(text)
