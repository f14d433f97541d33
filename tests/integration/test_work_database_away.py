"""A database that goes away while a worker is at its jobs costs neither the scans that run nor the messages."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from conftest import APP_ROLE, Cluster, TestDatabase
from integration.conftest import ScanQueue
from integration.test_work import found, run
from scrapersky.db import connection as factory
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.domain.facts import PageRecord, SiteScan
from scrapersky.errors import Unavailable
from scrapersky.services import work
from scrapersky.services.work import Control
from scrapersky_local.postgres import PgBouncer
from support.log_lines import recorded

REFUSED = PageRecord("https://site.example/", 200, "Site", datetime.now(UTC), bytes=-1, ms=5)
Scanned = tuple[SiteScan, Mapping[str, Any] | None]


@pytest.fixture
def pooler(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[PgBouncer]:
    """A pooler of its own, to be stopped: a renewal is due each fifth of a second, and given up after as long."""
    monkeypatch.setattr(work, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(factory, "RETRY_SECONDS", 0.2)
    with PgBouncer(cluster.postgres, users={APP_ROLE: cluster.password}, auth_type="md5") as pooler:
        yield pooler


@pytest.fixture
def through(pooler: PgBouncer, postgres: TestDatabase) -> Iterator[Database]:
    with Database(pooler.dsn(APP_ROLE, postgres.name)) as db:
        yield db


def refused(_job: Claim, _control: Control) -> Scanned:
    """What a check of the schema keeps out."""
    return SiteScan((REFUSED,)), {}


def outcomes(lines: list[dict[str, Any]], message: str) -> int:
    return sum(line["message"] == message for line in lines)


def test_scans_outlive_a_database_that_is_away_for_some_renewals(
    pooler: PgBouncer,
    through: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    make_job: Callable[..., UUID],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, behind = make_job("a.example"), make_job("b.example"), make_job("a.example")

    def scan(job: Claim, _control: Control) -> Scanned:
        if job.id == first:
            pooler.stop()
            time.sleep(1.5)  # as many renewals as fit
            pooler.start()
        elif job.id == second:
            time.sleep(3)
        return found()

    with recorded(capsys) as written:
        tally = run(through, first, second, behind, scan=scan, sender=queue.sender)
    # That whose host was busy is asked for again, too, when the database is back.
    assert {job.id for job, _ in tally.stored} == {first, second, behind}
    assert (tally.later, tally.fenced) == ([], [])
    assert postgres.rows("select distinct status, attempt from scrapersky.jobs") == [("complete", 1)]
    assert queue.drain_events()
    assert outcomes(written.events(), "leases not renewed") >= 2
    assert outcomes(written.events(), "jobs not asked for again") >= 2


def test_what_the_database_refuses_before_it_goes_away_is_seen_again(
    pooler: PgBouncer,
    through: Database,
    make_job: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_id = make_job()
    real = work._broken

    def broken(message: str) -> SiteScan:
        pooler.stop()
        return real(message)

    monkeypatch.setattr(work, "_broken", broken)
    tally = run(through, job_id, scan=refused)
    assert (tally.later, tally.stored, tally.fenced) == ([job_id], [], [])


def test_control_what_it_refuses_and_stays_for_is_a_fault_of_ours(
    through: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    assert [job.id for job, _ in run(through, job_id, scan=refused).stored] == [job_id]
    assert postgres.rows("select status, error_code from scrapersky.jobs") == [("failed", "internal")]


def test_what_cannot_be_given_back_is_seen_again(
    pooler: PgBouncer, through: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    """One that could not be stored, one that there is no time left for, and one whose host is busy."""
    first, second = make_job("a.example"), make_job("b.example")
    busy = make_job("a.example")
    begun: list[UUID] = []

    def scan(job: Claim, _control: Control) -> Scanned:
        begun.append(job.id)
        pooler.stop()
        time.sleep(1)
        return found()

    seconds = work.STORE_SECONDS + work.MIN_JOB_SECONDS + 0.9
    tally = run(through, first, second, busy, scan=scan, seconds=seconds, concurrency=1)
    assert len(begun) == 1
    assert sorted(tally.later) == sorted([first, second, busy])
    assert (tally.stored, tally.released, tally.postponed) == ([], [], [])
    assert postgres.rows("select count(*) from scrapersky.jobs where status = 'running'") == [(2,)]


def test_control_what_can_be_given_back_is(
    db: Database, queue: ScanQueue, make_job: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "RENEW_SECONDS", 0.2)
    first, second = make_job("a.example"), make_job("b.example")
    busy = make_job("a.example")

    def scan(_job: Claim, _control: Control) -> Scanned:
        time.sleep(1)
        return found()

    seconds = work.STORE_SECONDS + work.MIN_JOB_SECONDS + 0.9
    tally = run(db, first, second, busy, scan=scan, seconds=seconds, concurrency=1, sender=queue.sender)
    assert (len(tally.stored), len(tally.released), tally.later) == (1, 1, [])
    assert tally.postponed == [busy]


def test_a_claim_that_cannot_be_made_is_told(
    pooler: PgBouncer, through: Database, make_job: Callable[..., UUID]
) -> None:
    """What the worker's own caller goes by: nothing was begun, and all of its messages come again."""
    job_id = make_job()
    pooler.stop()
    with pytest.raises(Unavailable):
        run(through, job_id)
