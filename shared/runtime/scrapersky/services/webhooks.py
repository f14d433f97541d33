"""What a tenant can do with its webhooks: make, read, change and delete them, rotate their secrets, have one tested."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from scrapersky.db import idempotency as keys
from scrapersky.db import webhooks
from scrapersky.db.connection import Cursor, Database
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.webhook_urls import InvalidReceiver, receiver_url
from scrapersky.domain.webhook_views import MAX_WEBHOOKS, Happened, Rotated, Webhook, WebhookChange, WebhookRequest
from scrapersky.domain.webhooks import SECRET_OVERLAP, WEBHOOK_DISABLED
from scrapersky.errors import Conflict, FieldError, Invalid, NotFound
from scrapersky.observability import logger
from scrapersky.queues import Sender
from scrapersky.services import paging
from scrapersky.services.idempotency import first_holder, made_before, own_key
from scrapersky.services.nudges import nudge

FIRST_VERSION = 1  # of a secret, as the row has it when it is made


def create(db: Database, caller: Caller, request: WebhookRequest, idempotency: Idempotency | None) -> Webhook:
    """Make a webhook; the same key again is answered as the first time, whatever has become of it since.

    Raises:
        Conflict: the tenant has MAX_WEBHOOKS of them (`webhook_limit`).
        NotFound: the key's webhook was deleted.
        IdempotencyKeyReused: the key stands for another request.
    """
    webhook_id = uuid4()
    parameters = {
        "tenant_id": caller.tenant_id,
        "id": webhook_id,
        "url": request.url,
        "events": list(request.events),
        "description": request.description,
        "created_by": caller.user_id,
        "at_most": MAX_WEBHOOKS,
    }

    def work(cursor: Cursor) -> Webhook:
        first = first_holder(cursor, caller, webhook_id, idempotency)
        if first is not None:
            made_at = webhooks.made_at(cursor, caller.tenant_id, first)
            if made_at is None:
                raise unknown(first)
            return _as_made(first, request, made_at)
        made_at = webhooks.create(cursor, parameters)
        if made_at is None:
            raise Conflict(f"There are {MAX_WEBHOOKS} webhooks already: delete one.", code="webhook_limit")
        return _as_made(webhook_id, request, made_at)

    made = db.run(work, tenant_id=caller.tenant_id)
    if made.id == webhook_id:  # else the answer that the key had the first time
        logger().info("webhook made", extra={"webhook_id": str(made.id), "tenant_id": str(caller.tenant_id)})
    return made


def get(db: Database, tenant_id: UUID, webhook_id: UUID) -> Webhook:
    """The webhook.

    Raises:
        NotFound: this tenant has no such webhook; another's is none either.
    """
    found = webhooks.get(db, tenant_id, webhook_id)
    if found is None:
        raise unknown(webhook_id)
    return found


def listing(
    db: Database, tenant_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> tuple[list[Webhook], str | None]:
    """A page of webhooks, newest first, and the cursor of the next one.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    found = webhooks.listing(db, tenant_id, {"before": before, "before_id": before_id, "limit": limit + 1})
    page = found[:limit]
    return page, paging.encode_time(page[-1].created_at, page[-1].id) if len(found) > limit else None


def change(db: Database, tenant_id: UUID, webhook_id: UUID, wanted: WebhookChange) -> Webhook:
    """Change what is wanted otherwise, and leave everything else as it is.

    Raises:
        NotFound: as `get`.
    """
    if wanted.is_empty:
        return get(db, tenant_id, webhook_id)
    changed = db.run(lambda cursor: webhooks.change(cursor, tenant_id, webhook_id, wanted), tenant_id=tenant_id)
    if changed is None:
        raise unknown(webhook_id)
    return changed


def delete(db: Database, tenant_id: UUID, webhook_id: UUID) -> None:
    """Delete the webhook with its deliveries, those that are pending too.

    Raises:
        NotFound: as `get`.
    """
    was_there = False

    def work(cursor: Cursor) -> None:
        nonlocal was_there  # also when this runs again, because the answer to its commit was lost
        was_there |= webhooks.delete(cursor, tenant_id, webhook_id)

    db.run(work, tenant_id=tenant_id)
    if not was_there:
        raise unknown(webhook_id)
    logger().info("webhook deleted", extra={"webhook_id": str(webhook_id), "tenant_id": str(tenant_id)})


def rotate(db: Database, caller: Caller, webhook_id: UUID, idempotency: Idempotency | None) -> Rotated:
    """Give the webhook its next secret, beside which the one before signs for SECRET_OVERLAP.

    Two rotations within that time: the first secret signs no more, since what is rotated twice was not safe the first
    time. A repetition under its key is answered as the first time.

    Raises:
        NotFound: as `get`.
        IdempotencyKeyReused: the key stands for another request.
    """
    once = idempotency or own_key()

    def work(cursor: Cursor) -> Rotated:
        if first_holder(cursor, caller, webhook_id, once) is not None:
            told = told_aside(cursor, caller, once)
            return Rotated(told["secret_version"], datetime.fromisoformat(told["previous_secret_until"]))
        rotated = webhooks.rotate(cursor, caller.tenant_id, webhook_id, overlap=SECRET_OVERLAP)
        if rotated is None:
            raise unknown(webhook_id)
        aside = {
            "secret_version": rotated.secret_version,
            "previous_secret_until": rotated.previous_secret_until.isoformat(),
        }
        keys.tell_aside(cursor, caller.tenant_id, once.key, aside)
        return rotated

    return db.run(work, tenant_id=caller.tenant_id)


def test(db: Database, sender: Sender, caller: Caller, webhook_id: UUID, idempotency: Idempotency | None) -> Happened:
    """Let an event of type `webhook.test` happen for this webhook alone; return the event.

    Raises:
        NotFound: as `get`.
        Conflict: the webhook is disabled (`webhook_disabled`).
        IdempotencyKeyReused: the key stands for another request.
    """
    event_id = uuid4()

    def work(cursor: Cursor) -> tuple[UUID, datetime | None]:
        first = first_holder(cursor, caller, event_id, idempotency)
        if first is None:
            require_enabled(cursor, caller.tenant_id, webhook_id)
            webhooks.test(cursor, caller, event_id, webhook_id)
        event = first or event_id
        return event, webhooks.happened_at(cursor, caller.tenant_id, event)

    event, happened_at = db.run(work, tenant_id=caller.tenant_id)
    if happened_at is None:
        raise NotFound(f"There is no event {event}.")
    if event == event_id:
        nudge(sender, caller.correlation_id)
    return Happened(event, happened_at)


def receiver(url: str) -> str:
    """The address of a request's `url`, as it is called.

    Raises:
        Invalid: nothing can be delivered there (`invalid_url`).
    """
    try:
        return receiver_url(url)
    except InvalidReceiver as error:
        raise Invalid(
            f"url {error.reason}.", code="invalid_url", errors=[FieldError(("body", "url"), error.reason)]
        ) from error


def require_enabled(cursor: Cursor, tenant_id: UUID, webhook_id: UUID) -> None:
    """Raise unless the webhook is there (NotFound) and enabled (Conflict, `webhook_disabled`)."""
    found = webhooks.look_up(cursor, tenant_id, webhook_id)
    if found is None:
        raise unknown(webhook_id)
    if not found.is_enabled:
        raise Conflict("The webhook is disabled: enable it first.", code=WEBHOOK_DISABLED)


def told_aside(cursor: Cursor, caller: Caller, once: Idempotency) -> Mapping[str, Any]:
    """What was told of the request that took the key, beside what it was about."""
    before = made_before(cursor, caller, once)
    aside: Mapping[str, Any] | None = before[1] if before is not None else None
    return aside or {}


def unknown(webhook_id: UUID) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id}.")


def _as_made(webhook_id: UUID, request: WebhookRequest, made_at: datetime) -> Webhook:
    """The webhook as its first answer tells it: what has changed since is for those who ask for it."""
    return Webhook(
        id=webhook_id,
        url=request.url,
        events=request.events,
        description=request.description,
        is_enabled=True,
        disabled_reason=None,
        disabled_at=None,
        secret_version=FIRST_VERSION,
        previous_secret_until=None,
        failing_since=None,
        paused_until=None,
        created_at=made_at,
        updated_at=made_at,
    )
