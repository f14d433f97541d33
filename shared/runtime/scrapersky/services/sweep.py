"""Puts right what was left behind: messages not sent, workers lost, rows past their time."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scrapersky.db import outbox as owed
from scrapersky.db import sweep
from scrapersky.db.connection import Database
from scrapersky.metrics import Metric, count, observe
from scrapersky.observability import logger
from scrapersky.queues import Message, Sender
from scrapersky.services import events, outbox


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, and how the whole stood after it."""

    reopened: int
    lost: int
    resent: int
    restarted: int
    redelivered: int
    undeliverable: int
    sent: int
    expired: int
    called: bool  # a dispatcher of events
    gauges: sweep.Gauges


def run(db: Database, sender: Sender, *, deadline: float) -> Swept:
    """One sweep: expired leases, stranded jobs, batches and deliveries, owed messages, waiting events, what is past.

    Sending and expiring end by `deadline` (monotonic).

    Raises:
        Unavailable: the database could not be reached; the next sweep does the same work.
    """
    lost = sweep.leases(db)
    _log("worker lost", lost.jobs)
    resent = sweep.stranded(db)
    stuck = sweep.batches(db)
    _log("batch stuck", stuck.batches)
    redelivered, undeliverable = sweep.deliveries(db)
    sent = 0
    while time.monotonic() < deadline:
        messages = owed.take(db)
        _log("message owed", map(_told, messages))
        sent += outbox.deliver(db, sender, messages)
        if len(messages) < owed.TAKE_LIMIT:
            break
    called = events.nudge_if_waiting(db, sender)
    sweep.purge(db)
    events.purge(db, deadline=deadline)
    while time.monotonic() < deadline and sweep.deleted_webhooks(db):
        pass  # as many as there are
    expired = 0
    # As many as there are: what is past its time must not wait for as many minutes as it has thousands.
    while time.monotonic() < deadline and (gone := sweep.expire_places(db)):
        expired += gone
    gauges = sweep.gauges(db)
    _publish(gauges)
    return Swept(
        reopened=lost.reopened,
        lost=lost.failed + stuck.failed,
        resent=resent,
        restarted=stuck.restarted,
        redelivered=redelivered,
        undeliverable=undeliverable,
        sent=sent,
        expired=expired,
        called=called,
        gauges=gauges,
    )


def _publish(gauges: sweep.Gauges) -> None:
    """The gauges as metrics, and the heartbeat: a sweep that failed on its way is none."""
    observe(Metric.PENDING_JOBS, gauges.pending)
    observe(Metric.RUNNING_JOBS, gauges.running)
    observe(Metric.OLDEST_PENDING_SECONDS, gauges.oldest_pending_seconds)
    observe(Metric.EXPIRED_LEASES, gauges.expired_leases)
    observe(Metric.OUTBOX_OWED, gauges.outbox_owed)
    observe(Metric.OLDEST_OWED_SECONDS, gauges.oldest_owed_seconds)
    observe(Metric.UNDISPATCHED_EVENTS, gauges.undispatched_events)
    observe(Metric.OLDEST_UNDISPATCHED_SECONDS, gauges.oldest_undispatched_seconds)
    observe(Metric.OPEN_BATCHES, gauges.open_batches)
    observe(Metric.PENDING_DELIVERIES, gauges.pending_deliveries)
    count(Metric.SWEEPS)


def _told(message: Message) -> dict[str, Any]:
    """What a message is about. It names a job, a run or a delivery, and the request that it goes back to."""
    named = ("job_id", "run", "round", "delivery_id", "correlation_id")
    return {"queue": message.queue, **{name: message.body[name] for name in named if name in message.body}}


def _log(step: str, acted_on: Iterable[Mapping[str, Any]]) -> None:
    for one in acted_on:
        logger().info(step, extra={name: value for name, value in one.items() if value is not None})
