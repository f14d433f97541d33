"""A search's places as a table, as NDJSON or as CSV: one line a place, by rank."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from scrapersky_cli.client import Document
from scrapersky_cli.places_render import places_table
from scrapersky_cli.results import ResultFormat, put
from scrapersky_cli.session import PIPE_WIDTH, Session

COLUMNS = (
    *("rank", "place_id", "name", "business_type", "primary_type", "types", "formatted_address", "latitude"),
    *("longitude", "rating", "user_ratings_total", "phone", "website", "website_class", "domain", "business_status"),
    *("status", "expires_at", "search_time", "search_job_id"),
)


def write_places(session: Session, places: Sequence[Document], file_format: ResultFormat, target: Path | None) -> None:
    """Write a search's places to the target, or to stdout when it is None. Raises CliError."""
    if file_format is ResultFormat.TABLE and target is None:
        session.show(places_table(places))
        return
    pieces = {ResultFormat.TABLE: _table, ResultFormat.NDJSON: _ndjson, ResultFormat.CSV: _csv}[file_format](places)
    put(session, pieces, file_format, target, what="The places")


def _ndjson(places: Iterable[Document]) -> Iterator[bytes]:
    """The API's own objects."""
    for place in places:
        yield json.dumps(place, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _csv(places: Iterable[Document]) -> Iterator[bytes]:
    """By the rules of the API's own CSV, so that a name is no formula to a spreadsheet."""
    from scrapersky.api.export_lines import cell  # with the API's models, which no other command needs

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for place in places:
        writer.writerow(cell(place.get(name)) for name in COLUMNS)
    yield buffer.getvalue().encode("utf-8", "replace")


def _table(places: Iterable[Document]) -> Iterator[bytes]:
    text = io.StringIO()
    Console(file=text, width=PIPE_WIDTH, markup=False, emoji=False, highlight=False).print(places_table(places))
    yield text.getvalue().encode("utf-8")
