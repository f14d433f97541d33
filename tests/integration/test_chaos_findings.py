"""Races and losses that the chaos run brought to light, each set up by hand."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import connection as factory
from scrapersky.db import leases, outbox, sweep
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.domain.facts import ScanError, SiteScan
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobKind
from scrapersky.services import batch, jobs, work

LEASE = timedelta(seconds=60)


def owed(postgres: TestDatabase) -> list[tuple[object, ...]]:
    return postgres.rows("select job_id from scrapersky.outbox where sent_at is null")


def due(postgres: TestDatabase) -> None:
    postgres.rows("update scrapersky.outbox set held_until = now() where sent_at is null")


def test_a_message_that_came_before_it_was_marked_sent_does_not_cost_the_next_one(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    """A worker may be quicker than the sender: it puts the job off while the row of its message is still open."""
    for put_off in ("postpone", "release", "sweep"):
        job_id = make_job(f"{put_off}.example")
        postgres.rows("update scrapersky.outbox set sent_at = null, held_until = now() where job_id = %s", job_id)
        (sending,) = outbox.take(db)
        if put_off == "postpone":
            leases.postpone(db, [job_id], pause=timedelta(seconds=1))
        elif put_off == "release":
            token = uuid4()
            leases.claim(db, [job_id], token=token, lease=LEASE)
            leases.release(db, [job_id], token=token)
        else:
            leases.claim(db, [job_id], token=uuid4(), lease=timedelta(seconds=-1))
            assert sweep.leases(db)[:2] == (1, 0)
        outbox.mark_sent(db, [sending.id])
        assert owed(postgres) == [(job_id,)]
        postgres.rows("update scrapersky.outbox set sent_at = now() where sent_at is null")


def test_a_second_delivery_at_the_same_moment_leaves_the_host_to_the_job_s_worker(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id, first, second = make_job(), uuid4(), uuid4()
    claims: list[leases.Claim] = []

    def claim_too() -> None:
        with Database(postgres.app_dsn) as other:
            claims.extend(leases.claim(other, [job_id], token=second, lease=LEASE))

    late = threading.Thread(target=claim_too)

    def claim_slowly(cursor: Cursor) -> None:
        cursor.execute(
            "select * from scrapersky.claim_jobs(%s, %s, %s, %s)", ([job_id], first, LEASE, leases.MAX_ATTEMPTS)
        ).fetchall()
        late.start()
        deadline = time.monotonic() + 5
        while not postgres.rows(
            "select 1 from pg_stat_activity where datname = %s and wait_event_type = 'Lock'", postgres.name
        ):
            assert time.monotonic() < deadline, "the second claim does not wait for the first one"

    db.run(claim_slowly)
    late.join()
    assert [claim.outcome for claim in claims] != [ClaimOutcome.CLAIMED]
    assert postgres.rows("select token from scrapersky.host_leases") == [(first,)]


@pytest.mark.parametrize("synced", [True, False], ids=["between two statements", "within a pipeline"])
def test_whoever_falls_silent_in_a_transaction_does_not_hold_its_rows_for_long(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID], synced: bool
) -> None:
    """A machine that is gone says no good-bye: the server hears nothing, and waits with the row locked."""
    limits = ("3s", "0") if synced else ("0", "3s")  # each alone: the one does what the other cannot
    job_id, token = make_job(), uuid4()
    leases.claim(db, [job_id], token=token, lease=timedelta(seconds=-1))
    silent = psycopg.connect(postgres.app_dsn, autocommit=True, prepare_threshold=None)
    try:
        wire = silent.pgconn
        wire.enter_pipeline_mode()
        wire.send_query_params(b"begin", None)
        wire.send_query_params(factory._OPEN.replace("%s", "'{}'").format("", "8s", "4s", *limits).encode(), None)
        wire.send_query_params(
            f"select * from scrapersky.renew_leases('{{{job_id}}}', '{{0}}', '{token}', '1 minute')".encode(), None
        )
        if synced:
            wire.pipeline_sync()
        else:
            wire.send_flush_request()
        wire.flush()
        deadline = time.monotonic() + factory.RETRY_SECONDS
        while not postgres.rows(
            "select 1 from pg_locks where relation = 'scrapersky.jobs'::regclass and mode = 'RowExclusiveLock'"
        ):
            assert time.monotonic() < deadline, "the row is not locked"
        assert sweep.leases(db)[:2] == (0, 0)  # the row is skipped
        while sweep.leases(db)[:2] == (0, 0):
            assert time.monotonic() < deadline, "the row is still locked"
            time.sleep(0.2)
    finally:
        silent.pgconn.finish()


def test_limits_of_a_transaction_are_gone_after_it(postgres: TestDatabase) -> None:
    names = ("idle_in_transaction_session_timeout", "transaction_timeout")
    settings = "select " + ", ".join(f"current_setting('{name}') as {name}" for name in names)
    with Database(postgres.app_dsn) as db:
        assert db.run(lambda cursor: cursor.execute(settings.encode())).fetchall() == [
            dict(zip(names, ("5s", "15s"), strict=True))
        ]
    with factory.connect(postgres.app_dsn) as connection:
        assert connection.execute(settings.encode()).fetchall() == [dict.fromkeys(names, "0")]


def test_a_retry_whose_answer_was_lost_is_told_of_its_own_work_whatever_became_of_the_job(
    db: Database, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit went through, a worker claimed the job at once, and the transaction ran a second time."""
    job_id = make_job()
    started = batch.start(
        db,
        queue.sender,
        caller,
        kind=JobKind.DOMAIN_SCAN,
        domains=["a.example"],
        max_pages=1,
        max_concurrent=1,
        batch_id=None,
        idempotency=None,
    )
    jobs.cancel(db, caller.tenant_id, job_id)
    batch.cancel(db, caller.tenant_id, started.batch_id)
    (of_the_batch,) = [domain.job_id for domain in batch.snapshot(db, caller.tenant_id, started.batch_id)[1]]
    real = db.run

    def claimed_in_between(work: Callable[..., object], *, tenant_id: UUID | None = None) -> object:
        real(work, tenant_id=tenant_id)
        with monkeypatch.context() as patch:
            patch.setattr(db, "run", real)
            claims = leases.claim(db, [job_id, of_the_batch], token=uuid4(), lease=LEASE)
        assert ClaimOutcome.CLAIMED in {claim.outcome for claim in claims}
        return real(work, tenant_id=tenant_id)

    acts: tuple[Callable[[], bool], ...] = (
        lambda: jobs.retry(db, queue.sender, caller, job_id, None).job_id == job_id,
        lambda: (
            batch.retry(db, queue.sender, caller, started.batch_id, error_codes=None, idempotency=None).batch_id
            == started.batch_id
        ),
    )
    for again in acts:
        with monkeypatch.context() as patch:
            patch.setattr(db, "run", claimed_in_between)
            assert again()
    assert [jobs.get(db, caller.tenant_id, each).metadata["retries"] for each in (job_id, of_the_batch)] == [1, 1]


def test_a_job_that_is_cancelled_before_its_turn_leaves_its_host_to_others(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    first, second = make_job("first.example"), make_job("second.example")
    begun: list[UUID] = []

    def scan(job: leases.Claim, control: work.Control) -> tuple[SiteScan, None]:
        begun.append(job.id)
        with Database(postgres.app_dsn) as other:
            jobs.cancel(other, caller.tenant_id, second if job.id == first else first)
            deadline = time.monotonic() + 3 * work.RENEW_SECONDS
            while len(held(postgres)) > 1 and time.monotonic() < deadline:
                time.sleep(0.1)
        assert held(postgres) == [job.domain]
        return SiteScan((), error=ScanError(ErrorCode.TIMEOUT, "no answer in time")), None

    tally = work.work_off(
        db, [first, second], scan, lease=LEASE, concurrency=1, deadline=time.monotonic() + 60, patient=False
    )
    assert [job.id for job, _ in tally.stored] == begun
    assert {*begun, *tally.fenced} == {first, second}
    assert held(postgres) == []


def held(postgres: TestDatabase) -> list[object]:
    """The hosts that nobody else may fetch now."""
    return [host for (host,) in postgres.rows("select host from scrapersky.host_leases where until > now()")]


def test_a_message_on_its_way_does_not_stand_for_the_one_of_a_retry(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    """The sweeper is sending when the job is cancelled and retried, and the retry's own sending fails."""
    job_id = make_job(sender=queue.broken_sender)
    started = batch.start(
        db,
        queue.broken_sender,
        caller,
        kind=JobKind.DOMAIN_SCAN,
        domains=["a.example"],
        max_pages=1,
        max_concurrent=1,
        batch_id=None,
        idempotency=None,
    )
    postgres.rows("update scrapersky.outbox set held_until = now()")
    sending = outbox.take(db)
    assert len(sending) == 2
    jobs.cancel(db, caller.tenant_id, job_id)
    batch.cancel(db, caller.tenant_id, started.batch_id)
    jobs.retry(db, queue.broken_sender, caller, job_id, None)
    batch.retry(db, queue.broken_sender, caller, started.batch_id, error_codes=None, idempotency=None)
    outbox.mark_sent(db, [message.id for message in sending])
    assert postgres.rows(
        "select job_id, batch_id, body -> 'round' from scrapersky.outbox where sent_at is null order by id"
    ) == [
        (job_id, None, None),
        (None, started.batch_id, 2),
    ]
