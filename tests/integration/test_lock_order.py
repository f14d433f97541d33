"""Everybody locks jobs by id, then hosts by name: nobody waits for one who waits for them.

Each statement meets a row that another transaction holds, and waits. What it has locked by then is seen from outside.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_turns import define
from integration.test_work import found, run
from scrapersky.db import batch_retry, batches, leases, rounds, sweep
from scrapersky.db.connection import LOCK_SECONDS, Cursor, Database
from scrapersky.db.leases import Claim, ClaimOutcome
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.queues import Message
from scrapersky.services import jobs
from support.log_lines import recorded

LEASE: Final = timedelta(seconds=60)
TENANT, TOKEN, BATCH = uuid4(), uuid4(), uuid4()
FIRST, SECOND, THIRD = JOBS = [UUID(int=number) for number in (1, 2, 3)]
HOSTS: Final = {FIRST: "c.example", SECOND: "b.example", THIRD: "a.example"}  # the other way round

Statement = Callable[[Database], Any]
Locked = tuple[list[UUID], list[str]]


def make(postgres: TestDatabase, *, running: bool = False, batch: bool = False, failed: bool = False) -> None:
    """The jobs, pending, TOKEN's or failed, as they may stand in their table: the last first. So do their hosts."""
    postgres.rows(
        "insert into scrapersky.batches (id, tenant_id, kind, request, fingerprint, run, correlation_id, created_by,"
        " begun_at, restarts) values (%s, %s, 'domain_scan', '{}', sha256('x'), %s, '', 'user-1',"
        " now() - interval '1 hour', %s)",
        *(BATCH, TENANT, uuid4(), sweep.MAX_BATCH_RESTARTS),
    )
    for job_id in reversed(JOBS):
        postgres.rows(
            "insert into scrapersky.jobs (id, tenant_id, kind, batch_id, domain, request, correlation_id, created_by,"
            " status, lease_token, lease_until, updated_at)"
            " values (%s, %s, 'domain_scan', %s, %s, '{}', '', 'user-1', %s, %s, %s, now() - interval '1 hour')",
            *(job_id, TENANT, BATCH if batch else None, HOSTS[job_id]),
            *(("running", TOKEN, "infinity") if running else ("pending", None, None)),
        )
    if failed:
        postgres.rows(
            "update scrapersky.jobs set status = 'failed', error_code = 'timeout', error_message = 'too slow',"
            " finished_at = now()"
        )
    for job_id in JOBS if running else ():
        postgres.rows(
            "insert into scrapersky.host_leases values (%s, %s, %s, 'infinity')", HOSTS[job_id], job_id, TOKEN
        )


def locked(postgres: TestDatabase) -> Locked:
    """The jobs and the hosts that somebody holds."""
    with psycopg.connect(postgres.direct_dsn) as connection:
        free_jobs = connection.execute("select id from scrapersky.jobs for no key update skip locked").fetchall()
        free_hosts = connection.execute("select host from scrapersky.host_leases for no key update skip locked")
        hosts = {host for (host,) in postgres.rows("select host from scrapersky.host_leases")}
        return (
            sorted(set(JOBS) - {job_id for (job_id,) in free_jobs}),
            sorted(str(host) for host in hosts - {host for (host,) in free_hosts}),
        )


def waits(postgres: TestDatabase, pid: int) -> bool:
    """Whether somebody waits for what this connection holds."""
    return bool(postgres.rows("select pid from pg_stat_activity where %s = any (pg_blocking_pids(pid))", pid))


def locked_while_waiting(postgres: TestDatabase, statement: Statement, row: UUID | str) -> Locked:
    """What is locked while a statement waits for a job or a host that is held; it is carried out to its end then."""
    table, key = ("jobs", "id") if isinstance(row, UUID) else ("host_leases", "host")
    with (
        ThreadPoolExecutor(1) as pool,
        Database(postgres.direct_app_dsn) as other,
        psycopg.connect(postgres.direct_dsn) as holder,
    ):
        holder.execute(f"select from scrapersky.{table} where {key} = %s for no key update".encode(), (row,))
        carried_out = pool.submit(statement, other)
        while not waits(postgres, holder.info.backend_pid):
            assert not carried_out.done(), f"it does not wait: {carried_out.result()}"
            time.sleep(0.005)
        seen = locked(postgres)
        holder.rollback()
        carried_out.result(10)
    return seen


def claim(db: Database) -> list[Claim]:
    return leases.claim(db, JOBS[::-1], token=TOKEN, lease=LEASE)


def renew(db: Database) -> set[UUID]:
    return leases.renew(db, dict.fromkeys(JOBS[::-1], 1.0), token=TOKEN, lease=LEASE)


def release(db: Database) -> None:
    leases.release(db, JOBS[::-1], token=TOKEN)


def free(db: Database) -> None:
    db.query("select scrapersky.free_hosts(%(ids)s, %(token)s, '0')", {"ids": JOBS[::-1], "token": TOKEN})


def store(db: Database) -> bool:
    """Of the second job alone."""
    job = Claim(ClaimOutcome.CLAIMED, SECOND, TENANT, HOSTS[SECOND], {}, 1, "", None)
    scan, result = found()
    return leases.store(db, job, token=TOKEN, scan=scan, result=result)


def cancel(db: Database) -> tuple[int, str | None]:
    return batches.cancel(db, TENANT, BATCH)


def give_up(db: Database) -> Mapping[UUID, UUID | None]:
    return sweep.dead_letters(db, JOBS[::-1])


def end_batch(db: Database) -> int | None:
    reason = (ErrorCode.WORKER_LOST, "its batch was aborted")
    run = rounds.Run(TENANT, BATCH, {}, 1)
    return rounds.give_up(db, run, lost=reason, unfinished=reason, unbegun=reason)


def retry_batch(db: Database) -> Message | None:
    def work(cursor: Cursor) -> Message | None:
        return batch_retry.retry(cursor, TENANT, BATCH, codes=[ErrorCode.TIMEOUT], hold=LEASE)

    return db.run(work, tenant_id=TENANT)


def sweep_batches(db: Database) -> sweep.SweptBatches:
    return sweep.batches(db)


# --- jobs by id, and no host yet ---
@pytest.mark.parametrize(
    ("statement", "made"),
    [
        (claim, {}),
        (renew, {"running": True}),
        (release, {"running": True}),
        (cancel, {"batch": True}),
        (give_up, {}),
        (sweep_batches, {"batch": True}),
        (end_batch, {"batch": True}),
        (retry_batch, {"batch": True, "failed": True}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_jobs_are_locked_by_id_and_before_any_host(
    postgres: TestDatabase, statement: Statement, made: dict[str, bool]
) -> None:
    make(postgres, **made)
    assert locked_while_waiting(postgres, statement, SECOND) == ([FIRST, SECOND], [])


def test_the_host_of_a_scan_that_is_stored_is_freed_after_its_job_is_locked(postgres: TestDatabase) -> None:
    make(postgres, running=True)
    assert locked_while_waiting(postgres, store, SECOND) == ([SECOND], [])
    make_again(postgres)
    assert locked_while_waiting(postgres, store, HOSTS[SECOND]) == ([SECOND], [HOSTS[SECOND]])


def make_again(postgres: TestDatabase) -> None:
    postgres.rows("truncate scrapersky.jobs, scrapersky.batches, scrapersky.host_leases cascade")
    make(postgres, running=True)


# --- then hosts by name ---
@pytest.mark.parametrize(
    ("statement", "jobs_locked"),
    [(renew, JOBS), (release, JOBS), (free, []), (claim, JOBS)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_hosts_are_locked_by_name(postgres: TestDatabase, statement: Statement, jobs_locked: list[UUID]) -> None:
    make(postgres, running=True)
    hosts = ["a.example", "b.example"]
    assert locked_while_waiting(postgres, statement, "b.example") == (jobs_locked, hosts)


# --- controls ---
@pytest.mark.parametrize(
    ("migration", "door", "statement", "made"),
    [
        (7, "claim_jobs", claim, {}),
        (7, "renew_leases", renew, {"running": True}),
        (4, "release_jobs", release, {"running": True}),
        (8, "fail_dead_letters", give_up, {}),
        (8, "sweep_batches", sweep_batches, {"batch": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_control_as_they_were_they_locked_in_another_order(
    postgres: TestDatabase, migration: int, door: str, statement: Statement, made: dict[str, bool]
) -> None:
    define(postgres, migration, door)
    make(postgres, **made)
    assert locked_while_waiting(postgres, statement, SECOND) != ([FIRST, SECOND], [])


@pytest.mark.parametrize(
    ("door", "statement"), [("renew_leases", renew), ("release_jobs", release), ("free_hosts", free)]
)
def test_control_in_another_order_hosts_are_seen_to_be(postgres: TestDatabase, door: str, statement: Statement) -> None:
    define(postgres, 11, door, lambda text: text.replace("order by h.host", "order by h.job_id"))
    make(postgres, running=True)
    assert locked_while_waiting(postgres, statement, "b.example")[1] == ["b.example", "c.example"]


# --- a claim that meets a cancel ---
def claimed_during_a_cancel(
    postgres: TestDatabase, queue: ScanQueue, caller: Caller, job_id: UUID
) -> list[tuple[object, ...]]:
    """A worker gets the message of a job that is being cancelled; the hosts that are leased to somebody then."""
    with psycopg.connect(postgres.direct_dsn) as canceller, Database(postgres.app_dsn) as own:
        canceller.execute(
            "update scrapersky.jobs set status = 'cancelled', error_code = 'cancelled', error_message = 'x',"
            " finished_at = now(), updated_at = now() where id = %s",
            (job_id,),
        )
        worker = threading.Thread(target=run, args=(own, job_id), kwargs={"sender": queue.sender})
        worker.start()
        while not waits(postgres, canceller.info.backend_pid):
            assert worker.is_alive(), "the claim does not wait for the cancel"
            time.sleep(0.005)
        canceller.commit()
        worker.join()
    return postgres.rows("select host from scrapersky.host_leases where until > now()")


def test_a_claim_that_meets_a_cancel_leases_no_host_and_puts_nothing_off(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    make_job: Callable[..., UUID],
    capsys: pytest.CaptureFixture[str],
) -> None:
    job_id = make_job("one.example")
    with recorded(capsys) as written:
        assert claimed_during_a_cancel(postgres, queue, caller, job_id) == []
    assert [line["message"] for line in written.events()] == []
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.CANCELLED
    second = make_job("one.example")
    assert [job.id for job, _ in run(db, second).stored] == [second]


def test_control_hosts_before_jobs_the_host_is_leased_to_nobody(
    postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    define(postgres, 7, "claim_jobs")
    assert claimed_during_a_cancel(postgres, queue, caller, make_job("one.example")) == [("one.example",)]


# --- a claim that meets somebody who does not go on ---
def claimed_beside_a_held_job(postgres: TestDatabase, db: Database) -> tuple[dict[UUID, str], bool]:
    """What becomes of the jobs when one is held for two seconds, and whether the claim waited for it."""
    make(postgres)
    with psycopg.connect(postgres.direct_dsn) as holder:
        holder.execute("select from scrapersky.jobs where id = %s for no key update", (SECOND,))
        until = threading.Timer(2, holder.rollback)
        until.start()
        claims = claim(db)
        waited = not until.is_alive()
        until.cancel()
    return {job.id: job.outcome.value for job in claims}, waited


def test_a_claim_does_not_wait_long_for_a_job_that_another_holds(postgres: TestDatabase, db: Database) -> None:
    outcomes = {FIRST: "claimed", SECOND: "busy", THIRD: "claimed"}
    assert claimed_beside_a_held_job(postgres, db) == (outcomes, False)
    assert postgres.rows("select host from scrapersky.host_leases order by host") == [("a.example",), ("c.example",)]
    assert {job.outcome for job in claim(db)} == {ClaimOutcome.CLAIMED}
    assert postgres.rows("select distinct attempt from scrapersky.jobs") == [(1,)]


def test_its_patience_is_its_own(postgres: TestDatabase, db: Database) -> None:
    make(postgres)

    def claim_and_look(cursor: Cursor) -> Cursor:
        cursor.execute("select scrapersky.claim_jobs(%s, %s, '1 minute', 3)", (JOBS, TOKEN))
        return cursor.execute("select current_setting('lock_timeout') as patience")

    assert db.run(claim_and_look).fetchall() == [{"patience": f"{LOCK_SECONDS:.0f}s"}]


def test_control_with_the_patience_of_others_it_does(postgres: TestDatabase, db: Database) -> None:
    define(postgres, 11, "claim_jobs", lambda text: text.replace("'1s'", "patience"))
    assert claimed_beside_a_held_job(postgres, db) == (dict.fromkeys(JOBS, "claimed"), True)
