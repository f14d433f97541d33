"""What a sitemap names is stored once a read, whoever stores it, and each read tells what is new, gone or changed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_ends, sitemap_work
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Address, Entry, Line, Site
from scrapersky.db.sitemap_rows import MAX_COUNT
from scrapersky.db.sitemap_store import COPY_FROM
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind
from support.sitemap_lines import (
    LEASE,
    OVER,
    address,
    fail,
    finish,
    line_of,
    pages,
    partial,
    read_all,
    scan_of,
    store,
    truncated,
    whole,
)

COUNTS = "select url_count, added_count, changed_count, unchanged_count, removed_count from scrapersky.sitemap_files"


def counts(postgres: TestDatabase, job_id: UUID) -> tuple[object, ...]:
    """(URLs, added, changed, unchanged, removed) of a scan with one file."""
    return postgres.one(COUNTS + " where job_id = %s", job_id)


def stored(postgres: TestDatabase) -> set[object]:
    return {url for (url,) in postgres.rows("select url from scrapersky.sitemap_urls")}


# Below and above the size from which COPY is used.
SIZES = pytest.mark.parametrize("size", [50, COPY_FROM + 50])


@SIZES
def test_a_chunk_is_stored_as_it_is(db: Database, postgres: TestDatabase, caller: Caller, size: int) -> None:
    line = line_of(db, scan_of(db, caller))
    odd: list[Entry] = [
        ("https://site.example/a\\b\tc\nd\re", "2024-02-03T04:05:06+02:00", "weekly", "1.0", 1, 2, 3, 4),
        ("https://site.example/\u00e4", None, None, None, 0, 0, 0, 99_999),
        ("https://site.example/\\N", "yesterday\t", "of\\ten", "high", 0, 0, 0, 0),
        ("https://site.example/\ud800\x00", "2024", "x" * 100, "7", 0, 0, 0, 0),
    ]
    result = store(db, line, odd + pages(*range(size)))
    assert (result.held, result.stored, result.url_count, result.room, result.cut) == (
        True, size + 4, size + 4, 10_000 - size - 4, 0,
    )  # fmt: skip
    rows = postgres.rows(
        "select url, lastmod, lastmod_at::text, changefreq, priority, image_count, video_count, news_count,"
        " alternate_count, first_seen = last_seen, added_at, changed_at, removed_at"
        " from scrapersky.sitemap_urls order by id limit 5"
    )
    new = (True, None, None, None)
    assert rows == [
        ("https://site.example/a\\b\tc\nd\re", "2024-02-03T04:05:06+02:00", "2024-02-03 02:05:06+00", "weekly", 1.0,
         1, 2, 3, 4, *new),
        ("https://site.example/\u00e4", None, None, None, None, 0, 0, 0, MAX_COUNT, *new),
        ("https://site.example/\\N", "yesterday\t", None, "of\\ten", None, 0, 0, 0, 0, *new),
        ("https://site.example/?", "2024", None, "x" * 16, None, 0, 0, 0, 0, *new),
        ("https://site.example/page/0", "2024-01-01", "2024-01-01 00:00:00+00", "daily", 0.5, 0, 0, 0, 0, *new),
    ]  # fmt: skip


@SIZES
def test_a_chunk_that_comes_again_changes_nothing(
    db: Database, postgres: TestDatabase, caller: Caller, size: int
) -> None:
    line = line_of(db, scan_of(db, caller))
    chunk = pages(*range(size))
    store(db, line, chunk)
    before = postgres.rows("select * from scrapersky.sitemap_urls order by id")
    again = store(db, line, chunk)
    assert (again.held, again.stored, again.url_count, again.room) == (True, 0, size, 10_000 - size)
    assert postgres.rows("select * from scrapersky.sitemap_urls order by id") == before


@SIZES
def test_duplicates_in_a_chunk_and_over_chunks_are_one_url(db: Database, caller: Caller, size: int) -> None:
    line = line_of(db, scan_of(db, caller))
    chunk = pages(*range(size), *range(size))
    assert store(db, line, chunk + chunk).stored == size
    overlapping = store(db, line, pages(*range(size // 2, size + 10)))
    assert (overlapping.stored, overlapping.url_count) == (10, size + 10)


@pytest.mark.parametrize("before", [[], pages(COPY_FROM // 2)])
def test_a_file_that_is_new_is_stored_without_a_look_for_conflicts(
    db: Database, postgres: TestDatabase, caller: Caller, before: list[Entry]
) -> None:
    """And with one after all, when there is a conflict."""
    line = line_of(db, scan_of(db, caller))
    assert line.is_first
    store(db, line, before)
    result = store(db, line, pages(*range(COPY_FROM)))
    assert (result.held, result.stored, result.url_count) == (True, COPY_FROM - len(before), COPY_FROM)
    assert (result.room, result.cut) == (10_000 - COPY_FROM, 0)
    assert not line_of(db, resumed(db, postgres, caller, line)).is_first


def resumed(db: Database, postgres: TestDatabase, caller: Caller, line: Line) -> Site:
    """The line's job, after its worker was lost."""
    postgres.rows("update scrapersky.sitemap_files set lease_until = now() where lease_until is not null")
    site = sitemap_work.site(db, caller.tenant_id, line.job_id)
    assert site is not None
    return site


def test_each_read_tells_what_is_new_gone_and_changed(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    first = read_all(db, caller, pages(1, 2, 3, 4))
    assert counts(postgres, first) == (4, None, None, None, None)
    # 1 stays, 2 has another lastmod, 3 and 4 are gone, 5 is new.
    second = read_all(db, caller, [*pages(1), *pages(2, lastmod="2024-05-05"), *pages(5)])
    assert counts(postgres, second) == (3, 1, 1, 1, 2)
    # 3 is back, with another lastmod: that is new, and not changed as well.
    third = read_all(db, caller, [*pages(1, 5), *pages(2, lastmod="2024-05-05"), *pages(3, lastmod="2025-01-01")])
    assert counts(postgres, third) == (4, 1, 0, 3, 0)
    fourth = read_all(db, caller, [*pages(1), *pages(2, lastmod=None)])
    assert counts(postgres, fourth) == (2, 0, 1, 1, 2)
    assert postgres.one(
        "select lastmod, previous_lastmod from scrapersky.sitemap_urls where url like '%%/page/2'"
    ) == (None, "2024-05-05")  # fmt: skip
    # Of a scan's own changes each has the time of its read.
    assert postgres.rows("""
        select u.url, f.job_id
        from scrapersky.sitemap_urls u join scrapersky.sitemap_files f using (tenant_id, sitemap_id)
        where u.removed_at = f.read_at order by u.id
    """) == [
        ("https://site.example/page/3", fourth),
        ("https://site.example/page/4", second),
        ("https://site.example/page/5", fourth),
    ]  # fmt: skip


@pytest.mark.parametrize("read", [partial(), truncated()])
def test_a_read_of_a_part_marks_nothing_as_gone(
    db: Database, postgres: TestDatabase, caller: Caller, read: Any
) -> None:
    read_all(db, caller, pages(1, 2, 3))
    part = read_all(db, caller, [*pages(1, lastmod="2025-01-01"), *pages(4)], read)
    assert counts(postgres, part) == (2, 1, 1, 0, None)
    assert postgres.one("select count(removed_at) from scrapersky.sitemap_urls") == (0,)
    # Nor does that part hide what the next whole read finds gone.
    assert counts(postgres, read_all(db, caller, pages(1, lastmod="2025-01-01"))) == (1, 0, 0, 1, 3)


def test_control_the_same_read_to_the_end_does(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    read_all(db, caller, pages(1, 2, 3))
    assert counts(postgres, read_all(db, caller, pages(1, 4))) == (2, 1, 0, 1, 2)


def test_a_file_that_fails_leaves_what_is_known_of_it(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    read_all(db, caller, pages(1, 2, 3))
    fail(db, line_of(db, scan_of(db, caller)))
    assert postgres.one("select count(*), count(removed_at) from scrapersky.sitemap_urls") == (3, 0)
    assert counts(postgres, read_all(db, caller, pages(1, 2))) == (2, 0, 0, 2, 1)


@pytest.mark.parametrize("at_once", [1, 10, 15, 45, 46])
def test_a_file_is_counted_and_marked_some_rows_at_a_time(
    db: Database, postgres: TestDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("scrapersky.db.sitemap_ends.ROWS_AT_ONCE", at_once)
    read_all(db, caller, pages(*range(45)), whole(etag='"e"'))
    line = line_of(db, scan_of(db, caller))
    sitemap_ends.not_modified(db, line, status_code=304, wire_bytes=1, ms=1, lanes=1)
    assert counts(postgres, line.job_id) == (45, 0, 0, 45, 0)
    again = pages(0, 44, 50) + pages(*range(20, 30), lastmod="2025")
    assert counts(postgres, read_all(db, caller, again)) == (13, 1, 10, 2, 33)


@SIZES
@pytest.mark.parametrize("room", [0, 1, 30])
def test_as_many_urls_are_stored_as_there_is_room_for(
    db: Database, postgres: TestDatabase, caller: Caller, size: int, room: int
) -> None:
    line = line_of(db, scan_of(db, caller, max_pages=20 + room))
    assert store(db, line, pages(*range(20))).room == room
    # What is stored already takes no room, and the first of the others go in.
    result = store(db, line, pages(*range(size)))
    assert (result.held, result.stored, result.room, result.cut) == (True, room, 0, size - 20 - room)
    assert stored(postgres) == {url for url, *_ in pages(*range(20 + room))}
    assert store(db, line, pages(*range(20 + room))).cut == 0


def test_a_file_that_ends_where_the_room_does_is_not_cut(db: Database, caller: Caller) -> None:
    line = line_of(db, scan_of(db, caller, max_pages=COPY_FROM))
    result = store(db, line, pages(*range(COPY_FROM)))
    assert (result.stored, result.room, result.cut) == (COPY_FROM, 0, 0)


@SIZES
def test_two_lanes_at_once_fill_the_room_to_the_last_url(
    postgres: TestDatabase, db: Database, caller: Caller, size: int
) -> None:
    room = size * 3 + 7
    site = scan_of(db, caller, "a", "b", max_pages=room)
    lines = [line_of(db, site, lanes=2) for _ in range(2)]

    def fill(line: Line) -> int:
        with Database(postgres.app_dsn) as own:
            return sum(store(own, line, pages(*range(n * size, (n + 1) * size))).stored for n in range(3))

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(fill, lines)) == room
    assert postgres.one("select count(*) from scrapersky.sitemap_urls") == (room,)
    assert postgres.one("select sum(url_count) from scrapersky.sitemap_files") == (room,)


def cancelled(db: Database, site: Site, _: Line) -> None:
    jobs.cancel(db, site.tenant_id, site.job_id)


def stolen(db: Database, site: Site, line: Line) -> None:
    db.query(
        "update scrapersky.sitemap_files set lease_until = now() - interval '1 second' where id = %(id)s returning id",
        {"id": line.id},
        tenant_id=site.tenant_id,
    )
    assert line_of(db, site).id == line.id


def retried(db: Database, site: Site, line: Line) -> None:
    cancelled(db, site, line)
    parameters = {"tenant_id": site.tenant_id, "id": site.job_id, "hold": timedelta(0)}
    assert db.run(lambda cursor: jobs.retry(cursor, parameters), tenant_id=site.tenant_id)
    assert sitemap_work.figures(db, site.tenant_id, site.job_id).found == 0


def taken_over(db: Database, site: Site, line: Line) -> None:
    leases.release(db, [site.job_id], token=line.run_token)
    (claimed,) = leases.claim(db, [site.job_id], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=LEASE)
    assert claimed.outcome is leases.ClaimOutcome.CLAIMED


LOST = pytest.mark.parametrize("lose", [cancelled, stolen, retried, taken_over])


@LOST
@SIZES
def test_a_lane_that_has_lost_its_file_or_job_writes_nothing(
    db: Database, postgres: TestDatabase, caller: Caller, lose: Callable[[Database, Site, Line], None], size: int
) -> None:
    site = scan_of(db, caller)
    line = line_of(db, site)
    assert store(db, line, pages(1, 2)).held
    lose(db, site, line)
    tables = ("sitemap_urls", "sitemap_files", "sitemaps", "jobs", "outbox", "host_leases")
    before = [postgres.rows(f"select * from scrapersky.{name} order by 1, 2, 3") for name in tables]
    assert not store(db, line, pages(*range(size))).held
    assert not sitemap_work.renew(db, line, lease=LEASE)
    assert not finish(db, line).held
    assert not fail(db, line).held
    assert sitemap_work.address(db, line, address("b")) is Address.LOST
    after = [postgres.rows(f"select * from scrapersky.{name} order by 1, 2, 3") for name in tables]
    if lose is stolen:  # the job goes on, so its own lease may well be renewed
        before[3:] = after[3:]
    assert after == before


@SIZES
def test_a_chunk_renews_the_leases_and_counts_as_getting_on(
    db: Database, postgres: TestDatabase, caller: Caller, size: int
) -> None:
    site = scan_of(db, caller)
    line = line_of(db, site, lease=timedelta(seconds=5))
    assert line.attempt == 1
    store(db, line, pages(*range(size)))
    store(db, line, pages(size))
    ahead = "lease_until - now() > interval '50 seconds'"
    assert postgres.one(f"select attempt, {ahead} from scrapersky.sitemap_files") == (0, True)
    assert postgres.one(f"select {ahead}, progress > 0 from scrapersky.jobs") == (True, True)
    assert postgres.one("select until - now() > interval '50 seconds' from scrapersky.host_leases") == (True,)


def test_a_resumed_read_goes_on_with_what_is_stored(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    read_all(db, caller, pages(1, 2, 9))
    site = scan_of(db, caller)
    lost = line_of(db, site, lease=OVER)
    store(db, lost, [*pages(1, lastmod="2025-01-01"), *pages(3)])
    postgres.rows(
        "update scrapersky.sitemap_files set lease_until = now() - interval '1 second' where status = 'running'"
    )
    line = line_of(db, site)
    assert (line.id, line.read_at, line.url_count, line.attempt) == (lost.id, lost.read_at, 2, 1)
    assert store(db, line, [*pages(1, lastmod="2025-01-01"), *pages(3, 4)]).stored == 1
    finish(db, line)
    assert counts(postgres, site.job_id) == (3, 2, 1, 0, 2)
    assert sitemap_work.figures(db, caller.tenant_id, site.job_id).urls == 3


def test_another_tenants_line_is_none(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    line = line_of(db, scan_of(db, caller))
    stranger = replace(line, tenant_id=uuid4())
    assert not store(db, stranger, pages(1)).held
    assert not store(db, stranger, pages(*range(COPY_FROM))).held
    assert postgres.rows("select * from scrapersky.sitemap_urls") == []
