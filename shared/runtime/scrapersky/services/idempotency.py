"""Requests that come again: a key stands for one request of a tenant, and for what it made."""

from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from scrapersky.db import idempotency as keys
from scrapersky.db.connection import Cursor
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.errors import FieldError, IdempotencyKeyReused


def first_holder(
    cursor: Cursor, caller: Caller, resource_id: UUID, idempotency: Idempotency | None, aside: object = None
) -> UUID | None:
    """What the same request made before under its key; None when this one is the first, and holds the key from now.

    `aside` is kept with the key, for `made_before`.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    if idempotency is None or keys.take(
        cursor, caller.tenant_id, idempotency.key, idempotency.fingerprint, resource_id, aside
    ):
        return None
    before = made_before(cursor, caller, idempotency)
    return before[0] if before is not None else None


def made_before(cursor: Cursor, caller: Caller, idempotency: Idempotency) -> tuple[UUID, Any] | None:
    """(what the same request made before under its key, what was told aside); None when the key is free.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    holder = keys.holder(cursor, caller.tenant_id, idempotency.key)
    if holder is None:
        return None
    if bytes(holder["fingerprint"]) != idempotency.fingerprint:
        reason = "used for another request within the last 24 hours"
        raise IdempotencyKeyReused(
            f"This Idempotency-Key was {reason}.", errors=[FieldError(("header", "Idempotency-Key"), reason)]
        )
    return holder["resource_id"], holder["aside"]


def own_key() -> Idempotency:
    """A key for a request that brought none, where a lost answer to its commit would else tell it a falsehood.

    When the transaction runs again, what it made may have moved on: a worker is quick to claim a retried job, and then
    nothing in the job's row says who set it back.
    """
    key = uuid4()
    return Idempotency(str(key), sha256(key.bytes).digest())
