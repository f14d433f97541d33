"""Scans the sites of the jobs that a batch of queue messages names."""

import os
import time
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import network_policy

from scrapersky import __version__
from scrapersky.observability import logger, observed
from scrapersky.queues import JobMessage, MalformedMessage
from scrapersky.services import domain_scan, work
from scrapersky.settings import FetchSettings, WorkerSettings
from scrapersky.wiring import database

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
                domain_scan.scanner(_fetcher()),
                lease=timedelta(seconds=settings.lease_seconds),
                concurrency=settings.max_concurrent_sites,
                deadline=deadline,
            )
        again.extend(message for job_id in tally.later for message in message_ids[job_id])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}


@cache
def _fetcher() -> Fetcher:
    settings = FetchSettings.from_env(os.environ)
    return Fetcher(
        policy=network_policy(settings.allow_networks, settings.resolve),
        user_agent=f"ScraperSky/{__version__} (+{settings.contact_url})",
        ca_file=settings.ca_file,
    )
