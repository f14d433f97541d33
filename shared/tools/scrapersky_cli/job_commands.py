"""The commands that start a job and list jobs."""

from typing import Annotated
from uuid import UUID

import typer

from scrapersky.domain.limits import DEFAULT_PAGES, MAX_PAGES
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky_cli import listing, options
from scrapersky_cli.client import Document
from scrapersky_cli.outcomes import after_start
from scrapersky_cli.render import jobs_table
from scrapersky_cli.session import session_of


def scan(
    context: typer.Context,
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="A host name or a URL of the site, such as shop.example.")
    ],
    max_pages: Annotated[
        int, typer.Option("--max-pages", min=1, max=MAX_PAGES, help="Pages to look at, at most.")
    ] = DEFAULT_PAGES,
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
        after_start(session, client, accepted, subject=domain, wait=wait, as_json=as_json)


def jobs(
    context: typer.Context,
    kind: Annotated[JobKind | None, typer.Option("--kind", help="Only jobs of this kind.")] = None,
    status: Annotated[JobStatus | None, typer.Option("--status", help="Only jobs that stand so.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Only jobs of this domain.")] = None,
    batch: Annotated[UUID | None, typer.Option("--batch", help="Only jobs of this batch.")] = None,
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
            batch_id = str(batch) if batch else None
            return client.jobs(kind=kind, status=status, domain=domain, batch_id=batch_id, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, jobs_table, as_json=as_json)


COMMANDS = (scan, jobs)
