"""Requests as the HTTP API hands them to a function (payload 2.0), and the answers taken apart."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from scrapersky_local.openapi import FUNCTIONS, load_function

REQUEST_ID = "JKJaXmPLvHcESHA="
TENANT = UUID("11111111-1111-4111-8111-111111111111")
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


@dataclass
class Context:
    """What Lambda tells a function of itself, as far as anything here reads it."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


@dataclass(frozen=True)
class Answered:
    """An answer, with header names in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def event(
    method: str,
    target: str,
    *,
    json_body: Any = None,
    body: str | None = None,
    tenant_id: UUID | None = TENANT,
    headers: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
    route_key: str | None = None,
    base64: bool = False,
) -> dict[str, Any]:
    """A request. `target` is path and query; `tenant_id` None stands for an authorizer that said nothing."""
    parts = urlsplit(target)
    text = json.dumps(json_body) if json_body is not None else body
    sent = {"host": "api.example", "x-forwarded-proto": "https", **(headers or {})}
    if text is not None:
        sent.setdefault("content-type", "application/json")
    context = authorizer if authorizer is not None else {"tenant_id": str(tenant_id), "sub": "user-1", "exp": 2**31}
    request: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key or f"{method} {parts.path}",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": sent,
        "requestContext": {
            "domainName": "abc123.execute-api.eu-central-1.amazonaws.com",
            "http": {"method": method, "path": parts.path},
            "requestId": REQUEST_ID,
            "stage": "$default",
        },
        "isBase64Encoded": base64,
    }
    if tenant_id is not None or authorizer is not None:
        request["requestContext"]["authorizer"] = {"lambda": dict(context)}
    if parts.query:
        request["queryStringParameters"] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if text is not None:
        request["body"] = text
    return request


def call(handler: Handler, method: str, target: str, **request: Any) -> Answered:
    """Hand a request to a function and take its answer apart."""
    answer = handler(event(method, target, **request), Context())
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Answered(answer["statusCode"], headers, answer["body"])


def function(name: str) -> ModuleType:
    """A function's module, loaded anew."""
    return load_function(FUNCTIONS / name)
