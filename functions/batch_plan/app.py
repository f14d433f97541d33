"""First step of a batch's round: its pending jobs, cut into chunks for the scan workers, as a list on S3."""

import json
import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

from scrapersky.domain.batches import Execution
from scrapersky.observability import logger, observed
from scrapersky.services import batch_rounds
from scrapersky.settings import BatchPlanSettings
from scrapersky.wiring import database, s3

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Plan the round; the answer tells the state machine whose the chunks are, where, and how many may run at once.

    Each chunk is what the worker is invoked with. Without a pending job there is no chunk and no list.
    """
    settings = BatchPlanSettings.from_env(os.environ)
    run = UUID(event["run"])
    with database() as db:
        plan = batch_rounds.plan(
            db,
            Execution.named(event["execution"], run),
            round=event["round"],
            chunk_size=settings.chunk_size,
            sites_per_worker=settings.sites_per_worker,
            max_lanes=settings.max_lanes,
        )
    key = f"batches/{event['execution']}/{event['round']}.json"
    if plan.chunks:
        chunks = [
            {
                "job_ids": [str(job_id) for job_id in chunk.job_ids],
                "window": chunk.window,
                "correlation_id": event["correlation_id"],
            }
            for chunk in plan.chunks
        ]
        s3().put_object(
            Bucket=settings.bucket, Key=key, Body=json.dumps(chunks).encode(), ContentType="application/json"
        )
    planned = {
        "run": str(run),
        "execution": event["execution"],
        "batch_id": str(plan.batch_id),
        "round": event["round"],
        "correlation_id": event["correlation_id"],
        "kind": plan.kind.value,
        "lanes": plan.lanes,
        "bucket": settings.bucket,
        "key": key,
        "chunks": len(plan.chunks),
    }
    logger().info("round planned", extra={**planned, "jobs": sum(len(chunk.job_ids) for chunk in plan.chunks)})
    return planned
