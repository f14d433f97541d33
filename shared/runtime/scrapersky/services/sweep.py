"""Puts right what was left behind: messages not sent, workers lost, rows past their time."""

import time
from dataclasses import dataclass

from scrapersky.db import outbox as owed
from scrapersky.db import sweep
from scrapersky.db.connection import Database
from scrapersky.queues import Sender
from scrapersky.services import outbox


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, and how the whole stood after it."""

    reopened: int
    lost: int
    resent: int
    restarted: int
    sent: int
    expired: int
    gauges: sweep.Gauges


def run(db: Database, sender: Sender, *, deadline: float) -> Swept:
    """One sweep: expired leases, stranded jobs and batches, owed messages, rows and content past their time.

    Sending and expiring end by `deadline` (monotonic).

    Raises:
        Unavailable: the database could not be reached; the next sweep does the same work.
    """
    reopened, lost = sweep.leases(db)
    resent = sweep.stranded(db)
    restarted, given_up = sweep.batches(db)
    sent = 0
    while time.monotonic() < deadline:
        messages = owed.take(db)
        sent += outbox.deliver(db, sender, messages)
        if len(messages) < owed.TAKE_LIMIT:
            break
    sweep.purge(db)
    expired = 0
    # As many as there are: what is past its time must not wait for as many minutes as it has thousands.
    while time.monotonic() < deadline and (gone := sweep.expire_places(db)):
        expired += gone
    return Swept(
        reopened=reopened,
        lost=lost + given_up,
        resent=resent,
        restarted=restarted,
        sent=sent,
        expired=expired,
        gauges=sweep.gauges(db),
    )
