"""Stores what a sitemap names: a chunk of its URLs in one short transaction, merged with what is known of the file.

    store_chunk(db, line: Line, entries: Sequence[Entry], *, time_of, lease) -> Stored

`time_of` gives a lastmod's time (`scraping.sitemaps.entry.lastmod_time`). What this very read has stored already counts
for nothing, so a chunk may come again: after a lost answer to its commit, or when the read is resumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from scrapersky.db.connection import Copy, Cursor, Database
from scrapersky.db.sitemap_lines import Entry, Line
from scrapersky.db.sitemap_rows import TimeOf, as_copy, as_json, hashed
from scrapersky.db.sitemap_settle import LOCK_JOB, of_line
from scrapersky.db.sitemap_work import RENEW_JOB, RENEW_LINE
from scrapersky.db.values import jsonb

COPY_FROM: Final = 2000
"""Rows from which a temporary table pays for itself; below, its entries in the catalogue cost more than JSON does."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a chunk.

    `held`: the tokens were valid; False: cancelled or taken over, and nothing was written.
    `stored`: URLs that this read had not stored before. `url_count`: all that this read has stored of the file.
    `room`: URLs that the job may still store. `cut`: URLs of the chunk that there was no room for.
    """

    held: bool
    stored: int = 0
    url_count: int = 0
    room: int = 0
    cut: int = 0


# The line, when both tokens are valid, and how many URLs its job may still store. Under the lock of the job's row.
_HELD = """
  select f.tenant_id, f.id, f.sitemap_id, f.read_at,
         greatest(%(max_pages)s - (
           select sum(o.url_count) from scrapersky.sitemap_files as o
           where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s), 0)::bigint as room
  from scrapersky.sitemap_files as f
  join scrapersky.jobs as j on j.tenant_id = f.tenant_id and j.id = f.job_id
  where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
    and j.status = 'running' and j.lease_token = %(run_token)s
"""

_COLUMNS = """
    url_hash, url, lastmod, lastmod_at, priority, changefreq, image_count, video_count, news_count, alternate_count"""
_TYPES = """
    url_hash uuid, url text, lastmod text, lastmod_at timestamptz, priority real, changefreq text,
    image_count smallint, video_count smallint, news_count smallint, alternate_count smallint"""

_CREATE: Final = f"create temp table incoming ({_TYPES}) on commit drop"
_COPY: Final = f"copy pg_temp.incoming ({_COLUMNS}) from stdin"

# All of them: the conflict alone tells which this read has stored before.
_ALL = """
), fitting as not materialized (
  select * from pg_temp.incoming
), short as (
  select 0::bigint as cut"""

# Where there may not be room for all, those that this read has stored before do not count.
_AS_MANY_AS_FIT = """
), wanted as materialized (
  select i.* from held, numbered as i
  where not exists (
    select from scrapersky.sitemap_urls as u
    where u.tenant_id = held.tenant_id and u.sitemap_id = held.sitemap_id and u.url_hash = i.url_hash
      and u.last_seen >= held.read_at)
), fitting as (
  select * from wanted order by place limit (select room from held)
), short as (
  select greatest((select count(*) from wanted) - held.room, 0) as cut from held"""

_MERGE = f"""
), merged as (
  insert into scrapersky.sitemap_urls as u (tenant_id, sitemap_id, first_seen, last_seen, {_COLUMNS})
  select held.tenant_id, held.sitemap_id, held.read_at, held.read_at, {_COLUMNS}
  from held, fitting
  on conflict (tenant_id, sitemap_id, url_hash) do update
    set last_seen = excluded.last_seen,
        -- A URL that was gone is new, whatever its lastmod.
        added_at = case when u.removed_at < excluded.last_seen then excluded.last_seen else u.added_at end,
        changed_at = case
          when u.removed_at < excluded.last_seen or u.lastmod is not distinct from excluded.lastmod then u.changed_at
          else excluded.last_seen end,
        previous_lastmod = case
          when u.lastmod is distinct from excluded.lastmod then u.lastmod else u.previous_lastmod end,
        removed_at = null,
        lastmod = excluded.lastmod, lastmod_at = excluded.lastmod_at, priority = excluded.priority,
        changefreq = excluded.changefreq, image_count = excluded.image_count, video_count = excluded.video_count,
        news_count = excluded.news_count, alternate_count = excluded.alternate_count
    where u.last_seen < excluded.last_seen
  returning 1
), mixed as (
  -- What is stored is no longer what the last whole read brought: nobody must be asked whether that still holds.
  update scrapersky.sitemaps as s set etag = null, last_modified = null
  from held
  where s.tenant_id = held.tenant_id and s.id = held.sitemap_id and (s.etag is not null or s.last_modified is not null)
), done as (
  select count(*) as stored from merged
)
update scrapersky.sitemap_files as f
set url_count = f.url_count + done.stored, attempt = case when done.stored > 0 then 0 else f.attempt end,
    updated_at = now()
from held, done, short
where f.tenant_id = held.tenant_id and f.id = held.id
returning done.stored, f.url_count, held.room - done.stored as room, short.cut
"""  # noqa: S608 - constants alone

# In the order in which the file names them, which a join would not keep by itself.
_NUMBERED_COPY = ", numbered as (select *, ctid as place from pg_temp.incoming"
_NUMBERED_JSON = f""", numbered as (
  select * from rows from (jsonb_to_recordset(%(rows)s::jsonb) as ({_TYPES}))
    with ordinality as row ({_COLUMNS}, place)"""  # noqa: S608 - constants alone

_MERGE_COPY: Final = f"with held as ({_HELD}{_ALL}{_MERGE}"
_MERGE_COPY_PART: Final = f"with held as ({_HELD}){_NUMBERED_COPY}{_AS_MANY_AS_FIT}{_MERGE}"
_MERGE_JSON: Final = f"with held as ({_HELD}){_NUMBERED_JSON}{_AS_MANY_AS_FIT}{_MERGE}"


def store_chunk(db: Database, line: Line, entries: Sequence[Entry], *, time_of: TimeOf, lease: timedelta) -> Stored:
    """Store the entries of a chunk, as many as the job has room for, and renew the leases of the file and its job.

    Raises:
        Unavailable: the database did not answer in time; the chunk is stored or not, and may come again.
    """
    rows = hashed(entries)
    parameters = of_line(line) | {"lease": lease}
    if len(rows) >= COPY_FROM:
        merged = _copied(db, line, as_copy(rows, time_of), len(rows), parameters)
    else:
        merged = _as_one_statement(db, line, as_json(rows, time_of), parameters)
    row = merged.fetchone() if merged else None
    return Stored(True, row["stored"], row["url_count"], row["room"], row["cut"]) if row else Stored(held=False)


def _as_one_statement(
    db: Database, line: Line, rows: list[dict[str, Any]], parameters: Mapping[str, Any]
) -> Cursor | None:
    asked = {**parameters, "rows": jsonb(rows)}

    def work(cursor: Cursor) -> Cursor:
        _keep(cursor, parameters)
        return cursor.connection.execute(_MERGE_JSON, asked)

    return db.run(work, tenant_id=line.tenant_id)


def _copied(db: Database, line: Line, data: bytes, count: int, parameters: Mapping[str, Any]) -> Cursor | None:
    room = 0

    def opening(cursor: Cursor) -> Callable[[], Copy | None]:
        _keep(cursor, parameters)
        held = cursor.connection.execute(_HELD, parameters)
        cursor.connection.execute(_CREATE)

        def answer() -> Copy | None:
            nonlocal room
            row = held.fetchone()
            if row is None:
                return None
            room = row["room"]
            return Copy(_COPY, data)

        return answer

    def closing(cursor: Cursor) -> Cursor:
        return cursor.connection.execute(_MERGE_COPY if count <= room else _MERGE_COPY_PART, parameters)

    return db.run_copy(opening, closing, tenant_id=line.tenant_id)


def _keep(cursor: Cursor, parameters: Mapping[str, Any]) -> None:
    cursor.connection.execute(LOCK_JOB, parameters)
    cursor.connection.execute(RENEW_LINE, parameters)
    cursor.connection.execute(RENEW_JOB, parameters)
