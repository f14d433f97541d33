"""How a stack is, from what was seen of it: pure rules, no clock and nothing asked.

| seen                                                                      | verdict  |
| ------------------------------------------------------------------------- | -------- |
| the API, or the database behind it, does not answer, or with an error      | down     |
| the local stack was stopped                                                | down     |
| either answers 429 (throttled)                                             | degraded |
| an alarm is in ALARM                                                       | degraded |
| an alarm has no data, and its data are not to be missing                   | degraded |
| a gauge is beyond the threshold of an alarm on it, which may not ring yet  | degraded |
| the sweeper told nothing for five minutes                                  | degraded |
| the same, or an alarm for want of data, while there cannot be any yet      | starting |
| anything else                                                              | ok       |

`starting` is no fault: an alarm that rings when nothing comes has seen nothing before its first periods are over, and
the sweeper runs once a minute. After that time the same silence is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from scrapersky.metrics import Metric
from scrapersky_cli.measures import Reading

# For how long back a gauge counts: five sweeps, so that one that failed is no silence.
GAUGE_WINDOW = timedelta(minutes=5)
# CloudWatch evaluates once a minute, and metrics arrive a minute or so late.
_LATE = timedelta(minutes=2)
_STATUS_OK, _STATUS_THROTTLED = 200, 429
_STARTING = "nothing came yet, as nothing can have come"

HEARTBEAT = Metric.SWEEPS
# What the sweeper tells of the whole, and what to do when there is too much of it. Dead letters are none of it: SQS
# tells them itself, and each queue of them has an alarm.
GAUGES: Mapping[Metric, str] = {
    Metric.PENDING_JOBS: "are workers running? see their errors, and the queues",
    Metric.RUNNING_JOBS: "",
    Metric.OLDEST_PENDING_SECONDS: "jobs wait for a worker: see the workers' errors and throttles",
    Metric.EXPIRED_LEASES: "workers were lost and the sweeper does not reopen their jobs: see the sweeper's errors",
    Metric.OUTBOX_OWED: "messages are not sent: see the sweeper's errors, and whether SQS takes messages",
    Metric.OLDEST_OWED_SECONDS: "messages are not sent: see the sweeper's errors, and whether SQS takes messages",
    Metric.UNDISPATCHED_EVENTS: "",
    Metric.OLDEST_UNDISPATCHED_SECONDS: "customers hear late of what ended: see the errors of event_dispatcher",
    Metric.OPEN_BATCHES: "",
    Metric.PENDING_DELIVERIES: "receivers do not answer, or see the errors of webhook_worker",
}

_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}


class Verdict(IntEnum):
    """How it is; the value is the exit code."""

    OK = 0
    DEGRADED = 1
    DOWN = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class Kind(StrEnum):
    """What a check looks at."""

    API = "api"
    DATABASE = "database"
    ALARM = "alarm"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Probe:
    """An HTTP answer's status and the milliseconds that it took, or why there is none."""

    status: int | None
    milliseconds: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the stack. `state` and `missing` are CloudWatch's words; `span` is the time that it looks back.

    `metric` is its metric's namespace, name and dimensions; where it computes with several, those are its `queries`.
    """

    name: str
    state: str
    description: str
    since: datetime
    configured_at: datetime
    is_composite: bool = False
    metric: tuple[str, str, tuple[tuple[str, str], ...]] | None = None
    queries: tuple[Mapping[str, Any], ...] = ()
    statistic: str = ""
    period: int = 60
    span: timedelta = timedelta(0)
    comparison: str = ""
    threshold: float | None = None
    missing: str = "missing"

    @property
    def limit(self) -> str | None:
        """The threshold as it is written."""
        if self.threshold is None or self.comparison not in _SIGNS:
            return None
        return f"{_SIGNS[self.comparison]} {self.threshold:g}"

    def is_beyond(self, value: float) -> bool:
        """Whether one value alone is what the alarm rings for."""
        if self.threshold is None:
            return False
        return {
            "GreaterThanThreshold": value > self.threshold,
            "GreaterThanOrEqualToThreshold": value >= self.threshold,
            "LessThanThreshold": value < self.threshold,
            "LessThanOrEqualToThreshold": value <= self.threshold,
        }.get(self.comparison, False)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen of a stack at `now`. `namespace` is that of its own metrics.

    `values` are the alarms' newest, by name, `gauges` the sweeper's of the last five minutes.
    """

    now: datetime
    namespace: str
    created_at: datetime
    api: Probe
    database: Probe
    alarms: Sequence[Alarm]
    values: Mapping[str, Reading]
    gauges: Mapping[Metric, Reading]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: how it is, against what, since when, and what to do about it."""

    name: str
    kind: Kind
    state: str
    verdict: Verdict = Verdict.OK
    value: float | None = None
    threshold: str | None = None
    since: datetime | None = None
    hint: str = ""


_UNKNOWN_DATABASE = Check("database", Kind.DATABASE, "unknown", hint="it is asked through the API")


@dataclass(frozen=True, slots=True)
class Report:
    """All checks, and the worst of them."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        return max((check.verdict for check in self.checks), default=Verdict.OK)

    @property
    def reasons(self) -> list[Check]:
        """The checks that make the verdict what it is."""
        return [check for check in self.checks if check.verdict and check.verdict == self.verdict]


def judge(seen: Seen) -> Report:
    """The checks of all that was seen."""
    plain = [_of_alarm(alarm, seen) for alarm in seen.alarms if not alarm.is_composite]
    rings = any(check.verdict for check in plain)
    combined = [_of_composite(alarm, rings) for alarm in seen.alarms if alarm.is_composite]
    return Report((*answering(seen.api, seen.database), *combined, *plain, *_of_gauges(seen)))


def answering(api: Probe, database: Probe) -> Iterator[Check]:
    """Whether the API answers, and the database behind it."""
    of_api = _of_probe(
        "API", Kind.API, api, "nothing of a client's gets through: see the alarms, and the functions' logs"
    )
    yield of_api
    if of_api.verdict is Verdict.DOWN:
        yield _UNKNOWN_DATABASE
    else:
        yield _of_probe(
            "database", Kind.DATABASE, database, "see the database and its pooler; jobs wait until it is back"
        )


def stopped(reason: str) -> Report:
    """Of a stack that does not run, as is known without asking it."""
    return Report((Check("API", Kind.API, "not running", Verdict.DOWN, hint=reason), _UNKNOWN_DATABASE))


def _of_probe(name: str, kind: Kind, probe: Probe, hint: str) -> Check:
    if probe.status == _STATUS_OK:
        return Check(name, kind, "ok", value=probe.milliseconds)
    if probe.status == _STATUS_THROTTLED:
        return Check(name, kind, "throttled", Verdict.DEGRADED, hint="more requests come than are let through")
    state = "no answer" if probe.status is None else f"answers {probe.status}"
    return Check(name, kind, state, Verdict.DOWN, hint=f"{probe.error}; {hint}" if probe.error else hint)


def _of_alarm(alarm: Alarm, seen: Seen) -> Check:
    reading = seen.values.get(alarm.name)
    state, verdict = _state(alarm, seen.now)
    return Check(
        alarm.name,
        Kind.ALARM,
        state,
        verdict,
        value=reading.value if reading else None,
        threshold=alarm.limit,
        since=alarm.since,
        hint=_STARTING if state == "starting" else alarm.description,
    )


def _state(alarm: Alarm, now: datetime) -> tuple[str, Verdict]:
    if alarm.state == "OK":
        return "ok", Verdict.OK
    if alarm.state == "ALARM":
        if alarm.missing == "breaching" and _is_new(alarm, now):
            return "starting", Verdict.OK
        return "alarm", Verdict.DEGRADED
    if alarm.missing == "notBreaching":
        return "no data", Verdict.OK
    if _is_new(alarm, now):
        return "starting", Verdict.OK
    return "no data", Verdict.DEGRADED


def _is_new(alarm: Alarm, now: datetime) -> bool:
    return now < alarm.configured_at + alarm.span + _LATE


def _of_composite(alarm: Alarm, rings: bool) -> Check:
    """A composite alarm says nothing that those it combines do not: when they are starting, so is it."""
    if alarm.state != "ALARM":
        state, verdict = "ok", Verdict.OK
    elif rings:
        state, verdict = "alarm", Verdict.DEGRADED
    else:
        state, verdict = "starting", Verdict.OK
    hint = _STARTING if state == "starting" else alarm.description
    return Check(alarm.name, Kind.ALARM, state, verdict, since=alarm.since, hint=hint)


def _of_gauges(seen: Seen) -> Iterator[Check]:
    beat = seen.gauges.get(HEARTBEAT)
    if beat:
        yield Check("sweeper", Kind.GAUGE, "ok", value=beat.value, since=beat.at)
    elif seen.now < seen.created_at + GAUGE_WINDOW + _LATE:
        yield Check("sweeper", Kind.GAUGE, "starting", hint=_STARTING)
    else:
        hint = "it told nothing for five minutes: see its errors, its schedule, and whether the database answers"
        yield Check("sweeper", Kind.GAUGE, "silent", Verdict.DEGRADED, hint=hint)
    for gauge, hint in GAUGES.items():
        yield _of_gauge(gauge, hint, seen)


def _of_gauge(gauge: Metric, hint: str, seen: Seen) -> Check:
    reading = seen.gauges.get(gauge)
    watching = [alarm for alarm in seen.alarms if alarm.metric == (seen.namespace, gauge.value, ())]
    limits = ", ".join(sorted({alarm.limit for alarm in watching if alarm.limit}))
    if reading is None:
        return Check(gauge.value, Kind.GAUGE, "no data", threshold=limits or None)
    is_beyond = any(alarm.is_beyond(reading.value) for alarm in watching)
    return Check(
        gauge.value,
        Kind.GAUGE,
        "too much" if is_beyond else "ok",
        Verdict.DEGRADED if is_beyond else Verdict.OK,
        value=reading.value,
        threshold=limits or None,
        since=reading.at,
        hint=hint if is_beyond else "",
    )
