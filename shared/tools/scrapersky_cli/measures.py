"""The newest values of CloudWatch metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scrapersky_cli.cloud import told, utc

_QUERIES_LIMIT = 500  # of a GetMetricData request


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric with these dimensions and no others, and what to make of its values in each `period` (seconds)."""

    namespace: str
    name: str
    statistic: str
    period: int = 60
    dimensions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, and the begin of the period that it is of."""

    value: float
    at: datetime


def newest(cloudwatch: Any, measures: Mapping[str, Measure], window: timedelta, now: datetime) -> dict[str, Reading]:
    """The newest value of each measure that has any within the window, by the measure's key.

    Raises:
        CloudError: CloudWatch could not be asked.
    """
    found: dict[str, Reading] = {}
    keys = list(measures)
    for begin in range(0, len(keys), _QUERIES_LIMIT):
        asked = keys[begin : begin + _QUERIES_LIMIT]
        request = {
            "MetricDataQueries": [_query(f"m{n}", measures[key]) for n, key in enumerate(asked)],
            "StartTime": now - window,
            "EndTime": now + timedelta(seconds=1),  # exclusive, and the newest values are of this very second
            "ScanBy": "TimestampDescending",
        }
        with told():
            for page in cloudwatch.get_paginator("get_metric_data").paginate(**request):
                for result in page["MetricDataResults"]:
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                        key = asked[int(result["Id"].removeprefix("m"))]
                        reading = Reading(float(value), utc(at))
                        if key not in found or reading.at > found[key].at:
                            found[key] = reading
    return found


def newest_of_math(
    cloudwatch: Any, queries: Sequence[Mapping[str, Any]], window: timedelta, now: datetime
) -> Reading | None:
    """The newest value of the one of an alarm's `Metrics` that returns data.

    Raises:
        CloudError: CloudWatch could not be asked.
    """
    request = {"MetricDataQueries": list(queries), "StartTime": now - window, "EndTime": now + timedelta(seconds=1)}
    with told():
        pages = list(cloudwatch.get_paginator("get_metric_data").paginate(**request))
    readings = [
        Reading(float(value), utc(at))
        for page in pages
        for result in page["MetricDataResults"]
        for at, value in zip(result["Timestamps"], result["Values"], strict=True)
    ]
    return max(readings, key=lambda reading: reading.at, default=None)


def _query(query_id: str, measure: Measure) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": measure.namespace,
                "MetricName": measure.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in measure.dimensions],
            },
            "Period": measure.period,
            "Stat": measure.statistic,
        },
    }


def now() -> datetime:
    return datetime.now(UTC)
