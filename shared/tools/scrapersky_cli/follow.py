"""Waits for a job while a person watches: a spinner and a bar on stderr, Ctrl-C that leaves the job alone."""

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.errors import INTERRUPTED, UnexpectedAnswer
from scrapersky_cli.session import Session, notices
from scrapersky_cli.text import clean


def wait_for(session: Session, client: ApiClient, *, job_id: str, status_url: str, subject: str) -> Document:
    """Follow the job until it is final and return its document.

    On Ctrl-C the job goes on: the user is told how to come back, and the command ends with 130.
    """
    console = notices()
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    document: Document | None = None
    try:
        with progress:
            task = progress.add_task(f"{clean(subject)} pending", total=100)
            for document in client.follow(status_url):
                progress.update(task, description=_description(subject, document), completed=_percent(document))
    except KeyboardInterrupt:
        session.say(f"Stopped waiting; the job goes on. Come back to it with: scrapersky status {job_id} --wait")
        raise typer.Exit(INTERRUPTED) from None
    if document is None:
        raise UnexpectedAnswer("the API answered with no job")
    return document


def _description(subject: str, document: Document) -> str:
    return f"{clean(document.get('domain') or subject)} {clean(document.get('status'))}"


def _percent(document: Document) -> float:
    progress = document.get("progress")
    return float(progress) if isinstance(progress, int | float) else 0.0
