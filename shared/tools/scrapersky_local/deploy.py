"""Puts template.yaml on the local AWS, as `sam deploy` would, and makes it serve."""

import json
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from scrapersky_cli.cloud import LOCAL_STACK
from scrapersky_local import template as reading
from scrapersky_local.aws import Aws
from scrapersky_local.lambda_host import package
from scrapersky_local.processes import StackError

STACK = LOCAL_STACK
_BUCKET = "scrapersky-code"
_DEPLOY_SECONDS = 60.0
_FINAL = ("COMPLETE", "FAILED")


class Deployment:
    """One deployment of the template in `root` to a running `aws`."""

    def __init__(self, aws: Aws, root: Path) -> None:
        self._aws = aws
        self._root = root
        self._template = reading.read(root / "template.yaml")
        self._cloudformation = aws.client("cloudformation")
        self._functions: dict[str, str] = {}
        self._secrets: dict[str, str] = {}
        self._api_id = ""

    def create_secrets(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Put strings into Secrets Manager; the ARN of each name."""
        manager = self._aws.client("secretsmanager")
        return {
            name: manager.create_secret(Name=f"{STACK}/{name}", SecretString=text)["ARN"]
            for name, text in secrets.items()
        }

    def create_stack(self, parameters: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """Upload the files and create every resource. StackError tells the first one that failed.

        `variables` are what functions are told in place of what the template says, where they are told it at all.
        """
        template = reading.for_engine(self._template, self._upload_files(), parameters, variables)
        body = json.dumps(template).encode()
        self._cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=self._upload("template.json", body),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._wait()
        listed = self._cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        made = [(one["ResourceType"], one["LogicalResourceId"], one["PhysicalResourceId"]) for one in listed]
        self._functions = {logical: physical for kind, logical, physical in made if kind == "AWS::Lambda::Function"}
        self._secrets = {logical: arn for kind, logical, arn in made if kind == "AWS::SecretsManager::Secret"}
        self._api_id = next(physical for kind, _, physical in made if kind == reading.HTTP_API)

    def set_secret(self, logical_id: str, text: str) -> None:
        """Give a secret of the template, which is drawn with every start of the engine, the text that it has here."""
        self._aws.client("secretsmanager").put_secret_value(SecretId=self._secrets[logical_id], SecretString=text)

    def invoke(self, function: str) -> None:
        """Run a function by its logical id and wait for its end. StackError carries its error."""
        answer = self._aws.client("lambda").invoke(FunctionName=self._functions[function], Payload=b"{}")
        if "FunctionError" in answer:
            error = json.loads(answer["Payload"].read())
            raise StackError(f"{function} failed: {error.get('errorType')}: {error.get('errorMessage')}")

    def open_routes(self) -> None:
        """Make the routes of the HTTP API's OpenAPI body, and open its address; until then that answers 503."""
        processed = self._cloudformation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
        body = reading.api_body(json.loads(processed) if isinstance(processed, str) else processed)
        gateway = self._aws.client("apigatewayv2")
        authorizers = {one.name: self._create_authorizer(gateway, one) for one in reading.authorizers(body)}
        routes = reading.routes(body)
        integrations = {
            key: self._create_integration(gateway, *key)
            for key in dict.fromkeys((route.function, route.payload_format_version) for route in routes)
        }
        for route in routes:
            guard = {"AuthorizationType": "CUSTOM", "AuthorizerId": authorizers.get(route.authorizer or "")}
            gateway.create_route(
                ApiId=self._api_id,
                RouteKey=route.key,
                Target=f"integrations/{integrations[route.function, route.payload_format_version]}",
                **(guard if route.authorizer else {}),
            )
        self._aws.open_api(self._api_id)

    def _upload_files(self) -> Callable[[str], str]:
        """Upload all packages and definitions; the function that tells the S3 URL of a logical id's."""
        self._aws.client("s3").create_bucket(Bucket=_BUCKET)
        layers = reading.code_folders(self._template, reading.LAYER, self._root)
        functions = reading.code_folders(self._template, reading.FUNCTION, self._root)
        packages = {name: package(folder, list(layers.values())) for name, folder in functions.items()}
        packages |= {name: _archive(folder.glob("*.txt")) for name, folder in layers.items()}
        for name, content in (packages | reading.definitions(self._template, self._root)).items():
            self._upload(name, content)
        return lambda name: f"s3://{_BUCKET}/{name}"

    def _upload(self, key: str, content: bytes) -> str:
        self._aws.client("s3").put_object(Bucket=_BUCKET, Key=key, Body=content)
        return f"{self._aws.endpoint_url}/{_BUCKET}/{key}"

    def _wait(self) -> None:
        deadline = time.monotonic() + _DEPLOY_SECONDS
        while True:
            status = self._cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
            if status == "CREATE_COMPLETE":
                return
            if status.endswith(_FINAL) or time.monotonic() > deadline:
                raise StackError(f"the template could not be deployed ({status}): {self._reason()}")
            time.sleep(0.1)

    def _reason(self) -> str:
        events: Iterable[Mapping[str, Any]] = self._cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        first = failed[-1] if failed else {}
        return (
            f"{first.get('LogicalResourceId', 'no resource')}: {first.get('ResourceStatusReason', 'no reason given')}"
        )

    def _create_authorizer(self, gateway: Any, authorizer: reading.Authorizer) -> str:
        answer = gateway.create_authorizer(
            ApiId=self._api_id,
            Name=authorizer.name,
            AuthorizerType="REQUEST",
            AuthorizerUri=self._invocation_arn(authorizer.function),
            AuthorizerPayloadFormatVersion=authorizer.payload_format_version,
            EnableSimpleResponses=authorizer.simple_responses,
            IdentitySource=list(authorizer.identity_source),
            AuthorizerResultTtlInSeconds=authorizer.ttl_seconds,
        )
        return str(answer["AuthorizerId"])

    def _create_integration(self, gateway: Any, function: str, payload_format_version: str) -> str:
        answer = gateway.create_integration(
            ApiId=self._api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=self._invocation_arn(function),
            PayloadFormatVersion=payload_format_version,
        )
        return str(answer["IntegrationId"])

    def _invocation_arn(self, function: str) -> str:
        configuration = self._aws.client("lambda").get_function_configuration(FunctionName=self._functions[function])
        arn: str = configuration["FunctionArn"]
        region = arn.split(":")[3]
        return f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"


def _archive(files: Iterable[Path]) -> bytes:
    """A zip of files, flat."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return buffer.getvalue()
