"""Calls for a dispatcher where something ended. On its own, since workers want nothing else of events."""

from scrapersky.observability import logger
from scrapersky.queues import EventNudge, Sender


def nudge(sender: Sender, correlation_id: str = "") -> None:
    """Call a dispatcher. Where that fails, the sweeper calls one within a minute: who ended a job goes on with it."""
    _, refused = sender.send([EventNudge(correlation_id).message()])
    if refused:
        logger().warning("dispatcher not called", extra={"reasons": sorted(set(refused.values()))})
