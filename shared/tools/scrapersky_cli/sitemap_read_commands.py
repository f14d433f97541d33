"""The commands that show what scans of sitemaps have stored: files, URLs, changes, and how a site is built."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from scrapersky.domain.sitemaps import Change, SitemapType
from scrapersky_cli import listing, options
from scrapersky_cli.client import Document
from scrapersky_cli.errors import UsageError, of_either
from scrapersky_cli.results import UrlFormat, chosen_url_format, put
from scrapersky_cli.session import session_of
from scrapersky_cli.sitemap_render import changes_table, files_table, summary_view, urls_table

ScanId = Annotated[
    UUID, typer.Argument(metavar="JOB_ID", help="The scan's id, as `sitemap` and `jobs --kind sitemap_scan` print it.")
]


def sitemap_files(
    context: typer.Context,
    domain: Annotated[str | None, typer.Option("--domain", help="Only files of this domain.")] = None,
    job: Annotated[UUID | None, typer.Option("--job", help="Only files of this scan.")] = None,
    sitemap_type: Annotated[SitemapType | None, typer.Option("--type", help="Only files of this type.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List sitemap files, the newest first.

    \b
    Examples:
      scrapersky sitemap-files
      scrapersky sitemap-files --domain shop.example --type index
      scrapersky sitemap-files --job 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --all --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            job_id = str(job) if job else None
            return client.sitemap_files(domain=domain, job_id=job_id, sitemap_type=sitemap_type, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, files_table, as_json=as_json)


def sitemap_urls(
    context: typer.Context,
    scan_or_file: Annotated[
        UUID,
        typer.Argument(
            metavar="ID", help="Of a scan, as `sitemap` prints it, or of one file, as `sitemap-files --json` does."
        ),
    ],
    file_format: options.UrlsFormat = None,
    output: options.UrlsOutput = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the URLs that a scan, or one of its files, has brought.

    With --format ndjson, csv or txt, or with -o, it is all of them at once.

    \b
    Examples:
      scrapersky sitemap-urls 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky sitemap-urls 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f -o urls.csv
      scrapersky sitemap-urls 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --format ndjson | jq .lastmod
    """
    chosen = _export_format(file_format, output, is_page=as_json or everything or cursor is not None)
    session = session_of(context)
    neither = "There is no such sitemap scan or file."
    with session.client(data_dir) as client:
        scan, file = client.scan_path(scan_or_file), client.file_path(scan_or_file)
        if chosen is not UrlFormat.TABLE:
            pieces = of_either(
                lambda: client.export_sitemap_urls(scan, file_format=chosen),
                lambda: client.export_sitemap_urls(file, file_format=chosen),
                neither=neither,
            )
            put(session, pieces, chosen, output, what="The URLs")
            return

        def page_at(at: str | None) -> Document:
            return of_either(
                lambda: client.sitemap_urls(scan, limit=limit, cursor=at),
                lambda: client.sitemap_urls(file, limit=limit, cursor=at),
                neither=neither,
            )

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, urls_table, as_json=as_json)


def sitemap_changes(
    context: typer.Context,
    job_id: ScanId,
    kind: Annotated[Change, typer.Option("--kind", help="What became of them.")] = Change.ADDED,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the URLs that a scan found to be new, gone, or to have another lastmod than before.

    \b
    Examples:
      scrapersky sitemap-changes 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky sitemap-changes 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --kind removed --all --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return client.sitemap_changes(job_id, kind=kind.value, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, changes_table, as_json=as_json)


def sitemap_summary(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, such as shop.example.")],
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show how a site is built and how fresh it is, by what its sitemaps name.

    \b
    Examples:
      scrapersky sitemap-summary shop.example
      scrapersky sitemap-summary shop.example --json | jq .clusters
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = client.sitemap_summary(domain)
    if as_json:
        session.show_json(document)
    else:
        session.show(*summary_view(document))


COMMANDS = (sitemap_files, sitemap_urls, sitemap_changes, sitemap_summary)


def _export_format(asked: UrlFormat | None, output: Path | None, *, is_page: bool) -> UrlFormat:
    """The format of all URLs, or `table` for a page of them. Raises UsageError for both at once."""
    chosen = chosen_url_format(asked, output)
    if is_page and chosen is not UrlFormat.TABLE:
        raise UsageError("--format and -o write all URLs; leave out --json, --all and --cursor")
    return chosen
