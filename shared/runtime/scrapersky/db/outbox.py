"""The SQL of the outbox: messages that are owed to a queue since their job's commit."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.queues import Message

# The writer sends right after its commit; the sweep leaves the row alone for as long as that may take.
HOLD = timedelta(seconds=15)
TAKE_LIMIT = 500  # 50 calls of SendMessageBatch: a few seconds


def owed(row: Mapping[str, Any]) -> Message:
    """The message of a row with `message_id`, `queue`, `body` and, where it is for later, `delay_seconds`."""
    return Message(row["message_id"], row["queue"], row["body"], row.get("delay_seconds", 0))


def take(db: Database, *, limit: int = TAKE_LIMIT) -> list[Message]:
    """Messages that nobody is sending, held for this sender: of up to `limit` tenants in equal shares."""
    rows = db.query(
        "select id as message_id, queue, body from scrapersky.take_outbox(%(hold)s, %(limit)s)",
        {"hold": HOLD, "limit": limit},
    )
    return [owed(row) for row in rows]


_TAKE_OF_JOB = """
update scrapersky.outbox
set held_until = now() + %(hold)s, tries = tries + 1
where tenant_id = %(tenant_id)s and job_id = %(job_id)s and sent_at is null and held_until <= now()
returning id as message_id, queue, body
"""


def take_of_job(db: Database, tenant_id: UUID, job_id: UUID) -> list[Message]:
    """The messages of one job that nobody is sending, held for this sender."""
    parameters = {"tenant_id": tenant_id, "job_id": job_id, "hold": HOLD}
    return [owed(row) for row in db.query(_TAKE_OF_JOB, parameters, tenant_id=tenant_id)]


# Of before 0008, which is not there yet when requests come to a new deployment, the door tells one whole number.
_MARK_SENT = """
select sent.lag from scrapersky.mark_outbox_sent(%(ids)s) as sent (lag)
where pg_typeof(sent.lag) = 'double precision'::regtype
"""


def mark_sent(db: Database, ids: Sequence[int]) -> list[float]:
    """Mark messages as sent; of each that was not yet, the seconds since it was due."""
    return [row["lag"] for row in db.query(_MARK_SENT, {"ids": list(ids)})]
