"""A single job of a batch that is retried: its batch takes it up, as if all that failed had been retried."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import FOREVER, execution_of, failing, job_ids, start
from integration.test_batch_executions import WAIT_SECONDS, planned
from integration.test_event_dispatch import dispatch
from integration.test_work import run
from scrapersky.db import leases, outbox
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.errors import Conflict
from scrapersky.queues import BatchStart, Sender, parse_batch_message
from scrapersky.services import batch, batch_rounds, jobs, sweep
from support.log_lines import recorded

LEASE = timedelta(seconds=60)
OWED = "select body -> 'round' from scrapersky.outbox where sent_at is null"


@pytest.fixture
def over(db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller) -> tuple[UUID, dict[str, UUID]]:
    """A batch that has ended, and its jobs: `a` is complete, `b` and `c` have failed, and `no domain` was refused."""
    batch_id = start(db, queue, caller, ["a.example", "b.example", "c.example", "no domain"]).batch_id
    ids = job_ids(db, caller, batch_id)
    run(db, ids["a.example"])
    run(db, ids["b.example"], ids["c.example"], scan=failing)
    queue.drain_batches()
    return batch_id, ids


def retried(
    db: Database, sender: Sender, caller: Caller, job_id: UUID, idempotency: Idempotency | None = None
) -> Started:
    return jobs.retry(db, sender, caller, job_id, idempotency)


def test_a_job_of_a_batch_is_taken_up_by_its_batchs_next_execution(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    over: tuple[UUID, dict[str, UUID]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    batch_id, ids = over
    before = jobs.get(db, caller.tenant_id, ids["b.example"])
    with recorded(capsys) as written:
        started = retried(db, queue.sender, caller, before.id)
        (line,) = written.events()
    assert (started.job_id, started.created_at) == (before.id, before.created_at)
    assert (line["message"], line["job_id"], line["batch_id"]) == ("job started", str(before.id), str(batch_id))
    assert (line["kind"], line["correlation_id"]) == ("domain_scan", "request-1")
    assert queue.drain() == []  # no message of its own
    (message,) = queue.drain_batches()
    assert (message["run"], message["round"]) == (str(execution_of(postgres, batch_id).run), 2)
    whole = batch.get(db, caller.tenant_id, batch_id)
    assert (whole.status, whole.figures.pending, whole.figures.completed, whole.figures.failed) == (
        JobStatus.RUNNING, 1, 1, 2,
    )  # fmt: skip
    assert [chunk.job_ids for chunk in planned(db, execution_of(postgres, batch_id, 2)).chunks] == [(before.id,)]
    # Nothing of the former run, as of any job that is retried.
    job = jobs.get(db, caller.tenant_id, before.id)
    assert (job.error, job.metadata) == (None, {"base_url": "b.example", "max_pages": 2, "retries": 1})
    run(db, before.id)
    assert batch_rounds.finish(db, execution_of(postgres, batch_id, 2), round=1).open == 0
    assert batch.get(db, caller.tenant_id, batch_id).status is JobStatus.COMPLETE


def test_a_job_of_a_batch_of_sitemaps_is_planned_for_their_workers(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["a.example"], kind=JobKind.SITEMAP_SCAN).batch_id
    batch.cancel(db, caller.tenant_id, batch_id)
    (job_id,) = job_ids(db, caller, batch_id).values()
    retried(db, queue.sender, caller, job_id)
    assert queue.drain_sitemaps() == []
    plan = planned(db, execution_of(postgres, batch_id, 2))
    assert (plan.kind, [chunk.job_ids for chunk in plan.chunks]) == (JobKind.SITEMAP_SCAN, [(job_id,)])


def put_off(db: Database, _postgres: TestDatabase, job_id: UUID) -> None:
    assert run(db, job_id).postponed == [job_id]


def released(db: Database, _postgres: TestDatabase, job_id: UUID) -> None:
    token = uuid4()
    leases.claim(db, [job_id], token=token, lease=LEASE)
    leases.release(db, [job_id], token=token)


def lost(db: Database, postgres: TestDatabase, job_id: UUID) -> None:
    leases.claim(db, [job_id], token=uuid4(), lease=timedelta(seconds=-1))
    postgres.rows("update scrapersky.host_leases set until = now()")


@pytest.mark.parametrize("left", [put_off, released, lost])
def test_whatever_becomes_of_it_its_execution_comes_back_for_it(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    over: tuple[UUID, dict[str, UUID]],
    make_job: Callable[..., UUID],
    left: Callable[[Database, TestDatabase, UUID], None],
) -> None:
    batch_id, ids = over
    retried(db, queue.sender, caller, ids["b.example"])
    if left is put_off:
        leases.claim(db, [make_job("b.example")], token=uuid4(), lease=LEASE)  # another job fetches the host
    execution = execution_of(postgres, batch_id, 2)
    planned(db, execution)
    left(db, postgres, ids["b.example"])
    sweep.run(db, queue.sender, deadline=FOREVER)
    assert batch_rounds.finish(db, execution, round=1).again
    assert [chunk.job_ids for chunk in planned(db, execution, round_=2).chunks] == [(ids["b.example"],)]


def test_its_batch_closes_once_more_and_is_told_of(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, over: tuple[UUID, dict[str, UUID]]
) -> None:
    _batch_id, ids = over
    dispatch(db, queue)
    retried(db, queue.sender, caller, ids["b.example"])
    run(db, ids["b.example"])
    dispatch(db, queue)
    told = postgres.rows(
        "select type, data -> 'completed_domains', data -> 'failed_domains' from scrapersky.events"
        " where type like 'batch.%%' order by occurred_at"
    )
    assert told == [("batch.complete", 1, 3), ("batch.complete", 2, 2)]


@pytest.mark.parametrize("key", [None, Idempotency("k", b"k" * 32)], ids=["without a key", "with a key"])
def test_a_retry_that_runs_again_since_its_answer_was_lost_begins_one_execution(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    over: tuple[UUID, dict[str, UUID]],
    monkeypatch: pytest.MonkeyPatch,
    key: Idempotency | None,
) -> None:
    """A worker has ended the job by the time at which the transaction runs again."""
    batch_id, ids = over
    real = db.run

    def ended_in_between(work: Callable[..., object], *, tenant_id: UUID | None = None) -> object:
        real(work, tenant_id=tenant_id)
        with Database(postgres.app_dsn) as other:
            run(other, ids["b.example"], scan=failing)
        return real(work, tenant_id=tenant_id)

    with monkeypatch.context() as patch:
        patch.setattr(db, "run", ended_in_between)
        started = retried(db, queue.sender, caller, ids["b.example"], key)
    assert jobs.get(db, caller.tenant_id, started.job_id).metadata["retries"] == 1
    assert (postgres.one("select round from scrapersky.batches"), postgres.rows(OWED)) == ((2,), [(2,)])
    if key is not None:  # and asked again
        assert retried(db, queue.sender, caller, ids["b.example"], key) == started
        assert postgres.one("select round from scrapersky.batches") == (2,)
    # Control: what is no repetition is carried out.
    retried(db, queue.sender, caller, ids["b.example"])
    assert postgres.one("select round from scrapersky.batches where id = %s", batch_id) == (3,)


def test_one_retry_waits_for_another_whose_message_does_not_stand_for_its_own(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, over: tuple[UUID, dict[str, UUID]]
) -> None:
    """Of two jobs at once: the first one's message is sent while the second one's own sending fails."""
    batch_id, ids = over
    second = threading.Thread(target=lambda: retried(db, queue.broken_sender, caller, ids["c.example"]))
    with psycopg.connect(postgres.direct_dsn) as first:
        first.execute("update scrapersky.batches set round = 2")
        (message_id,) = first.execute(
            "insert into scrapersky.outbox (tenant_id, batch_id, queue, body, held_until)"
            " values (%s, %s, 'batch', '{\"round\": 2}', now()) returning id",
            (caller.tenant_id, batch_id),
        ).fetchone() or (0,)
        second.start()
        deadline = time.monotonic() + WAIT_SECONDS
        waits = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
        while postgres.one(waits, postgres.name) != (1,) and time.monotonic() < deadline:
            assert second.is_alive(), "it did not wait"
            time.sleep(0.01)
        first.commit()
    second.join()
    outbox.mark_sent(db, [message_id])
    assert postgres.rows(OWED) == [(3,)]


def test_more_retries_than_there_are_jobs_in_a_batch_begin_executions(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, over: tuple[UUID, dict[str, UUID]]
) -> None:
    batch_id, ids = over
    postgres.rows("update scrapersky.batches set round = 10000 where id = %s", batch_id)
    retried(db, queue.broken_sender, caller, ids["b.example"])
    ((body,),) = postgres.rows("select body::text from scrapersky.outbox where sent_at is null")
    started = parse_batch_message(str(body))
    assert isinstance(started, BatchStart)
    assert started.execution == 10_001


# --- what is not retried ---


def test_an_input_that_names_no_domain_is_refused_and_nothing_changes(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["8.8.8.8", "a.example"]).batch_id
    ids = job_ids(db, caller, batch_id)
    run(db, ids["a.example"], scan=failing)
    queue.drain_batches()
    whole = "select j.*, b.round from scrapersky.jobs as j join scrapersky.batches as b on b.id = j.batch_id order by 1"
    before = postgres.rows(whole)
    with pytest.raises(Conflict) as caught:
        retried(db, queue.sender, caller, ids["8.8.8.8"])
    reason = jobs.get(db, caller.tenant_id, ids["8.8.8.8"]).error
    assert reason is not None
    assert caught.value.code == "job_not_retryable"
    assert str(caught.value) == f"8.8.8.8 names no domain to scan: {reason.message}."
    assert postgres.rows(whole) == before
    assert (queue.drain(), queue.drain_batches()) == ([], [])
    retried(db, queue.sender, caller, ids["a.example"])  # control: its neighbour
    assert postgres.rows(whole) != before


def test_a_job_of_a_batch_that_is_complete_or_under_way_is_not_retried(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, over: tuple[UUID, dict[str, UUID]]
) -> None:
    _batch_id, ids = over
    retried(db, queue.sender, caller, ids["b.example"])
    for domain in ("a.example", "b.example"):
        with pytest.raises(Conflict) as caught:
            retried(db, queue.sender, caller, ids[domain])
        assert caught.value.code == "job_not_retryable"
    assert postgres.one("select round from scrapersky.batches") == (2,)
