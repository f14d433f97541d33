"""Webhooks over HTTP: make them, change them, see what they were told and have it told again; and the events."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import delivery_schemas, responses, schemas, webhook_examples, webhook_schemas
from scrapersky.api import webhook_operations as operations
from scrapersky.api.app import create_app
from scrapersky.api.parameters import DEFAULT_LIMIT, Cursor, DeliveryId, IdempotencyKey, Limit, WebhookId
from scrapersky.domain.events import EventType
from scrapersky.domain.webhooks import DeliveryStatus, endpoint_secret
from scrapersky.observability import observed
from scrapersky.services import webhook_log, webhooks
from scrapersky.wiring import database, sender, webhook_key

WEBHOOKS = "/api/v3/webhooks"
DELIVERIES = f"{WEBHOOKS}/deliveries"
EVENTS = "/api/v3/events"

app = create_app()

NewBody = Annotated[
    webhook_schemas.WebhookRequest, Body(openapi_examples={"webhook": {"value": webhook_examples.REQUEST}})
]
ChangeBody = Annotated[
    webhook_schemas.WebhookChange, Body(openapi_examples={"change": {"value": webhook_examples.CHANGE}})
]
ReplayBody = Annotated[
    delivery_schemas.ReplayRequest, Body(openapi_examples={"replay": {"value": webhook_examples.REPLAY_REQUEST}})
]


@app.post(WEBHOOKS, **operations.CREATE)
def create(body: NewBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    wanted = body.wanted(webhooks.receiver(body.url))
    key = webhook_key()
    with database() as db:
        made = webhooks.create(db, caller, wanted, app.idempotency(idempotency_key))
    shown = webhook_schemas.WebhookCreated.of_new(made, endpoint_secret(key, made.id, made.secret_version))
    return responses.created(shown, app.address(f"{WEBHOOKS}/{made.id}"))


@app.get(WEBHOOKS, **operations.LIST)
def list_webhooks(cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: webhooks.listing(db, tenant_id, cursor=cursor, limit=size),
            webhook_schemas.WebhookPage.of,
            limit=limit,
        )


@app.get(f"{WEBHOOKS}/<webhook_id>", **operations.GET)
def get(webhook_id: WebhookId) -> Response[str]:
    with database() as db:
        return responses.answer(webhook_schemas.Webhook.of(webhooks.get(db, app.caller().tenant_id, webhook_id)))


@app.patch(f"{WEBHOOKS}/<webhook_id>", **operations.CHANGE)
def change(webhook_id: WebhookId, body: ChangeBody) -> Response[str]:
    caller = app.caller(body.tenant_id)
    wanted = body.wanted(webhooks.receiver(body.url) if "url" in body.model_fields_set else None)
    with database() as db:
        return responses.answer(webhook_schemas.Webhook.of(webhooks.change(db, caller.tenant_id, webhook_id, wanted)))


@app.delete(f"{WEBHOOKS}/<webhook_id>", **operations.DELETE)
def delete(webhook_id: WebhookId) -> Response[str]:
    with database() as db:
        webhooks.delete(db, app.caller().tenant_id, webhook_id)
    return responses.deleted()


@app.post(f"{WEBHOOKS}/<webhook_id>/rotate-secret", **operations.ROTATE)
def rotate_secret(
    webhook_id: WebhookId, body: schemas.ActionRequest | None = None, idempotency_key: IdempotencyKey = None
) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    key = webhook_key()
    with database() as db:
        rotated = webhooks.rotate(db, caller, webhook_id, app.idempotency(idempotency_key))
    return responses.answer(
        webhook_schemas.WebhookSecret(
            secret=endpoint_secret(key, webhook_id, rotated.secret_version),
            previous_secret_expires_at=rotated.previous_secret_until,
        )
    )


@app.post(f"{WEBHOOKS}/<webhook_id>/test", **operations.TEST)
def send_test(
    webhook_id: WebhookId, body: schemas.ActionRequest | None = None, idempotency_key: IdempotencyKey = None
) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        happened = webhooks.test(db, sender("event"), caller, webhook_id, app.idempotency(idempotency_key))
    status_url = app.address(f"{WEBHOOKS}/{webhook_id}/deliveries?event_id={happened.event_id}")
    return responses.accepted_as(
        webhook_schemas.WebhookTested(event_id=happened.event_id, status_url=status_url, created_at=happened.at),
        status_url,
    )


@app.get(f"{WEBHOOKS}/<webhook_id>/deliveries", **operations.DELIVERIES)
def list_deliveries(
    webhook_id: WebhookId,
    status: Annotated[DeliveryStatus | None, Query(description="Only with this status.")] = None,
    event_id: Annotated[UUID | None, Query(description="Only of this event.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: webhook_log.deliveries(
                db, tenant_id, webhook_id, status=status, event_id=event_id, cursor=cursor, limit=size
            ),
            delivery_schemas.WebhookDeliveryPage.of,
            limit=limit,
        )


@app.post(f"{WEBHOOKS}/<webhook_id>/replay", **operations.REPLAY_MANY)
def replay_many(webhook_id: WebhookId, body: ReplayBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    with database() as db:
        replayed = webhook_log.replay_many(
            db,
            sender("webhook"),
            caller,
            webhook_id,
            since=body.since,
            until=body.until,
            status=body.status,
            idempotency=app.idempotency(idempotency_key),
        )
    status_url = app.address(f"{WEBHOOKS}/{webhook_id}/deliveries?status={DeliveryStatus.PENDING}")
    return responses.accepted_as(
        delivery_schemas.DeliveriesReplayed(
            replayed=replayed.count,
            replayed_truncated=replayed.may_be_more,
            next_since=replayed.next_since,
            status_url=status_url,
        ),
        status_url,
    )


@app.get(f"{DELIVERIES}/<delivery_id>", **operations.DELIVERY)
def get_delivery(delivery_id: DeliveryId) -> Response[str]:
    with database() as db:
        logged = webhook_log.delivery(db, app.caller().tenant_id, delivery_id)
    return responses.answer(delivery_schemas.WebhookDeliveryDetail.of_logged(logged))


@app.post(f"{DELIVERIES}/<delivery_id>/replay", **operations.REPLAY)
def replay(
    delivery_id: DeliveryId, body: schemas.ActionRequest | None = None, idempotency_key: IdempotencyKey = None
) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        webhook_log.replay(db, sender("webhook"), caller, delivery_id, app.idempotency(idempotency_key))
    status_url = app.address(f"{DELIVERIES}/{delivery_id}")
    return responses.accepted_as(
        delivery_schemas.DeliveryReplayed(delivery_id=delivery_id, status_url=status_url), status_url
    )


@app.get(EVENTS, **operations.EVENTS)
def list_events(
    event_type: Annotated[EventType | None, Query(alias="type", description="Only of this type.")] = None,
    job_id: Annotated[UUID | None, Query(description="Only of this job.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Only of this batch, and of its jobs.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: webhook_log.events(
                db, tenant_id, event_type=event_type, job_id=job_id, batch_id=batch_id, cursor=cursor, limit=size
            ),
            delivery_schemas.EventPage.of,
            limit=limit,
        )


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
