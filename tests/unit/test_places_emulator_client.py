"""The emulator and this system's client: each request is accepted, and billed as the price table says."""

import pytest

from scrapersky.domain.places import FieldPreset
from scrapersky.places.asks import GeocodeAsk, Geocoded, Page, PlacesFailure, TextSearchAsk
from scrapersky.places.presets import FIELDS, GEOCODING_SKU, SKUS, field_mask, price
from scrapersky.places.search import PlacesSearch, SearchRequest
from scrapersky_local.places_emulator import masks
from support.emulated_google import AUSTIN, DENTISTS, Google


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.mark.parametrize("preset", list(FieldPreset))
def test_the_client_s_requests_are_accepted_and_billed_as_the_price_table_says(
    preset: FieldPreset, google: Google
) -> None:
    ask = TextSearchAsk(preset, {**DENTISTS, "pageSize": 20})
    with google.client() as client:
        answer = client.send(ask)
    assert isinstance(answer, Page)
    assert len(answer.places) == 20
    assert answer.next_page_token
    assert google.emulator.counts() == {SKUS[preset]: 1} == {ask.price.sku: 1}


@pytest.mark.parametrize("preset", list(FieldPreset))
def test_each_field_of_a_preset_is_one_that_there_is_and_none_is_dearer_than_the_preset(preset: FieldPreset) -> None:
    paths, sku = masks.text_search(field_mask(preset))
    assert sku == SKUS[preset]
    assert paths == {*(f"places.{name}" for name in FIELDS[preset]), "nextPageToken"}
    dearest = max(price(masks.SKU_OF[name]).usd for name in FIELDS[preset])
    assert dearest == price(sku).usd


def test_a_geocoding_of_the_client_is_accepted_and_billed_as_one(google: Google) -> None:
    ask = GeocodeAsk("Austin TX", "en", "us")
    with google.client() as client:
        assert client.send(ask) == Geocoded(AUSTIN)
    assert google.emulator.counts() == {GEOCODING_SKU: 1} == {ask.price.sku: 1}


@pytest.mark.parametrize("preset", list(FieldPreset))
@pytest.mark.parametrize("split", [False, True], ids=["plain", "split"])
def test_no_request_of_a_whole_search_is_refused(preset: FieldPreset, split: bool, google: Google) -> None:
    request = SearchRequest(
        "dentist",
        "Austin TX",
        radius_km=10,
        max_results=1000 if split else 60,
        preset=preset,
        split=split,
        max_requests=100,
        language="en",
        region="us",
    )
    search = PlacesSearch(request)
    found: list[str] = []
    with google.client() as client:
        while (ask := search.next()) is not None:
            answer = client.send(ask)
            assert not isinstance(answer, PlacesFailure), answer
            found += [place.place_id for place in search.take(answer)]
    assert len(found) == len(set(found)) == (96 if split else 60)
    counts = google.emulator.counts()
    assert counts.pop(GEOCODING_SKU) == 1
    assert set(counts) == {SKUS[preset]}
    assert {one.status for one in google.emulator.received} == {200}
