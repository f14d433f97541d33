"""The parameters that routes share, each with the words that describe it in the OpenAPI document."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query

MAX_WAIT_SECONDS = 20  # the gateway gives up after 30, and a cold start comes on top
MAX_LIMIT = 500  # of the contract; what does not fit into one answer is cut sooner
DEFAULT_LIMIT = 50
MAX_CURSOR_CHARACTERS = 1024  # ours are a quarter of it
MAX_FILTER_CHARACTERS = 253  # the longest name DNS has

JobId = Annotated[UUID, Path(description="The job's id.")]
WebhookId = Annotated[UUID, Path(description="The webhook's id.")]
DeliveryId = Annotated[UUID, Path(description="The delivery's id.")]
BatchId = Annotated[UUID, Path(description="The batch's id.")]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description=(
            "1 to 255 visible ASCII characters. For 24 hours the same key with the same body gives the first answer "
            "again and starts nothing; with another body, or at another address, it is a 422."
        ),
    ),
]

IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match", description="An `ETag` that was sent before; while it still holds, the answer is 304."
    ),
]

Wait = Annotated[
    float,
    Query(
        ge=0,
        le=MAX_WAIT_SECONDS,
        allow_inf_nan=False,
        description="Seconds to hold the answer until the status changes (or, with `If-None-Match`, anything does).",
    ),
]

Redirect = Annotated[
    bool,
    Query(
        description=(
            "Whether a file that does not fit into the answer is a 303 to it. With `false` it is a 200 with the file's "
            "`url`, as `application/json`, for scripts in a browser: they see no address of a redirect."
        )
    ),
]

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on one page at most.")]

Cursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before; opaque."),
]
