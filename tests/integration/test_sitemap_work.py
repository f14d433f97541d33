"""The work list of a sitemap scan: any number of lanes go over it, and each file is read once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_work, sweep
from scrapersky.db.connection import Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.db.sitemap_lines import Address, Turn
from scrapersky.db.sitemap_work import MAX_FILE_ATTEMPTS, Figures
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from support.lost_answers import LosesAnswers
from support.sitemap_lines import (
    LEASE,
    add,
    address,
    claim,
    finish,
    job_of,
    lanes_owed,
    lead,
    let_leases_end,
    line_of,
    make_scan,
    pages,
    result_of,
    scan_of,
    store,
)

# --- claims ---


def test_a_message_of_another_kind_claims_nothing(db: Database, caller: Caller) -> None:
    job_id = make_scan(db, caller)
    assert leases.claim(db, [job_id], kind=JobKind.DOMAIN_SCAN, token=uuid4(), lease=LEASE) == []
    (claimed,) = leases.claim(db, [job_id], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=LEASE)
    assert (claimed.outcome, claimed.attempt) == (ClaimOutcome.CLAIMED, 1)
    assert claimed.request == {"base_url": "site.example", "max_pages": 10_000}


def test_a_job_is_seen_as_it_is(db: Database, caller: Caller) -> None:
    job_id = make_scan(db, caller, max_pages=77)
    waiting = sitemap_work.site(db, caller.tenant_id, job_id)
    assert waiting is not None
    assert (waiting.status, waiting.run_token, waiting.discovery) == (JobStatus.PENDING, None, None)
    site = lead(db, caller, job_id)
    add(db, site, address("a"))
    joined = sitemap_work.site(db, caller.tenant_id, job_id)
    assert joined is not None
    assert (joined.run_token, joined.max_pages, joined.batch_id) == (site.run_token, 77, None)
    assert joined.discovery == {"cms": None}
    assert sitemap_work.site(db, uuid4(), job_id) is None


def test_files_are_claimed_in_their_order_each_once(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", "a", "c")
    lines = [line_of(db, site, lanes=9) for _ in range(3)]
    assert [(line.url, line.position, line.depth, line.attempt) for line in lines] == [
        (address("a"), 1, 0, 1),
        (address("b"), 2, 0, 1),
        (address("c"), 3, 0, 1),
    ]
    assert claim(db, site, lanes=9) == Turn(held=True, line=None, open=3, room=10_000, ended=None)


def test_no_more_files_are_in_work_than_there_are_lanes(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller, *"abc")
    first = line_of(db, site, lanes=2)
    line_of(db, site, lanes=2)
    assert claim(db, site, lanes=2).line is None
    finish(db, first)
    assert line_of(db, site, lanes=2).url == address("c")
    # What a lost lane held is no work any more.
    let_leases_end(postgres)
    assert line_of(db, site, lanes=1).url == address("b")


def test_lanes_at_once_get_a_file_each(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller, *(f"f{n}" for n in range(12)))

    def take(_: int) -> list[str]:
        taken = []
        with Database(postgres.app_dsn) as own:
            while line := claim(own, site, lanes=4).line:
                taken.append(line.url)
                store(own, line, pages(line.position))
                finish(own, line)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [url for urls in pool.map(take, range(4)) for url in urls]
    assert sorted(taken) == sorted(address(f"f{n}") for n in range(12))
    assert result_of(db, site)["total_urls"] == 12


def test_a_claim_whose_answer_was_lost_is_the_same_claim(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b")
    with LosesAnswers(postgres.app_dsn) as forgetful:
        line = line_of(forgetful, site, lanes=2)
    assert (line.url, line.attempt) == (address("a"), 1)
    assert sitemap_work.figures(db, caller.tenant_id, site.job_id).open == 2
    assert line_of(db, site, lanes=2).url == address("b")


def test_a_file_that_took_three_workers_along_fails_and_its_job_goes_on(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller, "poison", "b")
    for attempt in range(1, MAX_FILE_ATTEMPTS + 1):
        assert (line_of(db, site).url, attempt) == (address("poison"), attempt)
        # The whole worker is lost, and the job found by the sweep and claimed anew each time.
        let_leases_end(postgres)
        postgres.rows("update scrapersky.jobs set lease_until = now()")
        postgres.rows("update scrapersky.host_leases set until = now()")
        assert sweep.leases(db)[:2] == (1, 0)
        site = lead(db, caller, site.job_id)
    line = line_of(db, site)
    assert line.url == address("b")
    assert finish(db, line).ended is JobStatus.COMPLETE
    poison, _ = result_of(db, site)["sitemaps"]
    assert poison["error"] == {"code": "worker_lost", "message": "its worker was lost 3 times", "retryable": True}


def test_a_job_whose_only_file_takes_workers_along_ends(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller)
    for _ in range(MAX_FILE_ATTEMPTS):
        line_of(db, site)
        let_leases_end(postgres)
    turn = claim(db, site)
    assert (turn.held, turn.line, turn.ended, turn.ended_here) == (True, None, JobStatus.FAILED, True)
    error = job_of(db, site).error
    assert error is not None
    assert (error.code, error.message) == (
        ErrorCode.WORKER_LOST,
        "its only sitemap could not be read: its worker was lost 3 times",
    )


def test_a_lane_that_lost_its_job_claims_nothing(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b")
    jobs.cancel(db, caller.tenant_id, site.job_id)
    assert claim(db, site) == Turn(held=False, line=None, open=0, room=10_000, ended=JobStatus.CANCELLED)


# --- keeping and giving back ---


def test_renewing_keeps_file_job_and_host(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller), lease=timedelta(seconds=5))
    add(db, site, address("a"))
    line = line_of(db, site, lease=timedelta(seconds=5))
    assert sitemap_work.renew(db, line, lease=LEASE)
    for table, column in (("sitemap_files", "lease_until"), ("jobs", "lease_until"), ("host_leases", "until")):
        assert postgres.one(f"select {column} - now() > interval '50 seconds' from scrapersky.{table}") == (True,)


def test_a_file_given_back_is_no_attempt_and_resumes_its_read(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller)
    line = line_of(db, site)
    store(db, line, pages(1))
    assert sitemap_work.give_back(db, line)
    job = job_of(db, site)
    assert (job.status, job.attempt) == (JobStatus.PENDING, 0)
    assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null and lane = 0") == (1,)
    again = line_of(db, lead(db, caller, site.job_id))
    assert (again.id, again.read_at, again.attempt, again.url_count) == (line.id, line.read_at, 1, 1)
    assert again.token != line.token


def test_a_lane_that_ends_while_another_works_leaves_it_the_job(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", "c")
    first, second = line_of(db, site, lanes=2), line_of(db, site, lanes=2)
    assert not sitemap_work.give_back(db, first)
    assert not sitemap_work.release(db, site)
    assert job_of(db, site).status is JobStatus.RUNNING
    assert line_of(db, site, lanes=2).id == first.id
    assert not sitemap_work.give_back(db, second)


def test_giving_back_twice_is_giving_back_once(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller)
    with LosesAnswers(postgres.app_dsn) as forgetful:
        sitemap_work.give_back(forgetful, line_of(db, site))
    assert (job_of(db, site).status, job_of(db, site).attempt) == (JobStatus.PENDING, 0)
    assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null") == (1,)


# --- where a file is in the end ---


def test_a_file_that_leads_to_another_is_a_duplicate(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", "c", "d")
    a, b, c, d = (line_of(db, site, lanes=9) for _ in range(4))
    assert sitemap_work.address(db, a, address("a")) is Address.OWN
    assert sitemap_work.address(db, b, address("elsewhere")) is Address.OWN
    assert sitemap_work.address(db, c, address("elsewhere")) is Address.DUPLICATE
    # Though `a` itself was not yet there, it would have been this one's.
    assert sitemap_work.address(db, d, address("a")) is Address.DUPLICATE
    assert sitemap_work.figures(db, caller.tenant_id, site.job_id) == Figures(2, 0, 0, 2, 0)
    finish(db, a)
    assert finish(db, b).ended is JobStatus.COMPLETE
    assert [file["url"] for file in result_of(db, site)["sitemaps"]] == [address("a"), address("b")]


@pytest.mark.parametrize("first", [0, 1])
def test_whose_urls_they_are_does_not_hang_on_which_lane_is_faster(db: Database, caller: Caller, first: int) -> None:
    site = scan_of(db, caller, "leads-to-b", "b")
    lines = [line_of(db, site, lanes=2) for _ in range(2)]
    for line in (lines[first], lines[1 - first]):
        sitemap_work.address(db, line, address("b"))
    assert finish(db, lines[1]).ended is JobStatus.COMPLETE
    assert [file["url"] for file in result_of(db, site)["sitemaps"]] == [address("b")]


def test_a_job_whose_last_file_is_a_duplicate_ends_with_the_next_claim(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller, "a", "b")
    finish(db, line_of(db, site))
    with LosesAnswers(postgres.app_dsn) as forgetful:
        assert sitemap_work.address(forgetful, line_of(db, site), address("a")) is Address.DUPLICATE
    turn = claim(db, site)
    assert (turn.held, turn.line, turn.ended) == (True, None, JobStatus.COMPLETE)


# --- lanes ---


def test_lanes_are_owed_for_the_files_that_there_are(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    for files, lanes, owed in ((1, 4, []), (2, 4, [1]), (9, 4, [1, 2, 3]), (9, 1, [])):
        site = lead(db, caller, make_scan(db, caller, domain=f"s{files}-{lanes}.example"))
        with LosesAnswers(postgres.app_dsn) as forgetful:
            add(forgetful, site, *(address(f"{n}") for n in range(files)), lanes=lanes)
        assert lanes_owed(postgres, site) == owed
        body = {"version": 1, "job_id": str(site.job_id), "correlation_id": "request-1"}
        assert postgres.rows(
            "select distinct queue, body from scrapersky.outbox where job_id = %s", site.job_id
        ) == [("sitemap_scan", body)]  # fmt: skip


def test_a_job_of_a_batch_is_owed_no_lanes(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    postgres.rows(
        "with batch as (insert into scrapersky.batches (id, tenant_id, kind, request, fingerprint, run, correlation_id,"
        " created_by) values (gen_random_uuid(), %s, 'sitemap_scan', '{}', sha256('a'), gen_random_uuid(), 'r', 'u')"
        " returning id) update scrapersky.jobs set batch_id = batch.id from batch",
        caller.tenant_id,
    )
    add(db, site, address("a"), address("b"), lanes=2)
    assert lanes_owed(postgres, site) == []
    joined = sitemap_work.site(db, caller.tenant_id, site.job_id)
    assert joined is not None
    assert joined.batch_id is not None
    # Nor a message when it is given back: the batch's next round brings it.
    assert sitemap_work.give_back(db, line_of(db, site))
    assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null and lane > 0") == (0,)


def test_figures_follow_the_scan(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b")

    def figures() -> Figures:
        return sitemap_work.figures(db, caller.tenant_id, site.job_id)

    assert figures() == Figures(2, 0, 0, 2, 0)
    line = line_of(db, site)
    store(db, line, pages(1, 2))
    assert figures() == Figures(2, 0, 0, 2, 2)
    finish(db, line)
    assert figures() == Figures(2, 1, 0, 1, 2)
    jobs.cancel(db, caller.tenant_id, site.job_id)
    assert figures() == Figures(2, 1, 0, 0, 2)
    assert sitemap_work.figures(db, uuid4(), site.job_id) == Figures(0, 0, 0, 0, 0)
