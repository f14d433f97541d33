"""The commands that start, watch and steer jobs."""

from typing import Annotated

import typer

from scrapersky.domain.status import JobKind, JobStatus
from scrapersky_cli import listing, options
from scrapersky_cli.client import Accepted, ApiClient, Document
from scrapersky_cli.errors import JOB_NOT_COMPLETE
from scrapersky_cli.follow import wait_for
from scrapersky_cli.render import job_view, jobs_table
from scrapersky_cli.session import Session, session_of
from scrapersky_cli.text import clean

_UNSUCCESSFUL = frozenset({JobStatus.FAILED.value, JobStatus.CANCELLED.value})


def scan(
    context: typer.Context,
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="A host name or a URL of the site, such as shop.example.")
    ],
    max_pages: Annotated[int, typer.Option("--max-pages", min=1, max=100, help="Pages to look at, at most.")] = 10,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result, or only start the job.")] = True,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Scan one site and show what was found.

    Exits with 1 when the scan failed, for instance because the site does not answer.

    \b
    Examples:
      scrapersky scan shop.example
      scrapersky scan https://www.shop.example/about --max-pages 3
      scrapersky scan shop.example --json | jq .result.site_data.contact_info
      scrapersky scan shop.example --no-wait
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = client.start_scan(domain, max_pages=max_pages)
        _after_start(session, client, accepted, subject=domain, wait=wait, as_json=as_json)


def jobs(
    context: typer.Context,
    kind: Annotated[JobKind | None, typer.Option("--kind", help="Only jobs of this kind.")] = None,
    status: Annotated[JobStatus | None, typer.Option("--status", help="Only jobs that stand so.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Only jobs of this domain.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List jobs, the newest first.

    \b
    Examples:
      scrapersky jobs
      scrapersky jobs --status failed --all
      scrapersky jobs --domain shop.example --limit 5 --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return client.jobs(kind=kind, status=status, domain=domain, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, jobs_table, as_json=as_json)


def status(
    context: typer.Context,
    job_id: options.JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is final.")] = False,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show one job, with its result or error.

    Exits with 1 when the job has failed or was cancelled.

    \b
    Examples:
      scrapersky status 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky status 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --wait --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        if wait:
            document = wait_for(
                session, client, job_id=str(job_id), status_url=client.job_url(job_id), subject=f"job {job_id}"
            )
        else:
            document = client.job(job_id)
    _finish(session, document, as_json=as_json)


def cancel(
    context: typer.Context,
    job_id: options.JobId,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Cancel a job that is not final yet. Cancelling it twice changes nothing.

    \b
    Examples:
      scrapersky cancel 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = client.cancel(job_id)
    _show(session, document, as_json=as_json)


def retry(
    context: typer.Context,
    job_id: options.JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is final again.")] = False,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Run a failed or cancelled job again.

    The job keeps its id.

    \b
    Examples:
      scrapersky retry 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --wait
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = client.retry(job_id)
        _after_start(session, client, accepted, subject=f"job {job_id}", wait=wait, as_json=as_json)


COMMANDS = (scan, jobs, status, cancel, retry)


def _after_start(
    session: Session, client: ApiClient, accepted: Accepted, *, subject: str, wait: bool, as_json: bool
) -> None:
    if wait:
        document = wait_for(session, client, job_id=accepted.job_id, status_url=accepted.status_url, subject=subject)
        _finish(session, document, as_json=as_json)
    elif as_json:
        session.show_json(accepted.document)
    else:
        session.show(clean(accepted.job_id))
        session.say(f"Started. See how it goes with: scrapersky status {accepted.job_id} --wait")


def _finish(session: Session, document: Document, *, as_json: bool) -> None:
    """Show the job; end with 1 when it did not come to a result."""
    _show(session, document, as_json=as_json)
    if document.get("status") in _UNSUCCESSFUL:
        raise typer.Exit(JOB_NOT_COMPLETE)


def _show(session: Session, document: Document, *, as_json: bool) -> None:
    if as_json:
        session.show_json(document)
    else:
        session.show(*job_view(document))
