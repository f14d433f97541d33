"""What searches found over HTTP: lists that stay as they are, what the tenant thinks of places, what it all cost."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import DISCOVERY, PLACES, Client, refused, searched
from scrapersky.api import place_schemas
from support.places import ENTERPRISE, Searching

STATUS = f"{PLACES}/staging/status"
LEDGER = f"{PLACES}/ledger"


def results(client: Client, job_id: str, query: str = "") -> Any:
    answer = client.get(f"{DISCOVERY}/results/{job_id}{query}")
    assert answer.status == 200, answer.body
    return answer.json


def judged(client: Client, status: str, *place_ids: str) -> Any:
    answer = client.call("PUT", STATUS, json_body={"place_ids": place_ids, "status": status})
    assert answer.status == 200, answer.body
    return answer.json


# --- lists ---


def test_a_list_has_the_places_in_the_words_of_the_contract(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=4)
    listed = results(client, job_id)
    assert set(listed) == {"places", "total", "limit", "next_cursor", "job_info", "filters"}
    assert (listed["total"], listed["limit"], listed["next_cursor"]) == (4, 50, None)
    assert listed["filters"] == {"status": None, "website_class": None}
    assert listed["job_info"] == {
        "job_id": job_id,
        "status": "complete",
        "search_query": "dentist",
        "search_location": "Austin TX",
        "total_places": 4,
        "stored_places": 4,
        "created_at": listed["job_info"]["created_at"],
        "finished_at": listed["job_info"]["finished_at"],
    }
    assert [place["rank"] for place in listed["places"]] == [1, 2, 3, 4]
    assert [place["website_class"] for place in listed["places"]] == ["own_site", "social", "own_site", "own_site"]
    first = listed["places"][0]
    assert set(first) == set(place_schemas.Place.model_fields)
    assert (first["name"], first["domain"], first["phone"]) == (
        "Cedar Dental Practice", "cedar-dental.example", "+353 20 914 6321",
    )  # fmt: skip
    assert (first["business_type"], first["status"], first["status_changed_at"]) == ("dentist", "New", None)
    assert (first["search_job_id"], first["business_status"]) == (job_id, "OPERATIONAL")
    assert 1.0 <= first["rating"] <= 5.0
    assert first["rating"] == round(first["rating"], 1)  # as Google has it, not as a float of four bytes has it
    left = datetime.fromisoformat(first["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left < timedelta(days=31)


def test_what_was_not_asked_for_is_null(client: Client, google: Searching) -> None:
    (place,) = results(client, searched(client, google, max_results=1, fields="ids"))["places"]
    known = {name for name, value in place.items() if value is not None}
    assert known == {"id", "place_id", "rank", "business_type", "status", "search_time", "search_job_id"}


def test_a_list_goes_on_page_by_page_each_place_once(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=60)
    seen: list[Any] = []
    query = "?limit=25"
    while True:
        page = results(client, job_id, query)
        assert (page["total"], page["limit"]) == (60, 25)
        seen += page["places"]
        if page["next_cursor"] is None:
            break
        query = f"?limit=25&cursor={page['next_cursor']}"
    assert [place["rank"] for place in seen] == list(range(1, 61))
    assert len({place["place_id"] for place in seen}) == 60
    assert seen == results(client, job_id, "?limit=500")["places"]


def test_a_later_search_takes_nothing_from_an_earlier_one(client: Client, google: Searching) -> None:
    first = searched(client, google, max_results=20)
    before = results(client, first)
    chosen = before["places"][0]["place_id"]
    judged(client, "Selected", chosen)
    second = searched(client, google, max_results=40, refresh=True)
    after = results(client, first)
    assert [place["place_id"] for place in after["places"]] == [place["place_id"] for place in before["places"]]
    assert {place["search_job_id"] for place in after["places"]} == {first}
    for job_id in (first, second):
        (selected,) = results(client, job_id, "?status=Selected")["places"]
        assert selected["place_id"] == chosen


def test_a_list_is_filtered_and_says_by_what(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=60)
    whole = results(client, job_id, "?limit=500")["places"]
    judged(client, "Not a Fit", whole[0]["id"], whole[1]["id"])
    for website_class in ("own_site", "social", "directory", "none"):
        listed = results(client, job_id, f"?website_class={website_class}&limit=1")
        expected = [place["rank"] for place in whole if place["website_class"] == website_class]
        assert listed["total"] == len(expected)
        assert [place["rank"] for place in listed["places"]] == expected[:1]
        assert listed["filters"] == {"status": None, "website_class": website_class}
    both = results(client, job_id, "?status=Not%20a%20Fit&website_class=social")
    assert (both["total"], [place["rank"] for place in both["places"]]) == (1, [2])
    assert results(client, job_id, "?status=Archived")["total"] == 0


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("?status=new", "invalid", "status"),
        ("?website_class=own", "invalid", "website_class"),
        ("?limit=0", "invalid", "limit"),
        ("?limit=501", "invalid", "limit"),
        ("?cursor=%21", "invalid_cursor", "cursor"),
        ("?cursor=WyItMSJd", "invalid_cursor", "cursor"),
        ("?cursor=WyIxIiwiMiJd", "invalid_cursor", "cursor"),
    ],
)
def test_a_question_that_is_wrong_is_named(client: Client, query: str, code: str, field: str) -> None:
    problem = refused(client.get(f"{DISCOVERY}/results/{client.searched()}{query}"), 422, code)
    assert problem["errors"][0]["loc"] == ["query", field]


def test_content_past_its_time_is_not_shown(client: Client, google: Searching, postgres: TestDatabase) -> None:
    job_id = searched(client, google, max_results=1)
    postgres.rows("update scrapersky.places set content_at = now() - interval '31 days', expires_at = now()")
    (place,) = results(client, job_id)["places"]
    assert place["place_id"]
    shown = ("name", "formatted_address", "latitude", "longitude", "rating", "user_ratings_total", "phone", "website")
    assert [place[name] for name in (*shown, "types", "primary_type", "business_status")] == [None] * 11


# --- what the tenant thinks ---


def test_places_are_judged_by_either_id_and_the_unknown_are_told(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=3)
    ours, googles, neither = results(client, job_id)["places"]
    nobodys = str(uuid4())
    answer = judged(client, "Maybe", ours["id"].upper(), googles["place_id"], ours["place_id"], nobodys, "x", "x")
    assert answer == {"updated_count": 2, "unknown": [nobodys, "x"]}
    after = results(client, job_id)["places"]
    assert [place["status"] for place in after] == ["Maybe", "Maybe", "New"]
    assert after[0]["status_changed_at"] is not None
    assert after[2] == neither
    assert judged(client, "Maybe", ours["id"]) == {"updated_count": 1, "unknown": []}
    assert results(client, job_id)["places"][0] == after[0]  # said again, it is no change


def test_another_tenants_places_are_unknown_ones(client: Client, google: Searching) -> None:
    (place,) = results(client, searched(client, google, max_results=1))["places"]
    stranger = client.someone_else()
    assert judged(stranger, "Archived", place["id"], place["place_id"]) == {
        "updated_count": 0,
        "unknown": [place["id"], place["place_id"]],
    }
    assert results(client, place["search_job_id"])["places"] == [place]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"body": None}, 422, "invalid"),
        ({"json_body": {"place_ids": [], "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x"] * 1001, "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": [""], "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x" * 501], "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": "x", "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x"], "status": "new"}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x"]}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["\x00"], "status": "New"}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x"], "status": "New", "tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": " " * (3 * 1024 * 1024 + 1)}, 413, "too_large"),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"json_body": {}, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_put_is_held_to_what_a_post_is(client: Client, request_: dict[str, Any], status: int, code: str) -> None:
    refused(client.call("PUT", STATUS, **request_), status, code)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", STATUS, "PUT"),
        ("GET", STATUS, "PUT"),
        ("PUT", LEDGER, "GET"),
        ("PUT", f"{DISCOVERY}/search/places", "POST"),
        ("PUT", f"{DISCOVERY}/search/history", "GET"),
    ],
)
def test_a_method_that_a_path_has_not_is_refused(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client.call(method, path, json_body={}, route_key="$default")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


# --- the ledger ---


def test_the_ledger_has_every_request_by_day_and_sku(client: Client, google: Searching) -> None:
    empty = client.get(LEDGER).json
    today = datetime.now(UTC).date()
    assert empty == {
        "from": today.replace(day=1).isoformat(),
        "to": today.isoformat(),
        "items": [],
        "total_requests": 0,
        "total_cost_usd": 0.0,
        "prices_of": "2025-03-01",
    }
    searched(client, google, max_results=60)
    searched(client, google, "cafe", latitude=None, longitude=None)
    searched(client, google, fields="ids")
    told = client.get(LEDGER).json
    assert told["items"] == [
        {"day": today.isoformat(), "sku": sku, "requests": requests, "cost_usd": cost, "unanswered": 0}
        for sku, requests, cost in (
            ("Geocoding", 1, 0.005), (ENTERPRISE, 4, 0.14), ("Text Search Essentials (IDs Only)", 1, 0.0),
        )
    ]  # fmt: skip
    assert (told["total_requests"], told["total_cost_usd"]) == (6, 0.145)
    assert {item["sku"]: item["requests"] for item in told["items"]} == google.emulator.counts()
    assert client.someone_else().get(LEDGER).json == empty


def test_a_span_holds_its_days_in_utc_and_no_other(client: Client, google: Searching, postgres: TestDatabase) -> None:
    searched(client, google, max_results=60)
    moments = ["2026-02-27T23:59:59.999Z", "2026-02-28T00:00:00Z", "2026-03-01T23:59:59.999Z"]
    for moment, (identity,) in zip(moments, postgres.rows("select id from scrapersky.places_ledger"), strict=True):
        postgres.rows(
            "update scrapersky.places_ledger set requested_at = %s, outcome = null where id = %s", moment, identity
        )

    def days(query: str) -> list[tuple[str, int, int]]:
        return [
            (item["day"], item["requests"], item["unanswered"]) for item in client.get(f"{LEDGER}{query}").json["items"]
        ]

    assert days("?from=2026-02-28&to=2026-03-01") == [("2026-02-28", 1, 1), ("2026-03-01", 1, 1)]
    assert days("?from=2026-02-27&to=2026-02-27") == [("2026-02-27", 1, 1)]
    assert days("?to=2026-02-28") == [("2026-02-27", 1, 1), ("2026-02-28", 1, 1)]
    assert days("?from=2024-01-01&to=2024-12-31") == []
    assert days("?from=0001-01-01&to=0001-12-31") == []
    assert days("?from=9999-01-01&to=9999-12-31") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=2026-03-02&to=2026-03-01", "from"),
        ("?from=2025-03-01&to=2026-03-02", "from"),
        ("?from=9999-12-31", "from"),
        ("?from=yesterday", "from"),
        ("?to=2026-02-30", "to"),
        ("?to=0", "to"),
        ("?to=1767225600", "to"),
        ("?to=2026-02-01T00:00:00Z", "to"),
        ("?to=20260201", "to"),
        ("?to=", "to"),
        ("?to=%EF%BC%92026-02-01", "to"),
    ],
)
def test_a_span_that_is_none_is_refused(client: Client, query: str, field: str) -> None:
    problem = refused(client.get(f"{LEDGER}{query}"), 422, "invalid")
    assert [error["loc"] for error in problem["errors"]] == [["query", field]]


def test_money_has_no_digits_that_it_has_not(client: Client, google: Searching, postgres: TestDatabase) -> None:
    job_id = searched(client, google, max_results=60)
    postgres.rows("update scrapersky.places_ledger set price_usd = 0.100001")
    assert client.get(LEDGER).json["total_cost_usd"] == 0.300003
    assert client.get(f"{DISCOVERY}/search/status/{job_id}").json["cost_usd"] == 0.300003
