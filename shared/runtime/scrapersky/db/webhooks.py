"""The SQL of webhooks as their tenant sees them: made, read, changed, deleted, their secrets rotated."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.values import jsonb
from scrapersky.domain.jobs import Caller
from scrapersky.domain.webhook_views import Rotated, Webhook, WebhookChange

COLUMNS = """
id, url, events, description, is_enabled, disabled_reason, disabled_at, secret_version, previous_secret_until,
failing_since, paused_until, created_at, updated_at
"""

# Two requests at once would each count without the other's row. The lock ends with the transaction, as a transaction
# pooler needs it, and is the tenant's own.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('scrapersky.webhooks ' || %(tenant_id)s::text, 0))"

_CREATE = """
insert into scrapersky.webhooks (id, tenant_id, url, events, description, created_by)
select %(id)s, %(tenant_id)s, %(url)s, %(events)s::text[], %(description)s, %(created_by)s
where (select count(*) from scrapersky.webhooks where tenant_id = %(tenant_id)s and deleted_at is null) < %(at_most)s
on conflict (id) do nothing -- this very statement ran before and its answer was lost
"""

_GET = (
    "select "  # noqa: S608 - constants alone
    + COLUMNS
    + " from scrapersky.webhooks where tenant_id = %(tenant_id)s and id = %(id)s and deleted_at is null"
)

_LIST = (
    "select "
    + COLUMNS
    + """
from scrapersky.webhooks
where tenant_id = %(tenant_id)s and deleted_at is null
  and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s
"""
)

# Whoever enables an endpoint, or gives it another address, says that it is well: what was held against it is forgotten.
_CHANGE = (
    """
update scrapersky.webhooks
set url = coalesce(%(url)s, url),
    events = coalesce(%(events)s::text[], events),
    description = case when %(describes)s then %(description)s else description end,
    is_enabled = coalesce(%(enabled)s, is_enabled),
    disabled_reason = case when %(enabled)s then null
                           when not %(enabled)s and is_enabled then 'by_request' else disabled_reason end,
    disabled_at = case when %(enabled)s then null when not %(enabled)s and is_enabled then now() else disabled_at end,
    failing_since = case when %(enabled)s or url <> %(url)s then null else failing_since end,
    paused_until = case when %(enabled)s or url <> %(url)s then null else paused_until end,
    updated_at = now()
where tenant_id = %(tenant_id)s and id = %(id)s and deleted_at is null
returning """
    + COLUMNS
)

_ROTATE = """
update scrapersky.webhooks
set secret_version = secret_version + 1, previous_secret_until = now() + %(overlap)s, updated_at = now()
where tenant_id = %(tenant_id)s and id = %(id)s and deleted_at is null
returning secret_version, previous_secret_until
"""

# Its deliveries may be hundreds of thousands, which no statement removes in its time: they are the sweep's.
_DELETE = """
update scrapersky.webhooks
set deleted_at = now(), is_enabled = false, disabled_reason = coalesce(disabled_reason, 'by_request'),
    disabled_at = coalesce(disabled_at, now()), updated_at = now()
where tenant_id = %(tenant_id)s and id = %(id)s and deleted_at is null
returning 1
"""

_TEST = """
insert into scrapersky.events (id, tenant_id, type, webhook_id, data, correlation_id)
values (%(id)s, %(tenant_id)s, 'webhook.test', %(webhook_id)s, %(data)s, %(correlation_id)s)
on conflict (tenant_id, id) do nothing -- as in _CREATE
"""


def create(cursor: Cursor, parameters: Mapping[str, Any]) -> datetime | None:
    """Write an endpoint unless its tenant has `at_most` others; return when it was made, None when it was not."""
    cursor.execute(_LOCK, parameters)
    cursor.execute(_CREATE, parameters)
    return made_at(cursor, parameters["tenant_id"], parameters["id"])


def made_at(cursor: Cursor, tenant_id: UUID, webhook_id: UUID) -> datetime | None:
    """When the endpoint was made, None when this tenant has no such endpoint."""
    row = cursor.execute(
        "select created_at from scrapersky.webhooks where tenant_id = %s and id = %s and deleted_at is null",
        (tenant_id, webhook_id),
    ).fetchone()
    return row["created_at"] if row else None


def get(db: Database, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    """The endpoint, or None when this tenant has no such."""
    rows = db.query(_GET, {"tenant_id": tenant_id, "id": webhook_id}, tenant_id=tenant_id)
    return Webhook(**rows[0]) if rows else None


def look_up(cursor: Cursor, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    """`get` inside a transaction."""
    row = cursor.execute(_GET, {"tenant_id": tenant_id, "id": webhook_id}).fetchone()
    return Webhook(**row) if row else None


def listing(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[Webhook]:
    """Newest first. `filters`: before, before_id, limit."""
    return [Webhook(**row) for row in db.query(_LIST, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def change(cursor: Cursor, tenant_id: UUID, webhook_id: UUID, wanted: WebhookChange) -> Webhook | None:
    """Change what is wanted otherwise; None when this tenant has no such endpoint."""
    row = cursor.execute(
        _CHANGE,
        {
            "tenant_id": tenant_id,
            "id": webhook_id,
            "url": wanted.url,
            "events": list(wanted.events) if wanted.events is not None else None,
            "enabled": wanted.enabled,
            "describes": wanted.describes,
            "description": wanted.description,
        },
    ).fetchone()
    return Webhook(**row) if row else None


def delete(cursor: Cursor, tenant_id: UUID, webhook_id: UUID) -> bool:
    """Let an endpoint and its deliveries be gone for their tenant; False when it has no such."""
    return cursor.execute(_DELETE, {"tenant_id": tenant_id, "id": webhook_id}).fetchone() is not None


def rotate(cursor: Cursor, tenant_id: UUID, webhook_id: UUID, *, overlap: timedelta) -> Rotated | None:
    """Let the next version of the secret sign, and this one beside it for `overlap`; None as `change`."""
    row = cursor.execute(_ROTATE, {"tenant_id": tenant_id, "id": webhook_id, "overlap": overlap}).fetchone()
    return Rotated(**row) if row else None


def test(cursor: Cursor, caller: Caller, event_id: UUID, webhook_id: UUID) -> None:
    """Write an event of type `webhook.test` for one endpoint."""
    cursor.execute(
        _TEST,
        {
            "id": event_id,
            "tenant_id": caller.tenant_id,
            "webhook_id": webhook_id,
            "data": jsonb({"webhook_id": str(webhook_id)}),
            "correlation_id": caller.correlation_id,
        },
    )


def happened_at(cursor: Cursor, tenant_id: UUID, event_id: UUID) -> datetime | None:
    """When an event happened, None when this tenant has no such event."""
    row = cursor.execute(
        "select occurred_at from scrapersky.events where tenant_id = %s and id = %s", (tenant_id, event_id)
    ).fetchone()
    return row["occurred_at"] if row else None
