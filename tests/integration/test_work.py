"""Claim, scan, store: what a worker may write, and what becomes of jobs whose worker is late, lost or cancelled."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim, ClaimOutcome
from scrapersky.domain.facts import FACT_KINDS, Evidence, PageRecord, ScanError, SiteData, SiteScan, Technology
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.queues import Sender
from scrapersky.services import jobs, work
from scrapersky.services.work import Control, Tally

LEASE = timedelta(seconds=60)
PAGE = "https://site.example/"


def found(email: str = "info@site.example", title: str = "Site") -> tuple[SiteScan, Mapping[str, Any]]:
    data = SiteData(title=title, emails=[email], evidence={email: Evidence(PAGE, "mailto")})
    page = PageRecord(PAGE, 200, title, datetime.now(UTC), bytes=100, ms=5)
    return SiteScan(pages=(page,), site_data=data, metadata={"scheme": "https"}), {"site_data": data.to_json()}


def scan_at_once(_job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
    return found()


def run(
    db: Database,
    *job_ids: UUID,
    scan: work.Scan = scan_at_once,
    sender: Sender | None = None,
    seconds: float = 60,
    concurrency: int = 4,
    patient: bool = False,
) -> Tally:
    return work.work_off(
        db,
        job_ids,
        scan,
        sender,
        lease=LEASE,
        concurrency=concurrency,
        deadline=time.monotonic() + seconds,
        patient=patient,
    )


def claim(db: Database, job_id: UUID, token: UUID, lease: timedelta = LEASE) -> Claim:
    (claimed,) = leases.claim(db, [job_id], token=token, lease=lease)
    return claimed


def test_a_scan_leaves_result_domain_page_and_facts_together(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job("www.site.example")
    run(db, job_id)

    job = jobs.get(db, caller.tenant_id, job_id)
    assert (job.status, job.progress, job.attempt, job.error) == (JobStatus.COMPLETE, 100.0, 1, None)
    assert job.result is not None
    assert job.result["site_data"]["title"] == "Site"
    assert job.metadata["scheme"] == "https"
    assert postgres.one("select domain, job_id, site_data ->> 'title' from scrapersky.domains") == (
        "site.example",
        job_id,
        "Site",
    )
    assert postgres.one("select url, status_code from scrapersky.pages") == (PAGE, 200)
    assert postgres.one("select kind, value, page_url, method from scrapersky.facts") == (
        "email",
        "info@site.example",
        PAGE,
        "mailto",
    )


def test_every_kind_of_fact_gets_a_row_with_its_source(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    seen = Evidence(f"{PAGE}contact", "link")
    profile = "https://github.com/site"
    data = SiteData(
        emails=["info@site.example"],
        phones=["+12065550142"],
        evidence=dict.fromkeys(("info@site.example", "+12065550142", profile), seen),
        organization={"name": "Site Ltd"},
        sources={"organization": seen},
        addresses=[{"text": "1 Pier, Hull", "page_url": seen.page_url, "method": "microdata"}],
        tech_stack=[Technology("nginx", "web server", None, "header server: nginx", PAGE)],
    )
    data.social_links["github"] = profile
    page = PageRecord(PAGE, 200, "Site", datetime.now(UTC), bytes=100, ms=5)
    run(db, make_job(), scan=lambda _job, _control: (SiteScan((page,), site_data=data), {"site_data": data.to_json()}))
    rows = postgres.rows("select kind, value, page_url, method from scrapersky.facts order by position")
    assert rows == [
        ("email", "info@site.example", seen.page_url, "link"),
        ("phone", "+12065550142", seen.page_url, "link"),
        ("social", profile, seen.page_url, "link"),
        ("organization", "Site Ltd", seen.page_url, "link"),
        ("address", "1 Pier, Hull", seen.page_url, "microdata"),
        ("technology", "nginx", PAGE, "header server"),
    ]
    assert {kind for kind, *_ in rows} == set(FACT_KINDS)


def test_a_failed_scan_says_why_and_leaves_the_known_facts_alone(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    run(db, make_job())
    second = make_job()
    run(db, second, scan=lambda *_: (SiteScan((), error=ScanError(ErrorCode.TIMEOUT, "no answer in time")), None))

    job = jobs.get(db, caller.tenant_id, second)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.message, job.error.retryable) == (ErrorCode.TIMEOUT, "no answer in time", True)
    assert job.result is None
    assert postgres.one("select site_data ->> 'title' from scrapersky.domains") == ("Site",)


def test_a_second_delivery_changes_nothing(db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]) -> None:
    job_id = make_job()
    run(db, job_id)
    before = postgres.rows("select * from scrapersky.jobs")
    tally = run(db, job_id, scan=lambda *_: pytest.fail("scanned twice"))
    assert (tally.ignored, tally.stored, tally.later) == ([job_id], [], [])
    assert postgres.rows("select * from scrapersky.jobs") == before


def test_the_same_job_twice_in_one_batch_is_scanned_once(db: Database, make_job: Callable[..., UUID]) -> None:
    job_id = make_job()
    tally = run(db, job_id, job_id)
    assert [job.id for job, _ in tally.stored] == [job_id]


def test_a_job_in_another_workers_hands_is_seen_again_later(db: Database, make_job: Callable[..., UUID]) -> None:
    job_id = make_job()
    claim(db, job_id, uuid4())
    tally = run(db, job_id)
    assert tally.later == [job_id]


def test_a_message_of_no_job_is_let_go(db: Database) -> None:
    stranger = uuid4()
    assert run(db, stranger).ignored == [stranger]


def test_a_claim_whose_answer_was_lost_is_ours_when_asked_again(db: Database, make_job: Callable[..., UUID]) -> None:
    job_id, token = make_job(), uuid4()
    first, again = claim(db, job_id, token), claim(db, job_id, token)
    assert (first.outcome, again.outcome) == (ClaimOutcome.CLAIMED, ClaimOutcome.CLAIMED)
    assert (first.attempt, again.attempt) == (1, 1)


def test_a_worker_whose_lease_was_taken_over_writes_nothing(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id, stale, fresh = make_job(), uuid4(), uuid4()
    late = claim(db, job_id, stale, timedelta(seconds=-1))
    taken = claim(db, job_id, fresh)
    assert (taken.outcome, taken.attempt) == (ClaimOutcome.CLAIMED, 2)

    late_scan, late_result = found("late@site.example", "Late")
    assert not leases.store(db, late, token=stale, scan=late_scan, result=late_result)
    assert postgres.rows("select * from scrapersky.pages") == []
    assert postgres.rows("select * from scrapersky.facts") == []
    assert postgres.one("select site_data from scrapersky.domains") == (None,)

    scan, result = found()
    assert leases.store(db, taken, token=fresh, scan=scan, result=result)
    assert not leases.store(db, late, token=stale, scan=late_scan, result=late_result)
    assert postgres.one("select site_data ->> 'title' from scrapersky.domains") == ("Site",)


def test_a_result_whose_commit_was_not_heard_of_is_stored_once(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id, token = make_job(), uuid4()
    job = claim(db, job_id, token)
    scan, result = found()
    assert leases.store(db, job, token=token, scan=scan, result=result)
    assert leases.store(db, job, token=token, scan=scan, result=result)
    assert postgres.one("select count(*) from scrapersky.pages") == (1,)


def test_a_cancel_during_a_scan_stops_it_and_keeps_its_result_out(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    begun, stopped_after = threading.Event(), []

    def scan(_job: Claim, control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        begun.set()
        started = time.monotonic()
        assert control.stopped.wait(20)
        stopped_after.append(time.monotonic() - started)
        return found()

    def cancel() -> None:
        assert begun.wait(20)
        with Database(postgres.app_dsn) as other:
            jobs.cancel(other, caller.tenant_id, job_id)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    tally = run(db, job_id, scan=scan)
    canceller.join()

    assert tally.fenced == [job_id]
    assert stopped_after[0] < 2 * work.RENEW_SECONDS + 1
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.CANCELLED
    assert job.error is not None
    assert job.error.code is ErrorCode.CANCELLED
    assert postgres.rows("select * from scrapersky.pages") == []


def test_a_renewed_lease_is_no_news_to_those_who_wait(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id, token = make_job(), uuid4()
    claim(db, job_id, token)
    before = postgres.one("select updated_at, lease_until from scrapersky.jobs")
    assert leases.renew(db, {job_id: 0.0}, token=token, lease=LEASE) == {job_id}
    after = postgres.one("select updated_at, lease_until from scrapersky.jobs")
    assert before[0] == after[0]
    assert str(before[1]) < str(after[1])
    leases.renew(db, {job_id: 10.0}, token=token, lease=LEASE)
    assert postgres.one("select updated_at from scrapersky.jobs") != before[:1]


def test_progress_is_seen_while_a_scan_runs(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    seen: list[float] = []

    def scan(_job: Claim, control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        control.report(40.0)
        deadline = time.monotonic() + 20
        with Database(postgres.app_dsn) as reader:
            while time.monotonic() < deadline and 40.0 not in seen:
                seen.append(jobs.get(reader, caller.tenant_id, job_id).progress)
                time.sleep(0.1)
        return found()

    run(db, job_id, scan=scan)
    assert seen[-1] == 40.0


def test_a_scan_that_breaks_fails_its_own_job_only(db: Database, caller: Caller, make_job: Callable[..., UUID]) -> None:
    good, bad = make_job("good.example"), make_job("bad.example")

    def scan(job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        if job.domain == "bad.example":
            raise RuntimeError("secret detail")
        return found()

    run(db, good, bad, scan=scan)
    assert jobs.get(db, caller.tenant_id, good).status is JobStatus.COMPLETE
    failed = jobs.get(db, caller.tenant_id, bad)
    assert failed.error is not None
    assert failed.error.code is ErrorCode.INTERNAL
    assert "secret" not in failed.error.message


def test_what_the_database_refuses_fails_the_job_and_not_its_neighbours(
    db: Database, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    good, bad = make_job("good.example"), make_job("bad.example")

    def scan(job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        if job.domain == "good.example":
            return found()
        page = PageRecord(PAGE, 200, None, datetime.now(UTC), bytes=-1, ms=0)  # a CHECK forbids it
        return SiteScan(pages=(page,), site_data=SiteData()), {}

    run(db, bad, good, scan=scan, concurrency=1)
    assert jobs.get(db, caller.tenant_id, good).status is JobStatus.COMPLETE
    failed = jobs.get(db, caller.tenant_id, bad)
    assert failed.error is not None
    assert failed.error.code is ErrorCode.INTERNAL


def test_text_that_postgres_cannot_hold_does_not_cost_the_result(
    db: Database, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    run(db, job_id, scan=lambda *_: found(title="nul \x00 and half \ud83d an emoji"))
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.result is not None
    assert job.result["site_data"]["title"] == "nul  and half ? an emoji"


def test_jobs_that_no_time_is_left_for_go_back_with_a_message_and_no_attempt_lost(
    db: Database, postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_ids = [make_job(f"s{n}.example") for n in range(3)]
    tally = run(db, *job_ids, seconds=work.STORE_SECONDS + work.MIN_JOB_SECONDS - 1)
    assert sorted(tally.released) == sorted(job_ids)
    assert postgres.rows("select distinct status, attempt, lease_token, lease_until from scrapersky.jobs") == [
        ("pending", 0, None, None)
    ]
    assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null") == (3,)


def test_a_window_runs_no_more_scans_at_once_than_told_and_all_in_the_end(
    db: Database, make_job: Callable[..., UUID]
) -> None:
    job_ids = [make_job(f"s{n}.example") for n in range(8)]
    lock, at_once, most = threading.Lock(), [0], [0]

    def scan(_job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1
        return found()

    tally = run(db, *job_ids, scan=scan, concurrency=3)
    assert {job.id for job, _ in tally.stored} == set(job_ids)
    assert most[0] == 3
