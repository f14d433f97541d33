"""CloudWatch in the local AWS engine: its store of metrics, and alarms that go by it as they do on AWS.

By itself the engine's alarms look at the data of all dimensions at once, forget TreatMissingData, and are not looked at
while nothing is published; and its CloudFormation does not know composite alarms, though its CloudWatch does.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scrapersky_local import alarm_math
from scrapersky_local.alarms import Rule, State, state
from scrapersky_local.seams import require

COMPACT_SECONDS = 60.0
# CloudWatch keeps what is finer than a minute for three hours, and minutes after that (GetMetricStatistics).
FINE_SECONDS = 3 * 3600
KEPT_SECONDS = 15 * 24 * 3600
_MINUTE = 60
# Points come nearly in their order. After so many that an alarm does not look at any more, there is no newer one before
# them; to look at all of a day's would keep the engine from its work.
OLDER_IN_A_ROW = 200

COMPOSITE_ALARM = "AWS::CloudWatch::CompositeAlarm"
_COMPOSITE_PROPERTIES = (
    "AlarmDescription",
    "AlarmRule",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
)

Point = dict[str, Any]


class _Exactly(dict[str, str]):
    """Dimensions to look for. None at all are dimensions too: they name the metric that has none."""

    def __bool__(self) -> bool:
        return True


class Metrics:
    """The engine's store of metrics, from whatever thread: its points and its alarms."""

    def __init__(self, cloudwatch: Any, clock: Callable[[], float] = time.time) -> None:
        """Take over the module's storing, its keeping and its alarms.

        Raises:
            StackError: the module is not the one of the pinned version.
        """
        require(
            cloudwatch,
            {
                "_calc_stats": ["points"],
                "_dims_from_list": ["dimensions"],
                "_dims_key": ["dims"],
                "_cbor_metric_data_result": ["result"],
                "_cbor_ok": ["data"],
                "_dispatch_alarm_actions": ["alarm", "old_state", "new_state", "reason"],
                "_evaluate_alarm": ["alarm"],
                "_evaluate_all_alarms": [],
                "_evaluate_parent_alarms": ["child", "seen"],
                "_evict_old_metrics": [],
                "_get_metric_data": ["params", "cbor_data", "is_cbor", "is_json"],
                "_json_ok": ["data"],
                "_metric_bucket": ["key"],
                "_point_stats": ["pt"],
                "_record_history": ["alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"],
                "_stat_value": ["stats", "stat_name", "points"],
                "_ts_iso": ["epoch"],
                "record_metric": ["namespace", "metric_name", "value", "unit", "dimensions"],
            },
        )
        self._cloudwatch = cloudwatch
        self._clock = clock
        self._lock = threading.Lock()
        self._compacted_at = clock()
        named = cloudwatch._dims_from_list
        cloudwatch._dims_from_list = lambda dimensions: _Exactly(named(dimensions))
        self._get_plain = cloudwatch._get_metric_data
        cloudwatch._get_metric_data = self._get
        cloudwatch._evaluate_alarm = self._evaluate
        cloudwatch._evict_old_metrics = self._compact_at_times
        cloudwatch.record_metric = self.record

    def record(
        self, namespace: str, metric: str, value: float, unit: str = "None", dimensions: dict[str, str] | None = None
    ) -> None:
        """Store one value as of now. The same value within a second is one point, seen twice."""
        now = self._clock()
        named = dict(dimensions or {})
        with self._lock:
            points: list[Point] = self._cloudwatch._metric_bucket(
                (namespace, metric, self._cloudwatch._dims_key(named))
            )
            last = points[-1] if points else {}
            if last.get("Value") == value and int(last["Timestamp"]) == int(now) and "_stat" not in last:
                last["Count"] = last.get("Count", 1.0) + 1
                return
            points.append({"Timestamp": now, "Value": float(value), "Unit": unit, "Dimensions": named})

    def evaluate_alarms(self) -> None:
        """Bring every alarm's state up to now."""
        self._cloudwatch._evaluate_all_alarms()

    def _evaluate(self, alarm: dict[str, Any]) -> None:
        queries = alarm.get("Metrics")
        try:
            rule = Rule.of({**alarm, "Period": alarm_math.period_of(queries)} if queries else alarm)
            values = self._computed(rule, queries) if queries else self._measured(rule, alarm)
        except ValueError:
            return  # a band of an anomaly detector, which there is none of here: it stays without data
        before = State(alarm["StateValue"])
        after = state(rule, values, before)
        if after != before:
            self._change(alarm, after, _reason(rule, values, after))

    def _measured(self, rule: Rule, asked: Mapping[str, Any]) -> list[float | None]:
        """A metric's statistic of each of the last periods, the newest first."""
        dimensions = {one["Name"]: one["Value"] for one in asked.get("Dimensions") or ()}
        key = (asked["Namespace"], asked["MetricName"], self._cloudwatch._dims_key(dimensions))
        points = self._cloudwatch._metrics.get(key) or ()
        statistic = asked.get("ExtendedStatistic") or asked.get("Statistic") or "Average"
        return [self._value(statistic, window) for window in self._windows(rule, points, asked.get("Unit"))]

    def _computed(self, rule: Rule, queries: Sequence[Mapping[str, Any]]) -> list[float | None]:
        """What metric math comes to in each of the last periods, the newest first."""
        found = {
            query["Id"]: self._measured(rule, {**stat["Metric"], "Statistic": stat["Stat"]})
            for query in queries
            if (stat := query.get("MetricStat"))
        }
        return alarm_math.result(queries, found)

    def _windows(self, rule: Rule, points: "tuple[()] | list[Point]", unit: str | None) -> list[list[Point]]:
        """The points of each of the last periods, the newest first."""
        now = self._clock()
        windows: list[list[Point]] = [[] for _ in range(rule.windows)]
        older = 0
        for point in reversed(points):
            # A function's clock is ours, but its milliseconds may be a moment ahead of when we looked.
            index = int(max(0.0, now - point["Timestamp"]) // rule.period)
            if index >= len(windows):
                older += 1
                if older == OLDER_IN_A_ROW:
                    break
                continue
            older = 0
            if unit in (None, point["Unit"]):
                windows[index].append(point)
        return windows

    def _value(self, statistic: str, points: list[Point]) -> float | None:
        stats = self._cloudwatch._calc_stats(points)
        if not stats:
            return None
        value: float | None = self._cloudwatch._stat_value(stats, statistic, points)
        return value

    def _get(self, params: Any, asked: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        """GetMetricData, with the metric math that alarms know; the engine leaves all expressions unanswered."""
        queries = asked.get("MetricDataQueries") or [] if is_cbor or is_json else []
        if not any("Expression" in query for query in queries):
            return self._get_plain(params, asked, is_cbor, is_json)
        plain = [{**query, "ReturnData": True} for query in queries if "MetricStat" in query]
        told = json.loads(self._get_plain({}, {**asked, "MetricDataQueries": plain}, False, True)[2])
        found = {
            one["Id"]: dict(zip(one["Timestamps"], one["Values"], strict=True)) for one in told["MetricDataResults"]
        }
        times = sorted({time for values in found.values() for time in values})
        rows = {name: [values.get(time) for time in times] for name, values in found.items()}
        results = []
        try:
            for query in (query for query in queries if query.get("ReturnData", True)):
                alone = [{**one, "ReturnData": one is query} for one in queries]
                values = alarm_math.result(alone, rows) if times else []
                pairs = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
                results.append(
                    {
                        "Id": query["Id"],
                        "Label": query.get("Label", query["Id"]),
                        "Timestamps": [self._cloudwatch._ts_iso(at) for at, _ in pairs],
                        "Values": [value for _, value in pairs],
                        "StatusCode": "Complete",
                    }
                )
        except ValueError:  # an expression that is none of an alarm's; the engine says that it does not know it
            return self._get_plain(params, asked, is_cbor, is_json)
        if is_json:
            return self._cloudwatch._json_ok({"MetricDataResults": results})
        dated = [self._cloudwatch._cbor_metric_data_result(result) for result in results]
        return self._cloudwatch._cbor_ok({"MetricDataResults": dated})

    def _change(self, alarm: dict[str, Any], after: State, reason: str) -> None:
        before = alarm["StateValue"]
        now = int(self._clock())
        alarm |= {
            "StateValue": after.value,
            "StateReason": reason,
            "StateUpdatedTimestamp": now,
            "StateTransitionedTimestamp": now,
        }
        self._cloudwatch._record_history(alarm["AlarmName"], before, after.value, reason)
        self._cloudwatch._dispatch_alarm_actions(alarm, before, after.value, reason)
        self._cloudwatch._evaluate_parent_alarms(alarm)

    def _compact_at_times(self) -> None:
        """In place of what the engine does at every request: to copy all points. One that came meanwhile was lost."""
        if self._clock() - self._compacted_at < COMPACT_SECONDS:
            return
        self._compacted_at = self._clock()
        with self._lock:
            for key, points in list(self._cloudwatch._metrics.items()):
                points[:] = self._compacted(points)
                if not points:
                    del self._cloudwatch._metrics[key]

    def _compacted(self, points: list[Point]) -> list[Point]:
        """The points without those that are past their time; a minute that is old is one point with its statistics."""
        now = self._clock()
        fine = [point for point in points if point["Timestamp"] >= now - FINE_SECONDS]
        minutes: dict[tuple[int, str], list[Point]] = {}
        for point in points:
            if now - KEPT_SECONDS <= point["Timestamp"] < now - FINE_SECONDS:
                minutes.setdefault((int(point["Timestamp"] // _MINUTE) * _MINUTE, point["Unit"]), []).append(point)
        return [*(self._merged(at, inside) for (at, _), inside in sorted(minutes.items())), *fine]

    def _merged(self, at: int, points: list[Point]) -> Point:
        if len(points) == 1:
            return points[0]
        stats = self._cloudwatch._calc_stats(points)
        kept = {name: stats.get(name, 0.0) for name in ("SampleCount", "Sum", "Minimum", "Maximum")}
        return {**points[0], "Timestamp": at, "Value": stats.get("Average", 0.0), "_stat": kept}


def _reason(rule: Rule, values: list[float | None], after: State) -> str:
    if after is State.INSUFFICIENT_DATA:
        return "Insufficient Data: no datapoints were received"
    found = [value for value in values if value is not None][: rule.periods]
    if not found:
        return f"no datapoints were received for {rule.periods} period(s), which is treated as {rule.missing}"
    shown = ", ".join(f"{value:g}" for value in found)
    return f"Threshold Crossed: datapoints [{shown}] against {rule.comparison} {rule.threshold:g}"


def know_composite_alarms(provisioners: Any, cloudwatch: Any) -> None:
    """Let CloudFormation make composite alarms, which the engine's CloudWatch has.

    Raises:
        StackError: the modules are not those of the pinned version.
    """
    require(cloudwatch, {"_put_composite_alarm": ["params", "cbor_data", "is_cbor", "is_json"]})
    require(provisioners, {"_physical_name": ["stack_name", "logical_id", "lowercase", "max_len", "seeded"]})

    def put(name: str, properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        asked = {key: properties[key] for key in _COMPOSITE_PROPERTIES if key in properties}
        status, _, body = cloudwatch._put_composite_alarm({}, {"AlarmName": name, **asked}, False, True)
        if status >= 400:
            raise ValueError(json.loads(body)["message"])
        return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}

    def name_of(logical_id: str, properties: dict[str, Any], stack_name: str) -> str:
        return str(properties.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255))

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        return put(name_of(logical_id, properties, stack_name), properties)

    def update(
        physical_id: str, _old: dict[str, Any], properties: dict[str, Any], _stack_name: str
    ) -> tuple[str, dict[str, str]]:
        return put(physical_id, properties)

    def delete(physical_id: str, _properties: dict[str, Any]) -> None:
        cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, True)

    provisioners._RESOURCE_HANDLERS[COMPOSITE_ALARM] = {"create": create, "update": update, "delete": delete}
