"""A look into a site's sitemap for pages, where the home page links to few. Not a scan of the sitemap.

Format: https://www.sitemaps.org/protocol.html. Of one file the first addresses are taken, however it goes on.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit
from xml.parsers import expat

from scrapersky.scraping.page_urls import SiteUrls

MAX_URLS: Final = 500
"""Sitemaps name a site's pages before its thousands of articles and products, or in a file of their own."""

MAX_DEPTH: Final = 10
"""An index is four elements deep; anything deeper is none of the format."""

_PAGES = ("page", "static", "main", "general")


class _EnoughError(Exception):
    """What was read is all that is needed, or no sitemap."""


class _Reader:
    """Collects the text of each `loc`. An entity is refused: the format has no use for one of its own."""

    def __init__(self) -> None:
        self.is_index = False
        self.urls: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, _: dict[str, str]) -> None:
        self._open.append(name.rpartition(":")[2].lower())
        if len(self._open) > MAX_DEPTH:
            raise _EnoughError
        self.is_index = self.is_index or self._open[-1] == "sitemapindex"
        self._text.clear()

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, _: str) -> None:
        # `image:loc` and the like name pictures; their parent is neither of these two.
        if self._open[-2:] in (["url", "loc"], ["sitemap", "loc"]):
            self.urls.append("".join(self._text).strip())
            if len(self.urls) >= MAX_URLS:
                raise _EnoughError
        self._open.pop()
        self._text.clear()

    def refuse(self, *_: object) -> None:
        raise _EnoughError


def address(site: SiteUrls, named: Sequence[str]) -> str:
    """Where to look: the first of the site's own that robots.txt names, or the place where most sites have it."""
    own = [url for url in named if url.startswith(("https://", "http://")) and site.holds(url)]
    return next((url for url in own if _is_plain(url)), None) or f"{site.origin}/sitemap.xml"


def read(body: bytes) -> tuple[list[str], bool]:
    """(the first addresses, whether they are of further sitemaps). What is no sitemap has none."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = reader.refuse
    with suppress(_EnoughError, expat.ExpatError, ValueError, LookupError):  # what was read before stands
        parser.Parse(body, False)  # the file may have been cut
    return reader.urls, reader.is_index


def child(urls: Sequence[str], site: SiteUrls) -> str | None:
    """Of an index's sitemaps, the one whose name speaks of pages, else the first."""
    own = [url for url in urls if url.startswith(("https://", "http://")) and site.holds(url) and _is_plain(url)]
    named = (url for url in own if any(word in urlsplit(url).path.rpartition("/")[2].lower() for word in _PAGES))
    return next(named, None) or next(iter(own), None)


def _is_plain(url: str) -> bool:
    return not urlsplit(url).path.lower().endswith(".gz")
