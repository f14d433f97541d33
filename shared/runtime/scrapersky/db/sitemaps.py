"""The SQL of sitemap scans as a tenant reads them: files, the URLs they name, what changed in them."""

from collections.abc import Mapping
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from scrapersky.db.connection import Database
from scrapersky.db.jobs import job_error
from scrapersky.domain.sitemap_views import SitemapFile, SitemapUrl, UrlChange, UrlState
from scrapersky.domain.sitemaps import Change, DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import JobStatus

_FILE = """
select id, job_id, domain, parent_id, depth, position, url, final_url, discovery_method, sitemap_type, status,
       status_code, is_gzip, is_unchanged, is_partial, url_count, child_count, skipped_count, has_lastmod, has_priority,
       has_changefreq, image_count, video_count, news_count, alternate_count, added_count, changed_count, removed_count,
       unchanged_count, truncated_by, truncated_at, error_code, error_message, wire_bytes, bytes, ms, created_at,
       started_at, finished_at
from scrapersky.sitemap_files
where tenant_id = %(tenant_id)s and not is_duplicate
"""
_GET = _FILE + " and id = %(id)s"
_FILTERED = (
    _FILE
    + """
  and (%(domain)s::text is null or domain = %(domain)s)
  and (%(sitemap_type)s::text is null or sitemap_type = %(sitemap_type)s)
  and (%(status)s::text is null or status = %(status)s)
"""
)
_OF_A_SCAN = (
    _FILTERED
    + """
  and job_id = %(job_id)s and position > %(after)s
order by position
limit %(limit)s
"""
)
_NEWEST = (
    _FILTERED
    + """
  and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s
"""
)

# Of a scan's files or of one alone, those from the cursor on.
_FILES = """
from scrapersky.sitemap_files as f
cross join lateral (
  select u.* from scrapersky.sitemap_urls as u
  where u.tenant_id = f.tenant_id and u.sitemap_id = f.sitemap_id
    and u.id > case when f.position = %(position)s then %(id)s::bigint else 0 end
"""
_IN_ORDER = """
  order by u.id
  limit %(limit)s
) as u
where f.tenant_id = %(tenant_id)s and not f.is_duplicate
  and (%(job_id)s::uuid is null or f.job_id = %(job_id)s)
  and (%(file_id)s::uuid is null or f.id = %(file_id)s)
  and f.position >= %(position)s
"""
_LIMITED = """
order by f.position, u.id
limit %(limit)s
"""

# What a read named it has seen, but for one that was told that nothing is new.
_NAMED = """
    and case %(state)s
      when 'present' then u.first_seen <= f.read_at and (
        u.last_seen >= f.read_at or f.is_unchanged and (u.removed_at is null or u.removed_at > f.read_at))
      when 'removed' then u.removed_at <= f.read_at
      else u.first_seen <= f.read_at
    end
"""
# A read that stored nothing, because it failed, has seen nothing of what others found before and after it.
_STORED = " and (f.url_count > 0 or %(state)s <> 'present')"
NAMED = _FILES + _NAMED + _IN_ORDER + _STORED + _LIMITED
_URLS = (
    "select u.id, f.position, f.id as sitemap_id, f.url as sitemap_url, u.url, u.lastmod, u.changefreq, u.priority,"
    " u.image_count, u.video_count, u.news_count, u.alternate_count, u.first_seen, u.last_seen, u.removed_at" + NAMED
)

# Against the read before: a file that has none has no such counts, and is not looked at.
_ADDED = _FILES + " and (u.first_seen = f.read_at or u.added_at = f.read_at)" + _IN_ORDER + " and f.added_count > 0"
_REMOVED = _FILES + " and u.removed_at = f.read_at" + _IN_ORDER + " and f.removed_count > 0"
_CHANGED = _FILES + " and u.changed_at = f.read_at" + _IN_ORDER + " and f.changed_count > 0"
_CHANGE = "select u.id, f.position, f.id as sitemap_id, f.url as sitemap_url, u.url,"
_CHANGES: dict[Change, LiteralString] = {
    Change.ADDED: _CHANGE + " u.lastmod, null as previous_lastmod" + _ADDED + _LIMITED,
    Change.REMOVED: _CHANGE + " null as lastmod, u.lastmod as previous_lastmod" + _REMOVED + _LIMITED,
    Change.CHANGED: _CHANGE + " u.lastmod, u.previous_lastmod" + _CHANGED + _LIMITED,
}

# By position and then by id is the order in which the rows are found. Sorting all of them first, which a table without
# statistics suggests, would read a million for each page.
FOUND_IN_ORDER = "select set_config('enable_sort', 'off', true)"


def is_scan(db: Database, tenant_id: UUID, job_id: UUID) -> bool:
    """Whether this tenant has such a sitemap scan."""
    rows = db.query(
        "select from scrapersky.jobs where tenant_id = %(tenant_id)s and id = %(id)s and kind = 'sitemap_scan'",
        {"tenant_id": tenant_id, "id": job_id},
        tenant_id=tenant_id,
    )
    return bool(rows)


def get(db: Database, tenant_id: UUID, file_id: UUID) -> SitemapFile | None:
    """The file of one scan, or None when this tenant has no such file."""
    rows = db.query(_GET, {"tenant_id": tenant_id, "id": file_id}, tenant_id=tenant_id)
    return _file(rows[0]) if rows else None


def of_a_scan(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[SitemapFile]:
    """In the order in which the scan came to know of them. `filters`: job_id, after, limit and those of `newest`."""
    return [_file(row) for row in db.query(_OF_A_SCAN, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def newest(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[SitemapFile]:
    """Of all scans, newest first. `filters`: domain, sitemap_type, status, before, before_id, limit."""
    return [_file(row) for row in db.query(_NEWEST, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def urls(db: Database, tenant_id: UUID, scope: Mapping[str, Any], *, state: UrlState) -> list[SitemapUrl]:
    """What files name, by file and then as first found. `scope`: job_id or file_id, position and id to go on after,
    limit."""
    return [SitemapUrl(**row) for row in in_order(db, tenant_id, _URLS, {**scope, "state": state.value})]


def changes(db: Database, tenant_id: UUID, scope: Mapping[str, Any], *, change: Change) -> list[UrlChange]:
    """What changed in files since they were read before, in the order of `urls`."""
    rows = in_order(db, tenant_id, _CHANGES[change], scope)
    return [UrlChange(**row, change=change) for row in rows]


def in_order(db: Database, tenant_id: UUID, statement: LiteralString, scope: Mapping[str, Any]) -> list[DictRow]:
    """The rows of a statement on what files name, found in their order and never sorted."""
    parameters = {"job_id": None, "file_id": None, **scope, "tenant_id": tenant_id}

    def work(cursor: Any) -> Any:
        cursor.execute(FOUND_IN_ORDER)
        return cursor.execute(statement, parameters)

    found: list[DictRow] = db.run(work, tenant_id=tenant_id).fetchall()
    return found


def _file(row: Mapping[str, Any]) -> SitemapFile:
    named = {name: value for name, value in row.items() if name not in ("error_code", "error_message")}
    return SitemapFile(
        **{
            **named,
            "discovery_method": DiscoveryMethod(row["discovery_method"]),
            "sitemap_type": row["sitemap_type"] and SitemapType(row["sitemap_type"]),
            "status": JobStatus(row["status"]),
            "truncated_by": row["truncated_by"] and Truncation(row["truncated_by"]),
            "error": job_error(row),
        }
    )
