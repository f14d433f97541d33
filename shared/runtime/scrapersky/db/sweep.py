"""The SQL of the sweeper: the doors across tenants that put right what was left behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.db.leases import MAX_ATTEMPTS

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
    """How the whole stands, over all tenants."""

    pending: int
    running: int
    oldest_pending_seconds: float
    expired_leases: int
    outbox_owed: int
    oldest_owed_seconds: float


def leases(db: Database) -> tuple[int, int]:
    """Jobs of lost workers: (set back to pending, failed as worker_lost)."""
    row = db.query(
        "select reopened, failed from scrapersky.sweep_leases(%(max_attempts)s, %(limit)s)",
        {"max_attempts": MAX_ATTEMPTS, "limit": LIMIT},
    )[0]
    return row["reopened"], row["failed"]


def stranded(db: Database) -> int:
    """Pending jobs that owe no message and got to no worker: each owes one now."""
    row = db.query(
        "select scrapersky.sweep_stranded(%(after)s, %(limit)s) as owed", {"after": STRANDED_AFTER, "limit": LIMIT}
    )[0]
    return int(row["owed"])


def batches(db: Database, *, stuck_after: timedelta = BATCH_STUCK_AFTER) -> tuple[int, int]:
    """Batches whose execution is gone: (given another round, jobs failed after the last one)."""
    row = db.query(
        "select restarted, failed from scrapersky.sweep_batches(%(after)s, %(max_restarts)s, %(limit)s)",
        {"after": stuck_after, "max_restarts": MAX_BATCH_RESTARTS, "limit": LIMIT},
    )[0]
    return row["restarted"], row["failed"]


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


def dead_letters(db: Database, job_ids: Sequence[UUID]) -> set[UUID]:
    """End jobs whose message was given up; return those that were not final or in work."""
    rows = db.query("select scrapersky.fail_dead_letters(%(ids)s) as id", {"ids": list(job_ids)})
    return {row["id"] for row in rows}


def gauges(db: Database) -> Gauges:
    return Gauges(**db.query("select * from scrapersky.gauges()", {})[0])
