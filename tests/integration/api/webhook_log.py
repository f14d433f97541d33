"""Deliveries as they stand after a while, and what a client can have made again of them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from conftest import TestDatabase
from integration.api.conftest import DELIVERIES, WEBHOOKS, Client
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.services import events
from support.http_events import Answered

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def told(postgres: TestDatabase, client: Client, webhook_id: str, count: int = 1, **columns: Any) -> list[str]:
    """Deliveries of a webhook, a minute apart from BEGIN on: their ids, the oldest first. `columns` are their own."""
    row = {"status": "delivered", "tries": 1, "attempts": 1, "status_code": 200, **columns}
    if row["status"] != "pending":
        row.setdefault("finished_at", BEGIN)
    names = ", ".join(row)
    found = postgres.rows(
        f"""
        with e as (
          insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id, occurred_at)
          select %s, 'webhook.test', %s, '{{"webhook_id": "x"}}', '', %s::timestamptz + n * interval '1 minute'
          from generate_series(0, %s - 1) as n returning tenant_id, webhook_id, id, occurred_at
        )
        insert into scrapersky.webhook_deliveries (tenant_id, webhook_id, event_id, created_at, {names})
        select tenant_id, webhook_id, id, occurred_at, {", ".join(["%s"] * len(row))} from e
        returning id, created_at
        """,
        *(client.tenant_id, UUID(webhook_id), BEGIN, count, *row.values()),
    )
    return [str(identity) for identity, _ in sorted(found, key=lambda pair: str(pair[1]))]


def owed(postgres: TestDatabase) -> list[str]:
    """The deliveries that owe a message which is due."""
    rows = postgres.rows(
        "select delivery_id::text from scrapersky.outbox where sent_at is null and due_at <= now() order by id"
    )
    return [str(identity) for (identity,) in rows]


def named(queue: ScanQueue) -> list[str]:
    return [message["delivery_id"] for message in queue.drain_webhooks()]


def replay(client: Client, delivery_id: str, key: str | None = None) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    return client.call("POST", f"{DELIVERIES}/{delivery_id}/replay", headers=headers)


def replay_many(client: Client, webhook_id: str, *, key: str | None = None, **body: Any) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    asked = {"since": "2026-01-01T00:00:00Z", **body}
    return client.call("POST", f"{WEBHOOKS}/{webhook_id}/replay", json_body=asked, headers=headers)


def try_out(client: Client, webhook_id: str, key: str | None = None) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    return client.call("POST", f"{WEBHOOKS}/{webhook_id}/test", headers=headers)


def dispatch(db: Database, queue: ScanQueue) -> None:
    events.dispatch(db, queue.sender, None, deadline=time.monotonic() + 10)
