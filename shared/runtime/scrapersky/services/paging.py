"""Opaque cursors: where the next page of a list begins."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from scrapersky.domain.texts import UNSTORABLE
from scrapersky.errors import FieldError, Invalid


def encode(parts: Sequence[str]) -> str:
    """The cursor for the last row's sort key."""
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[str]:
    """The sort key in a cursor of ours, of `length` parts.

    Raises:
        Invalid: the cursor is none of ours.
    """
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid() from error
    if not isinstance(parts, list) or len(parts) != length or not all(_is_sound(part) for part in parts):
        raise invalid()
    return parts


def _is_sound(part: object) -> bool:
    """Whether it is a text that Postgres can hold; what we hand out always is."""
    return isinstance(part, str) and not UNSTORABLE.search(part)


def encode_time(time: datetime, identity: UUID) -> str:
    """The cursor of a list by time, newest first, whose last row this is."""
    return encode([time.isoformat(), str(identity)])


def decode_time(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Where a list by time goes on; (None, None) without a cursor.

    Raises:
        Invalid: the cursor is none of ours.
    """
    if cursor is None:
        return None, None
    time, identity = decode(cursor, 2)
    try:
        return datetime.fromisoformat(time), UUID(identity)
    except ValueError as error:
        raise invalid() from error


def invalid() -> Invalid:
    """The answer to a cursor that this service did not hand out."""
    return Invalid(
        "The cursor is not one of this list.",
        code="invalid_cursor",
        errors=[FieldError(("query", "cursor"), "not one of this list")],
    )
