"""What the template's alarms and dashboard look at, read off resources, so that contract tests can mutate them.

`Resources` are deployed ones, every condition taken as true: logical id to `{Type, Properties}`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract import cloudformation as cfn
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.metrics import Metric

Resources = Mapping[str, Mapping[str, Any]]

ALARM = "AWS::CloudWatch::Alarm"
QUEUE = "AWS::SQS::Queue"
FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"
OURS = {"Fn::Sub": "ScraperSky/${AWS::StackName}"}

# What AWS measures by itself, with the dimension that it is told with (its services' own guides).
OF_AWS = {
    "AWS/SQS": (
        "QueueName",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
            "NumberOfMessagesSent",
            "NumberOfMessagesDeleted",
        },
    ),
    "AWS/Lambda": ("FunctionName", {"Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"}),
    "AWS/States": (
        "StateMachineArn",
        {
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsFailed",
            "ExecutionsTimedOut",
            "ExecutionsAborted",
            "ExecutionTime",
        },
    ),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx", "Latency", "IntegrationLatency"}),
}
# The words that our dimensions say. `service` is a function's folder.
WORDS = {
    "kind": {kind.value for kind in JobKind},
    "outcome": {
        *(code.value for code in ErrorCode),
        JobStatus.COMPLETE.value,
        "ok",  # of a fetch
        *("delivered", "failed", "retried"),  # of a webhook
    },
    "service": {path.parent.name for path in cfn.FUNCTIONS.glob("*/app.py")},
}


@dataclass(frozen=True)
class Watched:
    """One metric under one set of dimensions, whose values are words or logical ids."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


def deployed() -> dict[str, dict[str, Any]]:
    """The resources after the SAM transform, with every condition true."""
    resources: dict[str, dict[str, Any]] = cfn.assumed(cfn.translated()["Resources"])
    return resources


def of_type(resources: Resources, kind: str) -> dict[str, Mapping[str, Any]]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def watched_by(alarm: Mapping[str, Any]) -> Iterator[Watched]:
    """The metrics of one alarm."""
    stats = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
    for metric in stats or [alarm]:
        named = metric["Namespace"]
        dimensions = {one["Name"]: _target(one["Value"]) for one in metric.get("Dimensions", ())}
        yield Watched("ours" if named == OURS else str(named), metric["MetricName"], tuple(sorted(dimensions.items())))


def on_dashboard(body: str) -> list[Watched]:
    """The metrics of a dashboard's body, with the shorthand of its rows (`.` and `...`) written out."""
    found = []
    for widget in json.loads(body)["widgets"]:
        before: list[Any] = []
        for row in widget["properties"].get("metrics", ()):
            words = [word for word in row if not isinstance(word, dict)]
            if not words:
                continue  # an expression
            if words[0] == "...":
                words = before[: len(before) - len(words) + 1] + words[1:]
            words = [before[index] if word == "." else word for index, word in enumerate(words)]
            before = words
            namespace, name, *dimensions = words
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            found.append(
                Watched(
                    "ours" if namespace == OURS["Fn::Sub"] else namespace,
                    name,
                    tuple(
                        sorted(
                            (key, value.removeprefix("${").partition("}")[0].partition(".")[0]) for key, value in pairs
                        )
                    ),
                )
            )
    return found


def unknown(metrics: list[Watched], resources: Resources) -> list[Watched]:
    """Those that nobody tells: no metric of ours with these dimensions, or none of AWS of a resource that is there."""
    return [metric for metric in metrics if not _is_told(metric, resources)]


def _is_told(metric: Watched, resources: Resources) -> bool:
    names = tuple(name for name, _ in metric.dimensions)
    if metric.namespace == "ours":
        known = {one.value: one for one in Metric}.get(metric.name)
        return (
            known is not None
            and names in {tuple(sorted(one)) for one in known.sets}
            and all(value in WORDS[name] for name, value in metric.dimensions)
        )
    dimension, measured = OF_AWS.get(metric.namespace, ("", set()))
    return metric.name in measured and names == (dimension,) and metric.dimensions[0][1] in resources


def dead_letter_queues(resources: Resources) -> set[str]:
    return {
        cfn.target(queue["RedrivePolicy"]["deadLetterTargetArn"])
        for queue in of_type(resources, QUEUE).values()
        if "RedrivePolicy" in queue
    }


def worked_off(resources: Resources) -> set[str]:
    """The queues that a function receives from."""
    return {cfn.target(one["EventSourceArn"]) for one in of_type(resources, MAPPING).values()}


def unwatched(resources: Resources) -> set[str]:
    """What may go wrong unseen, as `<logical id>: <metric>`: functions, queues and state machines."""
    metrics = {metric for alarm in of_type(resources, ALARM).values() for metric in watched_by(alarm)}
    dead = dead_letter_queues(resources)
    wanted = {
        *(
            Watched("AWS/Lambda", name, (("FunctionName", function),))
            for function in of_type(resources, FUNCTION)
            for name in ("Errors", "Throttles")
        ),
        *(
            Watched(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible" if queue in dead else "ApproximateAgeOfOldestMessage",
                (("QueueName", queue),),
            )
            for queue in of_type(resources, QUEUE)
        ),
        # What a function fails at is hidden again for the visibility timeout as soon as it is seen.
        *(
            Watched("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", (("QueueName", queue),))
            for queue in dead & worked_off(resources)
        ),
        *(
            Watched("AWS/States", name, (("StateMachineArn", machine),))
            for machine in of_type(resources, "AWS::StepFunctions::StateMachine")
            for name in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
        ),
    }
    return {f"{metric.dimensions[0][1]}: {metric.name}" for metric in wanted - metrics}


def _target(value: Any) -> str:
    return value if isinstance(value, str) else cfn.target(value)
