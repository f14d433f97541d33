"""The SQL that sets jobs of a batch back, all that failed or one of them: the batch's next execution takes them up."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from scrapersky.db.connection import Cursor
from scrapersky.db.outbox import owed
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.queues import Message

# A statement before _RETRY, which is to see what it waited for: who is about to end jobs of the newest execution
# (rounds.give_up), or begins one as well, whose message is not to be taken for this one's.
_LOCK = "select from scrapersky.batches where tenant_id = %(tenant_id)s and id = %(id)s for no key update"

_RETRY = """
with locked as materialized (
  select id from scrapersky.jobs
  where tenant_id = %(tenant_id)s and batch_id = %(id)s and status = any (%(statuses)s) and error_code = any (%(codes)s)
    and (%(job_id)s::uuid is null or id = %(job_id)s)
  order by id -- as everybody locks jobs (migration 0011)
  for no key update
), reopened as (
  update scrapersky.jobs as j
  set status = 'pending', attempt = 0, progress = 0, lease_token = null, started_at = null, finished_at = null,
      error_code = null, error_message = null, enqueued_at = now(), updated_at = now(),
      metadata = request || jsonb_build_object('retries', coalesce((metadata ->> 'retries')::integer, 0) + 1)
  from locked
  where j.tenant_id = %(tenant_id)s and j.id = locked.id
  returning j.tenant_id, j.id
), no_pages as (
  delete from scrapersky.pages as p using reopened as j where p.tenant_id = j.tenant_id and p.job_id = j.id
), no_facts as (
  delete from scrapersky.facts as f using reopened as j where f.tenant_id = j.tenant_id and f.job_id = j.id
), no_files as (
  delete from scrapersky.sitemap_files as f using reopened as j where f.tenant_id = j.tenant_id and f.job_id = j.id
), batch as (
  update scrapersky.batches set round = round + 1, restarts = 0, begun_at = now()
  where tenant_id = %(tenant_id)s and id = %(id)s and exists (select from reopened)
  returning tenant_id, id, run, round, correlation_id
), met as (
  -- The message of an execution before may be on its way right now. What its sender says of it is not of this one's.
  update scrapersky.outbox as o set sent_at = now() from batch
  where o.tenant_id = batch.tenant_id and o.batch_id = batch.id and o.sent_at is null
  returning o.batch_id
), message as (
  insert into scrapersky.outbox (tenant_id, batch_id, queue, body, held_until)
  select batch.tenant_id, batch.id, 'batch',
         scrapersky.batch_message(batch.run, batch.round, batch.correlation_id), now() + %(hold)s
  from batch left join met on met.batch_id = batch.id -- after it
  on conflict (tenant_id, batch_id) where sent_at is null and batch_id is not null
    do update set body = excluded.body, held_until = excluded.held_until
  returning id, queue, body
)
select id as message_id, queue, body from message
"""


def retry(
    cursor: Cursor,
    tenant_id: UUID,
    batch_id: UUID,
    *,
    codes: Sequence[ErrorCode],
    hold: timedelta,
    job_id: UUID | None = None,
) -> Message | None:
    """Set the batch's jobs that ended by one of `codes` back to pending, for its next execution.

    Of these it is `job_id` alone, if it is given. Returns the execution's message, None when there is no such job.
    """
    batch = {"tenant_id": tenant_id, "id": batch_id}
    cursor.connection.execute(_LOCK, batch)
    row = cursor.execute(
        _RETRY,
        {
            **batch,
            "job_id": job_id,
            "hold": hold,
            "codes": [code.value for code in codes],
            "statuses": [JobStatus.FAILED.value, JobStatus.CANCELLED.value],
        },
    ).fetchone()
    return owed(row) if row else None
