"""A sitemap scan under way: what is stored of a slow file, what a fault or a cancel leaves, what the log tells."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobStatus
from scrapersky.scraping.sitemaps.reader import SitemapReader
from scrapersky.services import jobs, sitemap_reading
from scrapersky.services.sitemap_work import Tally
from support.log_lines import recorded
from support.loopback import Listener, response
from support.sitemap_scans import Scan, lines, start, stored_urls, work
from support.sitemap_site import HOST, INDEX, Anew, Page, Table, page_urls, robots, site_of, urlset
from support.stopwatch import Stopwatch


@pytest.fixture
def scan(db: Database, queue: ScanQueue, caller: Caller) -> Scan:
    return Scan(db, queue, caller)


def test_what_a_slow_file_names_is_there_while_it_is_read(
    scan: Scan, postgres: TestDatabase, caller: Caller, queue: ScanQueue
) -> None:
    """Less than two seconds after its first byte, and long before its last."""
    begun: list[float] = []
    is_seen = threading.Event()
    body = urlset(page_urls(0, 400))
    watch = Stopwatch()

    def timed() -> Iterator[bytes]:
        begun.append(watch.seconds)
        yield response(content_type="application/xml", length=len(body))
        for at in range(0, len(body) - 8192, 8192):
            yield body[at : at + 8192]
            time.sleep(0.1)
        is_seen.wait(10)  # longer than it may take, so that a busy machine does not bring the end first
        yield body[at + 8192 :]

    pages: dict[str, Page] = {"/robots.txt": robots(INDEX), "/sitemap.xml": Anew(timed)}
    with Listener(Table(pages), keep_alive=True) as listener, watch:
        worker = threading.Thread(target=scan.at, args=(listener.port,))
        worker.start()
        count = 0
        while count == 0 and worker.is_alive():
            time.sleep(0.05)
            count = len(stored_urls(postgres))
        first = watch.seconds
        is_seen.set()
        worker.join()
    assert first - begun[0] < 2.0
    assert 0 < count < 400
    assert len(stored_urls(postgres)) == 400


def test_a_fault_of_ours_in_one_file_fails_that_file_alone(
    scan: Scan, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = SitemapReader.feed

    def faulty(reader: SitemapReader, data: bytes) -> Any:
        if b"department-1" in data:
            raise RuntimeError("secret detail")
        return feed(reader, data)

    monkeypatch.setattr(SitemapReader, "feed", faulty)
    job = scan(site_of(0, 1, 2))
    assert job.status is JobStatus.COMPLETE
    assert stored_urls(postgres) == sorted(page_urls(0, 3) + page_urls(2, 3))
    told = lines(postgres, "url", "error_code", "error_message")
    assert [line[1] for line in told] == [None, None, "internal", None]
    assert "secret" not in told[2][2]


@pytest.mark.parametrize("is_silent", [False, True])
def test_a_cancelled_scan_stops_within_seconds_and_stores_no_more(
    is_silent: bool,
    db: Database,
    queue: ScanQueue,
    caller: Caller,
    postgres: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether its file goes on coming, so that chunks are refused, or stands still."""
    monkeypatch.setattr(sitemap_reading, "RENEW_SECONDS", 1.0)
    body, over = urlset(page_urls(0, 4000)), threading.Event()

    def sent() -> Iterator[bytes]:
        yield response(content_type="application/xml", length=len(body))
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]
            if over.wait(60 if is_silent else 0.1):
                return

    pages: dict[str, Page] = {"/robots.txt": robots(INDEX), "/sitemap.xml": Anew(sent)}
    job_id = start(db, queue, caller)
    with Listener(Table(pages), keep_alive=True) as listener, Database(postgres.app_dsn) as other:
        tallies: list[Tally] = []
        worker = threading.Thread(target=lambda: tallies.append(work(db, listener.port, job_id)))
        worker.start()
        while not stored_urls(postgres):
            time.sleep(0.05)
        jobs.cancel(other, caller.tenant_id, job_id)
        stored = stored_urls(postgres)
        worker.join(4.0)
        is_stopped = not worker.is_alive()
        over.set()
        worker.join()
    assert is_stopped
    (tally,) = tallies
    assert tally.fenced == [job_id]
    assert stored_urls(postgres) == stored
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.CANCELLED


def test_every_file_and_the_job_leave_a_line_in_the_log(
    scan: Scan, capsys: pytest.CaptureFixture[str], caller: Caller
) -> None:
    with recorded(capsys) as written:
        job = scan(site_of(0, 1))
        events = written.events()
    told = [line for line in events if line["message"] in ("sitemap ended", "scan ended")]
    keys = {"job_id": str(job.id), "tenant_id": str(caller.tenant_id), "domain": HOST, "correlation_id": "request-1"}
    assert all(line.items() >= keys.items() for line in told)
    assert [(line["message"], line["outcome"], line["urls"]) for line in told] == [
        ("sitemap ended", "complete", 0),
        ("sitemap ended", "complete", 3),
        ("sitemap ended", "complete", 3),
        ("scan ended", "complete", 6),
    ]
