"""The health of a stack: from AWS's answers to a table, a verdict and an exit code."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from scrapersky_cli import health_commands
from scrapersky_cli.cloud import Cloud, CloudUnreachable
from scrapersky_cli.health_rules import GAUGE_WINDOW, GAUGES, HEARTBEAT, Check, Kind
from scrapersky_cli.main import app
from scrapersky_cli.measures import Measure, Reading, newest
from scrapersky_cli.session import Session
from scrapersky_local.state import load_secrets
from support.stubbed_cloud import API_URL, STACK, cloud, cloudformation, opened, refusing, stubbed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SPACE = f"ScraperSky/{STACK}"
LONG_AGO = NOW - timedelta(days=30)


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


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (53.5444, Kind.API, "54 ms"),
        (0.2, Kind.DATABASE, "<1 ms"),
        (12_345.6, Kind.API, "12,346 ms"),
        (12.0, Kind.GAUGE, "12"),
        (12.54321, Kind.GAUGE, "12.5"),
        (0.0432109, Kind.ALARM, "0.0432"),
        (1234.5678, Kind.GAUGE, "1,235"),
        (5_000_000.0, Kind.GAUGE, "5,000,000"),
        (0.0, Kind.GAUGE, "0"),
        (None, Kind.GAUGE, ""),
    ],
)
def test_a_figure_is_shown_as_a_person_reads_it(value: float | None, kind: Kind, shown: str) -> None:
    assert health_commands.shown_value(Check("a", kind, "ok", value=value)) == shown


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
    ran = run(monkeypatch, Gone(API_URL).cloud, answers(api=httpx.ConnectError("nobody there")), "--json")
    told = json.loads(ran.stdout)
    assert (ran.exit_code, told["verdict"], told["reasons"]) == (2, "down", ["API"])
    assert told["checks"][0]["hint"] == f"nothing answers at {API_URL}: start it with `scrapersky up`"


def test_a_local_stack_that_was_stopped_is_down_and_one_that_never_was_is_not_known(tmp_path: Path) -> None:
    runner, line = CliRunner(), ["health", "--data-dir", str(tmp_path)]
    session = Session(environ={})
    never = runner.invoke(app, line, obj=session)
    assert (never.exit_code, never.stdout) == (3, "")
    assert "no local stack runs" in never.stderr
    load_secrets(tmp_path)  # what the first start of a stack draws, and its end leaves
    stopped = runner.invoke(app, line, obj=session)
    assert (stopped.exit_code, stopped.stderr, stopped.stdout.splitlines()[-1]) == (2, "", "down: API")
    assert "scrapersky up" in stopped.stdout
    told = json.loads(runner.invoke(app, [*line, "--json"], obj=session).stdout)
    assert (told["stack"], told["verdict"], told["reasons"]) == ("scrapersky", "down", ["API"])
    assert [(check["name"], check["state"]) for check in told["checks"]] == [
        ("API", "not running"),
        ("database", "unknown"),
    ]
    dead_letters = runner.invoke(app, ["dlq", "list", "--data-dir", str(tmp_path)], obj=session)
    assert (dead_letters.exit_code, dead_letters.stdout) == (2, "")
    assert "does not run" in dead_letters.stderr


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
