"""Sitemap workers that are killed all the time: in the end every URL is there, once, and the job is complete."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest

from conftest import APP_ROLE, TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import sitemap_store
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobStatus
from scrapersky.services import jobs, sitemap_reading, sitemap_scan
from scrapersky.services.sitemap_work import Tally
from support.loopback import Listener, response
from support.sitemap_scans import lines, start, stored_urls, work
from support.sitemap_site import HOST, INDEX, Table, generated, page_url, robots, urlset, xml
from support.sitemap_workers import SitemapWorkers

FILES, FEW, URLS = 12, 4, 5_000
LEASE_SECONDS = 2  # the least that a worker takes
PEAK_KIB = 192 * 1024  # of a worker, whatever it reads
CHUNK_ROWS = 500  # so that a file takes several


PIECE = 32 * 1024  # of a file that drips: some 200 URLs


@contextmanager
def site_of(files: int, *, drips: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """The port of a site with so many files, which come piece by piece for as long as it `drips`."""
    whole = generated(files, URLS)

    def answer(path: str) -> Iterator[bytes]:
        for sent in whole(path):
            for at in range(0, len(sent), PIECE):
                if drips():
                    time.sleep(0.2)
                yield sent[at : at + PIECE]

    with Listener(answer, keep_alive=True) as listener:
        yield listener.port


def scan_under_fire(
    db: Database, postgres: TestDatabase, caller: Caller, *, files: int, kills: int, sabotage: str = "none"
) -> UUID:
    """A scan by two workers at a time, one of which is killed every second, mostly in the middle of a file.

    The site is slow until enough of them were killed for something to be shown.
    """
    enough, shown = min(kills, 2), threading.Event()

    def stored() -> int:
        return int(str(postgres.one("select count(*) from scrapersky.sitemap_urls")[0]))

    with (
        site_of(files, drips=lambda: not shown.is_set()) as port,
        SitemapWorkers(
            postgres.app_dsn,
            port,
            lease_seconds=LEASE_SECONDS,
            invocation_seconds=60,
            chunk_rows=CHUNK_ROWS,
            sabotage=sabotage,
        ) as workers,
    ):
        job_id = sitemap_scan.start(
            db, workers.sender, caller, base_url=HOST, max_pages=1_000_000, idempotency=None
        ).job_id

        def is_final() -> bool:
            if workers.figures.killed >= enough:
                shown.set()
            return jobs.get(db, caller.tenant_id, job_id).status.is_final

        is_over = workers.run(
            is_final,
            at_once=2,
            seconds=90,
            kill_every=1.0,
            most_kills=kills,
            progress=stored,
            draw=random.Random(1),
        )
        workers.settle()
    assert is_over
    assert workers.figures.killed >= enough
    assert workers.figures.peak_kib <= PEAK_KIB
    return job_id


def counted(postgres: TestDatabase) -> tuple[object, ...]:
    """Rows, and different URLs among them."""
    return postgres.one("select count(*), count(distinct url) from scrapersky.sitemap_urls")


def test_no_url_is_lost_and_none_is_there_twice(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    job_id = scan_under_fire(db, postgres, caller, files=FILES, kills=6)
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.COMPLETE
    assert job.result is not None
    assert (job.result["total_sitemaps"], job.result["total_urls"]) == (FILES + 1, FILES * URLS)
    assert counted(postgres) == (FILES * URLS, FILES * URLS)
    assert postgres.rows(
        "select distinct status, url_count from scrapersky.sitemap_files where sitemap_type = 'urlset'"
    ) == [("complete", URLS)]


def test_control_where_nothing_is_unique_a_killed_worker_leaves_urls_twice(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    scan_under_fire(db, postgres, caller, files=FEW, kills=2, sabotage="unique")
    rows, urls = counted(postgres)
    assert urls == FEW * URLS
    assert int(str(rows)) > FEW * URLS


def test_connections_that_are_cut_all_the_time_cost_no_url_and_no_attempt(
    db: Database, queue: ScanQueue, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction is carried out once, in whole, whichever of its statements the cut came between."""
    monkeypatch.setattr(sitemap_reading, "CHUNK_ROWS", 500)
    job_id, over, cuts = start(db, queue, caller), threading.Event(), []

    def cut() -> None:
        while not over.wait(0.1):
            cuts.extend(
                postgres.rows(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and usename = %s",
                    postgres.name,
                    APP_ROLE,
                )
            )

    cutter = threading.Thread(target=cut)
    with site_of(FEW) as port:
        cutter.start()
        try:
            assert work(db, port, job_id).stored == [job_id]
        finally:
            over.set()
            cutter.join()
    assert len(cuts) >= 3
    assert counted(postgres) == (FEW * URLS, FEW * URLS)
    assert set(lines(postgres, "status", "url_count")) == {("complete", 0), ("complete", URLS)}


FENCES = (
    "and f.status = 'running' and f.lease_token = %(token)s",
    "and j.status = 'running' and j.lease_token = %(run_token)s",
)


@pytest.mark.parametrize("is_fenced", [True, False], ids=["fenced", "control"])
def test_a_worker_that_slept_through_its_lease_stores_nothing_more(
    is_fenced: bool,
    db: Database,
    queue: ScanQueue,
    caller: Caller,
    postgres: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another has read the file meanwhile, in which there is less now; without the fence it would be put back."""
    if not is_fenced:
        statement = sitemap_store._MERGE_SENT
        for fence in FENCES:
            assert fence in statement
            statement = statement.replace(fence, "")
        monkeypatch.setattr(sitemap_store, "_MERGE_SENT", statement)
    before, after = (urlset(page_url(0, place) for place in range(count)) for count in (900, 90))
    asked, goes_on = [], threading.Event()

    class Answer:
        def __iter__(self) -> Iterator[bytes]:
            asked.append(time.monotonic())
            if len(asked) > 1:
                yield xml(after)
                return
            yield response(before[:9000], content_type="application/xml", length=len(before))
            goes_on.wait(30)
            yield before[9000:]

    job_id = start(db, queue, caller)
    tallies: list[Tally] = []
    table = Table({"/robots.txt": robots(INDEX), "/sitemap.xml": Answer()})
    with Listener(table, keep_alive=True) as listener, Database(postgres.app_dsn) as other:
        monkeypatch.setattr(sitemap_reading, "RENEW_SECONDS", 3600.0)
        late = threading.Thread(
            target=lambda: tallies.append(work(other, listener.port, job_id, lease=timedelta(hours=4)))
        )
        late.start()
        while not asked or not stored_urls(postgres):
            time.sleep(0.02)
        for table_name in ("jobs", "sitemap_files"):
            postgres.rows(f"update scrapersky.{table_name} set lease_until = now() where status = 'running'")
        postgres.rows("update scrapersky.host_leases set until = now()")
        assert work(db, listener.port, job_id).stored == [job_id]
        goes_on.set()
        late.join()
    if is_fenced:
        assert tallies[0].fenced == [job_id]
        assert lines(postgres, "status", "url_count") == [("complete", 90)]
    assert (len(stored_urls(postgres)) < 900) is is_fenced
