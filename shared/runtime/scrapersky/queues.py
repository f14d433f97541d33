"""Messages between the functions: what is sent to SQS, and what a worker reads from it.

A message names a job and nothing else that counts: tenant, domain and state come from the job's row.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from scrapersky.domain.limits import (
    DEFAULT_CONCURRENT,
    DEFAULT_PAGES,
    DEFAULT_SITEMAP_URLS,
    MAX_CONCURRENT,
    MAX_DOMAINS,
    MAX_PAGES,
    MAX_SITEMAP_URLS,
)
from scrapersky.domain.status import JobKind
from scrapersky.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MESSAGE_VERSION = 1
BATCH_LIMIT = 10  # SendMessageBatch's own; ours are about 150 bytes each, far from its 1 MiB
DELAY_LIMIT_SECONDS = 900  # SQS delays no message longer
# A worker sends between the renewals of its leases, so that a queue that does not answer must not hold it for long.
# SQS answers in tens of milliseconds; what it does not take stays owed.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
TRIES = 2  # of a call, boto3's own
CORRELATION_ID_LIMIT = 128
MAX_EXECUTIONS = 2**31 - 1  # of a batch, as its column counts them: each retry of any of its jobs asks for one
# `max_pages` of the kinds that come in batches: the most, and what counts when none is named.
_PAGES = {
    JobKind.DOMAIN_SCAN: (MAX_PAGES, DEFAULT_PAGES),
    JobKind.SITEMAP_SCAN: (MAX_SITEMAP_URLS, DEFAULT_SITEMAP_URLS),
}


class MalformedMessage(ValueError):
    """A queue message that is not ours; the reason is safe to log."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a committed outbox row owes: `queue` is the job's kind, `body` the JSON to send.

    The queue hands it out after `delay_seconds`, DELAY_LIMIT_SECONDS at the most.
    """

    id: int
    queue: str
    body: dict[str, Any]
    delay_seconds: int = 0


@dataclass(frozen=True, slots=True)
class BatchStart:
    """Begin an execution for a batch: `run` names the batch, `execution` is its number (`round` in the message)."""

    run: UUID
    execution: int
    correlation_id: str


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
        data = _object(body)
        return cls(_uuid(data, "job_id"), _correlation_id(data))


@dataclass(frozen=True, slots=True)
class EventNudge:
    """There may be events to dispatch. It names none: they are rows, and whoever is called takes what there is."""

    correlation_id: str

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read an SQS body.

        Raises:
            MalformedMessage: as `JobMessage.parse`.
        """
        return cls(_correlation_id(_object(body)))

    def message(self) -> Message:
        """As it is sent. No row owes it: one that is lost costs a minute, for the sweeper looks as well."""
        return Message(0, "event", {"version": MESSAGE_VERSION, "correlation_id": self.correlation_id})


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """What a webhook worker is told: which delivery, and which request its event came from."""

    delivery_id: UUID
    correlation_id: str

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read an SQS body.

        Raises:
            MalformedMessage: as `JobMessage.parse`.
        """
        data = _object(body)
        return cls(_uuid(data, "delivery_id"), _correlation_id(data))


def jobs_of(records: Sequence[Mapping[str, Any]]) -> tuple[dict[UUID, list[str]], list[str]]:
    """What the records of an SQS event are about: the messages of each job, and those that are none of ours.

    A worker hands the latter back, so that they end in the dead-letter queue; each is logged.
    """
    return _named_in(records, lambda body: JobMessage.parse(body).job_id)


def deliveries_of(records: Sequence[Mapping[str, Any]]) -> tuple[dict[UUID, list[str]], list[str]]:
    """`jobs_of`, of deliveries to webhooks."""
    return _named_in(records, lambda body: DeliveryMessage.parse(body).delivery_id)


def _named_in(
    records: Sequence[Mapping[str, Any]], named: Callable[[str], UUID]
) -> tuple[dict[UUID, list[str]], list[str]]:
    by_id: dict[UUID, list[str]] = {}
    malformed: list[str] = []
    for record in records:
        try:
            identity = named(record["body"])
        except MalformedMessage as error:
            logger().error("malformed message", extra={"message_id": record["messageId"], "reason": str(error)})
            malformed.append(record["messageId"])
        else:
            by_id.setdefault(identity, []).append(record["messageId"])
    return by_id, malformed


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A whole batch asked for by a message: what `POST …/batch` takes, with the tenant that a token would name."""

    tenant_id: UUID
    kind: JobKind
    domains: tuple[str, ...]
    max_pages: int
    max_concurrent: int
    batch_id: UUID
    correlation_id: str


def parse_batch_message(body: str) -> BatchStart | BatchRequest:
    """Read a body of the batch queue: the start of an execution, or a whole request.

    Raises:
        MalformedMessage: it is neither; the reason names the field.
    """
    data = _object(body)
    if "run" in data:
        return BatchStart(_uuid(data, "run"), _whole(data, "round", 1, MAX_EXECUTIONS, None), _correlation_id(data))
    domains = data.get("domains")
    if not isinstance(domains, list) or not all(isinstance(domain, str) for domain in domains):
        raise MalformedMessage("`domains` is no list of texts")
    if not 1 <= len(domains) <= MAX_DOMAINS:
        raise MalformedMessage(f"`domains` holds {len(domains)}, not 1 to {MAX_DOMAINS}")
    kind = _kind(data)
    most, default = _PAGES[kind]
    return BatchRequest(
        tenant_id=_uuid(data, "tenant_id"),
        kind=kind,
        domains=tuple(domains),
        max_pages=_whole(data, "max_pages", 1, most, default),
        max_concurrent=_whole(data, "max_concurrent", 1, MAX_CONCURRENT, DEFAULT_CONCURRENT),
        batch_id=_uuid(data, "batch_id"),
        correlation_id=_correlation_id(data),
    )


def _object(body: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("the body is no JSON") from error
    if not isinstance(data, dict):
        raise MalformedMessage("the body is no JSON object")
    if data.get("version") != MESSAGE_VERSION:
        raise MalformedMessage(f"`version` is not {MESSAGE_VERSION}")
    return data


def _uuid(data: Mapping[str, Any], name: str) -> UUID:
    try:
        return UUID(data[name])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise MalformedMessage(f"`{name}` is no UUID") from error


def _kind(data: Mapping[str, Any]) -> JobKind:
    """What the batch's jobs are to do: domain scans, unless the message says otherwise."""
    named = data.get("kind", JobKind.DOMAIN_SCAN.value)
    kind = next((kind for kind in _PAGES if kind == named), None)
    if kind is None:
        raise MalformedMessage(f"`kind` is none of {', '.join(_PAGES)}")
    return kind


def _whole(data: Mapping[str, Any], name: str, least: int, most: int, default: int | None) -> int:
    value = data.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise MalformedMessage(f"`{name}` is no whole number from {least} to {most}")
    return value


def _correlation_id(data: Mapping[str, Any]) -> str:
    value = data.get("correlation_id", "")
    if not isinstance(value, str) or len(value) > CORRELATION_ID_LIMIT:
        raise MalformedMessage("`correlation_id` is no short text")
    return value


class Sender:
    """Sends outbox messages to their queues.

    Args:
        client: gives the SQS client when the first message is sent, since loading boto3 takes a cold start's half.
        urls: queue URL by job kind, or by what else is sent (`batch`, `event`, `webhook`).
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
            {
                "Id": str(message.id),
                "MessageBody": json.dumps(message.body, separators=(",", ":")),
                "DelaySeconds": message.delay_seconds,
            }
            for message in messages
        ]
        try:
            answer = self._client().send_message_batch(QueueUrl=url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            refused.update((message.id, type(error).__name__) for message in messages)
            return
        sent.extend(int(entry["Id"]) for entry in answer.get("Successful", ()))
        refused.update((int(entry["Id"]), entry["Code"]) for entry in answer.get("Failed", ()))
