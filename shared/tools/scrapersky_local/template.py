"""Reading template.yaml for the local AWS: pure functions over the template as a dictionary.

The local engine creates the template's resources from the template itself, but for two things: files (code and state
machines, which it takes from S3) and the HTTP API's routes, which it does not read out of the API's OpenAPI body.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from scrapersky_local.lambda_host import RUNTIME
from scrapersky_local.processes import StackError

Template = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
STATE_MACHINE = "AWS::Serverless::StateMachine"
HTTP_API = "AWS::ApiGatewayV2::Api"
_FILES = {FUNCTION: "CodeUri", LAYER: "ContentUri", STATE_MACHINE: "DefinitionUri"}

_FUNCTION_ARN = re.compile(r"\$\{(\w+)\.Arn\}")


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer of an HTTP API. `function` is a logical id."""

    name: str
    function: str
    payload_format_version: str
    simple_responses: bool
    identity_source: tuple[str, ...]
    ttl_seconds: int


@dataclass(frozen=True, slots=True)
class Route:
    """A route of an HTTP API: its key (`GET /health`, `$default`), its function's logical id, its authorizer's name."""

    key: str
    function: str
    payload_format_version: str
    authorizer: str | None


def read(path: Path) -> Template:
    """The template with short intrinsics (`!Ref x`) in their long form."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise StackError(f"no template at {path}: the local stack runs from a checkout of the repository") from error
    template: Template = yaml_parse(text)
    return template


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Logical ids and properties of the resources of one type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def code_folders(template: Template, kind: str, root: Path) -> dict[str, Path]:
    """The folders with the code of all functions or layers, by logical id. StackError names one that is missing."""
    folders = {name: root / properties[_FILES[kind]] for name, properties in resources(template, kind).items()}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise StackError(f"{name} of the template wants the folder {folder}, which does not exist")
    return folders


def definitions(template: Template, root: Path) -> dict[str, bytes]:
    """The definitions of all state machines, by logical id. StackError names one that is missing."""
    found = {}
    for name, properties in resources(template, STATE_MACHINE).items():
        path = root / properties[_FILES[STATE_MACHINE]]
        try:
            found[name] = path.read_bytes()
        except FileNotFoundError as error:
            raise StackError(f"{name} of the template wants the file {path}, which does not exist") from error
    return found


def for_engine(
    template: Template,
    file_url: Callable[[str], str],
    parameters: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
) -> Template:
    """The template as the local engine is to deploy it; `file_url` gives the S3 URL of a logical id's file.

    `variables` stand in for what the template tells functions of an address that is another one here.
    Numbers among the parameters are put in place, since the engine hands them on as text where AWS makes numbers of it.
    """
    numbers = {
        name: int(parameters.get(name, declared.get("Default")))
        for name, declared in template.get("Parameters", {}).items()
        if declared["Type"] == "Number"
    }
    local = copy.deepcopy(template)
    local["Globals"]["Function"]["Runtime"] = RUNTIME
    for kind, uri in _FILES.items():
        for name, properties in resources(local, kind).items():
            properties[uri] = file_url(name)
    for properties in resources(local, FUNCTION).values():
        told = properties.get("Environment", {}).get("Variables", {})
        told |= {name: text for name, text in (variables or {}).items() if name in told}
    for section in ("Conditions", "Globals", "Resources"):
        local[section] = _with_numbers(local.get(section, {}), numbers)
    return local


def _with_numbers(value: Any, numbers: Mapping[str, int]) -> Any:
    """The value with every reference to a number replaced by it, but for environment variables, which are all text."""
    if isinstance(value, Mapping):
        if len(value) == 1 and value.get("Ref") in numbers:
            return numbers[value["Ref"]]
        return {key: item if key == "Variables" else _with_numbers(item, numbers) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item, numbers) for item in value]
    return value


def api_body(processed: Template) -> dict[str, Any]:
    """The OpenAPI body of the one HTTP API in a template that SAM has expanded."""
    bodies = [properties["Body"] for properties in resources(processed, HTTP_API).values()]
    if len(bodies) != 1:
        raise StackError(f"the template must have one HTTP API, it has {len(bodies)}")
    body: dict[str, Any] = bodies[0]
    return body


def authorizers(body: Mapping[str, Any]) -> list[Authorizer]:
    """The Lambda authorizers among the body's security schemes."""
    schemes = body.get("components", {}).get("securitySchemes", {})
    return [
        _authorizer(name, scheme["x-amazon-apigateway-authorizer"])
        for name, scheme in schemes.items()
        if "x-amazon-apigateway-authorizer" in scheme
    ]


def routes(body: Mapping[str, Any]) -> list[Route]:
    """Every path and method of the body."""
    return [
        _route(path, method, operation)
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def _authorizer(name: str, settings: Mapping[str, Any]) -> Authorizer:
    sources = settings.get("identitySource", [])
    if isinstance(sources, str):
        sources = sources.split(",")
    return Authorizer(
        name=name,
        function=_function_of(settings["authorizerUri"]),
        payload_format_version=str(settings["authorizerPayloadFormatVersion"]),
        simple_responses=bool(settings.get("enableSimpleResponses", False)),
        identity_source=tuple(source.strip() for source in sources),
        ttl_seconds=int(settings.get("authorizerResultTtlInSeconds", 0)),
    )


def _route(path: str, method: str, operation: Mapping[str, Any]) -> Route:
    integration = operation["x-amazon-apigateway-integration"]
    named = [name for requirement in operation.get("security", []) for name in requirement if name != "NONE"]
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    return Route(
        key="$default" if path in ("$default", "/$default") else f"{verb} {path}",
        function=_function_of(integration["uri"]),
        payload_format_version=str(integration["payloadFormatVersion"]),
        authorizer=named[0] if named else None,
    )


def _function_of(uri: Any) -> str:
    """The logical id of the function whose ARN a URI holds, as `${Id.Arn}` or as `Fn::GetAtt: [Id, Arn]`."""
    for value in _values(uri):
        if isinstance(value, str) and (found := _FUNCTION_ARN.search(value)):
            return found[1]
        if isinstance(value, Mapping) and "Fn::GetAtt" in value:
            return str(value["Fn::GetAtt"][0])
    raise StackError(f"no function in the API's integration {uri!r}")


def _values(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        yield from _values(child)
