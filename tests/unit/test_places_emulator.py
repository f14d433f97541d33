"""The emulator of Google's services: what it answers, what it refuses, and how it says so."""

import json
from typing import Any

import pytest

from scrapersky_local.places_emulator import masks
from scrapersky_local.places_emulator.errors import Reply
from scrapersky_local.places_emulator.service import TEXT_SEARCH_PATH, Received
from support.emulated_google import AUSTIN, DENTISTS, KEY, MASK, Google


@pytest.fixture
def google() -> Google:
    return Google()


def status_of(reply: Reply) -> tuple[int, str]:
    """The HTTP status and Google's word for it; the body says both."""
    assert reply.body["error"]["code"] == reply.status
    assert reply.body["error"]["message"]
    return reply.status, reply.body["error"]["status"]


INVALID = (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "mask",
    [
        None,
        "",
        " ",
        "places.id, nextPageToken",
        "places.id,\tnextPageToken",
        "places.id,",
        ",places.id",
        "places.website",
        "places.Id",
        "id",
        "place.id",
        "places..id",
        "places.displayName.texts",
        "places.location.latitude.degrees",
        "places.rating.value",
        "nextPageToken.value",
        "*.id",
    ],
)
def test_a_field_mask_that_is_missing_or_names_no_field_is_refused(mask: str | None, google: Google) -> None:
    assert status_of(google.search(mask=mask)) == INVALID
    assert google.emulator.counts() == {}
    assert google.emulator.received == [Received(None, 400)]


@pytest.mark.parametrize(
    ("mask", "sku"),
    [
        ("places.id,places.name,places.attributions,nextPageToken", masks.IDS_ONLY),
        ("nextPageToken", masks.IDS_ONLY),
        ("places.id,places.displayName", masks.PRO),
        ("places.location.latitude", masks.PRO),
        ("places.id,places.businessStatus,places.types", masks.PRO),
        ("places.id,places.displayName,places.websiteUri", masks.ENTERPRISE),
        ("places.rating", masks.ENTERPRISE),
        ("places.websiteUri,places.reviews,places.id", masks.ATMOSPHERE),
        ("places", masks.ATMOSPHERE),
        ("*", masks.ATMOSPHERE),
        ("places.id,*", masks.ATMOSPHERE),
    ],
)
def test_a_request_is_billed_as_the_highest_sku_of_its_mask(mask: str, sku: str, google: Google) -> None:
    assert google.search(mask=mask).status == 200
    assert google.emulator.counts() == {sku: 1}


def test_what_was_not_asked_for_is_not_answered(google: Google) -> None:
    def first(mask: str) -> Any:
        return google.search(mask=mask).body["places"][0]

    assert set(first("places.id")) == {"id"}
    assert set(first("places.id,places.rating")) == {"id", "rating"}
    assert first("places.displayName.text") == {"displayName": {"text": "Cedar Dental Practice"}}
    assert first("places.location.latitude,places.location") == {
        "location": {"latitude": AUSTIN.latitude, "longitude": AUSTIN.longitude}
    }
    assert {"id", "websiteUri", "displayName", "location"} < set(first("*"))
    assert first("*") == first("places")
    assert "nextPageToken" not in google.search(mask="places.id").body
    assert set(google.search(mask="nextPageToken").body) == {"nextPageToken"}
    assert set(google.search(mask="*").body) == {"places", "nextPageToken"}


def test_nothing_found_is_an_empty_object(google: Google) -> None:
    assert google.search({"textQuery": "astronaut in Austin TX"}) == Reply(200, {})


def test_sixty_places_are_told_and_no_more_each_once(google: Google) -> None:
    assert len({place["id"] for place in pages(google)}) == len(pages(google)) == 60


def pages(google: Google, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        page = google.search(**more, **({"pageToken": token} if token else {})).body
        assert len(page["places"]) <= 20
        found += page["places"]
        token = page.get("nextPageToken")
        if token is None:
            return found


@pytest.mark.parametrize(("size", "first"), [(0, 20), (1, 1), (7, 7), (20, 20), (500, 20)])
def test_a_page_has_as_many_as_asked_for_up_to_twenty(size: int, first: int, google: Google) -> None:
    assert len(google.search(pageSize=size).body["places"]) == first


def test_a_page_token_goes_on_with_the_same_query_alone(google: Google) -> None:
    token = google.search().body["nextPageToken"]
    assert status_of(google.search({"textQuery": "cafe in Austin TX"}, pageToken=token)) == INVALID
    assert status_of(google.search(languageCode="de", pageToken=token)) == INVALID
    circle = {"circle": {"center": {"latitude": 30, "longitude": -97}, "radius": 500}}
    assert status_of(google.search(locationBias=circle, pageToken=token)) == INVALID
    assert google.search(pageToken=token).status == 200
    assert google.search(pageToken=token, pageSize=5).status == 200


@pytest.mark.parametrize("token", ["made-up", "x" * 5000])
def test_a_page_token_that_was_never_given_is_refused(token: str, google: Google) -> None:
    assert status_of(google.search(pageToken=token)) == INVALID


def test_a_page_token_expires(google: Google) -> None:
    token = google.search().body["nextPageToken"]
    google.clock.now = google.emulator.token_seconds - 1
    assert google.search(pageToken=token).status == 200
    google.clock.now = google.emulator.token_seconds
    assert status_of(google.search(pageToken=token)) == INVALID


@pytest.mark.parametrize(
    ("key", "told", "reason"),
    [
        (None, (403, "PERMISSION_DENIED"), None),
        ("", (403, "PERMISSION_DENIED"), None),
        ("AIza-another", INVALID, "API_KEY_INVALID"),
        (KEY.lower(), INVALID, "API_KEY_INVALID"),
    ],
)
def test_a_key_that_is_missing_or_unknown_is_refused(
    key: str | None, told: tuple[int, str], reason: str | None, google: Google
) -> None:
    reply = google.search(key=key)
    assert status_of(reply) == told
    assert [detail["reason"] for detail in reply.body["error"].get("details", ())] == ([reason] if reason else [])
    assert KEY not in json.dumps(reply.body)


def test_a_key_in_an_address_is_refused(google: Google) -> None:
    reply = google.emulator.answer("POST", f"{TEXT_SEARCH_PATH}?key={KEY}", {"x-goog-fieldmask": MASK}, b"{}")
    assert status_of(reply) == INVALID
    assert KEY not in json.dumps(reply.body)


def test_a_quota_that_is_used_up_is_429(google: Google) -> None:
    google.emulator.quota = 2
    assert [google.search().status for _ in range(3)] == [200, 200, 429]
    reply = google.geocode("Austin")
    assert status_of(reply) == (429, "RESOURCE_EXHAUSTED")
    assert reply.body["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert google.emulator.counts() == {masks.IDS_ONLY: 3, masks.GEOCODING: 1}


POINT = {"latitude": 30.0, "longitude": -97.0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'"dentist"',
        b"null",
        pytest.param(b'{"textQuery":' + b"[" * 100_000, id="nested"),
        {"textQuery": ""},
        {"textQuery": "  "},
        {"textQuery": 7},
        {"pageSize": 20},
        {**DENTISTS, "query": "dentist"},
        {**DENTISTS, "pagesize": 20},
        {**DENTISTS, "pageSize": -1},
        {**DENTISTS, "pageSize": "20"},
        {**DENTISTS, "pageSize": True},
        {**DENTISTS, "pageToken": {}},
        {**DENTISTS, "languageCode": 7},
        {**DENTISTS, "locationBias": {}},
        {**DENTISTS, "locationBias": {"circle": {"radius": 5}}},
        {**DENTISTS, "locationBias": {"circle": {"center": POINT, "radius": 50_001}}},
        {**DENTISTS, "locationBias": {"circle": {"center": POINT, "radius": -1}}},
        {**DENTISTS, "locationBias": {"circle": {"center": POINT, "radius": float("nan")}}},
        {**DENTISTS, "locationBias": {"circle": {"center": POINT, "radius": 5, "unit": "km"}}},
        {**DENTISTS, "locationBias": {"circle": {"center": {"lat": 30.0, "lng": -97.0}, "radius": 5}}},
        {**DENTISTS, "locationBias": {"circle": {"center": {**POINT, "latitude": 91}, "radius": 5}}},
        {**DENTISTS, "locationBias": {"rectangle": {"low": POINT}}},
        {**DENTISTS, "locationRestriction": {"circle": {"center": POINT, "radius": 5}}},
        {**DENTISTS, "locationRestriction": {"rectangle": {"low": {**POINT, "latitude": 31.0}, "high": POINT}}},
        {
            **DENTISTS,
            "locationBias": {"rectangle": {"low": POINT, "high": POINT}},
            "locationRestriction": {"rectangle": {"low": POINT, "high": POINT}},
        },
    ],
    ids=str,
)
def test_a_body_that_is_not_of_the_documented_form_is_refused(body: Any, google: Google) -> None:
    assert status_of(google.search(body)) == INVALID


def test_a_rectangle_holds_what_lies_in_it_and_its_quarters_the_same(google: Google) -> None:
    def inside(low: tuple[float, float], high: tuple[float, float]) -> set[str]:
        corners = {
            "low": dict(zip(("latitude", "longitude"), low, strict=True)),
            "high": dict(zip(("latitude", "longitude"), high, strict=True)),
        }
        return {place["id"] for place in pages(google, locationRestriction={"rectangle": corners})}

    south, west, north, east = 30.24, -97.78, 30.295, -97.71
    whole = inside((south, west), (north, east))
    middle = ((south + north) / 2, (west + east) / 2)
    quarters = [
        inside((south, west), middle),
        inside((south, middle[1]), (middle[0], east)),
        inside((middle[0], west), (north, middle[1])),
        inside(middle, (north, east)),
    ]
    assert 4 < len(whole) < 60
    assert set().union(*quarters) == whole
    assert sum(map(len, quarters)) == len(whole)


def test_a_rectangle_across_the_180th_meridian_is_not_the_other_way_around(google: Google) -> None:
    area = {"low": {"latitude": 30, "longitude": 170}, "high": {"latitude": 31, "longitude": -97}}
    assert google.search(locationRestriction={"rectangle": area}).body["places"]
    area["low"]["longitude"], area["high"]["longitude"] = -97, 170
    assert google.search(locationRestriction={"rectangle": area}).body == {}


@pytest.mark.parametrize("address", ["Austin%20TX", "Austin+TX", "austin%2C%20tx", "AUSTIN"])
def test_a_town_is_geocoded(address: str, google: Google) -> None:
    reply = google.geocode(address, "results.location")
    assert reply.body == {"results": [{"location": {"latitude": AUSTIN.latitude, "longitude": AUSTIN.longitude}}]}
    assert google.emulator.counts() == {masks.GEOCODING: 1}


def test_a_place_that_is_nowhere_is_an_empty_answer(google: Google) -> None:
    assert google.geocode("Atlantis", "results.location") == Reply(200, {})


@pytest.mark.parametrize("mask", ["", "results.website", "location", "results.location, results.types", "results.a.b"])
def test_a_geocoding_s_mask_is_held_to_its_own_fields(mask: str, google: Google) -> None:
    assert status_of(google.geocode("Austin", mask)) == INVALID


def test_another_method_or_path_is_refused(google: Google) -> None:
    headers = {"x-goog-api-key": KEY, "x-goog-fieldmask": "*"}
    assert google.emulator.answer("GET", TEXT_SEARCH_PATH, headers, b"").status == 405
    assert google.geocode("Austin", method="POST").status == 405
    assert google.emulator.answer("POST", "/v1/places:searchNearby", headers, b"{}").status == 404
    assert google.emulator.counts() == {masks.ATMOSPHERE: 1, masks.GEOCODING: 1}


def test_faults_come_in_turn_in_the_place_of_answers_and_are_counted(google: Google) -> None:
    google.emulator.faults.extend([None, Reply(500, {}), Reply(200, raw=b"{oops")])
    assert [google.search().status for _ in range(4)] == [200, 500, 200, 200]
    assert google.emulator.counts() == {masks.IDS_ONLY: 4}
