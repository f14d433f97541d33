"""The words for sitemaps, the same in SQL, Python, OpenAPI and CLI.

Formats: https://www.sitemaps.org/protocol.html, RSS 2.0 (https://www.rssboard.org/rss-specification), Atom (RFC 4287).
"""

from enum import StrEnum
from typing import Final


class SitemapType(StrEnum):
    """What a file is, by its content and not by its name."""

    URLSET = "urlset"
    INDEX = "index"
    TEXT = "text"
    RSS = "rss"
    ATOM = "atom"


class DiscoveryMethod(StrEnum):
    """How a scan came to know of a file: the first of these, when several name it."""

    ROBOTS_TXT = "robots_txt"
    LINK_TAG = "link_tag"
    PAGE_LINK = "page_link"
    COMMON_PATH = "common_path"
    SITEMAP_INDEX = "sitemap_index"


class Truncation(StrEnum):
    """What a file, or a whole scan, was cut by."""

    BYTES = "bytes"
    URLS = "urls"
    FILES = "files"
    DEPTH = "depth"
    SECONDS = "seconds"


class Change(StrEnum):
    """What became of a URL since the read of its file before."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # another lastmod


MAX_DEPTH: Final = 5
"""Indexes above a file. The protocol knows one, and real sites have two."""

MAX_FILES: Final = 10_000
"""Files of one scan: a list of them, its rows and its messages stay small. The protocol's one index has up to 50,000,
which is more URLs than a scan may store."""

MAX_LANES: Final = 2
"""Workers at one site at a time: what a scan of pages allows itself as well."""
