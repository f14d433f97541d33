"""Every error answer: RFC 9457 `application/problem+json`, the same shape from every function.

Only what was written for the caller is told. An unexpected exception is logged whole, and
answered with none of its text.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aws_lambda_powertools.event_handler import Response

from scrapersky.api.denials import DenialCode
from scrapersky.errors import FieldError, PlacesNotConfigured, ScraperSkyError, Unauthorized, Unavailable

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:scrapersky:"
RETRY_AFTER_SECONDS = 5  # for 503: a pooler or key server that restarts is back by then
MAX_ERRORS = 20  # a body can be wrong in a thousand fields, which helps nobody
MAX_LOC_CHARACTERS = 100  # a field that does not exist is named by the caller, at any length


class HttpError(ScraperSkyError):
    """An error of HTTP itself: what was asked for cannot even be handed to a service."""

    headers: Mapping[str, str] = MappingProxyType({})


class MalformedBody(HttpError):
    status, code, title = 400, "malformed_json", "Malformed body"


class MethodNotAllowed(HttpError):
    """The path exists, for the methods `allowed` (RFC 9110, 15.5.6)."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"{method} is not one of this path's methods: {methods}.")
        self.headers = {"Allow": methods}


class BodyTooLarge(HttpError):
    status, code, title = 413, "too_large", "Body too large"


class UnsupportedMediaType(HttpError):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"
    headers = MappingProxyType({"Accept-Post": "application/json"})


def denied(code: DenialCode) -> ScraperSkyError:
    """What a caller is told whose token was refused (401) or could not be checked (503)."""
    kind = Unavailable if code.is_ours else Unauthorized
    return kind(code.detail, code=code.value)


def problem(error: ScraperSkyError, request_id: str) -> Response[str]:
    """The answer to an error of ours. What stands in a 500 is for the log alone."""
    told = error.status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, Unavailable)
    document: dict[str, Any] = {
        "type": TYPE_PREFIX + (error.code if told else "internal"),
        "title": error.title if told else "Internal error",
        "status": error.status,
        "detail": error.detail if told else "Something went wrong on our side.",
        "code": error.code if told else "internal",
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [
            {"loc": [_part(part) for part in field.loc], "msg": field.msg} for field in error.errors[:MAX_ERRORS]
        ]
    return Response(
        status_code=error.status,
        content_type=CONTENT_TYPE,
        body=json.dumps(document),  # ASCII, so that no text of the caller's can fail to be encoded
        headers=_headers(error),
    )


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Pydantic's errors without its own words for kinds, inputs and links."""
    return [FieldError(_loc(*error["loc"]), error["msg"].removeprefix("Value error, ")) for error in errors]


def header_name(name: str) -> str:
    """A header's name as it is usually written: `If-None-Match`."""
    return "-".join(word.capitalize() for word in name.split("-"))


def _loc(place: str | int, *path: str | int) -> tuple[str | int, ...]:
    return (place, *(header_name(str(part)) for part in path)) if place == "header" else (place, *path)


def _part(part: str | int) -> str | int:
    return part[:MAX_LOC_CHARACTERS] if isinstance(part, str) else part


def _headers(error: ScraperSkyError) -> dict[str, str]:
    headers: dict[str, str] = dict(error.headers) if isinstance(error, HttpError) else {}
    if isinstance(error, Unauthorized):
        # RFC 6750, 3: no error code for a request that carried no token at all.
        missing = error.code == DenialCode.MISSING
        headers["WWW-Authenticate"] = "Bearer" if missing else 'Bearer error="invalid_token"'
    if isinstance(error, Unavailable) and not isinstance(error, PlacesNotConfigured):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return headers
