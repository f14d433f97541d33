"""The requests and answers of the HTTP API, with the field names of its contract; of a scan's result: result_schemas,
of batches: batch_schemas.

A merged OpenAPI document has one name space for models, so no two share a name. Validators are built on first use
(`defer_build`), so a function pays only for the models that its routes touch.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from scrapersky.api.result_schemas import PlacesSearchResult, ScanResult, SiteData, SitemapScanResult, Time
from scrapersky.api.sizes import fitting
from scrapersky.domain.jobs import Job, KnownDomain
from scrapersky.domain.limits import DEFAULT_PAGES, MAX_PAGES
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus

MAX_BASE_URL_CHARACTERS = 2048  # no browser sends longer ones
# Of one answer's 6 MB: the other half is for what is told of cuts, the longest of which are as long as their URLs.
MAX_FILES_BYTES = 3_000_000

Metadata = Annotated[
    dict[str, Any],
    Field(
        description="What was asked for (`base_url`, `max_pages`) and, once it ran, how that went: `final_url`,"
        " `redirects`, `robots`, `https_error`, `pause_seconds`, `truncated`, `wall` (whose check or parking page stood"
        " there), `extra_fetches` (by `kind`: `robots_txt`, `sitemap`, `manifest`, `security_txt`, `favicon`) and"
        " `stopped`: `all_read`, `alike` (only days or listings were left), `max_pages`, `deadline`, `pause`,"
        " `too_many_skipped`, `walls` or `cancelled`; null where no home page could be read. Of a places search what"
        " was asked for, and what it may and did come to: `max_requests`, `max_cost_usd`, `requests`, `cost_usd`,"
        " `stored_places` and `new_places`."
    ),
]
Progress = Annotated[float, Field(ge=0, le=100, description="0.0 to 100.0.")]


class Asked(BaseModel):
    """A body: a field that the contract does not name is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    tenant_id: UUID | None = Field(None, description="May only repeat the token's tenant; another one is a 403.")


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True, from_attributes=True)


class ScanRequest(Asked):
    """A domain scan to start."""

    base_url: str = Field(
        min_length=1,
        max_length=MAX_BASE_URL_CHARACTERS,
        description="A bare host, a host with a path, or a URL. Its domain is what is scanned.",
        examples=["shop.example"],
    )
    max_pages: Annotated[
        int, Field(strict=True, ge=1, le=MAX_PAGES, description="Pages to read, the most telling first.")
    ] = DEFAULT_PAGES


class ActionRequest(Asked):
    """The optional body of an action on a job."""


class Accepted(Answer):
    """Work was started; `status_url` tells how it stands."""

    job_id: UUID
    status_url: str = Field(description="Absolute address of the status; the same as in `Location`.")
    created_at: Time


class Error(Answer):
    """Why a job ended without a result."""

    code: ErrorCode
    message: str
    retryable: bool = Field(description="Whether the same job may well end otherwise later.")


class ScanStatus(Answer):
    """How a domain scan stands. `complete`, `failed` and `cancelled` are final."""

    job_id: UUID
    status: JobStatus
    domain: str
    progress: Progress
    created_at: Time
    updated_at: Time
    started_at: Time | None
    finished_at: Time | None
    result: ScanResult | None = Field(description="Null until the scan is complete.")
    error: Error | None
    metadata: Metadata

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls.model_validate({**state_of(job), "result": job.result})


class JobSummary(Answer):
    """A job in a list: all but its result."""

    job_id: UUID
    kind: JobKind
    batch_id: UUID | None
    status: JobStatus
    domain: str
    progress: Progress
    attempt: int = Field(description="How often a worker took it on since it was started or retried.")
    created_at: Time
    updated_at: Time
    started_at: Time | None
    finished_at: Time | None
    error: Error | None
    metadata: Metadata

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls.model_validate({**state_of(job), **_kind(job)})


class JobDetail(JobSummary):
    """A job with its result."""

    result: ScanResult | SitemapScanResult | PlacesSearchResult | None = Field(
        description="Null until the job is complete: of a domain scan what it found, of a sitemap scan its files, of a"
        " places search what it came to."
    )

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls.model_validate({**state_of(job), **_kind(job), "result": result_of(job)})


class Domain(Answer):
    """A domain that the tenant knows, with its latest facts and the job that they came from."""

    id: UUID
    domain: str
    site_data: SiteData | None = Field(description="Null until a scan brought facts.")
    job_id: UUID | None
    scanned_at: Time | None
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, known: KnownDomain) -> Self:
        return cls.model_validate(known)


class Page(Answer):
    """One page of a list."""

    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")


class JobPage(Page):
    items: list[JobSummary]

    @classmethod
    def of(cls, jobs: Sequence[Job], next_cursor: str | None) -> Self:
        return cls(items=[JobSummary.of(job) for job in jobs], next_cursor=next_cursor)


class DomainPage(Page):
    items: list[Domain]

    @classmethod
    def of(cls, domains: Sequence[KnownDomain], next_cursor: str | None) -> Self:
        return cls(items=[Domain.of(known) for known in domains], next_cursor=next_cursor)


class Health(Answer):
    status: Annotated[Literal["ok"], Field(description="Anything else is no 200.")] = "ok"


class ProblemField(Answer):
    """One thing wrong with one field."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `path` or `header`, then the field's path.")
    msg: str


class Problem(Answer):
    """An error, by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable slug for programs.")
    request_id: str = Field(description="Names this request in our logs.")
    errors: list[ProblemField] = Field([], description="The fields that are wrong, where fields are.")


class FileElsewhere(Answer):
    """Where a file is that does not fit into an answer."""

    url: str = Field(description="Works for a few minutes, for whoever has it. Ask there without the token.")


class GatewayMessage(Answer):
    """What the gateway answers by itself, before or instead of the API."""

    message: str


def result_of(job: Job) -> ScanResult | SitemapScanResult | PlacesSearchResult | None:
    """The job's result by its kind; of a sitemap scan as many files as fit into one answer."""
    if job.result is None:
        return None
    if job.kind is JobKind.DOMAIN_SCAN:
        return ScanResult.model_validate(job.result)
    if job.kind is JobKind.PLACES_SEARCH:
        return PlacesSearchResult.model_validate(job.result)
    result = SitemapScanResult.model_validate(job.result)
    shown = fitting(result.sitemaps, lambda file: file.model_dump_json(), limit=MAX_FILES_BYTES)
    cut = {"sitemaps": shown, "sitemaps_truncated": True} if len(shown) < len(result.sitemaps) else {}
    return result.model_copy(update=cut)


def state_of(job: Job) -> dict[str, Any]:
    """What every answer about a job says of it."""
    return {
        "job_id": job.id,
        "status": job.status,
        "domain": job.domain,
        "progress": job.progress,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "error": job.error,
        "metadata": job.metadata,
    }


def _kind(job: Job) -> dict[str, Any]:
    return {"kind": job.kind, "batch_id": job.batch_id, "attempt": job.attempt}
