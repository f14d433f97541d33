"""The SQL of how a file of a sitemap scan ends and, with the last one, its job.

    finish(db, line, read: Read, *, lanes) -> Turn
    not_modified(db, line, *, status_code, wire_bytes, ms, lanes) -> Turn
    fail(db, line, failure: Failure) -> Turn
    cut(db, site, *, message, detail) -> Turn

Each locks the job's row first, so of two lanes that end at the same moment the second sees the first, and ends the job.
"""

from dataclasses import asdict, fields
from typing import Any, Final

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.sitemap_add import add_children, add_known_children
from scrapersky.db.sitemap_lines import Failure, Line, Read, Site, Turn
from scrapersky.db.sitemap_settle import LAST_WHOLE, LOCK_JOB, of_line, of_site, owe_lanes, settle, turn
from scrapersky.db.sitemaps import FOUND_IN_ORDER
from scrapersky.db.values import storable_text
from scrapersky.domain.sitemaps import MAX_DEPTH, SitemapType

ROWS_AT_ONCE: Final = 30_000
"""Rows of a file that one statement counts, or marks as gone: some 300 ms, far below STATEMENT_SECONDS, and no longer
than a cancellation may wait. A file as large as the protocol allows takes two."""

# The line, when both tokens are valid. Under the lock of the job's row.
_HELD = """
  select f.*, s.read_at as before_at, s.sha256 as before_sha256
  from scrapersky.sitemap_files as f
  join scrapersky.jobs as j on j.tenant_id = f.tenant_id and j.id = f.job_id
  join scrapersky.sitemaps as s on s.tenant_id = f.tenant_id and s.id = f.sitemap_id
  where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
    and j.status = 'running' and j.lease_token = %(run_token)s
"""

_COUNT = (
    "with held as ("  # noqa: S608 - constants alone
    + _HELD
    + """), page as (
  select u.id, u.ctid as place, u.first_seen, u.last_seen, u.added_at, u.changed_at, u.removed_at,
         held.read_at, held.before_at
  from held, scrapersky.sitemap_urls as u
  where u.tenant_id = %(tenant_id)s and u.sitemap_id = %(sitemap_id)s and u.id > %(after)s
  order by u.id
  limit %(limit)s
), marked as (
  -- Nobody else writes them: whoever does holds the job.
  update scrapersky.sitemap_urls as u set removed_at = held.read_at
  from held
  where %(is_whole)s and u.ctid = any (
    array(select page.place from page where page.last_seen < page.read_at and page.removed_at is null))
  returning u.id
)
select count(*) as rows, max(id) as last,
       count(*) filter (where last_seen >= read_at) as urls,
       count(*) filter (where last_seen >= read_at and (first_seen = read_at or added_at = read_at)) as added,
       count(*) filter (where last_seen >= read_at and changed_at = read_at) as changed,
       count(*) filter (where removed_at = read_at) + (select count(*) from marked) as removed,
       count(*) filter (where first_seen <= before_at and last_seen >= before_at) as present
from page
"""
)
_COUNTS: Final = ("urls", "added", "changed", "removed", "present")

# An index some of whose files are left out, which it says already, was not read whole.
_FINISH = (
    "with held as ("  # noqa: S608 - constants alone
    + _HELD
    + """), whole as (
  select %(is_whole)s and held.truncated_by is null as is_whole from held
), read as (
  update scrapersky.sitemaps as s
  set read_at = held.read_at,
      confirmed_at = case when whole.is_whole then held.read_at else s.confirmed_at end,
      etag = case when whole.is_whole then %(etag)s end,
      last_modified = case when whole.is_whole then %(last_modified)s end,
      sha256 = case when whole.is_whole then %(sha256)s::bytea end
  from held, whole
  where s.tenant_id = held.tenant_id and s.id = held.sitemap_id
)
update scrapersky.sitemap_files as f
set status = 'complete', lease_until = null, finished_at = now(), updated_at = now(), attempt = 0,
    sitemap_type = %(sitemap_type)s, status_code = %(status_code)s,
    is_gzip = %(is_gzip)s, is_partial = %(is_partial)s,
    is_unchanged = coalesce(held.before_sha256 = %(sha256)s::bytea, false),
    etag = %(etag)s, last_modified = %(last_modified)s, sha256 = %(sha256)s,
    url_count = %(urls)s, child_count = %(child_count)s, skipped_count = %(skipped_count)s,
    has_lastmod = %(has_lastmod)s, has_priority = %(has_priority)s, has_changefreq = %(has_changefreq)s,
    image_count = %(image_count)s, video_count = %(video_count)s, news_count = %(news_count)s,
    alternate_count = %(alternate_count)s,
    added_count = case when held.before_at is not null then %(added)s end,
    changed_count = case when held.before_at is not null then %(changed)s end,
    unchanged_count = case when held.before_at is not null then %(urls)s - %(added)s - %(changed)s end,
    removed_count = case when held.before_at is not null and whole.is_whole then %(removed)s end,
    truncated_by = coalesce(%(truncated_by)s, held.truncated_by),
    truncated_at = case when %(truncated_by)s::text is not null then %(truncated_at)s else held.truncated_at end,
    wire_bytes = %(wire_bytes)s, bytes = %(bytes)s, ms = %(ms)s
from held, whole
where f.tenant_id = held.tenant_id and f.id = held.id
"""
)


def finish(db: Database, line: Line, read: Read, *, lanes: int) -> Turn:
    """End a file that was read to its end or to where it was cut, and take on what an index names.

    Its URLs are counted before, in transactions of their own.
    """
    children = read.children
    asked = {field.name: getattr(read, field.name) for field in fields(read) if field.name != "children"}
    asked |= {"truncated_by": read.truncated_by and read.truncated_by.value, "is_whole": read.is_whole}
    if children and line.depth >= MAX_DEPTH:
        asked |= {"truncated_by": "depth", "is_whole": False,
                  "truncated_at": f"{len(children)} files below {MAX_DEPTH} indexes"}  # fmt: skip
    for name in ("etag", "last_modified", "truncated_at"):
        asked[name] = asked[name] and storable_text(asked[name])
    counts = _counted(db, line, is_whole=read.is_whole)
    parameters: dict[str, Any] = of_line(line) | asked | counts | {"sitemap_type": read.sitemap_type.value}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        child_count = add_children(cursor, parameters, line, children)
        cursor.connection.execute(_FINISH, parameters | {"child_count": child_count})
        if children:
            owe_lanes(cursor, parameters, lanes)
        return settle(cursor, parameters)

    return turn(db.run(work, tenant_id=line.tenant_id).fetchone())


def _counted(db: Database, line: Line, *, is_whole: bool) -> dict[str, int]:
    """What is stored of a file, by this read and by the one before; what a whole read did not name is marked as gone.

    A million rows are too many for one transaction, which everybody who wants the job's row waits for.
    """
    parameters: dict[str, Any] = of_line(line) | {
        "sitemap_id": line.sitemap_id, "after": 0, "limit": ROWS_AT_ONCE, "is_whole": is_whole,
    }  # fmt: skip
    counts = dict.fromkeys(_COUNTS, 0)

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        cursor.connection.execute(FOUND_IN_ORDER)
        return cursor.connection.execute(_COUNT, parameters)

    while True:
        (row,) = db.run(work, tenant_id=line.tenant_id).fetchall()
        for name in _COUNTS:
            counts[name] += row[name]
        if row["rows"] < ROWS_AT_ONCE:
            return counts
        parameters["after"] = row["last"]


# What was said of it the last time holds: the rows of that read, and so its time, are this read's.
_NOT_MODIFIED = (
    "with held as ("  # noqa: S608 - constants alone
    + _HELD
    + """), before as (
  select l.* from held
  join scrapersky.sitemap_files as l on l.tenant_id = held.tenant_id and l.sitemap_id = held.sitemap_id
  join scrapersky.sitemaps as s on s.tenant_id = l.tenant_id and s.id = l.sitemap_id
  where l.job_id <> held.job_id
"""
    + LAST_WHOLE
    + """
), room as (
  select greatest(%(max_pages)s - coalesce(sum(o.url_count), 0), 0)::bigint as urls
  from scrapersky.sitemap_files as o
  where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s and o.id <> %(id)s
), confirmed as (
  update scrapersky.sitemaps as s set confirmed_at = held.read_at
  from held where s.tenant_id = held.tenant_id and s.id = held.sitemap_id
)
update scrapersky.sitemap_files as f
set status = 'complete', lease_until = null, finished_at = now(), updated_at = now(), attempt = 0,
    read_at = held.before_at, is_unchanged = true, status_code = %(status_code)s,
    sitemap_type = before.sitemap_type, is_gzip = before.is_gzip, etag = before.etag,
    last_modified = before.last_modified, sha256 = before.sha256,
    url_count = least(%(present)s, room.urls), child_count = before.child_count, skipped_count = before.skipped_count,
    has_lastmod = before.has_lastmod, has_priority = before.has_priority, has_changefreq = before.has_changefreq,
    image_count = before.image_count, video_count = before.video_count, news_count = before.news_count,
    alternate_count = before.alternate_count,
    added_count = 0, changed_count = 0, removed_count = 0, unchanged_count = least(%(present)s, room.urls),
    truncated_by = case when %(present)s > room.urls then 'urls' end,
    truncated_at = case when %(present)s > room.urls then 'after ' || room.urls || ' URLs' end,
    wire_bytes = %(wire_bytes)s, ms = %(ms)s
from held, before, room
where f.tenant_id = held.tenant_id and f.id = held.id
"""
)


def not_modified(db: Database, line: Line, *, status_code: int, wire_bytes: int, ms: int, lanes: int) -> Turn:
    """End a file that is what it was at its last whole read (`line.known`), and take on what that index named."""
    parameters: dict[str, Any] = of_line(line) | {
        "status_code": status_code, "wire_bytes": wire_bytes, "ms": ms,
    }  # fmt: skip
    parameters |= _counted(db, line, is_whole=False)
    is_index = line.known is not None and line.known.sitemap_type is SitemapType.INDEX

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        if is_index:
            add_known_children(cursor, parameters, line)
        cursor.connection.execute(_NOT_MODIFIED, parameters)
        if is_index:
            owe_lanes(cursor, parameters, lanes)
        return settle(cursor, parameters)

    return turn(db.run(work, tenant_id=line.tenant_id).fetchone())


_FAIL = """
update scrapersky.sitemap_files as f
set status = 'failed', error_code = %(code)s, error_message = %(message)s, status_code = %(status_code)s,
    wire_bytes = %(wire_bytes)s, bytes = %(bytes)s, ms = %(ms)s,
    lease_until = null, finished_at = now(), updated_at = now()
from scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
"""


def fail(db: Database, line: Line, failure: Failure) -> Turn:
    """End a file that could not be read. What is stored of it, from now or from before, stays as it is."""
    parameters: dict[str, Any] = of_line(line) | asdict(failure)
    parameters |= {"code": failure.code.value, "message": storable_text(failure.message)}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        cursor.connection.execute(_FAIL, parameters)
        return settle(cursor, parameters)

    return turn(db.run(work, tenant_id=line.tenant_id).fetchone())


_CUT = """
update scrapersky.sitemap_files as f
set status = 'failed', error_code = 'timeout', error_message = %(message)s,
    lease_until = null, lease_token = null, finished_at = now(), updated_at = now()
from scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.job_id = %(job_id)s and f.status in ('pending', 'running')
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
"""


def cut(db: Database, site: Site, *, message: str, detail: str) -> Turn:
    """End a job with what there is, for want of time: every open file fails as `timeout` with `message`.

    `detail` is what the job's result says of it, under `truncations`. Only a batch's jobs are cut: no lane joins them.
    """
    parameters = of_site(site) | {"message": message}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        cursor.connection.execute(_CUT, parameters)
        return settle(cursor, parameters, cut_detail=detail)

    return turn(db.run(work, tenant_id=site.tenant_id).fetchone(), is_alone=True)
