"""The canary against a running stack: it passes when a client's scan does, and says what is wrong when one does not."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from contract import cloudformation as cfn
from contract import watched
from e2e.conftest import LOOPBACK, RunningStack, aws_of, token_of
from scrapersky import metrics
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.demo_web.server import DemoWeb
from scrapersky_local.stack import Stack, StackOptions
from scrapersky_local.tokens import Bearer, mint
from support import emf
from support.function_log import events
from support.http_events import Context, function
from support.log_lines import Written, recorded
from support.loopback import CLOSED_PORT


@dataclass
class CanaryContext(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass(frozen=True)
class Ran:
    """What a run answered, the metrics that it told, and the last line of its log."""

    answer: dict[str, Any]
    told: dict[str, list[float]]
    line: dict[str, Any]


Run = Callable[..., Ran]


def site(stack: RunningStack, **expected: object) -> str:
    """The last site of the demo web whose scan is to go so; tests that count rows of a site take the first."""
    return [one.host for one in stack.web.sites if expected.items() <= one.expect.items()][-1]


def final_line(written: Written) -> dict[str, Any]:
    return [event for event in written.events() if "_aws" not in event][-1]


def alarms_on_dashboard(aws: Callable[[str], Any]) -> set[str]:
    """The names of the alarms on the deployed dashboard, whose body is JSON with every variable put in."""
    text = aws("cloudwatch").get_dashboard(DashboardName="scrapersky")["DashboardBody"]
    assert "${" not in text
    (arns,) = (one["properties"]["alarms"] for one in json.loads(text)["widgets"] if one["type"] == "alarm")
    return {arn.rpartition(":")[2] for arn in arns}


@pytest.fixture
def run(
    stack: RunningStack,
    aws: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the function as a tenant of its own; a token that is given, or an address, stands for the right one."""
    tenant_id = uuid4()
    monkeypatch.setattr(metrics, "_buffer", metrics._Buffer())
    variables = {
        "AWS_ENDPOINT_URL": stack.info.aws_endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": stack.info.region,
        "POWERTOOLS_METRICS_NAMESPACE": "ScraperSky/canary",
    }

    def run_once(host: str, *, token: str | None = None, api_url: str = stack.info.api_url) -> Ran:
        text = token_of(stack, tenant_id) if token is None else token
        arn = aws("secretsmanager").create_secret(Name=f"canary-{uuid4()}", SecretString=text)["ARN"]
        told = {"CANARY_API_URL": api_url, "CANARY_URL": host, "CANARY_TOKEN_SECRET_ARN": arn}
        for name, value in {**variables, **told}.items():
            monkeypatch.setenv(name, value)
        with recorded(capsys) as written:
            answer = function("canary").lambda_handler({}, CanaryContext())
            assert text not in written.text
            told_of = emf.values(emf.documents(written.text))
            canarys = {name: values for name, values in told_of.items() if name.startswith("Canary")}
            return Ran(answer, canarys, final_line(written))

    return run_once


def test_a_scan_as_a_clients_passes_and_is_stored(
    run: Run, stack: RunningStack, database: psycopg.Connection[TupleRow]
) -> None:
    ran = run(site(stack, status="complete"))
    assert ran.answer["is_ok"] is True
    assert ran.told["CanarySuccess"] == [1]
    assert ran.told["CanaryMilliseconds"] == [ran.answer["ms"]]
    assert (ran.line["message"], ran.line["job_id"]) == ("canary passed", ran.answer["job_id"])
    stored = database.execute("select status from scrapersky.jobs where id = %s", (ran.answer["job_id"],)).fetchone()
    assert stored == ("complete",)


def test_a_scan_that_fails_is_told_with_its_code(run: Run, stack: RunningStack) -> None:
    ran = run("no-such-name.example")
    assert ran.told == {"CanarySuccess": [0]}
    assert ran.line["level"] == "ERROR"
    assert (ran.line["message"], ran.line["step"]) == ("canary failed", "follow")
    assert ran.line["reason"].startswith("the scan ended as failed: ")
    assert ran.line["job_id"] == ran.answer["job_id"]


def test_an_expired_token_is_told_with_the_request_that_was_refused(run: Run, stack: RunningStack) -> None:
    secret = json.loads((stack.data_dir / "secrets.json").read_text("utf-8"))["jwt_secret"]
    expired = mint(secret, Bearer(str(uuid4()), "canary"), ttl_seconds=-60)
    ran = run("shop.example", token=expired)
    assert ran.told == {"CanarySuccess": [0]}
    assert (ran.line["step"], ran.line["reason"], ran.line["status"]) == ("start", "refused: token_expired", 401)
    assert ran.line["request_id"]
    assert ran.answer["job_id"] is None


def test_an_api_that_is_down_is_told(run: Run) -> None:
    ran = run("shop.example", api_url=f"http://127.0.0.1:{CLOSED_PORT}")
    assert ran.told == {"CanarySuccess": [0]}
    assert (ran.line["step"], ran.line["reason"]) == ("start", "not reached: ConnectError")


def test_a_canary_that_is_asked_for_is_deployed_with_its_alarm(web: DemoWeb) -> None:
    """All that the template has under its condition, deployed: function, role, schedule, alarm, what names them."""
    host = next(one.host for one in web.sites if one.expect.get("status") == "complete")
    with throwaway_directory() as data_dir:
        options = StackOptions(
            data_dir,
            allow_networks=(LOOPBACK,),
            resolve=web.resolve_rules(),
            ca_file=web.ca_file,
            durable=False,
            canary_url=f"https://{host}/",
        )
        with Stack(options).running() as info:
            aws = aws_of(info)
            listed = aws("lambda").list_functions()["Functions"]
            (name,) = (one["FunctionName"] for one in listed if "CanaryFunction" in one["FunctionName"])
            answer = json.loads(aws("lambda").invoke(FunctionName=name)["Payload"].read())
            assert answer["is_ok"] is True, [line for line in events(data_dir) if line["service"] == "canary"]
            kinds = ["MetricAlarm", "CompositeAlarm"]
            told = aws("cloudwatch").describe_alarms(AlarmNamePrefix="scrapersky-", AlarmTypes=kinds)
            dashboard = alarms_on_dashboard(aws)
    names = {alarm["AlarmName"] for alarm in told["MetricAlarms"] + told["CompositeAlarms"]}
    wanted = [*cfn.of_type(watched.ALARM).values(), *cfn.of_type("AWS::CloudWatch::CompositeAlarm").values()]
    assert names == {one["AlarmName"]["Fn::Sub"].replace("${AWS::StackName}", "scrapersky") for one in wanted}
    (status,) = told["CompositeAlarms"]
    assert 'ALARM("scrapersky-canary")' in status["AlarmRule"]
    assert dashboard == names


def test_without_it_neither_the_status_nor_the_dashboard_names_it(aws: Callable[[str], Any]) -> None:
    kinds = ["MetricAlarm", "CompositeAlarm"]
    told = aws("cloudwatch").describe_alarms(AlarmNamePrefix="scrapersky-", AlarmTypes=kinds)
    names = {alarm["AlarmName"] for alarm in told["MetricAlarms"] + told["CompositeAlarms"]}
    assert "scrapersky-canary" not in names
    assert "canary" not in told["CompositeAlarms"][0]["AlarmRule"]
    assert alarms_on_dashboard(aws) == names


@pytest.mark.parametrize(
    ("token", "api_url"),
    [("two words", "https://api.example"), ("a.b.c", "http://api.example")],
    ids=["token", "address"],
)
def test_a_canary_that_cannot_even_begin_has_failed(
    run: Run, token: str, api_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exception, match=r"CANARY_"):
        run("shop.example", token=token, api_url=api_url)
    assert emf.values(emf.documents(capsys.readouterr().out))["CanarySuccess"] == [0]
