"""A batch as every layer above the database sees it: its state is read off its jobs, never kept beside them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from scrapersky.domain.jobs import JobError
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus

RETRYABLE = tuple(code for code in ErrorCode if code is not ErrorCode.INVALID_DOMAIN)
"""What a job of a batch may have ended by that is retried. An input that names no domain is nothing to be scanned."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input that names no domain, and why. It is a failed job as well, so that no input is lost."""

    input: str
    reason: str


@dataclass(frozen=True, slots=True)
class StartedBatch:
    """The batch that a request started or, when it came again, had started the first time."""

    batch_id: UUID
    job_count: int
    created_at: datetime
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """How many jobs stand how, counted over the job rows in one statement. Times are UTC."""

    total: int
    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: what was asked for, and the figures of its jobs, which are all of one kind.

    status      when
    pending     no job was begun
    running     a job is open, and one was begun or is final
    cancelled   no job is open, and one was cancelled
    complete    no job is open, none was cancelled, and one is complete
    failed      no job is open, and all failed
    """

    id: UUID
    tenant_id: UUID
    kind: JobKind
    request: dict[str, Any]
    created_at: datetime
    figures: Figures

    @property
    def status(self) -> JobStatus:
        figures = self.figures
        if figures.pending + figures.running:
            return JobStatus.RUNNING if figures.started_at else JobStatus.PENDING
        if figures.cancelled:
            return JobStatus.CANCELLED
        return JobStatus.COMPLETE if figures.completed else JobStatus.FAILED

    @property
    def progress(self) -> float:
        """How many of a hundred jobs are final, rounded down: it is 100.0 if and only if all of them are."""
        figures = self.figures
        return (figures.completed + figures.failed + figures.cancelled) * 1000 // figures.total / 10


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """How one domain of a batch stands."""

    domain: str
    job_id: UUID
    status: JobStatus
    started_at: datetime | None
    finished_at: datetime | None
    error: JobError | None


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution of the state machine for a batch: the `number`th one of its run.

    The first works a batch off; a retry asks for the next one, and so does the sweeper when nothing moves any more. The
    newest alone may plan and end jobs: those before it are superseded. An execution goes over the jobs in rounds, which
    it counts from 1. (The column `batches.round` and the `round` of the message that begins an execution are the
    execution's number, by a name from before.)
    """

    run: UUID
    number: int

    @property
    def name(self) -> str:
        """What Step Functions knows it by, which takes each name for one execution."""
        return f"{self.run}-{self.number}"

    @classmethod
    def named(cls, name: str | None, run: UUID) -> Self:
        """The execution of this name, which an event of the state machine brings along.

        An event without one comes of an execution that began before its definition handed the name to every step: it is
        taken for the first one, as nearly all are. Where it is a later one after all it ends no job, and what it leaves
        is begun anew by the sweeper. A name of another kind was given by hand, and is taken for the first one as well.
        """
        prefix = f"{run}-"
        number = name.removeprefix(prefix) if name is not None and name.startswith(prefix) else ""
        return cls(run, int(number) if number.isdecimal() else 1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Jobs that one worker invocation gets, and how many of them it may scan at once."""

    job_ids: tuple[UUID, ...]
    window: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A round of an execution: whose workers it is for, its chunks, and how many of them may be worked off at once."""

    batch_id: UUID
    kind: JobKind
    chunks: tuple[Chunk, ...]
    lanes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """How a round ended: jobs given up, those still open, whether another round is due, how long to wait before it."""

    batch_id: UUID
    given_up: int
    open: int
    again: bool
    wait_seconds: int


def lanes(max_concurrent: int, *, sites_per_worker: int, max_lanes: int) -> tuple[int, int]:
    """How many workers at once, and how many sites each at once, for at most `max_concurrent` sites together.

    `max_lanes` keeps one batch from taking every worker there is.
    """
    workers = min(-(-max_concurrent // sites_per_worker), max_lanes)
    return workers, min(max_concurrent // workers, sites_per_worker)
