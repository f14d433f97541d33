"""Stores what a sitemap names: a chunk of its URLs in one short transaction, merged with what is known of the file.

    store_chunk(db, line: Line, entries: Sequence[Entry], *, time_of, lease) -> Stored

`time_of` gives a lastmod's time (`scraping.sitemaps.entry.lastmod_time`). What this very read has stored already counts
for nothing, so a chunk may come again: after a lost answer to its commit, or when the read is resumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from psycopg import errors

from scrapersky.db.connection import Copy, Cursor, Database
from scrapersky.db.sitemap_lines import Entry, Line
from scrapersky.db.sitemap_rows import TimeOf, as_copy, as_json, hashed
from scrapersky.db.sitemap_settle import LOCK_JOB, RENEW_JOB, of_line
from scrapersky.db.sitemap_work import RENEW_LINE
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
  select greatest(%(max_pages)s - (
           select sum(o.url_count) from scrapersky.sitemap_files as o
           where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s), 0)::bigint as room
  from scrapersky.sitemap_files as f, scrapersky.jobs as j
  where f.tenant_id = %(tenant_id)s and f.id = %(id)s and f.status = 'running' and f.lease_token = %(token)s
    and j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and j.status = 'running' and j.lease_token = %(run_token)s
"""

_COLUMNS = """
    url_hash, url, lastmod, lastmod_at, priority, changefreq, image_count, video_count, news_count, alternate_count"""
_TYPES = """
    url_hash uuid, url text, lastmod text, lastmod_at timestamptz, priority real, changefreq text,
    image_count smallint, video_count smallint, news_count smallint, alternate_count smallint"""

_CREATE: Final = f"create temp table incoming ({_TYPES}) on commit drop"
_COPY: Final = f"copy pg_temp.incoming ({_COLUMNS}) from stdin (format binary)"

# Where there may not be room for all, those that this read has stored before do not count, and the first ones go in.
_WANTED = """
), wanted as materialized (
  select i.* from numbered as i
  where (select room from held) < %(count)s and not exists (
    select from scrapersky.sitemap_urls as u
    where u.tenant_id = %(tenant_id)s and u.sitemap_id = %(sitemap_id)s and u.url_hash = i.url_hash
      and u.last_seen >= %(read_at)s)
), fitting as materialized (
  select * from wanted order by place limit (select room from held)"""

# Where there is room for all, the conflict alone tells which this read has stored before.
_MERGE = f"""
), merged as (
  insert into scrapersky.sitemap_urls as u (tenant_id, sitemap_id, first_seen, last_seen, {_COLUMNS})
  select %(tenant_id)s, %(sitemap_id)s, %(read_at)s, %(read_at)s, {_COLUMNS}
  from {{source}}
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
  where s.tenant_id = %(tenant_id)s and s.id = %(sitemap_id)s and exists (select from held)
    and (s.etag is not null or s.last_modified is not null)
), done as (
  select count(*) as stored from merged
)
update scrapersky.sitemap_files as f
set url_count = f.url_count + done.stored, attempt = case when done.stored > 0 then 0 else f.attempt end,
    updated_at = now()
from held, done
where f.tenant_id = %(tenant_id)s and f.id = %(id)s
returning done.stored, f.url_count, held.room - done.stored as room, {{cut}} as cut
"""  # noqa: S608 - constants alone

_CUT = "case when held.room < %(count)s then greatest((select count(*) from wanted) - held.room, 0) else 0 end"
_EITHER = f"""(
    select {_COLUMNS} from numbered where (select room from held) >= %(count)s
    union all
    select {_COLUMNS} from fitting) as entry"""  # noqa: S608

# Without the look for conflicts, which costs half as much again.
_INSERT_ALL: Final = f"""
with added as (
  insert into scrapersky.sitemap_urls (tenant_id, sitemap_id, first_seen, last_seen, {_COLUMNS})
  select %(tenant_id)s, %(sitemap_id)s, %(read_at)s, %(read_at)s, {_COLUMNS}
  from pg_temp.incoming
)
update scrapersky.sitemap_files
set url_count = url_count + %(count)s, attempt = 0, updated_at = now()
where tenant_id = %(tenant_id)s and id = %(id)s
returning %(count)s::integer as stored, url_count, %(room)s - %(count)s as room, 0 as cut
"""  # noqa: S608 - constants alone

# In the order in which the file names them.
_COPIED = "select *, ctid as place from pg_temp.incoming"
_SENT = f"""
  select * from rows from (jsonb_to_recordset(%(rows)s::jsonb) as ({_TYPES}))
    with ordinality as entry ({_COLUMNS}, place)"""  # noqa: S608

_MERGE_ALL: Final = f"with held as ({_HELD}" + _MERGE.format(source="pg_temp.incoming", cut="0")
_MERGE_SOME: Final = f"with held as ({_HELD}), numbered as ({_COPIED}{_WANTED}" + _MERGE.format(
    source="fitting", cut=_CUT
)
_MERGE_SENT: Final = f"with held as ({_HELD}), numbered as ({_SENT}{_WANTED}" + _MERGE.format(source=_EITHER, cut=_CUT)

# The planner takes a table without statistics for a small one, and would compare each row with each.
_JOIN_BY_HASH: Final = "select set_config('enable_nestloop', 'off', true)"


def store_chunk(db: Database, line: Line, entries: Sequence[Entry], *, time_of: TimeOf, lease: timedelta) -> Stored:
    """Store the entries of a chunk, as many as the job has room for, and renew the leases of the file and its job.

    Raises:
        Unavailable: the database did not answer in time; the chunk is stored or not, and may come again.
    """
    rows = hashed(entries)
    parameters = of_line(line) | {
        "sitemap_id": line.sitemap_id, "read_at": line.read_at, "lease": lease, "count": len(rows),
    }  # fmt: skip
    if len(rows) >= COPY_FROM:
        merged = _copied(db, line, as_copy(rows, time_of), parameters)
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
        cursor.connection.execute(_JOIN_BY_HASH)
        return cursor.connection.execute(_MERGE_SENT, asked)

    return db.run(work, tenant_id=line.tenant_id)


def _copied(db: Database, line: Line, data: bytes, parameters: Mapping[str, Any]) -> Cursor | None:
    if line.is_first:
        try:
            return _merged(db, line, data, parameters, are_new=True)
        except errors.UniqueViolation:  # the file names some twice, or a lost read has left something
            pass
    return _merged(db, line, data, parameters, are_new=False)


def _merged(db: Database, line: Line, data: bytes, parameters: Mapping[str, Any], *, are_new: bool) -> Cursor | None:
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
        if room < parameters["count"]:
            cursor.connection.execute(_JOIN_BY_HASH)
            return cursor.connection.execute(_MERGE_SOME, parameters)
        if are_new:
            return cursor.connection.execute(_INSERT_ALL, {**parameters, "room": room})
        return cursor.connection.execute(_MERGE_ALL, parameters)

    return db.run_copy(opening, closing, tenant_id=line.tenant_id)


def _keep(cursor: Cursor, parameters: Mapping[str, Any]) -> None:
    cursor.connection.execute(LOCK_JOB, parameters)
    cursor.connection.execute(RENEW_LINE, parameters)
    cursor.connection.execute(RENEW_JOB, parameters)
