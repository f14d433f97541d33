"""One entry of a sitemap, and what may stand in it (https://www.sitemaps.org/protocol.html)."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from scrapersky.scraping.sitemaps.dates import CACHED, lastmod_time

__all__ = ["MAX_COUNT", "MAX_URL_CHARS", "Entry", "Remembered", "Totals", "is_usable_url", "lastmod_time"]

Entry = tuple[str, str | None, str | None, str | None, int, int, int, int]
"""(url, lastmod, changefreq, priority, images, videos, news, alternates): texts as published, without what is no date,
none of the protocol's words (in small letters) or no number from 0 to 1. A plain tuple: there are 50,000 in a file."""

MAX_URL_CHARS: Final = 2048
"""The protocol's bound of a URL."""

MAX_COUNT: Final = 32_767
"""Pictures and the like of one entry that are told: the largest smallint. The extensions allow 1,000."""

T = TypeVar("T")

# No control character (C0, DEL, C1) stands in it: none is part of a URL, and in a log or a header it is a trap.
_URL = re.compile(r"https?://[^/?#\[\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*", re.IGNORECASE)
_PRIORITY = re.compile(r"0?\.\d{1,12}|0\.?|1(?:\.0{0,12})?", re.ASCII)
_CHANGEFREQS: Final = frozenset({"always", "hourly", "daily", "weekly", "monthly", "yearly", "never"})


def is_usable_url(url: str) -> bool:
    """Whether it is an absolute http or https URL within the protocol's length. Hosts in brackets (IPv6) are none."""
    return len(url) <= MAX_URL_CHARS and _URL.fullmatch(url) is not None


def changefreq_text(text: str) -> str | None:
    """One of the protocol's seven words, in small letters."""
    word = text.lower()
    return word if word in _CHANGEFREQS else None


def priority_text(text: str) -> str | None:
    """A number from 0.0 to 1.0, as written."""
    return text if _PRIORITY.fullmatch(text) else None


class Remembered(dict[str, T]):
    """What a function makes of texts, worked out once for those that repeat: `remembered[text]` is a look-up in C."""

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: str) -> T:
        if len(self) >= CACHED:
            self.clear()
        self[text] = value = self._function(text.strip())
        return value


class Totals:
    """What the entries of one file had, and how many were no use."""

    __slots__ = ("extras", "has_changefreq", "has_lastmod", "has_priority", "skipped")

    def __init__(self) -> None:
        self.has_lastmod = self.has_changefreq = self.has_priority = False
        self.skipped = 0
        self.extras = [0, 0, 0, 0]
        """Images, videos, news and alternates."""

    def look_at(self, entries: list[Entry]) -> None:
        """Note which fields there are."""
        self.has_lastmod = self.has_lastmod or any(entry[1] for entry in entries)
        self.has_changefreq = self.has_changefreq or any(entry[2] for entry in entries)
        self.has_priority = self.has_priority or any(entry[3] for entry in entries)
