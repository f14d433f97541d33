"""Calls for a dispatcher where something ended. On its own, since workers want nothing else of events."""

from dataclasses import dataclass

from scrapersky.observability import logger
from scrapersky.queues import EventNudge, Sender


def nudge(sender: Sender, correlation_id: str = "") -> None:
    """Call a dispatcher. Where that fails, the sweeper calls one within a minute: who ended a job goes on with it."""
    _, refused = sender.send([EventNudge(correlation_id).message()])
    if refused:
        logger().warning("dispatcher not called", extra={"reasons": sorted(set(refused.values()))})


@dataclass(slots=True)
class Calling:
    """Calls a dispatcher for what ended in one invocation: nobody waits to hear of a site for the slowest beside it."""

    sender: Sender | None  # without one, the sweeper calls
    ended: int = 0

    def call(self, ended: int) -> None:
        """Call if more has ended than it was called for last."""
        if self.sender is not None and ended > self.ended:
            self.ended = ended
            nudge(self.sender)
