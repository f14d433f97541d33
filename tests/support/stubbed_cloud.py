"""A deployed stack as CloudFormation tells it, and boto3 clients that answer from a list instead of from AWS."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from botocore.stub import Stubber

from scrapersky_cli.cloud import Cloud

STACK = "shop"
REGION = "eu-central-1"
API_URL = "https://api.example"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _session() -> Any:
    """One for all: it is what keeps the services' descriptions, which take long to read."""
    return boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=REGION)


def client(service: str) -> Any:
    """A client with credentials of its own, for a Stubber or for moto."""
    return _session().client(service)


def stubbed(service: str, *answers: tuple[str, Mapping[str, Any]]) -> Any:
    """A client whose calls are these operations with these answers, in this order."""
    made = client(service)
    stubber = Stubber(made)
    for operation, answer in answers:
        stubber.add_response(operation, answer)
    stubber.activate()
    return made


def refusing(service: str, operation: str, code: str, message: str = "no") -> Any:
    """A client whose one call is refused."""
    made = client(service)
    stubber = Stubber(made)
    stubber.add_client_error(operation, code, message)
    stubber.activate()
    return made


def cloudformation(resources: Mapping[str, tuple[str, str]], *, api_url: str | None = API_URL) -> Any:
    """The stack with these resources: `{logical id: (type, physical id)}`, told on two pages."""
    outputs = [{"OutputKey": "ApiUrl", "OutputValue": api_url}] if api_url else []
    told = [
        {
            "LogicalResourceId": name,
            "PhysicalResourceId": physical,
            "ResourceType": kind,
            "LastUpdatedTimestamp": CREATED,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for name, (kind, physical) in resources.items()
    ]
    stack = {"StackName": STACK, "CreationTime": CREATED, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}
    return stubbed(
        "cloudformation",
        ("describe_stacks", {"Stacks": [stack]}),
        ("list_stack_resources", {"StackResourceSummaries": told[:1], "NextToken": "more"}),
        ("list_stack_resources", {"StackResourceSummaries": told[1:]}),
    )


def cloud(**clients: Any) -> Cloud:
    """The stack on AWS with these clients, by service."""
    return Cloud(STACK, clients.__getitem__, REGION)


def opened(made: Cloud) -> Callable[..., Cloud]:
    """In place of `open_cloud`."""
    return lambda *_arguments: made
