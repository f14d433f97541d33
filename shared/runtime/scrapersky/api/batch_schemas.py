"""The requests and answers about batches. No two models of the API share a name, whichever module they are in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer, Asked, Error, Page, Progress
from scrapersky.api.sizes import fitting
from scrapersky.domain.batches import Batch, DomainStatus, StartedBatch
from scrapersky.domain.limits import DEFAULT_CONCURRENT, DEFAULT_PAGES, MAX_CONCURRENT, MAX_DOMAINS, MAX_PAGES
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus

Concurrency = Annotated[int, Field(strict=True, ge=1, le=MAX_CONCURRENT)]
Seconds = Annotated[float | None, Field(description="Seconds from start to end; null until both are there.")]


class BatchRequest(Asked):
    """A batch of domain scans to start."""

    domains: list[str] = Field(
        min_length=1,
        max_length=MAX_DOMAINS,
        description="Hosts or URLs. Those that name one domain are one job; what names none is a job that has failed.",
    )
    max_pages: Annotated[int, Field(strict=True, ge=1, le=MAX_PAGES, description="Pages to read of each site.")] = (
        DEFAULT_PAGES
    )
    max_concurrent: Annotated[Concurrency, Field(description="Sites to scan at the same time, at most.")] = (
        DEFAULT_CONCURRENT
    )
    max_concurrent_jobs: Annotated[
        Concurrency | None,
        Field(description="An older name of `max_concurrent`.", json_schema_extra={"deprecated": True}),
    ] = None
    batch_id: UUID | None = Field(
        None,
        description="An id of the client's choice. The same id with the same request gives the first answer again.",
    )

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        """Take the older name's value over, so that `max_concurrent` alone counts."""
        older = self.max_concurrent_jobs
        if older is not None:
            if "max_concurrent" in self.model_fields_set and self.max_concurrent != older:
                raise ValueError("max_concurrent and max_concurrent_jobs are one number, and two were given")
            self.max_concurrent = older
        return self


class BatchRetryRequest(Asked):
    """Which jobs of a batch to start anew."""

    error_codes: list[ErrorCode] | None = Field(
        None,
        max_length=len(ErrorCode),
        description="Only jobs that ended for one of these reasons. None named means all but `invalid_domain`, which "
        "no retry mends.",
    )


class RejectedDomain(Answer):
    """An input that names no domain. It is a failed job of the batch as well."""

    input: str
    reason: str


class BatchAccepted(Answer):
    """A batch was started; `status_url` tells how it stands."""

    batch_id: UUID
    status_url: str = Field(description="Absolute address of the status; the same as in `Location`.")
    job_count: int = Field(description="Jobs of the batch, those of rejected inputs included.")
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
            status_url=status_url,
            job_count=started.job_count,
            created_at=started.created_at,
            rejected=shown,
            rejected_truncated=len(shown) < len(rejected),
        )


class BatchError(Answer):
    """Why a batch did not come to its end, or came to nothing. Each domain has an error of its own."""

    code: Literal["cancelled", "all_failed"]
    message: str

    @classmethod
    def of(cls, batch: Batch) -> Self | None:
        figures = batch.figures
        if batch.status is JobStatus.CANCELLED:
            return cls(code="cancelled", message=f"{figures.cancelled} of {figures.total} domains were cancelled")
        if batch.status is JobStatus.FAILED:
            return cls(code="all_failed", message=f"all {figures.total} domains failed")
        return None


class BatchMetadata(Answer):
    """What was asked for."""

    max_pages: int = Field(description="What each job may read at the most: pages or, of a sitemap scan, URLs.")
    max_concurrent: int


class BatchSummary(Answer):
    """How a batch stands: figures counted over its jobs in one statement.

    `complete`, `failed` and `cancelled` are final. It is `failed` only when no domain was completed.
    """

    batch_id: UUID
    kind: JobKind = Field(description="What its jobs do.")
    status: JobStatus
    total_domains: int
    completed_domains: int
    failed_domains: int
    cancelled_domains: int
    progress: Progress
    created_at: Time
    updated_at: Time
    start_time: Time | None
    end_time: Time | None = Field(description="Null until the batch is final.")
    processing_time: Seconds
    error: BatchError | None
    metadata: BatchMetadata

    @classmethod
    def of(cls, batch: Batch) -> Self:
        return cls.model_validate({**_state(batch), "metadata": batch.request})


class DomainState(Answer):
    """How one domain of a batch stands."""

    job_id: UUID
    status: JobStatus
    start_time: Time | None
    end_time: Time | None
    processing_time: Seconds
    error: Error | None

    @classmethod
    def of(cls, domain: DomainStatus) -> Self:
        return cls(
            job_id=domain.job_id,
            status=domain.status,
            start_time=domain.started_at,
            end_time=domain.finished_at,
            processing_time=seconds(domain.started_at, domain.finished_at),
            error=None if domain.error is None else Error.model_validate(domain.error),
        )


class BatchStatusMetadata(BatchMetadata):
    """What was asked for, and what is shown."""

    domain_statuses_truncated: bool = Field(description="Whether the batch has domains that are not shown here.")


class BatchStatus(BatchSummary):
    """How a batch stands, with its first domains by name."""

    metadata: BatchStatusMetadata
    domain_statuses: dict[str, DomainState] | None = Field(
        description="By domain; an input that names none stands under its own text. Null when not asked for."
    )

    @classmethod
    def of(cls, batch: Batch, domains: Sequence[DomainStatus] | None = None) -> Self:
        states = [(domain.domain, DomainState.of(domain)) for domain in domains or ()]
        shown = dict(fitting(states, lambda named: named[0] + named[1].model_dump_json()))
        truncated = len(shown) < batch.figures.total
        return cls.model_validate(
            {
                **_state(batch),
                "metadata": {**batch.request, "domain_statuses_truncated": truncated},
                "domain_statuses": None if domains is None else shown,
            }
        )


class BatchPage(Page):
    items: list[BatchSummary]

    @classmethod
    def of(cls, batches: Sequence[Batch], next_cursor: str | None) -> Self:
        return cls(items=[BatchSummary.of(batch) for batch in batches], next_cursor=next_cursor)


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """From start to end, to the millisecond; None unless both are there."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)


def _state(batch: Batch) -> dict[str, object]:
    figures = batch.figures
    end = figures.finished_at if batch.status.is_final else None  # before, it is only the latest job's
    return {
        "batch_id": batch.id,
        "kind": batch.kind,
        "status": batch.status,
        "total_domains": figures.total,
        "completed_domains": figures.completed,
        "failed_domains": figures.failed,
        "cancelled_domains": figures.cancelled,
        "progress": batch.progress,
        "created_at": batch.created_at,
        "updated_at": figures.updated_at,
        "start_time": figures.started_at,
        "end_time": end,
        "processing_time": seconds(figures.started_at, end),
        "error": BatchError.of(batch),
    }
