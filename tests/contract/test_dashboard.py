"""The dashboard: a body that CloudWatch takes, of metrics that are told, with every function and every queue on it."""

import json
import re
from typing import Any

import pytest

from contract import cloudformation as cfn
from contract import watched
from contract.watched import Watched, deployed, of_type, on_dashboard, unknown
from scrapersky.metrics import Metric

# CloudWatch's guide, "Dashboard body structure and syntax".
GRID_WIDTH, TALLEST, WIDGETS_LIMIT, METRICS_LIMIT, ALARMS_LIMIT = 24, 1000, 500, 500, 100
STATISTICS = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?")
VIEWS = {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"}
SEARCH = re.compile(r"""SEARCH\('\{"([^"]+)",([\w,]+)\} MetricName="(\w+)"', '(\w+)', (\d+)\)""")


def body() -> str:
    """The text with its variables as they stand in the template, but for what is put in when the canary runs."""
    (dashboard,) = cfn.of_type("AWS::CloudWatch::Dashboard").values()
    text, variables = cfn.assumed(dashboard["DashboardBody"]["Fn::Sub"])
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", cfn.text(value))
    return str(text)


WIDGETS: list[dict[str, Any]] = json.loads(body())["widgets"]
METRICS = [widget for widget in WIDGETS if widget["type"] == "metric"]
TITLES = [widget["properties"]["title"] for widget in METRICS]


def conditional() -> set[str]:
    return {name for name, one in cfn.translated()["Resources"].items() if "Condition" in one}


def test_widgets_stand_side_by_side_on_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    assert len(WIDGETS) <= WIDGETS_LIMIT
    for widget in WIDGETS:
        assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
        assert widget["x"] + widget["width"] <= GRID_WIDTH
        assert widget["y"] + widget["height"] <= TALLEST
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert taken.isdisjoint(cells)
        taken |= cells
    assert len(set(TITLES)) == len(TITLES)


@pytest.mark.parametrize("widget", METRICS, ids=TITLES)
def test_a_widget_is_one_that_cloudwatch_draws(widget: dict[str, Any]) -> None:
    properties = widget["properties"]
    assert set(properties) <= {"title", "region", "stat", "period", "metrics", "view", "yAxis"}
    assert properties["region"] == "${AWS::Region}"
    assert properties["period"] % 60 == 0
    assert properties.get("view", "timeSeries") in VIEWS
    assert 1 <= len(properties["metrics"]) <= METRICS_LIMIT
    options = [word for row in properties["metrics"] for word in row if isinstance(word, dict)]
    for statistic in [properties["stat"], *(option["stat"] for option in options if "stat" in option)]:
        assert STATISTICS.fullmatch(statistic)


def test_every_metric_on_it_is_told() -> None:
    found = on_dashboard(body())
    assert found
    assert unknown(found, deployed()) == []


def test_what_it_searches_for_is_told() -> None:
    expressions = [
        word["expression"]
        for widget in METRICS
        for row in widget["properties"]["metrics"]
        for word in row
        if isinstance(word, dict) and "expression" in word
    ]
    known = {metric.value: {tuple(sorted(names)) for names in metric.sets} for metric in Metric}
    for expression in expressions:
        found = SEARCH.fullmatch(expression)
        assert found, expression
        namespace, dimensions, metric, statistic, period = found.groups()
        assert namespace == watched.OURS["Fn::Sub"]
        assert tuple(sorted(dimensions.split(","))) in known[metric]
        assert STATISTICS.fullmatch(statistic)
        assert int(period) % 60 == 0


def test_every_function_and_every_queue_is_on_it() -> None:
    found = set(on_dashboard(body()))
    resources, dead = deployed(), watched.dead_letter_queues(deployed())
    functions = set(of_type(resources, watched.FUNCTION)) - conditional()
    queues = set(of_type(resources, watched.QUEUE))
    visible = "ApproximateNumberOfMessagesVisible"
    wanted = {
        *(
            Watched("AWS/Lambda", metric, (("FunctionName", function),))
            for function in functions
            for metric in ("Errors", "Throttles", "ConcurrentExecutions", "Duration")
        ),
        *(Watched("AWS/SQS", visible, (("QueueName", queue),)) for queue in queues),
        *(Watched("AWS/SQS", "ApproximateAgeOfOldestMessage", (("QueueName", queue),)) for queue in queues - dead),
    }
    assert wanted - found == set()


def test_every_metric_of_ours_has_its_graph() -> None:
    searched = {SEARCH.findall(body().replace('\\"', '"'))[index][2] for index in range(2)}
    shown = {metric.name for metric in on_dashboard(body()) if metric.namespace == "ours"} | searched
    on_other_graphs = {"Sweeps"}  # a heartbeat, which the gauges are too
    assert set(Metric) - shown == on_other_graphs


def test_no_resource_that_may_not_be_there_is_named_unconditionally() -> None:
    (dashboard,) = cfn.of_type("AWS::CloudWatch::Dashboard").values()
    text, variables = dashboard["DashboardBody"]["Fn::Sub"]
    named = set(re.findall(r"\$\{(\w+)", text)) - set(variables)
    assert named & conditional() == set()


def test_it_begins_with_every_alarm() -> None:
    (alarms,) = (widget["properties"]["alarms"] for widget in WIDGETS if widget["type"] == "alarm")
    named = {re.fullmatch(r"\$\{(\w+)\.Arn\}", arn)[1] for arn in alarms}  # type: ignore[index]
    resources = deployed()
    assert named == {*of_type(resources, watched.ALARM), *of_type(resources, "AWS::CloudWatch::CompositeAlarm")}
    assert len(alarms) <= ALARMS_LIMIT


def test_control_shorthand_rows_are_written_out() -> None:
    rows = [
        ["AWS/SQS", "Sent", "QueueName", "${A.QueueName}", {"label": "a"}],
        ["...", "${B.QueueName}"],
        [".", "Deleted", ".", "."],
        [{"expression": "SUM(METRICS())"}],
        ["ScraperSky/${AWS::StackName}", "Sweeps", {"stat": "p50"}],
        ["...", {"stat": "p95"}],
    ]
    text = json.dumps({"widgets": [{"properties": {"metrics": rows}}]})
    assert on_dashboard(text) == [
        Watched("AWS/SQS", "Sent", (("QueueName", "A"),)),
        Watched("AWS/SQS", "Sent", (("QueueName", "B"),)),
        Watched("AWS/SQS", "Deleted", (("QueueName", "B"),)),
        Watched("ours", "Sweeps"),
        Watched("ours", "Sweeps"),
    ]
