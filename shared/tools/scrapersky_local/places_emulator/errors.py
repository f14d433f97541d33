"""Errors in the form of Google's APIs: https://cloud.google.com/apis/design/errors"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the emulator: JSON, or `raw` in its place."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    delay: float = 0.0
    """Seconds before it is sent."""


class RefusedError(Exception):
    """A request that Google would not answer."""

    def __init__(self, code: int, status: str, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reply = Reply(code, error(code, status, message, reason))


def error(code: int, status: str, message: str, reason: str | None = None) -> dict[str, Any]:
    """The body of an error."""
    details: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
    }
    told: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": told | ({"details": [details]} if reason else {})}


def invalid(message: str) -> RefusedError:
    """A request that is not of the documented form."""
    return RefusedError(400, "INVALID_ARGUMENT", message)
