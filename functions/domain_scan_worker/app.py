"""Scans the sites of the jobs that a batch of queue messages names."""

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scrapersky.observability import logger, observed
from scrapersky.queues import JobMessage, MalformedMessage
from scrapersky.services import domain_scan, work
from scrapersky.settings import WorkerSettings
from scrapersky.wiring import database, fetcher

if TYPE_CHECKING:
    from uuid import UUID

    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work an SQS batch off; what could not be done now is named in `batchItemFailures`."""
    settings = WorkerSettings.from_env(os.environ)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    message_ids: dict[UUID, list[str]] = {}
    again: list[str] = []
    for record in event["Records"]:
        try:
            job_id = JobMessage.parse(record["body"]).job_id
        except MalformedMessage as error:
            logger().error("malformed message", extra={"message_id": record["messageId"], "reason": str(error)})
            again.append(record["messageId"])
        else:
            message_ids.setdefault(job_id, []).append(record["messageId"])
    if message_ids:
        with database() as db:
            tally = work.work_off(
                db,
                list(message_ids),
                domain_scan.scanner(fetcher()),
                lease=timedelta(seconds=settings.lease_seconds),
                concurrency=settings.max_concurrent_sites,
                deadline=deadline,
            )
        again.extend(message for job_id in tally.later for message in message_ids[job_id])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}
