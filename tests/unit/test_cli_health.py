"""How a stack is: from figures to a verdict, and from AWS's answers to figures."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from scrapersky.metrics import Metric
from scrapersky_cli import health_commands
from scrapersky_cli.cloud import Cloud, CloudUnreachable
from scrapersky_cli.health_rules import (
    GAUGE_WINDOW,
    GAUGES,
    HEARTBEAT,
    Alarm,
    Check,
    Kind,
    Probe,
    Report,
    Seen,
    Verdict,
    judge,
)
from scrapersky_cli.main import app
from scrapersky_cli.measures import Measure, Reading, newest
from scrapersky_cli.session import Session
from support.stubbed_cloud import API_URL, STACK, cloud, cloudformation, opened, refusing, stubbed

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


def told_alarm(name: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": "jobs wait:\n see   the workers",
        "StateValue": "OK",
        "StateUpdatedTimestamp": LONG_AGO,
        "AlarmConfigurationUpdatedTimestamp": LONG_AGO,
    } | more


METRIC = {
    "Namespace": SPACE,
    "MetricName": "OldestPendingSeconds",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 5,
    "Threshold": 300.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
MATH = {
    "Metrics": [
        {"Id": "share", "Expression": "100 * bad / all", "ReturnData": True},
        {"Id": "bad", "MetricStat": {"Metric": {"MetricName": "x"}, "Period": 300, "Stat": "Sum"}},
    ],
    "EvaluationPeriods": 1,
    "Threshold": 50.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
ALARMS = {
    "Oldest": ("AWS::CloudWatch::Alarm", "shop-oldest-pending"),
    "Share": ("AWS::CloudWatch::Alarm", "shop-share"),
    "Status": ("AWS::CloudWatch::CompositeAlarm", "shop-status"),
    "Queue": ("AWS::SQS::Queue", "https://q"),
}


def cloudwatch(state: str, now: datetime, gauges: Mapping[str, float]) -> Any:
    """The alarms on two pages, then the gauges, then the values of the alarms."""
    names = [str(metric) for metric in (HEARTBEAT, *GAUGES)]
    told = [
        {"Id": f"m{names.index(name)}", "Timestamps": [now - timedelta(minutes=1), now], "Values": [value + 7, value]}
        for name, value in gauges.items()
    ]
    values = [{"Id": "m0", "Timestamps": [now], "Values": [12.5]}]
    plain = [told_alarm("shop-oldest-pending", StateValue=state, **METRIC), told_alarm("shop-share", **MATH)]
    combined = [told_alarm("shop-status", StateValue=state, StateTransitionedTimestamp=now)]
    return stubbed(
        "cloudwatch",
        ("describe_alarms", {"MetricAlarms": plain, "CompositeAlarms": [], "NextToken": "x"}),
        ("describe_alarms", {"MetricAlarms": [], "CompositeAlarms": combined}),
        ("get_metric_data", {"MetricDataResults": told[:1], "NextToken": "x"}),
        ("get_metric_data", {"MetricDataResults": told[1:]}),
        ("get_metric_data", {"MetricDataResults": values}),
        ("get_metric_data", {"MetricDataResults": [{"Id": "share", "Timestamps": [now], "Values": [42.0]}]}),
    )


def answers(**statuses: int | Exception) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url).startswith(API_URL)
        status = statuses["database" if request.url.path == "/health/database" else "api"]
        if isinstance(status, Exception):
            raise status
        return httpx.Response(status)

    return httpx.MockTransport(answer)


def run(monkeypatch: pytest.MonkeyPatch, made: Cloud, transport: httpx.BaseTransport, *arguments: str) -> Result:
    monkeypatch.setattr(health_commands, "open_cloud", opened(made))
    session = Session(environ={}, transport=transport)
    return CliRunner().invoke(app, ["health", *arguments], obj=session)


def whole(state: str, gauges: Mapping[str, float]) -> Cloud:
    now = datetime.now(UTC)
    return cloud(cloudformation=cloudformation(ALARMS), cloudwatch=cloudwatch(state, now, gauges))


QUIET = {"Sweeps": 1.0, "OldestPendingSeconds": 12.0}


@pytest.mark.parametrize(
    ("state", "gauges", "statuses", "code", "last"),
    [
        ("OK", QUIET, {"api": 200, "database": 200}, 0, f"ok: {2 + 3 + 1 + len(GAUGES)} checks"),
        ("ALARM", QUIET, {"api": 200, "database": 200}, 1, "degraded: shop-status, shop-oldest-pending"),
        ("OK", {"Sweeps": 1.0, "OldestPendingSeconds": 301.0}, {"api": 200, "database": 200}, 1, "degraded: Oldest"),
        ("OK", {}, {"api": 200, "database": 200}, 1, "degraded: sweeper"),
        ("ALARM", QUIET, {"api": 200, "database": 503}, 2, "down: database"),
        ("OK", QUIET, {"api": httpx.ConnectError("nobody there")}, 2, "down: API"),
    ],
    ids=["well", "alarm", "gauge", "silent", "database", "API"],
)
def test_the_verdict_is_the_last_line_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    gauges: Mapping[str, float],
    statuses: dict[str, Any],
    code: int,
    last: str,
) -> None:
    ran = run(monkeypatch, whole(state, gauges), answers(**statuses))
    assert (ran.exit_code, ran.stderr) == (code, ""), ran.exception
    assert ran.stdout.splitlines()[-1].startswith(last)


def test_the_table_shows_each_check_with_its_value_threshold_time_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = run(monkeypatch, whole("ALARM", QUIET), answers(api=200, database=200))
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert lines[0] == "shop in eu-central-1"
    since = LONG_AGO.astimezone().strftime("%Y-%m-%d %H:%M")
    assert f"oldest-pending alarm 12.5 > 300 {since} jobs wait: see the workers" in lines
    assert f"share ok 42 > 50 {since}" in lines
    assert any(line.startswith("OldestPendingSeconds ok 12 > 300 ") for line in lines)
    assert "PendingJobs no data" in lines
    assert lines[-2] == "The runbook (README.md, Operations) has an entry for each of: status, oldest-pending"


def test_json_tells_the_same_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, whole("ALARM", QUIET), answers(api=200, database=200), "--json")
    assert ran.exit_code == 1
    told = json.loads(ran.stdout)
    assert (told["stack"], told["verdict"], told["reasons"]) == (
        "shop", "degraded", ["shop-status", "shop-oldest-pending"],
    )  # fmt: skip
    (check,) = (one for one in told["checks"] if one["name"] == "shop-oldest-pending")
    assert check == {
        "name": "shop-oldest-pending",
        "kind": Kind.ALARM,
        "state": "alarm",
        "verdict": "degraded",
        "value": 12.5,
        "threshold": "> 300",
        "since": "2026-01-30T12:00:00Z",
        "hint": "jobs wait: see the workers",
    }


@pytest.mark.parametrize("service", ["cloudformation", "cloudwatch"])
def test_what_could_not_be_found_out_is_neither_down_nor_degraded(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    operation = {"cloudformation": "describe_stacks", "cloudwatch": "describe_alarms"}[service]
    clients = {"cloudformation": cloudformation(ALARMS)} | {service: refusing(service, operation, "AccessDenied")}
    ran = run(monkeypatch, cloud(**clients), answers(api=200, database=503))
    assert (ran.exit_code, ran.stdout) == (3, "")
    assert ran.stderr.startswith("error: not permitted: Describe")


class Gone:
    """The local stack's services, or AWS, when nothing answers."""

    def __init__(self, api_url: str | None) -> None:
        self.cloud = Cloud(STACK, self._client, "the local stack", api_url)

    def _client(self, _service: str) -> Any:
        raise CloudUnreachable("AWS does not answer: x")


def test_a_local_stack_whose_services_are_gone_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run(monkeypatch, Gone(API_URL).cloud, answers(api=httpx.ConnectError("nobody there")))
    assert (ran.exit_code, ran.stdout.splitlines()[-1]) == (2, "down: API")


@pytest.mark.parametrize("api_url", [API_URL, None])
def test_services_that_do_not_answer_beside_an_api_that_does_tell_nothing(
    monkeypatch: pytest.MonkeyPatch, api_url: str | None
) -> None:
    ran = run(monkeypatch, Gone(api_url).cloud, answers(api=200, database=200))
    assert (ran.exit_code, ran.stderr) == (3, "error: AWS does not answer: x\n")


def test_more_metrics_than_a_request_takes_are_asked_for_in_several() -> None:
    asked = {f"m{n}": Measure(SPACE, f"M{n}", "Sum") for n in range(501)}
    first = [{"Id": "m499", "Timestamps": [NOW], "Values": [3.0]}]
    second = [{"Id": "m0", "Timestamps": [NOW - timedelta(minutes=2), NOW], "Values": [5.0, 4.0]}]
    client = stubbed(
        "cloudwatch",
        ("get_metric_data", {"MetricDataResults": first}),
        ("get_metric_data", {"MetricDataResults": second}),
    )
    assert newest(client, asked, GAUGE_WINDOW, NOW) == {"m499": Reading(3, NOW), "m500": Reading(4, NOW)}
