"""Tells the receivers of webhooks what a batch of queue messages names."""

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scrapersky.observability import observed
from scrapersky.queues import deliveries_of
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.post import Posted, post
from scrapersky.services import webhook_work
from scrapersky.settings import WebhookWorkerSettings
from scrapersky.wiring import database, fetcher, sender, webhook_key

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CONCURRENCY = 10  # deliveries at a time: as many as a batch of messages brings, nearly all of which wait for a receiver


@observed
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work an SQS batch off; what could not be done now is named in `batchItemFailures`."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    message_ids, again = deliveries_of(event["Records"])
    if message_ids:
        settings = WebhookWorkerSettings.from_env(os.environ)
        with database() as db:
            tally = webhook_work.work_off(
                db,
                sender("webhook"),
                list(message_ids),
                send,
                key=webhook_key(),
                lease=timedelta(seconds=settings.lease_seconds),
                workers=settings.workers_per_endpoint,
                concurrency=CONCURRENCY,
                deadline=deadline,
            )
        again.extend(message for delivery_id in tally.later for message in message_ids.get(delivery_id, ()))
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}


def send(url: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Posted | FetchFailure:
    """One POST by the process's fetcher."""
    return post(fetcher(), url, body, headers, deadline=deadline)
