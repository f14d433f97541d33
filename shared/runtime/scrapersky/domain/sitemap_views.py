"""What a tenant sees of its sitemap scans: files, what they name, what changed in them, and a site as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from scrapersky.domain.jobs import JobError
from scrapersky.domain.sitemaps import Change, DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import JobStatus
from scrapersky.domain.url_templates import Template

URL_COLUMNS: Final = (
    *("url", "lastmod", "changefreq", "priority", "sitemap_url", "first_seen", "last_seen"),
    *("image_count", "video_count", "news_count", "alternate_count"),
)
"""What an exported line says of a URL, in this order."""

CHANGE_FREQUENCIES: Final = ("always", "hourly", "daily", "weekly", "monthly", "yearly", "never")
"""The words of the protocol: https://www.sitemaps.org/protocol.html#xmlTagDefinitions"""


class UrlState(StrEnum):
    """Which of a file's URLs to show."""

    PRESENT = "present"  # that this read of it named
    REMOVED = "removed"  # that a read before named, and this one no more
    ALL = "all"


class UrlFormat(StrEnum):
    """The formats of exported URLs."""

    NDJSON = "ndjson"
    CSV = "csv"
    TXT = "txt"


@dataclass(frozen=True, slots=True)
class SitemapFile:
    """One file in one scan, as its row stands."""

    id: UUID
    job_id: UUID
    domain: str
    parent_id: UUID | None
    depth: int
    position: int
    url: str
    final_url: str | None
    discovery_method: DiscoveryMethod
    sitemap_type: SitemapType | None
    status: JobStatus
    status_code: int | None
    is_gzip: bool
    is_unchanged: bool
    is_partial: bool
    url_count: int
    child_count: int
    skipped_count: int
    has_lastmod: bool
    has_priority: bool
    has_changefreq: bool
    image_count: int
    video_count: int
    news_count: int
    alternate_count: int
    added_count: int | None
    changed_count: int | None
    removed_count: int | None
    unchanged_count: int | None
    truncated_by: Truncation | None
    truncated_at: str | None
    error: JobError | None
    wire_bytes: int
    bytes: int
    ms: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SitemapUrl:
    """A URL as a file names it. `position` and `id` are where it stands in the scan."""

    id: int
    position: int
    sitemap_id: UUID
    sitemap_url: str
    url: str
    lastmod: str | None
    changefreq: str | None
    priority: float | None
    image_count: int
    video_count: int
    news_count: int
    alternate_count: int
    first_seen: datetime
    last_seen: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class UrlChange:
    """A URL that the read of its file before named otherwise, or not at all; or that this one does not name."""

    id: int
    position: int
    sitemap_id: UUID
    sitemap_url: str
    change: Change
    url: str
    lastmod: str | None
    previous_lastmod: str | None


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A site by its last complete scan: its files, and how many URLs they are known to name, more or less."""

    job_id: UUID
    finished_at: datetime
    sitemap_ids: tuple[int, ...]
    statuses: Mapping[JobStatus, int]
    types: Mapping[SitemapType, int]
    known_urls: int


@dataclass(frozen=True, slots=True)
class SiteFigures:
    """Figures over the URLs of a site. `changefreq` is by word (`other`, `none`), `priority` by tenths."""

    urls: int
    lastmod: int
    readable_lastmod: int
    oldest_lastmod: datetime | None
    newest_lastmod: datetime | None
    freshness: Mapping[str, int]
    changefreq: Mapping[str, int]
    priority: Mapping[float | None, int]
    images: int
    videos: int
    news: int
    alternates: int


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """A site as a whole. `url_count` is exact when `figures` are of all of its URLs; else it is reckoned from them."""

    domain: str
    site: KnownSite
    url_count: int
    figures: SiteFigures
    sampled_urls: int
    templates: tuple[Template, ...]
