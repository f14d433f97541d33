"""Google's services over httpx: the form of requests, what answers and refusals become, and where the key is."""

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scrapersky.domain.places import FieldPreset, FoundPlace, LatLng
from scrapersky.domain.status import ErrorCode
from scrapersky.places.asks import Answer, Ask, GeocodeAsk, Geocoded, Page, PlacesFailure, TextSearchAsk
from scrapersky.places.client import MAX_ANSWER_BYTES, PlacesClient
from scrapersky.places.presets import SKUS, field_mask, price

KEY = "AIza-planted-key-0123456789"
SEARCH = TextSearchAsk(FieldPreset.CONTACT, {"textQuery": "dentist in Austin TX", "pageSize": 20})
NEXT = TextSearchAsk(FieldPreset.CONTACT, {**SEARCH.body, "pageToken": "t"})
GEOCODE = GeocodeAsk("7/1 King St #2, Austin TX", "en", None)
PLACE = {
    "id": "ChIJ1",
    "displayName": {"text": "Cedar Dental", "languageCode": "en"},
    "primaryType": "dentist",
    "types": ["dentist", "health"],
    "formattedAddress": "1 Main St, Austin, TX",
    "location": {"latitude": 30.25, "longitude": -97.75},
    "rating": 4.5,
    "userRatingCount": 12,
    "internationalPhoneNumber": "+1 512-555-0100",
    "nationalPhoneNumber": "(512) 555-0100",
    "websiteUri": "https://cedar-dental.example/",
    "businessStatus": "OPERATIONAL",
}

Handler = Callable[[httpx.Request], httpx.Response]


def send(ask: Ask, handler: Handler) -> Answer | PlacesFailure:
    with PlacesClient(KEY, transport=httpx.MockTransport(handler)) as client:
        return client.send(ask)


def answering(status: int = 200, body: Any = None, **headers: str) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return lambda _: httpx.Response(status, content=content, headers=headers)


def error(status: int, word: str, reason: str | None = None) -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": status, "message": f"the key {KEY} is bad", "status": word, "details": details}}


def test_a_text_search_is_a_post_with_key_and_mask_in_headers() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"places": [PLACE], "nextPageToken": "more"})

    answer = send(SEARCH, handler)
    (request,) = seen
    assert (request.method, str(request.url)) == ("POST", "https://places.googleapis.com/v1/places:searchText")
    assert request.headers["X-Goog-Api-Key"] == KEY
    assert request.headers["X-Goog-FieldMask"] == field_mask(FieldPreset.CONTACT)
    assert json.loads(request.content) == SEARCH.body
    assert answer == Page(
        (
            FoundPlace(
                place_id="ChIJ1",
                name="Cedar Dental",
                primary_type="dentist",
                types=("dentist", "health"),
                formatted_address="1 Main St, Austin, TX",
                location=LatLng(30.25, -97.75),
                rating=4.5,
                user_ratings_total=12,
                phone="+1 512-555-0100",
                website="https://cedar-dental.example/",
                business_status="OPERATIONAL",
            ),
        ),
        "more",
    )


def test_a_geocoding_keeps_the_address_one_segment_and_the_key_out_of_the_url() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"results": [{"location": {"latitude": 30.27, "longitude": -97.74}}]})

    assert send(GEOCODE, handler) == Geocoded(LatLng(30.27, -97.74))
    (request,) = seen
    assert str(request.url) == (
        "https://geocode.googleapis.com/v4/geocode/address/7%2F1%20King%20St%20%232%2C%20Austin%20TX?languageCode=en"
    )
    assert (request.headers["X-Goog-Api-Key"], request.headers["X-Goog-FieldMask"]) == (KEY, "results.location")


def test_masks_hold_no_space_and_grow_from_preset_to_preset() -> None:
    masks = {preset: field_mask(preset) for preset in FieldPreset}
    assert masks[FieldPreset.IDS] == "places.id,nextPageToken"
    assert not any(" " in mask or "*" in mask for mask in masks.values())
    assert set(masks[FieldPreset.IDS].split(",")) < set(masks[FieldPreset.BASIC].split(","))
    assert set(masks[FieldPreset.BASIC].split(",")) < set(masks[FieldPreset.CONTACT].split(","))
    assert price(SKUS[FieldPreset.IDS]).usd == 0
    assert price(SKUS[FieldPreset.BASIC]).usd < price(SKUS[FieldPreset.CONTACT]).usd


@pytest.mark.parametrize("body", [{}, {"places": []}])
def test_nothing_found_is_a_page_without_places(body: dict[str, Any]) -> None:
    assert send(SEARCH, answering(body=body)) == Page((), None)


def test_an_address_that_is_nowhere_has_no_location() -> None:
    assert send(GEOCODE, answering(body={})) == Geocoded(None)


def test_zero_degrees_may_be_left_out() -> None:
    body = {"places": [{"id": "x", "location": {"latitude": 51.5}}]}
    assert send(SEARCH, answering(body=body)) == Page((FoundPlace("x", location=LatLng(51.5, 0.0)),), None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b'{"places": {}}',
        b'{"places": [1]}',
        b'{"places": [{}]}',
        b'{"places": [{"id": 1}]}',
        b'{"places": [{"id": "x", "displayName": "y"}]}',
        b'{"places": [{"id": "x", "types": [1]}]}',
        b'{"places": [{"id": "x", "rating": "4"}]}',
        b'{"places": [{"id": "x", "rating": NaN}]}',
        b'{"places": [{"id": "x", "rating": true}]}',
        b'{"places": [{"id": "x", "userRatingCount": 1.5}]}',
        b'{"places": [{"id": "x", "location": {"latitude": 91}}]}',
        b'{"places": [], "nextPageToken": 1}',
        b'{"places": [{"id": "\xff"}]}',
    ],
)
def test_an_answer_of_another_form_is_a_failure(body: bytes) -> None:
    failure = send(SEARCH, answering(body=body))
    assert isinstance(failure, PlacesFailure)
    assert (failure.code, failure.status_code) == (ErrorCode.UPSTREAM_ERROR, 200)


@pytest.mark.parametrize(
    ("ask", "status", "body", "code", "is_passing"),
    [
        (SEARCH, 400, error(400, "INVALID_ARGUMENT", "API_KEY_INVALID"), ErrorCode.INVALID_KEY, False),
        (SEARCH, 403, error(403, "PERMISSION_DENIED", "API_KEY_SERVICE_BLOCKED"), ErrorCode.INVALID_KEY, False),
        (SEARCH, 403, error(403, "PERMISSION_DENIED", "BILLING_DISABLED"), ErrorCode.INVALID_KEY, False),
        (SEARCH, 401, b"", ErrorCode.INVALID_KEY, False),
        (SEARCH, 400, error(400, "INVALID_ARGUMENT"), ErrorCode.REQUEST_REFUSED, False),
        (NEXT, 400, error(400, "INVALID_ARGUMENT"), ErrorCode.PAGE_TOKEN_EXPIRED, False),
        (NEXT, 400, error(400, "INVALID_ARGUMENT", "API_KEY_INVALID"), ErrorCode.INVALID_KEY, False),
        (GEOCODE, 404, error(404, "NOT_FOUND"), ErrorCode.REQUEST_REFUSED, False),
        (SEARCH, 429, error(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), ErrorCode.QUOTA_EXCEEDED, True),
        (SEARCH, 500, error(500, "INTERNAL"), ErrorCode.UPSTREAM_ERROR, True),
        (SEARCH, 503, b"<html>busy", ErrorCode.UPSTREAM_ERROR, True),
        (SEARCH, 302, b"", ErrorCode.REQUEST_REFUSED, False),
        (SEARCH, 400, b'{"error": []}', ErrorCode.REQUEST_REFUSED, False),
        (SEARCH, 400, b'{"error": {"details": 1}}', ErrorCode.REQUEST_REFUSED, False),
        (SEARCH, 400, b'{"error": {"status": "a sentence"}}', ErrorCode.REQUEST_REFUSED, False),
    ],
)
def test_refusals(ask: Ask, status: int, body: Any, code: ErrorCode, is_passing: bool) -> None:
    failure = send(ask, answering(status, body))
    assert isinstance(failure, PlacesFailure)
    assert (failure.code, failure.is_passing, failure.status_code) == (code, is_passing, status)
    assert KEY not in failure.message
    assert "sentence" not in failure.message


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("inf", None)])
def test_how_long_google_asks_to_wait(text: str, seconds: float | None) -> None:
    failure = send(SEARCH, answering(429, {}, **{"Retry-After": text}))
    assert isinstance(failure, PlacesFailure)
    assert failure.retry_after == seconds


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (httpx.ReadTimeout, ErrorCode.TIMEOUT),
        (httpx.ConnectTimeout, ErrorCode.TIMEOUT),
        (httpx.ConnectError, ErrorCode.CONNECT_FAILURE),
        (httpx.RemoteProtocolError, ErrorCode.UPSTREAM_ERROR),
        (httpx.ReadError, ErrorCode.UPSTREAM_ERROR),
        (httpx.DecodingError, ErrorCode.UPSTREAM_ERROR),
    ],
)
def test_no_answer_is_a_failure_that_may_pass(raised: type[httpx.RequestError], code: ErrorCode) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise raised(f"told of {KEY}", request=request)

    failure = send(SEARCH, handler)
    assert isinstance(failure, PlacesFailure)
    assert (failure.code, failure.is_passing, failure.status_code) == (code, True, None)
    assert KEY not in failure.message


def test_an_endless_answer_is_left() -> None:
    failure = send(SEARCH, answering(body=b"x" * (MAX_ANSWER_BYTES + 1)))
    assert isinstance(failure, PlacesFailure)
    assert failure.code is ErrorCode.UPSTREAM_ERROR


def test_the_key_is_in_no_log_line_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        send(SEARCH, answering(body={"places": [PLACE]}))
        send(GEOCODE, answering(403, error(403, "PERMISSION_DENIED")))
    assert caplog.records  # httpx logs each request
    assert KEY not in caplog.text


def test_control_a_key_in_the_url_would_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), httpx.Client(transport=httpx.MockTransport(answering())) as client:
        client.get("https://maps.googleapis.com/maps/api/geocode/json", params={"key": KEY})
    assert KEY in caplog.text
