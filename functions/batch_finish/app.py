"""Last step of a batch's round: is there another one? And the end of a batch that could not be worked off."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from scrapersky.domain.batches import Execution
from scrapersky.observability import logger, observed
from scrapersky.services import batch_rounds
from scrapersky.services.nudges import nudge
from scrapersky.wiring import database, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Close the round and tell how to go on or, with `abort`, end every job that nobody works on."""
    run, number = UUID(event["run"]), event["round"]
    execution = Execution.named(event.get("execution"), run)
    keys = {"run": str(run), "correlation_id": event["correlation_id"]}
    logger().set_correlation_id(event["correlation_id"])  # for the lines of what is called from here
    with database() as db:
        if event.get("abort"):
            ended = batch_rounds.abort(db, execution)
            if ended:
                nudge(sender("event"), event["correlation_id"])
            logger().error("execution failed", extra={**keys, "round": number, "ended": ended, "error": event["error"]})
            return {**keys, "ended": ended}
        finished = batch_rounds.finish(db, execution, round=number)
    if finished.given_up:
        nudge(sender("event"), event["correlation_id"])
    logged = {**keys, "batch_id": str(finished.batch_id)}
    logger().info("round finished", extra={**logged, "round": number, "open": finished.open, "again": finished.again})
    return {**keys, "round": number + 1, "again": finished.again, "wait_seconds": finished.wait_seconds}
