"""The requests and answers about webhooks; of deliveries and events: delivery_schemas; what is sent: webhook_events."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field

from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer, Asked, Page
from scrapersky.domain import webhook_views as views
from scrapersky.domain.events import EventType
from scrapersky.domain.webhook_urls import MAX_URL_CHARS
from scrapersky.domain.webhooks import DisabledReason

MAX_DESCRIPTION_CHARACTERS = 500

SubscribedType = Literal[
    "job.complete", "job.failed", "job.cancelled", "batch.complete", "batch.failed", "batch.cancelled"
]
SUBSCRIBED = tuple(kind.value for kind in EventType if kind is not EventType.WEBHOOK_TEST)

Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="Where events are sent by POST: http or https, a public host name, port 80 or 443, and neither user"
        " information nor fragment. It is told as it is called, by the URL standard.",
        examples=["https://hooks.shop.example/scrapersky"],
    ),
]
Subscribed = Annotated[
    list[SubscribedType],
    Field(min_length=1, max_length=100, description="The types of events to be told of. Null is all of them."),
]
Description = Annotated[
    str, Field(max_length=MAX_DESCRIPTION_CHARACTERS, description="For people: what is behind the address.")
]


class WebhookRequest(Asked):
    """A webhook to make."""

    url: Url
    events: Subscribed | None = None
    description: Description | None = None

    def wanted(self, url: str) -> views.WebhookRequest:
        """What the service is asked for, with the address as it is called."""
        return views.WebhookRequest(url, types_of(self.events) or SUBSCRIBED, self.description)


class WebhookChange(Asked):
    """What is to be otherwise (RFC 7396): a field that is left out stays as it is."""

    url: Url = Field(default_factory=str)  # never read: without one, a default would be documented
    events: Subscribed | None = None
    description: Description | None = None
    enabled: bool = Field(
        default_factory=bool,
        strict=True,
        description="False: nothing is delivered any more, and what is pending fails. True: it is taken for well again,"
        " whatever it was disabled or paused for.",
    )

    def wanted(self, url: str | None) -> views.WebhookChange:
        """What the service is asked for; `url` is the address as it is called, if another one is asked for."""
        asked = self.model_fields_set
        return views.WebhookChange(
            url=url,
            events=(types_of(self.events) or SUBSCRIBED) if "events" in asked else None,
            enabled=self.enabled if "enabled" in asked else None,
            describes="description" in asked,
            description=self.description,
        )


def types_of(events: Sequence[str] | None) -> tuple[str, ...]:
    """The types, each once, in the order in which they are documented."""
    return tuple(kind for kind in SUBSCRIBED if kind in (events or ()))


class Webhook(Answer):
    """An endpoint that is told of events."""

    id: UUID
    url: str
    events: list[SubscribedType]
    description: str | None
    enabled: bool
    disabled_reason: DisabledReason | None = Field(
        description="`by_request`; `gone`: it answered 410; `failing`: nothing got through to it for three days."
    )
    disabled_at: Time | None
    failing_since: Time | None = Field(description="Since when nothing got through; null while things do.")
    paused_until: Time | None = Field(description="It failed a moment ago: nothing else is sent to it before.")
    previous_secret_expires_at: Time | None = Field(
        description="Until then deliveries are signed with the secret before the last rotation, too."
    )
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, webhook: views.Webhook) -> Self:
        return cls.model_validate(_shown(webhook))


class WebhookCreated(Webhook):
    """A webhook that was just made, with its secret, which is told here and nowhere else again."""

    secret: str = Field(description="Verifies the signatures (`whsec_…`, Standard Webhooks). Keep it safe.")

    @classmethod
    def of_new(cls, webhook: views.Webhook, secret: str) -> Self:
        return cls.model_validate({**_shown(webhook), "secret": secret})


class WebhookPage(Page):
    items: list[Webhook]

    @classmethod
    def of(cls, webhooks: Sequence[views.Webhook], next_cursor: str | None) -> Self:
        return cls(items=[Webhook.of(webhook) for webhook in webhooks], next_cursor=next_cursor)


class WebhookSecret(Answer):
    """The secret that signs from now on."""

    secret: str = Field(description="`whsec_…`; told here and nowhere else again.")
    previous_secret_expires_at: Time = Field(
        description="Until then the secret before signs as well, so that both verify."
    )


class WebhookTested(Answer):
    """An event of type `webhook.test` happened for this webhook alone."""

    event_id: UUID = Field(description="The delivery's `webhook-id`.")
    status_url: str = Field(description="Where its delivery is to be seen, once it is made; the same as in `Location`.")
    created_at: Time


def _shown(webhook: views.Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": types_of(webhook.events),
        "description": webhook.description,
        "enabled": webhook.is_enabled,
        "disabled_reason": webhook.disabled_reason,
        "disabled_at": webhook.disabled_at,
        "failing_since": webhook.failing_since,
        "paused_until": webhook.paused_until,
        "previous_secret_expires_at": webhook.previous_secret_until,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }
