"""Lanes of sitemap scans: several at one job, and one at a time at a host that wants a delay or is busy."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.scraping import politeness
from scrapersky.services import jobs, sitemap_work, sweep
from scrapersky.services.sitemap_work import Tally
from support.loopback import Listener
from support.sitemap_scans import LEASE, lines, start, stored_urls, work
from support.sitemap_site import (
    HOST,
    Anew,
    Page,
    Table,
    page_urls,
    robots,
    site_of,
    urlset,
    xml,
)


def expected(*numbers: int) -> list[str]:
    return sorted(url for number in numbers for url in page_urls(number))


def worker(postgres: TestDatabase, port: int, job_id: UUID, tallies: list[Tally], **options: Any) -> threading.Thread:
    """An invocation with a connection of its own, in a thread."""

    def run() -> None:
        with Database(postgres.app_dsn) as db:
            tallies.append(work(db, port, job_id, **options))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until_discovered(postgres: TestDatabase) -> None:
    while len(lines(postgres, "id")) < 2:
        time.sleep(0.02)


def most_at_once(spans: list[tuple[float, float]]) -> int:
    return max(sum(begun <= at < ended for begun, ended in spans) for at, _ in spans)


def test_a_second_lane_helps_and_a_third_has_nothing_to_do(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    numbers = range(8)
    job_id = start(db, queue, caller)
    tallies: list[Tally] = []
    first = xml(urlset(page_urls(0)))

    def held() -> Iterator[bytes]:
        """The first file comes when all others are read and two lanes have left, however late they came."""
        until = time.monotonic() + 60
        while len(tallies) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        yield first

    pages: dict[str, Page] = {**site_of(*numbers, pause=0.2), "/sitemap-0.xml": Anew(held)}
    with Listener(Table(pages), keep_alive=True) as listener:
        threads = [worker(postgres, listener.port, job_id, tallies)]
        until_discovered(postgres)
        threads += [worker(postgres, listener.port, job_id, tallies) for _ in range(2)]
        for thread in threads:
            thread.join()
    assert stored_urls(postgres) == expected(*numbers)
    assert sorted((len(tally.stored), len(tally.left)) for tally in tallies) == [(0, 1), (0, 1), (1, 0)]
    spans = [
        (begun, ended)
        for begun, ended in lines(
            postgres, "extract(epoch from started_at)::float8", "extract(epoch from finished_at)::float8"
        )
    ]
    assert most_at_once(spans) == 2
    job = jobs.get(db, caller.tenant_id, job_id)
    assert (job.status, job.attempt) == (JobStatus.COMPLETE, 1)


def test_an_index_owes_a_message_for_each_further_lane_and_the_sweep_sends_it(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    queue.drain_sitemaps()
    with Listener(Table(site_of(0, 1, 2)), keep_alive=True) as listener:
        work(db, listener.port, job_id)
    assert postgres.one("select distinct lane from scrapersky.outbox where sent_at is null") == (1,)
    sweep.run(db, queue.sender, deadline=time.monotonic() + 5)
    bodies = queue.drain_sitemaps()
    assert [body["job_id"] for body in bodies] == [str(job_id)]


def test_a_worker_calls_further_lanes_while_it_reads(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    queue.drain_sitemaps()
    called: list[Any] = []
    with Listener(Table(site_of(*range(6), pause=0.4)), keep_alive=True) as listener:
        leading = worker(postgres, listener.port, job_id, [], sender=queue.sender)
        while not called and leading.is_alive():
            called += queue.drain_sitemaps()
        assert leading.is_alive()  # it is still at it when the message is there
        leading.join()
    assert [body["job_id"] for body in called] == [str(job_id)]
    assert postgres.rows("select lane from scrapersky.outbox where sent_at is null") == []
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.COMPLETE


def test_a_queue_that_takes_nothing_costs_the_scan_nothing(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    with Listener(Table(site_of(0, 1, 2)), keep_alive=True) as listener:
        work(db, listener.port, job_id, sender=queue.broken_sender)
    assert stored_urls(postgres) == expected(0, 1, 2)
    assert postgres.one("select distinct lane from scrapersky.outbox where sent_at is null") == (1,)


def test_a_lane_that_comes_before_the_discovery_is_over_leaves_and_ends_nothing(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    (claim,) = leases.claim(db, [job_id], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=LEASE)
    with Listener(Table(site_of(0)), keep_alive=True) as listener:
        tally = work(db, listener.port, job_id)
        assert listener.connections == 0
    assert (tally.left, claim.id) == ([job_id], job_id)
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.RUNNING


def test_a_host_with_a_delay_is_asked_for_one_file_at_a_time(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    table = Table(site_of(0, 1, 2, rules="Crawl-delay: 0.6"))
    job_id = start(db, queue, caller)
    tallies: list[Tally] = []
    with Listener(table, keep_alive=True) as listener:
        threads = [worker(postgres, listener.port, job_id, tallies)]
        until_discovered(postgres)
        threads.append(worker(postgres, listener.port, job_id, tallies))
        for thread in threads:
            thread.join()
    assert stored_urls(postgres) == expected(0, 1, 2)
    asked = [at for at, path in table.seen if path != "/robots.txt"]
    assert all(after - before >= 0.55 for before, after in pairwise(asked))
    # Nor does the next scan begin before the delay is over.
    is_pause, until = postgres.one("select is_pause, extract(epoch from until)::float8 from scrapersky.host_leases")
    assert is_pause
    assert float(str(until)) - (time.time() - time.monotonic()) - asked[-1] >= 0.55


def test_a_delay_that_no_lane_waits_for_is_kept_between_invocations(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads a file, gives the rest back and leaves the host alone, which nobody may claim meanwhile."""
    monkeypatch.setattr(politeness, "MAX_WAIT_SECONDS", 0.0)
    table = Table(site_of(0, 1, rules="Crawl-delay: 1.2"))
    job_id = start(db, queue, caller)
    ends: list[str] = []
    with Listener(table, keep_alive=True) as listener:
        while not ends or ends[-1] != "stored":
            tally = work(db, listener.port, job_id)
            ends += [name for name in ("stored", "released", "postponed") if getattr(tally, name) == [job_id]]
            assert len(ends) < 60
            time.sleep(0.1)
    assert ends.count("released") == 3  # after the home page, the index and the first file
    assert "postponed" in ends
    assert {status for (status,) in lines(postgres, "status")} == {"complete"}
    assert stored_urls(postgres) == expected(0, 1)
    asked = [at for at, path in table.seen if path != "/robots.txt"]
    assert all(after - before >= 1.15 for before, after in pairwise(asked))


def test_a_busy_host_puts_a_job_off(db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase) -> None:
    first, second = start(db, queue, caller), start(db, queue, caller)
    leases.claim(db, [first], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=LEASE)
    with Listener(Table(site_of(0)), keep_alive=True) as listener:
        assert work(db, listener.port, second).postponed == [second]
        assert listener.connections == 0
    assert jobs.get(db, caller.tenant_id, second).status is JobStatus.PENDING


def test_a_batch_waits_for_a_busy_host(
    db: Database, queue: ScanQueue, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap_work, "ASK_SECONDS", 0.2)
    first, second = start(db, queue, caller), start(db, queue, caller)
    leases.claim(db, [first], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=timedelta(seconds=1))
    with Listener(Table(site_of(0)), keep_alive=True) as listener:
        assert work(db, listener.port, second, in_batch=True).stored == [second]


def test_one_connection_serves_many_lanes(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    numbers = range(6)
    pages = site_of(0)
    pages["/robots.txt"] = robots("/sitemap.xml")
    pages["/sitemap.xml"] = xml(urlset([f"http://{HOST}/p{n}" for n in range(3000)]))
    domains = [f"site-{number}.example" for number in numbers]
    job_ids = [start(db, queue, caller, domain=domain) for domain in domains]
    with Listener(Table(pages), keep_alive=True) as listener:
        tally = work(db, listener.port, *job_ids, concurrency=6)
    assert sorted(tally.stored) == sorted(job_ids)
    assert postgres.one("select count(*), count(distinct sitemap_id) from scrapersky.sitemap_urls") == (18_000, 6)
