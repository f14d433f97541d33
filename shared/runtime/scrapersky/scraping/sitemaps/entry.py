"""One entry of a sitemap, and what may stand in it (https://www.sitemaps.org/protocol.html)."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from scrapersky.scraping.sitemaps.dates import CACHED, lastmod_text, lastmod_time

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
_URL = re.compile(r"https?://[^/?#\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*", re.IGNORECASE)
_PRIORITY = re.compile(r"0?\.\d{1,12}|0\.?|1(?:\.0{0,12})?", re.ASCII)
_CHANGEFREQS: Final = frozenset({"always", "hourly", "daily", "weekly", "monthly", "yearly", "never"})


def is_usable_url(url: str) -> bool:
    """Whether it is an absolute http or https URL within the protocol's length."""
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
    """What the entries of one file had, and those that were no use."""

    __slots__ = ("alternates", "has_changefreq", "has_lastmod", "has_priority", "images", "news", "skipped", "videos")

    def __init__(self) -> None:
        self.has_lastmod = self.has_changefreq = self.has_priority = False
        self.skipped = self.images = self.videos = self.news = self.alternates = 0


class Fields:
    """The readers of an entry's texts, with what they remember of one file."""

    __slots__ = ("changefreqs", "lastmods", "priorities")

    def __init__(self, lastmod: Callable[[str], str | None] = lastmod_text) -> None:
        self.lastmods = Remembered(lastmod)
        self.changefreqs = Remembered(changefreq_text)
        self.priorities = Remembered(priority_text)
