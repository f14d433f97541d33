"""The examples of webhooks, deliveries and events in the OpenAPI document. A test holds each against its model."""

from typing import Any

from scrapersky.domain.events import EventType

_WEBHOOK_ID = "5c0e9a72-4f1d-4b86-9e3a-7d28c1b6f054"
_DELIVERY_ID = "e91b3f60-7c42-4d15-a8b9-30f6d2e7c418"
_EVENT_ID = "a37d5c18-92e4-4f0b-b6d1-84c9e0f2736a"
_JOB_ID = "3f8a1c52-6d0e-4b79-9c14-2e7b5d90a8f6"
_BATCH_ID = "c64e0b97-1a35-4d8f-8b02-f7932d5e6a1c"
_PATH = "https://api.scrapersky.example/api/v3/webhooks"
_MADE = "2026-03-02T08:00:00.250000Z"
_CREATED = "2026-03-02T09:15:04.120000Z"
_STARTED = "2026-03-02T09:15:04.480000Z"
_FINISHED = "2026-03-02T09:15:06.910000Z"
_TRIED = "2026-03-02T09:15:07.330000Z"
_NEXT = "2026-03-02T09:15:12.870000Z"
_LATER = "2026-03-03T08:00:00.250000Z"
_SECRET = "whsec_ZXhhbXBsZS1vZi1hLXNlY3JldC1vZi0zMi1ieXRlcyE="  # noqa: S105 - it says what it is

REQUEST: dict[str, Any] = {
    "url": "https://hooks.shop.example/scrapersky",
    "events": ["job.complete", "job.failed"],
    "description": "Orders",
}
WEBHOOK: dict[str, Any] = {
    "id": _WEBHOOK_ID,
    **REQUEST,
    "enabled": True,
    "disabled_reason": None,
    "disabled_at": None,
    "failing_since": None,
    "paused_until": None,
    "previous_secret_expires_at": None,
    "created_at": _MADE,
    "updated_at": _MADE,
}
CREATED: dict[str, Any] = {**WEBHOOK, "secret": _SECRET}
WEBHOOKS: dict[str, Any] = {"items": [WEBHOOK], "next_cursor": None}
CHANGE: dict[str, Any] = {"description": None, "enabled": True}
CHANGED: dict[str, Any] = {**WEBHOOK, "description": None, "updated_at": _FINISHED}
SECRET: dict[str, Any] = {"secret": _SECRET, "previous_secret_expires_at": _LATER}
TESTED: dict[str, Any] = {
    "event_id": _EVENT_ID,
    "status_url": f"{_PATH}/{_WEBHOOK_ID}/deliveries?event_id={_EVENT_ID}",
    "created_at": _FINISHED,
}

_JOB: dict[str, Any] = {
    "job_id": _JOB_ID,
    "kind": "domain_scan",
    "status": "complete",
    "domain": "shop.example",
    "batch_id": None,
    "error": None,
    "created_at": _CREATED,
    "started_at": _STARTED,
    "finished_at": _FINISHED,
}
_JOB_FAILED: dict[str, Any] = {
    **_JOB,
    "status": "failed",
    "error": {"code": "dns_failure", "message": "shop.example could not be looked up", "retryable": True},
}
_JOB_CANCELLED: dict[str, Any] = {
    **_JOB,
    "status": "cancelled",
    "started_at": None,
    "error": {"code": "cancelled", "message": "cancelled on request", "retryable": True},
}
_BATCH: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "kind": "domain_scan",
    "status": "complete",
    "total_domains": 3,
    "completed_domains": 2,
    "failed_domains": 1,
    "cancelled_domains": 0,
    "created_at": _CREATED,
    "start_time": _STARTED,
    "end_time": _FINISHED,
}
_BATCH_FAILED: dict[str, Any] = {**_BATCH, "status": "failed", "completed_domains": 0, "failed_domains": 3}
_BATCH_CANCELLED: dict[str, Any] = {**_BATCH, "status": "cancelled", "failed_domains": 0, "cancelled_domains": 1}

_DATA: dict[EventType, dict[str, Any]] = {
    EventType.JOB_COMPLETE: _JOB,
    EventType.JOB_FAILED: _JOB_FAILED,
    EventType.JOB_CANCELLED: _JOB_CANCELLED,
    EventType.BATCH_COMPLETE: _BATCH,
    EventType.BATCH_FAILED: _BATCH_FAILED,
    EventType.BATCH_CANCELLED: _BATCH_CANCELLED,
    EventType.WEBHOOK_TEST: {"webhook_id": _WEBHOOK_ID},
}
PAYLOADS: dict[EventType, dict[str, Any]] = {
    kind: {"type": kind.value, "timestamp": _FINISHED, "data": data} for kind, data in _DATA.items()
}

EVENT: dict[str, Any] = {
    "id": _EVENT_ID,
    "type": "job.complete",
    "timestamp": _FINISHED,
    "job_id": _JOB_ID,
    "batch_id": None,
    "webhook_id": None,
    "data": _JOB,
}
EVENTS: dict[str, Any] = {"items": [EVENT], "next_cursor": "WyIyMDI2Il0"}
DELIVERY: dict[str, Any] = {
    "id": _DELIVERY_ID,
    "webhook_id": _WEBHOOK_ID,
    "event_id": _EVENT_ID,
    "event_type": "job.complete",
    "status": "pending",
    "tries": 1,
    "attempts": 1,
    "next_attempt_at": _NEXT,
    "status_code": 503,
    "error": {"code": "http_error", "message": "the receiver answered 503"},
    "created_at": _FINISHED,
    "updated_at": _TRIED,
    "finished_at": None,
}
DELIVERIES: dict[str, Any] = {"items": [DELIVERY], "next_cursor": None}
DELIVERY_DETAIL: dict[str, Any] = {
    **DELIVERY,
    "event": EVENT,
    "log": [
        {
            "number": 1,
            "url": REQUEST["url"],
            "started_at": _FINISHED,
            "ms": 231,
            "status_code": 503,
            "error": DELIVERY["error"],
            "response": "Service Unavailable",
        }
    ],
}
REPLAYED: dict[str, Any] = {"delivery_id": _DELIVERY_ID, "status_url": f"{_PATH}/deliveries/{_DELIVERY_ID}"}
REPLAY_REQUEST: dict[str, Any] = {"since": "2026-03-02T00:00:00Z", "status": "failed"}
REPLAYED_MANY: dict[str, Any] = {
    "replayed": 42,
    "replayed_truncated": False,
    "next_since": None,
    "status_url": f"{_PATH}/{_WEBHOOK_ID}/deliveries?status=pending",
}
