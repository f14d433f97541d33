"""The requests and answers about deliveries and events: what was told to whom, and what is to be told again."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field

from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer, Asked, Page
from scrapersky.domain import webhook_views as views
from scrapersky.domain.events import Event, EventType, told_data
from scrapersky.domain.webhooks import DeliveryStatus

Count = Annotated[int, Field(ge=0)]
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}")


def _written_time(text: object) -> object:
    """Only what RFC 3339 calls a date-time: Pydantic would take seconds since 1970 and dates as well."""
    if text is not None and not (isinstance(text, str) and _TIME.match(text)):
        raise ValueError("is not a time as YYYY-MM-DDTHH:MM:SSZ")
    return text


class DeliveryError(Answer):
    """Why an attempt did not get through."""

    code: str = Field(
        description="`http_error`, `timeout`, `dns_failure` and other codes of a scan's, `webhook_disabled`, or "
        "`worker_lost`: the workers that tried it were lost on our side, and it may have got through."
    )
    message: str


class WebhookDelivery(Answer):
    """One event for one webhook. `delivered` and `failed` are final."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event_type: EventType
    status: DeliveryStatus
    tries: Count = Field(description="Since it was asked for, or replayed: ten at the most.")
    attempts: Count = Field(description="In all.")
    next_attempt_at: Time | None = Field(description="Null once it is final.")
    status_code: int | None = Field(description="Of the last attempt's answer; null without one.")
    error: DeliveryError | None = Field(description="Of the last attempt.")
    created_at: Time
    updated_at: Time
    finished_at: Time | None

    @classmethod
    def of(cls, delivery: views.Delivery) -> Self:
        return cls.model_validate(_shown_delivery(delivery))


class WebhookAttempt(Answer):
    """One try."""

    number: Annotated[int, Field(ge=1)]
    url: str = Field(description="The webhook's address at that time.")
    started_at: Time
    ms: Count = Field(description="How long it took, in milliseconds.")
    status_code: int | None
    error: DeliveryError | None
    response: str | None = Field(description="How the answer began: a kibibyte of it at the most.")

    @classmethod
    def of(cls, attempt: views.Attempt) -> Self:
        return cls(
            number=attempt.number,
            url=attempt.url,
            started_at=attempt.started_at,
            ms=attempt.ms,
            status_code=attempt.status_code,
            error=_error(attempt.error_code, attempt.error_message),
            response=attempt.response,
        )


class EventItem(Answer):
    """Something that happened, as receivers are told of it."""

    id: UUID = Field(description="The `webhook-id` of its deliveries, by which a receiver knows one told twice.")
    type: EventType
    timestamp: Time = Field(description="When it happened.")
    job_id: UUID | None
    batch_id: UUID | None
    webhook_id: UUID | None = Field(description="Of a test: whom it is for.")
    data: dict[str, Any] = Field(description="By its type, as the document's `webhooks` describe it.")

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=event.id,
            type=event.type,
            timestamp=event.occurred_at,
            job_id=event.job_id,
            batch_id=event.batch_id,
            webhook_id=event.webhook_id,
            data=told_data(event.data),
        )


class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with what it tells, and each of its attempts."""

    event: EventItem
    log: list[WebhookAttempt] = Field(
        description=f"Its attempts, the latest first: {views.MAX_SHOWN_ATTEMPTS} at the most."
    )

    @classmethod
    def of_logged(cls, logged: views.LoggedDelivery) -> Self:
        shown = _shown_delivery(logged.delivery)
        log = [WebhookAttempt.of(attempt) for attempt in logged.attempts]
        return cls.model_validate({**shown, "event": EventItem.of(logged.event), "log": log})


class WebhookDeliveryPage(Page):
    items: list[WebhookDelivery]

    @classmethod
    def of(cls, deliveries: Sequence[views.Delivery], next_cursor: str | None) -> Self:
        return cls(items=[WebhookDelivery.of(delivery) for delivery in deliveries], next_cursor=next_cursor)


class DeliveryReplayed(Answer):
    """The delivery is pending anew, with all its tries before it."""

    delivery_id: UUID
    status_url: str = Field(description="Absolute address of the delivery; the same as in `Location`.")


class ReplayRequest(Asked):
    """Which deliveries of a webhook to make again."""

    since: Annotated[AwareDatetime, BeforeValidator(_written_time)] = Field(
        description="Those made at this time or later."
    )
    until: Annotated[AwareDatetime | None, BeforeValidator(_written_time)] = Field(
        None, description="Those made before this time; null for up to now."
    )
    status: DeliveryStatus = Field(
        DeliveryStatus.FAILED,
        description="Those that stand so. `pending` is what waits for another try, which is made at once.",
    )


class DeliveriesReplayed(Answer):
    """Deliveries are pending anew, with all their tries before them."""

    replayed: Count
    replayed_truncated: bool = Field(
        description=f"Whether it were as many as one request replays, {views.MAX_REPLAYED}: there may be more."
    )
    next_since: Time | None = Field(
        description="When there may be more, the `since` to go on with: when the latest of these was made. What was "
        "made at that very time may be among the next once more."
    )
    status_url: str = Field(description="Where they are to be seen while they are pending; the same as in `Location`.")


class EventPage(Page):
    items: list[EventItem]

    @classmethod
    def of(cls, events: Sequence[Event], next_cursor: str | None) -> Self:
        return cls(items=[EventItem.of(event) for event in events], next_cursor=next_cursor)


def _shown_delivery(delivery: views.Delivery) -> dict[str, Any]:
    is_pending = delivery.status is DeliveryStatus.PENDING
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "status": delivery.status,
        "tries": delivery.tries,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at if is_pending else None,
        "status_code": delivery.status_code,
        "error": _error(delivery.error_code, delivery.error_message),
        "created_at": delivery.created_at,
        "updated_at": delivery.updated_at,
        "finished_at": delivery.finished_at,
    }


def _error(code: str | None, message: str | None) -> DeliveryError | None:
    return DeliveryError(code=code, message=message or "") if code is not None else None
