"""Endpoints, events and receivers of webhooks, for tests that look at how events are delivered."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from standardwebhooks import Webhook

from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.webhooks import endpoint_secret
from scrapersky.queues import Sender
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.post import Posted
from scrapersky.services import events, webhook_work
from scrapersky.services.webhook_work import Tally

KEY = "the key of this installation"
URL = "https://hook.example/in"
OK = Posted(204, None, "", 3)
TOLD = {
    "kind": "domain_scan",
    "status": "complete",
    "created_at": "2026-01-31T12:00:00.000000Z",
    "finished_at": "2026-01-31T12:00:01.000000Z",
    "error": None,
}
LEASE = timedelta(seconds=45)


def answered(status: int, text: str = "", retry_after: float | None = None) -> Posted:
    return Posted(status, retry_after, text, 3)


@dataclass(slots=True)
class Outgoing:
    """A queue's client that takes every message: (delay in seconds, body)."""

    sent: list[tuple[int, str]] = field(default_factory=list)

    def send_message_batch(self, *, Entries: Sequence[Mapping[str, Any]], **_: str) -> dict[str, Any]:  # noqa: N803
        self.sent += [(entry["DelaySeconds"], entry["MessageBody"]) for entry in Entries]
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def sender(self) -> Sender:
        return Sender(lambda: self, dict.fromkeys(("webhook", "event"), "queue"))  # type: ignore[arg-type, return-value]


@dataclass(slots=True)
class Receiver:
    """Receivers that answer by a rule; `heard` are the requests: (url, body, headers)."""

    answer: Callable[[str], Posted | FetchFailure] = lambda _url: OK
    heard: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], _deadline: float) -> Posted | FetchFailure:
        self.heard.append((url, body, headers))
        return self.answer(url)


ERROR = answered(500, "no")


def failing() -> Receiver:
    """A receiver that answers 500 to whatever it is told."""
    return Receiver(lambda _url: ERROR)


@dataclass(slots=True)
class Webhooks:
    """The webhooks of one database."""

    db: Database
    postgres: TestDatabase
    queue: Outgoing = field(default_factory=Outgoing)
    tenant_id: UUID = field(default_factory=uuid4)

    def endpoint(self, url: str = URL, *, tenant_id: UUID | None = None) -> UUID:
        """An enabled endpoint that asked for all jobs that are complete."""
        (webhook_id,) = self.postgres.one(
            "insert into scrapersky.webhooks (tenant_id, url, events, created_by, created_at)"
            " values (%s, %s, '{job.complete}', 'user-1', now() - interval '1 day') returning id",
            tenant_id or self.tenant_id,
            url,
        )
        assert isinstance(webhook_id, UUID)
        return webhook_id

    def happen(self, number: int = 1, *, tenant_id: UUID | None = None) -> list[UUID]:
        """So many jobs are complete, and told of to whoever asked; return the deliveries' ids, the oldest first."""
        told = self.postgres.rows(
            "insert into scrapersky.events (tenant_id, type, job_id, data, correlation_id)"
            " select %s, 'job.complete', gen_random_uuid(), %s::jsonb || jsonb_build_object('n', n), 'request-1'"
            " from generate_series(1, %s) as n returning id",
            tenant_id or self.tenant_id,
            json.dumps(TOLD),
            number,
        )
        self.dispatch(self.queue.sender())
        found = self.postgres.rows(
            "select id from scrapersky.webhook_deliveries where event_id = any (%s) order by created_at, id",
            [event_id for (event_id,) in told],
        )
        return [row[0] for row in found]  # type: ignore[misc]

    def dispatch(self, sender: Sender) -> None:
        """Tell whoever asked of everything that has happened."""
        events.dispatch(self.db, sender, None, deadline=time.monotonic() + 60)

    def work(self, ids: Sequence[UUID], receiver: Receiver, *, seconds: float = 60.0, workers: int = 5) -> Tally:
        """One invocation of a worker with these deliveries' messages."""
        return webhook_work.work_off(
            self.db,
            self.queue.sender(),
            ids,
            receiver,
            key=KEY,
            lease=LEASE,
            workers=workers,
            concurrency=10,
            deadline=time.monotonic() + seconds,
            draw=lambda: 0.5,
        )

    def delivery(self, delivery_id: UUID, columns: str) -> tuple[object, ...]:
        return self.postgres.one(f"select {columns} from scrapersky.webhook_deliveries where id = %s", delivery_id)

    def webhook(self, webhook_id: UUID, columns: str) -> tuple[object, ...]:
        return self.postgres.one(f"select {columns} from scrapersky.webhooks where id = %s", webhook_id)

    def change(self, webhook_id: UUID, setting: str) -> None:
        self.postgres.rows(f"update scrapersky.webhooks set {setting} where id = %s", webhook_id)

    def make_due(self) -> None:
        """Move what is for later to now: deliveries, pauses and owed messages."""
        for statement in (
            "update scrapersky.webhook_deliveries set next_attempt_at = now() - interval '1 second'",
            "update scrapersky.webhooks set paused_until = null",
            "update scrapersky.outbox set held_until = now(), due_at = now() where sent_at is null",
        ):
            self.postgres.rows(statement)


def verified(webhook_id: UUID, version: int, body: bytes, headers: Mapping[str, str]) -> Any:
    """What the reference library makes of a request. Raises WebhookVerificationError when it is not signed so."""
    return Webhook(endpoint_secret(KEY, webhook_id, version)).verify(body, dict(headers))
