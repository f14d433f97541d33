"""What the OpenAPI document says of an operation beyond its signature: answers, examples, problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from scrapersky.api import examples
from scrapersky.api.problems import CONTENT_TYPE

PROBLEM_REF = "#/components/schemas/Problem"
OF_A_TOKEN = (401, 500, 503)
OF_A_BODY = (400, 403, 413, 415, 422)
OF_A_LIST = (*OF_A_TOKEN, 422)
OF_AN_ITEM = (*OF_A_LIST, 404)
OF_AN_ACTION = (*OF_AN_ITEM, *OF_A_BODY, 409)

_DESCRIPTIONS = {200: "OK", 202: "Accepted", 303: "To be fetched elsewhere", 304: "Not modified"}
_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
OF_ACCEPTED: Mapping[str, Any] = {
    "Location": {"description": "Where to ask how the work stands.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before asking.", "schema": _NUMBER},
}
OF_STATUS: Mapping[str, Any] = {
    "ETag": {"description": "For `If-None-Match`.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before asking again; absent once final.", "schema": _NUMBER},
}
OF_ELSEWHERE: Mapping[str, Any] = {
    "Location": {
        "description": "Where the answer is for a few minutes. Ask there without the token.",
        "schema": _TEXT,
    },
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

    `name` is the operationId, `content` the answer's (see `json_of`); `problems` come on top of the 500 that
    nothing excludes, `conditional` adds the 304, `elsewhere` the 303.
    """
    responses: dict[int, dict[str, Any]] = {
        status: {"description": _DESCRIPTIONS[status], "content": dict(content), "headers": dict(headers or {})}
    }
    if elsewhere:
        responses[303] = {"description": _DESCRIPTIONS[303], "content": {}, "headers": dict(OF_ELSEWHERE)}
    if conditional:
        responses[304] = {"description": _DESCRIPTIONS[304], "content": {}}
    responses |= {failure: problem_response(failure) for failure in sorted({500, *problems})}
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
    return {
        "description": example["title"],
        "content": {
            CONTENT_TYPE: {"schema": {"$ref": PROBLEM_REF}, "examples": {"problem": {"value": example}}},
        },
    }
