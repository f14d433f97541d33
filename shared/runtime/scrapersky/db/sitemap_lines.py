"""The shapes of a sitemap scan's work: a job as its lanes see it, a claimed file, what a read of it brought.

A line is a row of `sitemap_files`: one file in one scan. Every write of a line locks its job's row first, so that the
lanes of a job write one after the other, and carries two tokens: the job's and the line's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from scrapersky.domain.sitemaps import DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import ErrorCode, JobStatus

Entry = tuple[str, str | None, str | None, str | None, int, int, int, int]
"""(url, lastmod, changefreq, priority, images, videos, news, alternates), as the reader gives them."""


def url_hash(url: str) -> UUID:
    """What a URL is unique by: the first 16 bytes of its sha256."""
    return UUID(bytes=sha256(url.encode("utf-8", "replace")).digest()[:16])


@dataclass(frozen=True, slots=True)
class Site:
    """A job as its lanes see it: whoever leads it and whoever joins works under `run_token`."""

    tenant_id: UUID
    job_id: UUID
    domain: str
    request: Mapping[str, Any]
    status: JobStatus
    run_token: UUID | None  # of the claim that holds the job; None when none does
    batch_id: UUID | None
    correlation_id: str
    discovery: Mapping[str, Any] | None  # what `add` was told; None: not discovered yet

    @property
    def max_pages(self) -> int:
        return int(self.request["max_pages"])


@dataclass(frozen=True, slots=True)
class Known:
    """The last whole read of a file, which a new one may ask about: what it says is stored, and nothing else is."""

    sitemap_type: SitemapType
    url_count: int
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A claimed file. `read_at` tells this read from others and stays the same when it is resumed."""

    tenant_id: UUID
    job_id: UUID
    run_token: UUID
    token: UUID
    id: UUID
    sitemap_id: int
    domain: str
    url: str
    depth: int
    position: int
    discovery_method: DiscoveryMethod
    attempt: int
    read_at: datetime
    url_count: int  # stored by this read before it was resumed
    known: Known | None  # None: ask for the whole file
    max_pages: int
    is_first: bool = False  # most likely nothing of it is stored yet, by whatever read


class Address(StrEnum):
    """What a file's final address says of it."""

    OWN = "own"
    DUPLICATE = "duplicate"  # another file of the job: this one has ended and is not listed
    LOST = "lost"  # cancelled or taken over


@dataclass(frozen=True, slots=True)
class Turn:
    """What a job's lane finds when it asks for the next file, or has ended one.

    `held`: the tokens were valid; False: cancelled or taken over, and nothing was written.
    `line`: the file that was claimed, when one was asked for and claimable.
    `open`: files that are neither ended nor given up, the claimed one included.
    `room`: URLs that the job may still store.
    `ended`: how the job ended, when nothing is left of it; None: it goes on.
    `ended_here`: it was this call that ended it. Every other lane finds it ended, and has nothing to tell of it.
    `given_back`: it waits for whoever comes next, and so nobody holds it.
    """

    held: bool
    line: Line | None
    open: int
    room: int
    ended: JobStatus | None
    ended_here: bool = False
    given_back: bool = False


@dataclass(frozen=True, slots=True)
class Child:
    """A file that an index names; with `error` (code, message) it is listed as failed and never fetched."""

    url: str
    error: tuple[ErrorCode, str] | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading a file to its end, or to where it was cut. The counts of URLs follow from what is stored."""

    sitemap_type: SitemapType
    status_code: int | None = None
    is_gzip: bool = False
    is_partial: bool = False
    skipped_count: int = 0
    has_lastmod: bool = False
    has_priority: bool = False
    has_changefreq: bool = False
    image_count: int = 0
    video_count: int = 0
    news_count: int = 0
    alternate_count: int = 0
    etag: str | None = None
    last_modified: str | None = None
    sha256: bytes | None = None
    truncated_by: Truncation | None = None
    truncated_at: str | None = None
    wire_bytes: int = 0
    bytes: int = 0
    ms: int = 0
    children: Sequence[Child] = ()

    @property
    def is_whole(self) -> bool:
        """Whether what it does not name is gone."""
        return not self.is_partial and self.truncated_by is None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file could not be read, and how far that got."""

    code: ErrorCode
    message: str
    status_code: int | None = None
    wire_bytes: int = 0
    bytes: int = 0
    ms: int = 0
