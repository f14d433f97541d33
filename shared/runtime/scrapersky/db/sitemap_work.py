"""The SQL of a sitemap scan's work list: read the job, claim its next file, keep it, give it back.

    site(db, tenant_id, job_id) -> Site | None
    claim(db, site, *, token, lease, lanes) -> Turn
    renew(db, line, *, lease) -> bool
    address(db, line, final_url) -> Address
    give_back(db, line) -> bool      the file is pending again; True: no other lane is at the job, it was released too
    release(db, site) -> bool        the same, of a lane that holds no file
    figures(db, tenant_id, job_id) -> Figures

Files come by `sitemap_add`:

    add(db, site, files: [(url, DiscoveryMethod)], *, discovery: {}, lanes, failure=None) -> Turn

What a file names is stored by `sitemap_store.store_chunk`. How a file, and with the last one the job, ends is in
`sitemap_ends`:

    finish(db, line, read: Read, *, lanes) -> Turn
    not_modified(db, line, *, status_code, wire_bytes, ms, lanes) -> Turn
    fail(db, line, failure: Failure) -> Turn
    cut(db, site, *, message, detail) -> Turn      every open file fails as `timeout`, the job ends with what there is

`lanes` is how many workers may be at the job's files at a time. Each call but `site` and `figures` is one transaction
that begins with the lock of the job's row, and may be carried out twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.sitemap_lines import Address, Known, Line, Site, Turn, url_hash
from scrapersky.db.sitemap_settle import LAST_WHOLE, LOCK_JOB, RENEW_JOB, of_line, of_site, settle, turn
from scrapersky.domain.sitemaps import DiscoveryMethod, SitemapType
from scrapersky.domain.status import JobStatus

MAX_FILE_ATTEMPTS: Final = 3
"""Claims of a file on which nothing came of it: one that took three workers along is at fault itself. The job's own
attempts begin anew with each claimed file, or such a file would end its whole job first."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a scan is. Files that turned out to be another are not counted."""

    found: int
    complete: int
    failed: int
    open: int
    urls: int


_SITE = """
select tenant_id, id as job_id, domain, request, status, case when status = 'running' then lease_token end as run_token,
       batch_id, correlation_id, metadata -> 'discovery' as discovery
from scrapersky.jobs
where tenant_id = %(tenant_id)s and id = %(job_id)s and kind = 'sitemap_scan'
"""


def site(db: Database, tenant_id: UUID, job_id: UUID) -> Site | None:
    """The job as it stands; None when this tenant has no such sitemap scan."""
    rows = db.query(_SITE, {"tenant_id": tenant_id, "job_id": job_id}, tenant_id=tenant_id)
    return Site(**{**rows[0], "status": JobStatus(rows[0]["status"])}) if rows else None


_GIVE_UP = """
update scrapersky.sitemap_files
set status = 'failed', error_code = 'worker_lost', error_message = 'its worker was lost ' || attempt || ' times',
    lease_until = null, lease_token = null, finished_at = now(), updated_at = now()
where tenant_id = %(tenant_id)s and job_id = %(job_id)s and attempt >= %(max_attempts)s
  and (status = 'pending' or (status = 'running' and lease_until < now() and lease_token <> %(token)s))
  and exists (
    select from scrapersky.jobs as j
    where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and j.status = 'running' and j.lease_token = %(run_token)s)
"""

_CLAIM = (
    """
with next as (
  select f.id from scrapersky.sitemap_files as f
  join scrapersky.jobs as j on j.tenant_id = f.tenant_id and j.id = f.job_id
  where f.tenant_id = %(tenant_id)s and f.job_id = %(job_id)s
    and j.status = 'running' and j.lease_token = %(run_token)s
    and (
      (f.status = 'running' and f.lease_token = %(token)s) -- this very statement, whose answer was lost
      or ((f.status = 'pending' or (f.status = 'running' and f.lease_until < now()))
        and %(lanes)s > (
          select count(*) from scrapersky.sitemap_files as o
          where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s
            and o.status = 'running' and o.lease_until >= now())
        -- What was begun is ended, however full the scan is.
        and (f.read_at is not null or %(max_pages)s > (
          select sum(o.url_count) from scrapersky.sitemap_files as o
          where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s))))
  order by f.lease_token is not distinct from %(token)s desc, f.position
  limit 1
), claimed as (
  update scrapersky.sitemap_files as f
  set status = 'running',
      attempt = f.attempt + (f.lease_token is distinct from %(token)s)::integer,
      lease_token = %(token)s,
      lease_until = now() + %(lease)s,
      started_at = coalesce(f.started_at, now()),
      -- Later than every read before, whatever became of the clock; anew when another scan has read it meanwhile.
      read_at = case when f.read_at is null or f.read_at <= s.read_at
        then greatest(now(), s.read_at + interval '1 microsecond') else f.read_at end,
      url_count = case when f.read_at <= s.read_at then 0 else f.url_count end,
      updated_at = now()
  from next, scrapersky.sitemaps as s
  where f.tenant_id = %(tenant_id)s and f.id = next.id and s.tenant_id = f.tenant_id and s.id = f.sitemap_id
  returning f.*, s.read_at is null as is_first, s.etag as known_etag, s.last_modified as known_last_modified
), worked as (
  -- The job got on: from here on it is the file that is at fault when its worker is lost.
  update scrapersky.jobs as j set attempt = 1 from claimed
  where j.tenant_id = claimed.tenant_id and j.id = claimed.job_id and j.attempt > 1
)
select claimed.*, before.sitemap_type as known_type, before.url_count as known_count
from claimed
left join lateral (
  -- What is said of a file that was not modified is what was said of it the last time, children and all.
  select l.* from scrapersky.sitemap_files as l
  join scrapersky.sitemaps as s on s.tenant_id = l.tenant_id and s.id = l.sitemap_id
  where l.tenant_id = claimed.tenant_id and l.sitemap_id = claimed.sitemap_id and l.job_id <> claimed.job_id
"""  # noqa: S608 - constants alone
    + LAST_WHOLE
    + """
) as before on (claimed.known_etag is not null or claimed.known_last_modified is not null)
  and claimed.url_count = 0
  and before.child_count = (
    select count(*) from scrapersky.sitemap_files as c
    where c.tenant_id = before.tenant_id and c.parent_id = before.id)
"""
)


def claim(db: Database, site: Site, *, token: UUID, lease: timedelta, lanes: int) -> Turn:
    """Claim the job's next file under `token`, which no other claim may have; the job's lease is renewed with it.

    At most `lanes` files are in work at a time. Files that took too many workers along fail here; the job ends when
    there is none left.
    """
    parameters = of_site(site) | {
        "token": token, "lease": lease, "lanes": lanes, "max_attempts": MAX_FILE_ATTEMPTS,
    }  # fmt: skip

    def work(cursor: Cursor) -> tuple[Cursor, Cursor]:
        execute = cursor.connection.execute
        execute(LOCK_JOB, parameters)
        execute(_GIVE_UP, parameters)
        claimed = execute(_CLAIM, parameters)
        execute(RENEW_JOB, parameters)
        return claimed, settle(cursor, parameters)

    claimed, settled = db.run(work, tenant_id=site.tenant_id)
    row = claimed.fetchone()
    return turn(settled.fetchone(), _line(row, site) if row else None)


def _line(row: Mapping[str, Any], site: Site) -> Line:
    known = None
    if row["known_type"] is not None:
        known = Known(SitemapType(row["known_type"]), row["known_count"], row["known_etag"], row["known_last_modified"])
    assert site.run_token is not None  # noqa: S101 - a claim of a job that nobody holds finds nothing
    return Line(
        tenant_id=row["tenant_id"], job_id=row["job_id"], run_token=site.run_token, token=row["lease_token"],
        id=row["id"], sitemap_id=row["sitemap_id"], domain=row["domain"], url=row["url"], depth=row["depth"],
        position=row["position"], discovery_method=DiscoveryMethod(row["discovery_method"]), attempt=row["attempt"],
        read_at=row["read_at"], url_count=row["url_count"], known=known, max_pages=site.max_pages,
        is_first=row["is_first"] and row["url_count"] == 0,
    )  # fmt: skip


RENEW_LINE = """
update scrapersky.sitemap_files as f
set lease_until = now() + %(lease)s
from scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
returning f.id
"""


def renew(db: Database, line: Line, *, lease: timedelta) -> bool:
    """Keep the file and its job; False when either was cancelled or taken over."""
    parameters = of_line(line) | {"lease": lease}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        renewed = cursor.connection.execute(RENEW_LINE, parameters)
        cursor.connection.execute(RENEW_JOB, parameters)
        return renewed

    return db.run(work, tenant_id=line.tenant_id).fetchone() is not None


# Another file's own address counts before who came first: whose URLs they are must not hang on which lane is faster.
_ADDRESS = """
with other as (
  select exists (
    select from scrapersky.sitemap_files as o
    where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s and o.id <> %(id)s and not o.is_duplicate
      and (o.url_hash = %(final_hash)s or o.final_hash = %(final_hash)s)) as is_known
)
update scrapersky.sitemap_files as f
set final_url = %(final_url)s, final_hash = %(final_hash)s, is_duplicate = other.is_known,
    status = case when other.is_known then 'complete' else f.status end,
    lease_until = case when other.is_known then null else f.lease_until end,
    finished_at = case when other.is_known then now() end,
    updated_at = now()
from other, scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.lease_token = %(token)s
  and (f.status = 'running' or f.is_duplicate) -- this very statement, whose answer was lost
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
returning f.is_duplicate
"""


def address(db: Database, line: Line, final_url: str) -> Address:
    """Note where a file was found in the end; one that another file of the job stands for ends here.

    A duplicate's lane asks for its next file, and that call ends the job when there is none.
    """
    parameters = of_line(line) | {"final_url": final_url, "final_hash": url_hash(final_url)}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        return cursor.connection.execute(_ADDRESS, parameters)

    row = db.run(work, tenant_id=line.tenant_id).fetchone()
    if row is None:
        return Address.LOST
    return Address.DUPLICATE if row["is_duplicate"] else Address.OWN


_GIVE_BACK = """
update scrapersky.sitemap_files as f
set status = 'pending', attempt = greatest(f.attempt - 1, 0), lease_token = null, lease_until = null, updated_at = now()
from scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
"""

_RELEASE = """
select scrapersky.release_jobs(array[%(job_id)s::uuid], %(run_token)s) as released
where not exists (
  select from scrapersky.sitemap_files as f
  where f.tenant_id = %(tenant_id)s and f.job_id = %(job_id)s and f.status = 'running' and f.lease_until >= now())
"""


def give_back(db: Database, line: Line) -> bool:
    """Leave the file to whoever comes next: what is stored stays, and the claim does not count as an attempt.

    True: no other lane is at the job, so it was released too, and a message is owed to it unless it is a batch's.
    """
    parameters = of_line(line)

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        cursor.connection.execute(_GIVE_BACK, parameters)
        return cursor.connection.execute(_RELEASE, parameters)

    row = db.run(work, tenant_id=line.tenant_id).fetchone()
    return row is not None and bool(row["released"])


def release(db: Database, site: Site) -> bool:
    """Leave the job to whoever comes next, unless another lane is at one of its files; True: it was released."""
    parameters = of_site(site)

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        return cursor.connection.execute(_RELEASE, parameters)

    row = db.run(work, tenant_id=site.tenant_id).fetchone()
    return row is not None and bool(row["released"])


_FIGURES = """
select count(*) as found,
       count(*) filter (where f.status = 'complete') as complete,
       count(*) filter (where f.status = 'failed') as failed,
       count(*) filter (where f.status in ('pending', 'running') and j.status in ('pending', 'running')) as open,
       coalesce(sum(f.url_count), 0)::bigint as urls
from scrapersky.jobs as j
join scrapersky.sitemap_files as f on f.tenant_id = j.tenant_id and f.job_id = j.id
where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and not f.is_duplicate
"""


def figures(db: Database, tenant_id: UUID, job_id: UUID) -> Figures:
    """How far the scan is, or how it ended; all zero for a job that this tenant does not have."""
    return Figures(**db.query(_FIGURES, {"tenant_id": tenant_id, "job_id": job_id}, tenant_id=tenant_id)[0])
