"""The local engine's alarms go by what is theirs, and its metrics are kept and told as CloudWatch's are."""

import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scrapersky_local import engine_cloudwatch
from scrapersky_local.engine_cloudwatch import FINE_SECONDS, OLDER_IN_A_ROW, Metrics
from support.local_cloudwatch import SPACE, Clock, own_module, sums


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloudwatch() -> ModuleType:
    return own_module()


@pytest.fixture
def metrics(cloudwatch: ModuleType, clock: Clock) -> Metrics:
    return Metrics(cloudwatch, clock)


def put_alarm(cloudwatch: ModuleType, name: str, **more: object) -> None:
    alarm = {
        "AlarmName": name,
        "Namespace": SPACE,
        "MetricName": "OldestPendingSeconds",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 300,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    assert cloudwatch._put_metric_alarm({}, alarm | more, False, True)[0] == 200


def states(cloudwatch: ModuleType, metrics: Metrics) -> dict[str, str]:
    metrics.evaluate_alarms()
    body = cloudwatch._describe_alarms({}, {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}, False, True)[2]
    told = json.loads(body)
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in told["MetricAlarms"] + told["CompositeAlarms"]}


def test_an_alarm_looks_at_its_own_dimensions_alone(cloudwatch: ModuleType, metrics: Metrics) -> None:
    for queue in ("scan", "batch"):
        put_alarm(cloudwatch, queue, Dimensions=[{"Name": "QueueName", "Value": queue}])
    put_alarm(cloudwatch, "none", Dimensions=[])
    metrics.record(SPACE, "OldestPendingSeconds", 900, "Seconds", {"QueueName": "batch"})
    assert states(cloudwatch, metrics) == {"scan": "OK", "batch": "ALARM", "none": "OK"}


def test_an_alarm_goes_when_its_cause_does_and_comes_when_data_lack_that_must_not(
    cloudwatch: ModuleType, metrics: Metrics, clock: Clock
) -> None:
    put_alarm(cloudwatch, "oldest")
    put_alarm(
        cloudwatch, "silent", MetricName="Sweeps", Statistic="Sum", Threshold=1, TreatMissingData="breaching",
        ComparisonOperator="LessThanThreshold", Period=300,
    )  # fmt: skip
    metrics.record(SPACE, "OldestPendingSeconds", 301)
    metrics.record(SPACE, "Sweeps", 1)
    assert states(cloudwatch, metrics) == {"oldest": "ALARM", "silent": "OK"}
    clock.now += 60
    metrics.record(SPACE, "OldestPendingSeconds", 12)
    assert states(cloudwatch, metrics) == {"oldest": "OK", "silent": "OK"}
    clock.now += 3 * 300
    assert states(cloudwatch, metrics) == {"oldest": "OK", "silent": "ALARM"}


def test_an_alarm_of_several_periods_waits_for_them(cloudwatch: ModuleType, metrics: Metrics, clock: Clock) -> None:
    put_alarm(cloudwatch, "oldest", EvaluationPeriods=3, DatapointsToAlarm=2)
    seen = []
    for _ in range(3):
        metrics.record(SPACE, "OldestPendingSeconds", 400)
        seen.append(states(cloudwatch, metrics)["oldest"])
        clock.now += 60
    assert seen == ["OK", "ALARM", "ALARM"]


def test_an_alarm_finds_its_points_among_many_that_are_older_even_if_some_came_late(
    cloudwatch: ModuleType, metrics: Metrics, clock: Clock
) -> None:
    put_alarm(cloudwatch, "oldest")
    for number in range(5 * OLDER_IN_A_ROW):
        metrics.record(SPACE, "OldestPendingSeconds", number)
    clock.now += 3600
    assert states(cloudwatch, metrics) == {"oldest": "OK"}
    metrics.record(SPACE, "OldestPendingSeconds", 301)
    ((_, points),) = cloudwatch._metrics.items()
    points += [{**points[0], "Value": 0.0} for _ in range(OLDER_IN_A_ROW - 1)]
    assert states(cloudwatch, metrics) == {"oldest": "ALARM"}


def test_an_alarm_of_one_unit_does_not_see_another(cloudwatch: ModuleType, metrics: Metrics) -> None:
    put_alarm(cloudwatch, "seconds", Unit="Seconds")
    metrics.record(SPACE, "OldestPendingSeconds", 900, "Milliseconds")
    assert states(cloudwatch, metrics) == {"seconds": "OK"}


def test_without_the_seams_an_alarm_goes_by_another_queue_and_a_metric_by_all_dimensions(
    cloudwatch: ModuleType,
) -> None:
    """The control: what the tests above and below see is not what the engine does by itself."""
    put_alarm(cloudwatch, "scan", Dimensions=[{"Name": "QueueName", "Value": "scan"}])
    for value, dimensions in ((900, {"QueueName": "batch"}), (5, {})):
        cloudwatch.record_metric(SPACE, "OldestPendingSeconds", value, dimensions=dimensions)
    cloudwatch._evaluate_all_alarms()
    assert cloudwatch._alarms["scan"]["StateValue"] == "ALARM"
    assert sums(cloudwatch, "OldestPendingSeconds") == 905


def get_data(cloudwatch: ModuleType, *queries: dict[str, Any]) -> dict[str, list[float]]:
    told = json.loads(cloudwatch._get_metric_data({}, {"MetricDataQueries": list(queries)}, False, True)[2])
    return {result["Id"]: result["Values"] for result in told["MetricDataResults"]}


def query(name: str, metric: str, **more: Any) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {"Metric": {"Namespace": SPACE, "MetricName": metric}, "Period": 60, "Stat": "Sum"},
    } | more


def test_math_is_answered_period_by_period(cloudwatch: ModuleType, metrics: Metrics, clock: Clock) -> None:
    for some, all_ in ((1, 4), (3, 6)):
        metrics.record(SPACE, "Bad", some)
        metrics.record(SPACE, "All", all_)
        clock.now += 60
    metrics.record(SPACE, "Bad", 7)  # and nothing to divide it by
    bad, good = query("bad", "Bad"), query("good", "All", ReturnData=False)
    share = {"Id": "share", "Expression": "100 * bad / good"}
    assert get_data(cloudwatch, share, bad, good) == {"share": [25, 50], "bad": [1, 3, 7]}
    assert get_data(cloudwatch, bad) == {"bad": [1, 3, 7]}
    assert get_data(cloudwatch, {**share, "Expression": "SEARCH('x')"}, bad, good)["share"] == []
    assert get_data(cloudwatch, share, query("bad", "None"), good | {"ReturnData": False})["share"] == []


def test_percentiles_and_sums_are_those_of_the_window(cloudwatch: ModuleType, metrics: Metrics) -> None:
    put_alarm(cloudwatch, "p90", ExtendedStatistic="p90", Threshold=8)
    put_alarm(cloudwatch, "sum", Statistic="Sum", Threshold=55)
    for value in range(1, 11):
        metrics.record(SPACE, "OldestPendingSeconds", value)
    assert states(cloudwatch, metrics) == {"p90": "ALARM", "sum": "OK"}


def test_an_alarm_that_is_no_threshold_is_left_without_data(cloudwatch: ModuleType, metrics: Metrics) -> None:
    put_alarm(cloudwatch, "band", ComparisonOperator="GreaterThanUpperThreshold")
    metrics.record(SPACE, "OldestPendingSeconds", 900)
    assert states(cloudwatch, metrics) == {"band": "INSUFFICIENT_DATA"}


def test_without_dimensions_a_metric_is_the_one_that_has_none(cloudwatch: ModuleType, metrics: Metrics) -> None:
    metrics.record(SPACE, "JobsComplete", 5)
    metrics.record(SPACE, "JobsComplete", 3, dimensions={"kind": "domain_scan"})
    metrics.record(SPACE, "JobsComplete", 2, dimensions={"kind": "sitemap_scan"})
    assert sums(cloudwatch, "JobsComplete") == 5
    assert sums(cloudwatch, "JobsComplete", kind="sitemap_scan") == 2


def test_the_same_value_within_a_second_is_one_point_that_counts_twice(
    cloudwatch: ModuleType, metrics: Metrics, clock: Clock
) -> None:
    for value in (1, 1, 1, 2, 1):
        metrics.record(SPACE, "M", value)
    clock.now += 1
    metrics.record(SPACE, "M", 1)
    ((_, points),) = cloudwatch._metrics.items()
    assert [(point["Value"], point.get("Count", 1)) for point in points] == [(1, 3), (2, 1), (1, 1), (1, 1)]
    assert sums(cloudwatch, "M") == 7


def test_what_is_old_is_kept_by_the_minute_and_what_is_older_goes(
    cloudwatch: ModuleType, metrics: Metrics, clock: Clock
) -> None:
    clock.now -= clock.now % 60
    for second in range(120):
        metrics.record(SPACE, "M", second)
        clock.now += 1
    clock.now += FINE_SECONDS
    metrics.record(SPACE, "M", 5)
    cloudwatch._evict_old_metrics()
    ((_, points),) = cloudwatch._metrics.items()
    assert len(points) == 3
    assert sums(cloudwatch, "M") == sum(range(120)) + 5
    assert points[0]["_stat"] == {"SampleCount": 60, "Sum": sum(range(60)), "Minimum": 0, "Maximum": 59}
    clock.now += engine_cloudwatch.KEPT_SECONDS + 1
    cloudwatch._evict_old_metrics()
    assert not cloudwatch._metrics


def test_a_composite_alarm_of_a_template_follows_its_alarms(cloudwatch: ModuleType, metrics: Metrics) -> None:
    provisioners = SimpleNamespace(_RESOURCE_HANDLERS={}, _physical_name=_physical_name, __name__="provisioners")
    engine_cloudwatch.know_composite_alarms(provisioners, cloudwatch)
    made = provisioners._RESOURCE_HANDLERS[engine_cloudwatch.COMPOSITE_ALARM]
    put_alarm(cloudwatch, "oldest")
    rule = {"AlarmRule": 'ALARM("oldest")', "AlarmDescription": "any of them"}
    name, attributes = made["create"]("Status", {"AlarmName": "s-status", **rule}, "s")
    assert (name, attributes["Arn"].endswith(":alarm:s-status")) == ("s-status", True)
    assert made["create"]("Other", rule, "s")[0] == "s-Other-X"
    assert states(cloudwatch, metrics) == {"oldest": "OK", "s-status": "OK", "s-Other-X": "OK"}
    metrics.record(SPACE, "OldestPendingSeconds", 301)
    assert states(cloudwatch, metrics) == {"oldest": "ALARM", "s-status": "ALARM", "s-Other-X": "ALARM"}
    made["update"]("s-status", {}, {"AlarmRule": "FALSE"}, "s")
    made["delete"]("s-Other-X", {})
    assert states(cloudwatch, metrics) == {"oldest": "ALARM", "s-status": "OK"}
    with pytest.raises(ValueError, match="do not exist"):
        made["create"]("Bad", {"AlarmRule": 'ALARM("nobody")'}, "s")


def _physical_name(stack_name: str, logical_id: str, *, lowercase: bool, max_len: int, seeded: bool = True) -> str:
    return f"{stack_name}-{logical_id}-X"


_physical_name.__kwdefaults__ = {"lowercase": False, "max_len": 128, "seeded": True}
