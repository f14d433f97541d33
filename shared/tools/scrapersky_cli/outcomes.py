"""How a command ends: what it shows of a job or a batch, and with which exit code."""

from collections.abc import Iterator

import typer
from rich.table import Table
from rich.text import Text

from scrapersky.domain.status import JobStatus
from scrapersky_cli.batch_render import batch_view
from scrapersky_cli.client import Accepted, ApiClient, Document
from scrapersky_cli.errors import NOT_COMPLETE
from scrapersky_cli.follow import wait_for, wait_for_batch
from scrapersky_cli.places_render import is_search, search_view
from scrapersky_cli.render import job_view
from scrapersky_cli.session import Session
from scrapersky_cli.sitemap_render import is_sitemap_scan, sitemap_scan_view
from scrapersky_cli.text import clean

_UNSUCCESSFUL = frozenset({JobStatus.FAILED.value, JobStatus.CANCELLED.value})


def is_batch(document: Document) -> bool:
    """Whether a status is a batch's; a job's may name its batch, but counts no domains."""
    return "total_domains" in document


def after_start(
    session: Session, client: ApiClient, accepted: Accepted, *, subject: str, wait: bool, as_json: bool
) -> None:
    """Wait for the job and show it, or say how to come back to it."""
    if wait:
        document = wait_for(session, client, job_id=accepted.work_id, status_url=accepted.status_url, subject=subject)
        finish(session, document, as_json=as_json)
    else:
        started(session, accepted, as_json=as_json)


def after_batch_start(session: Session, client: ApiClient, accepted: Accepted, *, wait: bool, as_json: bool) -> None:
    """`after_start` for a batch."""
    if wait:
        wait_for_batch(session, client, batch_id=accepted.work_id, status_url=accepted.status_url)
        finish(session, client.batch(accepted.work_id), as_json=as_json)
    else:
        started(session, accepted, as_json=as_json)


def started(session: Session, accepted: Accepted, *, as_json: bool) -> None:
    """Name the work that goes on without us."""
    if as_json:
        session.show_json(accepted.document)
    else:
        session.show(clean(accepted.work_id))
        session.say(f"Started. See how it goes with: scrapersky status {accepted.work_id} --wait")


def finish(session: Session, document: Document, *, as_json: bool) -> None:
    """Show the job or batch; end with 1 when it did not come to a result."""
    show(session, document, as_json=as_json)
    end(document)


def show(session: Session, document: Document, *, as_json: bool) -> None:
    if as_json:
        session.show_json(document)
    else:
        session.show(*_view(document))


def end(document: Document) -> None:
    """End with 1 when the job or batch has failed or was cancelled."""
    if document.get("status") in _UNSUCCESSFUL:
        raise typer.Exit(NOT_COMPLETE)


def _view(document: Document) -> Iterator[Text | Table]:
    if is_batch(document):
        return batch_view(document)
    if is_search(document):
        return search_view(document)
    return sitemap_scan_view(document) if is_sitemap_scan(document) else job_view(document)
