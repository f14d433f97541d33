"""Lanes of sitemap scans: several at one job, one at a host with a delay, and what becomes of the rest in the end."""

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
from scrapersky.db import leases, sitemap_store
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Line
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Unavailable
from scrapersky.scraping import politeness
from scrapersky.services import jobs, sitemap_lane, sitemap_work, sweep
from scrapersky.services.sitemap_work import STORE_SECONDS, Tally
from support.loopback import Listener, response
from support.sitemap_scans import LEASE, lines, start, stored_urls, work
from support.sitemap_site import HOST, INDEX, Page, Table, file_url, index, page_url, robots, urlset, xml

ENOUGH = STORE_SECONDS + sitemap_lane.MIN_FILE_SECONDS  # with less than this nothing is begun


def urls(number: int, count: int = 3) -> list[str]:
    return [page_url(number, place) for place in range(count)]


def site_of(*numbers: int, rules: str = "", pause: float = 0.0) -> dict[str, Page]:
    """A site with an index of these files, each of which takes `pause` seconds."""

    class Paused:
        def __init__(self, number: int) -> None:
            self._number = number

        def __iter__(self) -> Iterator[bytes]:
            time.sleep(pause)
            yield xml(urlset(urls(self._number)))

    return {
        "/robots.txt": robots(INDEX, rules=rules),
        "/sitemap.xml": xml(index(map(file_url, numbers))),
        **{f"/sitemap-{number}.xml": Paused(number) for number in numbers},
    }


def expected(*numbers: int) -> list[str]:
    return sorted(url for number in numbers for url in urls(number))


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
    with Listener(Table(site_of(*numbers, pause=0.4)), keep_alive=True) as listener:
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
    assert postgres.one("select is_pause and until > now() from scrapersky.host_leases") == (True,)


def test_a_delay_that_no_lane_waits_for_is_kept_between_invocations(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads a file, gives the rest back and leaves the host alone, which nobody may claim meanwhile."""
    monkeypatch.setattr(politeness, "MAX_WAIT_SECONDS", 0.2)
    table = Table(site_of(0, 1, rules="Crawl-delay: 0.6"))
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
    assert all(after - before >= 0.55 for before, after in pairwise(asked))


def test_what_no_time_is_left_for_goes_on_in_the_next_invocation(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    table = Table(site_of(*range(4), pause=0.5))
    with Listener(table, keep_alive=True) as listener:
        first = work(db, listener.port, job_id, seconds=ENOUGH + 1.5)
        assert first.released == [job_id]
        done = len(stored_urls(postgres))
        assert 0 < done < 12
        assert postgres.one("select status, attempt, lease_token from scrapersky.jobs") == ("pending", 0, None)
        assert {row[0] for row in lines(postgres, "status")} == {"complete", "pending"}
        assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null and lane = 0") == (1,)
        asked = table.asked()
        assert work(db, listener.port, job_id).stored == [job_id]
    again = table.asked()[len(asked) :]
    assert [path for path in again if path.startswith("/sitemap-")] == [
        f"/sitemap-{number}.xml" for number in range(done // 3, 4)
    ]
    assert "/" not in again  # discovered once
    assert stored_urls(postgres) == expected(*range(4))
    assert jobs.get(db, caller.tenant_id, job_id).attempt == 1


def test_a_file_that_outlasts_its_invocation_is_given_back_with_what_is_stored_of_it(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not had all of its time, since the discovery had some; in a new invocation it will."""
    monkeypatch.setattr(sitemap_lane, "MIN_FILE_SECONDS", 0.0)
    monkeypatch.setattr(sitemap_work, "MIN_FILE_SECONDS", 0.0)
    body, reads = urlset(urls(0, 600)), []

    class Slow:
        def __iter__(self) -> Iterator[bytes]:
            reads.append(time.monotonic())
            yield response(content_type="application/xml", length=len(body))
            for at in range(0, len(body), 8192):
                yield body[at : at + 8192]
                time.sleep(0.4 if len(reads) == 1 else 0)

    job_id = start(db, queue, caller)
    with Listener(Table({"/robots.txt": robots(INDEX), "/sitemap.xml": Slow()}), keep_alive=True) as listener:
        assert work(db, listener.port, job_id, seconds=STORE_SECONDS + 2.5).released == [job_id]
        kept = stored_urls(postgres)
        assert 0 < len(kept) < 600
        assert lines(postgres, "status", "attempt", "url_count") == [("pending", 0, len(kept))]
        (before,) = lines(postgres, "read_at")
        assert work(db, listener.port, job_id).stored == [job_id]
    assert stored_urls(postgres) == sorted(urls(0, 600))
    assert lines(postgres, "status", "truncated_by", "url_count", "read_at") == [("complete", None, 600, *before)]


def test_a_file_that_has_had_all_its_time_is_cut_and_says_where(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    """An invocation's first file is given all of it but what the next would need."""
    body = urlset(urls(0, 600))

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            yield response(content_type="application/xml", length=len(body))
            for at in range(0, len(body), 8192):
                yield body[at : at + 8192]
                time.sleep(0.4)

    job_id = start(db, queue, caller)
    with Listener(Table({"/robots.txt": robots(INDEX), "/sitemap.xml": Endless()}), keep_alive=True) as listener:
        tally = work(db, listener.port, job_id, seconds=ENOUGH + 2)
    assert tally.stored == [job_id]
    ((status, by, where, count),) = lines(postgres, "status", "truncated_by", "truncated_at", "url_count")
    assert (status, by) == ("complete", "seconds")
    assert 0 < count < 600
    assert where.startswith(f"after {count} URLs, ")


def test_a_batchs_site_ends_when_its_time_is_up_with_what_there_is(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sitemap_work, sitemap_lane):
        monkeypatch.setattr(module, "SITE_SECONDS", 2.0)
        monkeypatch.setattr(module, "MIN_FILE_SECONDS", 0.1)
    job_id = start(db, queue, caller)
    with Listener(Table(site_of(*range(12), pause=0.5)), keep_alive=True) as listener:
        assert work(db, listener.port, job_id, in_batch=True).stored == [job_id]
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.COMPLETE
    assert job.result is not None
    assert job.result["truncated"] is True
    assert "seconds" in {cut["by"] for cut in job.result["truncations"]}
    told = lines(postgres, "status", "error_code", "truncated_by")
    assert ("failed", "timeout", None) in told
    assert {status for status, *_ in told} == {"complete", "failed"}
    assert job.result["total_urls"] == len(stored_urls(postgres)) > 0


def test_a_database_that_fails_one_lane_does_not_take_the_others_along(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sitemap_store.store_chunk

    def store(db: Database, line: Line, *arguments: Any, **options: Any) -> Any:
        if line.domain == "bad.example":
            raise Unavailable("the database is not available")
        return real(db, line, *arguments, **options)

    monkeypatch.setattr(sitemap_store, "store_chunk", store)
    good, bad = start(db, queue, caller, domain=HOST), start(db, queue, caller, domain="bad.example")
    pages = site_of(0)
    pages["/robots.txt"] = robots("/sitemap.xml")
    pages["/sitemap.xml"] = xml(urlset(urls(0)))
    with Listener(Table(pages), keep_alive=True) as listener:
        tally = work(db, listener.port, good, bad)
    assert (tally.stored, tally.later) == ([good], [bad])
    assert stored_urls(postgres) == expected(0)
    assert jobs.get(db, caller.tenant_id, bad).status is JobStatus.RUNNING  # until its lease runs out


def test_a_claim_that_the_database_does_not_answer_loses_no_lane_that_runs(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap_work, "ASK_SECONDS", 0.2)
    held, busy = (start(db, queue, caller, domain="busy.example") for _ in range(2))
    leases.claim(db, [held], kind=JobKind.SITEMAP_SCAN, token=uuid4(), lease=LEASE)
    good, real, claims = start(db, queue, caller), leases.claim, []

    def claim(*arguments: Any, **options: Any) -> Any:
        claims.append(arguments)
        if len(claims) > 1:
            raise Unavailable("the database is not available")
        return real(*arguments, **options)

    monkeypatch.setattr(leases, "claim", claim)
    with Listener(Table(site_of(0, pause=1.0)), keep_alive=True) as listener:
        tally = work(db, listener.port, good, busy)
    assert (tally.stored, tally.later) == ([good], [busy])
    assert stored_urls(postgres) == expected(0)


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


def test_a_job_whose_lanes_are_lost_again_and_again_fails_by_its_file(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that no worker survives fails, and the others are read."""

    class Killed(BaseException):
        pass

    real = sitemap_store.store_chunk

    def store(db: Database, line: Line, *arguments: Any, **options: Any) -> Any:
        if line.url == file_url(0):
            raise Killed
        return real(db, line, *arguments, **options)

    monkeypatch.setattr(sitemap_store, "store_chunk", store)
    job_id = start(db, queue, caller)
    with Listener(Table(site_of(0, 1)), keep_alive=True) as listener:
        for _ in range(3):
            with pytest.raises(Killed):
                work(db, listener.port, job_id, lease=timedelta(seconds=1))
            time.sleep(1.1)
            sweep.run(db, queue.sender, deadline=time.monotonic() + 5)
        assert work(db, listener.port, job_id).stored == [job_id]
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.COMPLETE
    assert [code for (code,) in lines(postgres, "error_code")] == [None, ErrorCode.WORKER_LOST.value, None]
    assert stored_urls(postgres) == expected(1)
