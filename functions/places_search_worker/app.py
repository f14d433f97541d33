"""Makes the places searches that a batch of queue messages names."""

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scrapersky.observability import observed
from scrapersky.queues import jobs_of
from scrapersky.services import places_work
from scrapersky.services.nudges import nudge
from scrapersky.settings import PlacesWorkerSettings
from scrapersky.wiring import database, places_client, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Work an SQS batch off; what could not be done now is named in `batchItemFailures`."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    message_ids, again = jobs_of(event["Records"])
    if message_ids:
        settings = PlacesWorkerSettings.from_env(os.environ)
        with database() as db:
            tally = places_work.work_off(
                db,
                list(message_ids),
                places_client,
                sender("places_search", "event"),
                terms=places_work.PlacesTerms(
                    content_kept=timedelta(days=settings.content_days),
                    reuse_within=timedelta(hours=settings.reuse_hours),
                ),
                lease=timedelta(seconds=settings.lease_seconds),
                deadline=deadline,
            )
        if tally.ended:
            nudge(sender("places_search", "event"))
        again.extend(message for job_id in tally.later for message in message_ids[job_id])
    return {"batchItemFailures": [{"itemIdentifier": message} for message in again]}
