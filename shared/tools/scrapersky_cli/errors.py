"""What ends a command early. Each carries the exit code that a script sees.

CliError
├── UsageError        2  the command line or the configuration is wrong
└── ApiError          1
    ├── Refused          the API said no: a problem+json answer (RFC 9457)
    ├── Unreachable      nothing answered, also after the retries
    └── UnexpectedAnswer something answered, but not this API
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

T = TypeVar("T")

NOT_COMPLETE = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class CliError(Exception):
    """`message` is one line for people; it may hold text of the server and is cleaned when it is printed."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(CliError):
    exit_code = 2


class ApiError(CliError):
    pass


class Unreachable(ApiError):
    pass


class UnexpectedAnswer(ApiError):
    pass


class Refused(ApiError):
    """The API's own refusal. `code` is the stable slug of the problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code") or "")
        self.request_id = problem.get("request_id")
        super().__init__(_one_line(status, self.code, problem))


def of_either(first: Callable[[], T], second: Callable[[], T], *, neither: str) -> T:
    """What the first comes to or, when the API knows nothing of that kind by the id, the second.

    Raises Refused, with `neither` as its reason when it knows nothing of either kind.
    """
    try:
        return first()
    except Refused as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise
    try:
        return second()
    except Refused as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise
        problem = {"code": refusal.code, "detail": neither, "request_id": refusal.request_id}
        raise Refused(refusal.status, problem) from refusal


def _one_line(status: int, code: str, problem: Mapping[str, Any]) -> str:
    """`422 invalid: not as the API describes it (body.max_pages: is too large) [request 1-2-3]`."""
    detail = str(problem.get("detail") or problem.get("title") or "the API refused the request")
    line = f"{status} {code}: {detail}" if code else f"{status}: {detail}"
    errors = [error for error in problem.get("errors") or () if isinstance(error, Mapping)]
    if fields := [field for error in errors if (field := _field(error, detail))]:
        line += f" ({'; '.join(fields)})"
    if request_id := problem.get("request_id"):
        line += f" [request {request_id}]"
    return line


def _field(error: Mapping[str, Any], detail: str) -> str:
    """What `detail` does not say already of the field and of what is wrong with it."""
    loc, reason = error.get("loc"), str(error.get("msg") or "")
    path = [str(part) for part in loc] if isinstance(loc, list) else [str(loc or "")]
    name = ".".join(path)
    if reason and reason not in detail:
        return f"{name}: {reason}"
    return "" if path[-1:] and re.search(rf"\b{re.escape(path[-1])}\b", detail) else name
