"""Deliveries as they stand after a while, and what a client can have made again of them."""

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from conftest import TestDatabase
from integration.api.conftest import DELIVERIES, WEBHOOKS, Client
from integration.conftest import ScanQueue
from scrapersky import wiring
from scrapersky.db.connection import Database
from scrapersky.services import events
from support.http_events import Answered

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


_TOLD = """
with e as (
  insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id, occurred_at)
  select %(tenant_id)s, 'webhook.test', %(webhook_id)s, '{"webhook_id": "x"}', '',
         %(begin)s::timestamptz + n * interval '1 minute'
  from generate_series(0, %(count)s - 1) as n
  returning tenant_id, webhook_id, id, occurred_at
)
insert into scrapersky.webhook_deliveries
select d.*
from e, jsonb_populate_record(
  null::scrapersky.webhook_deliveries,
  jsonb_build_object(
    'id', gen_random_uuid(), 'tenant_id', e.tenant_id, 'webhook_id', e.webhook_id, 'event_id', e.id,
    'created_at', e.occurred_at, 'updated_at', e.occurred_at, 'next_attempt_at', e.occurred_at, 'is_waiting', false,
    'claims', 0)
  || %(row)s) as d
returning id, created_at
"""


def told(client: Client, webhook_id: str, count: int = 1, **columns: Any) -> list[str]:
    """Deliveries of a webhook, a minute apart from BEGIN on: their ids, the oldest first. `columns` are their own."""
    row = {"status": "delivered", "tries": 1, "attempts": 1, "status_code": 200, **columns}
    if row["status"] != "pending":
        row.setdefault("finished_at", BEGIN)
    asked = {"tenant_id": client.tenant_id, "webhook_id": UUID(webhook_id), "begin": BEGIN, "count": count}
    with wiring.database() as db:
        written = Jsonb(row, dumps=partial(json.dumps, default=str))
        found = db.query(_TOLD, {**asked, "row": written}, tenant_id=client.tenant_id)
    return [str(row["id"]) for row in sorted(found, key=lambda row: row["created_at"])]


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
