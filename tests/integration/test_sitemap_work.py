"""The work list of a sitemap scan: any number of lanes go over it, each file is read once, and the job ends once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_add, sitemap_ends, sitemap_settle, sitemap_work, sweep
from scrapersky.db.connection import Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.db.sitemap_lines import Child, Line, Site, Turn
from scrapersky.db.sitemap_work import MAX_FILE_ATTEMPTS, Address, Figures
from scrapersky.domain.jobs import Caller, Job
from scrapersky.domain.sitemaps import MAX_FILES, DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from support.sitemap_lines import (
    LEASE,
    LosesAnswers,
    add,
    address,
    claim,
    fail,
    finish,
    index,
    lead,
    line_of,
    make_scan,
    pages,
    partial,
    scan_of,
    store,
    truncated,
    whole,
)


def job_of(db: Database, site: Site) -> Job:
    job = jobs.get(db, site.tenant_id, site.job_id)
    assert job is not None
    return job


def result_of(db: Database, site: Site) -> dict[str, Any]:
    result = job_of(db, site).result
    assert result is not None
    return result


def let_leases_end(postgres: TestDatabase) -> None:
    postgres.rows("update scrapersky.sitemap_files set lease_until = now() where lease_until is not null")


def lanes_owed(postgres: TestDatabase, site: Site) -> list[object]:
    rows = postgres.rows(
        "select lane from scrapersky.outbox where job_id = %s and lane > 0 and sent_at is null order by lane",
        site.job_id,
    )
    return [lane for (lane,) in rows]


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
        assert sweep.leases(db) == (1, 0)
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
    assert (turn.held, turn.line, turn.ended) == (True, None, JobStatus.FAILED)
    error = job_of(db, site).error
    assert error is not None
    assert (error.code, error.message) == (
        ErrorCode.WORKER_LOST,
        "none of its 1 sitemaps could be read: its worker was lost 3 times",
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


# --- ends ---


def test_a_site_without_a_sitemap_is_complete_with_none(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    assert add(db, site).ended is JobStatus.COMPLETE
    result = result_of(db, site)
    assert (result["total_sitemaps"], result["total_urls"], result["sitemaps"], result["truncated"]) == (
        0,
        0,
        [],
        False,
    )
    assert postgres.one("select until <= now() from scrapersky.host_leases") == (True,)


def test_a_site_that_cannot_be_reached_fails_for_that_reason(db: Database, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    failure = (ErrorCode.DNS_FAILURE, "no such name")
    assert sitemap_add.add(db, site, [], discovery={}, lanes=1, failure=failure).ended is JobStatus.FAILED
    error = job_of(db, site).error
    assert error is not None
    assert (error.code, error.message) == failure


def test_a_scan_that_found_files_forgets_that_the_home_page_failed(db: Database, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    files = [(address("a"), DiscoveryMethod.ROBOTS_TXT)]
    sitemap_add.add(db, site, files, discovery={}, lanes=1, failure=(ErrorCode.TIMEOUT, "too slow"))
    assert finish(db, line_of(db, site)).ended is JobStatus.COMPLETE


def test_a_job_is_complete_when_one_file_is_and_failed_when_none_is(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b")
    assert fail(db, line_of(db, site)).ended is None
    assert finish(db, line_of(db, site)).ended is JobStatus.COMPLETE
    first, second = result_of(db, site)["sitemaps"]
    assert first["error"] == {"code": "http_error", "message": "answered with status 500", "retryable": True}
    assert (first["status"], second["status"], second["error"]) == ("failed", "complete", None)

    site = scan_of(db, caller, "a", "b")
    fail(db, line_of(db, site), ErrorCode.FORBIDDEN_XML)
    assert fail(db, line_of(db, site)).ended is JobStatus.FAILED
    error = job_of(db, site).error
    assert error is not None
    assert (error.code, error.message) == (
        ErrorCode.FORBIDDEN_XML,
        "none of its 2 sitemaps could be read: answered with status 500",
    )


def test_a_files_figures_are_those_of_what_is_stored(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller)
    line = line_of(db, site)
    store(db, line, pages(1, 2, 3))
    sitemap_work.address(db, line, address("moved"))
    read = whole(
        is_gzip=True, has_lastmod=True, image_count=4, skipped_count=2, etag='"e"', sha256=b"s" * 32, bytes=9, ms=7
    )
    finish(db, line, read)
    (file,) = result_of(db, site)["sitemaps"]
    assert file | {"id": None} == {
        "id": None, "url": address("a"), "final_url": address("moved"), "parent_id": None, "depth": 0,
        "sitemap_type": "urlset", "discovery_method": "robots_txt", "status": "complete", "status_code": 200,
        "url_count": 3, "child_count": 0, "skipped_count": 2, "has_lastmod": True, "has_priority": False,
        "has_changefreq": False, "is_gzip": True, "is_partial": False, "is_unchanged": False, "added_count": None,
        "removed_count": None, "changed_count": None, "truncated_by": None, "truncated_at": None, "error": None,
    }  # fmt: skip


@pytest.mark.parametrize("end", [finish, fail])
def test_two_lanes_that_end_at_the_same_moment_end_the_job_once(
    db: Database, postgres: TestDatabase, caller: Caller, end: Callable[[Database, Line], Turn]
) -> None:
    for _ in range(10):
        site = scan_of(db, caller, "a", "b")
        lines = [line_of(db, site, lanes=2) for _ in range(2)]
        both = Barrier(2)

        def last(line: Line, both: Barrier = both) -> JobStatus | None:
            with Database(postgres.app_dsn) as own:
                own.query("select 1", {})
                both.wait()
                return end(own, line).ended

        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(last, lines))
        assert ends.count(None) == 1
        assert job_of(db, site).status.is_final


def test_control_without_the_lock_both_leave_the_job_open(
    db: Database, postgres: TestDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sees the other's file as open, when neither has committed what it says of its own."""
    monkeypatch.setattr(sitemap_ends, "LOCK_JOB", "select 1")
    site = scan_of(db, caller, "a", "b")
    lines = [line_of(db, site, lanes=2) for _ in range(2)]
    both = Barrier(2)
    settle = sitemap_settle.settle

    def late(cursor: Any, *arguments: Any) -> Any:
        cursor.connection.execute("select 1").fetchone()  # what was sent so far has been carried out
        both.wait()
        settled = settle(cursor, *arguments)
        cursor.connection.execute("select pg_sleep(0.3)")
        return settled

    monkeypatch.setattr(sitemap_ends, "settle", late)

    def last(line: Line) -> JobStatus | None:
        with Database(postgres.direct_app_dsn) as own:
            return fail(own, line).ended

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(last, lines)) == [None, None]
    assert job_of(db, site).status is JobStatus.RUNNING


def test_an_end_whose_answer_was_lost_is_one_end(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    with LosesAnswers(postgres.app_dsn) as forgetful:
        site = scan_of(forgetful, caller, "i", "u", "bad")
        turn = finish(forgetful, line_of(forgetful, site), index("u", "v", "w"), lanes=2)
        assert (turn.held, turn.open, turn.ended) == (True, 4, None)
        assert lanes_owed(postgres, site) == [1]
        line = line_of(forgetful, site)
        store(forgetful, line, pages(1, 2))
        turn = finish(forgetful, line)
        assert (turn.held, turn.open, turn.room) == (True, 3, 9_998)
        assert fail(forgetful, line_of(forgetful, site)).held
        finish(forgetful, line_of(forgetful, site))
        turn = finish(forgetful, line_of(forgetful, site))
        assert (turn.held, turn.ended) == (True, JobStatus.COMPLETE)
    result = result_of(db, site)
    assert (result["total_sitemaps"], result["total_urls"]) == (5, 2)


def test_a_scan_that_is_full_reads_no_further_file(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", "c", max_pages=3)
    line = line_of(db, site)
    assert store(db, line, pages(1, 2, 3, 4)).cut == 1
    turn = finish(db, line, truncated())
    assert (turn.open, turn.room, turn.ended) == (0, 0, JobStatus.COMPLETE)
    result = result_of(db, site)
    assert [(file["status"], file["truncated_by"]) for file in result["sitemaps"]] == [
        ("complete", "urls"),
        ("cancelled", "urls"),
        ("cancelled", "urls"),
    ]
    assert result["truncated"]
    assert result["truncations"] == [
        {"url": address("a"), "by": "urls", "detail": "somewhere"},
        {"url": None, "by": "urls", "detail": "2 files were not read"},
    ]


def test_a_file_that_filled_the_scan_is_ended_by_whoever_comes_next(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller, "a", "b", max_pages=3)
    store(db, line_of(db, site), pages(1, 2, 3))
    let_leases_end(postgres)
    line = line_of(db, site)
    assert (line.url, line.url_count) == (address("a"), 3)
    assert sitemap_work.give_back(db, line)
    site = lead(db, caller, site.job_id)
    assert finish(db, line_of(db, site), truncated()).ended is JobStatus.COMPLETE
    assert [file["status"] for file in result_of(db, site)["sitemaps"]] == ["complete", "cancelled"]


def test_a_scan_that_ends_where_the_room_does_is_not_cut(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, max_pages=3)
    line = line_of(db, site)
    store(db, line, pages(1, 2, 3))
    assert finish(db, line).ended is JobStatus.COMPLETE
    assert result_of(db, site)["truncated"] is False


def test_a_job_cut_by_its_time_ends_with_what_there_is(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", "c")
    line = line_of(db, site)
    store(db, line, pages(1))
    finish(db, line)
    line_of(db, site)
    turn = sitemap_ends.cut(db, site, message="the scan's time was over", detail="after 240 s")
    assert turn.ended is JobStatus.COMPLETE
    result = result_of(db, site)
    assert [(file["error"] or {}).get("code") for file in result["sitemaps"]] == [None, "timeout", "timeout"]
    assert result["truncations"] == [{"url": None, "by": "seconds", "detail": "after 240 s"}]


# --- indexes ---


def test_an_index_brings_its_files_once_each(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller, "i", "a")
    far = Child("https://elsewhere.example/s.xml", (ErrorCode.OFF_SITE, "another site's"))
    read = index("a", "b", "i", "b", "c")
    read = whole(sitemap_type=SitemapType.INDEX, children=[*read.children, far])
    turn = finish(db, line_of(db, site), read, lanes=3)
    assert (turn.held, turn.open) == (True, 3)
    assert lanes_owed(postgres, site) == [1, 2]
    rows = postgres.rows("select position, url, depth, status, discovery_method, parent_id is not null"
                         " from scrapersky.sitemap_files order by position")  # fmt: skip
    assert rows == [
        (1, address("i"), 0, "complete", "robots_txt", False),
        (2, address("a"), 0, "pending", "robots_txt", False),
        (3, address("b"), 1, "pending", "sitemap_index", True),
        (4, address("c"), 1, "pending", "sitemap_index", True),
        (5, far.url, 1, "failed", "sitemap_index", True),
    ]
    assert postgres.one("select child_count from scrapersky.sitemap_files where position = 1") == (5,)
    assert line_of(db, site).url == address("a")


def test_indexes_below_the_deepest_are_cut_and_told(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "i0")
    for depth in range(5):
        assert finish(db, line_of(db, site), index(f"i{depth + 1}")).ended is None
    assert finish(db, line_of(db, site), index("i6")).ended is JobStatus.COMPLETE
    result = result_of(db, site)
    assert result["total_sitemaps"] == 6
    assert result["truncations"] == [{"url": address("i5"), "by": "depth", "detail": "1 files below 5 indexes"}]


def test_an_index_of_ten_thousand_files_is_taken_on_and_the_rest_is_cut(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller, "i")
    turn = finish(db, line_of(db, site), index(*(f"f{n}" for n in range(MAX_FILES + 5))))
    assert (turn.held, turn.open) == (True, MAX_FILES - 1)
    assert postgres.one("select count(*), count(distinct url_hash), max(position) from scrapersky.sitemap_files") == (
        MAX_FILES, MAX_FILES, MAX_FILES,
    )  # fmt: skip
    assert postgres.one("select truncated_by, child_count, truncated_at from scrapersky.sitemap_files where depth = 0"
                        ) == ("files", MAX_FILES + 5, "6 of the files that it names are left out")  # fmt: skip
    for n in range(3):
        line = line_of(db, site)
        assert line.url == address(f"f{n}")
        store(db, line, pages(n))
        finish(db, line)
    turn = sitemap_ends.cut(db, site, message="the scan's time was over", detail="after 240 s")
    assert turn.ended is JobStatus.COMPLETE
    result = result_of(db, site)
    assert (len(result["sitemaps"]), result["sitemaps_truncated"], result["total_sitemaps"], result["total_urls"]) == (
        1000, True, MAX_FILES, 3,
    )  # fmt: skip


def test_discovery_takes_on_no_more_files_than_a_scan_may_have(db: Database, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    assert add(db, site, *(address(f"f{n}") for n in range(MAX_FILES + 1))).open == MAX_FILES
    sitemap_ends.cut(db, site, message="m", detail="d")
    error = job_of(db, site).error
    assert error is not None
    assert error.code is ErrorCode.TIMEOUT


# --- what is asked again ---


def known(db: Database, caller: Caller) -> Line:
    return line_of(db, scan_of(db, caller, "a", domain="site.example"))


def test_a_whole_read_is_asked_about_the_next_time(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = scan_of(db, caller)
    line = line_of(db, site)
    assert line.known is None
    store(db, line, pages(1, 2))
    finish(db, line, whole(etag='"e"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT", has_lastmod=True))
    first_read = line.read_at

    site = scan_of(db, caller)
    line = line_of(db, site)
    assert line.known is not None
    assert (line.known.etag, line.known.last_modified) == ('"e"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert (line.known.sitemap_type, line.known.url_count) == (SitemapType.URLSET, 2)
    turn = sitemap_ends.not_modified(db, line, status_code=304, wire_bytes=120, ms=5, lanes=1)
    assert turn.ended is JobStatus.COMPLETE
    (file,) = result_of(db, site)["sitemaps"]
    assert (file["url_count"], file["is_unchanged"], file["has_lastmod"], file["status_code"]) == (2, True, True, 304)
    assert (file["added_count"], file["changed_count"], file["removed_count"]) == (0, 0, 0)
    assert postgres.one("select read_at from scrapersky.sitemap_files where job_id = %s", site.job_id) == (first_read,)

    # Once more: what is said of it now is what was said then.
    site = scan_of(db, caller, max_pages=1)
    line = line_of(db, site)
    assert line.known is not None
    assert line.known.url_count == 2
    sitemap_ends.not_modified(db, line, status_code=304, wire_bytes=120, ms=5, lanes=1)
    result = result_of(db, site)
    assert (result["total_urls"], result["truncations"]) == (
        1, [{"url": address("a"), "by": "urls", "detail": "after 1 URLs"}],
    )  # fmt: skip


@pytest.mark.parametrize("read", [partial(), truncated(Truncation.BYTES)])
def test_a_read_of_a_part_is_not_asked_about(db: Database, caller: Caller, read: Any) -> None:
    finish(db, line_of(db, scan_of(db, caller)), whole(etag='"e"'))
    line = line_of(db, scan_of(db, caller))
    assert line.known is not None
    store(db, line, pages(1))
    finish(db, line, read)
    assert known(db, caller).known is None


def test_a_read_that_was_given_up_is_not_asked_about(db: Database, caller: Caller) -> None:
    finish(db, line_of(db, scan_of(db, caller)), whole(etag='"e"'))
    site = scan_of(db, caller)
    store(db, line_of(db, site), pages(1))
    jobs.cancel(db, caller.tenant_id, site.job_id)
    leases.release(db, [site.job_id], token=site.run_token or uuid4())
    assert known(db, caller).known is None


def test_an_index_that_was_not_modified_names_the_files_of_before(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site = scan_of(db, caller, "i")
    far = Child("https://elsewhere.example/s.xml", (ErrorCode.OFF_SITE, "another site's"))
    finish(db, line_of(db, site), whole(sitemap_type=SitemapType.INDEX, etag='"e"', children=[
        *index("a", "b").children, far,
    ]))  # fmt: skip
    fail(db, line_of(db, site))
    finish(db, line_of(db, site))
    for _ in range(2):
        site = scan_of(db, caller, "i")
        with LosesAnswers(postgres.app_dsn) as forgetful:
            line = line_of(db, site)
            turn = sitemap_ends.not_modified(forgetful, line, status_code=304, wire_bytes=1, ms=1, lanes=2)
        assert (turn.held, turn.open) == (True, 2)
        assert lanes_owed(postgres, site) == [1]
        assert postgres.rows(
            "select url, status, depth, error_code from scrapersky.sitemap_files where job_id = %s order by position",
            site.job_id,
        ) == [
            (address("i"), "complete", 0, None),
            (address("a"), "pending", 1, None),
            (address("b"), "pending", 1, None),
            (far.url, "failed", 1, "off_site"),
        ]
        finish(db, line_of(db, site))
        assert finish(db, line_of(db, site)).ended is JobStatus.COMPLETE


def test_an_index_whose_files_are_forgotten_is_read_anew(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "i")
    finish(db, line_of(db, site), index("a", etag='"e"'))
    jobs.cancel(db, caller.tenant_id, site.job_id)
    parameters = {"tenant_id": caller.tenant_id, "id": site.job_id, "hold": timedelta(0)}
    assert db.run(lambda cursor: jobs.retry(cursor, parameters), tenant_id=caller.tenant_id)
    leases.release(db, [site.job_id], token=site.run_token or uuid4())
    site = lead(db, caller, site.job_id)
    add(db, site, address("i"))
    assert line_of(db, site).known is None


def test_an_index_that_shared_a_file_with_another_is_read_anew(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "i", "j")
    finish(db, line_of(db, site), index("a", etag='"e"'))
    finish(db, line_of(db, site), index("a", "b", etag='"e"'))
    finish(db, line_of(db, site))
    finish(db, line_of(db, site))
    site = scan_of(db, caller, "i", "j")
    assert line_of(db, site, lanes=2).known is not None
    assert line_of(db, site, lanes=2).known is None


def test_the_same_bytes_are_told_to_be_unchanged(db: Database, caller: Caller) -> None:
    for sha256, is_unchanged in ((b"1" * 32, False), (b"1" * 32, True), (b"2" * 32, False)):
        site = scan_of(db, caller)
        line = line_of(db, site)
        store(db, line, pages(1))
        finish(db, line, whole(sha256=sha256))
        (file,) = result_of(db, site)["sitemaps"]
        assert file["is_unchanged"] is is_unchanged


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
