"""When a metric alarm rings: CloudWatch's rules, over the data points of its last periods. No clock, no engine.

An alarm looks at its last N periods (EvaluationPeriods), and rings when M of them breach (DatapointsToAlarm, else N).
CloudWatch fetches a few periods more than N. Of what it finds there it takes the N newest, so that a data point that is
late, or falls between two periods, does not count as missing; only what is short of N then is treated as
TreatMissingData says (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data").

One thing is other than on AWS: the newest period ends now, and not with the last full minute. An alarm moves within
seconds of its cause instead of within minutes.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# How many periods beyond N are looked at. The guide's own example fetches five for an N of three.
FURTHER_PERIODS = 2

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class State(StrEnum):
    """The three states of an alarm, in CloudWatch's words."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Rule:
    """What of an alarm decides its state. `missing` is TreatMissingData's own word."""

    period: float
    periods: int
    datapoints: int
    comparison: str
    threshold: float
    missing: str

    @classmethod
    def of(cls, alarm: Mapping[str, Any]) -> "Rule":
        """The rule of an alarm as PutMetricAlarm describes it.

        Raises:
            ValueError: it compares with something else than a fixed threshold.
        """
        comparison = str(alarm["ComparisonOperator"])
        if comparison not in _COMPARISONS:
            raise ValueError(f"{comparison} is no comparison with a threshold")
        periods = int(alarm["EvaluationPeriods"])
        return cls(
            period=float(alarm["Period"]),
            periods=periods,
            datapoints=int(alarm.get("DatapointsToAlarm") or periods),
            comparison=comparison,
            threshold=float(alarm["Threshold"]),
            missing=str(alarm.get("TreatMissingData") or "missing"),
        )

    @property
    def windows(self) -> int:
        """How many periods are looked at."""
        return self.periods + FURTHER_PERIODS

    def breaches(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.threshold)


def state(rule: Rule, values: Sequence[float | None], before: State) -> State:
    """The alarm's state, `values` being those of its last `rule.windows` periods, the newest first, None for no data.

    With N data points or more, M of the N newest decide, whatever `missing` says. With fewer:

    | found                    | missing           | ignore    | breaching          | notBreaching |
    | ------------------------ | ----------------- | --------- | ------------------ | ------------ |
    | nothing                  | INSUFFICIENT_DATA | as before | ALARM              | OK           |
    | M that breach            | ALARM             | ALARM     | ALARM              | ALARM        |
    | fewer, all of them       | ALARM             | as before | ALARM              | OK           |
    | fewer, and others do not | OK                | OK        | ALARM if M with    | OK           |
    |                          |                   |           | those that lack    |              |
    """
    found = [value for value in values if value is not None][: rule.periods]
    bad = sum(rule.breaches(value) for value in found)
    lacking = rule.periods - len(found)
    if bad >= rule.datapoints:
        return State.ALARM
    if not lacking or rule.missing == "notBreaching":
        return State.OK
    if rule.missing == "breaching":
        return State.ALARM if bad + lacking >= rule.datapoints else State.OK
    if found and bad < len(found):
        return State.OK
    if rule.missing == "ignore":
        return before
    return State.ALARM if found else State.INSUFFICIENT_DATA
