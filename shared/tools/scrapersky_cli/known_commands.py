"""The commands that show what is known of domains, across all scans."""

from typing import Annotated

import typer

from scrapersky_cli import listing, options
from scrapersky_cli.client import Document
from scrapersky_cli.render import domain_view, domains_table
from scrapersky_cli.session import session_of


def domains(
    context: typer.Context,
    contains: Annotated[str | None, typer.Option("--filter", help="Only domains that contain this text.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the domains that were scanned, with main facts.

    \b
    Examples:
      scrapersky domains
      scrapersky domains --filter shop --all --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return client.domains(domain_filter=contains, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, domains_table, as_json=as_json)


def domain(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain, such as shop.example.")],
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show what is known of one domain.

    These are the facts of its latest complete scan, and the job that found them.

    \b
    Examples:
      scrapersky domain shop.example
      scrapersky domain shop.example --json | jq .site_data.contact_info
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = client.domain(name)
    if as_json:
        session.show_json(document)
    else:
        session.show(*domain_view(document))


COMMANDS = (domains, domain)
