"""The SQL that every transaction on a sitemap scan's work list has: the lock it begins with, and how it ends.

In the end further lanes are owed, what is full is closed, and the job is ended when nothing of it is open.
"""

from collections.abc import Mapping
from typing import Any, Final

from scrapersky.db.connection import Cursor
from scrapersky.db.sitemap_lines import Line, Site, Turn
from scrapersky.domain.status import ErrorCode, JobStatus

MAX_LISTED: Final = 1000
"""Files in a job's result, which is one answer: some 600 KB. All of them are in the list of files."""

MAX_TRUNCATIONS: Final = 100
"""Cuts that are told one by one in a job's result; each file says its own besides."""

RETRYABLE: Final = [code.value for code in ErrorCode if code.retryable]


# The first statement of every transaction that writes lines. Those that follow see what the holder before has written.
LOCK_JOB = "select from scrapersky.jobs where tenant_id = %(tenant_id)s and id = %(job_id)s for no key update"

# A file counts for what it has stored, as part of the 50,000 URLs that the protocol allows it.
RENEW_JOB = """
with lines as (
  select coalesce(sum(case when status in ('pending', 'running') then least(url_count / 50000.0, 0.9) else 1 end), 0)
           / greatest(count(*), 1) as files,
         coalesce(sum(url_count), 0) / %(max_pages)s as urls
  from scrapersky.sitemap_files
  where tenant_id = %(tenant_id)s and job_id = %(job_id)s
)
select scrapersky.renew_leases(
  array[%(job_id)s::uuid], array[least(greatest(files, urls) * 100, 99)::double precision], %(run_token)s, %(lease)s)
from lines
"""


def of_site(site: Site) -> dict[str, Any]:
    """What the statements on a job's files ask for."""
    return {
        "tenant_id": site.tenant_id,
        "job_id": site.job_id,
        "run_token": site.run_token,
        "max_pages": site.max_pages,
        "id": None,
        "token": None,
    }


def of_line(line: Line) -> dict[str, Any]:
    """The same, for a lane that holds a file."""
    return {
        "tenant_id": line.tenant_id,
        "job_id": line.job_id,
        "run_token": line.run_token,
        "max_pages": line.max_pages,
        "id": line.id,
        "token": line.token,
    }


# Of a file `s`, the line `l` of its last whole read, which what is known of it comes from. Whose lines a retry has
# removed has none: what a read before that said of it may not hold any more.
LAST_WHOLE = """
    and l.status = 'complete' and not l.is_duplicate
    and (l.etag, l.last_modified, l.sha256) is not distinct from (s.etag, s.last_modified, s.sha256)
  order by l.created_at desc
  limit 1
"""

# A batch has as many sites in work as it was asked for, and brings its jobs itself.
_OWE_LANES = """
insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until, lane)
select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now(), lane
from scrapersky.jobs as j, generate_series(1, %(lanes)s - 1) as lane
where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and j.status = 'running' and j.lease_token = %(run_token)s
  and j.batch_id is null
  and lane < (
    select count(*) from scrapersky.sitemap_files as f
    where f.tenant_id = j.tenant_id and f.job_id = j.id and f.status in ('pending', 'running'))
on conflict (job_id, lane) where sent_at is null do nothing
"""

# A scan that is full begins no further file.
_CLOSE = """
update scrapersky.sitemap_files as f
set status = 'cancelled', truncated_by = 'urls', lease_until = null, lease_token = null,
    finished_at = now(), updated_at = now()
from scrapersky.jobs as j
where f.tenant_id = %(tenant_id)s and f.job_id = %(job_id)s and f.status = 'pending' and f.read_at is null
  and j.tenant_id = f.tenant_id and j.id = f.job_id and j.status = 'running' and j.lease_token = %(run_token)s
  and %(max_pages)s <= (
    select sum(o.url_count) from scrapersky.sitemap_files as o
    where o.tenant_id = %(tenant_id)s and o.job_id = %(job_id)s)
"""

_END = """
with job as (
  select j.* from scrapersky.jobs as j
  where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s and j.status = 'running' and j.lease_token = %(run_token)s
    and not exists (
      select from scrapersky.sitemap_files as f
      where f.tenant_id = j.tenant_id and f.job_id = j.id and f.status in ('pending', 'running'))
), file as (
  select f.* from job
  join scrapersky.sitemap_files as f on f.tenant_id = job.tenant_id and f.job_id = job.id and not f.is_duplicate
), total as (
  select count(*) as files,
         count(*) filter (where status = 'complete') as complete,
         count(*) filter (where status = 'cancelled') as unread,
         coalesce(sum(url_count), 0)::bigint as urls,
         coalesce(sum(added_count), 0)::bigint as added,
         coalesce(sum(removed_count), 0)::bigint as removed,
         coalesce(sum(changed_count), 0)::bigint as changed
  from file
), cut as (
  select url, truncated_by as by, truncated_at as detail, position
  from file where truncated_by is not null and status <> 'cancelled'
  union all
  select null, 'urls', case unread when 1 then '1 file was not read' else unread || ' files were not read' end, 10001
  from total where unread > 0
  union all
  select null, 'files', job.metadata #>> '{discovery,truncated_at}', 10002
  from job where job.metadata #>> '{discovery,truncated_by}' is not null
  union all
  select null, 'seconds', %(cut_detail)s::text, 10003 from job where %(cut_detail)s::text is not null
), listed as (
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', id, 'url', url, 'final_url', final_url, 'parent_id', parent_id, 'depth', depth,
    'sitemap_type', sitemap_type, 'discovery_method', discovery_method, 'status', status, 'status_code', status_code,
    'url_count', url_count, 'child_count', child_count, 'skipped_count', skipped_count,
    'has_lastmod', has_lastmod, 'has_priority', has_priority, 'has_changefreq', has_changefreq,
    'is_gzip', is_gzip, 'is_partial', is_partial, 'is_unchanged', is_unchanged,
    'added_count', added_count, 'removed_count', removed_count, 'changed_count', changed_count,
    'truncated_by', truncated_by, 'truncated_at', truncated_at,
    'error', case when error_code is not null then jsonb_build_object(
      'code', error_code, 'message', error_message, 'retryable', error_code = any (%(retryable)s)) end
  ) order by position), '[]') as sitemaps
  from (select * from file order by position limit %(max_listed)s) as first
), reason as (
  -- Of the site or, when none of its files could be read, of the first.
  select %(error_code)s::text as code, %(error_message)s::text as message
  from total where files = 0 and %(error_code)s::text is not null
  union all
  select first.error_code,
         case total.files when 1 then 'its only sitemap could not be read: '
           else 'none of its ' || total.files || ' sitemaps could be read: ' end || first.error_message
  from total, (select * from file where status = 'failed' order by position limit 1) as first
  where total.complete = 0
), ended as (
  update scrapersky.jobs as j
  set status = case when reason.code is null then 'complete' else 'failed' end,
      progress = case when reason.code is null then 100 else j.progress end,
      error_code = reason.code,
      error_message = reason.message,
      result = case when reason.code is null then jsonb_build_object(
        'sitemaps', listed.sitemaps,
        'sitemaps_truncated', total.files > %(max_listed)s,
        'total_sitemaps', total.files,
        'total_urls', total.urls,
        'added_count', total.added, 'removed_count', total.removed, 'changed_count', total.changed,
        'truncated', exists (select from cut),
        'truncations', (
          select coalesce(jsonb_agg(jsonb_build_object('url', url, 'by', by, 'detail', detail) order by position), '[]')
          from (select * from cut order by position limit %(max_truncations)s) as first)) end,
      lease_until = null, finished_at = now(), updated_at = now()
  from job cross join total cross join listed left join reason on true
  where j.tenant_id = job.tenant_id and j.id = job.id
  returning j.id, j.metadata
)
select scrapersky.free_hosts(
  array[id], %(run_token)s,
  make_interval(secs => coalesce((metadata #>> '{discovery,pause_seconds}')::double precision, 0)))
from ended
"""

# A job ends by the transaction that its last file ends by, whose time both have: so it is still known when the answer
# was lost and all of it runs again.
_STATE = """
select j.status,
       j.finished_at = now() or exists (
         select from scrapersky.sitemap_files as f
         where f.tenant_id = j.tenant_id and f.id = %(id)s and f.lease_token = %(token)s
           and f.finished_at = j.finished_at) as ended_here,
       j.lease_token is not distinct from %(run_token)s and (%(id)s::uuid is null or exists (
         select from scrapersky.sitemap_files as f
         where f.tenant_id = j.tenant_id and f.id = %(id)s and f.lease_token = %(token)s)) as held,
       (select count(*) from scrapersky.sitemap_files as f
        where f.tenant_id = j.tenant_id and f.job_id = j.id and f.status in ('pending', 'running')) as open,
       greatest(%(max_pages)s - (
         select coalesce(sum(f.url_count), 0) from scrapersky.sitemap_files as f
         where f.tenant_id = j.tenant_id and f.job_id = j.id), 0)::bigint as room
from scrapersky.jobs as j
where j.tenant_id = %(tenant_id)s and j.id = %(job_id)s
"""


def owe_lanes(cursor: Cursor, parameters: Mapping[str, Any], lanes: int) -> None:
    """Owe a message for each further worker that the job's open files are enough for, up to `lanes` in all."""
    cursor.connection.execute(_OWE_LANES, {**parameters, "lanes": lanes})


def settle(
    cursor: Cursor,
    parameters: Mapping[str, Any],
    *,
    failure: tuple[ErrorCode, str] | None = None,
    cut_detail: str | None = None,
) -> Cursor:
    """End the job when no file of it is open, and return the cursor that has its state: a row of `turn`.

    `failure` is why no file was found, if there is a reason; `cut_detail` says where a job was cut by its time.
    """
    code, message = failure or (None, None)
    execute = cursor.connection.execute
    execute(_CLOSE, parameters)
    execute(
        _END,
        {
            **parameters,
            "error_code": code and code.value,
            "error_message": message,
            "cut_detail": cut_detail,
            "retryable": RETRYABLE,
            "max_listed": MAX_LISTED,
            "max_truncations": MAX_TRUNCATIONS,
        },
    )
    return execute(_STATE, parameters)


def turn(row: Mapping[str, Any] | None, line: Line | None = None, *, is_alone: bool = False) -> Turn:
    """The turn of a row of `settle`; `is_alone`: no other lane could have ended the job."""
    if row is None:
        return Turn(held=False, line=None, open=0, room=0, ended=None)
    status = JobStatus(row["status"])
    ended = status if status.is_final else None
    return Turn(
        held=row["held"],
        line=line,
        open=row["open"],
        room=row["room"],
        ended=ended,
        ended_here=ended is not None and (row["ended_here"] or (is_alone and row["held"])),
        given_back=status is JobStatus.PENDING,
    )
