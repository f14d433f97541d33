"""What the last round of an execution leaves fails, and says why: nobody began it, or its worker was lost."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import execution_of, job_ids, start
from integration.test_batch_executions import LAST, planned
from integration.test_work import run
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.domain.jobs import Caller
from scrapersky.services import batch, batch_rounds, jobs

LEASE = timedelta(seconds=60)
NOT_BEGUN = "it was not begun in 3 rounds of its batch: another job was at its host, or no worker was free"
NOT_DONE = "it was not done in 3 rounds of its batch"


@pytest.fixture
def left(db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]) -> UUID:
    """A batch of jobs that rounds leave: its host is busy, it was given back, its worker was lost; and one is done."""
    domains = ["busy.example", "given-back.example", "lost.example", "done.example"]
    batch_id = start(db, queue, caller, domains).batch_id
    ids = job_ids(db, caller, batch_id)
    leases.claim(db, [make_job("busy.example")], token=uuid4(), lease=LEASE)
    assert run(db, ids["busy.example"]).postponed
    token = uuid4()
    leases.claim(db, [ids["given-back.example"]], token=token, lease=LEASE)
    leases.release(db, [ids["given-back.example"]], token=token)
    leases.claim(db, [ids["lost.example"]], token=uuid4(), lease=timedelta(seconds=-1))
    run(db, ids["done.example"])
    return batch_id


def errors(db: Database, caller: Caller, batch_id: UUID) -> dict[str, tuple[str, str, bool] | None]:
    return {
        domain.domain: (domain.error.code.value, domain.error.message, domain.error.retryable) if domain.error else None
        for domain in batch.snapshot(db, caller.tenant_id, batch_id)[1]
    }


def test_a_job_that_is_given_up_tells_what_became_of_it(
    db: Database, postgres: TestDatabase, caller: Caller, left: UUID
) -> None:
    assert batch_rounds.finish(db, execution_of(postgres, left), round=LAST).given_up == 3
    assert errors(db, caller, left) == {
        "busy.example": ("timeout", NOT_BEGUN, True),
        "given-back.example": ("timeout", NOT_DONE, True),
        "lost.example": ("worker_lost", f"{NOT_DONE}: its worker was lost", True),
        "done.example": None,
    }


def test_control_an_abort_is_a_fault_of_ours_whatever_became_of_them(
    db: Database, postgres: TestDatabase, caller: Caller, left: UUID
) -> None:
    assert batch_rounds.abort(db, execution_of(postgres, left)) == 3
    told = {error for error in errors(db, caller, left).values() if error is not None}
    assert told == {("worker_lost", "its batch was aborted", True)}


def test_what_was_given_up_no_worker_begins_until_it_is_retried(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, left: UUID
) -> None:
    batch_rounds.finish(db, execution_of(postgres, left), round=LAST)
    ids = job_ids(db, caller, left)
    given_up = [ids[domain] for domain in ("busy.example", "given-back.example", "lost.example")]
    postgres.rows("update scrapersky.host_leases set until = now() - interval '1 s'")
    claims = leases.claim(db, given_up, token=uuid4(), lease=LEASE)
    assert {claim.outcome for claim in claims} == {ClaimOutcome.FINAL}
    batch.retry(db, queue.sender, caller, left, error_codes=None, idempotency=None)
    assert {jobs.get(db, caller.tenant_id, each).attempt for each in given_up} == {0}
    (chunk,) = planned(db, execution_of(postgres, left, 2)).chunks
    assert set(chunk.job_ids) == set(given_up)
    assert len(run(db, *given_up).stored) == 3
