"""What the OpenAPI document says of the operations on webhooks, their deliveries, and events."""

from scrapersky.api import delivery_schemas, webhook_examples, webhook_schemas
from scrapersky.api.operations import (
    OF_A_BODY,
    OF_A_LIST,
    OF_A_TOKEN,
    OF_ACCEPTED,
    OF_AN_ACTION,
    OF_AN_ITEM,
    OF_CREATED,
    json_of,
    operation,
)
from scrapersky.domain.webhook_views import MAX_REPLAYED, MAX_WEBHOOKS

_WEBHOOKS, _EVENTS = "Webhooks", "Events"

CREATE = operation(
    "create_webhook",
    "Make a webhook",
    tag=_WEBHOOKS,
    description=(
        f"Its receiver is told of events by signed POSTs, as `webhooks` describes them. A tenant has {MAX_WEBHOOKS} at "
        "the most; one more is a 409, `webhook_limit`. The secret is told here and nowhere else; the same "
        "`Idempotency-Key` tells it again."
    ),
    status=201,
    content=json_of(webhook_schemas.WebhookCreated, webhook_examples.CREATED),
    headers=OF_CREATED,
    problems=(*OF_A_TOKEN, *OF_A_BODY, 404, 409),
)

LIST = operation(
    "list_webhooks",
    "The tenant's webhooks, newest first",
    tag=_WEBHOOKS,
    content=json_of(webhook_schemas.WebhookPage, webhook_examples.WEBHOOKS),
    problems=OF_A_LIST,
)

GET = operation(
    "get_webhook",
    "One webhook",
    tag=_WEBHOOKS,
    content=json_of(webhook_schemas.Webhook, webhook_examples.WEBHOOK),
    problems=OF_AN_ITEM,
)

CHANGE = operation(
    "change_webhook",
    "Change a webhook",
    tag=_WEBHOOKS,
    description=(
        "As JSON Merge Patch (RFC 7396), sent as `application/json`: what is left out stays. `null` takes the "
        "description away, and sets `events` to all. Another address, and `enabled: true`, end a pause. What failed "
        "while it was disabled stays so until it is replayed."
    ),
    content=json_of(webhook_schemas.Webhook, webhook_examples.CHANGED),
    problems=(*OF_AN_ITEM, *OF_A_BODY),
)

DELETE = operation(
    "delete_webhook",
    "Delete a webhook",
    tag=_WEBHOOKS,
    description="Its deliveries go with it, those that are pending too.",
    status=204,
    content={},
    problems=OF_AN_ITEM,
)

ROTATE = operation(
    "rotate_webhook_secret",
    "Give a webhook another secret",
    tag=_WEBHOOKS,
    description=(
        "For 24 hours the secret before signs as well, so that the receiver can change over. Rotated once more within "
        "them, the first of the three signs no longer: only the latest one and the one right before it."
    ),
    content=json_of(webhook_schemas.WebhookSecret, webhook_examples.SECRET),
    problems=(*OF_AN_ITEM, *OF_A_BODY),
)

TEST = operation(
    "test_webhook",
    "Send a webhook an event of type webhook.test",
    tag=_WEBHOOKS,
    description="It is for this one alone, whatever types it asks for. A disabled one is a 409, `webhook_disabled`.",
    status=202,
    content=json_of(webhook_schemas.WebhookTested, webhook_examples.TESTED),
    headers=OF_ACCEPTED,
    problems=OF_AN_ACTION,
)

DELIVERIES = operation(
    "list_webhook_deliveries",
    "A webhook's deliveries, newest first",
    tag=_WEBHOOKS,
    description="Kept for 30 days, as their events are.",
    content=json_of(delivery_schemas.WebhookDeliveryPage, webhook_examples.DELIVERIES),
    problems=OF_AN_ITEM,
)

DELIVERY = operation(
    "get_webhook_delivery",
    "One delivery with each of its attempts",
    tag=_WEBHOOKS,
    content=json_of(delivery_schemas.WebhookDeliveryDetail, webhook_examples.DELIVERY_DETAIL),
    problems=OF_AN_ITEM,
)

REPLAY = operation(
    "replay_webhook_delivery",
    "Make a delivery again",
    tag=_WEBHOOKS,
    description=(
        "Whatever became of it, it is pending anew, with all its tries before it; one that waits for its next try is "
        "tried at once. The receiver gets the same bytes under the same `webhook-id`. Of a disabled webhook it is a "
        "409, `webhook_disabled`; while it is being tried, `delivery_under_way`."
    ),
    status=202,
    content=json_of(delivery_schemas.DeliveryReplayed, webhook_examples.REPLAYED),
    headers=OF_ACCEPTED,
    problems=OF_AN_ACTION,
)

REPLAY_MANY = operation(
    "replay_webhook_deliveries",
    "Make a webhook's deliveries again",
    tag=_WEBHOOKS,
    description=(
        f"Those since a time that failed, unless `status` says otherwise: the oldest {MAX_REPLAYED} of them, which "
        "`replayed_truncated` tells; `next_since` leads to the rest. Of a disabled webhook it is a 409, "
        "`webhook_disabled`."
    ),
    status=202,
    content=json_of(delivery_schemas.DeliveriesReplayed, webhook_examples.REPLAYED_MANY),
    headers=OF_ACCEPTED,
    problems=OF_AN_ACTION,
)

EVENTS = operation(
    "list_events",
    "What happened, newest first",
    tag=_EVENTS,
    description="The end of each job and batch, whether a webhook was told of it or not. Kept for 30 days.",
    content=json_of(delivery_schemas.EventPage, webhook_examples.EVENTS),
    problems=OF_A_LIST,
)
