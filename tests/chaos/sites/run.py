"""One run: so many sites scanned by real workers, and what came of each beside what must have."""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from chaos.sites.fixture import KINDS, File, Outcome, Site
from chaos.sites.web import served
from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import jobs, sitemap_scan
from support.sitemap_workers import Figures, SitemapWorkers

TESTS = str(Path(__file__).parents[2])
PROGRAM = "chaos.sites.workers"
LEASE_SECONDS, INVOCATION_SECONDS = 30, 180.0
WORKERS, SITES_AT_A_TIME = 8, 10  # most sites of a run wait, and take no CPU
CHUNK_ROWS = 10_000  # as in the product

_JOB = """
select j.status, j.error_code, j.error_message, (j.result ->> 'total_urls')::bigint,
       (j.result ->> 'truncated')::boolean, (j.result ->> 'total_sitemaps')::bigint
from scrapersky.jobs as j where j.id = %s
"""
_FILES = """
select f.status, f.sitemap_type, f.url_count, f.error_code, f.truncated_by, f.is_partial, f.is_gzip, f.skipped_count,
       f.discovery_method, f.is_duplicate, f.url, f.error_message,
       (select count(*) from scrapersky.sitemap_urls as u
        where u.tenant_id = f.tenant_id and u.sitemap_id = f.sitemap_id) as rows
from scrapersky.sitemap_files as f where f.job_id = %s order by f.position
"""
_EXTRAS = """
select coalesce(sum(image_count), 0), coalesce(sum(video_count), 0), coalesce(sum(news_count), 0),
       coalesce(sum(alternate_count), 0)
from scrapersky.sitemap_files where job_id = %s
"""
_OPEN = """
select (select count(*) from scrapersky.jobs where finished_at is null),
       (select count(*) from scrapersky.sitemap_files where finished_at is null),
       (select count(*) from scrapersky.host_leases where until > now() and not is_pause)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one site."""

    kind: str
    site: Site
    expected: Outcome
    faults: list[str]
    told: str


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
    instead: Mapping[str, Outcome] | None = None,
    only: Collection[str] = (),
) -> Report:
    """Scan `sites` sites, of all kinds in turn or of those in `only`, and hold each to what must come of it.

    `instead` has other expectations for some kinds.
    """
    names = [name for name in KINDS if not only or name in only]
    chosen = [(names[n % len(names)], KINDS[names[n % len(names)]].site(n, seed)) for n in range(sites)]
    caller, begun = Caller(uuid4(), "chaos", "chaos"), time.monotonic()
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
        asked = []
        for name, site in chosen:
            expected = (instead or {}).get(name) or KINDS[name].make(site)[1]
            started = sitemap_scan.start(
                db, workers.sender, caller, base_url=site.host, max_pages=expected.max_pages, idempotency=None
            )
            asked.append((name, site, expected, started.job_id))

        def is_over() -> bool:
            return database.one("select count(*) from scrapersky.jobs where finished_at is null") == (0,)

        workers.run(is_over, at_once=WORKERS, at_a_time=SITES_AT_A_TIME, seconds=seconds)
        workers.settle(INVOCATION_SECONDS)
        with psycopg.connect(database.direct_dsn, autocommit=True) as stored:
            found = [
                Found(name, site, expected, *judge(stored, db, caller, job_id, expected))
                for name, site, expected, job_id in asked
            ]
    open_jobs, open_files, leases = (int(str(number)) for number in database.one(_OPEN))
    rows, told = database.one(
        "select (select count(*) from scrapersky.sitemap_urls),"
        " (select coalesce(sum((result ->> 'total_urls')::bigint), 0) from scrapersky.jobs)"
    )
    report = Report(found, open_jobs, open_files, time.monotonic() - begun, workers.figures, int(str(rows)))
    wrong = {
        f"{open_jobs} jobs are open": open_jobs,
        f"{open_files} files are open": open_files,
        f"{leases} hosts are held": leases,
        f"{rows} URLs are stored, and {told} told": rows != told,
        f"workers answered {workers.figures.failures[:3]}": workers.figures.failures,
        "URLs of another site are stored": database.one(
            "select count(*) from scrapersky.sitemap_urls as u join scrapersky.sitemaps as s"
            " on s.tenant_id = u.tenant_id and s.id = u.sitemap_id"
            " where u.url like '%not-of-the-site%' and s.domain not similar to '(redirect|robots)-elsewhere-%'"
        )
        != (0,),
    }
    report.faults = [fault for fault, is_there in wrong.items() if is_there]
    return report


def judge(
    stored: psycopg.Connection, db: Database, caller: Caller, job_id: UUID, expected: Outcome
) -> tuple[list[str], str]:
    """(what is not as it must be, what came of the scan)."""
    job = stored.execute(_JOB, [job_id]).fetchone()
    lines = stored.execute(_FILES, [job_id]).fetchall()
    extras = stored.execute(_EXTRAS, [job_id]).fetchone()
    assert job is not None
    status, code, message, total, truncated, listed = job
    faults = []

    def hold(what: str, got: object, wanted: object) -> None:
        if got != wanted:
            faults.append(f"{what}: {got}, and not {wanted}")

    hold("job", (status, code), ("failed" if expected.error else "complete", expected.error))
    got = [line for line in lines if not line[9]]
    hold("duplicates", len(lines) - len(got), expected.duplicates)
    faults += compared([file_of(line) for line in got], list(expected.files))
    for line in lines:
        hold(f"rows of {line[10]}", line[12], line[2])
    if not expected.error:
        hold("files told", listed, len(got))
        hold("URLs told", total, sum(line[2] for line in got))
        hold("truncated", truncated, expected.truncated)
    if expected.extras is not None:
        hold("extras", tuple(int(number) for number in extras or ()), expected.extras)
    seen = jobs.get(db, caller.tenant_id, job_id)
    hold("the job as its owner sees it", (seen.status.value, seen.error and seen.error.code), (status, code))
    return faults, told(status, code, message, [file_of(line) for line in got], [line[11] for line in got])


def file_of(line: Sequence[Any]) -> File:
    """A line of the database, as an expectation is written."""
    status, sitemap_type, urls, error, by, partial, is_gzip, skipped, how = line[:9]
    return File(sitemap_type, urls, error, by, partial, is_gzip, skipped, how, status)


def compared(got: list[File], wanted: list[File]) -> list[str]:
    """Each file beside one that is wanted: what is left over on either side."""
    left = list(got)
    missing = []
    for file in sorted(wanted, key=lambda file: file.most is not None):
        match = next((one for one in left if is_as(one, file)), None)
        if match is None:
            missing.append(file)
        else:
            left.remove(match)
    return [f"file that must not be: {short(file)}" for file in left] + [
        f"file that must be: {short(file)}" for file in missing
    ]


def is_as(got: File, wanted: File) -> bool:
    return (
        (got.type, got.error, got.cut, got.partial, got.gzip, got.skipped, got.how, got.ends)
        == (wanted.type, wanted.error, wanted.cut, wanted.partial, wanted.gzip, wanted.skipped, wanted.how, wanted.ends)
    ) and wanted.urls <= got.urls <= (wanted.urls if wanted.most is None else wanted.most)


def short(file: File) -> str:
    """A file in a few words."""
    urls = f"{file.urls}" if file.most is None else f"{file.urls}-{file.most}"
    words = [file.ends, file.error or "", file.type or "", f"{urls} URLs", file.how]
    words += [f"cut by {file.cut}" if file.cut else "", "partial" if file.partial else "", "gzip" if file.gzip else ""]
    words += [f"{file.skipped} skipped" if file.skipped else ""]
    return " ".join(word for word in words if word)


def told(status: str, code: str | None, message: str | None, files: list[File], messages: list[str | None]) -> str:
    """What came of a scan, in a line."""
    counted = Counter(
        f"{file.type or 'file'} {file.error or file.ends}"
        + (" partial" if file.partial else "")
        + (f" cut by {file.cut}" if file.cut else "")
        for file in files
    )
    what = ", ".join(f"{number} {name}" for name, number in counted.items()) or "no sitemap"
    reason = f" ({message})" if message else ""
    return f"{status} {code or ''}{reason}: {what}, {sum(file.urls for file in files)} URLs".replace(" :", ":")
