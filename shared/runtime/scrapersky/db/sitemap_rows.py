"""A sitemap's entries on their way into Postgres: each URL once, by its hash, as COPY's text or as JSON."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from scrapersky.db.sitemap_lines import Entry
from scrapersky.db.values import storable_text

MAX_LASTMOD_CHARS: Final = 64  # the longest W3C form has 35
MAX_CHANGEFREQ_CHARS: Final = 16  # the protocol's longest word has 7
MAX_COUNT: Final = 32_767  # pictures and the like of one URL, of which the protocol allows 1,000: a smallint

TimeOf = Callable[[str], datetime | None]

_NULL: Final = "\\N"
_NO_MEDIA: Final = "\t0\t0\t0\t0\n"
# What COPY's text format has a meaning for. https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED: Final = str.maketrans(_ESCAPES)


def hashed(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The entries by their URL's hash (as `url_hash`, in hexadecimal), the first of those that are alike."""
    found: dict[str, Entry] = {}
    try:
        for entry in entries:
            found.setdefault(sha256(entry[0].encode()).hexdigest()[:32], entry)
        urls = "".join([entry[0] for entry in found.values()])
    except UnicodeEncodeError:  # a lone surrogate
        urls = "\x00"
    if "\x00" in urls:
        return hashed([(storable_text(entry[0]), *entry[1:]) for entry in entries])
    return found


def as_copy(rows: Mapping[str, Entry], time_of: TimeOf) -> bytes:
    """The rows in COPY's text format: hash, URL, lastmod, its time, priority, changefreq and the four counts."""
    urls = "".join([entry[0] for entry in rows.values()])
    must_escape = any(special in urls for special in _ESCAPES)
    dates: dict[str | None, str] = {None: f"{_NULL}\t{_NULL}"}
    words: dict[tuple[str | None, str | None], str] = {}
    lines = []
    for key, (url, lastmod, changefreq, priority, images, videos, news, alternates) in rows.items():
        date = dates.get(lastmod)
        if date is None:
            date = dates[lastmod] = _date(lastmod or "", time_of)
        word = words.get((priority, changefreq))
        if word is None:
            word = words[priority, changefreq] = _words(priority, changefreq)
        if must_escape:
            url = url.translate(_ESCAPED)
        if images or videos or news or alternates:
            media = "".join([f"\t{min(count, MAX_COUNT)}" for count in (images, videos, news, alternates)]) + "\n"
        else:
            media = _NO_MEDIA
        lines.append(f"{key}\t{url}\t{date}\t{word}{media}")
    return "".join(lines).encode()


def as_json(rows: Mapping[str, Entry], time_of: TimeOf) -> list[dict[str, Any]]:
    """The same as objects, for a chunk that is too small for a table of its own."""
    found = []
    for key, (url, lastmod, changefreq, priority, images, videos, news, alternates) in rows.items():
        time = time_of(lastmod) if lastmod is not None else None
        found.append(
            {
                "url_hash": key,
                "url": url,
                "lastmod": lastmod and lastmod[:MAX_LASTMOD_CHARS],
                "lastmod_at": time and time.isoformat(),
                "priority": priority_of(priority),
                "changefreq": changefreq and changefreq[:MAX_CHANGEFREQ_CHARS],
                "image_count": min(images, MAX_COUNT),
                "video_count": min(videos, MAX_COUNT),
                "news_count": min(news, MAX_COUNT),
                "alternate_count": min(alternates, MAX_COUNT),
            }
        )
    return found


@lru_cache(maxsize=256)  # a site uses a handful
def priority_of(text: str | None) -> float | None:
    """A priority from 0.0 to 1.0 (sitemaps.org protocol); None when the text is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def _date(lastmod: str, time_of: TimeOf) -> str:
    time = time_of(lastmod)
    return f"{_text(lastmod[:MAX_LASTMOD_CHARS])}\t{time.isoformat() if time else _NULL}"


def _words(priority: str | None, changefreq: str | None) -> str:
    value = priority_of(priority)
    word = _NULL if changefreq is None else _text(changefreq[:MAX_CHANGEFREQ_CHARS])
    return f"{_NULL if value is None else value}\t{word}"


def _text(text: str) -> str:
    return storable_text(text).translate(_ESCAPED)
