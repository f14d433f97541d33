"""The SQL of batches as a tenant sees them. Figures are counted over the job rows, in the statement that shows them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.jobs import COLUMNS, job_error, job_of
from scrapersky.db.outbox import owed
from scrapersky.db.values import jsonb
from scrapersky.domain.batches import Batch, DomainStatus, Figures, Rejected
from scrapersky.domain.jobs import Job
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.queues import Message

# All rows in one statement: what is no domain is a failed job from the beginning.
_CREATE = """
with batch as (
  insert into scrapersky.batches (id, tenant_id, kind, request, created_by, run, fingerprint, correlation_id)
  values (
    %(id)s, %(tenant_id)s, %(kind)s, %(request)s, %(created_by)s, %(run)s, %(fingerprint)s, %(correlation_id)s)
  on conflict (tenant_id, id) do nothing -- an earlier request, or this very statement, made it
  returning tenant_id, id, kind, created_by, run, round, correlation_id, created_at
), asked as (
  select * from jsonb_to_recordset(%(jobs)s::jsonb) as j (id uuid, domain text, base_url text, reason text)
), made as (
  insert into scrapersky.jobs (
    id, tenant_id, kind, batch_id, domain, request, metadata, correlation_id, created_by,
    status, error_code, error_message, finished_at)
  select asked.id, batch.tenant_id, batch.kind, batch.id, asked.domain,
         jsonb_build_object('base_url', asked.base_url, 'max_pages', %(max_pages)s::integer),
         jsonb_build_object('base_url', asked.base_url, 'max_pages', %(max_pages)s::integer),
         batch.correlation_id, batch.created_by,
         case when asked.reason is null then 'pending' else 'failed' end,
         case when asked.reason is not null then 'invalid_domain' end,
         asked.reason,
         case when asked.reason is not null then now() end
  from batch, asked
  returning tenant_id, domain, status
), known as (
  insert into scrapersky.domains (tenant_id, domain)
  select tenant_id, domain from made where status = 'pending'
  on conflict (tenant_id, domain) do nothing
), message as (
  insert into scrapersky.outbox (tenant_id, batch_id, queue, body, held_until)
  select tenant_id, id, 'batch', scrapersky.batch_message(run, round, correlation_id), now() + %(hold)s
  from batch
  -- Nothing to begin when every input was refused.
  where exists (select from asked where reason is null)
  returning id, queue, body
)
select batch.created_at, message.id as message_id, message.queue, message.body
from batch left join message on true
"""

_FIGURES = """
select b.id, b.tenant_id, b.kind, b.request, b.created_at, figures.*
from scrapersky.batches as b,
lateral (
  select count(*) as total,
         count(*) filter (where j.status = 'pending') as pending,
         count(*) filter (where j.status = 'running') as running,
         count(*) filter (where j.status = 'complete') as completed,
         count(*) filter (where j.status = 'failed') as failed,
         count(*) filter (where j.status = 'cancelled') as cancelled,
         min(j.started_at) as started_at,
         max(j.finished_at) as finished_at,
         max(j.updated_at) as updated_at
  from scrapersky.jobs as j
  where j.tenant_id = b.tenant_id and j.batch_id = b.id
) as figures
where b.tenant_id = %(tenant_id)s
"""
_GET = _FIGURES + " and b.id = %(id)s"
_LIST = (
    _FIGURES
    + """
  and (%(before)s::timestamptz is null or (b.created_at, b.id) < (%(before)s, %(before_id)s::uuid))
order by b.created_at desc, b.id desc
limit %(limit)s
"""
)

_SNAPSHOT = (
    "with batch as ("  # noqa: S608 - constants alone
    + _GET
    + """), shown as (
  select domain, id, status, started_at, finished_at, error_code, error_message
  from scrapersky.jobs
  where tenant_id = %(tenant_id)s and batch_id = %(id)s
  order by domain
  limit %(limit)s
)
select batch.*, (select coalesce(jsonb_agg(to_jsonb(shown) order by shown.domain), '[]') from shown) as domains
from batch
"""
)

# A sitemap scan's list of files is some hundred kilobytes; of ten thousand such scans the figures are asked for.
_RESULTS = (
    """
select case when kind = 'sitemap_scan'
         then result || jsonb_build_object(
           'sitemaps', '[]'::jsonb, 'sitemaps_truncated', (result ->> 'total_sitemaps')::integer > 0)
         else result end as result,
"""
    + COLUMNS
    + """
from scrapersky.jobs
where tenant_id = %(tenant_id)s and batch_id = %(id)s and (%(after)s::text is null or domain > %(after)s)
order by domain
limit %(limit)s
"""
)

# Pending and running alike; a worker that is still at one can write nothing any more.
_CANCEL = """
with locked as materialized (
  select id from scrapersky.jobs
  where tenant_id = %(tenant_id)s and batch_id = %(id)s and status in ('pending', 'running')
  order by id -- as everybody locks jobs (migration 0011)
  for no key update
), ended as (
  update scrapersky.jobs as j
  set status = 'cancelled', error_code = 'cancelled', error_message = 'cancelled on request',
      lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
  from locked
  where j.tenant_id = %(tenant_id)s and j.id = locked.id
  returning 1
)
select count(*) as ended,
       (select correlation_id from scrapersky.batches where tenant_id = %(tenant_id)s and id = %(id)s) as correlation_id
from ended
"""


def batch_of(row: Mapping[str, Any]) -> Batch:
    return Batch(
        id=row["id"],
        tenant_id=row["tenant_id"],
        kind=JobKind(row["kind"]),
        request=row["request"],
        created_at=row["created_at"],
        figures=Figures(
            total=row["total"],
            pending=row["pending"],
            running=row["running"],
            completed=row["completed"],
            failed=row["failed"],
            cancelled=row["cancelled"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            updated_at=row["updated_at"],
        ),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _domain(row: Mapping[str, Any]) -> DomainStatus:
    """A domain of a snapshot, which is JSON: ids and times are texts."""
    return DomainStatus(
        domain=row["domain"],
        job_id=UUID(row["id"]),
        status=JobStatus(row["status"]),
        started_at=_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        error=job_error(row),
    )


def create(cursor: Cursor, parameters: Mapping[str, Any]) -> tuple[datetime, list[Message]] | None:
    """Write batch, jobs, domains and the message that starts it; None when the batch is there already."""
    row = cursor.execute(
        _CREATE,
        {**parameters, "request": jsonb(parameters["request"]), "jobs": jsonb(parameters["jobs"])},
    ).fetchone()
    if row is None:
        return None
    return row["created_at"], [owed(row)] if row["message_id"] is not None else []


def origin(cursor: Cursor, tenant_id: UUID, batch_id: UUID) -> Mapping[str, Any] | None:
    """What an existing batch was made from: `fingerprint`, `created_at`, `job_count`; and its `run`."""
    return cursor.execute(
        """
        select fingerprint, created_at, run,
               (select count(*) from scrapersky.jobs as j where j.tenant_id = b.tenant_id and j.batch_id = b.id)
                 as job_count
        from scrapersky.batches as b where tenant_id = %s and id = %s
        """,
        (tenant_id, batch_id),
    ).fetchone()


def rejected(cursor: Cursor, tenant_id: UUID, batch_id: UUID) -> tuple[Rejected, ...]:
    """The inputs that name no domain, by text."""
    rows = cursor.execute(
        """
        select domain, error_message from scrapersky.jobs
        where tenant_id = %s and batch_id = %s and error_code = 'invalid_domain' order by domain
        """,
        (tenant_id, batch_id),
    ).fetchall()
    return tuple(Rejected(row["domain"], row["error_message"]) for row in rows)


def get(db: Database, tenant_id: UUID, batch_id: UUID) -> Batch | None:
    """The batch with its figures, or None when this tenant has no such batch."""
    rows = db.query(_GET, {"tenant_id": tenant_id, "id": batch_id}, tenant_id=tenant_id)
    return batch_of(rows[0]) if rows else None


def snapshot(db: Database, tenant_id: UUID, batch_id: UUID, *, limit: int) -> tuple[Batch, list[DomainStatus]] | None:
    """Figures and the first `limit` domains by name, of one statement and so of one moment."""
    rows = db.query(_SNAPSHOT, {"tenant_id": tenant_id, "id": batch_id, "limit": limit}, tenant_id=tenant_id)
    return (batch_of(rows[0]), [_domain(row) for row in rows[0]["domains"]]) if rows else None


def results(db: Database, tenant_id: UUID, batch_id: UUID, *, after: str | None, limit: int) -> list[Job]:
    """The batch's jobs with their results, by domain, after the domain `after`."""
    rows = db.query(
        _RESULTS,
        {"tenant_id": tenant_id, "id": batch_id, "after": after, "limit": limit},
        tenant_id=tenant_id,
    )
    return [job_of(row) for row in rows]


def listing(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[Batch]:
    """Newest first. `filters`: before, before_id, limit."""
    return [batch_of(row) for row in db.query(_LIST, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def cancel(db: Database, tenant_id: UUID, batch_id: UUID) -> tuple[int, str | None]:
    """End every job that is not final; (how many, the request that the batch goes back to)."""
    rows = db.query(_CANCEL, {"tenant_id": tenant_id, "id": batch_id}, tenant_id=tenant_id)
    return rows[0]["ended"], rows[0]["correlation_id"]
