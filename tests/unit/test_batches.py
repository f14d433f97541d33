"""The rules of a batch: what state its figures mean, and how its concurrency is dealt out."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scrapersky.domain.batches import Batch, Figures, lanes
from scrapersky.domain.limits import MAX_CONCURRENT
from scrapersky.domain.status import JobKind, JobStatus

NOW = datetime.now(UTC)
counts = st.integers(0, 50)


def batch(**figures: int) -> Batch:
    counted = [figures.get(name, 0) for name in ("pending", "running", "completed", "failed", "cancelled")]
    begun = NOW if sum(counted[1:]) else None
    pending, running, completed, failed, cancelled = counted
    stand = Figures(sum(counted), pending, running, completed, failed, cancelled, begun, None, NOW)
    return Batch(uuid4(), uuid4(), JobKind.DOMAIN_SCAN, {}, NOW, stand)


@pytest.mark.parametrize(
    ("figures", "status", "progress"),
    [
        ({"pending": 3}, JobStatus.PENDING, 0.0),
        ({"pending": 2, "completed": 1}, JobStatus.RUNNING, 33.3),
        ({"running": 1, "completed": 9_999}, JobStatus.RUNNING, 99.9),
        ({"running": 1, "cancelled": 1}, JobStatus.RUNNING, 50.0),
        ({"completed": 1, "failed": 9}, JobStatus.COMPLETE, 100.0),
        ({"completed": 1, "cancelled": 9}, JobStatus.CANCELLED, 100.0),
        ({"failed": 1, "cancelled": 1}, JobStatus.CANCELLED, 100.0),
        ({"failed": 2}, JobStatus.FAILED, 100.0),
    ],
)
def test_the_state_of_a_batch_follows_from_its_figures(
    figures: dict[str, int], status: JobStatus, progress: float
) -> None:
    assert (batch(**figures).status, batch(**figures).progress) == (status, progress)


@given(counts, counts, counts, counts, counts)
def test_a_batch_is_final_if_and_only_if_its_final_jobs_are_all_its_jobs(
    pending: int, running: int, completed: int, failed: int, cancelled: int
) -> None:
    assume(pending + running + completed + failed + cancelled > 0)  # a batch has a job at the least
    whole = batch(pending=pending, running=running, completed=completed, failed=failed, cancelled=cancelled)
    assert whole.status.is_final == (completed + failed + cancelled == whole.figures.total)
    if whole.status is JobStatus.FAILED:
        assert completed == 0
    assert (whole.progress == 100.0) == whole.status.is_final


@given(st.integers(1, MAX_CONCURRENT), st.integers(1, 100), st.integers(1, 1000))
def test_workers_together_never_scan_more_sites_at_once_than_asked_for(
    most: int, per_worker: int, max_lanes: int
) -> None:
    workers, window = lanes(most, sites_per_worker=per_worker, max_lanes=max_lanes)
    assert 1 <= workers <= max_lanes
    assert 1 <= window <= per_worker
    assert workers * window <= most
