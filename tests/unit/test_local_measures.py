"""The local engine measures what AWS measures by itself: functions, executions, the API's answers, queues."""

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scrapersky_local import engine_cloudwatch, engine_metrics
from scrapersky_local.engine_cloudwatch import Metrics
from scrapersky_local.processes import StackError
from scrapersky_local.queue_metrics import DELAYED, NOT_VISIBLE, OLDEST, REPEAT_SECONDS, VISIBLE, QueueGauges
from support.local_cloudwatch import Clock, own_module, sums


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloudwatch() -> ModuleType:
    return own_module()


@pytest.fixture
def metrics(cloudwatch: ModuleType, clock: Clock) -> Metrics:
    return Metrics(cloudwatch, clock)


def functions(metrics: Metrics, result: Callable[[], dict[str, Any]]) -> SimpleNamespace:
    service = SimpleNamespace(__name__="lambda_svc")

    def emit(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        raise AssertionError("the engine counts by itself")

    def execute(func: Any, config: Any, event: Any, request_id: str, started: float) -> dict[str, Any]:
        return result()

    service._emit_lambda_metrics, service._execute_function_dispatch = emit, execute
    engine_metrics.measure_functions(service, metrics)
    return service


@pytest.mark.parametrize(("answer", "errors"), [({"body": 1}, 0), ({"error": True}, 1)], ids=["well", "failed"])
def test_every_invocation_counts_with_its_outcome(
    cloudwatch: ModuleType, metrics: Metrics, clock: Clock, answer: dict[str, Any], errors: int
) -> None:
    service = functions(metrics, lambda: answer)
    assert service._execute_function_dispatch({}, {"FunctionName": "f"}, {}, "id", clock.now) == answer
    counted = [
        sums(cloudwatch, name, "AWS/Lambda", FunctionName="f") for name in ("Invocations", "Errors", "Throttles")
    ]
    assert counted == [1, errors, 0]


def test_an_invocation_that_breaks_is_an_error_too(cloudwatch: ModuleType, metrics: Metrics, clock: Clock) -> None:
    def broken() -> dict[str, Any]:
        raise OSError("no process")

    with pytest.raises(OSError, match="no process"):
        functions(metrics, broken)._execute_function_dispatch({}, {"FunctionName": "f"}, {}, "id", clock.now)
    assert sums(cloudwatch, "Errors", "AWS/Lambda", FunctionName="f") == 1


def test_a_throttled_invocation_is_told_once_and_is_none(cloudwatch: ModuleType, metrics: Metrics) -> None:
    service = functions(metrics, dict)
    service._emit_lambda_metrics("f", duration_ms=0.0, error=False, throttle=True)
    service._emit_lambda_metrics("f", duration_ms=0.3, error=True, throttle=True)  # Invoke says it again
    service._emit_lambda_metrics("f", duration_ms=12.0, error=True, throttle=False)
    counted = [
        sums(cloudwatch, name, "AWS/Lambda", FunctionName="f") for name in ("Invocations", "Errors", "Throttles")
    ]
    assert counted == [0, 0, 1]


def test_each_state_of_an_execution_counts(cloudwatch: ModuleType, metrics: Metrics) -> None:
    emitted: list[str] = []

    def emit(execution: dict[str, Any]) -> None:
        emitted.append(execution["status"])

    service = SimpleNamespace(_emit_execution_status_event=emit, __name__="stepfunctions")
    engine_metrics.measure_executions(service, metrics)
    came = ["RUNNING", "RUNNING", "SUCCEEDED", "FAILED"]
    for status in came:
        service._emit_execution_status_event({"status": status, "stateMachineArn": "arn"})
    assert emitted == came
    names = ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut")
    assert [sums(cloudwatch, name, "AWS/States", StateMachineArn="arn") for name in names] == [2, 1, 1, 0]


def test_the_api_s_answers_count_by_their_kind(cloudwatch: ModuleType, metrics: Metrics) -> None:
    for status in (200, 202, 404, 500, 503, 503):
        engine_metrics.measure_answer(metrics, "a1", status)
    assert [sums(cloudwatch, name, "AWS/ApiGateway", ApiId="a1") for name in ("Count", "4xx", "5xx")] == [6, 1, 3]


def test_the_pinned_engine_has_these_seams_and_another_is_refused(metrics: Metrics) -> None:
    from ministack.services import cloudwatch, lambda_svc, stepfunctions  # type: ignore[import-untyped]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

    def copied(module: ModuleType, **more: object) -> SimpleNamespace:
        return SimpleNamespace(**(vars(module) | more))

    engine_cloudwatch.know_composite_alarms(copied(provisioners, _RESOURCE_HANDLERS={}), cloudwatch)
    engine_metrics.measure_functions(copied(lambda_svc), metrics)
    engine_metrics.measure_executions(copied(stepfunctions), metrics)
    with pytest.raises(StackError, match=r"has no .*_metric_bucket\(key\)"):
        Metrics(copied(cloudwatch, _metric_bucket=None))


def message(number: int, *, sent: float, visible: float = 0, receives: int = 0, dead: bool = False) -> dict[str, Any]:
    told = {"DeadLetterQueueSourceArn": "arn"} if dead else {}
    return {"id": number, "sent_at": sent, "visible_at": visible, "receive_count": receives, "sys": told}


def look(gauges: QueueGauges, now: float, *messages: dict[str, Any]) -> dict[str, float]:
    queue = {"name": "q", "messages": list(messages)}
    return {figure.metric: figure.value for figure in gauges.figures([queue], now)}


def test_a_queue_tells_how_many_it_holds_and_how_old_the_oldest_is() -> None:
    waiting, taken = message(1, sent=900, visible=900), message(2, sent=950, visible=1010, receives=1)
    told = look(QueueGauges(), 1000, waiting, taken, message(3, sent=990, visible=1005))
    assert told == {VISIBLE: 1, NOT_VISIBLE: 1, DELAYED: 1, OLDEST: 100}


def test_a_message_that_nobody_can_handle_does_not_hide_the_others_age() -> None:
    poisoned, fresh = message(1, sent=0, receives=3), message(2, sent=995)
    assert look(QueueGauges(), 1000, poisoned, fresh)[OLDEST] == 5
    assert look(QueueGauges(), 1000, poisoned)[OLDEST] == 0


def test_a_dead_message_is_as_old_as_its_stay() -> None:
    gauges = QueueGauges()
    dead = message(1, sent=0, receives=5, dead=True)
    assert look(gauges, 1000, dead)[OLDEST] == 0
    assert look(gauges, 1042, dead, message(2, sent=0, receives=5, dead=True))[OLDEST] == 42
    look(gauges, 1050)
    assert look(gauges, 1055, dead) == {VISIBLE: 1}


def test_a_value_is_told_when_it_changes_and_else_once_a_minute() -> None:
    def rounds() -> Iterator[int]:
        gauges = QueueGauges()
        for now in range(1000, 1000 + int(REPEAT_SECONDS) + 1):
            yield len(look(gauges, now))

    told = list(rounds())
    assert (told[0], told[-1], sum(told)) == (4, 4, 8)
