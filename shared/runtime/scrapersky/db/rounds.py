"""The SQL of a batch's rounds, for the state machine: it knows a run, and the tenant is read off its row."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.domain.status import JobKind


@dataclass(frozen=True, slots=True)
class Run:
    """The batch behind a run."""

    tenant_id: UUID
    batch_id: UUID
    request: dict[str, Any]


def find(db: Database, run: UUID) -> Run | None:
    rows = db.query(
        "select tenant_id, id, request from scrapersky.batch_of_run(%(run)s)",
        {"run": run},
    )
    return Run(rows[0]["tenant_id"], rows[0]["id"], rows[0]["request"]) if rows else None


def pending(db: Database, run: Run) -> tuple[JobKind, list[UUID]]:
    """The batch's kind, and its jobs that wait, in random order: what belongs together would else meet in a chunk."""
    (row,) = db.query(
        """
        select b.kind,
               array(
                 select j.id from scrapersky.jobs as j
                 where j.tenant_id = b.tenant_id and j.batch_id = b.id
                   and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
                 order by j.id) as waiting
        from scrapersky.batches as b
        where b.tenant_id = %(tenant_id)s and b.id = %(batch_id)s
        """,
        {"tenant_id": run.tenant_id, "batch_id": run.batch_id},
        tenant_id=run.tenant_id,
    )
    return JobKind(row["kind"]), row["waiting"]


def open_jobs(db: Database, run: Run) -> tuple[int, int]:
    """(jobs that are not final, seconds until the last living lease among them is over)."""
    rows = db.query(
        """
        select count(*) as open,
               coalesce(ceil(extract(epoch from max(lease_until) - now())), 0)::integer as seconds
        from scrapersky.jobs
        where tenant_id = %(tenant_id)s and batch_id = %(batch_id)s and status in ('pending', 'running')
        """,
        {"tenant_id": run.tenant_id, "batch_id": run.batch_id},
        tenant_id=run.tenant_id,
    )
    return rows[0]["open"], max(rows[0]["seconds"], 0)


def give_up(db: Database, run: Run, message: str) -> int:
    """Fail every open job that no living lease holds; return how many."""
    rows = db.query(
        """
        with ended as (
          update scrapersky.jobs
          set status = 'failed', error_code = 'worker_lost', error_message = %(message)s,
              lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
          where tenant_id = %(tenant_id)s and batch_id = %(batch_id)s
            and (status = 'pending' or (status = 'running' and lease_until < now()))
          returning 1
        )
        select count(*) as ended from ended
        """,
        {"tenant_id": run.tenant_id, "batch_id": run.batch_id, "message": message},
        tenant_id=run.tenant_id,
    )
    return int(rows[0]["ended"])
