"""The commands that start scans of sitemaps: of one site, or of many as a batch."""

from pathlib import Path
from typing import Annotated

import typer

from scrapersky.domain.limits import DEFAULT_CONCURRENT, DEFAULT_SITEMAP_URLS, MAX_SITEMAP_URLS
from scrapersky.domain.sitemaps import Change
from scrapersky.domain.status import JobStatus
from scrapersky_cli import listing, options
from scrapersky_cli.batch_commands import Ending
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.domain_list import read_domains
from scrapersky_cli.errors import UsageError
from scrapersky_cli.follow import wait_for_sitemap_scan
from scrapersky_cli.outcomes import end, started
from scrapersky_cli.results import UrlFormat, chosen_url_format, put
from scrapersky_cli.session import Session, session_of
from scrapersky_cli.sitemap_render import changes_table, sitemap_scan_view

CHANGES_SHOWN = 20  # of each kind; the others are in `sitemap-changes`
MaxUrls = Annotated[
    int, typer.Option("--max-urls", min=1, max=MAX_SITEMAP_URLS, help="URLs of a site to store, at most.")
]


def sitemap(
    context: typer.Context,
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="A host name or a URL of the site, such as shop.example.")
    ],
    max_urls: MaxUrls = DEFAULT_SITEMAP_URLS,
    changes: Annotated[
        bool, typer.Option("--changes", help="Show as well what is new, changed or gone since the scan before.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result, or only start the job.")] = True,
    file_format: options.UrlsFormat = None,
    output: options.UrlsOutput = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Find a site's sitemaps, read them, and show what is in them.

    Shows the files: each with how it was found, its URLs, and what became of it. -o writes all URLs to a file, and
    --format ndjson, csv or txt without -o prints them in place of the files. A site without a sitemap is a
    success. Exits with 1 when the scan failed, for instance because none of the sitemaps can be read.

    \b
    Examples:
      scrapersky sitemap shop.example
      scrapersky sitemap shop.example --max-urls 1000000 -o urls.csv
      scrapersky sitemap shop.example --format txt | grep /blog/
      scrapersky sitemap shop.example --changes
      scrapersky sitemap shop.example --json | jq .result.sitemaps
    """
    file_format = _format(file_format, output, wait=wait, changes=changes, as_json=as_json)
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = client.start_sitemap_scan(domain, max_urls=max_urls)
        if not wait:
            started(session, accepted, as_json=as_json)
            return
        document = wait_for_sitemap_scan(
            session, client, job_id=accepted.work_id, status_url=accepted.status_url, subject=domain
        )
        if as_json:
            session.show_json(document)
        elif output is not None or file_format is UrlFormat.TABLE:
            session.show(*sitemap_scan_view(document, _files_of_failed(client, document)))
        if changes:
            _show_changes(session, client, accepted.work_id)
        if file_format is not UrlFormat.TABLE and document.get("status") == JobStatus.COMPLETE:
            of = client.scan_path(accepted.work_id)
            pieces = client.export_sitemap_urls(of, file_format=file_format)
            put(session, pieces, file_format, output, what="The URLs")
        elif output is not None:
            session.say(f"Nothing was written to {output}")
    end(document)


def sitemap_batch(
    context: typer.Context,
    source: options.Domains,
    max_urls: MaxUrls = DEFAULT_SITEMAP_URLS,
    max_concurrent: options.MaxConcurrent = DEFAULT_CONCURRENT,
    batch_id: options.NewBatchId = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results, or only start.")] = True,
    file_format: options.Format = None,
    output: options.Output = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Read the sitemaps of many sites.

    FILE is as in `scrapersky batch`, and so is what is shown and written: a line for each site, with its totals. Its
    files are in `scrapersky sitemap-files`, their URLs in `scrapersky sitemap-urls`.

    \b
    Examples:
      scrapersky sitemap-batch domains.txt
      scrapersky sitemap-batch customers.csv --max-urls 50000 -o sitemaps.ndjson
      scrapersky sitemap-batch - --no-wait
    """
    ending = Ending.of(file_format, output, wait=wait, as_json=as_json)
    domains = read_domains(source)
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = client.start_sitemap_batch(
            domains, max_urls=max_urls, max_concurrent=max_concurrent, batch_id=batch_id
        )
        ending.come_to(session, client, accepted)


COMMANDS = (sitemap, sitemap_batch)


def _format(asked: UrlFormat | None, output: Path | None, *, wait: bool, changes: bool, as_json: bool) -> UrlFormat:
    """How URLs are written. Raises UsageError when something was asked for that this run will not show."""
    if not wait and (asked or output or changes):
        raise UsageError("--no-wait shows and writes no URLs; get them later with `scrapersky sitemap-urls`")
    if as_json and (changes or (asked and output is None)):
        raise UsageError("--json prints the scan's status and nothing else; leave out the other")
    chosen = chosen_url_format(asked, output)
    if changes and chosen is not UrlFormat.TABLE and output is None:
        raise UsageError("--changes shows tables, --format prints the URLs; leave out one, or write the URLs with -o")
    return chosen


def _files_of_failed(client: ApiClient, document: Document) -> list[Document]:
    """The files of a scan that has no result to list them: each of them says why it could not be read."""
    if document.get("result"):
        return []
    return listing.items_of(client.sitemap_files(job_id=str(document.get("job_id"))))


def _show_changes(session: Session, client: ApiClient, job_id: str) -> None:
    for kind in Change:
        document = client.sitemap_changes(job_id, kind=kind.value, limit=CHANGES_SHOWN)
        if items := listing.items_of(document):
            session.show(changes_table(items))
        if document.get("next_cursor"):
            session.say(f"More are {kind.value}: scrapersky sitemap-changes {job_id} --kind {kind.value} --all")
