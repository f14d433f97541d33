"""Reads one claimed sitemap: fetches it as a stream, parses what arrives, stores it in chunks as they fill.

Nothing of a file is held but the chunk that fills, and nothing is open in the database while the network is waited for.
What is due meanwhile, a chunk of a slow file or a renewal of the leases, is done when the fetch asks whether to go on.

What it comes to     it is then
Read                 to be written down as read, whole or not
NotModified          the same as at the last whole read
Failure              to be written down as failed
Left.ENDED           final already: it turned out to be another file of the job
Left.LOST            cancelled or taken over: nothing is to be written any more
Left.UNDONE          to be given back: the invocation's time is over, and a new one has enough for it
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from scrapersky.db import sitemap_store, sitemap_work
from scrapersky.db.sitemap_lines import Address, Child, Failure, Known, Line, Read
from scrapersky.domain.sitemaps import MAX_FILES, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import NO_HEADERS, FetchFailure, Streamed
from scrapersky.scraping.limits import SITEMAP_LIMITS
from scrapersky.scraping.politeness import MAX_PAUSE_SECONDS, fits
from scrapersky.scraping.sitemaps.declared import MAX_ELSEWHERE, bare_host, is_of_site
from scrapersky.scraping.sitemaps.entry import Entry, lastmod_time
from scrapersky.scraping.sitemaps.reader import SitemapReader
from scrapersky.scraping.visit import Visit
from scrapersky.services.shared_database import SharedDatabase

CHUNK_ROWS: Final = 10_000
"""Entries of a chunk: some 4 MB, and a transaction of a fifth of a second. Larger ones are hardly cheaper a row."""

FLUSH_SECONDS: Final = 1.0
"""How long an entry waits for its chunk to fill: what a slow file names is there to be read while it is being read."""

RENEW_SECONDS: Final = 5.0
"""How soon a cancelled job's lane stops while nothing comes that is to be stored. Every chunk renews the leases too."""

GZIP_PIECE: Final = 4 * 1024
"""What is inflated at a time: deflate makes up to a thousand times of it (zlib, "Maximum Compression Factor")."""


class Left(Enum):
    """How the reading of a file ended without anything to be written down."""

    ENDED = "ended"
    LOST = "lost"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class NotModified:
    """The site says that the file is what it was at its last whole read."""

    status_code: int
    wire_bytes: int
    ms: int


Outcome = Read | NotModified | Failure | Left


@dataclass(frozen=True, slots=True)
class Terms:
    """What a lane may take: `deadline` is of `time.monotonic()`; `is_last` says that nobody goes on after it."""

    lease: timedelta
    deadline: float
    file_seconds: float
    is_last: bool

    @property
    def renew_seconds(self) -> float:
        return min(RENEW_SECONDS, self.lease.total_seconds() / 3)


class Watch:
    """What is done while a fetch waits, whenever it asks whether to go on; `step` says whether it is still wanted."""

    def __init__(self, step: Callable[[], bool]) -> None:
        self.is_lost = False
        self._step = step
        self._broken: Exception | None = None

    def should_stop(self) -> bool:
        """Never raises: within the fetch nobody expects it. `close` does, when the fetch has ended."""
        if not self.is_lost and self._broken is None:
            try:
                self.is_lost = not self._step()
            except Exception as error:
                self._broken = error
        return self.is_lost or self._broken is not None

    def close(self) -> None:
        """Raise what a step raised."""
        if self._broken is not None:
            raise self._broken


class Reading:
    """The reading of one file. `watch.should_stop` is to be asked by the fetch, several times a second."""

    def __init__(self, db: SharedDatabase, line: Line, terms: Terms) -> None:
        self.line = line
        self.watch = Watch(self._step)
        self.stored = line.url_count
        self._db = db
        self._host = bare_host(line.url)
        self._terms = terms
        self._reader = SitemapReader()
        self._rows: list[Entry] = []
        self._children: dict[str, Child] = {}
        self._flush_at: float | None = None
        self._renew_at = time.monotonic() + self._terms.renew_seconds
        self._is_held = True
        self._has_room = True
        self._cut_by: Truncation | None = None

    def _step(self) -> bool:
        now = time.monotonic()
        if self._flush_at is not None and now >= self._flush_at:
            self._flush()
        elif now >= self._renew_at:
            self._is_held = sitemap_work.renew(self._db, self.line, lease=self._terms.lease)
            self._renew_at = time.monotonic() + self._terms.renew_seconds
        return self._is_held

    def run(self, visit: Visit) -> Outcome:
        """Read the file to its end, or to where it is cut.

        Raises:
            Unavailable: the database did not answer; what was stored stays, and the rest is read by who comes next.
        """
        wait = visit.wait_for(self.line.url)
        if not self._terms.is_last and wait <= MAX_PAUSE_SECONDS and not fits(wait, self._terms.deadline):
            return Left.UNDONE  # the host is left alone for that long, and then another lane asks it
        limits = replace(SITEMAP_LIMITS, seconds=self._terms.file_seconds)
        headers = _conditional(self.line.known)
        with visit.stream(self.line.url, limits=limits, headers=headers, permit=self._permit) as answer:
            outcome = self._failed(answer) if isinstance(answer, FetchFailure) else self._read(answer)
        self.watch.close()
        return outcome if self._is_held else Left.LOST

    def _permit(self, url: str) -> FetchFailure | None:
        """Asked for the file and each of its redirects: leading to others counts as naming them."""
        if self.line.position <= MAX_ELSEWHERE or is_of_site(url, self.line.domain, (self._host,)):
            return None
        return FetchFailure(url, ErrorCode.OFF_SITE, "it leads to another site", 0, datetime.now(UTC))

    def _failed(self, answer: FetchFailure) -> Outcome:
        if answer.code is ErrorCode.TIMEOUT and self._is_out_of_time():
            return Left.UNDONE
        return Failure(answer.code, answer.message, answer.status_code, answer.wire_bytes, ms=answer.ms)

    def _read(self, answer: Streamed) -> Outcome:
        is_unchanged = answer.status_code == 304 and self.line.known is not None
        if not (is_unchanged or 200 <= answer.status_code < 300):
            return self._failure(answer, ErrorCode.HTTP_ERROR, f"it answered with status {answer.status_code}")
        address = sitemap_work.address(self._db, self.line, answer.url)
        if address is not Address.OWN:
            return Left.LOST if address is Address.LOST else Left.ENDED
        if is_unchanged:
            return NotModified(answer.status_code, answer.wire_bytes, answer.ms)
        self._reader = SitemapReader(content_type=answer.headers.get("content-type", ""), url=answer.url)
        self._host = bare_host(answer.url)
        for piece in _small_pieces(answer.chunks(), self._reader):
            self._take(self._reader.feed(piece))
            if self._reader.is_done or self._cut_by is not None or self.watch.should_stop():
                break
        return Left.LOST if self.watch.should_stop() else self._end(answer)

    def _take(self, entries: list[Entry]) -> None:
        if not entries:
            return
        if self._reader.sitemap_type is SitemapType.INDEX:
            for url, *_ in entries:
                if url not in self._children:
                    self._children[url] = self._child(url)
            if len(self._children) > MAX_FILES:
                self._cut_by = Truncation.FILES
            return
        if not self._rows:
            self._flush_at = time.monotonic() + FLUSH_SECONDS
        self._rows.extend(entries)
        if len(self._rows) >= CHUNK_ROWS or not self._has_room:
            self._flush()

    def _child(self, url: str) -> Child:
        """An index that could name any file of the web would make a scanner of one site a fetcher of all others."""
        if is_of_site(url, self.line.domain, (self._host,)):
            return Child(url)
        return Child(url, (ErrorCode.OFF_SITE, "the index that names it is of another site"))

    def _flush(self) -> None:
        """Store the rows, and know then whether the file is still this lane's and whether there is room for more."""
        self._flush_at = None
        while self._rows and self._is_held and self._cut_by is None:
            rows, self._rows = self._rows[:CHUNK_ROWS], self._rows[CHUNK_ROWS:]
            stored = self._db.call(
                sitemap_store.store_chunk, self.line, rows, time_of=lastmod_time, lease=self._terms.lease
            )
            self._is_held = stored.held
            self.stored = stored.url_count
            self._has_room = stored.room > 0
            if stored.cut:
                self._cut_by = Truncation.URLS
        self._renew_at = time.monotonic() + self._terms.renew_seconds

    def _end(self, answer: Streamed) -> Outcome:
        """What the file came to, now that no more of it comes."""
        failure = answer.failure
        is_undone = failure is not None and failure.code is ErrorCode.TIMEOUT and self._is_out_of_time()
        was_refused = self._reader.error is not None
        self._take(self._reader.close(is_cut=failure is not None, cut_by=self._cut_by or _cut_of(failure)))
        if self._rows:
            self._flush()
        if not self._is_held:
            return Left.LOST
        if is_undone:
            return Left.UNDONE
        if failure is not None and self._reader.sitemap_type is None and not was_refused:
            # Too little came to tell what it is: the beginning of a word or of a gzip file is no broken one.
            return self._failure(answer, failure.code, failure.message)
        if self._reader.error is not None and not (self.stored or self._children):  # else what came before is kept
            return self._failure(answer, *self._reader.error)
        if self._reader.sitemap_type is None:
            return self._failure(answer, ErrorCode.INVALID_SITEMAP, "it is no sitemap")
        return self._result(answer, self._reader.sitemap_type)

    def _result(self, answer: Streamed, sitemap_type: SitemapType) -> Read:
        reader = self._reader
        cut_by = self._cut_by or reader.truncated_by or _cut_of(answer.failure)
        return Read(
            sitemap_type,
            status_code=answer.status_code,
            is_gzip=reader.is_gzip,
            is_partial=reader.is_partial or bool(reader.error) or (answer.failure is not None and cut_by is None),
            skipped_count=reader.skipped_count,
            has_lastmod=reader.has_lastmod,
            has_priority=reader.has_priority,
            has_changefreq=reader.has_changefreq,
            image_count=reader.image_count,
            video_count=reader.video_count,
            news_count=reader.news_count,
            alternate_count=reader.alternate_count,
            etag=answer.headers.get("etag"),
            last_modified=answer.headers.get("last-modified"),
            sha256=reader.sha256,
            truncated_by=cut_by,
            truncated_at=self._place(answer) if cut_by else None,
            wire_bytes=answer.wire_bytes,
            bytes=reader.bytes,
            ms=answer.ms,
            children=tuple(self._children.values()),
        )

    def _place(self, answer: Streamed) -> str:
        what = f"{len(self._children)} files" if self._children else f"{self.stored} URLs"
        return f"after {what}, {self._reader.bytes} bytes and {answer.ms / 1000:.0f} seconds"

    def _failure(self, answer: Streamed, code: ErrorCode, message: str) -> Failure:
        return Failure(code, message, answer.status_code, answer.wire_bytes, self._reader.bytes, answer.ms)

    def _is_out_of_time(self) -> bool:
        """Whether it was the lane's time that ended the fetch, and another lane may do better."""
        return not self._terms.is_last and time.monotonic() >= self._terms.deadline


def _conditional(known: Known | None) -> Mapping[str, str]:
    """The headers that ask for the file only if it is another than at its last whole read (RFC 9110 13.1)."""
    if known is None:
        return NO_HEADERS
    asked = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in asked.items() if value}


def _small_pieces(pieces: Iterator[bytes], reader: SitemapReader) -> Iterator[bytes]:
    """The pieces, in smaller ones when each may inflate to a thousand times as much."""
    is_first = True
    for piece in pieces:
        if is_first or reader.is_gzip:
            is_first = False
            for start in range(0, len(piece), GZIP_PIECE):
                yield piece[start : start + GZIP_PIECE]
        else:
            yield piece


def _cut_of(failure: FetchFailure | None) -> Truncation | None:
    """What our own limits cut the fetch by; None when it is whole, or ended early through no limit."""
    if failure is None:
        return None
    return {ErrorCode.TOO_LARGE: Truncation.BYTES, ErrorCode.TIMEOUT: Truncation.SECONDS}.get(failure.code)
