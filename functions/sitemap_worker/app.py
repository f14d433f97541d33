"""Reads the sitemaps of the jobs that a batch of queue messages, or a chunk of a batch's jobs, names."""

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scrapersky.observability import logger, observed
from scrapersky.queues import jobs_of
from scrapersky.services import sitemap_work
from scrapersky.settings import SitemapWorkerSettings
from scrapersky.wiring import database, fetcher, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work off what the queue delivers (`Records`) or the state machine hands over (`job_ids`, `window`)."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    return from_queue(event, deadline) if "Records" in event else from_batch(event, deadline)


def from_batch(event: dict[str, Any], deadline: float) -> dict[str, int]:
    """Work one chunk off and count what became of it; what was not done stays pending for the next round."""
    logger().set_correlation_id(event.get("correlation_id"))  # for the lines of no job in particular
    tally = work_off([UUID(job_id) for job_id in event["job_ids"]], event["window"], deadline, in_batch=True)
    return {
        "stored": len(tally.stored),
        "left": len(tally.left),
        "fenced": len(tally.fenced),
        "released": len(tally.released),
        "postponed": len(tally.postponed),
        "ignored": len(tally.ignored),
        "later": len(tally.later),
    }


def from_queue(event: dict[str, Any], deadline: float) -> dict[str, Any]:
    """Work an SQS batch off; what could not be done now is named in `batchItemFailures`."""
    message_ids, again = jobs_of(event["Records"])
    if message_ids:
        tally = work_off(list(message_ids), None, deadline, in_batch=False)
        again.extend(message for job_id in tally.later for message in message_ids[job_id])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}


def work_off(job_ids: list[UUID], window: int | None, deadline: float, *, in_batch: bool) -> sitemap_work.Tally:
    """Run the jobs, `window` at a time or as many as a worker takes."""
    settings = SitemapWorkerSettings.from_env(os.environ)
    with database() as db:
        return sitemap_work.work_off(
            db,
            job_ids,
            fetcher(),
            sender("sitemap_scan", "event"),
            lease=timedelta(seconds=settings.lease_seconds),
            concurrency=min(window or settings.max_concurrent_sites, settings.max_concurrent_sites),
            deadline=deadline,
            in_batch=in_batch,
        )
