"""One run: so many sites scanned by real workers, and what came of each beside what must have."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

from chaos.sites.fixture import KINDS, Outcome, Site
from chaos.sites.judge import judge
from chaos.sites.web import served
from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import sitemap_scan
from support.sitemap_workers import Figures, SitemapWorkers

TESTS = str(Path(__file__).parents[2])
PROGRAM = "chaos.sites.workers"
LEASE_SECONDS, INVOCATION_SECONDS = 30, 180.0
WORKERS, SITES_AT_A_TIME = 6, 10  # most sites of a run wait, and take no CPU
CHUNK_ROWS = 10_000  # as in the product

_OPEN = """
select (select count(*) from scrapersky.jobs where finished_at is null),
       (select count(*) from scrapersky.sitemap_files where finished_at is null),
       (select count(*) from scrapersky.host_leases where until > now() and not is_pause),
       (select count(*) from scrapersky.sitemap_urls)
"""
_FOREIGN = """
select count(*) from scrapersky.sitemap_urls as u
join scrapersky.sitemaps as s on s.tenant_id = u.tenant_id and s.id = u.sitemap_id
where u.url like '%not-of-the-site%' and s.domain not similar to '(redirect|robots)-elsewhere-%'
"""


@dataclass(slots=True)
class Found:
    """What came of one site: what is not as it must be, and each scan in a line."""

    kind: str
    site: Site
    expected: Outcome
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What a run came to."""

    found: list[Found]
    open_jobs: int
    open_files: int
    seconds: float
    figures: Figures
    rows: int
    faults: list[str] = field(default_factory=list)
    """Of the run as a whole."""

    @property
    def truthful(self) -> int:
        return sum(not one.faults for one in self.found)

    @property
    def holds(self) -> bool:
        return self.truthful == len(self.found) and not self.faults

    def by_kind(self) -> Iterator[tuple[str, list[Found]]]:
        for name in KINDS:
            if sites := [one for one in self.found if one.kind == name]:
                yield name, sites


def run(
    database: TestDatabase,
    *,
    sites: int,
    seed: int,
    seconds: float,
    scans: int = 1,
    instead: Mapping[str, Outcome] | None = None,
    only: Collection[str] = (),
) -> Report:
    """Scan `sites` sites, of all kinds in turn or of those in `only`, and hold each to what must come of it.

    All are scanned once, and then `scans` is 2 for all to be scanned again. `instead` has other expectations for some
    kinds. A round that is not over after `seconds` is given up.
    """
    names = [name for name in KINDS if not only or name in only]
    chosen = [(names[n % len(names)], KINDS[names[n % len(names)]].site(n, seed)) for n in range(sites)]
    found = [Found(name, site, (instead or {}).get(name) or KINDS[name].make(site)[1]) for name, site in chosen]
    begun, faults = time.monotonic(), []
    with (
        served(seed, TESTS) as port,
        Database(database.app_dsn) as db,
        SitemapWorkers(
            database.app_dsn,
            port,
            lease_seconds=LEASE_SECONDS,
            invocation_seconds=INVOCATION_SECONDS,
            chunk_rows=CHUNK_ROWS,
            program=PROGRAM,
        ) as workers,
    ):
        caller = Caller(uuid4(), "chaos", "chaos")
        for number in range(scans):
            expected = [one.expected.next if number else one.expected for one in found]
            job_ids = [
                sitemap_scan.start(
                    db, workers.sender, caller, base_url=one.site.host, max_pages=of.max_pages, idempotency=None
                ).job_id
                for one, of in zip(found, expected, strict=True)
            ]
            workers.run(
                lambda: is_over(database) or bool(workers.figures.failures),
                at_once=WORKERS,
                at_a_time=SITES_AT_A_TIME,
                seconds=seconds,
            )
            workers.settle(INVOCATION_SECONDS)
            with psycopg.connect(database.direct_dsn, autocommit=True) as stored:
                for one, of, job_id in zip(found, expected, job_ids, strict=True):
                    wrong, told = judge(stored, db, caller, job_id, of)
                    one.faults += [f"scan {number + 1}: {fault}" for fault in wrong]
                    one.told.append(told)
            faults += [f"scan {number + 1}: {fault}" for fault in wrong_as_a_whole(database, is_first=not number)]
            if not is_over(database):
                break
    faults += [f"a worker answered {failure}" for failure in workers.figures.failures[:3]]
    open_jobs, open_files, _, rows = (int(str(number)) for number in database.one(_OPEN))
    return Report(found, open_jobs, open_files, time.monotonic() - begun, workers.figures, rows, faults)


def is_over(database: TestDatabase) -> bool:
    return database.one("select count(*) from scrapersky.jobs where finished_at is null") == (0,)


def wrong_as_a_whole(database: TestDatabase, *, is_first: bool) -> list[str]:
    """What must not be after a round, whichever site it is of."""
    open_jobs, open_files, hosts, rows = database.one(_OPEN)
    (told,) = database.one("select coalesce(sum((result ->> 'total_urls')::bigint), 0) from scrapersky.jobs")
    (foreign,) = database.one(_FOREIGN)
    wrong = {
        f"{open_jobs} jobs are open": open_jobs,
        f"{open_files} files are open": open_files,
        f"{hosts} hosts are held": hosts,
        f"{rows} URLs are stored, and {told} told": is_first and rows != told,
        f"{foreign} URLs of another site are stored": foreign,
    }
    return [fault for fault, is_there in wrong.items() if is_there]
