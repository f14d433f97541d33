"""The commands that search for businesses and go on to their sites."""

import math
import re
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from scrapersky.domain import limits
from scrapersky.domain.places import FieldPreset
from scrapersky.domain.status import JobStatus
from scrapersky_cli import listing, options
from scrapersky_cli.batch_commands import Ending
from scrapersky_cli.client import Accepted, ApiClient, Document
from scrapersky_cli.errors import Refused, UsageError
from scrapersky_cli.follow import wait_for_batch, wait_for_search
from scrapersky_cli.outcomes import end, started
from scrapersky_cli.places_api import PlacesApi
from scrapersky_cli.places_export import write_places
from scrapersky_cli.places_render import cost_line, places_table, search_view, skipped_lines
from scrapersky_cli.results import ResultFormat
from scrapersky_cli.session import Session, session_of
from scrapersky_cli.text import clean

NO_SITES = "no_sites"  # the API's word for a search none of whose places has a site of its own
_DEGREES = r"([+-]?[0-9]{1,3}(?:\.[0-9]{1,15})?)"
_CENTRE = re.compile(f"{_DEGREES} *, *{_DEGREES}")
LISTED_AT_ONCE = 500  # the most that the API puts on one page
MaxPages = Annotated[
    int, typer.Option("--max-pages", min=1, max=limits.MAX_PAGES, help="With --scan: pages of a site to look at.")
]
Concurrent = Annotated[
    int,
    typer.Option("--concurrent", min=1, max=limits.MAX_CONCURRENT, help="With --scan: sites at the same time."),
]


def places(
    context: typer.Context,
    business_type: Annotated[str, typer.Argument(metavar="WHAT", help="What to look for, such as dentist.")],
    location: Annotated[str, typer.Argument(metavar="WHERE", help="Where, such as 'Austin TX'.")],
    radius: Annotated[
        float, typer.Option("--radius", metavar="KM", min=1, max=limits.MAX_RADIUS_KM, help="Around the location.")
    ] = limits.DEFAULT_RADIUS_KM,
    max_results: Annotated[
        int,
        typer.Option(
            "--max-results", min=1, max=limits.MAX_SPLIT_PLACES, help="Places at the most; above 60 with --split."
        ),
    ] = limits.DEFAULT_PLACES,
    fields: Annotated[
        FieldPreset,
        typer.Option("--fields", help="How much to ask for: contact has websites and phones, and costs the most."),
    ] = FieldPreset.CONTACT,
    split: Annotated[
        bool, typer.Option("--split", help="Search in parts, since Google tells 60 places of one query.")
    ] = False,
    max_requests: Annotated[
        int | None,
        typer.Option(
            "--max-requests",
            min=1,
            max=limits.MAX_SPLIT_REQUESTS,
            help=f"With --split: requests at the most. [default: {limits.DEFAULT_SPLIT_REQUESTS}]",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", metavar="USD", help="What it may cost by list price; it ends before that is passed."),
    ] = None,
    center: Annotated[
        str | None,
        typer.Option("--center", metavar="LAT,LNG", help="The middle, in degrees. [default: where WHERE is]"),
    ] = None,
    language: Annotated[str | None, typer.Option("--language", help="Of names and addresses, such as en-GB.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Country of the answers' form, such as US.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask Google also when the same search was made a while ago.")
    ] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Then scan the businesses' own sites, and show what was found.")
    ] = False,
    max_pages: MaxPages = limits.DEFAULT_PAGES,
    concurrent: Concurrent = limits.DEFAULT_CONCURRENT,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the places, or only start.")] = True,
    file_format: options.Format = None,
    output: options.Output = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Search for businesses at Google and, with --scan, read their sites.

    Says first what the search may cost, then shows the places, each with its website or the reason why it has none
    of its own, and what the search came to. -o and --format write the places or, with --scan, what their sites say.
    --json prints the search's status; with --scan it is an object of search, skipped and batch.
    The same search within a day asks nothing again. Exits with 1 when the search failed, or the scan of the sites.

    \b
    Examples:
      scrapersky places dentist "Austin TX"
      scrapersky places dentist "Austin TX" --max-results 60 --scan -o facts.csv
      scrapersky places cafe Hamburg --center 53.55,9.99 --radius 5 --fields basic --format ndjson
      scrapersky places plumber "Austin TX" --split --max-results 500 --max-requests 80 --budget 2.50
    """
    if scan and not wait:
        raise UsageError("--scan needs the places: leave out --no-wait, or use `scrapersky places-scan` later")
    if not split and (max_results > limits.MAX_PLACES or max_requests is not None):
        raise UsageError(f"more than {limits.MAX_PLACES} places, and --max-requests, are for a search with --split")
    if not all(math.isfinite(number) for number in (radius, budget or 0.0)):  # which JSON has no word for
        raise UsageError("--radius and --budget are numbers")
    ending = Ending.of(file_format, output, wait=wait, as_json=as_json)
    latitude, longitude = _centre(center)
    session = session_of(context)
    with session.client(data_dir) as client:
        accepted = PlacesApi(client).search(
            business_type=business_type,
            location=location,
            radius_km=radius,
            max_results=max_results,
            fields=fields.value,
            split=split,
            max_requests=max_requests,
            budget_usd=budget,
            latitude=latitude,
            longitude=longitude,
            language=language,
            region=region,
            refresh=refresh,
        )
        if not as_json:
            session.say(cost_line(accepted.document))
        if not wait:
            started(session, accepted, as_json=as_json)
            return
        document = wait_for_search(
            session,
            client,
            job_id=accepted.work_id,
            status_url=accepted.status_url,
            subject=f"{business_type} in {location}",
        )
        if scan:
            _scan_too(session, client, document, ending, max_pages=max_pages, concurrent=concurrent)
            return
        _show(session, PlacesApi(client), document, ending)
    end(document)


def places_scan(
    context: typer.Context,
    job_id: Annotated[UUID, typer.Argument(metavar="JOB_ID", help="The search's id, as `places` prints it.")],
    place_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[PLACE_ID]...", help="Only these of its places. [default: all]")
    ] = None,
    max_pages: MaxPages = limits.DEFAULT_PAGES,
    concurrent: Concurrent = limits.DEFAULT_CONCURRENT,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results, or only start.")] = True,
    file_format: options.Format = None,
    output: options.Output = None,
    as_json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Scan the own sites of a search's places as a batch.

    Places without a site of their own are named with the reason; none with one is refused.

    \b
    Examples:
      scrapersky places-scan 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f -o facts.csv
      scrapersky places-scan 0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f ChIJ123 ChIJ456 --no-wait
    """
    ending = Ending.of(file_format, output, wait=wait, as_json=as_json)
    session = session_of(context)
    with session.client(data_dir) as client:
        api = PlacesApi(client)
        accepted = api.scan(job_id, max_pages=max_pages, max_concurrent=concurrent, place_ids=place_ids)
        if not as_json:
            _tell(session, ending, skipped_lines(accepted.document, _all(api, job_id)))
        ending.come_to(session, client, accepted)


COMMANDS = (places, places_scan)


def _show(session: Session, api: PlacesApi, document: Document, ending: Ending) -> None:
    """Show or write a search that ended: its places and what it came to."""
    if ending.as_json:
        session.show_json(document)
        return
    found = _all(api, str(document.get("job_id")))
    if document.get("status") == JobStatus.COMPLETE:
        write_places(session, found, ending.file_format, ending.output)
    elif ending.output is not None:
        session.say(f"Nothing was written to {ending.output}")
    elif ending.file_format is ResultFormat.TABLE and found:
        session.show(places_table(found))  # what it found before it failed
    _tell(session, ending, search_view(document))


def _scan_too(
    session: Session, client: ApiClient, document: Document, ending: Ending, *, max_pages: int, concurrent: int
) -> None:
    """Show a search, then go on to its places' own sites. One that failed, or has none of them, ends here."""
    api, job_id = PlacesApi(client), str(document.get("job_id"))
    found: list[Document] = []
    if not ending.as_json:
        found = _all(api, job_id)
        if found and _is_for_people(ending):
            session.show(places_table(found))
        _tell(session, ending, search_view(document))
    accepted = _accepted(session, api, document, max_pages=max_pages, concurrent=concurrent)
    if accepted is None:
        if ending.as_json:
            session.show_json({"search": document, "skipped": None, "batch": None})
        elif ending.output is not None:
            session.say(f"Nothing was written to {ending.output}")
        end(document)
    elif ending.as_json:
        wait_for_batch(session, client, batch_id=accepted.work_id, status_url=accepted.status_url)
        batch = client.batch(accepted.work_id)
        session.show_json({"search": document, "skipped": accepted.document.get("skipped"), "batch": batch})
        end(batch)
    else:
        _tell(session, ending, skipped_lines(accepted.document, found))
        ending.come_to(session, client, accepted)


def _accepted(
    session: Session, api: PlacesApi, document: Document, *, max_pages: int, concurrent: int
) -> Accepted | None:
    """The batch of the own sites; None when there are none of them, which is no failure, or the search failed."""
    if document.get("status") != JobStatus.COMPLETE:
        return None
    try:
        return api.scan(str(document.get("job_id")), max_pages=max_pages, max_concurrent=concurrent)
    except Refused as refusal:
        if refusal.code != NO_SITES:
            raise
        session.say("None of the places has a site of its own: there is nothing to scan.")
        return None


def _tell(session: Session, ending: Ending, lines: Iterable[Text]) -> None:
    """Show lines for people; beside the results when these are what a program reads."""
    if _is_for_people(ending):
        session.show(*lines)
    else:
        for line in lines:
            session.say(line.plain)


def _is_for_people(ending: Ending) -> bool:
    return ending.file_format is ResultFormat.TABLE or ending.output is not None


def _all(api: PlacesApi, job_id: UUID | str) -> list[Document]:
    """All places of a search, by rank."""
    document = listing.fetch(
        lambda at: api.results(job_id, limit=LISTED_AT_ONCE, cursor=at), cursor=None, everything=True, key="places"
    )
    return listing.items_of(document, "places")


def _centre(text: str | None) -> tuple[float | None, float | None]:
    """`30.27,-97.74` as latitude and longitude. Raises UsageError."""
    if text is None:
        return None, None
    match = _CENTRE.fullmatch(text.strip())
    latitude, longitude = (float(match[1]), float(match[2])) if match else (91.0, 181.0)
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise UsageError(f"--center {clean(text)!r} is no LAT,LNG in degrees, such as 30.27,-97.74")
    return latitude, longitude
