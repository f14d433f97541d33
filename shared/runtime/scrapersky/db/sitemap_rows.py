"""A sitemap's entries on their way into Postgres: each URL once, by its hash, as COPY's bytes or as JSON."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from struct import pack
from typing import Any, Final

from scrapersky.db.sitemap_lines import Entry
from scrapersky.db.values import storable_text

MAX_LASTMOD_CHARS: Final = 64  # the longest W3C form has 35
MAX_CHANGEFREQ_CHARS: Final = 16  # the protocol's longest word has 7
MAX_COUNT: Final = 32_767  # pictures and the like of one URL, of which the protocol allows 1,000: a smallint

TimeOf = Callable[[str], datetime | None]

# COPY's binary format, which costs the server a third of what texts do: for each row the number of its fields, for each
# field its length and bytes. https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_ROW: Final = pack("!hi", 10, 16)  # its fields, and the length of the first: the hash
_NO_MEDIA: Final = pack("!ihihihih", 2, 0, 2, 0, 2, 0, 2, 0)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  # of timestamps as the server keeps them, in microseconds
_MICROSECOND: Final = timedelta(microseconds=1)


def hashed(entries: Sequence[Entry]) -> dict[bytes, Entry]:
    """The entries by their URL's hash (the bytes of `url_hash`), the first of those that are alike."""
    found: dict[bytes, Entry] = {}
    try:
        for entry in entries:
            found.setdefault(sha256(entry[0].encode()).digest()[:16], entry)
        urls = "".join([entry[0] for entry in found.values()])
    except UnicodeEncodeError:  # a lone surrogate
        urls = "\x00"
    if "\x00" in urls:
        return hashed([(storable_text(entry[0]), *entry[1:]) for entry in entries])
    return found


def as_copy(rows: Mapping[bytes, Entry], time_of: TimeOf) -> bytes:
    """The rows in COPY's binary format: hash, URL, lastmod, its time, priority, changefreq and the four counts."""
    dates: dict[str | None, bytes] = {None: _NULL + _NULL}
    words: dict[tuple[str | None, str | None], bytes] = {}
    lengths: dict[int, bytes] = {}
    parts = [_HEADER]
    for key, (url, lastmod, changefreq, priority, images, videos, news, alternates) in rows.items():
        date = dates.get(lastmod)
        if date is None:
            date = dates[lastmod] = _date(lastmod or "", time_of)
        word = words.get((priority, changefreq))
        if word is None:
            word = words[priority, changefreq] = _words(priority, changefreq)
        text = url.encode()
        length = lengths.get(len(text))
        if length is None:
            length = lengths[len(text)] = pack("!i", len(text))
        media = _NO_MEDIA
        if images or videos or news or alternates:
            media = b"".join([pack("!ih", 2, min(count, MAX_COUNT)) for count in (images, videos, news, alternates)])
        parts += (_ROW, key, length, text, date, word, media)
    parts.append(_TRAILER)
    return b"".join(parts)


def as_json(rows: Mapping[bytes, Entry], time_of: TimeOf) -> list[dict[str, Any]]:
    """The same as objects, for a chunk that is too small for a table of its own."""
    found = []
    for key, (url, lastmod, changefreq, priority, images, videos, news, alternates) in rows.items():
        time = time_of(lastmod) if lastmod is not None else None
        found.append(
            {
                "url_hash": key.hex(),
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


def _date(lastmod: str, time_of: TimeOf) -> bytes:
    time = time_of(lastmod)
    stamp = _NULL if time is None else pack("!iq", 8, (time - _EPOCH) // _MICROSECOND)
    return _text(lastmod[:MAX_LASTMOD_CHARS]) + stamp


def _words(priority: str | None, changefreq: str | None) -> bytes:
    value = priority_of(priority)
    word = _NULL if changefreq is None else _text(changefreq[:MAX_CHANGEFREQ_CHARS])
    return (_NULL if value is None else pack("!if", 4, value)) + word


def _text(text: str) -> bytes:
    data = storable_text(text).encode()
    return pack("!i", len(data)) + data
