"""A job and a domain as every layer above the database sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from scrapersky.domain.status import ErrorCode, JobKind, JobStatus


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant every row belongs to, and the user within it (`sub` of the token).

    `correlation_id` names the request in every log line that follows from it.
    """

    tenant_id: UUID
    user_id: str
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key for one request, and the sha256 of what it asked for: route and canonical body."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The job that a request started or, when it came again, had started the first time.

    `metadata` holds what was told of it at the start.
    """

    job_id: UUID
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job ended without a result."""

    code: ErrorCode
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, as its row stands. `progress` is 0.0 to 100.0; times are UTC."""

    id: UUID
    tenant_id: UUID
    kind: JobKind
    batch_id: UUID | None
    domain: str
    status: JobStatus
    progress: float
    attempt: int
    request: dict[str, Any]
    result: dict[str, Any] | None
    error: JobError | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownDomain:
    """The latest known facts of one domain, with the job they came from."""

    id: UUID
    domain: str
    site_data: dict[str, Any] | None
    job_id: UUID | None
    scanned_at: datetime | None
    created_at: datetime
    updated_at: datetime
