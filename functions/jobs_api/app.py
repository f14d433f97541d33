"""Everything that is not one kind of work: jobs and domains of a tenant, health, the OpenAPI document and its page.

The HTTP API's `$default` route ends here too, so that an unknown path or method is a problem like any other.
"""

import os
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import document, examples, responses, schemas
from scrapersky.api.app import create_app
from scrapersky.api.operations import (
    OF_A_LIST,
    OF_ACCEPTED,
    OF_AN_ACTION,
    OF_AN_ITEM,
    OF_STATUS,
    json_of,
    operation,
)
from scrapersky.api.parameters import (
    DEFAULT_LIMIT,
    MAX_FILTER_CHARACTERS,
    Cursor,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    Limit,
    Wait,
)
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.observability import observed
from scrapersky.services import domains, jobs
from scrapersky.services.nudges import nudge
from scrapersky.settings import PlacesSettings
from scrapersky.wiring import database, sender

JOBS = "/api/v3/jobs"
DOMAINS = "/api/v3/domains"
HEALTH = "/health"
DATABASE_HEALTH = "/health/database"
OPENAPI = "/openapi.json"
DOCS = "/docs"

app = create_app(public=(HEALTH, DATABASE_HEALTH, OPENAPI, DOCS))

DomainPart = Annotated[str | None, Query(max_length=MAX_FILTER_CHARACTERS, description="A part of the domain's name.")]


@app.get(
    JOBS,
    **operation(
        "list_jobs",
        "The tenant's jobs, newest first",
        tag="Jobs",
        content=json_of(schemas.JobPage, examples.JOBS),
        problems=OF_A_LIST,
    ),
)
def list_jobs(
    kind: Annotated[JobKind | None, Query(description="Only this kind.")] = None,
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Only of this batch.")] = None,
    domain: Annotated[
        str | None, Query(max_length=MAX_FILTER_CHARACTERS, description="Only of this domain, by its key.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: jobs.listing(
                db,
                tenant_id,
                kind=kind,
                status=status,
                batch_id=batch_id,
                domain=domain,
                cursor=cursor,
                limit=size,
            ),
            schemas.JobPage.of,
            limit=limit,
        )


@app.get(
    f"{JOBS}/<job_id>",
    **operation(
        "get_job",
        "One job with its result",
        tag="Jobs",
        content=json_of(schemas.JobDetail, examples.JOB),
        headers=OF_STATUS,
        problems=OF_AN_ITEM,
        conditional=True,
    ),
)
def get_job(job_id: JobId, wait: Wait = 0, if_none_match: IfNoneMatch = None) -> Response[str]:
    changed = responses.changed_since(if_none_match, schemas.JobDetail.of)
    with database() as db:
        job = jobs.wait(db, app.caller().tenant_id, job_id, seconds=wait, changed=changed)
    return responses.status(schemas.JobDetail.of(job), final=job.status.is_final, if_none_match=if_none_match)


@app.post(
    f"{JOBS}/<job_id>/cancel",
    **operation(
        "cancel_job",
        "Cancel a job",
        tag="Jobs",
        description="A job that is pending or running ends as cancelled; cancelling it again changes nothing.",
        content=json_of(schemas.JobDetail, examples.JOB_CANCELLED),
        problems=OF_AN_ACTION,
    ),
)
def cancel_job(job_id: JobId, body: schemas.ActionRequest | None = None) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        cancelled = jobs.cancel(db, caller.tenant_id, job_id)
    nudge(sender("event"), caller.correlation_id)
    return responses.answer(schemas.JobDetail.of(cancelled))


@app.post(
    f"{JOBS}/<job_id>/retry",
    **operation(
        "retry_job",
        "Start a failed or cancelled job anew",
        tag="Jobs",
        description="One of a batch is taken up by its batch. An input of a batch that is no domain is not retried.",
        status=202,
        content=json_of(schemas.Accepted, examples.RETRY_ACCEPTED),
        headers=OF_ACCEPTED,
        problems=OF_AN_ACTION,
    ),
)
def retry_job(
    job_id: JobId, body: schemas.ActionRequest | None = None, idempotency_key: IdempotencyKey = None
) -> Response[str]:
    caller = app.caller(body.tenant_id if body else None)
    with database() as db:
        accepted = jobs.retry(
            db,
            sender("domain_scan", "sitemap_scan", "places_search", "batch"),
            caller,
            job_id,
            app.idempotency(idempotency_key),
            has_places=PlacesSettings.from_env(os.environ).are_configured,
        )
    return responses.accepted(accepted, app.address(f"{JOBS}/{job_id}"))


@app.get(
    DOMAINS,
    **operation(
        "list_domains",
        "The domains that the tenant knows, by name",
        tag="Domains",
        content=json_of(schemas.DomainPage, examples.DOMAINS),
        problems=OF_A_LIST,
    ),
)
def list_domains(
    domain_filter: DomainPart = None, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: domains.listing(db, tenant_id, domain_filter=domain_filter, cursor=cursor, limit=size),
            schemas.DomainPage.of,
            limit=limit,
        )


@app.get(
    f"{DOMAINS}/<domain>",
    **operation(
        "get_domain",
        "The latest known facts of one domain",
        tag="Domains",
        content=json_of(schemas.Domain, examples.DOMAIN),
        problems=OF_AN_ITEM,
    ),
)
def get_domain(domain: Annotated[str, Path(description="The domain, in any spelling.")]) -> Response[str]:
    with database() as db:
        return responses.answer(schemas.Domain.of(domains.get(db, app.caller().tenant_id, domain)))


@app.get(
    HEALTH,
    **operation("health", "Whether the API answers", tag="Health", content=json_of(schemas.Health, examples.HEALTH)),
)
def health() -> Response[str]:
    return responses.answer(schemas.Health())


@app.get(
    DATABASE_HEALTH,
    **operation(
        "database_health",
        "Whether the database answers",
        tag="Health",
        content=json_of(schemas.Health, examples.HEALTH),
        problems=(503,),
    ),
)
def database_health() -> Response[str]:
    with database() as db:
        db.ping()
    return responses.answer(schemas.Health())


@app.get(
    OPENAPI,
    **operation(
        "openapi",
        "This document",
        tag="Documents",
        content={
            "application/json": {"schema": {"type": "object"}, "examples": {"answer": {"value": {"openapi": "3.1.0"}}}}
        },
    ),
)
def openapi() -> Response[str]:
    return Response(status_code=200, content_type="application/json", body=document.text())


@app.get(
    DOCS,
    compress=True,
    **operation(
        "docs",
        "This document as a page",
        tag="Documents",
        content={"text/html": {"schema": {"type": "string"}, "examples": {"answer": {"value": "<!DOCTYPE html>"}}}},
    ),
)
def docs() -> Response[str]:
    from scrapersky.api import docs_page  # a megabyte and a half that no other request needs

    return docs_page.page()


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
