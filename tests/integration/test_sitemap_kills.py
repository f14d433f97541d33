"""Sitemap workers that are killed all the time: in the end every URL is there, once, and the job is complete."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobStatus
from scrapersky.services import jobs, sitemap_scan
from support.loopback import Listener
from support.sitemap_site import HOST, generated
from support.sitemap_workers import SitemapWorkers

FILES, FEW, URLS = 12, 4, 5_000
LEASE_SECONDS = 2  # the least that a worker takes
PEAK_KIB = 192 * 1024  # of a worker, whatever it reads
CHUNK_ROWS = 500  # so that a file takes several


@contextmanager
def site_of(files: int) -> Iterator[int]:
    """The port of a site with so many files."""
    with Listener(generated(files, URLS), keep_alive=True) as listener:
        yield listener.port


def scan_under_fire(
    db: Database, postgres: TestDatabase, caller: Caller, port: int, *, kills: int, sabotage: str = "none"
) -> UUID:
    """A scan by two workers at a time, one of which is killed every second, mostly in the middle of a file."""

    def stored() -> int:
        return int(str(postgres.one("select count(*) from scrapersky.sitemap_urls")[0]))

    with SitemapWorkers(
        postgres.app_dsn,
        port,
        lease_seconds=LEASE_SECONDS,
        invocation_seconds=60,
        chunk_rows=CHUNK_ROWS,
        sabotage=sabotage,
    ) as workers:
        job_id = sitemap_scan.start(
            db, workers.sender, caller, base_url=HOST, max_pages=1_000_000, idempotency=None
        ).job_id
        is_over = workers.run(
            lambda: jobs.get(db, caller.tenant_id, job_id).status.is_final,
            at_once=2,
            seconds=90,
            kill_every=1.0,
            most_kills=kills,
            progress=stored,
            draw=random.Random(1),
        )
        workers.settle()
    assert is_over
    assert workers.figures.killed >= min(kills, 2)
    assert workers.figures.peak_kib <= PEAK_KIB
    return job_id


def counted(postgres: TestDatabase) -> tuple[object, ...]:
    """Rows, and different URLs among them."""
    return postgres.one("select count(*), count(distinct url) from scrapersky.sitemap_urls")


def test_no_url_is_lost_and_none_is_there_twice(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    with site_of(FILES) as port:
        job_id = scan_under_fire(db, postgres, caller, port, kills=6)
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
    with site_of(FEW) as port:
        scan_under_fire(db, postgres, caller, port, kills=2, sabotage="unique")
    rows, urls = counted(postgres)
    assert urls == FEW * URLS
    assert int(str(rows)) > FEW * URLS
