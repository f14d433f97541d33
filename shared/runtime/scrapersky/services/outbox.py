"""Sends what committed rows owe to the queues."""

from collections.abc import Sequence

from scrapersky.db import outbox
from scrapersky.db.connection import Database
from scrapersky.errors import Unavailable
from scrapersky.observability import logger
from scrapersky.queues import Message, Sender


def deliver(db: Database, sender: Sender, messages: Sequence[Message]) -> int:
    """Send messages whose rows are committed and mark them; return how many the queues took.

    What was not sent, or sent and not marked, stays owed and is sent again by the sweep: a second delivery
    changes nothing, so too often is safe and never is not.
    """
    if not messages:
        return 0
    sent, refused = sender.send(messages)
    if refused:
        logger().warning("messages not sent", extra={"refused": len(refused), "reasons": sorted(set(refused.values()))})
    if sent:
        try:
            outbox.mark_sent(db, sent)
        except Unavailable:
            logger().warning("messages sent but not marked", extra={"sent": len(sent)})
    return len(sent)
