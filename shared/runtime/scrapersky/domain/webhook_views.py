"""Webhooks, their deliveries and events as their tenant sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from scrapersky.domain.events import Event
from scrapersky.domain.webhooks import DeliveryStatus

MAX_WEBHOOKS: Final = 10
"""Of a tenant. Each is told of each event that it asked for, so that an event is ten requests at the most."""

MAX_REPLAYED: Final = 10_000
"""Deliveries that one request replays: one statement of a second, and some minutes' work for the workers."""

MAX_SHOWN_ATTEMPTS: Final = 100
"""Of a delivery, the latest. Each replay adds up to ten; a hundred with 1 KiB of answer fit into an answer of ours."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a tenant asks for: a receiver, and the types of events that it is told of."""

    url: str
    events: tuple[str, ...]
    description: str | None


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What a tenant wants otherwise; None is left as it is, and so is the description unless `describes`."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    enabled: bool | None = None
    describes: bool = False
    description: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == WebhookChange()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A tenant's endpoint, as its row stands. `previous_secret_until`: until then the secret before signs as well."""

    id: UUID
    url: str
    events: Sequence[str]
    description: str | None
    is_enabled: bool
    disabled_reason: str | None
    disabled_at: datetime | None
    secret_version: int
    previous_secret_until: datetime | None
    failing_since: datetime | None
    paused_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Rotated:
    """The version of the secret that signs from now on, and until when the one before it signs as well."""

    secret_version: int
    previous_secret_until: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint. `tries` count since it was asked for, `attempts` all that were ever made."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event_type: str
    status: DeliveryStatus
    tries: int
    attempts: int
    next_attempt_at: datetime
    status_code: int | None
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery, as it is logged."""

    number: int
    url: str
    started_at: datetime
    ms: int
    status_code: int | None
    error_code: str | None
    error_message: str | None
    response: str | None


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery with its tries, the latest first, and what it tells."""

    delivery: Delivery
    attempts: Sequence[Attempt]
    event: Event


@dataclass(frozen=True, slots=True)
class Happened:
    """An event that somebody asked for."""

    event_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries are pending anew, and when the latest of them was made."""

    count: int
    latest: datetime | None

    @property
    def may_be_more(self) -> bool:
        return self.count >= MAX_REPLAYED

    @property
    def next_since(self) -> datetime | None:
        """Where to go on; None when there is no more.

        What was made at the latest's very time is among the next once more: a receiver knows it, and none is left out.
        It is no circle, since the deliveries of one time are those of one transaction, a hundred of an endpoint.
        """
        return self.latest if self.may_be_more else None
