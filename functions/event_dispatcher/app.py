"""Hands on the events that wait for it, when it is told that there may be some."""

import time
from typing import TYPE_CHECKING, Any

from scrapersky.observability import logger, observed
from scrapersky.queues import EventNudge, MalformedMessage
from scrapersky.services import events
from scrapersky.wiring import database, event_bus, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# For the events taken last: a call to the bus, their transaction with its tries, and their messages.
RESERVE_SECONDS = 35.0


@observed
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Dispatch what there is time for; the sweeper sees to the rest. Messages name no event: all ask for the same."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    malformed = []
    for record in event["Records"]:
        try:
            EventNudge.parse(record["body"])
        except MalformedMessage as error:
            logger().error("malformed message", extra={"message_id": record["messageId"], "reason": str(error)})
            malformed.append(record["messageId"])
    if len(malformed) < len(event["Records"]):
        with database() as db:
            tally = events.dispatch(db, sender("webhook"), event_bus(), deadline=deadline)
        logger().info(
            "events dispatched",
            extra={"dispatched": tally.dispatched, "sent": tally.sent, "delayed": tally.delayed},
        )
    return {"batchItemFailures": [{"itemIdentifier": message} for message in malformed]}
