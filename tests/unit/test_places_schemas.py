"""What can be asked of places searches, and how money is written."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from scrapersky.api.place_schemas import PlacesLedger, SitesScanAccepted
from scrapersky.api.places_schemas import PlacesSearchRequest
from scrapersky.domain.batches import StartedBatch
from scrapersky.domain.place_views import NotScanned, SitesBatch, Spent
from scrapersky.domain.places import FieldPreset

ASKED = {"business_type": "dentist", "location": "Austin TX"}
DAY = date(2026, 3, 2)


def asked(**given: Any) -> PlacesSearchRequest:
    return PlacesSearchRequest.model_validate({**ASKED, **given})


def wrong(**given: Any) -> list[tuple[object, ...]]:
    """The places of what is wrong."""
    with pytest.raises(ValidationError) as refusal:
        asked(**given)
    return [error["loc"] for error in refusal.value.errors()]


# Every character that is a control, a space or next to one, and some that only look like nothing.
EDGES = [
    *range(0xA2),
    0x1680,
    0x180E,
    *range(0x2000, 0x2010),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x2060,
    0x3000,
    0xFEFF,
]


@pytest.mark.parametrize("name", ["business_type", "location"])
def test_the_document_describes_the_same_texts_as_are_taken(name: str) -> None:
    schema = PlacesSearchRequest.model_json_schema()["properties"][name]
    seen = set()
    for point in EDGES:
        for text in (chr(point), f"a{chr(point)}", f"{chr(point)}a", f" {chr(point)} ", f"a{chr(point)}b"):
            try:
                taken = bool(asked(**{name: text}))
            except ValidationError:
                taken = False
            assert taken == bool(re.search(schema["pattern"].removesuffix("$") + r"\Z", text)), repr(text)
            seen.add(taken)
    assert seen == {True, False}


def test_a_text_is_taken_without_the_space_around_it() -> None:
    assert asked(business_type="\u2003hair  salon ").business_type == "hair  salon"


def test_each_wrong_field_is_named_once_and_none_for_another() -> None:
    assert wrong(latitude=91, longitude=1) == [("latitude",)]
    assert wrong(split="yes", max_results=61, max_requests=2) == [("split",)]
    assert wrong(latitude=1, max_results=61, max_requests=2, budget_usd=0.12345) == [
        ("longitude",), ("max_results",), ("max_requests",), ("budget_usd",),
    ]  # fmt: skip
    assert wrong(radius_km=True) == [("radius_km",)]
    assert wrong(radius_km=float("nan")) == [("radius_km",)]
    assert wrong(latitude=float("inf"), longitude=0) == [("latitude",)]


@pytest.mark.parametrize(
    ("budget", "expected"), [(0.1, "0.1"), (1e-4, "0.0001"), (1000, "1000.0"), (0.3, "0.3"), (12.3456, "12.3456")]
)
def test_a_budget_is_the_number_that_was_written(budget: float, expected: str) -> None:
    assert asked(budget_usd=budget).budget == Decimal(expected)


@pytest.mark.parametrize("budget", [0.1 + 0.2, 1e-5, 999.99999])
def test_a_budget_has_four_decimals_at_the_most(budget: float) -> None:
    assert wrong(budget_usd=budget) == [("budget_usd",)]


def test_only_a_split_search_has_a_bound_of_its_own() -> None:
    assert asked().request_bound is None
    assert asked(split=True).request_bound == 50
    assert asked(split=True, max_requests=7, max_results=1000).request_bound == 7
    assert (asked().fields, asked().max_results, asked().radius_km) == (FieldPreset.CONTACT, 20, 10)


def test_sums_are_exact_to_the_sixth_decimal() -> None:
    spent = [Spent(DAY, sku, 1, Decimal("0.1"), 0) for sku in ("a", "b", "c")]
    ledger = PlacesLedger.of(spent, first=DAY, last=DAY, prices_of=DAY)
    told = json.loads(ledger.model_dump_json())
    assert (told["from"], told["to"], told["total_requests"], told["total_cost_usd"]) == (
        "2026-03-02", "2026-03-02", 3, 0.3,
    )  # fmt: skip
    tiny = PlacesLedger.of([Spent(DAY, "a", 1, Decimal("0.000001"), 1)], first=DAY, last=DAY, prices_of=DAY)
    assert json.loads(tiny.model_dump_json())["items"] == [
        {"day": "2026-03-02", "sku": "a", "requests": 1, "cost_usd": 1e-06, "unanswered": 1}
    ]


def test_a_batch_of_sites_is_a_batch_with_what_was_left_out() -> None:
    batch = StartedBatch(UUID(int=1), 2, datetime(2026, 3, 2, tzinfo=UTC), ())
    sites = SitesBatch(batch, (("a", NotScanned.SOCIAL), ("b", NotScanned.UNKNOWN)))
    told = json.loads(SitesScanAccepted.of_sites(sites, "https://api.example/x").model_dump_json())
    assert (told["job_count"], told["rejected"], told["status_url"]) == (2, [], "https://api.example/x")
    assert told["skipped"] == [{"place_id": "a", "reason": "social"}, {"place_id": "b", "reason": "unknown"}]
