"""The SQL that fills a sitemap scan's work list: what discovery found, and what an index names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.sitemap_lines import Child, Line, Site, Turn, url_hash
from scrapersky.db.sitemap_settle import LAST_WHOLE, LOCK_JOB, of_site, owe_lanes, settle, turn
from scrapersky.db.values import jsonb, storable_text
from scrapersky.domain.sitemaps import MAX_DEPTH, MAX_FILES, DiscoveryMethod
from scrapersky.domain.status import ErrorCode

_DISCOVERED = """
update scrapersky.jobs
set metadata = metadata || jsonb_build_object('discovery', %(discovery)s::jsonb), updated_at = now()
where tenant_id = %(tenant_id)s and id = %(job_id)s and status = 'running' and lease_token = %(run_token)s
"""

_ADD_SITEMAPS = """
insert into scrapersky.sitemaps (tenant_id, domain, url, url_hash)
select j.tenant_id, j.domain, file.url, file.url_hash
from scrapersky.jobs as j, jsonb_to_recordset(%(files)s::jsonb) as file (url text, url_hash uuid)
where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and j.status = 'running' and j.lease_token = %(run_token)s
order by file.url_hash -- two jobs of one domain lock the same rows in the same order
on conflict (tenant_id, domain, url_hash) do nothing
"""

# Files above the bound are left out, and the index that names them says so.
_AS_LINES = """
), known as materialized (
  select count(*) as files, coalesce(max(position), 0) as last
  from scrapersky.sitemap_files where tenant_id = %(tenant_id)s and job_id = %(job_id)s
), new as materialized (
  select file.*, known.last + row_number() over (order by file.n) as position,
         known.files + row_number() over (order by file.n) > %(max_files)s as is_left_out
  from file cross join known
  where exists (
      select from scrapersky.jobs as j
      where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s
        and j.status = 'running' and j.lease_token = %(run_token)s)
    and (%(id)s::uuid is null or exists (
      select from scrapersky.sitemap_files as f
      where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s))
    and not exists (
      select from scrapersky.sitemap_files as o
      where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s and o.url_hash = file.url_hash)
), added as (
  insert into scrapersky.sitemap_files (
    tenant_id, job_id, sitemap_id, domain, parent_id, depth, position, url, url_hash, discovery_method,
    status, error_code, error_message, finished_at)
  select s.tenant_id, %(job_id)s, s.id, s.domain, %(id)s, %(depth)s, new.position, new.url, new.url_hash, new.method,
         case when new.error_code is null then 'pending' else 'failed' end, new.error_code, new.error_message,
         case when new.error_code is not null then now() end
  from new
  join scrapersky.sitemaps as s
    on s.tenant_id = %(tenant_id)s and s.domain = %(domain)s and s.url_hash = new.url_hash
  where not new.is_left_out
)
update scrapersky.sitemap_files as f
set truncated_by = 'files', truncated_at = cut.files || ' of the files that it names are left out'
from (select count(*) as files from new where is_left_out) as cut
where f.tenant_id = %(tenant_id)s and f.id = %(id)s and cut.files > 0
"""

# The planner takes tables without statistics for small ones, and would compare each file with each.
_JOIN_BY_HASH = "select set_config('enable_nestloop', 'off', true)"
_JOIN_AS_EVER = "select set_config('enable_nestloop', 'on', true)"

_ADD_LINES = (
    """
with file as (
  select * from jsonb_to_recordset(%(files)s::jsonb) as named (
    n integer, url text, url_hash uuid, method text, error_code text, error_message text)
"""  # noqa: S608 - constants alone
    + _AS_LINES
)

_ADD_KNOWN = (
    """
with before as (
  select l.tenant_id, l.id from scrapersky.sitemap_files as l
  join scrapersky.sitemaps as s on s.tenant_id = l.tenant_id and s.id = l.sitemap_id
  where l.tenant_id = %(tenant_id)s and l.sitemap_id = %(sitemap_id)s and l.job_id <> %(job_id)s
"""  # noqa: S608 - constants alone
    + LAST_WHOLE
    + """
), file as (
  select c.position as n, c.url, c.url_hash, c.discovery_method as method,
         case when c.error_code = 'off_site' then c.error_code end as error_code,
         case when c.error_code = 'off_site' then c.error_message end as error_message
  from before join scrapersky.sitemap_files as c on c.tenant_id = before.tenant_id and c.parent_id = before.id
"""
    + _AS_LINES
)


def add(
    db: Database,
    site: Site,
    files: Iterable[tuple[str, DiscoveryMethod]],
    *,
    discovery: Mapping[str, Any],
    lanes: int,
    failure: tuple[ErrorCode, str] | None = None,
) -> Turn:
    """Write down what was discovered: `files` in their order, each once, and `discovery` for whoever joins.

    `discovery` may have `pause_seconds`, for which the host is left alone afterwards. Without a file the job ends: as
    failed when there is a `failure` (code, message), else as the scan of a site that has no sitemap.
    """
    distinct = _distinct([(Child(url), method) for url, method in files])
    told = dict(discovery)
    if len(distinct) > MAX_FILES:
        told |= {"truncated_by": "files", "truncated_at": f"{MAX_FILES} of {len(distinct)} files"}
    parameters = of_site(site) | {"discovery": jsonb(told), "domain": site.domain}

    def work(cursor: Cursor) -> Cursor:
        cursor.connection.execute(LOCK_JOB, parameters)
        cursor.connection.execute(_DISCOVERED, parameters)
        _add_lines(cursor, parameters, distinct[:MAX_FILES], depth=0)
        owe_lanes(cursor, parameters, lanes)
        return settle(cursor, parameters, failure=failure)

    return turn(db.run(work, tenant_id=site.tenant_id).fetchone(), is_alone=not distinct)


def add_children(cursor: Cursor, parameters: Mapping[str, Any], line: Line, children: Sequence[Child]) -> int:
    """Two statements of a transaction of `line`: the files that an index names, and their lines in this scan.

    Returns how many it names; what is above MAX_FILES or below MAX_DEPTH gets no line.
    """
    distinct = _distinct([(child, DiscoveryMethod.SITEMAP_INDEX) for child in children])
    if line.depth < MAX_DEPTH:
        _add_lines(cursor, {**parameters, "domain": line.domain}, distinct, depth=line.depth + 1)
    return len(distinct)


def add_known_children(cursor: Cursor, parameters: Mapping[str, Any], line: Line) -> None:
    """The same of an index that was not modified: the files that it named the last time."""
    asked = {**parameters, "domain": line.domain, "sitemap_id": line.sitemap_id, "depth": line.depth + 1}
    _by_hash(cursor, _ADD_KNOWN, asked)


def _distinct(files: Iterable[tuple[Child, DiscoveryMethod]]) -> list[dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = {}
    for file, method in files:
        url = storable_text(file.url)
        key = url_hash(url)
        if key not in found:
            code, message = file.error or (None, None)
            found[key] = {
                "n": len(found), "url": url, "url_hash": str(key), "method": method.value,
                "error_code": code and code.value, "error_message": message,
            }  # fmt: skip
    return list(found.values())


def _add_lines(cursor: Cursor, parameters: Mapping[str, Any], files: list[dict[str, Any]], *, depth: int) -> None:
    if files:
        asked = {**parameters, "files": jsonb(files), "depth": depth}
        cursor.connection.execute(_ADD_SITEMAPS, asked)
        _by_hash(cursor, _ADD_LINES, asked)


def _by_hash(cursor: Cursor, statement: LiteralString, parameters: Mapping[str, Any]) -> None:
    cursor.connection.execute(_JOIN_BY_HASH)
    cursor.connection.execute(statement, {**parameters, "max_files": MAX_FILES})
    cursor.connection.execute(_JOIN_AS_EVER)
