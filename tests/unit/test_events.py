"""Events as they are told: the same bytes whenever they are made, and what a batch's end says of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from scrapersky.domain import events
from scrapersky.domain.batches import Batch, Figures
from scrapersky.domain.events import Event, EventType
from scrapersky.domain.status import ErrorCode, JobKind

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = UUID(int=1)
TENANT = UUID(int=2)


def ended(status: str = "complete", code: str | None = None) -> Event:
    data = {
        "job_id": str(UUID(int=3)),
        "kind": "domain_scan",
        "status": status,
        "domain": "müller.example",
        "batch_id": None,
        "error": None if code is None else {"code": code, "message": "why"},
        "created_at": "2026-01-31T11:59:00.000000Z",
        "started_at": "2026-01-31T11:59:30.000000Z",
        "finished_at": "2026-01-31T12:00:00.250000Z",
    }
    return Event(ID, TENANT, EventType(f"job.{status}"), UUID(int=3), None, None, data, "request-1", NOON)


def test_a_jobs_end_is_told_in_the_same_bytes_whatever_order_its_row_comes_in() -> None:
    event = ended("failed", "timeout")
    turned = replace(event, data=dict(reversed(event.data.items())))
    berlin = replace(event, occurred_at=NOON.astimezone(timezone(timedelta(hours=1))))
    assert events.body(event) == events.body(turned) == events.body(berlin)
    told = json.loads(events.body(event))
    assert set(told) == {"type", "timestamp", "data"}
    assert (told["type"], told["timestamp"]) == ("job.failed", "2026-01-31T12:00:00.000000Z")
    assert told["data"] == {**event.data, "error": {"code": "timeout", "message": "why", "retryable": True}}


@pytest.mark.parametrize("code", sorted(ErrorCode))
def test_whether_an_error_may_be_retried_is_told_as_the_api_tells_it(code: ErrorCode) -> None:
    told = json.loads(events.body(ended("failed", code.value)))
    assert told["data"]["error"]["retryable"] is code.retryable


def test_a_code_of_a_newer_version_is_told_too() -> None:
    told = json.loads(events.body(ended("failed", "of_next_year")))
    assert told["data"]["error"] == {"code": "of_next_year", "message": "why", "retryable": False}


def test_a_success_and_a_test_have_no_error_to_tell_of() -> None:
    assert json.loads(events.body(ended()))["data"]["error"] is None
    test = Event(ID, TENANT, EventType.WEBHOOK_TEST, None, None, UUID(int=4), {"webhook_id": "x"}, "", NOON)
    assert json.loads(events.body(test))["data"] == {"webhook_id": "x"}


def test_a_bus_is_told_the_body_with_the_ids_of_event_and_tenant() -> None:
    event = ended("failed", "timeout")
    told = json.loads(events.detail(event))
    assert told == {**json.loads(events.body(event)), "id": str(ID), "tenant_id": str(TENANT)}


@pytest.mark.parametrize(
    ("event", "outcome"),
    [(ended(), "complete"), (ended("failed", "timeout"), "timeout"), (ended("cancelled", "cancelled"), "cancelled")],
    ids=["complete", "failed", "cancelled"],
)
def test_how_a_job_ended_is_one_word(event: Event, outcome: str) -> None:
    assert events.outcome(event) == outcome
    assert events.seconds(event) == 60.25


def batch(completed: int, failed: int, cancelled: int, *, running: int = 0) -> Batch:
    total = completed + failed + cancelled + running
    end = NOON + timedelta(minutes=1)
    figures = Figures(total, 0, running, completed, failed, cancelled, NOON, end, end)
    return Batch(UUID(int=5), TENANT, JobKind.SITEMAP_SCAN, {}, NOON - timedelta(minutes=1), figures)


@pytest.mark.parametrize(
    ("figures", "type_"),
    [((2, 1, 0), "batch.complete"), ((0, 3, 0), "batch.failed"), ((1, 1, 1), "batch.cancelled")],
)
def test_a_batchs_end_is_told_by_its_status_and_figures(figures: tuple[int, int, int], type_: str) -> None:
    closed = events.closed(batch(*figures), "request-1")
    assert (closed.type, closed.occurred_at, closed.correlation_id) == (type_, NOON + timedelta(minutes=1), "request-1")
    assert closed.data == {
        "batch_id": str(UUID(int=5)),
        "kind": "sitemap_scan",
        "status": type_.removeprefix("batch."),
        "total_domains": 3,
        "completed_domains": figures[0],
        "failed_domains": figures[1],
        "cancelled_domains": figures[2],
        "created_at": "2026-01-31T11:59:00.000000Z",
        "start_time": "2026-01-31T12:00:00.000000Z",
        "end_time": "2026-01-31T12:01:00.000000Z",
    }


def test_a_batch_with_an_open_job_has_no_end() -> None:
    with pytest.raises(ValueError, match="open job"):
        events.closed(batch(1, 0, 0, running=1), "")
