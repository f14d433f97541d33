"""Metrics beside the rows that they tell of: what was made, fetched, sent, lost, and how the whole stands."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import start as start_batch
from integration.test_work import found, run
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.facts import PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.status import ErrorCode, JobKind
from scrapersky.errors import Conflict, IdempotencyKeyReused
from scrapersky.services import batch, domain_scan, jobs, sweep
from support import emf
from support.log_lines import recorded
from support.places import asked, searching
from support.sitemap_scans import Scan
from support.sitemap_site import site_of

Told = Callable[..., emf.Values]
NOW = datetime.now(UTC)


def created(told: Told, kind: str = "domain_scan") -> float:
    return sum(told(kind=kind).get("JobsCreated", []))


def page(reason: str | None = None, size: int = 100) -> PageRecord:
    return PageRecord("https://site.example/", 200, "Site", NOW, bytes=size, ms=5, skipped_reason=reason)


# --- created ---


def test_a_job_is_counted_when_it_is_made_and_not_when_it_is_told_again(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, told: Told
) -> None:
    key = Idempotency("key-1", b"1" * 32)

    def start(idempotency: Idempotency | None) -> UUID:
        return domain_scan.start(
            db, queue.sender, caller, base_url="a.example", max_pages=1, idempotency=idempotency
        ).job_id

    assert start(key) == start(key) == start(key)
    with pytest.raises(IdempotencyKeyReused):
        start(Idempotency("key-1", b"2" * 32))
    start(None)
    assert created(told) == 2
    assert postgres.one("select count(*) from scrapersky.jobs") == (2,)
    assert sum(told()["OutboxSent"]) == 2
    assert len(told()["OutboxLagSeconds"]) == 2
    assert all(0 <= seconds < 15 for seconds in told()["OutboxLagSeconds"])


def test_a_batch_counts_its_jobs_once_whoever_asks_again(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, told: Told
) -> None:
    batch_id, key = uuid4(), Idempotency("key-1", b"1" * 32)
    domains = ["a.example", "A.example", "b.example", "no domain"]
    for _ in range(3):
        start_batch(db, queue, caller, domains, batch_id=batch_id)
        start_batch(db, queue, caller, domains, idempotency=key)
    with pytest.raises(Conflict):
        start_batch(db, queue, caller, ["c.example"], batch_id=batch_id)
    start_batch(db, queue, caller, ["a.example"], kind=JobKind.SITEMAP_SCAN)
    rows: dict[Any, Any] = dict(postgres.rows("select kind, count(*) from scrapersky.jobs group by 1"))  # type: ignore[arg-type]
    assert rows == {"domain_scan": 6, "sitemap_scan": 1}
    assert {kind: created(told, str(kind)) for kind in rows} == rows


@pytest.mark.parametrize("work", ["job", "batch"])
def test_what_was_made_by_a_commit_whose_answer_was_lost_is_counted_once(
    queue: ScanQueue, caller: Caller, postgres: TestDatabase, told: Told, work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    whole = Database._transaction

    def lossy(self: Database, *arguments: Any) -> Any:
        outcome = whole(self, *arguments)
        runs.append(outcome)
        if len(runs) == 1:
            raise psycopg.OperationalError("the answer to the commit was lost")
        return outcome

    monkeypatch.setattr(Database, "_transaction", lossy)
    with Database(postgres.app_dsn) as db:
        if work == "job":
            key = Idempotency("key-1", b"1" * 32)
            domain_scan.start(db, queue.sender, caller, base_url="a.example", max_pages=1, idempotency=key)
        else:
            start_batch(db, queue, caller, ["a.example", "b.example"], batch_id=uuid4())
    assert len(runs) >= 2
    assert postgres.one("select count(*) from scrapersky.jobs") == (created(told),)


def test_starting_anew_makes_nothing(
    db: Database, queue: ScanQueue, caller: Caller, told: Told, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    made = start_batch(db, queue, caller)
    before = created(told)
    jobs.cancel(db, caller.tenant_id, job_id)
    jobs.retry(db, queue.sender, caller, job_id, None)
    batch.cancel(db, caller.tenant_id, made.batch_id)
    batch.retry(db, queue.sender, caller, made.batch_id, error_codes=None, idempotency=None)
    assert created(told) == before == 4


# --- worked off ---


def test_what_scans_report_is_what_is_told(db: Database, make_job: Callable[..., UUID], told: Told) -> None:
    scans = {
        "found.example": found()[0],
        "empty.example": SiteScan((page(), page("duplicate", 50), page("timeout", 0)), site_data=SiteData(title="x")),
        "down.example": SiteScan((), error=ScanError(ErrorCode.CONNECT_FAILURE, "nobody there")),
    }
    run(db, *map(make_job, scans), scan=lambda job, _: (scans[job.domain], {}))
    outcomes = {"ok": 2, "duplicate": 1, "timeout": 1, "connect_failure": 1}
    assert {outcome: sum(told(outcome=outcome)["Fetches"]) for outcome in outcomes} == outcomes
    assert (sum(told()["PagesFetched"]), sum(told()["BytesFetched"])) == (2, 250)
    assert told(kind="domain_scan")["JobsWithoutResult"] == [1]
    assert "FencesHit" not in told()
    assert "ClaimsLost" not in told()


def test_a_scan_that_reports_nonsense_costs_no_job(
    db: Database, make_job: Callable[..., UUID], told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = SiteScan((page("no word of ours"),), site_data=SiteData(title="x"))
    with recorded(capsys) as written:
        assert len(run(db, make_job(), scan=lambda *_: (scan, {})).stored) == 1
        assert "not measured" in [event["message"] for event in written.events() if "message" in event]
    assert "Fetches" not in told(outcome="ok")


def test_a_claim_that_is_lost_and_the_fence_that_it_hits_are_told(
    db: Database, caller: Caller, make_job: Callable[..., UUID], postgres: TestDatabase, told: Told
) -> None:
    job_id = make_job()

    def cancelled_meanwhile(*_: object) -> Any:
        with Database(postgres.app_dsn) as other:
            jobs.cancel(other, caller.tenant_id, job_id)
        return found()

    assert run(db, job_id, scan=cancelled_meanwhile).fenced == [job_id]
    for values in (told(), told(service="test")):
        assert (values["FencesHit"], values["ClaimsLost"]) == ([1], [1])


def test_sitemaps_and_their_bytes_are_told(db: Database, queue: ScanQueue, caller: Caller, told: Told) -> None:
    scan = Scan(db, queue, caller)
    job = scan(site_of(0, 1))
    assert job.result is not None
    assert sum(told(outcome="ok")["Fetches"]) == sum(told()["PagesFetched"]) == 3  # the index and its two
    assert sum(told()["BytesFetched"]) > 300
    assert "JobsWithoutResult" not in told(kind="sitemap_scan")
    assert created(told, "sitemap_scan") == 1


def test_requests_to_google_are_told_by_how_they_went(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, told: Told
) -> None:
    with searching(postgres, db, queue.sender, caller) as google:
        google.search(asked("astronaut"))
        google.search(asked("dentist"))
        google.search(asked("dentist"))  # the same again asks nothing, and is not without a result
    assert sum(told(outcome="ok")["Fetches"]) == len(google.ledger()) == 4
    assert told(kind="places_search")["JobsWithoutResult"] == [1]
    assert created(told, "places_search") == 3


# --- gauges ---


def test_the_sweepers_gauges_are_what_the_rows_say(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, told: Told, make_job: Callable[..., UUID]
) -> None:
    for domain in ("a.example", "b.example"):
        make_job(domain, sender=queue.broken_sender)
    lost, postponed = make_job("c.example"), make_job("d.example")
    leases.claim(db, [lost], token=uuid4(), lease=timedelta(hours=1))
    leases.postpone(db, [postponed], pause=timedelta(hours=1))
    start_batch(db, queue, caller)
    over = start_batch(db, queue, caller, ["e.example", "f.example"])
    batch.cancel(db, caller.tenant_id, over.batch_id)
    postgres.rows("update scrapersky.jobs set enqueued_at = now() - interval '90 seconds' where domain = 'a.example'")
    # A batch's jobs wait their turn: none of them is who waits longest.
    postgres.rows(
        "update scrapersky.jobs set enqueued_at = now() - interval '1 hour'"
        " where batch_id is not null and status = 'pending'"
    )
    postgres.rows(
        "update scrapersky.outbox set held_until = now() + interval '1 hour', due_at = now() - interval '1 hour',"
        " created_at = now() - interval '2 hours' where sent_at is null and due_at <= now()"
    )
    postgres.rows(
        "update scrapersky.events set occurred_at = now() - interval '30 minutes' where id in"
        " (select id from scrapersky.events where dispatched_at is null limit 1)"
    )
    swept = sweep.run(db, queue.sender, deadline=0)
    values = told()
    assert values["Sweeps"] == [1]
    by_rows = postgres.one(
        """
        select (select count(*) from scrapersky.jobs where status = 'pending'),
               (select count(*) from scrapersky.jobs where status = 'running'),
               (select count(*) from scrapersky.outbox where sent_at is null and due_at <= now()),
               (select count(*) from scrapersky.events where dispatched_at is null),
               (select count(*) from scrapersky.webhook_deliveries where status = 'pending')
        """
    )
    names = ("PendingJobs", "RunningJobs", "OutboxOwed", "UndispatchedEvents", "PendingDeliveries")
    assert tuple(values[name][0] for name in names) == by_rows == (6, 1, 2, 2, 0)
    assert (values["OpenBatches"], values["ExpiredLeases"]) == ([1], [0])
    assert 90 <= values["OldestPendingSeconds"][0] < 120
    assert 3600 <= values["OldestOwedSeconds"][0] < 3700
    assert 1800 <= values["OldestUndispatchedSeconds"][0] < 1900
    assert values["OutboxOwed"][0] == swept.gauges.outbox_owed


def test_a_sweep_that_fails_is_no_heartbeat(postgres: TestDatabase, queue: ScanQueue, told: Told) -> None:
    postgres.rows("drop function scrapersky.all_gauges()")
    with Database(postgres.app_dsn) as db, pytest.raises(psycopg.Error):
        sweep.run(db, queue.sender, deadline=0)
    assert "Sweeps" not in told()


def test_a_sweep_tells_whom_it_helped(
    db: Database,
    queue: ScanQueue,
    caller: Caller,
    postgres: TestDatabase,
    make_job: Callable[..., UUID],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost, given_up = make_job("a.example"), make_job("b.example")
    made = start_batch(db, queue, caller, ["c.example"])
    (in_batch,) = postgres.one("select id from scrapersky.jobs where batch_id = %s", made.batch_id)
    assert isinstance(in_batch, UUID)
    leases.claim(db, [lost, given_up, in_batch], token=uuid4(), lease=timedelta())
    postgres.rows("update scrapersky.jobs set attempt = 3 where id = %s", given_up)
    with recorded(capsys) as written:
        swept = sweep.run(db, queue.sender, deadline=threading.TIMEOUT_MAX)
    events = [event for event in written.events() if event.get("correlation_id") == caller.correlation_id]
    told = {event["job_id"]: (event["status"], event.get("batch_id")) for event in events if "status" in event}
    assert told == {
        str(lost): ("pending", None),
        str(given_up): ("failed", None),
        str(in_batch): ("pending", str(made.batch_id)),
    }
    assert [event["job_id"] for event in events if event["message"] == "message owed"] == [str(lost)]
    assert (swept.reopened, swept.lost, swept.sent) == (2, 1, 1)


def test_a_message_that_waits_for_its_time_is_no_lag(
    db: Database, queue: ScanQueue, postgres: TestDatabase, make_job: Callable[..., UUID], told: Told
) -> None:
    job_id = make_job()
    leases.postpone(db, [job_id], pause=timedelta(minutes=10))
    # Ten minutes later, and the sweeper came two minutes late.
    postgres.rows(
        "update scrapersky.outbox set created_at = created_at - interval '12 minutes', due_at = due_at - interval '12"
        " minutes', held_until = held_until - interval '12 minutes' where sent_at is null"
    )
    before = len(told()["OutboxLagSeconds"])
    sweep.run(db, queue.sender, deadline=threading.TIMEOUT_MAX)
    (lag,) = told()["OutboxLagSeconds"][before:]
    assert 120 <= lag < 180
