"""Domain scans over HTTP: start one, ask how it stands. The two addresses of each are the same operation."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import examples, responses, schemas
from scrapersky.api.app import create_app
from scrapersky.api.operations import OF_A_BODY, OF_A_TOKEN, OF_ACCEPTED, OF_STATUS, json_of, operation
from scrapersky.api.parameters import IdempotencyKey, IfNoneMatch, JobId, Wait
from scrapersky.domain.status import JobKind
from scrapersky.observability import observed
from scrapersky.services import domain_scan, jobs
from scrapersky.wiring import database, sender

SCANS = "/api/v3/modernized_page_scraper"
BATCH_SCANS = "/api/v3/batch_page_scraper"

app = create_app()

ScanBody = Annotated[schemas.ScanRequest, Body(openapi_examples={"scan": {"value": examples.SCAN_REQUEST}})]


def starting(name: str) -> dict[str, Any]:
    return operation(
        name,
        "Start a domain scan",
        tag="Domain scan",
        status=202,
        content=json_of(schemas.Accepted, examples.SCAN_ACCEPTED),
        headers=OF_ACCEPTED,
        problems=(*OF_A_TOKEN, *OF_A_BODY),
    )


def telling(name: str) -> dict[str, Any]:
    return operation(
        name,
        "How a domain scan stands",
        tag="Domain scan",
        content=json_of(schemas.ScanStatus, examples.SCAN_STATUS),
        headers=OF_STATUS,
        problems=(*OF_A_TOKEN, 404, 422),
        conditional=True,
    )


@app.post(f"{SCANS}/scan", **starting("start_domain_scan"))
def start(body: ScanBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    return start_scan(SCANS, body, idempotency_key)


@app.post(f"{BATCH_SCANS}/scan", **starting("start_domain_scan_batch_alias"))
def start_alias(body: ScanBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    return start_scan(BATCH_SCANS, body, idempotency_key)


@app.get(f"{SCANS}/status/<job_id>", **telling("get_domain_scan"))
@app.get(f"{BATCH_SCANS}/status/<job_id>", **telling("get_domain_scan_batch_alias"))
def status(job_id: JobId, wait: Wait = 0, if_none_match: IfNoneMatch = None) -> Response[str]:
    changed = responses.changed_since(if_none_match, schemas.ScanStatus.of)
    with database() as db:
        tenant_id = app.caller().tenant_id
        job = jobs.wait(db, tenant_id, job_id, seconds=wait, changed=changed, kind=JobKind.DOMAIN_SCAN)
    return responses.status(schemas.ScanStatus.of(job), final=job.status.is_final, if_none_match=if_none_match)


def start_scan(prefix: str, body: schemas.ScanRequest, idempotency_key: str | None) -> Response[str]:
    """Start the scan; its status is told beside the address that it was started at."""
    caller = app.caller(body.tenant_id)
    with database() as db:
        accepted = domain_scan.start(
            db,
            sender("domain_scan"),
            caller,
            base_url=body.base_url,
            max_pages=body.max_pages,
            idempotency=app.idempotency(idempotency_key),
        )
    return responses.accepted(accepted, app.address(f"{prefix}/status/{accepted.job_id}"))


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
