"""Hands events on: to the bus, to the tenants' endpoints, to the metrics."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from scrapersky.db import events
from scrapersky.db.connection import Database
from scrapersky.domain.events import Event, outcome, seconds
from scrapersky.domain.status import JobStatus
from scrapersky.metrics import Metric, count, observe
from scrapersky.observability import logger
from scrapersky.queues import Sender
from scrapersky.services import outbox
from scrapersky.services.nudges import nudge

if TYPE_CHECKING:
    from scrapersky.event_bus import EventBus

# A bus that takes nothing for a day is a matter for people; EventBridge gives its own targets up after as long.
BUS_PATIENCE = timedelta(hours=24)
BUS_GRACE_SECONDS = 10.0  # past the deadline, for the events that were taken just before it
_ENDED = {
    JobStatus.COMPLETE: Metric.JOBS_COMPLETE,
    JobStatus.FAILED: Metric.JOBS_FAILED,
    JobStatus.CANCELLED: Metric.JOBS_CANCELLED,
}


@dataclass(slots=True)
class Tally:
    """What one dispatcher did: events handed on, messages of deliveries sent, events that the bus did not take now."""

    dispatched: int = 0
    sent: int = 0
    delayed: int = 0


def nudge_if_waiting(db: Database, sender: Sender) -> bool:
    """Call a dispatcher if there is anything for one; return whether there is.

    Raises:
        Unavailable: the database could not be reached.
    """
    waiting = events.are_waiting(db)
    if waiting:
        nudge(sender)
    return waiting


def purge(db: Database, *, deadline: float) -> int:
    """Remove what is past its time until `deadline` (monotonic); return how many events.

    Raises:
        Unavailable: the database could not be reached.
    """
    purged = 0
    while time.monotonic() < deadline and (gone := events.purge(db)):
        purged += gone
    return purged


def dispatch(db: Database, sender: Sender, bus: "EventBus | None", *, deadline: float) -> Tally:
    """Hand on what there is; nothing is taken after `deadline` (monotonic). An event is told at least once, by its id.

    What the bus does not take now is told to the endpoints and counted all the same, and put on the bus again after a
    while.

    Raises:
        Unavailable: the database could not be reached; what was taken is taken again when its hold is over.
    """
    tally = Tally()
    while time.monotonic() < deadline:
        token = uuid4()
        taken = events.take(db, token)
        if not taken:
            break
        delayed = _put(bus, taken, deadline + BUS_GRACE_SECONDS) if bus is not None else set()
        done = {event.id for event in taken} - delayed
        dispatched = events.dispatch(db, token, taken, done=done)
        _count(event for event in taken if event.id in dispatched.counted)
        handed_on = [event for event in taken if event.id in dispatched.ids]
        count(Metric.EVENTS_DISPATCHED, len(handed_on))
        _log(handed_on)
        tally.dispatched += len(dispatched.ids)
        tally.delayed += len(delayed)
        tally.sent += outbox.deliver(db, sender, dispatched.messages)
    return tally


def _put(bus: "EventBus", taken: list[Event], deadline: float) -> set[UUID]:
    """Put events on the bus; return the ids of those that are to be put again."""
    put = bus.put(taken, deadline=deadline)
    since = datetime.now(UTC) - BUS_PATIENCE
    given_up = {event.id for event in taken if event.id in put.delayed and event.occurred_at < since}
    for event in taken:
        if event.id in put.refused or event.id in given_up:
            logger().error(
                "event not put on the bus",
                extra={
                    "event_id": str(event.id),
                    "tenant_id": str(event.tenant_id),
                    "type": event.type.value,
                    "reason": put.refused.get(event.id) or put.delayed[event.id],
                },
            )
    if put.delayed:
        logger().warning(
            "events put off", extra={"delayed": len(put.delayed), "reasons": sorted(set(put.delayed.values()))}
        )
    return set(put.delayed) - given_up


def _log(dispatched: Iterable[Event]) -> None:
    for event in dispatched:
        about = {"job_id": event.job_id, "batch_id": event.batch_id, "webhook_id": event.webhook_id}
        logger().info(
            "event dispatched",
            extra={
                "event_id": str(event.id),
                "tenant_id": str(event.tenant_id),
                "type": event.type.value,
                "correlation_id": event.correlation_id,
                **{name: str(value) for name, value in about.items() if value is not None},
            },
        )


def _count(met: Iterable[Event]) -> None:
    """Metrics of ends. This is the one place that sees every job's end, whoever ended it, and each once."""
    for event in met:
        if event.type.is_of_a_job:
            kind = event.data["kind"]
            count(Metric.JOBS_ENDED, kind=kind, outcome=outcome(event))
            count(_ENDED[JobStatus(event.data["status"])], kind=kind)
            observe(Metric.JOB_SECONDS, seconds(event), kind=kind)
