"""The SQL of idempotency keys: one request a key, a tenant and a day."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor
from scrapersky.db.values import jsonb

KEY_KEPT = timedelta(hours=24)  # of the HTTP contract


def holder(cursor: Cursor, tenant_id: UUID, key: str) -> Mapping[str, Any] | None:
    """Who holds the key now: `fingerprint` of the request, `resource_id` of what it made, `aside` as `take` has it."""
    return cursor.execute(
        "select fingerprint, resource_id, aside from scrapersky.idempotency_keys"
        " where tenant_id = %s and key = %s and expires_at >= now()",
        (tenant_id, key),
    ).fetchone()


def take(
    cursor: Cursor, tenant_id: UUID, key: str, fingerprint: bytes, resource_id: UUID, aside: object = None
) -> bool:
    """Take the key for what this request makes; False when an earlier request holds it.

    `aside` is JSON of the first answer that does not follow from what was made. A key past its time is taken over. Two
    requests at once wait for each other here.
    """
    row = cursor.execute(
        """
        insert into scrapersky.idempotency_keys as k (tenant_id, key, fingerprint, resource_id, expires_at, aside)
        values (%s, %s, %s, %s, now() + %s, %s)
        on conflict (tenant_id, key) do update
          set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id,
              created_at = now(), expires_at = excluded.expires_at, aside = excluded.aside
          where k.expires_at < now()
        returning 1
        """,
        (tenant_id, key, fingerprint, resource_id, KEY_KEPT, jsonb(aside) if aside is not None else None),
    ).fetchone()
    return row is not None


def tell_aside(cursor: Cursor, tenant_id: UUID, key: str, aside: object) -> None:
    """Keep `aside` (see `take`) with a key that this transaction took, where it was not known before."""
    cursor.execute(
        "update scrapersky.idempotency_keys set aside = %s where tenant_id = %s and key = %s",
        (jsonb(aside), tenant_id, key),
    )
