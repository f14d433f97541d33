"""What becomes of a sitemap scan when time is up, the database does not answer or workers are lost."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
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
from scrapersky.queues import Message, Sender
from scrapersky.services import jobs, sitemap_lane, sitemap_work, sweep
from scrapersky.services.sitemap_work import STORE_SECONDS
from support.loopback import Listener, response
from support.sitemap_scans import LEASE, lines, start, stored_urls, work
from support.sitemap_site import HOST, INDEX, Table, file_url, page_urls, robots, site_of, urlset, xml

ENOUGH = STORE_SECONDS + sitemap_lane.MIN_FILE_SECONDS  # with less than this nothing is begun


def expected(*numbers: int) -> list[str]:
    return sorted(url for number in numbers for url in page_urls(number))


def discover(db: Database, port: int, job_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invocation that has time for the discovery alone, so that all the time of the next one is for files."""
    with monkeypatch.context() as patch:
        patch.setattr(sitemap_lane, "MIN_FILE_SECONDS", float("inf"))
        assert work(db, port, job_id).released == [job_id]


def test_what_no_time_is_left_for_goes_on_in_the_next_invocation(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start(db, queue, caller)
    table = Table(site_of(*range(6), pause=0.5))
    with Listener(table, keep_alive=True) as listener:
        discover(db, listener.port, job_id, monkeypatch)
        first = work(db, listener.port, job_id, seconds=ENOUGH + 2.5)
        assert first.released == [job_id]
        done = len(stored_urls(postgres))
        assert 0 < done < 18
        assert postgres.one("select status, attempt, lease_token from scrapersky.jobs") == ("pending", 0, None)
        assert {row[0] for row in lines(postgres, "status")} == {"complete", "pending"}
        assert postgres.one("select count(*) from scrapersky.outbox where sent_at is null and lane = 0") == (1,)
        asked = table.asked()
        assert work(db, listener.port, job_id).stored == [job_id]
    again = table.asked()[len(asked) :]
    assert [path for path in again if path.startswith("/sitemap-")] == [
        f"/sitemap-{number}.xml" for number in range(done // 3, 6)
    ]
    assert "/" not in again  # discovered once
    assert stored_urls(postgres) == expected(*range(6))
    assert jobs.get(db, caller.tenant_id, job_id).attempt == 1


class Watching(Sender):
    """Sends, and remembers how the host stood then: no row at all, asked by a worker (False) or left alone (True)."""

    def __init__(self, sender: Sender, postgres: TestDatabase) -> None:
        self._sender = sender
        self._postgres = postgres
        self.seen: list[object] = []

    def send(self, messages: Sequence[Message]) -> tuple[list[int], dict[int, str]]:
        self.seen += self._postgres.rows("select is_pause and until > now() from scrapersky.host_leases")
        return self._sender.send(messages)


def test_whoever_goes_on_is_called_when_the_host_is_left_alone_already(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = start(db, queue, caller)
    watching = Watching(queue.sender, postgres)
    with Listener(Table(site_of(*range(9), rules="Crawl-delay: 2")), keep_alive=True) as listener:
        tally = work(db, listener.port, job_id, seconds=ENOUGH + 7, sender=watching)
    assert tally.released == [job_id]
    assert watching.seen == [(True,)]


def test_a_file_that_outlasts_its_invocation_is_given_back_with_what_is_stored_of_it(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not had all of its time, since the discovery had some; in a new invocation it will."""
    monkeypatch.setattr(sitemap_lane, "MIN_FILE_SECONDS", 0.0)
    monkeypatch.setattr(sitemap_work, "MIN_FILE_SECONDS", 0.0)
    body, reads = urlset(page_urls(0, 600)), []

    class Slow:
        def __iter__(self) -> Iterator[bytes]:
            reads.append(time.monotonic())
            yield response(content_type="application/xml", length=len(body))
            for at in range(0, len(body), 8192):
                yield body[at : at + 8192]
                time.sleep(0.5 if len(reads) == 1 else 0)

    job_id = start(db, queue, caller)
    with Listener(Table({"/robots.txt": robots(INDEX), "/sitemap.xml": Slow()}), keep_alive=True) as listener:
        assert work(db, listener.port, job_id, seconds=STORE_SECONDS + 4.5).released == [job_id]
        kept = stored_urls(postgres)
        assert 0 < len(kept) < 600
        assert lines(postgres, "status", "attempt", "url_count") == [("pending", 0, len(kept))]
        (before,) = lines(postgres, "read_at")
        assert work(db, listener.port, job_id).stored == [job_id]
    assert stored_urls(postgres) == sorted(page_urls(0, 600))
    assert lines(postgres, "status", "truncated_by", "url_count", "read_at") == [("complete", None, 600, *before)]


def test_a_file_that_has_had_all_its_time_is_cut_and_says_where(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invocation's first file is given all of it but what the next would need."""
    body = urlset(page_urls(0, 600))

    class Endless:
        def __iter__(self) -> Iterator[bytes]:
            yield response(content_type="application/xml", length=len(body))
            for at in range(0, len(body), 8192):
                yield body[at : at + 8192]
                time.sleep(0.4)

    job_id = start(db, queue, caller)
    with Listener(Table({"/robots.txt": robots(INDEX), "/sitemap.xml": Endless()}), keep_alive=True) as listener:
        discover(db, listener.port, job_id, monkeypatch)
        tally = work(db, listener.port, job_id, seconds=ENOUGH + 2)
    assert tally.stored == [job_id]
    ((status, by, where, count),) = lines(postgres, "status", "truncated_by", "truncated_at", "url_count")
    assert (status, by) == ("complete", "seconds")
    assert 0 < count < 600
    assert where.startswith(f"after {count} URLs, ")


def test_a_batchs_site_ends_when_its_time_is_up_with_what_there_is(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start(db, queue, caller)
    with Listener(Table(site_of(*range(12), pause=0.5)), keep_alive=True) as listener:
        discover(db, listener.port, job_id, monkeypatch)
        for module in (sitemap_work, sitemap_lane):
            monkeypatch.setattr(module, "SITE_SECONDS", 2.0)
            monkeypatch.setattr(module, "MIN_FILE_SECONDS", 0.1)
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
    pages["/sitemap.xml"] = xml(urlset(page_urls(0)))
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
