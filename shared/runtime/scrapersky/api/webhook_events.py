"""What receivers are sent, as the OpenAPI document's `webhooks` describe it: a payload a type of event."""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from scrapersky.api import webhook_examples as examples
from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer, Error
from scrapersky.domain.events import EventType
from scrapersky.domain.status import JobKind, JobStatus

_HEADERS = {
    "webhook-id": ("The event's id: the same at each try and each replay.", {"type": "string", "format": "uuid"}),
    "webhook-timestamp": ("When this try was made, in seconds since 1970.", {"type": "string", "pattern": "^[0-9]+$"}),
    "webhook-signature": (
        "`v1,` and the base64 of an HMAC-SHA256 under the webhook's secret (Standard Webhooks). For 24 hours after a"
        " rotation there are two, with a space between them, one of each secret.",
        {"type": "string"},
    ),
}
_SUMMARIES = {
    EventType.JOB_COMPLETE: "A job is complete",
    EventType.JOB_FAILED: "A job failed",
    EventType.JOB_CANCELLED: "A job was cancelled",
    EventType.BATCH_COMPLETE: "No job of a batch is open any more: all or some are complete",
    EventType.BATCH_FAILED: "No job of a batch is open any more: it failed",
    EventType.BATCH_CANCELLED: "No job of a batch is open any more: it was cancelled",
    EventType.WEBHOOK_TEST: "A test that was asked for",
}
_DESCRIPTION = (
    "Sent by POST, as Standard Webhooks 1.0 has it. Answer with a 2xx within 15 seconds; redirects are not followed. "
    "410 disables the webhook; whatever else is answered is tried again for three days. The same event may come twice: "
    "know it by `webhook-id`. What is sent is always this small; ask the API for results."
)


class JobEventData(Answer):
    """A job that ended."""

    job_id: UUID
    kind: JobKind
    status: Literal[JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED]
    domain: str
    batch_id: UUID | None
    error: Error | None
    created_at: Time
    started_at: Time | None
    finished_at: Time


class BatchEventData(Answer):
    """A batch none of whose jobs is open any more. When jobs of it are retried, it ends once more."""

    batch_id: UUID
    kind: JobKind
    status: Literal[JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED]
    total_domains: int
    completed_domains: int
    failed_domains: int
    cancelled_domains: int
    created_at: Time
    start_time: Time | None
    end_time: Time


class TestEventData(Answer):
    """That deliveries arrive."""

    __test__ = False

    webhook_id: UUID


class Payload(Answer):
    """The body of a delivery."""

    timestamp: Time = Field(description="When it happened.")


class JobEvent(Payload):
    """What is sent when a job ends."""

    type: Literal[EventType.JOB_COMPLETE, EventType.JOB_FAILED, EventType.JOB_CANCELLED]
    data: JobEventData


class BatchEvent(Payload):
    """What is sent when a batch ends."""

    type: Literal[EventType.BATCH_COMPLETE, EventType.BATCH_FAILED, EventType.BATCH_CANCELLED]
    data: BatchEventData


class TestEvent(Payload):
    """What is sent to try a webhook."""

    __test__ = False

    type: Literal[EventType.WEBHOOK_TEST]
    data: TestEventData


def payload_model(event_type: EventType) -> type[BaseModel]:
    """The model of the body that tells of events of this type."""
    if event_type is EventType.WEBHOOK_TEST:
        return TestEvent
    return JobEvent if event_type.is_of_a_job else BatchEvent


def described(ref_template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the document's `webhooks` by event type, the schemas that they refer to by `ref_template`)."""
    schemas: dict[str, Any] = {}
    for model in (JobEvent, BatchEvent, TestEvent):
        schema = model.model_json_schema(ref_template=ref_template, mode="serialization")
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    return {kind.value: {"post": _post(kind, ref_template)} for kind in EventType}, schemas


def _post(event_type: EventType, ref_template: str) -> Mapping[str, Any]:
    model = payload_model(event_type).__name__
    return {
        "operationId": f"on_{event_type.value.replace('.', '_')}",
        "summary": _SUMMARIES[event_type],
        "description": _DESCRIPTION,
        "tags": ["Webhooks"],
        "security": [],  # a signature and no token
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": description, "schema": schema}
            for name, (description, schema) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": ref_template.format(model=model)},
                    "examples": {"sent": {"value": examples.PAYLOADS[event_type]}},
                }
            },
        },
        "responses": {
            "2XX": {"description": "It was received."},
            "410": {"description": "Nothing more is wanted: the webhook is disabled."},
            "default": {"description": "It was not received: it is sent again later."},
        },
    }
