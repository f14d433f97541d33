"""Reads a sitemap of any format while its bytes come: what it is, is told by its bytes and not by its name.

Formats: https://www.sitemaps.org/protocol.html, RSS 2.0 (https://www.rssboard.org/rss-specification), Atom (RFC 4287).
"""

import codecs
import hashlib
from collections.abc import Iterator
from typing import Final

from scrapersky.domain.sitemaps import SitemapType, Truncation
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.sitemaps import encodings, gunzip, sniff
from scrapersky.scraping.sitemaps.entry import Entry, Totals
from scrapersky.scraping.sitemaps.lines import Lines, begins_list
from scrapersky.scraping.sitemaps.markup import Markup

MAX_BYTES: Final = 256 * 1024 * 1024
"""One file after decompression. The protocol allows 50 MiB; real ones of 50,000 long URLs with their pictures and
languages have twice that."""

HEAD_BYTES: Final = 4096
"""How much is waited for before it is decided what a file is."""

SLICE_BYTES: Final = 64 * 1024
"""What is read at a time, however much is handed over at once: all that is kept is as small as this."""

_BLANK: Final = "\ufeff \t\r\n\v\f"


class SitemapReader:
    """Takes the bytes of one file and gives its entries. Never raises, whatever the bytes are.

    `error` tells why a file is no sitemap, or none that is read. `is_partial`: the file itself ends early or is broken,
    and what came before is what was given. `truncated_by`: it was cut here. `bytes` are those after decompression,
    `sha256` is of those that were fed. A relative URL of an index or an Atom feed is resolved against `url`.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, content_type: str = "", url: str = "") -> None:
        self.is_gzip = False
        self.is_partial = False
        self.truncated_by: Truncation | None = None
        self.error: tuple[ErrorCode, str] | None = None
        self.is_done = False
        self.bytes = 0
        self._max_bytes = max_bytes
        self._content_type = content_type
        self._url = url
        self._hash = hashlib.sha256()
        self._first = b""
        self._gunzip: gunzip.Gunzip | None = None
        self._is_begun = False
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._body: Markup | Lines | None = None
        self._entries: list[Entry] = []
        self._totals = Totals()

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that these bytes complete."""
        if not self.is_done:
            self._hash.update(data)
            for start in range(0, len(data), SLICE_BYTES):
                self._inflate(data[start : start + SLICE_BYTES])
                if self.is_done:
                    break
        return self._taken()

    def close(self, *, is_cut: bool = False, cut_by: Truncation | None = None) -> list[Entry]:
        """The last entries, when no more bytes come. `is_cut`: they broke off, so that the file is not whole.

        `cut_by`: the rest was not asked for, which says nothing about the file.
        """
        if not self.is_done:
            self.truncated_by = cut_by
            is_cut = is_cut or cut_by is not None
            self._inflate(b"", is_last=True)
            if self._gunzip and not self.is_done:
                self._gunzip.close()
                is_cut = is_cut or self._gunzip.fault is not None
            self._end(is_whole=not is_cut)
        return self._taken()

    @property
    def sitemap_type(self) -> SitemapType | None:
        """What the file is; None as long as that is not known, and for one that is no sitemap."""
        return self._body.type if self._body else None

    @property
    def sha256(self) -> "bytes":
        return self._hash.digest()

    @property
    def skipped_count(self) -> int:
        """Entries without a usable URL."""
        return self._totals.skipped

    @property
    def has_lastmod(self) -> bool:
        return self._totals.has_lastmod

    @property
    def has_changefreq(self) -> bool:
        return self._totals.has_changefreq

    @property
    def has_priority(self) -> bool:
        return self._totals.has_priority

    @property
    def image_count(self) -> int:
        return self._totals.extras[0]

    @property
    def video_count(self) -> int:
        return self._totals.extras[1]

    @property
    def news_count(self) -> int:
        return self._totals.extras[2]

    @property
    def alternate_count(self) -> int:
        return self._totals.extras[3]

    def _taken(self) -> list[Entry]:
        entries = self._entries[:]
        self._entries.clear()
        self._totals.look_at(entries)
        return entries

    def _inflate(self, data: "bytes", is_last: bool = False) -> None:
        if not self._is_begun:
            self._first += data
            if len(self._first) < len(gunzip.MAGIC) and not is_last:
                return
            self._is_begun = True
            data, self._first = self._first, b""
            if data.startswith(gunzip.MAGIC):
                self.is_gzip = True
                self._gunzip = gunzip.Gunzip()
        for piece in self._gunzip.feed(data) if self._gunzip else _pieces(data):
            self._count(piece)
            if self.is_done:
                return
        if self._gunzip and self._gunzip.fault:
            self._end(is_whole=False)

    def _count(self, piece: "bytes") -> None:
        room = self._max_bytes - self.bytes
        self.bytes += min(len(piece), room)
        self._decode(piece[:room])
        if len(piece) > room and not self.is_done:
            self.truncated_by = Truncation.BYTES
            self._end(is_whole=False)

    def _decode(self, piece: "bytes") -> None:
        if self._decoder is None:
            self._head += piece
            if len(self._head) < HEAD_BYTES:
                return
            self._begin()
        else:
            self._read(self._decoder.decode(piece))

    def _begin(self) -> None:
        """Decide by the head what the file is."""
        head, self._head = self._head, b""
        kind = sniff.binary_kind(head)
        if kind:
            return self._refuse(kind)
        try:
            self._decoder = encodings.decoder_for(head, self._content_type)
        except encodings.UnknownEncodingError as error:
            return self._refuse(str(error))
        text = self._decoder.decode(head).lstrip(_BLANK)
        if text.startswith("<"):
            self._body = Markup(self._entries, self._totals, text[:HEAD_BYTES], self._url)
        elif begins_list(text):
            self._body = Lines(self._entries, self._totals)
        else:
            return self._refuse(sniff.text_kind(text, self._content_type))
        return self._read(text)

    def _read(self, text: str) -> None:
        if self._body is None:
            return
        self._body.feed(text)
        self._look_at(self._body)

    def _look_at(self, body: Markup | Lines) -> None:
        """Take what the format's reader says of the file."""
        self.error = body.error
        self.is_partial = body.is_broken and not self.error
        self.is_done = self.is_done or bool(body.error or body.is_over)

    def _end(self, is_whole: bool) -> None:
        """No more bytes: what there is, is all."""
        if self._decoder is None and not self.is_done:
            self._begin()
        if self._body and self._decoder and not self.is_done:
            was_broken = self._body.is_broken
            self._body.feed(self._decoder.decode(b"", True) if is_whole else "")
            self._body.close(is_whole)
            self._look_at(self._body)
            if not is_whole and not self.error:
                self.is_partial = was_broken or not self.truncated_by
        self.is_done = True
        if self._gunzip and self._gunzip.fault and self.sitemap_type is None:
            self._refuse(self._gunzip.fault)

    def _refuse(self, message: str) -> None:
        self.error = (ErrorCode.INVALID_SITEMAP, message)
        self.is_done = True


def _pieces(data: bytes) -> Iterator[bytes]:
    yield data


def looks_like_sitemap(first: bytes, content_type: str = "") -> bool:
    """Whether the first bytes of an answer are those of a sitemap, gzip or not: some kilobytes tell."""
    reader = SitemapReader(content_type=content_type)
    reader.feed(first)
    reader.close(is_cut=True)
    return reader.sitemap_type is not None and reader.error is None
