"""Every few minutes: does what a client does, by the public API, and tells whether it works."""

import os
import time
from typing import TYPE_CHECKING, Any

from scrapersky.metrics import Metric, observe
from scrapersky.observability import logger, observed
from scrapersky.secret_store import secret
from scrapersky.services import canary
from scrapersky.settings import CanarySettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 5.0  # in which to say that the time was up


@observed
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Run the canary once; CanarySuccess is 0 as well when it could not even begin."""
    begin = time.monotonic()
    deadline = begin + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    is_ok = False
    try:
        settings = CanarySettings.from_env(os.environ)
        with canary.client(settings.api_url, secret(settings.token_secret_arn).strip()) as api:
            seen = canary.run(api, settings.url, deadline=deadline)
        is_ok = seen.failure is None
    finally:
        observe(Metric.CANARY_SUCCESS, int(is_ok))
    milliseconds = round((time.monotonic() - begin) * 1000)
    told = {"job_id": seen.job_id, "ms": milliseconds}
    if seen.failure is None:
        observe(Metric.CANARY_MILLISECONDS, milliseconds)  # of runs that worked: a refusal is quick and says nothing
        logger().info("canary passed", extra=told)
    else:
        failure = seen.failure
        logger().error(
            "canary failed",
            extra={
                **told,
                "step": failure.step.value,
                "reason": failure.reason,
                "status": failure.status_code,
                "request_id": failure.request_id,
            },
        )
    return {**told, "is_ok": is_ok}
