"""Sends what committed rows owe to the queues."""

from collections.abc import Sequence
from uuid import UUID

from scrapersky.db import outbox
from scrapersky.db.connection import Database
from scrapersky.errors import Unavailable
from scrapersky.metrics import Metric, count, observe
from scrapersky.observability import logger
from scrapersky.queues import Message, Sender


def deliver_of_job(db: Database, sender: Sender, tenant_id: UUID, job_id: UUID) -> int:
    """Send what a job owes right now, as a worker of it has just written; return how many the queue took.

    What does not get sent here is the sweep's, so that the worker goes on with its work whatever happens.
    """
    try:
        messages = outbox.take_of_job(db, tenant_id, job_id)
    except Unavailable:
        logger().warning("messages not taken", extra={"job_id": str(job_id)})
        return 0
    return deliver(db, sender, messages)


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
    count(Metric.OUTBOX_SENT, len(sent))
    if sent:
        try:
            for seconds in outbox.mark_sent(db, sent):
                observe(Metric.OUTBOX_LAG_SECONDS, seconds)
        except Unavailable:
            logger().warning("messages sent but not marked", extra={"sent": len(sent)})
    return len(sent)
