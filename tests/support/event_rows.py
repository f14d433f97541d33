"""Events and endpoints in one database, and buses to put the events on."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from conftest import TestDatabase
from scrapersky.event_bus import EventBus

Answer = Callable[[Mapping[str, Any]], str | None]


@dataclass(slots=True)
class Bus:
    """EventBridge's one call, for several dispatchers at once: what came, and how each entry is answered.

    `answer` gives an entry's error code, None for one that is taken, or raises for the whole call.
    """

    answer: Answer = lambda _entry: None
    seconds: float = 0.0
    calls: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        time.sleep(self.seconds)
        codes = [self.answer(entry) for entry in Entries]
        with self._lock:
            self.calls += 1
            self.entries += [entry for entry, code in zip(Entries, codes, strict=True) if code is None]
        return {"Entries": [{"EventId": "e"} if code is None else {"ErrorCode": code} for code in codes]}

    def of_an_invocation(self) -> EventBus:
        return EventBus(lambda: self, "jobs")  # type: ignore[arg-type, return-value]

    def told(self) -> list[str]:
        """The events' ids, in the order in which they came."""
        return [json.loads(entry["Detail"])["id"] for entry in self.entries]


def endpoint(postgres: TestDatabase, tenant_id: UUID, *types: str, changes: str = "updated_at = now()") -> UUID:
    """An endpoint of yesterday that asked for these types; `changes` are what an update sets of it."""
    (webhook_id,) = postgres.one(
        "insert into scrapersky.webhooks (tenant_id, url, events, created_by, created_at)"
        " values (%s, 'https://hook.example/', %s, 'user-1', now() - interval '1 day') returning id",
        tenant_id,
        list(types),
    )
    assert isinstance(webhook_id, UUID)
    postgres.rows(f"update scrapersky.webhooks set {changes} where id = %s", webhook_id)
    return webhook_id


def complete_events(postgres: TestDatabase, tenant_id: UUID, number: int) -> None:
    """So many jobs that are complete: their events alone."""
    data = {"kind": "domain_scan", "status": "complete", "error": None}
    times = dict.fromkeys(("created_at", "finished_at"), "2026-01-31T12:00:00.000000Z")
    postgres.rows(
        "insert into scrapersky.events (tenant_id, type, job_id, data, correlation_id)"
        " select %s, 'job.complete', gen_random_uuid(), %s, '' from generate_series(1, %s)",
        tenant_id,
        json.dumps(data | times),
        number,
    )


def release(postgres: TestDatabase) -> None:
    """The holds of dispatchers that are gone are over."""
    postgres.rows("update scrapersky.events set held_until = now() where dispatched_at is null")
