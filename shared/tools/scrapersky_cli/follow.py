"""Waits for work while a person watches: a spinner and a bar on stderr, Ctrl-C that leaves the work alone."""

import time
from collections.abc import Callable, Iterable

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from scrapersky_cli.client import BATCH_PACE_SECONDS, ApiClient, Document
from scrapersky_cli.errors import INTERRUPTED, UnexpectedAnswer
from scrapersky_cli.places_render import search_figures
from scrapersky_cli.render import number
from scrapersky_cli.session import Session, notices
from scrapersky_cli.sitemap_render import progress_line
from scrapersky_cli.text import clean

BAR_WIDTH = 24
TELL_SECONDS = 10.0  # where no line can change, a job of many files says how far it is as seldom as this


class RateColumn(ProgressColumn):
    """How many domains a second came to an end of late; empty until that can be told."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def wait_for(
    session: Session,
    client: ApiClient,
    *,
    job_id: str,
    status_url: str,
    subject: str,
    pace: float = 0.0,
    then: str = "",
) -> Document:
    """Follow the job until it is final and return its document. `pace` as in `ApiClient.follow`.

    On Ctrl-C the job goes on: the user is told how to come back, and what may be done `then`; the command ends with
    130.
    """
    progress = _progress(notices(), TaskProgressColumn(), TimeElapsedColumn())
    task = progress.add_task(f"{clean(subject)} pending", total=100)
    told = time.monotonic()

    def show(document: Document) -> None:
        nonlocal told
        line = _description(subject, document)
        progress.update(task, description=line, completed=number(document, "progress"))
        if progress.disable and _figures(document) and time.monotonic() - told >= TELL_SECONDS:
            session.say(line)
            told = time.monotonic()

    come_back = (
        f"Stopped waiting; the job goes on. Come back to it with: scrapersky status {clean(job_id)} --wait{then}"
    )
    return _watch(session, progress, client.follow(status_url, pace=pace), show, come_back)


def wait_for_sitemap_scan(
    session: Session, client: ApiClient, *, job_id: str, status_url: str, subject: str
) -> Document:
    """`wait_for` for a scan of sitemaps, whose figures change with everything that it stores."""
    return wait_for(
        session,
        client,
        job_id=job_id,
        status_url=status_url,
        subject=subject,
        pace=BATCH_PACE_SECONDS,
        then=f", and get its URLs with: scrapersky sitemap-urls {clean(job_id)} -o urls.csv",
    )


def wait_for_search(session: Session, client: ApiClient, *, job_id: str, status_url: str, subject: str) -> Document:
    """`wait_for` for a places search, whose figures change with everything that it stores."""
    return wait_for(
        session,
        client,
        job_id=job_id,
        status_url=status_url,
        subject=subject,
        pace=BATCH_PACE_SECONDS,
        then=f", and see its places with: scrapersky places-results {clean(job_id)}",
    )


def wait_for_batch(
    session: Session, client: ApiClient, *, batch_id: str, status_url: str, total: float | None = None
) -> Document:
    """Follow the batch until it is final and return its document, without its domains. Ctrl-C as in `wait_for`.

    `total` is how many domains it has, where that is known: the first answer is held until one of them moves.
    """
    progress = batch_progress(notices())
    task = progress.add_task("batch pending", total=total, failed=0)

    def show(document: Document) -> None:
        show_figures(progress, task, document)

    come_back = (
        "Stopped waiting; the batch goes on. Come back to it with: "
        f"scrapersky status {clean(batch_id)} --wait, and get what it found with: scrapersky results {clean(batch_id)}"
    )
    return _watch(session, progress, client.follow_batch(status_url), show, come_back)


def batch_progress(console: Console) -> Progress:
    """The line of a batch: how many domains of how many are final, how many failed, how fast it goes, what is left."""
    failed = TextColumn("{task.fields[failed]} failed", markup=False)
    left = (TextColumn("ETA", markup=False), TimeRemainingColumn())
    return _progress(console, MofNCompleteColumn(), TextColumn("done", markup=False), failed, RateColumn(), *left)


def show_figures(progress: Progress, task: TaskID, document: Document) -> None:
    """Put what a batch's document says on its line."""
    failed = number(document, "failed_domains")
    progress.update(
        task,
        description=f"batch {clean(document.get('status'))}",
        total=number(document, "total_domains"),
        completed=number(document, "completed_domains") + failed + number(document, "cancelled_domains"),
        failed=f"{failed:.0f}",
    )


def _progress(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR_WIDTH),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _watch(
    session: Session,
    progress: Progress,
    documents: Iterable[Document],
    show: Callable[[Document], None],
    come_back: str,
) -> Document:
    """The last of the documents, each of which was shown. KeyboardInterrupt says `come_back` and ends with 130."""
    document: Document | None = None
    try:
        with progress:
            for document in documents:
                show(document)
    except KeyboardInterrupt:
        session.say(come_back)
        raise typer.Exit(INTERRUPTED) from None
    if document is None:
        raise UnexpectedAnswer("the API answered with no status")
    return document


def _description(subject: str, document: Document) -> str:
    figures = _figures(document)
    return f"{clean(document.get('domain') or subject)} {clean(document.get('status'))}{figures and f': {figures}'}"


def _figures(document: Document) -> str:
    """How far a job is that tells it; empty for a scan of one site."""
    return progress_line(document) or search_figures(document)
