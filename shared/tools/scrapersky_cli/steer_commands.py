"""The commands that watch and steer what was started: a job or a batch, whichever an id is of."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from scrapersky.domain.status import ErrorCode
from scrapersky_cli import options
from scrapersky_cli.client import Accepted, ApiClient, Document, is_final
from scrapersky_cli.errors import of_either
from scrapersky_cli.follow import wait_for, wait_for_batch, wait_for_sitemap_scan
from scrapersky_cli.outcomes import after_batch_start, after_start, finish, is_batch, show
from scrapersky_cli.render import number
from scrapersky_cli.session import Session, session_of
from scrapersky_cli.sitemap_render import is_sitemap_scan

T = TypeVar("T")


def status(
    context: typer.Context,
    work_id: options.WorkId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job or batch is final.")] = False,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show how a job or a batch stands: with its result or error, or with its figures.

    Exits with 1 when the job or batch has failed or was cancelled.

    \b
    Examples:
      scrapersky status 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky status 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --wait --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = _job_or_batch(lambda: client.job(work_id), lambda: client.batch(work_id))
        if wait and not is_final(document):
            document = _at_its_end(session, client, work_id, document)
        elif is_sitemap_scan(document) and not (is_final(document) or as_json):
            document = client.sitemap_scan(work_id)  # which also says how far it is
    finish(session, document, as_json=as_json)


def cancel(
    context: typer.Context,
    work_id: options.WorkId,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Cancel a job or a batch that is not final yet.

    What a batch has finished stays. Cancelling twice changes nothing.

    \b
    Examples:
      scrapersky cancel 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = _job_or_batch(lambda: client.cancel(work_id), lambda: client.cancel_batch(work_id))
    show(session, document, as_json=as_json)


def retry(
    context: typer.Context,
    work_id: options.WorkId,
    error_code: Annotated[
        list[ErrorCode] | None,
        typer.Option("--error-code", help="Of a batch, only domains that failed with this code. Repeatable."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job or batch is final again.")] = False,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Run a failed or cancelled job again, or the failed and cancelled domains of a batch.

    Ids stay as they are.

    \b
    Examples:
      scrapersky retry 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --wait
      scrapersky retry 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --error-code timeout --error-code dns_failure
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = _retried(client, work_id, error_code or [])
        if "batch_id" in accepted.document:
            after_batch_start(session, client, accepted, wait=wait, as_json=as_json)
        else:
            after_start(session, client, accepted, subject=f"job {work_id}", wait=wait, as_json=as_json)


COMMANDS = (status, cancel, retry)


def _at_its_end(session: Session, client: ApiClient, work_id: UUID, document: Document) -> Document:
    """The document again when the job or batch is final, which is waited for."""
    name = str(work_id)
    if is_batch(document):
        total = number(document, "total_domains")
        wait_for_batch(session, client, batch_id=name, status_url=client.batch_url(work_id), total=total)
        return client.batch(work_id)
    if is_sitemap_scan(document):
        address = client.sitemap_scan_url(work_id)
        wait_for_sitemap_scan(session, client, job_id=name, status_url=address, subject=f"job {name}")
        return client.job(work_id)
    address = client.job_url(work_id)
    return wait_for(session, client, job_id=name, status_url=address, subject=f"job {name}")


def _retried(client: ApiClient, work_id: UUID, error_codes: list[ErrorCode]) -> Accepted:
    if error_codes:  # only a batch has several outcomes to choose from
        return client.retry_batch(work_id, error_codes)
    return _job_or_batch(lambda: client.retry(work_id), lambda: client.retry_batch(work_id))


def _job_or_batch(of_job: Callable[[], T], of_batch: Callable[[], T]) -> T:
    """What is done with a job or, when no job has the id, with the batch that has it. Raises Refused for neither."""
    return of_either(of_job, of_batch, neither="There is no such job or batch.")
