"""The demonstration's places search: what is not as it must be is told, down to a place that is there twice."""

import json
from collections import Counter
from typing import Any

import httpx
import pytest
from rich.console import Console

from scrapersky_cli.client import ApiClient
from scrapersky_local.demo_places import PlacesOutcome, places_view, run_places, spent_line
from scrapersky_local.demo_web.sites import load
from scrapersky_local.places_emulator import masks
from scrapersky_local.places_emulator.service import Emulator, Received
from support.cli_runs import API, JOB_ID
from support.places_answers import BATCH_ID, BATCH_PATH, RESULTS_PATH, SEARCHES, place, search

SITES = load()
OWN = "cedar-dental.example"
AGAIN_ID = "0197c1d2-1111-7c3e-9f3a-2b6f0c1d4e5f"
SPENT = Counter({masks.GEOCODING: 2, masks.ENTERPRISE: 5})


def sixty() -> list[dict[str, Any]]:
    own = place(1, name="Cedar Dental", website_class="own_site", domain=OWN, phone="+1 512-555-0100")
    return [own, *(place(rank, place_id=f"ChIJ{rank}") for rank in range(2, 61))]


class Made:
    """An API that answers as one does where all is well; tests change a part of it."""

    def __init__(self) -> None:
        self.first = search(stored_places=60, new_places=60, requests=4, stopped="max_results", total_places=60)
        self.again = search(job_id=AGAIN_ID)
        self.places = sixty()
        self.places_later = sixty()
        self.skipped = [{"place_id": one["place_id"], "reason": "none"} for one in self.places[1:]]
        self.batch = {"status": "complete", "progress": 100.0, "domain_statuses": {OWN: {"status": "complete"}}}
        self.spent = SPENT
        self.searches = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == f"{SEARCHES}/places":
            self.searches += 1
            job_id = (JOB_ID, AGAIN_ID)[self.searches - 1]
            return httpx.Response(202, json={"job_id": job_id, "status_url": f"{API}{SEARCHES}/status/{job_id}"})
        if path == RESULTS_PATH:
            places = self.places if self.searches == 1 else self.places_later
            at = int(request.url.params.get("cursor", "0"))
            page = {"places": places[at : at + 30], "next_cursor": str(at + 30) if at + 30 < len(places) else None}
            return httpx.Response(200, json=page)
        if path.endswith(f"{BATCH_ID}/results"):
            site_data = {"title": "Cedar Dental Practice", "contact_info": {"email": ["a@cedar-dental.example"]}}
            line = {"domain": OWN, "status": "complete", "result": {"site_data": site_data}}
            return httpx.Response(200, text=json.dumps(line) + "\n")
        counts = {"total_domains": 1, "completed_domains": 1, "failed_domains": 0, "cancelled_domains": 0}
        items = [{"sku": sku, "requests": count} for sku, count in self.spent.items()]
        answers: dict[str, Any] = {
            f"{SEARCHES}/status/{JOB_ID}": self.first,
            f"{SEARCHES}/status/{AGAIN_ID}": self.again,
            f"{RESULTS_PATH}/scan": {
                "batch_id": BATCH_ID,
                "status_url": f"{API}{BATCH_PATH}",
                "skipped": self.skipped,
            },
            BATCH_PATH: {**self.batch, "batch_id": BATCH_ID, **counts},
            "/api/v3/places/ledger": {"items": items, "total_requests": 7, "total_cost_usd": 0.185},
        }
        return httpx.Response(200, json=answers[path])

    def run(self) -> PlacesOutcome:
        google = Emulator("k", received=[Received(sku, 200) for sku in SPENT.elements()])
        with ApiClient(API, "t", transport=httpx.MockTransport(self.answer), sleep=lambda _: None) as client:
            return run_places(client, google, SITES)


def test_a_search_as_it_must_be_has_no_differences() -> None:
    outcome = Made().run()
    assert outcome.differences == []
    assert [one["status"] for one in outcome.documents] == ["complete", "complete"]


def told(made: Made) -> str:
    (line,) = made.run().differences
    return line


def test_a_place_that_is_there_twice_is_told() -> None:
    made = Made()
    made.places[59] = made.places_later[59] = {**made.places[58], "rank": 60}
    assert told(made).startswith("listed.different: expected 60, found 59")


def test_a_list_that_a_later_search_changed_is_told_but_not_what_it_renewed() -> None:
    made = Made()
    made.places_later[7] = {**made.places_later[7], "expires_at": "2026-02-02T00:00:00Z"}
    assert made.run().differences == []
    made = Made()
    made.places_later[7] = {**made.places_later[7], "status": "Maybe"}
    assert told(made).startswith("later_changed_nothing: ")


def test_a_request_that_is_not_in_the_ledger_is_told() -> None:
    made = Made()
    made.spent = SPENT - Counter({masks.ENTERPRISE: 1})
    assert told(made).startswith(f"spent.{masks.ENTERPRISE}: expected 5, found 4")


def test_a_place_without_an_own_site_that_is_not_named_is_told() -> None:
    made = Made()
    made.skipped.pop()
    assert told(made).startswith("skipped: expected 59, found 58")


def test_a_site_that_came_to_something_else_is_told() -> None:
    made = Made()
    made.batch["domain_statuses"] = {OWN: {"status": "failed"}}
    assert OWN in told(made)


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_search_that_did_not_end_well_is_told_and_goes_no_further(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrapersky_local.demo_places.PATIENCE_SECONDS", 0.05)
    made = Made()
    made.first = search(status, stored_places=60, new_places=60, requests=4, stopped="max_results")
    outcome = made.run()
    assert [line.split(":")[0] for line in outcome.differences] == ["status"]
    assert outcome.places == ()


def test_what_is_shown_leads_from_the_business_to_the_facts_of_its_site() -> None:
    outcome = Made().run()
    console = Console(width=200)
    with console.capture() as captured:
        console.print(places_view(outcome), spent_line(outcome))
    words = " ".join(captured.get().split())
    assert f"Cedar Dental +1 512-555-0100 {OWN} complete title: Cedar Dental Practice" in words
    assert "email: a@cedar-dental.example" in words
    assert "59 others have no site of their own. 7 requests, $0.185 by list price, all in the ledger." in words
