"""Indexes bring their files, and what is known of a file is asked about instead of read again."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_ends, sitemap_work
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Child, Line
from scrapersky.domain.jobs import Caller
from scrapersky.domain.sitemaps import MAX_FILES, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode, JobStatus
from support.lost_answers import LosesAnswers
from support.sitemap_lines import (
    add,
    address,
    fail,
    finish,
    index,
    job_of,
    lanes_owed,
    lead,
    line_of,
    make_scan,
    pages,
    partial,
    read_all,
    result_of,
    scan_of,
    store,
    truncated,
    whole,
)

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


def test_an_index_is_not_taken_for_what_it_was_before_a_forgotten_read(db: Database, caller: Caller) -> None:
    """What is known of it since is the forgotten read's: an earlier one's files are not those that it names now."""
    site = scan_of(db, caller, "i")
    finish(db, line_of(db, site), index("a", etag='"1"', sha256=b"1" * 32))
    finish(db, line_of(db, site))
    site = scan_of(db, caller, "i")
    line = line_of(db, site)
    assert line.known is not None
    finish(db, line, index("a", "b", etag='"2"', sha256=b"2" * 32))
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


def test_a_file_that_another_scan_has_read_meanwhile_is_begun_anew(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    """Else it would end as of a time before that scan, whose URLs it would count and not show."""
    site = scan_of(db, caller)
    line = line_of(db, site)
    store(db, line, pages(1, 2))
    assert sitemap_work.give_back(db, line)
    read_all(db, caller, pages(1, 3))
    again = line_of(db, lead(db, caller, site.job_id))
    assert postgres.one("select read_at < %s from scrapersky.sitemaps", again.read_at) == (True,)
    assert again.url_count == 0
    assert store(db, again, pages(1, 2, 4)).stored == 3
    finish(db, again)
    assert postgres.one(
        "select url_count, added_count, unchanged_count, removed_count from scrapersky.sitemap_files where id = %s",
        again.id,
    ) == (3, 2, 1, 1)
