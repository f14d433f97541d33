"""The SQL of the outbox: messages that are owed to a queue since their job's commit."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from scrapersky.db.connection import Database
from scrapersky.queues import Message

# The writer sends right after its commit; the sweep leaves the row alone for as long as that may take.
HOLD = timedelta(seconds=15)
TAKE_LIMIT = 500  # 50 calls of SendMessageBatch: a few seconds


def owed(row: Mapping[str, Any]) -> Message:
    """The message of a row with `message_id`, `queue` and `body`."""
    return Message(row["message_id"], row["queue"], row["body"])


def take(db: Database, *, limit: int = TAKE_LIMIT) -> list[Message]:
    """Messages that nobody is sending, held for this sender."""
    rows = db.query(
        "select id as message_id, queue, body from scrapersky.take_outbox(%(hold)s, %(limit)s)",
        {"hold": HOLD, "limit": limit},
    )
    return [owed(row) for row in rows]


def mark_sent(db: Database, ids: Sequence[int]) -> None:
    db.query("select scrapersky.mark_outbox_sent(%(ids)s)", {"ids": list(ids)})
