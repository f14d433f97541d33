"""The SQL of the sweeper: the doors across tenants that put right what was left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.db.leases import MAX_ATTEMPTS
from scrapersky.db.values import jsonb
from scrapersky.db.webhook_deliveries import FIRST_WAITING
from scrapersky.domain.webhooks import DISABLED_MESSAGES, WEBHOOK_DISABLED

LIMIT = 1000  # rows a statement: a lock held for milliseconds; the sweeper comes back every minute
# A message that took this long is taken for lost. Longer than a backlog usually lasts, far below SQS's retention.
STRANDED_AFTER = timedelta(minutes=30)
# A batch moves all the time while its execution lives: a worker ends a site within a minute and a half, or reads its
# sitemaps for five minutes at the most.
BATCH_STUCK_AFTER = timedelta(minutes=15)
MAX_BATCH_RESTARTS = 3
SENT_KEPT = timedelta(days=1)  # sent outbox rows, for those who look into an incident


@dataclass(frozen=True, slots=True)
class Gauges:
    """How the whole stands, over all tenants. What is owed for later counts from when it is due."""

    pending: int
    running: int
    oldest_pending_seconds: float
    expired_leases: int
    outbox_owed: int
    oldest_owed_seconds: float
    undispatched_events: int
    oldest_undispatched_seconds: float
    open_batches: int
    pending_deliveries: int


class SweptLeases(NamedTuple):
    """Jobs of lost workers: how many, and the first hundred of them with job_id, batch_id, correlation_id, status."""

    reopened: int
    failed: int
    jobs: list[dict[str, Any]]


class SweptBatches(NamedTuple):
    """Batches whose execution is gone: how many, jobs failed after the last round, and the first hundred batches."""

    restarted: int
    failed: int
    batches: list[dict[str, Any]]


def leases(db: Database) -> SweptLeases:
    """Jobs of lost workers: set back to pending or, after the last attempt, failed as worker_lost."""
    row = db.query(
        "select reopened, failed, jobs from scrapersky.sweep_leases(%(max_attempts)s, %(limit)s)",
        {"max_attempts": MAX_ATTEMPTS, "limit": LIMIT},
    )[0]
    return SweptLeases(row["reopened"], row["failed"], row["jobs"])


def stranded(db: Database) -> int:
    """Pending jobs that owe no message and got to no worker: each owes one now."""
    row = db.query(
        "select scrapersky.sweep_stranded(%(after)s, %(limit)s) as owed", {"after": STRANDED_AFTER, "limit": LIMIT}
    )[0]
    return int(row["owed"])


def batches(db: Database, *, stuck_after: timedelta = BATCH_STUCK_AFTER) -> SweptBatches:
    """Batches whose execution is gone: given another round or, after the last one, their open jobs failed."""
    row = db.query(
        "select restarted, failed, batches from scrapersky.sweep_batches(%(after)s, %(max_restarts)s, %(limit)s)",
        {"after": stuck_after, "max_restarts": MAX_BATCH_RESTARTS, "limit": LIMIT},
    )[0]
    return SweptBatches(row["restarted"], row["failed"], row["batches"])


def deliveries(db: Database) -> tuple[int, int]:
    """Deliveries to webhooks that nobody is at: (owed a message again, ended since their endpoint is disabled)."""
    row = db.query(
        "select owed, ended from scrapersky.sweep_deliveries(%(after)s, %(first)s, %(limit)s, %(code)s, %(reasons)s)",
        {
            "after": STRANDED_AFTER,
            "first": FIRST_WAITING,
            "limit": LIMIT,
            "code": WEBHOOK_DISABLED,
            "reasons": jsonb(dict(DISABLED_MESSAGES)),
        },
    )[0]
    return row["owed"], row["ended"]


def purge(db: Database) -> tuple[int, int]:
    """Delete (idempotency keys past their time, outbox rows sent long ago), and host leases that are over."""
    row = db.query(
        "select idempotency_keys, outbox from scrapersky.purge_expired(%(kept)s, %(limit)s)",
        {"kept": SENT_KEPT, "limit": LIMIT},
    )[0]
    return row["idempotency_keys"], row["outbox"]


def expire_places(db: Database) -> int:
    """Remove Google's content that is past its time; return of how many places."""
    return int(db.query("select scrapersky.expire_places(%(limit)s) as expired", {"limit": LIMIT})[0]["expired"])


def deleted_webhooks(db: Database) -> int:
    """Remove webhooks that were deleted, their deliveries first; return how many rows of either."""
    return int(db.query("select scrapersky.purge_webhooks(%(limit)s) as gone", {"limit": LIMIT})[0]["gone"])


def dead_letters(db: Database, job_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """End jobs whose message was given up; return those that were not final or in work, each with its batch."""
    rows = db.query("select id, batch_id from scrapersky.fail_dead_letters(%(ids)s)", {"ids": list(job_ids)})
    return {row["id"]: row["batch_id"] for row in rows}


def gauges(db: Database) -> Gauges:
    return Gauges(**db.query("select * from scrapersky.all_gauges()", {})[0])
