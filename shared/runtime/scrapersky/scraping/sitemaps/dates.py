"""When something was last modified: the date forms of sitemaps (W3C) and of RSS (RFC 822), as texts and as times."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

MIN_YEAR: Final = 1970
"""Before it no computer's clock runs: such years are how programs write "never" (0001 .NET, 1899 OLE)."""

CACHED: Final = 16_384
"""Texts whose times are remembered. Files repeat few of them, and what stores a chunk asks again for its rows."""

# The mistakes that are common enough to be understood: a space for the T, small letters, a comma before the fraction, a
# zone without its colon or minutes, or as a word; a time without seconds or zone is read as UTC.
_W3C = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"
    r" ?(?:[Zz]|UTC|GMT|([+-])(\d\d)(?::?(\d\d))?)?)?)?)?",
    re.ASCII,
)
_COMMON_CHARS: Final = frozenset({10, 20, 25})  # a day, or to the second with Z or a zone: read in C
_MAX_CHARS: Final = 48  # the longest that the expression takes is shorter
_MAX_RFC_822_CHARS: Final = 64


@lru_cache(CACHED)
def lastmod_time(text: str) -> datetime | None:
    """The time in UTC that a lastmod tells, None for what is none. A year, month or day begins at midnight UTC.

    The forms are those of https://www.w3.org/TR/NOTE-datetime and the common mistakes in them.
    """
    if len(text) in _COMMON_CHARS and text[4] == text[7] == "-" and text[10:11] in ("T", ""):
        # What it refuses here is none of the forms, or one with a mistake; of those lengths it takes no others.
        try:
            time = datetime.fromisoformat(text)
            if time.tzinfo is not UTC:
                time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
        else:
            return time if time.year >= MIN_YEAR else None
    match = _W3C.fullmatch(text) if len(text) <= _MAX_CHARS else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = match.groups()
    if int(year) < MIN_YEAR:
        return None
    try:
        zone = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
        return datetime(
            *(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0)),
            int((fraction or "")[:6].ljust(6, "0")),
            timezone(-zone if sign == "-" else zone),
        ).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, hour or zone; a time in UTC beyond the year 9999
        return None


def lastmod_text(text: str) -> str | None:
    """A lastmod as published, None for what tells no time."""
    return text if text and lastmod_time(text) else None


def feed_date(text: str) -> str | None:
    """A feed's date as a lastmod: Atom's is one (RFC 4287 3.3), RSS has that of e-mail (RFC 822, RFC 5322 3.3)."""
    if not text or lastmod_time(text):
        return text or None
    if len(text) > _MAX_RFC_822_CHARS:
        return None
    try:
        time = parsedate_to_datetime(text)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)  # `-0000`: a time in UTC, from a place not told
        return lastmod_text(time.isoformat())
    except (ValueError, OverflowError, TypeError, IndexError):  # whatever its arithmetic meets in a broken date
        return None
