"""Reading a whole sitemap in a test, in one piece or in any others."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

from scrapersky.scraping.sitemaps.entry import Entry
from scrapersky.scraping.sitemaps.reader import SitemapReader

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def read(body: bytes, pieces: Iterable[bytes] = (), **options: Any) -> tuple[list[Entry], SitemapReader]:
    """The entries, and the reader with what it says of the file."""
    reader = SitemapReader(**options)
    entries: list[Entry] = []
    for piece in pieces or (body,):
        entries += reader.feed(piece)
    entries += reader.close()
    return entries, reader


def outcome(entries: list[Entry], reader: SitemapReader) -> dict[str, Any]:
    """Everything that is said of a file; how many bytes were looked at, only of one that was read to its end."""
    names = (
        *(("bytes", "sha256") if not (reader.is_partial or reader.error) else ()),
        *("sitemap_type", "is_gzip", "is_partial", "is_done", "error", "truncated_by"),
        *("skipped_count", "has_lastmod", "has_changefreq", "has_priority"),
        *("image_count", "video_count", "news_count", "alternate_count"),
    )
    return {"entries": entries} | {name: getattr(reader, name) for name in names}


def at_random(body: bytes, rng: random.Random, longest: int) -> Iterator[bytes]:
    """The body in pieces of up to so many bytes."""
    start = 0
    while start < len(body):
        end = start + rng.randint(1, longest)
        yield body[start:end]
        start = end


def urls(body: str | bytes, **options: Any) -> list[str]:
    """The addresses alone."""
    return [entry[0] for entry in read(body if isinstance(body, bytes) else body.encode(), **options)[0]]


def urlset(*entries: str, root: str = f"urlset {NAMESPACE}") -> str:
    return f"<{root}>{''.join(f'<url>{entry}</url>' for entry in entries)}</{root.split()[0]}>"
