"""Logs and metrics: one JSON object a line, the same keys everywhere, nothing read or opened at import."""

from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

NAMESPACE = "ScraperSky"  # of every metric of ours


@cache
def logger() -> "Logger":
    """The process's logger; service and level come from POWERTOOLS_SERVICE_NAME and POWERTOOLS_LOG_LEVEL."""
    from aws_lambda_powertools import Logger

    return Logger(utc=True)


def observed(handler: "Callable[[Any, LambdaContext], Any]") -> "Callable[[Any, LambdaContext], Any]":
    """Put request id and cold start on every log line of an invocation, and let none leak into the next one."""

    @wraps(handler)
    def invoke(event: Any, context: "LambdaContext") -> Any:
        return logger().inject_lambda_context(handler, clear_state=True)(event, context)

    return invoke


def count(metric: str, value: int = 1) -> None:
    """Add to a metric of this function: a log line that CloudWatch reads as one (embedded metric format)."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=metric, unit=MetricUnit.Count, value=value, namespace=NAMESPACE):
        pass
