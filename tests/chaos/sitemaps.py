"""A sitemap scan as large as one likes: an index of files that are made while they are sent, read by worker processes.

    python tests/chaos/sitemaps.py [--files 100] [--urls 50000] [--gzip] [--workers 2] [--sites 1]
        [--kill-every SECONDS]

Postgres, PgBouncer and the worker's function are real; the site is a process of its own, so that the workers' memory
and CPU are theirs alone. With `--kill-every` a worker is killed that often, and what it took along comes to another
when its lease is over. With `--sites` each invocation of one process reads that many sites at once, as for a batch.
Prints the time from the first file's first byte to the first stored row, the exact count, the peak of memory and the
CPU of the whole path (fetch, inflate, parse, hash, store). Ends with 1 when a URL is lost or there twice, when the
first row takes 2 seconds or longer, or a worker more than 192 MiB.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

sys.path[0] = str(Path(__file__).parents[1])

from chaos.run import cluster, fresh
from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import jobs, sitemap_scan
from support.arguments import positive
from support.sitemap_site import HOST
from support.sitemap_workers import TESTS, Figures, SitemapWorkers

INVOCATION_SECONDS = 300.0  # as in the template
LEASE_SECONDS, BRIEF_LEASE_SECONDS = 60, 3  # as in the template; short where workers are killed
FIRST_ROW_SECONDS = 2.0
PEAK_MIB = 192.0
PER_URLS = 500_000


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    is_over: bool
    seconds: float
    first_row_seconds: float
    expected: int
    rows: int
    urls: int
    told: int
    figures: Figures

    @property
    def peak_mib(self) -> float:
        return self.figures.peak_kib / 1024

    @property
    def is_exact(self) -> bool:
        return self.is_over and self.rows == self.urls == self.told == self.expected

    @property
    def holds(self) -> bool:
        return self.is_exact and self.first_row_seconds < FIRST_ROW_SECONDS and self.peak_mib <= PEAK_MIB


@contextmanager
def served(files: int, urls: int, first_byte: Path, form: str) -> Iterator[int]:
    """The port of a site with so many files, in a process of its own."""
    command = [sys.executable, "-m", "support.sitemap_site", str(files), str(urls), str(first_byte), form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TESTS, text=True) as site:
        assert site.stdout is not None
        try:
            yield int(site.stdout.readline())
        finally:
            site.kill()


class FirstRow(threading.Thread):
    """Looks for the first stored URL, a hundred times a second; `at` is when it was seen."""

    def __init__(self, database: TestDatabase) -> None:
        super().__init__(daemon=True)
        self.at: float | None = None
        self.over = threading.Event()
        self._database = database

    def run(self) -> None:
        while self.at is None and not self.over.wait(0.01):
            if self._database.rows("select 1 from scrapersky.sitemap_urls limit 1"):
                self.at = time.time()


def run(database: TestDatabase, options: argparse.Namespace, first_byte: Path) -> Run:
    caller = Caller(uuid4(), "chaos", "chaos")
    domains = [HOST, *(f"shop-{number}.example" for number in range(1, options.sites))]
    killed = options.kill_every
    with (
        served(options.files, options.urls, first_byte, "gzip" if options.gzip else "plain") as port,
        Database(database.app_dsn) as db,
        SitemapWorkers(
            database.app_dsn,
            port,
            lease_seconds=BRIEF_LEASE_SECONDS if killed else LEASE_SECONDS,
            invocation_seconds=INVOCATION_SECONDS,
        ) as workers,
    ):
        first, begun = FirstRow(database), time.monotonic()
        first.start()
        job_ids = [start(db, workers, caller, domain, 2 * options.files * options.urls) for domain in domains]
        is_over = workers.run(
            lambda: all(jobs.get(db, caller.tenant_id, job_id).status.is_final for job_id in job_ids),
            at_once=options.workers,
            at_a_time=options.sites,
            seconds=options.seconds,
            kill_every=killed,
            progress=lambda: stored(database),
        )
        seconds = time.monotonic() - begun
        workers.settle()
        first.over.set()
        first.join()
        told = sum(total_urls(db, caller.tenant_id, job_id) for job_id in job_ids)
    rows, urls = database.one("select count(*), count(distinct (sitemap_id, url)) from scrapersky.sitemap_urls")
    expected = options.files * options.urls * options.sites
    waited = (first.at or float("inf")) - float(first_byte.read_text())
    return Run(is_over, seconds, waited, expected, int(str(rows)), int(str(urls)), told, workers.figures)


def start(db: Database, workers: SitemapWorkers, caller: Caller, domain: str, max_pages: int) -> UUID:
    """A job as the API makes it, but for its size: an HTTP request may ask for a million URLs at the most."""
    return sitemap_scan.start(db, workers.sender, caller, base_url=domain, max_pages=max_pages, idempotency=None).job_id


def stored(database: TestDatabase) -> int:
    (urls,) = database.one("select coalesce(sum(url_count), 0) from scrapersky.sitemap_files")
    return int(str(urls))


def total_urls(db: Database, tenant_id: UUID, job_id: UUID) -> int:
    """What the job itself says; 0 when it has no result."""
    result = jobs.get(db, tenant_id, job_id).result
    return int(result["total_urls"]) if result else 0


def report(found: Run) -> str:
    figures = found.figures
    share = PER_URLS / found.expected
    lines = {
        "URLs expected, rows, different, told": f"{found.expected} {found.rows} {found.urls} {found.told}",
        "first byte to first stored row": f"{found.first_row_seconds:.2f} s",
        "whole run": f"{found.seconds:.1f} s, {found.expected / found.seconds:,.0f} URLs a second",
        "invocations": f"{figures.begun} begun, {figures.killed} killed, {figures.answered} answered",
        "largest worker (VmHWM)": f"{found.peak_mib:.0f} MiB",
        f"worker CPU per {PER_URLS:,} URLs": f"{figures.cpu_seconds * share:.2f} s"
        + (" (of those that lived)" if figures.killed else ""),
        "answers that were not as they should be": f"{len(figures.failures)} {figures.failures[:3] or ''}",
    }
    return "\n".join(f"{name:42} {value}" for name, value in lines.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=positive, default=100, help="files that the index names (100)")
    parser.add_argument("--urls", type=positive, default=50_000, help="URLs of each file (50000, the protocol's most)")
    parser.add_argument("--gzip", action="store_true", help="send the files as gzip (plain)")
    parser.add_argument("--workers", type=positive, default=2, help="worker processes at a time (2)")
    parser.add_argument("--sites", type=positive, default=1, help="sites, all read by each invocation at once (1)")
    parser.add_argument("--kill-every", type=float, default=None, help="seconds between two kills (none is killed)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="when a run that is not over is given up (3600)")
    options = parser.parse_args()
    with cluster() as running, tempfile.TemporaryDirectory() as folder:
        found = run(fresh(running), options, Path(folder) / "first-byte")
    print(report(found), "holds" if found.holds else "does not hold", sep="\n")
    return 0 if found.holds else 1


if __name__ == "__main__":
    sys.exit(main())
