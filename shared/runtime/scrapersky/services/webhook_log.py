"""What a tenant was told, and what it wants to be told again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from scrapersky.db import idempotency as keys
from scrapersky.db import webhook_log
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.outbox import HOLD
from scrapersky.domain.events import Event, EventType
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.webhook_views import (
    MAX_REPLAYED,
    Delivery,
    LoggedDelivery,
    Replayed,
)
from scrapersky.domain.webhooks import DeliveryStatus
from scrapersky.errors import Conflict, FieldError, Invalid, NotFound
from scrapersky.queues import Message, Sender
from scrapersky.services import outbox, paging, webhooks
from scrapersky.services.idempotency import first_holder, own_key

SENT_AT_ONCE = 100
"""Messages of a replay that are sent before the answer: ten calls of SQS. The others are the sweep's, in a minute."""


def events(
    db: Database,
    tenant_id: UUID,
    *,
    event_type: EventType | None = None,
    job_id: UUID | None = None,
    batch_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Event], str | None]:
    """A page of events, newest first, and the cursor of the next one.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    found = webhook_log.events(
        db,
        tenant_id,
        {
            "type": event_type and event_type.value,
            "job_id": job_id,
            "batch_id": batch_id,
            "before": before,
            "before_id": before_id,
            "limit": limit + 1,
        },
    )
    page = found[:limit]
    return page, paging.encode_time(page[-1].occurred_at, page[-1].id) if len(found) > limit else None


def deliveries(
    db: Database,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    status: DeliveryStatus | None = None,
    event_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Delivery], str | None]:
    """A page of a webhook's deliveries, newest first, and the cursor of the next one.

    Raises:
        NotFound: this tenant has no such webhook.
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    webhooks.get(db, tenant_id, webhook_id)
    found = webhook_log.deliveries(
        db,
        tenant_id,
        {
            "webhook_id": webhook_id,
            "status": status and status.value,
            "event_id": event_id,
            "before": before,
            "before_id": before_id,
            "limit": limit + 1,
        },
    )
    page = found[:limit]
    return page, paging.encode_time(page[-1].created_at, page[-1].id) if len(found) > limit else None


def delivery(db: Database, tenant_id: UUID, delivery_id: UUID) -> LoggedDelivery:
    """A delivery with its attempts.

    Raises:
        NotFound: this tenant has no such delivery.
    """
    found = webhook_log.delivery(db, tenant_id, delivery_id)
    if found is None:
        raise _unknown(delivery_id)
    return found


def replay(db: Database, sender: Sender, caller: Caller, delivery_id: UUID, idempotency: Idempotency | None) -> None:
    """Set a delivery pending anew, with all its tries before it, whether it had ended or waits for its next try.

    Raises:
        NotFound: as `delivery`.
        Conflict: its webhook is disabled (`webhook_disabled`), or it is being tried right now (`delivery_under_way`).
        IdempotencyKeyReused: the key stands for another request.
    """
    once = idempotency or own_key()

    def work(cursor: Cursor) -> list[Message]:
        if first_holder(cursor, caller, delivery_id, once) is not None:
            return []
        target = webhook_log.target(cursor, caller.tenant_id, delivery_id)
        if target is None:
            raise _unknown(delivery_id)
        webhooks.require_enabled(cursor, caller.tenant_id, target)
        _, messages = webhook_log.replay(cursor, _parameters(caller, target, id=delivery_id))
        if not messages:
            raise Conflict("The delivery is being tried right now.", code="delivery_under_way")
        return messages

    outbox.deliver(db, sender, db.run(work, tenant_id=caller.tenant_id))


def replay_many(
    db: Database,
    sender: Sender,
    caller: Caller,
    webhook_id: UUID,
    *,
    since: datetime,
    until: datetime | None,
    status: DeliveryStatus,
    idempotency: Idempotency | None,
) -> Replayed:
    """`replay` for the deliveries of a webhook that were made from `since` on and before `until`: the oldest of them.

    Of those with the status `pending`, what waits for another try is tried at once.

    Raises:
        NotFound: this tenant has no such webhook.
        Conflict: it is disabled (`webhook_disabled`).
        Invalid: `until` is not after `since`.
        IdempotencyKeyReused: the key stands for another request.
    """
    if until is not None and until <= since:
        raise Invalid("until is not after since.", errors=[FieldError(("body", "until"), "is not after since")])
    once = idempotency or own_key()
    wanted = {"since": since, "until": until, "status": status.value, "limit": MAX_REPLAYED}

    def work(cursor: Cursor) -> tuple[Replayed, list[Message]]:
        if first_holder(cursor, caller, webhook_id, once) is not None:
            told = webhooks.told_aside(cursor, caller, once)
            latest = told.get("latest")  # not of a key that the version before took
            return Replayed(told["replayed"], datetime.fromisoformat(latest) if latest else None), []
        webhooks.require_enabled(cursor, caller.tenant_id, webhook_id)
        replayed, messages = webhook_log.replay(cursor, _parameters(caller, webhook_id, **wanted))
        latest = replayed.latest.isoformat() if replayed.latest else None
        keys.tell_aside(cursor, caller.tenant_id, once.key, {"replayed": replayed.count, "latest": latest})
        return replayed, messages

    replayed, messages = db.run(work, tenant_id=caller.tenant_id)
    outbox.deliver(db, sender, messages)
    return replayed


def _parameters(caller: Caller, webhook_id: UUID, **wanted: Any) -> dict[str, Any]:
    """Of `webhook_log.replay`."""
    nothing = {"id": None, "since": None, "until": None, "status": None, "limit": 1}
    return {
        **nothing,
        **wanted,
        "tenant_id": caller.tenant_id,
        "webhook_id": webhook_id,
        "correlation_id": caller.correlation_id,
        "hold": HOLD,
        "sent_at_once": SENT_AT_ONCE,
    }


def _unknown(delivery_id: UUID) -> NotFound:
    return NotFound(f"There is no delivery {delivery_id}.")
