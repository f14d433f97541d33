"""One places search as steps: what is asked, what is taken, when it ends."""

import random
from dataclasses import replace

import pytest

from scrapersky.domain.places import FieldPreset, FoundPlace, LatLng, Stop
from scrapersky.places.asks import PAGE_SIZE, RESULTS_CAP, GeocodeAsk, Geocoded, Page, TextSearchAsk
from scrapersky.places.geometry import distance_km
from scrapersky.places.search import LocationNotFoundError, PlacesSearch, SearchRequest

CENTRE = LatLng(30.27, -97.74)
PLAIN = SearchRequest("dentist", "Austin TX", radius_km=10, max_results=60, centre=CENTRE)


def places(first: int, count: int, at: LatLng = CENTRE) -> tuple[FoundPlace, ...]:
    return tuple(FoundPlace(f"place-{number}", location=at) for number in range(first, first + count))


def test_a_location_is_geocoded_first_and_its_centre_biases_the_search() -> None:
    search = PlacesSearch(replace(PLAIN, centre=None, language="en", region="us"))
    assert search.next() == GeocodeAsk("Austin TX", "en", "us")
    assert search.take(Geocoded(CENTRE)) == ()
    ask = search.next()
    assert isinstance(ask, TextSearchAsk)
    assert ask.body == {
        "textQuery": "dentist in Austin TX",
        "pageSize": PAGE_SIZE,
        "locationBias": {"circle": {"center": {"latitude": 30.27, "longitude": -97.74}, "radius": 10_000}},
        "languageCode": "en",
        "regionCode": "us",
    }


def test_a_location_that_is_nowhere_ends_the_search() -> None:
    search = PlacesSearch(replace(PLAIN, centre=None))
    search.next()
    with pytest.raises(LocationNotFoundError):
        search.take(Geocoded(None))


def test_three_pages_bring_sixty_places_and_say_that_there_may_be_more() -> None:
    search = PlacesSearch(replace(PLAIN, max_results=1000))
    found: list[FoundPlace] = []
    for number in range(3):
        ask = search.next()
        assert isinstance(ask, TextSearchAsk)
        assert ask.body.get("pageToken") == (f"token-{number}" if number else None)
        assert search.next() == ask  # until it is answered
        found += search.take(Page(places(number * 20, 20), f"token-{number + 1}"))
    assert search.next() is None
    assert (len(found), search.stopped) == (RESULTS_CAP, Stop.CAP)


def test_it_ends_with_the_last_page() -> None:
    search = PlacesSearch(PLAIN)
    search.next()
    assert len(search.take(Page(places(0, 7), None))) == 7
    assert search.next() is None
    assert search.stopped is Stop.ALL_FOUND


def test_nothing_found_is_an_end_too() -> None:
    search = PlacesSearch(PLAIN)
    search.next()
    assert search.take(Page((), None)) == ()
    assert (search.next(), search.stopped) == (None, Stop.ALL_FOUND)


@pytest.mark.parametrize(("wanted", "requests"), [(1, 1), (20, 1), (21, 2), (45, 3), (60, 3)])
def test_no_more_is_asked_for_than_is_wanted(wanted: int, requests: int) -> None:
    request = replace(PLAIN, max_results=wanted)
    search = PlacesSearch(request)
    found: list[FoundPlace] = []
    asked = 0
    while search.next() is not None:
        found += search.take(Page(places(asked * 20, 20), "more"))
        asked += 1
    assert (len(found), asked, request.request_bound) == (wanted, requests, requests)
    assert search.stopped is Stop.MAX_RESULTS


@pytest.mark.parametrize("wanted", [20, 60])
def test_pages_that_are_not_full_do_not_lead_past_the_bound(wanted: int) -> None:
    request = replace(PLAIN, max_results=wanted)
    search = PlacesSearch(request)
    asked = 0
    while search.next() is not None and asked < 10:
        search.take(Page(places(asked * 20, asked % 2), "more"))  # Google promises no size of a page
        asked += 1
    assert (asked, search.stopped) == (request.request_bound, Stop.MAX_REQUESTS)


def test_a_search_that_ends_with_its_last_request_has_found_all() -> None:
    search = PlacesSearch(replace(PLAIN, split=True, max_requests=1))
    search.next()
    search.take(Page(places(0, 7), None))
    assert (search.next(), search.stopped) == (None, Stop.ALL_FOUND)


def test_a_place_on_two_pages_is_one() -> None:
    search = PlacesSearch(PLAIN)
    search.next()
    assert len(search.take(Page(places(0, 20), "more"))) == 20
    search.next()
    assert [place.place_id for place in search.take(Page(places(19, 20), None))] == [
        f"place-{n}" for n in range(20, 39)
    ]


def test_the_bound_counts_the_geocoding() -> None:
    assert replace(PLAIN, centre=None).request_bound == 4
    assert replace(PLAIN, centre=None, split=True, max_requests=50).request_bound == 50


class Town:
    """A town that answers rectangles as Google does: twenty a page, sixty in all."""

    def __init__(self, count: int, seed: int) -> None:
        draw = random.Random(seed)
        self.all = [
            FoundPlace(
                f"place-{number}",
                location=LatLng(CENTRE.latitude + draw.gauss(0, 0.05), CENTRE.longitude + draw.gauss(0, 0.05)),
            )
            for number in range(count)
        ]
        self.asked = 0

    def answer(self, ask: object) -> Page:
        assert isinstance(ask, TextSearchAsk)
        self.asked += 1
        low, high = ask.body["locationRestriction"]["rectangle"].values()
        inside = [
            place
            for place in self.all
            if place.location
            and low["latitude"] <= place.location.latitude <= high["latitude"]
            and low["longitude"] <= place.location.longitude <= high["longitude"]
        ][:RESULTS_CAP]
        begin = int(ask.body.get("pageToken", 0))
        token = str(begin + PAGE_SIZE) if begin + PAGE_SIZE < len(inside) else None
        return Page(tuple(inside[begin : begin + PAGE_SIZE]), token)


@pytest.mark.parametrize("seed", range(5))
def test_a_split_search_finds_every_place_in_the_circle_and_none_outside(seed: int) -> None:
    town = Town(500, seed)
    search = PlacesSearch(replace(PLAIN, max_results=1000, split=True, max_requests=1000))
    found: list[FoundPlace] = []
    while (ask := search.next()) is not None:
        found += search.take(town.answer(ask))
    inside = {p.place_id for p in town.all if p.location and distance_km(CENTRE, p.location) <= 10}
    assert len(inside) > RESULTS_CAP
    assert {place.place_id for place in found} == inside
    assert len(found) == len(inside)
    assert search.stopped is Stop.ALL_FOUND


@pytest.mark.parametrize("bound", [2, 7, 30])
def test_a_split_search_keeps_to_its_bound(bound: int) -> None:
    town = Town(500, 1)
    search = PlacesSearch(replace(PLAIN, max_results=1000, split=True, max_requests=bound))
    while (ask := search.next()) is not None:
        search.take(town.answer(ask))
    assert (town.asked, search.stopped) == (bound, Stop.MAX_REQUESTS)
    assert search.progress == 100.0


def test_sixty_at_one_spot_are_not_cut_for_ever() -> None:
    search = PlacesSearch(replace(PLAIN, max_results=1000, split=True, max_requests=100_000, radius_km=1))
    asked = 0
    while (ask := search.next()) is not None:
        assert isinstance(ask, TextSearchAsk)
        asked += 1
        begin = int(ask.body.get("pageToken", 0))
        search.take(Page(places(begin, 20), str(begin + 20) if begin < 40 else None))
    assert search.stopped is Stop.CAP
    assert asked < 3000


def test_presets_ask_for_what_their_sku_bills() -> None:
    for preset in FieldPreset:
        search = PlacesSearch(replace(PLAIN, preset=preset))
        ask = search.next()
        assert isinstance(ask, TextSearchAsk)
        assert ask.preset is preset
