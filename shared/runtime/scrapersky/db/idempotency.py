"""The SQL of idempotency keys: one request a key, a tenant and a day."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor

KEY_KEPT = timedelta(hours=24)  # of the HTTP contract


def holder(cursor: Cursor, tenant_id: UUID, key: str) -> Mapping[str, Any] | None:
    """Who holds the key now: `fingerprint` of the request, `resource_id` of what it made."""
    return cursor.execute(
        "select fingerprint, resource_id from scrapersky.idempotency_keys where tenant_id = %s and key = %s",
        (tenant_id, key),
    ).fetchone()


def take(cursor: Cursor, tenant_id: UUID, key: str, fingerprint: bytes, resource_id: UUID) -> bool:
    """Take the key for what this request makes; False when an earlier request holds it.

    A key past its time is taken over. Two requests at once wait for each other here.
    """
    row = cursor.execute(
        """
        insert into scrapersky.idempotency_keys as k (tenant_id, key, fingerprint, resource_id, expires_at)
        values (%s, %s, %s, %s, now() + %s)
        on conflict (tenant_id, key) do update
          set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id,
              created_at = now(), expires_at = excluded.expires_at
          where k.expires_at < now()
        returning 1
        """,
        (tenant_id, key, fingerprint, resource_id, KEY_KEPT),
    ).fetchone()
    return row is not None
