"""Jobs that are given back: their messages are owed once more, and sent at once, to come when it may be their turn."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.observability import logger
from scrapersky.queues import Sender
from scrapersky.services import outbox

POSTPONE: Final = timedelta(seconds=10)
"""Of a job whose host, or whose very search, is another job's now: about as long as a small site or a search takes."""


def put_off(
    db: Database,
    sender: Sender | None,
    claims: Sequence[Claim],
    *,
    reason: str = "its host is busy",
    has_site: bool = True,
) -> list[UUID]:
    """Put off jobs that could not be claimed, and return their ids; `has_site` as of `Claim.keys`.

    Raises:
        Unavailable: the database could not be reached; nothing is owed that was not before.
    """
    job_ids = [claim.id for claim in claims]
    owe_again(db, sender, job_ids, pause=POSTPONE)
    for claim in claims:
        logger().info("job postponed", extra={**claim.keys(has_site=has_site), "reason": reason})
    return job_ids


def owe_again(db: Database, sender: Sender | None, job_ids: Sequence[UUID], *, pause: timedelta) -> None:
    """Owe the messages of pending jobs once more, to come after `pause`; without a sender the sweep sends them.

    Raises:
        Unavailable: the database could not be reached; nothing is owed that was not before.
    """
    messages = leases.postpone(db, job_ids, pause=pause)
    if sender is not None:
        outbox.deliver(db, sender, messages)
