"""How a file ends and, with the last one, its job: once, whatever happens, and telling what there is."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, sitemap_add, sitemap_ends, sitemap_settle, sitemap_work
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Line, Turn
from scrapersky.domain.jobs import Caller
from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import ErrorCode, JobStatus
from support.lost_answers import LosesAnswers
from support.sitemap_lines import (
    add,
    address,
    claim,
    fail,
    finish,
    index,
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
    truncated,
    whole,
)


def test_a_site_without_a_sitemap_is_complete_with_none(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    turn = add(db, site)
    assert (turn.ended, turn.ended_here) == (JobStatus.COMPLETE, True)
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
        assert (turn.held, turn.ended, turn.ended_here) == (True, JobStatus.COMPLETE, True)
    result = result_of(db, site)
    assert (result["total_sitemaps"], result["total_urls"]) == (5, 2)


@pytest.mark.parametrize("end", [finish, fail])
def test_a_lane_that_finds_the_job_ended_has_not_ended_it(
    db: Database, caller: Caller, end: Callable[[Database, Line], Turn]
) -> None:
    """Or each would tell of it, and count it."""
    site = scan_of(db, caller, "a", "b")
    lines = [line_of(db, site, lanes=2) for _ in range(2)]
    first, last = (end(db, line) for line in lines)
    assert (first.ended, first.ended_here) == (None, False)
    assert (last.ended, last.ended_here) == (job_of(db, site).status, True)
    others = claim(db, site)
    assert (others.held, others.ended, others.ended_here) == (True, last.ended, False)
    # Nor has one whose own file ended before, and whose answer was lost meanwhile.
    assert not end(db, lines[0]).ended_here


def test_a_lane_that_is_alone_knows_its_end_though_the_answer_was_lost(postgres: TestDatabase, caller: Caller) -> None:
    with LosesAnswers(postgres.app_dsn) as forgetful:
        assert add(forgetful, lead(forgetful, caller, make_scan(forgetful, caller))).ended_here
        site = scan_of(forgetful, caller, "a", domain="other.example")
        assert sitemap_ends.cut(forgetful, site, message="its time was over", detail="after 240 s").ended_here


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


def test_one_file_that_was_not_read_is_told_as_one(db: Database, caller: Caller) -> None:
    site = scan_of(db, caller, "a", "b", max_pages=1)
    line = line_of(db, site)
    store(db, line, pages(1, 2))
    finish(db, line, truncated())
    assert result_of(db, site)["truncations"][-1] == {"url": None, "by": "urls", "detail": "1 file was not read"}


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
    assert (turn.ended, turn.ended_here) == (JobStatus.COMPLETE, True)
    result = result_of(db, site)
    assert [(file["error"] or {}).get("code") for file in result["sitemaps"]] == [None, "timeout", "timeout"]
    assert result["truncations"] == [{"url": None, "by": "seconds", "detail": "after 240 s"}]


def test_a_scan_that_owes_several_messages_can_be_retried(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    site = lead(db, caller, make_scan(db, caller))
    add(db, site, address("a"), address("b"), lanes=2)
    assert lanes_owed(postgres, site) == [1]
    jobs.cancel(db, caller.tenant_id, site.job_id)
    parameters = {"tenant_id": caller.tenant_id, "id": site.job_id, "hold": timedelta(0)}
    retried = db.run(lambda cursor: jobs.retry(cursor, parameters), tenant_id=caller.tenant_id)
    assert retried is not None
    assert lanes_owed(postgres, site) == []
    owed = "select id from scrapersky.outbox where job_id = %s and sent_at is null"
    assert postgres.rows(owed, site.job_id) == [(retried[1].id,)]
