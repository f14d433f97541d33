"""The commands that show what places searches have stored and cost, and say what we think of places."""

from datetime import date
from typing import Annotated
from uuid import UUID

import typer

from scrapersky.domain.places import PlaceStatus, WebsiteClass
from scrapersky.domain.status import JobStatus
from scrapersky_cli import listing, options
from scrapersky_cli.client import Document
from scrapersky_cli.errors import NOT_COMPLETE
from scrapersky_cli.places_api import PlacesApi
from scrapersky_cli.places_render import ledger_view, places_table, searches_table
from scrapersky_cli.render import list_of, number
from scrapersky_cli.session import session_of
from scrapersky_cli.text import clean
from scrapersky_cli.times import AS_A_DAY, day


def places_results(
    context: typer.Context,
    job_id: Annotated[UUID, typer.Argument(metavar="JOB_ID", help="The search's id, as `places` prints it.")],
    status: Annotated[
        PlaceStatus | None, typer.Option("--status", case_sensitive=False, help="Only what we think this of.")
    ] = None,
    website_class: Annotated[
        WebsiteClass | None, typer.Option("--class", help="Only places with such a website.")
    ] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List the places of a search by rank, also while it runs: what is there so far.

    \b
    Examples:
      scrapersky places-results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f
      scrapersky places-results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --class own_site --status selected
      scrapersky places-results 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f --all --json | jq .places[].domain
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            kind = website_class and website_class.value
            return PlacesApi(client).results(
                job_id, status=status and status.value, website_class=kind, limit=limit, cursor=at
            )

        document = listing.fetch(page_at, cursor=cursor, everything=everything, key="places")
    listing.show(session, document, places_table, as_json=as_json, key="places")


def places_history(
    context: typer.Context,
    status: Annotated[JobStatus | None, typer.Option("--status", help="Only searches that stand so.")] = None,
    limit: options.Limit = 50,
    everything: options.All = False,
    cursor: options.Cursor = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """List searches, the newest first, with what each found and cost.

    \b
    Examples:
      scrapersky places-history
      scrapersky places-history --status failed --all --json
    """
    session = session_of(context)
    with session.client(data_dir) as client:

        def page_at(at: str | None) -> Document:
            return PlacesApi(client).history(status=status and status.value, limit=limit, cursor=at)

        document = listing.fetch(page_at, cursor=cursor, everything=everything)
    listing.show(session, document, searches_table, as_json=as_json)


def places_status(
    context: typer.Context,
    status: Annotated[
        PlaceStatus, typer.Argument(metavar="STATUS", case_sensitive=False, help="What we think of them.")
    ],
    place_ids: Annotated[
        list[str], typer.Argument(metavar="PLACE_ID...", help="Google's id of a place, or ours, as lists have it.")
    ],
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Say what we think of places: New, Selected, Maybe, "Not a Fit" or Archived.

    No search changes it afterwards. Exits with 1 when an id is none of our places'; the others are changed all the
    same.

    \b
    Examples:
      scrapersky places-status selected ChIJ123 ChIJ456
      scrapersky places-status "not a fit" ChIJ789
    """
    session = session_of(context)
    with session.client(data_dir) as client:
        document = PlacesApi(client).set_status(place_ids, status.value)
    unknown = list_of(document.get("unknown"))
    if as_json:
        session.show_json(document)
    else:
        count = int(number(document, "updated_count"))
        session.show(f"{count} {'place is' if count == 1 else 'places are'} {status.value} now.")
        for place_id in unknown:
            session.say(f"none of our places: {clean(place_id)}")
    if unknown:
        raise typer.Exit(NOT_COMPLETE)


def places_ledger(
    context: typer.Context,
    first: Annotated[
        date | None,
        typer.Option("--from", metavar="DAY", parser=day, help=f"First day: {AS_A_DAY}. [default: of the month]"),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", metavar="DAY", parser=day, help="Last day. [default: today]"),
    ] = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show how many requests were made to Google, and what they come to by list price.

    \b
    Examples:
      scrapersky places-ledger
      scrapersky places-ledger --from 7d
      scrapersky places-ledger --from 2026-01-01 --to 2026-01-31 --json
    """
    session = session_of(context)
    since, until = (named.isoformat() if named else None for named in (first, last))
    with session.client(data_dir) as client:
        document = PlacesApi(client).ledger(first=since, last=until)
    if as_json:
        session.show_json(document)
    else:
        session.show(*ledger_view(document))


COMMANDS = (places_results, places_history, places_status, places_ledger)
