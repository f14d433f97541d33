"""The routes of webhooks and events, over the client of all others."""

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from scrapersky_cli.client import Accepted, ApiClient, Document, given
from scrapersky_cli.errors import Refused

_WEBHOOKS = "api/v3/webhooks"
_DELIVERIES = f"{_WEBHOOKS}/deliveries"
_EVENTS = "api/v3/events"


@dataclass(frozen=True, slots=True)
class WebhooksApi:
    """What can be asked of webhooks and events. Every method raises ApiError."""

    client: ApiClient

    def create(self, body: Document) -> Document:
        """Make a webhook. The answer alone holds its secret."""
        return self._once(_WEBHOOKS, body)

    def webhooks(self, **filters: str | int | None) -> Document:
        """One page of the webhooks, the newest first."""
        return self.client.document("GET", _WEBHOOKS, params=given(filters))

    def webhook(self, webhook_id: UUID) -> Document:
        return self.client.document("GET", f"{_WEBHOOKS}/{webhook_id}")

    def change(self, webhook_id: UUID, changes: Document) -> Document:
        """Change what `changes` names; None takes a value away."""
        return self.client.document("PATCH", f"{_WEBHOOKS}/{webhook_id}", json=changes)

    def delete(self, webhook_id: UUID) -> None:
        """Delete a webhook that there is. Where an answer was lost and this sent again, there is none any more."""
        self.webhook(webhook_id)
        try:
            self.client.send("DELETE", f"{_WEBHOOKS}/{webhook_id}")
        except Refused as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise

    def rotate(self, webhook_id: UUID) -> Document:
        """Give the webhook another secret, which the answer alone holds."""
        return self._once(f"{_WEBHOOKS}/{webhook_id}/rotate-secret", None)

    def test(self, webhook_id: UUID) -> Accepted:
        """Have an event sent to the webhook; `status_url` leads to its delivery once that is made."""
        return self.client.start(f"{_WEBHOOKS}/{webhook_id}/test", None, names="event_id")

    def deliveries(self, webhook_id: UUID, **filters: str | int | None) -> Document:
        """One page of a webhook's deliveries, the newest first."""
        return self.client.document("GET", f"{_WEBHOOKS}/{webhook_id}/deliveries", params=given(filters))

    def delivery(self, delivery_id: UUID) -> Document:
        """A delivery with each of its attempts."""
        return self.client.document("GET", f"{_DELIVERIES}/{delivery_id}")

    def replay(self, delivery_id: UUID) -> Document:
        return self._once(f"{_DELIVERIES}/{delivery_id}/replay", None)

    def replay_many(self, webhook_id: UUID, **asked: str | None) -> Document:
        """Have a webhook's deliveries `since` a time made again; how many there are is in the answer."""
        return self._once(f"{_WEBHOOKS}/{webhook_id}/replay", given(asked))

    def events(self, **filters: str | int | None) -> Document:
        """One page of what happened, the newest first."""
        return self.client.document("GET", _EVENTS, params=given(filters))

    def _once(self, path: str, body: Document | None) -> Document:
        """What a POST is answered that is carried out once, however often it has to be sent."""
        return self.client.document("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
