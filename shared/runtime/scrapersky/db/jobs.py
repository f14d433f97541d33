"""The SQL of jobs as a tenant sees them: made, read, cancelled, retried.

Each function is one statement inside the caller's transaction, or one transaction where it takes a Database.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.outbox import owed
from scrapersky.db.values import jsonb
from scrapersky.domain.jobs import Job, JobError
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.queues import Message

COLUMNS = """
id, tenant_id, kind, batch_id, domain, status, progress, attempt, request, error_code, error_message, metadata,
created_at, updated_at, started_at, finished_at
"""

_CREATE = """
with job as (
  insert into scrapersky.jobs (id, tenant_id, kind, domain, request, metadata, correlation_id, created_by)
  values (
    %(id)s, %(tenant_id)s, %(kind)s, %(domain)s, %(request)s, %(metadata)s, %(correlation_id)s, %(created_by)s)
  on conflict (id) do nothing -- this very statement ran before and its answer was lost
  returning id, tenant_id, kind, domain, correlation_id, created_at
), known as (
  insert into scrapersky.domains (tenant_id, domain)
  select tenant_id, domain from job where kind <> 'places_search' -- whose subject is no site
  on conflict (tenant_id, domain) do nothing
), message as (
  insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
  select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now() + %(hold)s
  from job
  returning id, queue, body
)
select job.id, job.created_at, message.id as message_id, message.queue, message.body from job, message
"""

# A batch's job is retried by its batch (batch_retry), whose executions bring it on.
_RETRY = """
with job as (
  update scrapersky.jobs
  set status = 'pending', attempt = 0, progress = 0, lease_token = null, started_at = null, finished_at = null,
      error_code = null, error_message = null, enqueued_at = now(), updated_at = now(),
      metadata = (
        -- A search tells what it may cost beside what was asked for; how it went begins anew.
        case kind when 'places_search' then metadata - array['stored_places', 'new_places', 'requests', 'cost_usd']
        else request end) || jsonb_build_object('retries', coalesce((metadata ->> 'retries')::integer, 0) + 1)
  where tenant_id = %(tenant_id)s and id = %(id)s and batch_id is null and status in ('failed', 'cancelled')
  returning id, tenant_id, kind, domain, correlation_id, created_at
), no_pages as (
  delete from scrapersky.pages as p using job where p.tenant_id = job.tenant_id and p.job_id = job.id
), no_facts as (
  delete from scrapersky.facts as f using job where f.tenant_id = job.tenant_id and f.job_id = job.id
), no_files as (
  delete from scrapersky.sitemap_files as f using job where f.tenant_id = job.tenant_id and f.job_id = job.id
), no_results as (
  delete from scrapersky.place_results as r using job where r.tenant_id = job.tenant_id and r.job_id = job.id
), met as (
  -- A message from before may be on its way right now. What its sender says of it must not be taken for this one.
  update scrapersky.outbox as o set sent_at = now() from job
  where o.tenant_id = job.tenant_id and o.job_id = job.id and o.sent_at is null
  returning o.job_id
), message as (
  insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
  select job.tenant_id, job.id, job.kind, scrapersky.job_message(job.id, job.correlation_id), now() + %(hold)s
  from job where (select count(*) from met) >= 0 -- after it; a join that changes nothing would be planned away
  on conflict (job_id, lane) where sent_at is null do update set held_until = excluded.held_until
  returning id, queue, body
)
select job.id, job.created_at, message.id as message_id, message.queue, message.body from job, message
"""

_CANCEL = """
update scrapersky.jobs
set status = 'cancelled', error_code = 'cancelled', error_message = 'cancelled on request',
    lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
where tenant_id = %(tenant_id)s and id = %(id)s and status in ('pending', 'running')
"""

_GET = (
    "select result, "  # noqa: S608 - constants alone
    + COLUMNS
    + " from scrapersky.jobs where tenant_id = %(tenant_id)s and id = %(id)s"
)

_LIST = (
    "select null as result, "
    + COLUMNS
    + """
from scrapersky.jobs
where tenant_id = %(tenant_id)s
  and (%(kind)s::text is null or kind = %(kind)s)
  and (%(status)s::text is null or status = %(status)s)
  and (%(batch_id)s::uuid is null or batch_id = %(batch_id)s)
  and (%(domain)s::text is null or domain = %(domain)s)
  and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s
"""
)


def job_error(row: Mapping[str, Any]) -> JobError | None:
    """The error of a row with `error_code` and `error_message`."""
    if row["error_code"] is None:
        return None
    code = ErrorCode(row["error_code"])
    return JobError(code, row["error_message"], code.retryable)


def job_of(row: Mapping[str, Any]) -> Job:
    """The job of a row with COLUMNS and `result`."""
    return Job(
        id=row["id"],
        tenant_id=row["tenant_id"],
        kind=JobKind(row["kind"]),
        batch_id=row["batch_id"],
        domain=row["domain"],
        status=JobStatus(row["status"]),
        progress=row["progress"],
        attempt=row["attempt"],
        request=row["request"],
        result=row["result"],
        error=job_error(row),
        metadata=row["metadata"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )


def get(db: Database, tenant_id: UUID, job_id: UUID) -> Job | None:
    """The job with its result, or None when this tenant has no such job."""
    rows = db.query(
        _GET,
        {"tenant_id": tenant_id, "id": job_id},
        tenant_id=tenant_id,
    )
    return job_of(rows[0]) if rows else None


def status(db: Database, tenant_id: UUID, job_id: UUID) -> tuple[JobStatus, float, datetime] | None:
    """Status, progress and time of the last change: what a waiting client asks for again and again."""
    rows = db.query(
        "select status, progress, updated_at from scrapersky.jobs where tenant_id = %(tenant_id)s and id = %(id)s",
        {"tenant_id": tenant_id, "id": job_id},
        tenant_id=tenant_id,
    )
    return (JobStatus(rows[0]["status"]), rows[0]["progress"], rows[0]["updated_at"]) if rows else None


def listing(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[Job]:
    """Newest first, without their results. `filters`: kind, status, batch_id, domain, before, before_id, limit."""
    return [job_of(row) for row in db.query(_LIST, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def create(cursor: Cursor, parameters: Mapping[str, Any]) -> tuple[datetime, Message] | None:
    """Write job, domain and message; None when the job is there already, by a commit whose answer was lost."""
    row = cursor.execute(
        _CREATE,
        {**parameters, "request": jsonb(parameters["request"]), "metadata": jsonb(parameters["metadata"])},
    ).fetchone()
    return (row["created_at"], owed(row)) if row else None


def retry(cursor: Cursor, parameters: Mapping[str, Any]) -> tuple[datetime, Message] | None:
    """Set a failed or cancelled job back to pending with its message; None when it is neither, or of a batch."""
    row = cursor.execute(_RETRY, parameters).fetchone()
    return (row["created_at"], owed(row)) if row else None


def cancel(db: Database, tenant_id: UUID, job_id: UUID) -> dict[str, str] | None:
    """End a job that is not final; its worker's token is void from here on. What the log says of it, None if it was."""
    statement = _CANCEL + " returning correlation_id, batch_id::text"
    rows = db.query(statement, {"tenant_id": tenant_id, "id": job_id}, tenant_id=tenant_id)
    return {name: value for name, value in rows[0].items() if value is not None} if rows else None


def in_batch(cursor: Cursor, tenant_id: UUID, job_id: UUID) -> Mapping[str, Any] | None:
    """Of a batch's job its `created_at`, `kind`, `batch_id`, `domain`, `error_code`, `error_message`; else None."""
    return cursor.execute(
        """
        select created_at, kind, batch_id, domain, error_code, error_message from scrapersky.jobs
        where tenant_id = %s and id = %s and batch_id is not null
        """,
        (tenant_id, job_id),
    ).fetchone()


def origin(cursor: Cursor, tenant_id: UUID, job_id: UUID) -> tuple[datetime, dict[str, Any]] | None:
    """When the job was made and its metadata, None when this tenant has no such job."""
    row = cursor.execute(
        "select created_at, metadata from scrapersky.jobs where tenant_id = %s and id = %s", (tenant_id, job_id)
    ).fetchone()
    return (row["created_at"], row["metadata"]) if row else None
