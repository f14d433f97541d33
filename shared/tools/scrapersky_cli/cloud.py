"""The AWS account, or the local stack's AWS services, as the commands for operators see a deployed stack.

Credentials, region and profile are what every AWS tool takes them from (AWS_PROFILE, AWS_DEFAULT_REGION, ~/.aws …).
boto3 is an extra that a mere client of the API does not have, so it is imported when such a command runs.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scrapersky_cli import config
from scrapersky_cli.errors import CliError, UsageError

LOCAL_STACK = "scrapersky"  # the name under which the local stack deploys the template
LOCAL_PLACE = "the local stack"
_INSTALL = "pip install 'scrapersky[aws]'"
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_LOCAL_KEY = "test"  # the local services take any

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


class CloudError(CliError):
    """AWS said no, in words for people."""


class CloudUnreachable(CloudError):
    """Nothing answered where AWS should."""


class NotRunning(UsageError):
    """There is a local stack, and it was stopped."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What CloudFormation made: its type, its id in the template, and its own."""

    kind: str
    logical_id: str
    physical_id: str


@dataclass(frozen=True, slots=True)
class StackFacts:
    """A deployed stack: where its API answers, since when there is a stack, and what it consists of."""

    api_url: str
    created_at: datetime
    resources: tuple[Resource, ...]

    def of_kind(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.kind == kind]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A stack's name, and clients of the services that it runs on. `api_url` is told for the local stack alone."""

    stack: str
    client: Callable[[str], Any]
    where: str
    api_url: str | None = None

    def facts(self) -> StackFacts:
        """What CloudFormation knows of the stack.

        Raises:
            CloudError: there is no such stack, or it has no output ApiUrl.
        """
        cloudformation = self.client("cloudformation")
        with told():
            try:
                stack = cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]
            except cloudformation.exceptions.ClientError as error:
                if _code(error) == "ValidationError" and "does not exist" in str(error):
                    raise CloudError(f"there is no stack {self.stack} in {self.where}") from error
                raise
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.stack)
            found = [one for page in pages for one in page["StackResourceSummaries"]]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs") or ()}
        if "ApiUrl" not in outputs:
            raise CloudError(
                f"the stack {self.stack} in {self.where} has no output ApiUrl: it is none of this template"
            )
        return StackFacts(
            api_url=self.api_url or outputs["ApiUrl"],
            created_at=utc(stack["CreationTime"]),
            resources=tuple(
                Resource(one["ResourceType"], one["LogicalResourceId"], one["PhysicalResourceId"])
                for one in found
                if one.get("PhysicalResourceId")
            ),
        )


def open_cloud(stack: str | None, region: str | None, data_dir: Path | None, environ: Mapping[str, str]) -> Cloud:
    """The stack of that name on AWS; without a name, the local stack that runs.

    Raises:
        NotRunning: the local stack was stopped.
        UsageError: no local stack, no boto3, no region, or a profile that there is not.
    """
    if stack is not None and data_dir is not None:
        raise UsageError("--stack is on AWS and --data-dir on this machine: give one of them")
    boto3 = _import("boto3")
    settings: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _ANSWER_SECONDS}
    if stack is None:
        folder = config.stack_dir(data_dir, environ)
        if not (folder / config.STACK_FILE).exists():
            if (folder / config.SECRETS_FILE).exists():
                raise NotRunning(f"the local stack in {folder} does not run: start it with `scrapersky up`")
            raise UsageError(
                f"no local stack runs (there is no {folder / config.STACK_FILE}): start one with `scrapersky up`, "
                "or name one on AWS with --stack"
            )
        info = config.read_stack_file(folder)
        alone = _import("botocore.config").Config(**settings, retries={"total_max_attempts": 1}, proxies={})
        session = boto3.Session(aws_access_key_id=_LOCAL_KEY, aws_secret_access_key=_LOCAL_KEY, region_name=info.region)
        return Cloud(
            LOCAL_STACK,
            lambda name: session.client(name, endpoint_url=info.aws_endpoint_url, config=alone),
            LOCAL_PLACE,
            info.api_url,
        )
    with told():
        session = boto3.Session(region_name=region)
    if not session.region_name:
        raise UsageError("no AWS region: give --region, or set AWS_DEFAULT_REGION")
    retrying = _import("botocore.config").Config(**settings, retries={"mode": "standard"})

    def client(name: str) -> Any:
        with told():  # a region is looked at when a client is made
            return session.client(name, config=retrying)

    return Cloud(stack, client, str(session.region_name))


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What boto3 raises in the block, as a CloudError or a UsageError that says what to do."""
    errors = _import("botocore.exceptions")
    try:
        yield
    except errors.ClientError as error:
        raise CloudError(_refusal(error)) from error
    except errors.ProfileNotFound as error:
        raise UsageError(f"{error}; see AWS_PROFILE") from error
    except (
        errors.NoCredentialsError,
        errors.PartialCredentialsError,
        errors.CredentialRetrievalError,
        errors.TokenRetrievalError,
        errors.SSOError,
        errors.UnauthorizedSSOTokenError,
    ) as error:
        raise CloudError(
            f"no credentials for AWS ({error}): set AWS_PROFILE, or sign in as for every other AWS tool"
        ) from error
    except (errors.ConnectionError, errors.HTTPClientError) as error:  # could not be made, or broke
        raise CloudUnreachable(f"AWS does not answer: {error}") from error
    except errors.BotoCoreError as error:
        raise CloudError(f"AWS could not be asked: {error}") from error


def utc(value: datetime) -> datetime:
    """The time in UTC; one without a zone is in it already."""
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _refusal(error: Any) -> str:
    code, operation = _code(error), error.operation_name
    reason = error.response.get("Error", {}).get("Message") or code
    if code in _DENIED:
        return f"not permitted: {operation} ({reason})"
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept the credentials: {code} ({reason})"
    return f"AWS refused {operation}: {code} ({reason})"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code") or "")


def _import(module: str) -> Any:
    """A module of boto3. Raises UsageError, saying how to install it, where it is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"AWS is asked with the package boto3; install it with: {_INSTALL} (it comes with scrapersky[local], too)"
        ) from error
