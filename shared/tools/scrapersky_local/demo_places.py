"""The demonstration's places search: from a search to the businesses, their own sites, and what these say.

What comes of it is held to the emulator: which places there are, and how many requests it has counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from scrapersky.domain.limits import DEFAULT_PAGES, MAX_PLACES
from scrapersky.domain.status import JobStatus
from scrapersky_cli import listing
from scrapersky_cli.client import ApiClient, Document
from scrapersky_cli.places_api import PlacesApi
from scrapersky_cli.places_render import money
from scrapersky_cli.render import add_row, facts, mapping, status_text, table
from scrapersky_cli.results import ResultFormat, documents
from scrapersky_local.demo_batches import end_of, expected
from scrapersky_local.demo_web.sites import Site, differences
from scrapersky_local.places_emulator.service import Emulator

WHAT, WHERE = "dentist", "Austin TX"
PATIENCE_SECONDS = 45.0  # a search that is not over by then never will be: one takes a second
CONCURRENT = 20
_SHOWN = frozenset({"title", "email", "phone", "software"})


@dataclass(frozen=True, slots=True)
class PlacesOutcome:
    """What a search, the batch of the own sites and the ledger came to, and in what they are not as they must be."""

    search: Document
    places: Sequence[Document] = ()
    facts: Mapping[str, Document] = field(default_factory=dict)
    """The scan of each own site, by domain."""
    ledger: Document = field(default_factory=dict)
    differences: Sequence[str] = ()

    @property
    def documents(self) -> list[Document]:
        return [self.search, *self.facts.values()]


def run_places(client: ApiClient, google: Emulator, sites: Sequence[Site]) -> PlacesOutcome:
    """Search for sixty businesses, search again in another way, and scan the own sites of the first search's."""
    api = PlacesApi(client)
    search = _search(client, max_results=MAX_PLACES)
    if search.get("status") != JobStatus.COMPLETE:
        return PlacesOutcome(search, differences=differences(_described(MAX_PLACES), search))
    job_id = str(search["job_id"])
    places = _listed(api, job_id)
    accepted = api.scan(job_id, max_pages=DEFAULT_PAGES, max_concurrent=CONCURRENT)
    again = _search(client, max_results=MAX_PLACES // 2)
    own = list(dict.fromkeys(place["domain"] for place in places if place["domain"]))
    described = {site.host: site.expect for site in sites if site.host in own}
    batch, of_batch = end_of(client, accepted.work_id, expected(described, []))
    lines = documents(client.batch_results(batch["batch_id"], file_format=ResultFormat.NDJSON))
    ledger = api.ledger()
    found = {
        **search,
        "listed": {"count": len(places), "different": len({place["place_id"] for place in places})},
        "later_changed_nothing": again.get("status") == JobStatus.COMPLETE
        and _kept(_listed(api, job_id)) == _kept(places),
        "skipped": len(accepted.document["skipped"]),
        "spent": {item["sku"]: item["requests"] for item in ledger["items"]},
    }
    told = {
        **_described(MAX_PLACES),
        "listed": {"count": MAX_PLACES, "different": MAX_PLACES},
        "later_changed_nothing": True,
        "skipped": sum(1 for place in places if not place["domain"]),
        "spent": dict(google.counts()),
    }
    differing = [*differences(told, found), *of_batch]
    return PlacesOutcome(search, places, {line["domain"]: line for line in lines}, ledger, differing)


def places_view(outcome: PlacesOutcome) -> Table:
    """The businesses with a site of their own: what Google says of them, and what their site does."""
    title = f"Places: {len(outcome.places)} of {WHAT} in {WHERE}, and the own sites among them"
    made = table(title, "Business", "Phone at Google", "Site", "Status", "What the site says")
    for place in outcome.places:
        if not place.get("domain"):
            continue
        job = outcome.facts.get(place["domain"], {})
        add_row(made, (place["name"], place["phone"], place["domain"], status_text(job), _said(job)))
    return made


def spent_line(outcome: PlacesOutcome) -> str:
    """What all its searches came to."""
    others = sum(1 for place in outcome.places if not place.get("domain"))
    requests, cost = outcome.ledger.get("total_requests"), money(outcome.ledger.get("total_cost_usd"))
    return f"{others} others have no site of their own. {requests} requests, {cost} by list price, all in the ledger."


def _search(client: ApiClient, *, max_results: int) -> Document:
    """A search at its end, or when patience ended."""
    accepted = PlacesApi(client).search(business_type=WHAT, location=WHERE, max_results=max_results)
    return list(client.follow(accepted.status_url, patience=PATIENCE_SECONDS))[-1]


def _listed(api: PlacesApi, job_id: str) -> list[Document]:
    """A search's places by rank, page by page."""
    document = listing.fetch(
        lambda at: api.results(job_id, limit=MAX_PLACES // 2, cursor=at), cursor=None, everything=True, key="places"
    )
    return listing.items_of(document, "places")


def _kept(places: Sequence[Document]) -> list[Document]:
    """The list without what every search renews: until when Google's content may be kept."""
    return [{name: value for name, value in place.items() if name != "expires_at"} for place in places]


def _described(places: int) -> dict[str, Any]:
    """What a search's status must be: a request for the town, and one for each page of twenty."""
    return {
        "status": JobStatus.COMPLETE.value,
        "stored_places": places,
        "new_places": places,
        "requests": 4,
        "stopped": "max_results",
    }


def _said(job: Document) -> Text:
    """The facts that say most; of a site that could not be read the reason."""
    site_data = mapping(mapping(job.get("result")).get("site_data"))
    told = [f"{kind}: {value}" for kind, value, _ in facts(site_data, "") if kind in _SHOWN]
    return Text("\n".join(told) or str(mapping(job.get("error")).get("message", "")))
