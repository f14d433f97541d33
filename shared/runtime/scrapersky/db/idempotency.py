"""The SQL of idempotency keys: one request a key, a tenant and a day."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor


def holder(cursor: Cursor, tenant_id: UUID, key: str) -> Mapping[str, Any] | None:
    """Who holds the key now: `fingerprint` of the request, `resource_id` of what it made."""
    return cursor.execute(
        "select fingerprint, resource_id from scrapersky.idempotency_keys where tenant_id = %s and key = %s",
        (tenant_id, key),
    ).fetchone()


def take(cursor: Cursor, parameters: Mapping[str, Any]) -> bool:
    """Take the key for a request on something that exists already; False when another request holds it."""
    row = cursor.execute(
        """
        insert into scrapersky.idempotency_keys as k (tenant_id, key, fingerprint, resource_id, expires_at)
        values (%(tenant_id)s, %(key)s, %(fingerprint)s, %(id)s, now() + %(key_kept)s)
        on conflict (tenant_id, key) do update
          set fingerprint = excluded.fingerprint, resource_id = excluded.resource_id,
              created_at = now(), expires_at = excluded.expires_at
          where k.expires_at < now()
        returning 1
        """,
        parameters,
    ).fetchone()
    return row is not None
