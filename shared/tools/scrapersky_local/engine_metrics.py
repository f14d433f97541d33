"""What AWS measures by itself, measured in the local engine: functions, executions, the HTTP API, queues.

Each function but the last puts a seam into one of ministack's modules, or is called from one of ours (`engine`).
"""

import asyncio
import time
from typing import Any, NoReturn

from scrapersky_local.engine_cloudwatch import Metrics
from scrapersky_local.queue_metrics import QueueGauges
from scrapersky_local.seams import require

LOOK_SECONDS = 1.0  # between two looks at queues and alarms; AWS takes a minute


def measure_functions(lambda_service: Any, metrics: Metrics) -> None:
    """AWS/Lambda: every invocation counts, whoever asked for it; the engine counts those of Invoke alone.

    Raises:
        StackError: the module is not the one of the pinned version.
    """
    seams = {
        "_emit_lambda_metrics": ["function_name", "duration_ms", "error", "throttle"],
        "_execute_function_dispatch": ["func", "config", "event", "request_id", "started"],
    }
    require(lambda_service, seams)
    execute = lambda_service._execute_function_dispatch

    def record(name: str, metric: str, value: float, unit: str = "Count") -> None:
        metrics.record("AWS/Lambda", metric, value, unit, {"FunctionName": name})

    def execute_measured(func: Any, config: dict[str, Any], event: Any, request_id: str, started: float) -> Any:
        name = str(config.get("FunctionName", "unknown"))
        failed = True
        try:
            result = execute(func, config, event, request_id, started)
            failed = bool(result.get("error"))
        finally:
            record(name, "Invocations", 1)
            record(name, "Errors", failed)
            record(name, "Throttles", 0)
            record(name, "Duration", round((time.time() - started) * 1000), "Milliseconds")
        return result

    def emit_throttle(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:  # noqa: ARG001
        if throttle and not duration_ms:  # Invoke tells the same throttle again, with the time that it took
            record(function_name, "Throttles", 1)

    lambda_service._execute_function_dispatch = execute_measured
    lambda_service._emit_lambda_metrics = emit_throttle


_EXECUTION_METRICS = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}


def measure_executions(stepfunctions: Any, metrics: Metrics) -> None:
    """AWS/States: each state that an execution comes to.

    Raises:
        StackError: the module is not the one of the pinned version.
    """
    require(stepfunctions, {"_emit_execution_status_event": ["execution"]})
    emit = stepfunctions._emit_execution_status_event

    def emit_measured(execution: dict[str, Any]) -> None:
        dimensions = {"StateMachineArn": execution["stateMachineArn"]}
        metrics.record("AWS/States", _EXECUTION_METRICS[execution["status"]], 1, "Count", dimensions)
        emit(execution)

    stepfunctions._emit_execution_status_event = emit_measured


def measure_answer(metrics: Metrics, api_id: str, status: int) -> None:
    """AWS/ApiGateway of one answer of an HTTP API: counted, and among the errors of its kind or not."""
    for metric, value in (("Count", True), ("4xx", 400 <= status < 500), ("5xx", status >= 500)):
        metrics.record("AWS/ApiGateway", metric, value, "Count", {"ApiId": api_id})


async def look_around(metrics: Metrics, sqs: Any, gauges: QueueGauges) -> NoReturn:
    """Measure the queues and evaluate the alarms, again and again, until cancelled."""
    while True:
        for figure in gauges.figures(list(sqs._queues.values()), time.time()):
            metrics.record("AWS/SQS", figure.metric, figure.value, figure.unit, {"QueueName": figure.queue})
        metrics.evaluate_alarms()
        await asyncio.sleep(LOOK_SECONDS)
