"""Ends the jobs whose messages were given up, so that none of them waits for ever."""

from typing import TYPE_CHECKING, Any

from scrapersky.observability import logger, observed
from scrapersky.queues import JobMessage, MalformedMessage
from scrapersky.services import jobs
from scrapersky.services.nudges import nudge
from scrapersky.wiring import database, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

BODY_LOGGED = 2000  # characters of a message that is not ours: enough to find its sender


@observed
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, int]:
    """Fail each job that is still open; a message that names no job is logged whole, since it goes from here."""
    messages: list[JobMessage] = []
    malformed = 0
    for record in event["Records"]:
        try:
            messages.append(JobMessage.parse(record["body"]))
        except MalformedMessage as error:
            malformed += 1
            logger().error(
                "malformed message given up",
                extra={
                    "message_id": record["messageId"],
                    "reason": str(error),
                    "body": record["body"][:BODY_LOGGED],
                },
            )
    with database() as db:
        ended = jobs.give_up(db, messages)
    if ended:
        nudge(sender("event"))
    return {"messages": len(messages), "ended": ended, "malformed": malformed}
