"""Why Google refused a request, read off its error: https://cloud.google.com/apis/design/errors

Of what Google writes only its own fixed words are passed on (`INVALID_ARGUMENT`, `API_KEY_INVALID`). Its messages are
for people and may repeat what was sent.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from scrapersky.domain.status import ErrorCode
from scrapersky.places.asks import Ask, PlacesFailure, TextSearchAsk

_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_KEY_REASONS: Final = re.compile(r"API_KEY_\w+|CREDENTIALS_MISSING|SERVICE_DISABLED|BILLING_DISABLED|CONSUMER_\w+")
_UNAUTHORIZED: Final = frozenset({401, 403})


def refusal(ask: Ask, status_code: int, headers: Mapping[str, str], body: bytes) -> PlacesFailure:
    """The failure that an answer other than 200 is."""
    status, reason = _words(body)
    said = f" ({reason or status})" if reason or status else ""
    retry_after = _seconds(headers.get("retry-after", ""))
    if status_code in _UNAUTHORIZED or (reason and _KEY_REASONS.fullmatch(reason)):
        return PlacesFailure(ErrorCode.INVALID_KEY, f"Google refuses the key{said}", False, status_code)
    if status_code == 429:
        return PlacesFailure(
            ErrorCode.QUOTA_EXCEEDED, f"Google's quota is used up{said}", True, status_code, retry_after
        )
    if status_code >= 500:
        message = f"Google answered with status {status_code}{said}"
        return PlacesFailure(ErrorCode.UPSTREAM_ERROR, message, True, status_code, retry_after)
    if status_code == 400 and isinstance(ask, TextSearchAsk) and ask.has_token:
        return PlacesFailure(ErrorCode.PAGE_TOKEN_EXPIRED, f"Google refuses the page token{said}", False, status_code)
    message = f"Google refuses the request with status {status_code}{said}"
    return PlacesFailure(ErrorCode.REQUEST_REFUSED, message, False, status_code)


def _words(body: bytes) -> tuple[str | None, str | None]:
    """(`error.status`, the first `error.details[].reason`), where they are words."""
    try:
        error = json.loads(body)["error"]
        details = error.get("details", [])
        reasons = [detail.get("reason") for detail in details]
        return _word(error.get("status")), next((word for reason in reasons if (word := _word(reason))), None)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None, None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
