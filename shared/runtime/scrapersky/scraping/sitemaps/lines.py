"""A plain list of URLs, one a line (https://www.sitemaps.org/protocol.html#otherformats)."""

import re
from typing import Final

from scrapersky.domain.sitemaps import SitemapType
from scrapersky.scraping.sitemaps.entry import MAX_URL_CHARS, Entry, Totals, is_usable_url

_MAX_LINE: Final = 2 * MAX_URL_CHARS  # with white space around it; nobody needs the rest of a longer one
_ENDS = re.compile(r"[\r\n]+")


def begins_list(head: str) -> bool:
    """Whether the first line that is not empty is a URL."""
    return is_usable_url(head.lstrip()[: _MAX_LINE + 1].splitlines()[0].strip()) if head.strip() else False


class Lines:
    """Reads the list as it comes: CR, LF or both end a line."""

    type = SitemapType.TEXT
    error = None
    is_broken = False
    is_over = False

    def __init__(self, entries: list[Entry], totals: Totals) -> None:
        self._entries = entries
        self._totals = totals
        self._rest = ""

    def feed(self, text: str) -> None:
        *lines, rest = _ENDS.split(self._rest + text)
        self._rest = rest if len(rest) <= _MAX_LINE else rest[: _MAX_LINE + 1]
        for line in lines:
            self._take(line)

    def close(self, is_whole: bool) -> None:
        """The last line needs no end, but one that was cut would be another URL."""
        if is_whole:
            self._take(self._rest)

    def _take(self, line: str) -> None:
        url = line.strip("\ufeff \t\v\f\0") if len(line) <= _MAX_LINE else line
        if is_usable_url(url):
            self._entries.append((url, None, None, None, 0, 0, 0, 0))
        elif url:
            self._totals.skipped += 1
