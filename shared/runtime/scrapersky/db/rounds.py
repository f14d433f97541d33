"""The SQL of a batch's rounds, for the state machine: it knows a run, and the tenant is read off its row.

`batches.round` is the number of the batch's newest execution. Whatever an execution decides about jobs is fenced by it,
in the statement that decides: to one that is superseded there is no job.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.domain.batches import Execution
from scrapersky.domain.status import ErrorCode, JobKind

Reason = tuple[ErrorCode, str]
"""Why a job failed: the code, and the words for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """The batch behind an execution's run, and the execution's number."""

    tenant_id: UUID
    batch_id: UUID
    request: dict[str, Any]
    number: int


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """How many jobs of a batch are not final, the seconds until the last living lease among them is over, and the
    number of the batch's newest execution, which is at them.
    """

    count: int
    seconds: int
    newest: int


def find(db: Database, execution: Execution) -> Run | None:
    rows = db.query(
        "select tenant_id, id, request from scrapersky.batch_of_run(%(run)s)",
        {"run": execution.run},
    )
    return Run(rows[0]["tenant_id"], rows[0]["id"], rows[0]["request"], execution.number) if rows else None


def pending(db: Database, run: Run) -> tuple[JobKind, list[UUID]]:
    """The batch's kind, and its jobs that wait, in random order: what belongs together would else meet in a chunk.

    None waits for an execution that is superseded.
    """
    (row,) = db.query(
        """
        select b.kind,
               array(
                 select j.id from scrapersky.jobs as j
                 where j.tenant_id = b.tenant_id and j.batch_id = b.id and b.round = %(number)s
                   and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
                 order by j.id) as waiting
        from scrapersky.batches as b
        where b.tenant_id = %(tenant_id)s and b.id = %(batch_id)s
        """,
        _parameters(run),
        tenant_id=run.tenant_id,
    )
    return JobKind(row["kind"]), row["waiting"]


def open_jobs(db: Database, run: Run) -> OpenJobs:
    (row,) = db.query(
        """
        select b.round as newest, open.*
        from scrapersky.batches as b,
        lateral (
          select count(*) as count,
                 coalesce(ceil(extract(epoch from max(j.lease_until) - now())), 0)::integer as seconds
          from scrapersky.jobs as j
          where j.tenant_id = b.tenant_id and j.batch_id = b.id and j.status in ('pending', 'running')
        ) as open
        where b.tenant_id = %(tenant_id)s and b.id = %(batch_id)s
        """,
        _parameters(run),
        tenant_id=run.tenant_id,
    )
    return OpenJobs(row["count"], max(row["seconds"], 0), row["newest"])


def give_up(db: Database, run: Run, *, lost: Reason, unfinished: Reason, unbegun: Reason) -> int | None:
    """Fail every open job that no living lease holds; return how many. None, and no job, when it is superseded.

    `lost` is why a job failed whose worker was lost, `unfinished` of one that workers gave back alone, and `unbegun` of
    one that no worker was ever at.
    """
    (row,) = db.query(
        """
        with batch as (
          -- Locked, so that who asks for the next execution comes before all of this or after it.
          select tenant_id, id from scrapersky.batches
          where tenant_id = %(tenant_id)s and id = %(batch_id)s and round = %(number)s
          for no key update
        ), locked as materialized (
          select j.id from batch
          join scrapersky.jobs as j on j.tenant_id = batch.tenant_id and j.batch_id = batch.id
          where j.status = 'pending' or (j.status = 'running' and j.lease_until < now())
          order by j.id -- as everybody locks jobs (migration 0011)
          for no key update of j
        ), ended as (
          update scrapersky.jobs as j
          set status = 'failed',
              -- A claim counts as an attempt, and no more when it is given back.
              error_code = case when j.attempt > 0 then %(lost_code)s
                                when j.started_at is not null then %(unfinished_code)s
                                else %(unbegun_code)s end,
              error_message = case when j.attempt > 0 then %(lost)s
                                   when j.started_at is not null then %(unfinished)s
                                   else %(unbegun)s end,
              lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
          from locked
          where j.tenant_id = %(tenant_id)s and j.id = locked.id
          returning 1
        )
        select exists (select from batch) as is_newest, (select count(*) from ended) as ended
        """,
        _parameters(run)
        | {"lost_code": lost[0].value, "lost": lost[1]}
        | {"unfinished_code": unfinished[0].value, "unfinished": unfinished[1]}
        | {"unbegun_code": unbegun[0].value, "unbegun": unbegun[1]},
        tenant_id=run.tenant_id,
    )
    return int(row["ended"]) if row["is_newest"] else None


def _parameters(run: Run) -> dict[str, Any]:
    return {"tenant_id": run.tenant_id, "batch_id": run.batch_id, "number": run.number}
