"""What the local engine's CloudFormation is taught: alarms over metric math ring, saved queries do no harm."""

import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scrapersky_local.engine_cloudwatch import Metrics
from scrapersky_local.engine_templates import QUERY_DEFINITION, know_alarm_math, leave_out_queries
from scrapersky_local.processes import StackError
from support.local_cloudwatch import SPACE, own_module


@pytest.fixture
def cloudwatch() -> ModuleType:
    return own_module()


def cloudformation() -> SimpleNamespace:
    """As much of the engine's module as is touched; like it, it makes no alarm without a metric of its own."""

    def record(name: str, props: dict[str, Any]) -> dict[str, Any]:
        assert "Metrics" not in props
        defaults = {"Statistic": "Average", "Dimensions": [], "StateValue": "INSUFFICIENT_DATA"}
        return {"AlarmName": name, "AlarmArn": f"arn:alarm:{name}", **defaults, **props}

    return SimpleNamespace(__name__="provisioners", _cw_metric_alarm_record=record, _RESOURCE_HANDLERS={})


def stat(name: str, metric: str, period: int = 300) -> dict[str, Any]:
    return {
        "Id": name,
        "ReturnData": False,
        "MetricStat": {
            "Metric": {
                "Namespace": SPACE,
                "MetricName": metric,
                "Dimensions": [{"Name": "kind", "Value": "domain_scan"}],
            },
            "Period": period,
            "Stat": "Sum",
        },
    }


def alarm(expression: str, *metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "AlarmDescription": "computed",
        "EvaluationPeriods": 1,
        "Threshold": 50,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Metrics": [{"Id": "result", "Expression": expression}, *metrics],
    }


def test_an_alarm_over_metric_math_rings(cloudwatch: ModuleType) -> None:
    provisioners = cloudformation()
    know_alarm_math(provisioners)
    metrics = Metrics(cloudwatch)
    asked = alarm("IF(all >= 2, 100 * empty / all, 0)", stat("all", "JobsComplete"), stat("empty", "JobsWithoutResult"))
    cloudwatch.cloudformation_put_metric_alarm(provisioners._cw_metric_alarm_record("computed", asked))

    def state() -> str:
        metrics.evaluate_alarms()
        body = cloudwatch._describe_alarms({}, {}, False, True)[2]
        (told,) = json.loads(body)["MetricAlarms"]
        assert (told["Metrics"], told["MetricName"], told["Namespace"]) == (asked["Metrics"], None, None)
        return str(told["StateValue"])

    assert state() == "OK"
    for metric in ("JobsComplete", "JobsWithoutResult"):
        metrics.record(SPACE, metric, 1, "Count", {"kind": "domain_scan"})
    assert state() == "OK"  # one is too few
    metrics.record(SPACE, "JobsComplete", 2, "Count", {"kind": "sitemap_scan"})
    assert state() == "OK"  # of another kind
    metrics.record(SPACE, "JobsWithoutResult", 3, "Count", {"kind": "domain_scan"})
    metrics.record(SPACE, "JobsComplete", 3, "Count", {"kind": "domain_scan"})
    assert state() == "ALARM"


@pytest.mark.parametrize(
    "asked",
    [
        alarm("ANOMALY_DETECTION_BAND(m)", stat("m", "JobsComplete")),
        alarm("a + b", stat("a", "JobsComplete"), stat("b", "JobsFailed", period=60)),
        alarm("a + nobody", stat("a", "JobsComplete")),
    ],
    ids=["unknown function", "two periods", "unknown metric"],
)
def test_an_alarm_that_could_never_be_evaluated_is_not_made(asked: dict[str, Any]) -> None:
    provisioners = cloudformation()
    know_alarm_math(provisioners)
    with pytest.raises(ValueError, match=r"known here|one period|comes before"):
        provisioners._cw_metric_alarm_record("computed", asked)


def test_an_alarm_of_one_metric_is_made_as_before() -> None:
    provisioners = cloudformation()
    before = provisioners._cw_metric_alarm_record("plain", {"MetricName": "Sweeps"})
    know_alarm_math(provisioners)
    assert provisioners._cw_metric_alarm_record("plain", {"MetricName": "Sweeps"}) == before


def test_a_saved_query_is_passed_over() -> None:
    provisioners = cloudformation()
    leave_out_queries(provisioners)
    made = provisioners._RESOURCE_HANDLERS[QUERY_DEFINITION]
    name, attributes = made["create"]("JobQuery", {"QueryString": "fields @message"}, "s")
    assert (name, attributes) == ("s-JobQuery", {})
    assert made["update"](name, {}, {}, "s")[0] == name
    assert made["delete"](name, {}) is None


def test_another_engine_is_refused() -> None:
    other = SimpleNamespace(__name__="provisioners", _RESOURCE_HANDLERS={})
    with pytest.raises(StackError, match="_cw_metric_alarm_record"):
        know_alarm_math(other)
