"""Batches over HTTP: start one, ask how it stands, steer it, fetch what it found."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import batch_examples, batch_schemas, examples, export_lines, responses, schemas
from scrapersky.api.app import create_app
from scrapersky.api.export_lines import Format
from scrapersky.api.operations import (
    OF_A_BODY,
    OF_A_LIST,
    OF_A_TOKEN,
    OF_ACCEPTED,
    OF_AN_ACTION,
    OF_AN_ITEM,
    OF_STATUS,
    json_of,
    operation,
)
from scrapersky.api.parameters import DEFAULT_LIMIT, BatchId, Cursor, IdempotencyKey, IfNoneMatch, Limit, Redirect, Wait
from scrapersky.domain.batches import Batch, StartedBatch
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.observability import observed
from scrapersky.services import batch as batches
from scrapersky.services import export, jobs
from scrapersky.services.nudges import nudge
from scrapersky.wiring import database, exports, sender

BATCHES = "/api/v3/batch_page_scraper/batch"

app = create_app()

BatchBody = Annotated[
    batch_schemas.BatchRequest, Body(openapi_examples={"batch": {"value": batch_examples.BATCH_REQUEST}})
]
RetryBody = Annotated[
    batch_schemas.BatchRetryRequest | None,
    Body(openapi_examples={"timeouts": {"value": batch_examples.BATCH_RETRY_REQUEST}}),
]
WithDomains = Annotated[bool, Query(description="Whether to show the domains; without them the answer stays small.")]
ResultFormat = Annotated[Format, Query(description="`ndjson` is everything, `csv` the flat facts for a spreadsheet.")]


@app.post(
    BATCHES,
    **operation(
        "start_batch",
        "Start a batch of domain scans",
        tag="Batches",
        description="Duplicates are one job. What is no domain is a failed job, and told in `rejected`.",
        status=202,
        content=json_of(batch_schemas.BatchAccepted, batch_examples.BATCH_ACCEPTED),
        headers=OF_ACCEPTED,
        problems=(*OF_A_TOKEN, *OF_A_BODY, 409),
    ),
)
def start(body: BatchBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    with database() as db:
        started = batches.start(
            db,
            sender("batch", "event"),
            caller,
            kind=JobKind.DOMAIN_SCAN,
            domains=body.domains,
            max_pages=body.max_pages,
            max_concurrent=body.max_concurrent,
            batch_id=body.batch_id,
            idempotency=app.idempotency(idempotency_key),
        )
    return accepted(started)


@app.get(
    BATCHES,
    **operation(
        "list_batches",
        "The tenant's batches, newest first",
        tag="Batches",
        content=json_of(batch_schemas.BatchPage, batch_examples.BATCHES),
        problems=OF_A_LIST,
    ),
)
def list_batches(cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: batches.listing(db, tenant_id, cursor=cursor, limit=size),
            batch_schemas.BatchPage.of,
            limit=limit,
        )


@app.get(
    f"{BATCHES}/<batch_id>/status",
    **operation(
        "get_batch",
        "How a batch stands",
        tag="Batches",
        content=json_of(batch_schemas.BatchStatus, batch_examples.BATCH_STATUS),
        headers=OF_STATUS,
        problems=OF_AN_ITEM,
        conditional=True,
    ),
)
def status(
    batch_id: BatchId, domain_statuses: WithDomains = True, wait: Wait = 0, if_none_match: IfNoneMatch = None
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:

        def shown(batch: Batch) -> batch_schemas.BatchStatus:
            if not domain_statuses:
                return batch_schemas.BatchStatus.of(batch)
            return batch_schemas.BatchStatus.of(*batches.snapshot(db, tenant_id, batch_id))

        changed = responses.changed_since(if_none_match, shown)
        model = shown(batches.wait(db, tenant_id, batch_id, seconds=wait, changed=changed))
    return responses.status(model, final=model.status.is_final, if_none_match=if_none_match)


@app.get(
    f"{BATCHES}/<batch_id>/jobs",
    **operation(
        "list_batch_jobs",
        "The jobs of a batch",
        tag="Batches",
        content=json_of(schemas.JobPage, examples.JOBS),
        problems=OF_AN_ITEM,
    ),
)
def list_jobs(
    batch_id: BatchId,
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        batches.get(db, tenant_id, batch_id)
        return responses.page(
            lambda size: jobs.listing(db, tenant_id, batch_id=batch_id, status=status, cursor=cursor, limit=size),
            schemas.JobPage.of,
            limit=limit,
        )


@app.get(
    f"{BATCHES}/<batch_id>/results",
    **operation(
        "export_batch",
        "What a batch found, one line a domain",
        tag="Batches",
        description=(
            "Ordered by domain, whatever its status, also while the batch runs. Up to 5 MB are answered directly, more "
            f"by 303 to a file.\n\n{export_lines.DESCRIPTION}"
        ),
        content={**batch_examples.RESULTS, **json_of(schemas.FileElsewhere, examples.FILE_ELSEWHERE)},
        problems=OF_AN_ITEM,
        elsewhere=True,
    ),
)
def results(batch_id: BatchId, format: ResultFormat = Format.NDJSON, redirect: Redirect = True) -> Response[str]:
    tenant_id = app.caller().tenant_id
    name = f"batch-{batch_id}.{format}"
    with database() as db:
        kind = batches.get(db, tenant_id, batch_id).kind
        lines = format.lines(batches.results(db, tenant_id, batch_id), kind)
        found = export.deliver(lines, exports(), tenant_id=tenant_id, name=name, media_type=format.media_type)
    if isinstance(found, export.Elsewhere):
        return responses.elsewhere(found.url, redirect=redirect)
    return responses.file(found.text, name=name, media_type=format.media_type)


@app.post(
    f"{BATCHES}/<batch_id>/cancel",
    **operation(
        "cancel_batch",
        "Cancel a batch",
        tag="Batches",
        description="Every domain that is not final ends as cancelled; what was found stays. Again changes nothing.",
        content=json_of(batch_schemas.BatchSummary, batch_examples.BATCH_CANCELLED),
        problems=OF_AN_ACTION,
    ),
)
def cancel(batch_id: BatchId, body: schemas.ActionRequest | None = None) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        cancelled = batches.cancel(db, caller.tenant_id, batch_id)
    nudge(sender("event"), caller.correlation_id)
    return responses.answer(batch_schemas.BatchSummary.of(cancelled))


@app.post(
    f"{BATCHES}/<batch_id>/retry",
    **operation(
        "retry_batch",
        "Start a batch's failed and cancelled domains anew",
        tag="Batches",
        status=202,
        content=json_of(batch_schemas.BatchAccepted, batch_examples.BATCH_ACCEPTED),
        headers=OF_ACCEPTED,
        problems=OF_AN_ACTION,
    ),
)
def retry(batch_id: BatchId, body: RetryBody = None, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        started = batches.retry(
            db,
            sender("batch"),
            caller,
            batch_id,
            error_codes=(body.error_codes if body else None) or None,
            idempotency=app.idempotency(idempotency_key),
        )
    return accepted(started)


def accepted(started: StartedBatch) -> Response[str]:
    """202 with the address that tells how the batch stands."""
    status_url = app.address(f"{BATCHES}/{started.batch_id}/status")
    return responses.accepted_as(batch_schemas.BatchAccepted.of(started, status_url), status_url)


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
