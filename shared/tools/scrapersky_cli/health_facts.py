"""What there is to see of a stack: its API's answers, its alarms, what its sweeper told."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from scrapersky_cli.cloud import Cloud, StackFacts, told, utc
from scrapersky_cli.health_rules import GAUGE_WINDOW, GAUGES, HEARTBEAT, Alarm, Probe, Seen
from scrapersky_cli.measures import Measure, Reading, newest, newest_of_math

HEALTH = "/health"
DATABASE_HEALTH = "/health/database"
ALARM_KINDS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_NAMES_LIMIT = 100  # of a DescribeAlarms request
_ANSWER_SECONDS = 32.0  # the gateway itself gives up after 30


def probe(api_url: str, path: str, transport: httpx.BaseTransport | None) -> Probe:
    """One request, as a client without a token makes it."""
    begin = time.perf_counter()
    try:
        with httpx.Client(transport=transport, timeout=_ANSWER_SECONDS, trust_env=transport is None) as client:
            answer = client.get(api_url.rstrip("/") + path)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Probe(None, error=str(error) or type(error).__name__)
    return Probe(answer.status_code, (time.perf_counter() - begin) * 1000)


def probes(api_url: str, transport: httpx.BaseTransport | None) -> tuple[Probe, Probe]:
    """Whether the API answers, and the database behind it; that is not asked through an API that does not."""
    api = probe(api_url, HEALTH, transport)
    return api, probe(api_url, DATABASE_HEALTH, transport) if api.status == httpx.codes.OK else api


def look(cloud: Cloud, facts: StackFacts, api: Probe, database: Probe, now: datetime) -> Seen:
    """Read the alarms and the sweeper's gauges.

    Raises:
        CloudError: CloudWatch could not be asked.
    """
    namespace = f"ScraperSky/{cloud.stack}"
    cloudwatch = cloud.client("cloudwatch")
    names = [resource.physical_id for kind in ALARM_KINDS for resource in facts.of_kind(kind)]
    alarms = sorted(_alarms(cloudwatch, names), key=lambda alarm: alarm.name)
    gauges = {str(metric): Measure(namespace, metric.value, "Maximum") for metric in (HEARTBEAT, *GAUGES)}
    told_gauges = newest(cloudwatch, gauges, GAUGE_WINDOW, now)
    return Seen(
        now=now,
        namespace=namespace,
        created_at=facts.created_at,
        api=api,
        database=database,
        alarms=alarms,
        values=_values(cloudwatch, alarms, now),
        gauges={metric: told_gauges[metric] for metric in (HEARTBEAT, *GAUGES) if metric in told_gauges},
    )


def _values(cloudwatch: Any, alarms: Sequence[Alarm], now: datetime) -> dict[str, Reading]:
    """The newest value of each alarm's metric, if it is one that the alarm still looks at."""
    measures = {
        alarm.name: Measure(alarm.metric[0], alarm.metric[1], alarm.statistic, alarm.period, alarm.metric[2])
        for alarm in alarms
        if alarm.metric
    }
    back = {alarm.name: alarm.span + timedelta(seconds=alarm.period) for alarm in alarms}
    found = newest(cloudwatch, measures, max(back.values(), default=timedelta(0)), now)
    for alarm in alarms:
        if alarm.queries and (reading := newest_of_math(cloudwatch, alarm.queries, back[alarm.name], now)):
            found[alarm.name] = reading
    return {name: reading for name, reading in found.items() if reading.at >= now - back[name]}


def _alarms(cloudwatch: Any, names: Sequence[str]) -> Iterator[Alarm]:
    for begin in range(0, len(names), _NAMES_LIMIT):
        asked = {
            "AlarmNames": list(names[begin : begin + _NAMES_LIMIT]),
            "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
        }
        with told():
            for page in cloudwatch.get_paginator("describe_alarms").paginate(**asked):
                yield from map(_metric_alarm, page.get("MetricAlarms", ()))
                yield from map(_composite_alarm, page.get("CompositeAlarms", ()))


def _metric_alarm(told_alarm: Mapping[str, Any]) -> Alarm:
    period = int(told_alarm.get("Period") or max((_periods(told_alarm)), default=60))
    metric = None
    if told_alarm.get("MetricName"):
        dimensions = tuple(sorted((one["Name"], one["Value"]) for one in told_alarm.get("Dimensions") or ()))
        metric = (told_alarm["Namespace"], told_alarm["MetricName"], dimensions)
    return Alarm(
        **_common(told_alarm),
        metric=metric,
        queries=tuple(told_alarm.get("Metrics") or ()),
        statistic=told_alarm.get("ExtendedStatistic") or told_alarm.get("Statistic") or "Average",
        period=period,
        span=timedelta(seconds=period * int(told_alarm["EvaluationPeriods"])),
        comparison=told_alarm.get("ComparisonOperator") or "",
        threshold=told_alarm.get("Threshold"),
        missing=told_alarm.get("TreatMissingData") or "missing",
    )


def _periods(told_alarm: Mapping[str, Any]) -> Iterator[int]:
    """The periods of an alarm that computes with several metrics."""
    for query in told_alarm.get("Metrics") or ():
        yield int(query.get("Period") or query.get("MetricStat", {}).get("Period") or 0)


def _composite_alarm(told_alarm: Mapping[str, Any]) -> Alarm:
    return Alarm(**_common(told_alarm), is_composite=True)


def _common(told_alarm: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": told_alarm["AlarmName"],
        "state": told_alarm["StateValue"],
        "description": " ".join((told_alarm.get("AlarmDescription") or "").split()),
        "since": utc(told_alarm.get("StateTransitionedTimestamp") or told_alarm["StateUpdatedTimestamp"]),
        "configured_at": utc(told_alarm["AlarmConfigurationUpdatedTimestamp"]),
    }
