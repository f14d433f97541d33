"""A look into a site's sitemap for pages, where the home page links to few. Not a scan of the sitemap.

Of one file the first addresses are taken, however it goes on.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from scrapersky.domain.sitemaps import SitemapType
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.sitemaps.reader import SitemapReader

MAX_URLS: Final = 500
"""Sitemaps name a site's pages before its thousands of articles and products, or in a file of their own."""

_SLICE_BYTES: Final = 16 * 1024  # some hundred addresses: not much is read in vain

_PAGES = ("page", "static", "main", "general")


def address(site: SiteUrls, named: Sequence[str]) -> str:
    """Where to look: the first of the site's own that robots.txt names, or the place where most sites have it."""
    own = [url for url in named if url.startswith(("https://", "http://")) and site.holds(url)]
    return next((url for url in own if _is_plain(url)), None) or f"{site.origin}/sitemap.xml"


def read(body: bytes) -> tuple[list[str], bool]:
    """(the first addresses, whether they are of further sitemaps). What is no sitemap has none."""
    reader = SitemapReader()
    urls: list[str] = []
    for start in range(0, len(body), _SLICE_BYTES):
        urls += [entry[0] for entry in reader.feed(body[start : start + _SLICE_BYTES])]
        if len(urls) >= MAX_URLS or reader.is_done:
            break
    else:
        urls += [entry[0] for entry in reader.close()]
    return urls[:MAX_URLS], reader.sitemap_type is SitemapType.INDEX


def child(urls: Sequence[str], site: SiteUrls) -> str | None:
    """Of an index's sitemaps, the one whose name speaks of pages, else the first."""
    own = [url for url in urls if url.startswith(("https://", "http://")) and site.holds(url) and _is_plain(url)]
    named = (url for url in own if any(word in urlsplit(url).path.rpartition("/")[2].lower() for word in _PAGES))
    return next(named, None) or next(iter(own), None)


def _is_plain(url: str) -> bool:
    return not urlsplit(url).path.lower().endswith(".gz")
