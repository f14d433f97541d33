"""How webhooks are signed, and when a delivery is tried again: Standard Webhooks 1.0.0, without a socket or a clock.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

What an attempt comes to:
    2xx                             delivered, whatever its body
    410                             gone: failed, and its endpoint is disabled
    anything else, tries left       tried again after the step of the schedule, or what Retry-After asks for
    anything else, no try left      failed
    workers lost, MAX_CLAIMS times  an attempt that failed, without an answer
"""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - no secret: how one of an endpoint begins

SECRET_OVERLAP: Final = timedelta(hours=24)
"""For how long after a rotation the secret before signs as well: a receiver has a working day to take the new one."""

RETRY_DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""From one try to the next: the example schedule of the specification, three days and a quarter in all."""

MAX_TRIES: Final = len(RETRY_DELAYS) + 1

JITTER: Final = 0.2
"""Each delay is this share longer or shorter, so that what failed together does not come back together."""

FAILING_FOR: Final = timedelta(days=3)
"""An endpoint none of whose deliveries got through for so long is disabled: about as long as one of them is tried."""

PAUSE_LEAST: Final = timedelta(seconds=4)
"""For which an endpoint that failed gets nothing else: what its first retry takes at the least."""

PAUSE_SHARE: Final = 0.5
"""Of the time for which it has been failing, an endpoint is left alone next: each pause is half as long again."""

PAUSE_MOST: Final = timedelta(minutes=30)
"""Of a pause: an endpoint that is back after days gets its first delivery within half an hour."""

MAX_PAUSE_ASKED: Final = timedelta(hours=1)
"""What a Retry-After is honoured for as to an endpoint's other deliveries; more would be a way to stop the queue."""

MAX_CLAIMS: Final = 3
"""Workers in a row that may be lost with a delivery before that counts as a try that failed. As of a job: one loss is a
deployment and two are bad luck, but what is lost each time is what kills its workers, and all that they are at."""

WEBHOOK_DISABLED: Final = "webhook_disabled"
"""The error code of a delivery whose endpoint was disabled before it got through. The others are those of a fetch,
`worker_lost` and `internal`."""

DISABLED_MESSAGES: Final[Mapping[str, str]] = {
    "by_request": "the webhook was disabled before this was delivered",
    "gone": "the webhook was disabled before this was delivered: its receiver had answered 410 Gone",
    "failing": "the webhook was disabled before this was delivered: nothing had got through to it for three days",
}
"""What a delivery says that ended undelivered with its endpoint, by `disabled_reason`."""


GONE: Final = 410
"""The status that says that an endpoint wants no more (RFC 9110 15.5.11), as the specification has it."""


class DeliveryStatus(StrEnum):
    """Where the delivery of an event to an endpoint stands. A replay sets one that has ended pending anew."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing any more: it was asked for, it answered 410, or it failed for FAILING_FOR."""

    BY_REQUEST = "by_request"
    GONE = "gone"
    FAILING = "failing"


class Outcome(StrEnum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    FAILED = "failed"
    GONE = "gone"


def require_key(key: str) -> None:
    """Raise ValueError for an empty key, with which every secret would be known to everybody."""
    if not key:
        raise ValueError("the key of webhook secrets is empty")


def endpoint_secret(key: str, webhook_id: UUID, version: int) -> str:
    """The secret of an endpoint as its receiver is told it: `whsec_` and 32 bytes in base64.

    It is derived, so that none is stored: HMAC-SHA256 of `{webhook_id}:{version}` under `key`, which is one for the
    whole installation. Whoever lacks the key learns from one endpoint's secret nothing about another's.

    Raises:
        ValueError: the key is empty.
    """
    require_key(key)
    return SECRET_PREFIX + b64encode(_derived(key, webhook_id, version)).decode("ascii")


def signing_keys(key: str, webhook_id: UUID, version: int, *, with_previous: bool) -> list[bytes]:
    """The bytes that sign for an endpoint, the newest first; the version before too while a rotation is under way.

    Raises:
        ValueError: the key is empty.
    """
    require_key(key)
    versions = [version, version - 1] if with_previous and version > 1 else [version]
    return [_derived(key, webhook_id, each) for each in versions]


def _derived(key: str, webhook_id: UUID, version: int) -> bytes:
    return hmac.digest(key.encode("utf-8"), f"{webhook_id}:{version}".encode("ascii"), "sha256")


def payload(event_type: str, occurred_at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body that tells of an event: the same bytes whenever and however often it is made.

    The names of its objects are sorted: jsonb gives them in an order of its own, which no test or log can foresee.
    """
    told = {"type": event_type, "timestamp": rfc3339(occurred_at), "data": data}
    return json.dumps(told, separators=(",", ":"), sort_keys=True, allow_nan=False).encode("ascii")


def rfc3339(time: datetime) -> str:
    """UTC with microseconds, as events tell all their times: `2026-01-31T12:00:00.000000Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def signed_headers(keys: Sequence[bytes], *, event_id: UUID, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of the specification; `timestamp` is of the attempt, in seconds since 1970.

    Receivers refuse what is older than five minutes, so each try is signed anew, under the same id.
    """
    signed = b"%s.%d.%s" % (str(event_id).encode("ascii"), timestamp, body)
    signatures = (b64encode(hmac.digest(key, signed, "sha256")).decode("ascii") for key in keys)
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a delivery: `delay` is until its next try, `pause` until its endpoint's others go on."""

    outcome: Outcome
    delay: timedelta | None = None
    pause: timedelta | None = None

    @property
    def status(self) -> DeliveryStatus:
        if self.outcome is Outcome.DELIVERED:
            return DeliveryStatus.DELIVERED
        return DeliveryStatus.PENDING if self.outcome is Outcome.RETRIED else DeliveryStatus.FAILED


def decide(
    status_code: int | None,
    *,
    tries: int,
    retry_after: float | None,
    failing_for: timedelta,
    draw: Callable[[], float],
) -> Decision:
    """What an attempt comes to.

    Args:
        status_code: of the answer; None when none came.
        tries: how many there have been, this one too.
        retry_after: the seconds that the answer asks for.
        failing_for: since when nothing got through to the endpoint; zero for its first failure.
        draw: a random number from 0 to 1.
    """
    if status_code is not None and 200 <= status_code <= 299:
        return Decision(Outcome.DELIVERED)
    if status_code == GONE:
        return Decision(Outcome.GONE)
    asked = timedelta(seconds=min(retry_after or 0.0, RETRY_DELAYS[-1].total_seconds()))
    pause = max(pause_after(failing_for), min(asked, MAX_PAUSE_ASKED))
    if tries >= MAX_TRIES:
        return Decision(Outcome.FAILED, pause=pause)
    step = RETRY_DELAYS[tries - 1]
    # What asks for more than the step after this one would be left with fewer tries than it has to be given.
    longest = RETRY_DELAYS[min(tries, len(RETRY_DELAYS) - 1)]
    delay = max(step * (1 - JITTER + 2 * JITTER * draw()), min(asked, longest))
    return Decision(Outcome.RETRIED, delay=delay, pause=pause)


def pause_after(failing_for: timedelta) -> timedelta:
    """How long an endpoint is left alone after a failure, having failed for so long."""
    return min(max(failing_for * PAUSE_SHARE, PAUSE_LEAST), PAUSE_MOST)
