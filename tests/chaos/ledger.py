"""What clients asked for and what they were told: the promises that the rows are held to in the end."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(slots=True)
class Request:
    """One scan that one client wants, however often it had to ask."""

    number: int
    tenant_id: UUID
    key: str | None  # Idempotency-Key
    asked: int = 0
    job_ids: set[UUID] = field(default_factory=set)  # as told by each 202


@dataclass(slots=True)
class BatchRequest:
    """One batch that one client wants."""

    batch_id: UUID
    tenant_id: UUID
    domains: int


@dataclass(slots=True)
class Ledger:
    """All promises of a run. Safe between threads."""

    requests: list[Request] = field(default_factory=list)
    batches: list[BatchRequest] = field(default_factory=list)
    tenants: dict[UUID, UUID] = field(default_factory=dict)  # of each accepted job
    cancelled: list[tuple[UUID, int]] = field(default_factory=list)  # job and the answer's status
    retried: Counter[UUID] = field(default_factory=Counter)
    retries_unclear: set[UUID] = field(default_factory=set)  # jobs one of whose retries was answered by no 202
    failures: list[tuple[float, str]] = field(default_factory=list)  # when an invocation ended with an error, and which
    odd: list[str] = field(default_factory=list)  # answers that no client should get
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, request: Request, job_id: UUID) -> None:
        with self.lock:
            request.job_ids.add(job_id)
            self.tenants[job_id] = request.tenant_id

    def recent(self, most: int) -> list[tuple[UUID, UUID]]:
        """The jobs accepted last, with their tenants."""
        with self.lock:
            return list(self.tenants.items())[-most:]

    def say(self, what: str, answer: Any) -> None:
        with self.lock:
            self.odd.append(f"{what}: {answer}"[:300])
