"""Metric math of the local alarms: what CloudWatch makes of the template's expressions, missing data among it."""

from typing import Any

import pytest

from contract import cloudformation as cfn
from scrapersky_local.alarm_math import Value, period_of, result

A_STAT = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 300, "Stat": "Sum"}


def queries(expression: str, *metrics: str, **helpers: str) -> list[dict[str, Any]]:
    return [
        {"Id": "result", "Expression": expression},
        *({"Id": name, "Expression": text, "ReturnData": False} for name, text in helpers.items()),
        *({"Id": name, "ReturnData": False, "MetricStat": A_STAT} for name in metrics),
    ]


def of(expression: str, **found: Value) -> Value:
    (value,) = result(queries(expression, *found), {name: [one] for name, one in found.items()})
    return value


@pytest.mark.parametrize(
    ("expression", "found", "value"),
    [
        ("a + b * 2 - 1", {"a": 1.0, "b": 2.0}, 4.0),
        ("100 * a / b", {"a": 1.0, "b": 4.0}, 25.0),
        ("a / b", {"a": 1.0, "b": 0.0}, None),
        ("a + b", {"a": 1.0, "b": None}, None),
        ("SUM(METRICS())", {"a": 1.0, "b": None, "c": 3.0}, 4.0),
        ("SUM(METRICS())", {"a": None, "b": None}, None),
        ("SUM([a, b])", {"a": 1.0, "b": 2.0, "c": 9.0}, 3.0),
        ("MAX([a, b])", {"a": 1.0, "b": 2.0, "c": 9.0}, 2.0),
        ("MAX([a, b])", {"a": 1.0, "b": None}, 1.0),
        ("MAX(METRICS())", {"a": None, "b": None}, None),
        ("IF(a >= 20, 100 * b / a, 0)", {"a": 20.0, "b": 5.0}, 25.0),
        ("IF(a >= 20, 100 * b / a, 0)", {"a": 19.0, "b": 5.0}, 0.0),
        ("IF(a >= 20, 100 * b / a, 0)", {"a": 20.0, "b": None}, None),
        ("IF(a > 2, 1, 0)", {"a": None}, None),
        ("IF(a < 1, b, IF(b > 1000, b, 0))", {"a": 0.0, "b": 3.0}, 3.0),
        ("IF(a < 1, b, IF(b > 1000, b, 0))", {"a": 2.0, "b": 3.0}, 0.0),
        ("a == 1", {"a": 1.0}, 1.0),
        ("a != 1", {"a": 1.0}, 0.0),
    ],
)
def test_an_expression_comes_to_what_cloudwatch_makes_of_it(
    expression: str, found: dict[str, Value], value: Value
) -> None:
    assert of(expression, **found) == value


def test_each_period_has_its_result_and_expressions_may_name_others() -> None:
    asked = queries("IF(all >= 2, 100 * bad / all, 0)", "good", "bad", all="SUM([good, bad])")
    assert result(asked, {"good": [1, 0, None], "bad": [1, 1, None]}) == [50.0, 0.0, None]


@pytest.mark.parametrize(
    "expression",
    [
        "a +",
        "nobody",
        "result",
        "RATE(a)",
        "SUM(a)",
        "FILL(a, 0)",
        "IF(a)",
        "METRICS()",
        "[a]",
        "a < b < a",
        "a ** b",
        "a.real",
        "'text'",
        "SUM(x=a)",
        "__import__('os').getpid()",
        "SEARCH('x', 'Sum', 300)",
    ],
)
def test_what_is_not_known_is_refused_and_not_run(expression: str) -> None:
    with pytest.raises(ValueError, match=r"known here|must be one|comes before"):
        of(expression, a=1.0, b=2.0)


def test_one_query_returns_data_and_all_metrics_have_one_period() -> None:
    asked = queries("a", "a")
    assert period_of(asked) == 300
    with pytest.raises(ValueError, match="returns data"):
        result([*asked, {"Id": "second", "Expression": "a"}], {"a": [1.0]})
    with pytest.raises(ValueError, match="one period"):
        period_of([*asked, {"Id": "b", "MetricStat": {**A_STAT, "Period": 60}}])
    with pytest.raises(ValueError, match="one period"):
        period_of([{"Id": "result", "Expression": "1"}])


def test_every_expression_of_the_template_is_known() -> None:
    alarms = {name: alarm for name, alarm in cfn.of_type("AWS::CloudWatch::Alarm").items() if "Metrics" in alarm}
    assert alarms
    for alarm in alarms.values():
        asked = cfn.assumed(alarm["Metrics"])
        assert period_of(asked)
        found: dict[str, list[Value]] = {query["Id"]: [None, 1.0] for query in asked if "MetricStat" in query}
        assert len(result(asked, found)) == 2
