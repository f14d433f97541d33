"""What the OpenAPI document says of an operation beyond its signature: answers, examples, problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from scrapersky.api import examples
from scrapersky.api.problems import CONTENT_TYPE

PROBLEM_REF = "#/components/schemas/Problem"
GATEWAY_REF = "#/components/schemas/GatewayMessage"
OF_EVERYTHING = (405, 500, 503)
OF_A_TOKEN = (401, 500, 503)
OF_A_BODY = (400, 403, 413, 415, 422)
OF_A_LIST = (*OF_A_TOKEN, 422)
OF_AN_ITEM = (*OF_A_LIST, 404)
OF_AN_ACTION = (*OF_AN_ITEM, *OF_A_BODY, 409)

_DESCRIPTIONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "Deleted",
    303: "To be fetched elsewhere",
    304: "Not modified",
}
_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
OF_ACCEPTED: Mapping[str, Any] = {
    "Location": {"description": "Where to ask how the work stands.", "schema": _TEXT, "required": True},
    "Retry-After": {"description": "Seconds to wait before asking.", "schema": _NUMBER, "required": True},
}
OF_CREATED: Mapping[str, Any] = {
    "Location": {"description": "The address of what was made.", "schema": _TEXT, "required": True}
}
OF_STATUS: Mapping[str, Any] = {
    "ETag": {"description": "For `If-None-Match`.", "schema": _TEXT, "required": True},
    "Retry-After": {"description": "Seconds to wait before asking again; absent once final.", "schema": _NUMBER},
}
OF_AN_ASSET: Mapping[str, Any] = {"ETag": {"description": "For `If-None-Match`.", "schema": _TEXT, "required": True}}
OF_ELSEWHERE: Mapping[str, Any] = {
    "Location": {
        "description": "Where the answer is for a few minutes. Ask there without the token.",
        "schema": _TEXT,
        "required": True,
    },
}
OF_PROBLEMS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to come in (RFC 6750).", "schema": _TEXT, "required": True}},
    405: {"Allow": {"description": "The methods that the path has.", "schema": _TEXT, "required": True}},
    415: {"Accept-Post": {"description": "The kind of body to send.", "schema": _TEXT, "required": True}},
    503: {"Retry-After": {"description": "Seconds to wait before asking again.", "schema": _NUMBER}},
}
# What API Gateway answers by itself, in its own form, which an HTTP API has no way to change: a body beyond its 10 MB,
# more requests than it is set to let through, a function that fails, and one that does not answer or is throttled.
OF_THE_GATEWAY: Mapping[int, str] = {
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def operation(
    name: str,
    summary: str,
    *,
    tag: str,
    content: Mapping[str, Any],
    description: str = "",
    status: int = 200,
    headers: Mapping[str, Any] | None = None,
    problems: Iterable[int] = (),
    conditional: bool = False,
    elsewhere: bool = False,
) -> dict[str, Any]:
    """Keyword arguments of a route decorator.

    `name` is the operationId, `content` the answer's (see `json_of`); `problems` come on top of those of every
    operation, `conditional` adds the 304, `elsewhere` the 303.
    """
    responses: dict[int, dict[str, Any]] = {
        status: {"description": _DESCRIPTIONS[status], "content": dict(content), "headers": dict(headers or {})}
    }
    if elsewhere:
        responses[303] = {"description": _DESCRIPTIONS[303], "content": {}, "headers": dict(OF_ELSEWHERE)}
    if conditional:
        responses[304] = {"description": _DESCRIPTIONS[304], "content": {}, "headers": {"ETag": OF_STATUS["ETag"]}}
    responses |= {failure: problem_response(failure) for failure in sorted({*OF_EVERYTHING, *problems})}
    return {
        "operation_id": name,
        "summary": summary,
        "description": description or None,
        "tags": [tag],
        "responses": responses,
    }


def json_of(model: type, example: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an answer that is one model."""
    return {"application/json": {"model": model, "examples": {"answer": {"value": example}}}}


def problem_response(status: int) -> dict[str, Any]:
    """A problem as an operation documents it."""
    example = examples.problem(status)
    content = {CONTENT_TYPE: {"schema": {"$ref": PROBLEM_REF}, "examples": {"problem": {"value": example}}}}
    if status in OF_THE_GATEWAY:
        content |= gateway_response(status)["content"]
    return {"description": example["title"], "content": content, "headers": dict(OF_PROBLEMS.get(status, {}))}


def gateway_response(status: int) -> dict[str, Any]:
    """What the gateway answers by itself, as the document describes it."""
    message = OF_THE_GATEWAY[status]
    example = {"gateway": {"value": {"message": message}}}
    return {
        "description": f"{message}: the gateway's own answer",
        "content": {"application/json": {"schema": {"$ref": GATEWAY_REF}, "examples": example}},
    }
