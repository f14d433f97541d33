"""A sitemap scan from its start to its result: a real site, a real database, every ending a truthful one."""

import gzip

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Invalid
from scrapersky.services import jobs, sitemap_scan
from support.loopback import CLOSED_PORT, Listener, redirect, response
from support.sitemap_scans import Scan, lines, start, stored_urls
from support.sitemap_site import (
    HOST,
    INDEX,
    SITE,
    Anew,
    Page,
    Table,
    file_url,
    index,
    page_urls,
    robots,
    site_of,
    urlset,
    xml,
)


@pytest.fixture
def scan(db: Database, queue: ScanQueue, caller: Caller) -> Scan:
    return Scan(db, queue, caller)


def test_a_scan_is_a_job_with_a_message_for_the_sitemap_worker(db: Database, queue: ScanQueue, caller: Caller) -> None:
    job_id = start(db, queue, caller, domain="https://WWW.Shop.example/about?x=1", max_pages=7)
    job = jobs.get(db, caller.tenant_id, job_id)
    assert (job.kind, job.domain, job.request["max_pages"]) == (JobKind.SITEMAP_SCAN, HOST, 7)
    assert [body["job_id"] for body in queue.drain_sitemaps()] == [str(job_id)]
    assert queue.drain() == []


def test_what_names_no_domain_starts_nothing(db: Database, queue: ScanQueue, caller: Caller) -> None:
    with pytest.raises(Invalid, match="names no domain") as refused:
        sitemap_scan.start(db, queue.sender, caller, base_url="127.0.0.1", max_pages=1, idempotency=None)
    assert refused.value.code == "invalid_domain"
    assert jobs.listing(db, caller.tenant_id) == ([], None)


def test_all_files_of_an_index_are_read_and_every_url_is_stored_once(scan: Scan, postgres: TestDatabase) -> None:
    job = scan(site_of(0, 1, 2))
    assert (job.status, job.progress, job.error) == (JobStatus.COMPLETE, 100.0, None)
    assert stored_urls(postgres) == sorted(page_urls(0, 3) + page_urls(1, 3) + page_urls(2, 3))
    assert job.result is not None
    assert (job.result["total_sitemaps"], job.result["total_urls"], job.result["truncated"]) == (4, 9, False)
    first, second, *_ = job.result["sitemaps"]
    assert (first["url"], first["sitemap_type"], first["discovery_method"]) == (INDEX, "index", "robots_txt")
    assert (second["url"], second["url_count"], second["discovery_method"]) == (file_url(0), 3, "sitemap_index")
    assert (second["has_lastmod"], second["has_priority"], second["has_changefreq"]) == (True, True, True)


def test_a_gzip_file_is_known_by_its_bytes(scan: Scan, postgres: TestDatabase) -> None:
    job = scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(gzip.compress(urlset(page_urls(0, 4))))})
    assert job.status is JobStatus.COMPLETE
    assert stored_urls(postgres) == page_urls(0, 4)
    assert lines(postgres, "is_gzip", "url_count", "is_partial") == [(True, 4, False)]


def test_a_site_without_a_sitemap_is_complete_with_none(scan: Scan) -> None:
    job = scan({"/": response(b"<title>Home</title><p>Nothing else.</p>")})
    assert (job.status, job.error) == (JobStatus.COMPLETE, None)
    assert job.result is not None
    assert (job.result["total_sitemaps"], job.result["total_urls"], job.result["sitemaps"]) == (0, 0, [])


def test_a_site_that_cannot_be_reached_fails_with_the_reason(scan: Scan) -> None:
    job = scan.at(CLOSED_PORT)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.CONNECT_FAILURE


def test_a_job_whose_sitemaps_all_failed_has_failed_itself(scan: Scan, postgres: TestDatabase) -> None:
    job = scan({"/robots.txt": robots(INDEX), "/sitemap.xml": response(b"<!doctype html><title>Gone</title>")})
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.INVALID_SITEMAP
    assert job.error.message.startswith("its only sitemap could not be read: ")
    assert lines(postgres, "status", "error_code") == [("failed", "invalid_sitemap")]


def test_a_file_that_is_not_there_fails_alone(scan: Scan, postgres: TestDatabase) -> None:
    job = scan({key: page for key, page in site_of(0, 1).items() if key != "/sitemap-0.xml"})
    assert job.status is JobStatus.COMPLETE
    assert lines(postgres, "status", "error_code", "status_code") == [
        ("complete", None, 200),
        ("failed", "http_error", 404),
        ("complete", None, 200),
    ]
    assert stored_urls(postgres) == page_urls(1, 3)


def test_a_file_that_breaks_off_keeps_what_it_had(scan: Scan, postgres: TestDatabase) -> None:
    whole = urlset(page_urls(0, 5))
    job = scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(whole[: whole.index(page_urls(0, 5)[3].encode())])})
    assert job.status is JobStatus.COMPLETE
    assert stored_urls(postgres) == page_urls(0, 3)
    assert lines(postgres, "status", "is_partial") == [("complete", True)]


def test_a_connection_that_breaks_keeps_what_had_come(scan: Scan, postgres: TestDatabase) -> None:
    whole = urlset(page_urls(0, 500))
    cut = whole[: len(whole) // 2]
    pages: dict[str, Page] = {
        "/robots.txt": robots(INDEX),
        "/sitemap.xml": [response(cut, content_type="application/xml", length=len(whole))],
    }
    with Listener(Table(pages)) as listener:  # which hangs up after each answer
        job = scan.at(listener.port)
    assert job.status is JobStatus.COMPLETE
    ((status, is_partial, truncated_by, count),) = lines(postgres, "status", "is_partial", "truncated_by", "url_count")
    assert (status, is_partial, truncated_by) == ("complete", True, None)
    assert 0 < count < 500
    assert len(stored_urls(postgres)) == count


def test_no_more_urls_are_stored_than_asked_for(scan: Scan, postgres: TestDatabase) -> None:
    job = scan(site_of(0, 1, 2), max_pages=4)
    assert job.status is JobStatus.COMPLETE
    assert len(stored_urls(postgres)) == 4
    assert job.result is not None
    assert (job.result["total_urls"], job.result["truncated"]) == (4, True)
    assert {cut["by"] for cut in job.result["truncations"]} == {"urls"}


def test_exactly_as_many_urls_as_asked_for_are_no_cut(scan: Scan) -> None:
    job = scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(urlset(page_urls(0, 6)))}, max_pages=6)
    assert job.result is not None
    assert (job.result["total_urls"], job.result["truncated"]) == (6, False)


def test_two_addresses_that_lead_to_one_file_are_one_sitemap(scan: Scan, postgres: TestDatabase) -> None:
    pages = site_of(0)
    pages["/sitemap.xml"] = xml(index([f"{SITE}/old.xml", file_url(0)]))
    pages["/old.xml"] = redirect(file_url(0))
    job = scan(pages)
    assert job.result is not None
    assert (job.result["total_sitemaps"], job.result["total_urls"]) == (2, 3)
    assert stored_urls(postgres) == page_urls(0, 3)


def test_two_addresses_that_lead_to_one_file_are_one_sitemap_when_it_is_not_modified_too(scan: Scan) -> None:
    pages: dict[str, Page] = {
        "/robots.txt": robots(f"{SITE}/old.xml", f"{SITE}/older.xml"),
        "/old.xml": redirect(f"{SITE}/real.xml"),
        "/older.xml": redirect(f"{SITE}/real.xml"),
        "/real.xml": xml(urlset(page_urls(0)), 'ETag: "1"'),
    }
    first = scan(pages).result
    # The first address is asked with the ETag, the second without: nothing is known of it.
    answers = iter([response(status="304 Not Modified"), xml(urlset(page_urls(0)), 'ETag: "1"')])
    second = scan(pages | {"/real.xml": Anew(lambda: iter([next(answers)]))}).result
    assert first is not None
    assert second is not None
    assert [file["is_unchanged"] for file in second["sitemaps"]] == [True]
    assert (second["total_urls"], first["total_urls"]) == (3, 3)


@pytest.mark.parametrize("named", ["", "http://other.example/sitemap-0.xml"])
def test_an_index_names_no_file_of_another_site(scan: Scan, postgres: TestDatabase, named: str) -> None:
    """Not of one either that the site's robots.txt names a file of: that one's index has a say over its files alone."""
    pages = site_of(0)
    pages["/robots.txt"] = robots(INDEX, *filter(None, [named]))
    pages["/sitemap.xml"] = xml(index([file_url(0), "http://other.example/sitemap-9.xml"]))
    pages["/sitemap-9.xml"] = xml(urlset(page_urls(9, 3)))
    table = Table(pages)
    with Listener(table, keep_alive=True) as listener:
        assert scan.at(listener.port).status is JobStatus.COMPLETE
    assert lines(postgres, "status", "error_code")[-1] == ("failed", "off_site")
    assert "/sitemap-9.xml" not in table.asked()


def test_only_a_scan_s_first_files_may_lead_to_other_sites(
    scan: Scan, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is the first, and names four more, of which the last leads to another file of the site itself."""
    monkeypatch.setattr("scrapersky.services.sitemap_reading.MAX_ELSEWHERE", 3)
    pages = site_of(0, 1, 2, 3)
    for number in range(3):
        pages[f"/sitemap-{number}.xml"] = redirect(f"http://other.example/map-{number}.xml")
        pages[f"/map-{number}.xml"] = xml(urlset(page_urls(number)))
    pages["/sitemap-3.xml"] = redirect("/own.xml")
    pages["/own.xml"] = xml(urlset(page_urls(3)))
    table = Table(pages)
    with Listener(table, keep_alive=True) as listener:
        scan.at(listener.port)
    refused = ("failed", "off_site", 0)
    assert lines(postgres, "status", "error_code", "url_count")[1:] == [
        ("complete", None, 3), ("complete", None, 3), refused, ("complete", None, 3),
    ]  # fmt: skip
    assert "/map-1.xml" in table.asked()
    assert "/map-2.xml" not in table.asked()


def test_a_second_scan_tells_what_changed(scan: Scan, postgres: TestDatabase) -> None:
    scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(urlset(page_urls(0, 4)))})
    job = scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(urlset(page_urls(0, 6)[1:]))})
    assert job.result is not None
    (told,) = job.result["sitemaps"]
    assert (told["added_count"], told["removed_count"], told["changed_count"]) == (2, 1, 0)
    assert len(stored_urls(postgres)) == 6


def test_a_file_that_was_not_modified_is_not_read_again(scan: Scan, postgres: TestDatabase) -> None:
    body = urlset(page_urls(0, 4))
    scan({"/robots.txt": robots(INDEX), "/sitemap.xml": xml(body, 'ETag: "one"')})
    pages: dict[str, Page] = {"/robots.txt": robots(INDEX), "/sitemap.xml": response(status="304 Not Modified")}
    with Listener(Table(pages), keep_alive=True) as listener:
        job = scan.at(listener.port)
        assert any(b'if-none-match: "one"' in head.lower() for head in listener.heads)
    assert job.status is JobStatus.COMPLETE
    assert job.result is not None
    assert job.result["total_urls"] == 4
    assert lines(postgres, "status", "is_unchanged", "url_count")[1] == ("complete", True, 4)
