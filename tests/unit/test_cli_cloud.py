"""The commands for operators find their stack, and say in a line why they cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore import exceptions

from scrapersky_cli.cloud import LOCAL_STACK, CloudError, CloudUnreachable, Resource, open_cloud, told
from scrapersky_cli.errors import CliError, UsageError
from support.cli_runs import FakeApi
from support.stubbed_cloud import API_URL, CREATED, cloud, cloudformation, refusing

QUEUE = "AWS::SQS::Queue"


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests has an account perhaps; they have none."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_stack_is_what_cloudformation_tells_of_it_over_all_pages() -> None:
    resources = {
        "Scan": (QUEUE, "https://q/scan"),
        "Dead": (QUEUE, "https://q/dead"),
        "F": ("AWS::Lambda::Function", "f"),
    }
    facts = cloud(cloudformation=cloudformation(resources)).facts()
    assert (facts.api_url, facts.created_at) == (API_URL, CREATED)
    assert facts.of_kind(QUEUE) == [
        Resource(QUEUE, "Scan", "https://q/scan"),
        Resource(QUEUE, "Dead", "https://q/dead"),
    ]


def test_another_template_s_stack_is_none_of_ours() -> None:
    with pytest.raises(CloudError, match="the stack shop in eu-central-1 has no output ApiUrl"):
        cloud(cloudformation=cloudformation({"a": (QUEUE, "x")}, api_url=None)).facts()


def test_no_such_stack_is_said_with_where_it_was_looked_for() -> None:
    gone = refusing("cloudformation", "describe_stacks", "ValidationError", "Stack with id shop does not exist")
    with pytest.raises(CloudError, match="there is no stack shop in eu-central-1"):
        cloud(cloudformation=gone).facts()


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("AccessDenied", r"not permitted: DescribeStacks \(no\)"),
        ("AccessDeniedException", r"not permitted: DescribeStacks \(no\)"),
        ("ExpiredToken", r"AWS does not accept the credentials: ExpiredToken \(no\)"),
        ("InvalidClientTokenId", "AWS does not accept the credentials: InvalidClientTokenId"),
        ("Throttling", r"AWS refused DescribeStacks: Throttling \(no\)"),
        ("ValidationError", "AWS refused DescribeStacks: ValidationError"),
    ],
)
def test_a_refusal_is_told_with_what_was_asked(code: str, line: str) -> None:
    with pytest.raises(CloudError, match=line):
        cloud(cloudformation=refusing("cloudformation", "describe_stacks", code)).facts()


def test_without_credentials_it_says_where_they_come_from() -> None:
    with pytest.raises(CloudError, match=r"no credentials for AWS .* AWS_PROFILE"):
        open_cloud("shop", "eu-central-1", None, {}).facts()


def test_a_profile_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match=r"nobody.*see AWS_PROFILE"):
        open_cloud("shop", "eu-central-1", None, {})


def test_without_a_region_it_says_how_to_give_one() -> None:
    with pytest.raises(UsageError, match="no AWS region: give --region"):
        open_cloud("shop", None, None, {})


def test_a_region_that_is_none_is_named() -> None:
    with pytest.raises(CloudError, match="'eu central' doesn't match"):
        open_cloud("shop", "eu central", None, {}).facts()


@pytest.mark.parametrize(
    ("error", "kind", "line"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), CloudUnreachable, "AWS does not answer"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), CloudUnreachable, "AWS does not answer"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), CloudError, "no credentials"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), CloudError, "no credentials"),
        (exceptions.UnauthorizedSSOTokenError(), CloudError, "no credentials"),
        (exceptions.ParamValidationError(report="x"), CloudError, "AWS could not be asked"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_boto3_raises_is_said_in_words(error: Exception, kind: type[CliError], line: str) -> None:
    with pytest.raises(kind, match=line), told():
        raise error


def test_an_error_of_ours_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), told():
        raise ZeroDivisionError


def test_without_a_name_it_is_the_local_stack(tmp_path: Path) -> None:
    info = {
        "api_url": "http://127.0.0.1:1",
        "token": "t",
        "aws_endpoint_url": "http://127.0.0.1:2",
        "region": "us-east-1",
    }
    (tmp_path / "stack.json").write_text(json.dumps(info))
    local = open_cloud(None, None, tmp_path, {})
    assert (local.stack, local.api_url) == (LOCAL_STACK, "http://127.0.0.1:1")
    assert local.client("sqs").meta.endpoint_url == "http://127.0.0.1:2"


def test_a_stack_is_here_or_there() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        open_cloud("shop", None, Path(), {})


@pytest.mark.parametrize(("command", "code"), [(("health",), 3), (("dlq", "list"), 2), (("dlq", "redrive", "Q"), 2)])
def test_without_a_local_stack_it_says_how_to_come_to_one(command: tuple[str, ...], code: int, tmp_path: Path) -> None:
    ran = FakeApi({}).run(*command, "--data-dir", str(tmp_path))
    assert (ran.exit_code, ran.stdout) == (code, "")
    assert "no local stack runs" in ran.stderr
    assert "--stack" in ran.stderr


@pytest.mark.parametrize(("command", "code"), [("health", 3), ("dlq list", 2)])
def test_without_boto3_it_says_what_to_install(command: str, code: int) -> None:
    without = "import sys; sys.modules['boto3'] = None; from scrapersky_cli.main import main; main()"
    line = [sys.executable, "-c", without, *command.split(), "--stack", "shop"]
    ran = subprocess.run(line, capture_output=True, text=True)
    assert ran.returncode == code
    assert ran.stderr == (
        "error: AWS is asked with the package boto3; install it with: pip install 'scrapersky[aws]'"
        " (it comes with scrapersky[local], too)\n"
    )
