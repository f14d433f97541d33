"""The API's documents of places searches as tables for people; as lenient, and as careful, as `render`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from scrapersky.domain.places import Stop, WebsiteClass
from scrapersky.domain.status import JobKind
from scrapersky_cli.client import Document
from scrapersky_cli.render import add_row, list_of, mapping, moment, number, status_text, table
from scrapersky_cli.text import clean

# Why a search asked for nothing more, for people.
_STOPPED: dict[str, str] = {
    Stop.ALL_FOUND: "That is all that Google has.",
    Stop.MAX_RESULTS: "There may be more (--max-results, above 60 with --split).",
    Stop.CAP: "Google tells 60 places of one query; there may be more (--split).",
    Stop.MAX_REQUESTS: "It made all its requests; there may be more (--max-results, with --split --max-requests).",
    Stop.BUDGET: "The budget was reached; there may be more (--budget).",
    Stop.TIME: "Its time was over; there may be more (a smaller --radius).",
}

_NOT_SCANNED = {
    "social": "a page on a network",
    "directory": "a page in a directory",
    "none": "no website",
    "not_asked_for": "its website was not asked for (--fields contact)",
    "unknown": "not on this search's list",
}


def is_search(document: Document) -> bool:
    """Whether a job's document is of a places search; a status under the search's own route names no kind."""
    return document.get("kind") == JobKind.PLACES_SEARCH.value or "search_query" in document


def cost_line(accepted: Document) -> str:
    """What a search that was just accepted may come to."""
    requests = int(number(accepted, "max_requests"))
    cost = money(accepted.get("max_cost_usd"))
    return f"At most {_counted(requests, 'request')} to Google, {cost} by list price; tries that fail not counted."


def search_figures(document: Document) -> str:
    """`60 places, 60 new, 4 requests, $0.11`; empty for what is no search, or has told nothing yet."""
    figures = _figures(document)
    if not is_search(document) or "requests" not in figures:
        return ""
    places, new, requests = (int(number(figures, name)) for name in ("stored_places", "new_places", "requests"))
    told = (_counted(places, "place"), f"{new} new", _counted(requests, "request"), money(figures.get("cost_usd")))
    return ", ".join(told)


def search_view(document: Document) -> Iterator[Text]:
    """One search: a line that says how it stands and what it cost, then why it ended or failed."""
    figures, error = _figures(document), mapping(document.get("error"))
    yield Text.assemble(
        (_subject(document), "bold"),
        "  ",
        status_text(document),
        f"  {search_figures(document)}",
        f"  {clean(document.get('job_id'))}",
    )
    if error:
        yield Text(f"{clean(error.get('code'))}: {clean(error.get('message'))}", style="red")
        if error.get("retryable") is True:
            yield Text(f"It may well go better another time: scrapersky retry {clean(document.get('job_id'))}")
    if figures.get("reused_from"):
        yield Text(
            f"Taken over from the same search of a while ago, {clean(figures['reused_from'])}: "
            "Google was asked nothing (--refresh asks anew)."
        )
    if stopped := _STOPPED.get(clean(figures.get("stopped"))):
        yield Text(stopped)


def places_table(items: Iterable[Document]) -> Table:
    """A row for each place, by rank. Without a name, which `--fields ids` does not ask for, Google's id is all."""
    made = table(None, "#", "Name", "Phone", "Rating", "Website", "Status", "Place")
    for item in items:
        website = _website(item)
        cells = (item.get("rank"), item.get("name"), item.get("phone"), _rating(item), website, item.get("status"))
        add_row(made, (*cells, item.get("place_id")))
    return made


def skipped_lines(accepted: Document, places: Iterable[Document]) -> Iterator[Text]:
    """The places whose sites are not scanned: a line a reason, with their names or, without one, Google's ids."""
    names = {place.get("place_id"): place.get("name") for place in places}
    by_reason: dict[str, list[str]] = {}
    for skipped in map(mapping, list_of(accepted.get("skipped"))):
        place_id = skipped.get("place_id")
        by_reason.setdefault(clean(skipped.get("reason")), []).append(clean(names.get(place_id) or place_id))
    for reason, named in by_reason.items():
        told = _NOT_SCANNED.get(reason, reason)
        yield Text(f"Not scanned, {told} ({len(named)}): {', '.join(named)}")


def searches_table(items: Sequence[Document]) -> Table:
    made = table(
        None, "Job", "Search", "Status", "Places", "New", "Requests", "Cost", "Stopped", "Created (UTC)", "Error"
    )
    for item in items:
        counts = (item.get(name) for name in ("stored_places", "new_places", "requests"))
        told = (money(item.get("cost_usd")), item.get("stopped"), moment(item.get("created_at")))
        error = mapping(item.get("error")).get("code")
        add_row(made, (item.get("job_id"), _subject(item), status_text(item), *counts, *told, error))
    return made


def ledger_view(document: Document) -> Iterator[Text | Table]:
    """Requests by day and SKU, and what they come to."""
    made = table(None, "Day (UTC)", "SKU", "Requests", "Cost", "Unanswered")
    for item in map(mapping, list_of(document.get("items"))):
        cost = money(item.get("cost_usd"))
        add_row(made, (item.get("day"), item.get("sku"), item.get("requests"), cost, item.get("unanswered") or ""))
    if made.row_count:
        yield made
    requests, total = int(number(document, "total_requests")), money(document.get("total_cost_usd"))
    span = f"from {clean(document.get('from'))} to {clean(document.get('to'))}"
    prices = clean(document.get("prices_of"))
    yield Text(f"{_counted(requests, 'request')} {span}, {total} by list prices ({prices}).")


def money(value: object) -> str:
    """`$0.11`, `$0.105`: cents, and what is below them where there is any."""
    if not isinstance(value, int | float):
        return ""
    whole, _, decimals = f"{value:.6f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _figures(document: Document) -> Mapping[str, Any]:
    """The figures of a status under the search's own route, or those in the result or the metadata of a job."""
    if "search_query" in document:
        return document
    return mapping(document.get("result")) or mapping(document.get("metadata"))


def _subject(document: Document) -> str:
    if "search_query" in document:
        return f"{clean(document.get('search_query'))} in {clean(document.get('search_location'))}"
    return clean(document.get("domain"))


def _website(place: Document) -> object:
    kind = place.get("website_class")
    if kind == WebsiteClass.OWN_SITE.value:
        return place.get("domain")
    return kind and f"({clean(kind)})"


def _rating(place: Document) -> str:
    rating, count = place.get("rating"), place.get("user_ratings_total")
    if not isinstance(rating, int | float):
        return ""
    return f"{rating:.1f}" + (f" ({count})" if isinstance(count, int) else "")


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
