"""Works the batch queue off: starts the state machine for a batch, and makes batches that messages ask for.

A message that can never be worked off goes to the dead letter queue at once, with its reason; one that could not be
worked off now comes again.
"""

import json
import os
from typing import TYPE_CHECKING, Any

from scrapersky.domain.batches import Execution
from scrapersky.domain.jobs import Caller
from scrapersky.errors import Conflict
from scrapersky.metrics import Metric, count
from scrapersky.observability import logger, observed
from scrapersky.queues import BatchRequest, BatchStart, MalformedMessage, parse_batch_message
from scrapersky.services import batch
from scrapersky.settings import BatchStartSettings
from scrapersky.wiring import database, sender, sqs, step_functions

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

QUEUE_USER = "batch-queue"  # `created_by` of what no token's user asked for


@observed
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Each message for itself: none can hold up or take along another one."""
    settings = BatchStartSettings.from_env(os.environ)
    again: list[str] = []
    for record in event["Records"]:
        keys = {"message_id": record["messageId"]}
        try:
            try:
                work_off(record["body"], settings)
            except (MalformedMessage, Conflict) as refusal:
                logger().error("message refused", extra={**keys, "reason": str(refusal)})
                set_aside(record, str(refusal), settings)
        except Exception:
            # The database or an AWS service, usually: the queue brings the message again, and gives it up in the end.
            logger().exception("message not worked off", extra=keys)
            again.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}


def work_off(body: str, settings: BatchStartSettings) -> None:
    """Do what the message says; a second delivery changes nothing.

    Raises:
        MalformedMessage: it is none of ours.
        Conflict: its `batch_id` stands for another request.
    """
    message = parse_batch_message(body)
    if isinstance(message, BatchStart):
        begin(message, settings.state_machine_arn)
    else:
        create(message)


def begin(message: BatchStart, state_machine_arn: str) -> None:
    """Start the execution that the message names, unless it was started already."""
    client = step_functions()
    name = Execution(message.run, message.execution).name
    keys = {"run": str(message.run), "execution": name, "correlation_id": message.correlation_id}
    try:
        client.start_execution(
            stateMachineArn=state_machine_arn,
            name=name,
            # Which of the batch's executions it is, its steps know by its name; its rounds count from 1.
            input=json.dumps({"run": str(message.run), "round": 1, "correlation_id": message.correlation_id}),
        )
    except client.exceptions.ExecutionAlreadyExists:
        logger().info("execution started before", extra=keys)
    else:
        logger().info("execution started", extra=keys)


def create(request: BatchRequest) -> None:
    """Make the batch; its own message brings it back here to be started."""
    caller = Caller(request.tenant_id, QUEUE_USER, request.correlation_id)
    with database() as db:
        batch.start(
            db,
            sender("batch", "event"),
            caller,
            kind=request.kind,
            domains=request.domains,
            max_pages=request.max_pages,
            max_concurrent=request.max_concurrent,
            batch_id=request.batch_id,
            idempotency=None,
        )


def set_aside(record: dict[str, Any], reason: str, settings: BatchStartSettings) -> None:
    """Put a message where people look at it, and count it."""
    sqs().send_message(
        QueueUrl=settings.dead_letter_queue_url,
        MessageBody=record["body"],
        MessageAttributes={
            "reason": {"DataType": "String", "StringValue": reason},
            "source": {"DataType": "String", "StringValue": record["eventSourceARN"]},
        },
    )
    count(Metric.MALFORMED_MESSAGES)
