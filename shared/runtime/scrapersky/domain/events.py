"""Events: what ended, as receivers are told of it. An event's row is written once; what is told is read off it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from scrapersky.domain.batches import Batch
from scrapersky.domain.status import ErrorCode
from scrapersky.domain.webhooks import payload, rfc3339

EVENT_SOURCE: Final = "scrapersky"
"""`source` of what is put on EventBridge: rules choose by it."""


class EventType(StrEnum):
    """What can be told of. Endpoints subscribe to all but the test, which is for the one that it was asked of."""

    JOB_COMPLETE = "job.complete"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    BATCH_COMPLETE = "batch.complete"
    BATCH_FAILED = "batch.failed"
    BATCH_CANCELLED = "batch.cancelled"
    WEBHOOK_TEST = "webhook.test"

    @property
    def is_of_a_job(self) -> bool:
        return self in _OF_JOBS


_OF_JOBS = frozenset({EventType.JOB_COMPLETE, EventType.JOB_FAILED, EventType.JOB_CANCELLED})
# Looked up as text: a newer version may have written a code that this one, which is back in its place, does not know,
# and one such event must not keep a dispatcher from all others.
_RETRYABLE = frozenset(code.value for code in ErrorCode if code.retryable)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that ended, as its row stands. `data` holds texts for ids and times; `occurred_at` is UTC."""

    id: UUID
    tenant_id: UUID
    type: EventType
    job_id: UUID | None
    batch_id: UUID | None
    webhook_id: UUID | None
    data: dict[str, Any]
    correlation_id: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class ClosedBatch:
    """The event of a batch none of whose jobs is open any more, before it has a row."""

    tenant_id: UUID
    batch_id: UUID
    type: EventType
    data: dict[str, Any]
    correlation_id: str
    occurred_at: datetime


def told_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The row's data as it is told: a job's error says whether it may be retried, as the HTTP API says it."""
    error = data.get("error")
    if not isinstance(error, Mapping):
        return dict(data)
    return {**data, "error": {**error, "retryable": error["code"] in _RETRYABLE}}


def body(event: Event) -> bytes:
    """`{"data","timestamp","type"}`: the same bytes at each try and each replay, since nothing else goes into them."""
    return payload(event.type.value, event.occurred_at, told_data(event.data))


def detail(event: Event) -> str:
    """What EventBridge is told: the body, with the event's id, by which one told twice is known, and the tenant's."""
    told = {
        "id": str(event.id),
        "tenant_id": str(event.tenant_id),
        "type": event.type.value,
        "timestamp": rfc3339(event.occurred_at),
        "data": told_data(event.data),
    }
    return json.dumps(told, separators=(",", ":"), sort_keys=True, allow_nan=False)


def outcome(event: Event) -> str:
    """How a job ended, in a word: `complete`, `cancelled` or its error's code."""
    error = event.data["error"]
    return str(error["code"] if error else event.data["status"])


def seconds(event: Event) -> float:
    """From a job's creation to its end."""
    data = event.data
    created, finished = (datetime.fromisoformat(data[name]) for name in ("created_at", "finished_at"))
    return (finished - created).total_seconds()


def closed(batch: Batch, correlation_id: str) -> ClosedBatch:
    """The event of a batch that is final, at the time at which its last job ended. Names are those of its status.

    Raises:
        ValueError: it has an open job.
    """
    figures = batch.figures
    if not batch.status.is_final or figures.finished_at is None:
        raise ValueError("a batch with an open job has no end to tell of")
    data = {
        "batch_id": str(batch.id),
        "kind": batch.kind.value,
        "status": batch.status.value,
        "total_domains": figures.total,
        "completed_domains": figures.completed,
        "failed_domains": figures.failed,
        "cancelled_domains": figures.cancelled,
        "created_at": rfc3339(batch.created_at),
        "start_time": rfc3339(figures.started_at) if figures.started_at else None,
        "end_time": rfc3339(figures.finished_at),
    }
    return ClosedBatch(
        tenant_id=batch.tenant_id,
        batch_id=batch.id,
        type=EventType(f"batch.{batch.status.value}"),
        data=data,
        correlation_id=correlation_id,
        occurred_at=figures.finished_at,
    )
