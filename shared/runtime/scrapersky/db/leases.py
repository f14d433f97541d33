"""The SQL of a worker: claim, renew, release, store. Every write after the claim carries its token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import errors

from scrapersky.db.connection import Database
from scrapersky.db.migrate import newest, outdated
from scrapersky.db.outbox import HOLD, owed
from scrapersky.db.values import jsonb
from scrapersky.domain.facts import SiteScan
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.queues import Message

MAX_ATTEMPTS = 3  # a job that took three workers with it is at fault itself


class ClaimOutcome(StrEnum):
    """What became of a claim."""

    CLAIMED = "claimed"
    LEASED = "leased"
    FINAL = "final"
    SPENT = "spent"
    BUSY = "busy"  # another job fetches the host


@dataclass(frozen=True, slots=True)
class Claim:
    """A job as its worker gets it. The tenant comes from the row, never from the message."""

    outcome: ClaimOutcome
    id: UUID
    tenant_id: UUID
    domain: str
    request: dict[str, Any]
    attempt: int
    correlation_id: str
    batch_id: UUID | None

    def keys(self, *, has_site: bool = True) -> dict[str, str]:
        """What every log line about the job says of it. Without a site, `domain` is what somebody searched for."""
        return {
            "job_id": str(self.id),
            "tenant_id": str(self.tenant_id),
            "correlation_id": self.correlation_id,
            **({"domain": self.domain} if has_site else {}),
            **({"batch_id": str(self.batch_id)} if self.batch_id is not None else {}),
        }


# A deployment's functions are there before its migrations. What they find may fit into no row until then.
_CLAIM = """
select schema.version >= %(needed)s collate "C" as fits, claim.*
from (select scrapersky.schema_version() as version) as schema
left join lateral scrapersky.claim_jobs_of_kind(
  case when schema.version >= %(needed)s collate "C" then %(ids)s::uuid[] else '{}' end,
  %(kind)s, %(token)s, %(lease)s, %(max_attempts)s) as claim on true
"""


def claim(
    db: Database, job_ids: Sequence[UUID], *, kind: JobKind = JobKind.DOMAIN_SCAN, token: UUID, lease: timedelta
) -> list[Claim]:
    """Claim what can be claimed of `job_ids`; one that is no job, or one of another kind, has no row in the answer.

    Raises:
        Unavailable: the database is of an older version than this one; nothing was claimed.
    """
    parameters = {
        "ids": list(job_ids), "kind": kind.value, "token": token, "lease": lease, "max_attempts": MAX_ATTEMPTS,
    }  # fmt: skip
    try:
        rows = db.query(_CLAIM, parameters | {"needed": newest()})
    except errors.UndefinedFunction as error:
        raise outdated() from error
    if not rows[0]["fits"]:
        raise outdated()
    return [
        Claim(
            outcome=ClaimOutcome(row["outcome"]),
            id=row["id"],
            tenant_id=row["tenant_id"],
            domain=row["domain"],
            request=row["request"],
            attempt=row["attempt"],
            correlation_id=row["correlation_id"],
            batch_id=row["batch_id"],
        )
        for row in rows
        if row["outcome"] is not None
    ]


def renew(db: Database, progress: Mapping[UUID, float], *, token: UUID, lease: timedelta) -> set[UUID]:
    """Renew leases and write progress (job id to 0.0 to 100.0); return the jobs that are still this token's."""
    rows = db.query(
        "select scrapersky.renew_leases(%(ids)s, %(progress)s, %(token)s, %(lease)s) as id",
        {"ids": list(progress), "progress": list(progress.values()), "token": token, "lease": lease},
    )
    return {row["id"] for row in rows}


def release(db: Database, job_ids: Sequence[UUID], *, token: UUID) -> None:
    """Give jobs back that there is no time left for."""
    db.query("select scrapersky.release_jobs(%(ids)s, %(token)s)", {"ids": list(job_ids), "token": token})


def postpone(db: Database, job_ids: Sequence[UUID], *, pause: timedelta) -> list[Message]:
    """Owe the messages of jobs once more and return them, each to come after `pause`.

    One whose host is left alone comes when that is over instead. A batch's job is owed none.
    """
    rows = db.query(
        "select * from scrapersky.postpone_jobs(%(ids)s, %(pause)s, %(hold)s)",
        {"ids": list(job_ids), "pause": pause, "hold": HOLD},
    )
    return [owed(row) for row in rows]


def leave_alone(db: Database, job_id: UUID, *, token: UUID, pause: timedelta) -> None:
    """Keep everybody from the host of a job that has ended or was given back, for as long as the host asks."""
    db.query(
        "select scrapersky.free_hosts(array[%(id)s::uuid], %(token)s, %(pause)s)",
        {"id": job_id, "token": token, "pause": pause},
    )


# The host is free, or left alone for as long as it asked, whether or not the job was still this worker's.
_STORE = """
with fenced as (
  update scrapersky.jobs
  set status = %(status)s, progress = case when %(status)s = 'complete' then 100 else progress end, result = %(result)s,
      error_code = %(error_code)s, error_message = %(error_message)s,
      metadata = metadata || %(metadata)s, lease_until = null, finished_at = now(), updated_at = now()
  where tenant_id = %(tenant_id)s and id = %(id)s and lease_token = %(token)s and status = 'running'
  returning tenant_id, id, domain
), host as (
  select scrapersky.free_hosts(array[%(id)s::uuid], %(token)s, %(pause)s)
  where (select count(*) from fenced) >= 0 -- after it: jobs are locked before hosts (migration 0011)
), latest as (
  insert into scrapersky.domains (tenant_id, domain, site_data, job_id, scanned_at)
  select tenant_id, domain, %(site_data)s::jsonb, id, now() from fenced where %(site_data)s::jsonb is not null
  on conflict (tenant_id, domain) do update
    set site_data = excluded.site_data, job_id = excluded.job_id, scanned_at = excluded.scanned_at, updated_at = now()
), kept_pages as (
  insert into scrapersky.pages
    (tenant_id, job_id, position, url, status_code, title, fetched_at, bytes, ms, skipped_reason)
  select fenced.tenant_id, fenced.id, page.position, page.url, page.status_code, page.title, page.fetched_at,
         page.bytes, page.ms, page.skipped_reason
  from fenced, jsonb_to_recordset(%(pages)s::jsonb) as page (
    position integer, url text, status_code integer, title text, fetched_at timestamptz, bytes bigint, ms integer,
    skipped_reason text)
), kept_facts as (
  insert into scrapersky.facts (tenant_id, job_id, position, kind, value, page_url, method)
  select fenced.tenant_id, fenced.id, fact.position, fact.kind, fact.value, fact.page_url, fact.method
  from fenced, jsonb_to_recordset(%(facts)s::jsonb) as fact (
    position integer, kind text, value text, page_url text, method text)
)
select (select count(*) from fenced) = 1
  -- Ours already: the commit was carried out and its answer lost.
  or exists (
    select from scrapersky.jobs
    where tenant_id = %(tenant_id)s and id = %(id)s and lease_token = %(token)s and finished_at is not null)
  as stored,
  (select * from host) as hosts
"""


def store(db: Database, job: Claim, *, token: UUID, scan: SiteScan, result: Mapping[str, Any] | None) -> bool:
    """Write all that a scan brought, in one statement; False when the token is void and nothing was written."""
    status = JobStatus.COMPLETE if scan.error is None else JobStatus.FAILED
    rows = db.query(
        _STORE,
        {
            "tenant_id": job.tenant_id,
            "id": job.id,
            "token": token,
            "pause": timedelta(seconds=scan.metadata.get("pause_seconds", 0.0)),
            "status": status.value,
            "result": jsonb(result),
            "error_code": scan.error.code.value if scan.error else None,
            "error_message": scan.error.message if scan.error else None,
            "metadata": jsonb(scan.metadata),
            "site_data": jsonb(scan.site_data.to_json()) if scan.site_data else None,
            "pages": jsonb([{"position": n, **page.to_json()} for n, page in enumerate(scan.pages, 1)]),
            "facts": jsonb(
                [
                    {"position": n, "kind": kind, "value": value, "page_url": seen.page_url, "method": seen.method}
                    for n, (kind, value, seen) in enumerate(scan.site_data.sourced() if scan.site_data else (), 1)
                ]
            ),
        },
        tenant_id=job.tenant_id,
    )
    return bool(rows[0]["stored"])
