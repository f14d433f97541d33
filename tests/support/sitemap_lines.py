"""The work list of a sitemap scan as its lanes go over it, without a network: claims, chunks, whole reads."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from conftest import TestDatabase
from scrapersky.db import jobs, leases, sitemap_add, sitemap_ends, sitemap_store, sitemap_work
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Child, Entry, Failure, Line, Read, Site, Turn
from scrapersky.db.sitemap_store import Stored
from scrapersky.domain.jobs import Caller, Job
from scrapersky.domain.sitemaps import DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode, JobKind

LEASE = timedelta(seconds=60)
OVER = timedelta(seconds=-1)  # of a worker that is gone already
DOMAIN = "site.example"


def make_scan(db: Database, caller: Caller, *, domain: str = DOMAIN, max_pages: int = 10_000) -> UUID:
    """A pending sitemap scan."""
    job_id = uuid4()
    request = {"base_url": domain, "max_pages": max_pages}
    parameters = {
        "tenant_id": caller.tenant_id, "id": job_id, "kind": JobKind.SITEMAP_SCAN.value, "domain": domain,
        "request": request, "metadata": request, "correlation_id": "request-1", "created_by": caller.user_id,
        "hold": timedelta(seconds=15),
    }  # fmt: skip
    db.run(lambda cursor: jobs.create(cursor, parameters), tenant_id=caller.tenant_id)
    return job_id


def lead(db: Database, caller: Caller, job_id: UUID, *, lease: timedelta = LEASE) -> Site:
    """Claim the job, as the lane that leads it."""
    token = uuid4()
    (claimed,) = leases.claim(db, [job_id], kind=JobKind.SITEMAP_SCAN, token=token, lease=lease)
    assert claimed.outcome is leases.ClaimOutcome.CLAIMED
    site = sitemap_work.site(db, caller.tenant_id, job_id)
    assert site is not None
    assert site.run_token == token
    return site


def add(db: Database, site: Site, *urls: str, lanes: int = 1) -> Turn:
    """Discovery found these files."""
    files = [(url, DiscoveryMethod.ROBOTS_TXT) for url in urls]
    return sitemap_add.add(db, site, files, discovery={"cms": None}, lanes=lanes)


def scan_of(db: Database, caller: Caller, *names: str, domain: str = DOMAIN, max_pages: int = 10_000) -> Site:
    """A scan that found these files, and its leading lane."""
    site = lead(db, caller, make_scan(db, caller, domain=domain, max_pages=max_pages))
    assert add(db, site, *(address(name) for name in names or ("a",))).held
    return site


def claim(db: Database, site: Site, *, lanes: int = 1, lease: timedelta = LEASE) -> Turn:
    return sitemap_work.claim(db, site, token=uuid4(), lease=lease, lanes=lanes)


def line_of(db: Database, site: Site, *, lanes: int = 1, lease: timedelta = LEASE) -> Line:
    """The next file, which there must be."""
    line = claim(db, site, lanes=lanes, lease=lease).line
    assert line is not None
    return line


def address(name: str) -> str:
    return f"https://{DOMAIN}/{name}.xml"


def pages(*numbers: int, lastmod: str | None = "2024-01-01") -> list[Entry]:
    """Entries of pages by number."""
    return [(f"https://{DOMAIN}/page/{n}", lastmod, "daily", "0.5", 0, 0, 0, 0) for n in numbers]


def time_of(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def store(db: Database, line: Line, entries: Sequence[Entry]) -> Stored:
    return sitemap_store.store_chunk(db, line, entries, time_of=time_of, lease=LEASE)


def whole(**changes: Any) -> Read:
    """A read to the end."""
    return Read(**{"sitemap_type": SitemapType.URLSET, "status_code": 200, **changes})


def partial() -> Read:
    return whole(is_partial=True)


def truncated(by: Truncation = Truncation.URLS) -> Read:
    return whole(truncated_by=by, truncated_at="somewhere")


def index(*names: str, **changes: Any) -> Read:
    """A whole read of an index that names these files."""
    return whole(sitemap_type=SitemapType.INDEX, children=children(names), **changes)


def children(names: Iterable[str]) -> list[Child]:
    return [Child(address(name)) for name in names]


def finish(db: Database, line: Line, read: Read | None = None, *, lanes: int = 1) -> Turn:
    return sitemap_ends.finish(db, line, read or whole(), lanes=lanes)


def fail(db: Database, line: Line, code: ErrorCode = ErrorCode.HTTP_ERROR) -> Turn:
    return sitemap_ends.fail(db, line, Failure(code, "answered with status 500", status_code=500))


def read_all(db: Database, caller: Caller, entries: Sequence[Entry], read: Read | None = None) -> UUID:
    """A scan of a site with one file: its chunk, its end. Returns its job."""
    site = scan_of(db, caller)
    line = line_of(db, site)
    assert store(db, line, entries).held
    assert finish(db, line, read).ended is not None
    return site.job_id


def job_of(db: Database, site: Site) -> Job:
    job = jobs.get(db, site.tenant_id, site.job_id)
    assert job is not None
    return job


def result_of(db: Database, site: Site) -> dict[str, Any]:
    result = job_of(db, site).result
    assert result is not None
    return result


def let_leases_end(postgres: TestDatabase) -> None:
    postgres.rows("update scrapersky.sitemap_files set lease_until = now() where lease_until is not null")


def lanes_owed(postgres: TestDatabase, site: Site) -> list[object]:
    rows = postgres.rows(
        "select lane from scrapersky.outbox where job_id = %s and lane > 0 and sent_at is null order by lane",
        site.job_id,
    )
    return [lane for (lane,) in rows]
