"""How a stack is: from figures to a verdict."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scrapersky.metrics import Metric
from scrapersky_cli.health_rules import (
    GAUGES,
    HEARTBEAT,
    Alarm,
    Check,
    Probe,
    Report,
    Seen,
    Verdict,
    judge,
)
from scrapersky_cli.measures import Reading
from support.stubbed_cloud import STACK

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPACE = f"ScraperSky/{STACK}"
LONG_AGO = NOW - timedelta(days=30)
WELL = Probe(200, 12.0)


def alarm(state: str = "OK", **more: Any) -> Alarm:
    settings: dict[str, Any] = {
        "name": "shop-oldest-pending",
        "state": state,
        "description": "jobs wait: see the workers",
        "since": NOW - timedelta(hours=1),
        "configured_at": LONG_AGO,
        "metric": (SPACE, "OldestPendingSeconds", ()),
        "span": timedelta(minutes=5),
        "comparison": "GreaterThanThreshold",
        "threshold": 300.0,
        "missing": "notBreaching",
    }
    return Alarm(**(settings | more))


def composite(state: str) -> Alarm:
    return Alarm("shop-status", state, "anything", NOW, LONG_AGO, is_composite=True)


def seen(*alarms: Alarm, **more: Any) -> Seen:
    settings: dict[str, Any] = {
        "now": NOW,
        "namespace": SPACE,
        "created_at": LONG_AGO,
        "api": WELL,
        "database": WELL,
        "alarms": alarms,
        "values": {},
        "gauges": {HEARTBEAT: Reading(1, NOW)} | dict.fromkeys(GAUGES, Reading(0, NOW)),
    }
    return Seen(**(settings | more))


def of(report: Report, name: str) -> Check:
    (found,) = (check for check in report.checks if check.name == name)
    return found


def test_a_stack_of_which_nothing_is_wrong_is_ok() -> None:
    report = judge(seen(alarm(), composite("OK")))
    assert (report.verdict, report.reasons) == (Verdict.OK, [])
    assert {check.state for check in report.checks} == {"ok"}
    assert len(report.checks) == 2 + 2 + 1 + len(GAUGES)


@pytest.mark.parametrize(
    ("api", "database", "verdict", "states"),
    [
        (WELL, WELL, Verdict.OK, ("ok", "ok")),
        (Probe(None, error="refused"), Probe(None), Verdict.DOWN, ("no answer", "unknown")),
        (Probe(503), Probe(503), Verdict.DOWN, ("answers 503", "unknown")),
        (Probe(404), Probe(404), Verdict.DOWN, ("answers 404", "unknown")),
        (WELL, Probe(503), Verdict.DOWN, ("ok", "answers 503")),
        (WELL, Probe(None, error="timed out"), Verdict.DOWN, ("ok", "no answer")),
        (Probe(429), WELL, Verdict.DEGRADED, ("throttled", "ok")),
        (WELL, Probe(429), Verdict.DEGRADED, ("ok", "throttled")),
    ],
)
def test_what_does_not_answer_is_down(api: Probe, database: Probe, verdict: Verdict, states: tuple[str, str]) -> None:
    report = judge(seen(api=api, database=database))
    assert report.verdict is verdict
    assert (of(report, "API").state, of(report, "database").state) == states
    assert all(check.hint for check in report.reasons)
    assert all(probe.error in "".join(check.hint for check in report.checks) for probe in (api, database))


def test_an_alarm_that_rings_degrades_and_says_since_when_and_what_to_do() -> None:
    report = judge(seen(alarm("ALARM"), composite("ALARM"), values={"shop-oldest-pending": Reading(431, NOW)}))
    assert report.verdict is Verdict.DEGRADED
    assert [check.name for check in report.reasons] == ["shop-status", "shop-oldest-pending"]
    check = of(report, "shop-oldest-pending")
    assert (check.state, check.value, check.threshold) == ("alarm", 431, "> 300")
    assert (check.since, check.hint) == (NOW - timedelta(hours=1), "jobs wait: see the workers")


NEW = NOW - timedelta(minutes=6)  # within the five minutes that the alarm looks back, and CloudWatch's delay
OLD = NOW - timedelta(minutes=8)


@pytest.mark.parametrize(
    ("state", "missing", "configured_at", "shown", "verdict"),
    [
        ("ALARM", "breaching", NEW, "starting", Verdict.OK),
        ("ALARM", "breaching", OLD, "alarm", Verdict.DEGRADED),
        ("ALARM", "notBreaching", NEW, "alarm", Verdict.DEGRADED),
        ("ALARM", "missing", NEW, "alarm", Verdict.DEGRADED),
        ("INSUFFICIENT_DATA", "missing", NEW, "starting", Verdict.OK),
        ("INSUFFICIENT_DATA", "missing", OLD, "no data", Verdict.DEGRADED),
        ("INSUFFICIENT_DATA", "ignore", OLD, "no data", Verdict.DEGRADED),
        ("INSUFFICIENT_DATA", "breaching", OLD, "no data", Verdict.DEGRADED),
        ("INSUFFICIENT_DATA", "notBreaching", OLD, "no data", Verdict.OK),
    ],
)
def test_silence_counts_from_when_there_should_be_data(
    state: str, missing: str, configured_at: datetime, shown: str, verdict: Verdict
) -> None:
    one = alarm(state, missing=missing, configured_at=configured_at)
    report = judge(seen(one, composite("ALARM" if state == "ALARM" else "OK")))
    assert (of(report, one.name).state, report.verdict) == (shown, verdict)
    if shown == "starting" and state == "ALARM":
        assert of(report, "shop-status").state == "starting"


def test_a_stack_that_was_just_made_is_not_called_down() -> None:
    silent = alarm("ALARM", missing="breaching", configured_at=NOW)
    report = judge(seen(silent, composite("ALARM"), created_at=NOW, gauges={}))
    assert report.verdict is Verdict.OK
    assert {of(report, name).state for name in ("shop-status", silent.name, "sweeper")} == {"starting"}


def test_a_sweeper_that_tells_nothing_degrades_a_stack_that_is_not_new() -> None:
    assert judge(seen(gauges={}, created_at=NOW - timedelta(minutes=6))).verdict is Verdict.OK
    report = judge(seen(gauges={}, created_at=NOW - timedelta(minutes=8)))
    assert (report.verdict, [check.name for check in report.reasons]) == (Verdict.DEGRADED, ["sweeper"])


@pytest.mark.parametrize(
    ("comparison", "value", "is_beyond"),
    [
        ("GreaterThanThreshold", 300, False),
        ("GreaterThanThreshold", 301, True),
        ("GreaterThanOrEqualToThreshold", 300, True),
        ("LessThanThreshold", 299, True),
        ("LessThanThreshold", 300, False),
        ("LessThanOrEqualToThreshold", 300, True),
        ("GreaterThanUpperThreshold", 301, False),
    ],
)
def test_a_gauge_is_held_to_the_threshold_of_its_alarm_before_that_rings(
    comparison: str, value: float, is_beyond: bool
) -> None:
    gauges = {HEARTBEAT: Reading(1, NOW), Metric.OLDEST_PENDING_SECONDS: Reading(value, NOW)}
    report = judge(seen(alarm("OK", comparison=comparison), gauges=gauges))
    check = of(report, "OldestPendingSeconds")
    assert (check.state, bool(check.verdict), bool(check.hint)) == (
        ("too much", True, True) if is_beyond else ("ok", False, False)
    )
    assert report.verdict is (Verdict.DEGRADED if is_beyond else Verdict.OK)


def test_another_stack_s_or_another_dimension_s_alarm_is_no_threshold_of_a_gauge() -> None:
    gauges = {HEARTBEAT: Reading(1, NOW), Metric.OLDEST_PENDING_SECONDS: Reading(9000, NOW)}
    others = (
        alarm(metric=("ScraperSky/other", "OldestPendingSeconds", ())),
        alarm(metric=(SPACE, "OldestPendingSeconds", (("kind", "x"),))),
        alarm(metric=None, threshold=None),
    )
    assert judge(seen(*others, gauges=gauges)).verdict is Verdict.OK


def test_every_gauge_is_told_without_dimensions() -> None:
    assert all(metric.sets == ((),) for metric in (HEARTBEAT, *GAUGES))
