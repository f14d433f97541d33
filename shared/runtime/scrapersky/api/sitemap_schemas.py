"""The requests and answers about sitemap scans. No two models of the API share a name, whichever module they are in."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field

from scrapersky.api.batch_schemas import Concurrency, RejectedDomain
from scrapersky.api.result_schemas import SitemapScanResult, Time
from scrapersky.api.schemas import MAX_BASE_URL_CHARACTERS, Answer, Asked, Error, Page, Progress, result_of, state_of
from scrapersky.api.sizes import fitting
from scrapersky.domain.batches import StartedBatch
from scrapersky.domain.jobs import Job
from scrapersky.domain.limits import DEFAULT_CONCURRENT, DEFAULT_SITEMAP_URLS, MAX_DOMAINS, MAX_SITEMAP_URLS
from scrapersky.domain.sitemap_views import SitemapFile as StoredFile
from scrapersky.domain.sitemap_views import SitemapUrl as StoredUrl
from scrapersky.domain.sitemap_views import UrlChange
from scrapersky.domain.sitemaps import Change, DiscoveryMethod, SitemapType, Truncation
from scrapersky.domain.status import JobStatus

MaxUrls = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_SITEMAP_URLS, description="URLs to store of a site, over all of its files."),
]
Count = Annotated[int, Field(ge=0)]
SitemapId = Annotated[UUID, Field(description="Of the file in this scan.")]
SitemapAddress = Annotated[str, Field(description="The file's URL.")]


class SitemapScanRequest(Asked):
    """A sitemap scan to start."""

    base_url: str = Field(
        min_length=1,
        max_length=MAX_BASE_URL_CHARACTERS,
        description="A bare host, a host with a path, or a URL. The sitemaps of its domain are what is looked for.",
        examples=["shop.example"],
    )
    max_pages: MaxUrls = DEFAULT_SITEMAP_URLS


class SitemapBatchRequest(Asked):
    """A batch of sitemap scans to start."""

    domains: list[str] = Field(
        min_length=1,
        max_length=MAX_DOMAINS,
        description="Hosts or URLs. Those that name one domain are one job; what names none is a job that has failed.",
    )
    max_pages: MaxUrls = DEFAULT_SITEMAP_URLS
    max_concurrent: Annotated[Concurrency, Field(description="Sites to scan at the same time, at most.")] = (
        DEFAULT_CONCURRENT
    )
    batch_id: UUID | None = Field(
        None,
        description="An id of the client's choice. The same id with the same request gives the first answer again.",
    )


class SitemapBatchAccepted(Answer):
    """A batch of sitemap scans was started; `status_url` tells how it stands."""

    batch_id: UUID
    status: JobStatus = Field(description="`pending`; `failed` when every input was rejected.")
    total_domains: int = Field(description="Jobs of the batch, those of rejected inputs included.")
    status_url: str = Field(description="Absolute address of the status; the same as in `Location`.")
    created_at: Time
    rejected: list[RejectedDomain]
    rejected_truncated: bool = Field(
        description="Whether `rejected` was cut to fit into one answer; the batch's jobs and results hold all of it."
    )

    @classmethod
    def of(cls, started: StartedBatch, status_url: str) -> Self:
        rejected = [RejectedDomain.model_validate(item) for item in started.rejected]
        shown = fitting(rejected, RejectedDomain.model_dump_json)
        return cls(
            batch_id=started.batch_id,
            status=JobStatus.FAILED if len(rejected) == started.job_count else JobStatus.PENDING,
            total_domains=started.job_count,
            status_url=status_url,
            created_at=started.created_at,
            rejected=shown,
            rejected_truncated=len(shown) < len(rejected),
        )


class SitemapScanStatus(Answer):
    """How a sitemap scan stands. `complete`, `failed` and `cancelled` are final."""

    job_id: UUID
    status: JobStatus
    domain: str
    progress: Progress
    created_at: Time
    updated_at: Time
    started_at: Time | None
    finished_at: Time | None
    result: SitemapScanResult | None = Field(description="Null until the scan is complete.")
    error: Error | None
    metadata: Annotated[
        dict[str, Any],
        Field(
            description="What was asked for (`base_url`, `max_pages`), how files were looked for (`discovery`), and how"
            " far the scan is: `sitemaps_found`, `sitemaps_done`, `sitemaps_failed` and `urls_stored`."
        ),
    ]

    @classmethod
    def of(cls, job: Job, figures: Mapping[str, int]) -> Self:
        state = state_of(job)
        return cls.model_validate({**state, "metadata": {**state["metadata"], **figures}, "result": result_of(job)})


class SitemapFile(Answer):
    """One file in one scan, and what came of it."""

    id: UUID
    job_id: UUID = Field(description="The scan.")
    domain: str = Field(description="The domain that was scanned.")
    parent_id: UUID | None = Field(description="The index that names it, in the same scan.")
    depth: int = Field(description="Indexes above it.")
    url: str = Field(description="Where the scan was told to look for it.")
    final_url: str | None = Field(description="Where it was read, redirects followed.")
    discovery_method: DiscoveryMethod = Field(description="How the scan came to know of it.")
    sitemap_type: SitemapType | None = Field(description="What it is, by its content; null as long as nobody knows.")
    status: JobStatus = Field(description="`cancelled`: not read, since the scan was full, or cancelled.")
    status_code: int | None = Field(description="HTTP status of the last answer.")
    is_gzip: bool = Field(description="Whether it is a gzip file, whatever its name says.")
    is_unchanged: bool = Field(description="Whether it is what it was when it was last read.")
    is_partial: bool = Field(description="Whether it is broken or ends early; what came before is stored.")
    url_count: Count = Field(description="Distinct URLs of it that this scan found and stored.")
    child_count: Count = Field(description="Of an index: distinct files that it names.")
    skipped_count: Count = Field(description="Entries without a usable URL.")
    has_lastmod: bool = Field(description="Whether an entry says when its page was changed.")
    has_priority: bool = Field(description="Whether an entry has a priority.")
    has_changefreq: bool = Field(description="Whether an entry has a change frequency.")
    image_count: Count = Field(description="Images of all entries.")
    video_count: Count = Field(description="Videos of all entries.")
    news_count: Count = Field(description="News articles of all entries.")
    alternate_count: Count = Field(description="Pages in other languages (hreflang) of all entries.")
    added_count: int | None = Field(description="URLs that it did not name before; null when it is new itself.")
    changed_count: int | None = Field(description="URLs with another `lastmod` than before.")
    removed_count: int | None = Field(description="URLs that it names no more; null unless it was read whole.")
    unchanged_count: int | None = Field(description="URLs that are as they were.")
    truncated_by: Truncation | None = Field(description="What it was cut by.")
    truncated_at: str | None = Field(description="Where it was cut, for people.")
    error: Error | None = Field(description="Why it is `failed`.")
    wire_bytes: Count = Field(description="As sent.")
    bytes: Count = Field(description="Inflated.")
    ms: Count = Field(description="Milliseconds that the fetch took.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, file: StoredFile) -> Self:
        return cls.model_validate({name: getattr(file, name) for name in cls.model_fields})


class SitemapFilePage(Page):
    items: list[SitemapFile]

    @classmethod
    def of(cls, files: Sequence[StoredFile], next_cursor: str | None) -> Self:
        return cls(items=[SitemapFile.of(file) for file in files], next_cursor=next_cursor)


class SitemapUrl(Answer):
    """A URL that a file names."""

    url: str = Field(description="As published.")
    lastmod: str | None = Field(description="As published, in one of the forms of W3C's note on dates.")
    changefreq: str | None = Field(description="One of the protocol's seven words.")
    priority: float | None = Field(description="0.0 to 1.0.")
    sitemap_id: SitemapId
    sitemap_url: SitemapAddress
    image_count: Count
    video_count: Count
    news_count: Count
    alternate_count: Count = Field(description="Pages in other languages (hreflang).")
    first_seen: Time = Field(description="When the first read of its file that named it began.")
    last_seen: Time = Field(description="When the last one began.")
    removed_at: Time | None = Field(description="When the read began that did not name it any more.")

    @classmethod
    def of(cls, url: StoredUrl) -> Self:
        return cls.model_validate({name: getattr(url, name) for name in cls.model_fields})


class SitemapUrlPage(Page):
    items: list[SitemapUrl]

    @classmethod
    def of(cls, urls: Sequence[StoredUrl], next_cursor: str | None) -> Self:
        return cls(items=[SitemapUrl.of(url) for url in urls], next_cursor=next_cursor)


class SitemapChange(Answer):
    """What became of a URL since the read of its file before."""

    url: str
    change: Change
    lastmod: str | None = Field(description="As published; null when the URL is gone.")
    previous_lastmod: str | None = Field(description="What it was before; null when the URL is new.")
    sitemap_id: SitemapId
    sitemap_url: SitemapAddress

    @classmethod
    def of(cls, change: UrlChange) -> Self:
        return cls.model_validate({name: getattr(change, name) for name in cls.model_fields})


class SitemapChangePage(Page):
    items: list[SitemapChange]

    @classmethod
    def of(cls, changes: Sequence[UrlChange], next_cursor: str | None) -> Self:
        return cls(items=[SitemapChange.of(change) for change in changes], next_cursor=next_cursor)
