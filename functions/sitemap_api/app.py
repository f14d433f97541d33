"""Sitemap scans over HTTP: start one or a batch, ask how it stands, read what was found.

Batches are steered, listed and exported at the routes of all batches.
"""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import batch_schemas, responses, sitemap_examples, sitemap_lines, sitemap_schemas
from scrapersky.api import sitemap_operations as operations
from scrapersky.api.app import create_app
from scrapersky.api.parameters import (
    DEFAULT_LIMIT,
    MAX_FILTER_CHARACTERS,
    BatchId,
    Cursor,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    Limit,
    Redirect,
    Wait,
)
from scrapersky.api.sitemap_site_schemas import SitemapSummary
from scrapersky.domain.batches import Batch
from scrapersky.domain.jobs import Job
from scrapersky.domain.sitemap_views import UrlFormat, UrlState
from scrapersky.domain.sitemaps import Change, SitemapType
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.observability import observed
from scrapersky.services import batch as batches
from scrapersky.services import export, jobs, sitemap_scan, sitemaps
from scrapersky.wiring import database, exports, sender

SITEMAP = "/api/v3/sitemap"
BATCHES = f"{SITEMAP}/batch"
SCANS = f"{SITEMAP}/scan"
SITES = f"{SITEMAP}/sites"
FILES = "/api/v3/sitemap-files"

app = create_app()

ScanBody = Annotated[
    sitemap_schemas.SitemapScanRequest, Body(openapi_examples={"scan": {"value": sitemap_examples.SCAN_REQUEST}})
]
BatchBody = Annotated[
    sitemap_schemas.SitemapBatchRequest, Body(openapi_examples={"batch": {"value": sitemap_examples.BATCH_REQUEST}})
]
WithDomains = Annotated[bool, Query(description="Whether to show the domains; without them the answer stays small.")]
FileId = Annotated[UUID, Path(description="The file's id, in one scan.")]
LinesFormat = Annotated[UrlFormat, Query(description="`ndjson`, `csv`, or `txt`: a URL a line.")]


@app.post(SCANS, **operations.START)
def start(body: ScanBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    with database() as db:
        accepted = sitemap_scan.start(
            db,
            sender("sitemap_scan"),
            caller,
            base_url=body.base_url,
            max_pages=body.max_pages,
            idempotency=app.idempotency(idempotency_key),
        )
    return responses.accepted(accepted, app.address(f"{SITEMAP}/status/{accepted.job_id}"))


@app.get(f"{SITEMAP}/status/<job_id>", **operations.STATUS)
def status(job_id: JobId, wait: Wait = 0, if_none_match: IfNoneMatch = None) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:

        def figures() -> dict[str, int]:
            return sitemaps.progress(db, tenant_id, job_id)

        def shown(job: Job) -> sitemap_schemas.SitemapScanStatus:
            return sitemap_schemas.SitemapScanStatus.of(job, figures())

        changed = responses.changed_since(if_none_match, shown)
        kind = JobKind.SITEMAP_SCAN
        job = jobs.wait(db, tenant_id, job_id, seconds=wait, changed=changed, kind=kind, figures=figures)
        model = shown(job)
    return responses.status(model, final=job.status.is_final, if_none_match=if_none_match)


@app.post(f"{BATCHES}/create", **operations.START_BATCH)
def start_batch(body: BatchBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    with database() as db:
        started = batches.start(
            db,
            sender("batch", "event"),
            caller,
            kind=JobKind.SITEMAP_SCAN,
            domains=body.domains,
            max_pages=body.max_pages,
            max_concurrent=body.max_concurrent,
            batch_id=body.batch_id,
            idempotency=app.idempotency(idempotency_key),
        )
    status_url = app.address(f"{BATCHES}/status/{started.batch_id}")
    return responses.accepted_as(sitemap_schemas.SitemapBatchAccepted.of(started, status_url), status_url)


@app.get(f"{BATCHES}/status/<batch_id>", **operations.BATCH_STATUS)
def batch_status(
    batch_id: BatchId, domain_statuses: WithDomains = True, wait: Wait = 0, if_none_match: IfNoneMatch = None
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:

        def shown(batch: Batch) -> batch_schemas.BatchStatus:
            if not domain_statuses:
                return batch_schemas.BatchStatus.of(batch)
            return batch_schemas.BatchStatus.of(*batches.snapshot(db, tenant_id, batch_id))

        changed = responses.changed_since(if_none_match, shown)
        kind = JobKind.SITEMAP_SCAN
        model = shown(batches.wait(db, tenant_id, batch_id, seconds=wait, changed=changed, kind=kind))
    return responses.status(model, final=model.status.is_final, if_none_match=if_none_match)


@app.get(f"{SCANS}/<job_id>/urls", **operations.SCAN_URLS)
def scan_urls(job_id: JobId, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: sitemaps.urls_of_scan(db, tenant_id, job_id, cursor=cursor, limit=size),
            sitemap_schemas.SitemapUrlPage.of,
            limit=limit,
        )


@app.get(f"{SCANS}/<job_id>/urls/export", **operations.EXPORT_SCAN)
def export_scan_urls(job_id: JobId, format: LinesFormat = UrlFormat.NDJSON, redirect: Redirect = True) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        lines = sitemaps.lines_of_scan(db, tenant_id, job_id, file_format=format)
        return exported(lines, tenant_id, f"sitemap-scan-{job_id}.{format}", format, redirect=redirect)


@app.get(f"{SCANS}/<job_id>/changes", **operations.CHANGES)
def scan_changes(
    job_id: JobId,
    kind: Annotated[Change, Query(description="What became of them; `changed` is another `lastmod`.")] = Change.ADDED,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: sitemaps.changes(db, tenant_id, job_id, change=kind, cursor=cursor, limit=size),
            sitemap_schemas.SitemapChangePage.of,
            limit=limit,
        )


@app.get(f"{SITES}/<domain>/summary", **operations.SUMMARY)
def summary(domain: Annotated[str, Path(description="The domain, in any spelling.")]) -> Response[str]:
    with database() as db:
        return responses.answer(SitemapSummary.of(sitemaps.summary(db, app.caller().tenant_id, domain)))


@app.get(FILES, **operations.FILES)
def list_files(
    domain: Annotated[
        str | None, Query(max_length=MAX_FILTER_CHARACTERS, description="Only of scans of this domain, by its key.")
    ] = None,
    job_id: Annotated[UUID | None, Query(description="Only of this scan.")] = None,
    sitemap_type: Annotated[SitemapType | None, Query(description="Only of this type.")] = None,
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: sitemaps.files(
                db,
                tenant_id,
                domain=domain,
                job_id=job_id,
                sitemap_type=sitemap_type,
                status=status,
                cursor=cursor,
                limit=size,
            ),
            sitemap_schemas.SitemapFilePage.of,
            limit=limit,
        )


@app.get(f"{FILES}/<file_id>", **operations.FILE)
def get_file(file_id: FileId) -> Response[str]:
    with database() as db:
        return responses.answer(sitemap_schemas.SitemapFile.of(sitemaps.file(db, app.caller().tenant_id, file_id)))


@app.get(f"{FILES}/<file_id>/urls", **operations.FILE_URLS)
def file_urls(
    file_id: FileId,
    state: Annotated[
        UrlState,
        Query(description="`present`: named when the scan read it; `removed`: no more then, but before; or `all`."),
    ] = UrlState.PRESENT,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: sitemaps.urls_of_file(db, tenant_id, file_id, state=state, cursor=cursor, limit=size),
            sitemap_schemas.SitemapUrlPage.of,
            limit=limit,
        )


@app.get(f"{FILES}/<file_id>/urls/export", **operations.EXPORT_FILE)
def export_file_urls(
    file_id: FileId, format: LinesFormat = UrlFormat.NDJSON, redirect: Redirect = True
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        lines = sitemaps.lines_of_file(db, tenant_id, file_id, file_format=format)
        return exported(lines, tenant_id, f"sitemap-{file_id}.{format}", format, redirect=redirect)


def exported(
    lines: Iterator[str], tenant_id: UUID, name: str, file_format: UrlFormat, *, redirect: bool
) -> Response[str]:
    """The lines as a file in the answer or, when they do not fit, elsewhere."""
    media_type = sitemap_lines.MEDIA_TYPES[file_format]
    whole = sitemap_lines.file_of(lines, file_format)
    found = export.deliver(whole, exports(), tenant_id=tenant_id, name=name, media_type=media_type)
    if isinstance(found, export.Elsewhere):
        return responses.elsewhere(found.url, redirect=redirect)
    return responses.file(found.text, name=name, media_type=media_type)


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
