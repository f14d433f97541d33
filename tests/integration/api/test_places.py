"""Places searches over HTTP: started, followed, listed; made by the worker against the emulator."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import DISCOVERY, JOBS, SCAN, Client, refused, searched
from integration.conftest import ScanQueue
from scrapersky.api import places_schemas
from scrapersky.places.presets import price
from scrapersky.services import places_search
from scrapersky_local.places_emulator.errors import Reply, error
from support.http_events import Answered
from support.places import Searching

SEARCHES = f"{DISCOVERY}/search"
DOWN = Reply(503, error(503, "UNAVAILABLE", "The service is currently unavailable."))
COME_TO = ("stored_places", "new_places", "requests", "cost_usd")


# --- start ---


def test_a_started_search_tells_its_bounds_and_where_to_follow_it(client: Client, queue: ScanQueue) -> None:
    answer = client.search(max_results=40)
    accepted = answer.json
    assert answer.status == 202
    assert set(accepted) == set(places_schemas.PlacesSearchAccepted.model_fields)
    assert (accepted["status"], accepted["max_requests"], accepted["max_cost_usd"]) == ("pending", 2, 0.07)
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{SEARCHES}/status/{accepted['job_id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert [message["job_id"] for message in queue.drain_places()] == [accepted["job_id"]]
    assert queue.drain() == []

    status = client.get(answer.headers["location"])
    assert status.status == 200
    assert set(status.json) == set(places_schemas.PlacesSearchStatus.model_fields)
    shown = status.json
    assert (shown["status"], shown["search_query"], shown["search_location"]) == ("pending", "dentist", "Austin TX")
    assert (shown["total_places"], shown["stored_places"], shown["requests"], shown["cost_usd"]) == (0, 0, 0, 0)
    assert (shown["stopped"], shown["reused_from"], shown["error"]) == (None, None, None)
    assert shown["metadata"]["max_cost_usd"] == 0.07
    assert int(status.headers["retry-after"]) > 0


def test_what_is_not_said_has_the_defaults_of_the_contract(client: Client, postgres: TestDatabase) -> None:
    answer = client.call(
        "POST", f"{SEARCHES}/places", json_body={"business_type": " dentist ", "location": "Austin TX"}
    )
    assert (answer.status, answer.json["max_requests"], answer.json["max_cost_usd"]) == (202, 2, 0.04)
    (row,) = postgres.one("select request - 'search' from scrapersky.jobs")
    assert row == {
        "business_type": "dentist",
        "location": "Austin TX",
        "radius_km": 10,
        "max_results": 20,
        "fields": "contact",
        "latitude": None,
        "longitude": None,
        "split": False,
        "max_requests": None,
        "language": None,
        "region": None,
        "budget_usd": None,
        "refresh": False,
    }


@pytest.mark.parametrize(
    ("body", "max_requests", "max_cost_usd"),
    [
        ({"fields": "ids"}, 1, 0.0),
        ({"fields": "basic", "max_results": 60}, 3, 0.096),
        ({"max_results": 60, "budget_usd": 0.0351}, 3, 0.0351),
        ({"split": True, "max_results": 1000}, 50, 1.75),
        ({"split": True, "max_requests": 1}, 1, 0.035),
        ({"split": True, "max_requests": 200, "latitude": None, "longitude": None}, 200, 6.97),
    ],
)
def test_what_a_search_makes_and_costs_at_the_most_is_told(
    client: Client, body: dict[str, Any], max_requests: int, max_cost_usd: float
) -> None:
    accepted = client.search(**body).json
    assert (accepted["max_requests"], accepted["max_cost_usd"]) == (max_requests, max_cost_usd)


def test_a_request_that_comes_again_is_told_what_it_was_told_whatever_it_would_cost_by_now(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.search(key="k")
    monkeypatch.setattr(places_search, "price", lambda sku: replace(price(sku), usd=2 * price(sku).usd))
    again = client.search(key="k")
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    assert client.call("POST", f"{JOBS}/{first.json['job_id']}/cancel").status == 200
    assert client.call("POST", f"{JOBS}/{first.json['job_id']}/retry").status == 202
    assert client.search(key="k").body == first.body
    assert client.search().json["max_cost_usd"] == 2 * first.json["max_cost_usd"]


def test_without_a_key_for_google_nothing_is_started(
    client: Client, queue: ScanQueue, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = client.searched()
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").status == 200
    page = client.started("site.example")
    assert client.call("POST", f"{JOBS}/{page}/cancel").status == 200
    queue.drain_places()
    monkeypatch.setenv("PLACES_ARE_CONFIGURED", "0")
    for answer in (client.search(), client.call("POST", f"{JOBS}/{job_id}/retry")):
        problem = refused(answer, 503, "places_not_configured")
        assert "key" in problem["detail"]
        assert "retry-after" not in answer.headers
    assert queue.drain_places() == []
    assert postgres.rows("select status from scrapersky.jobs where kind = 'places_search'") == [("cancelled",)]
    assert client.get(f"{SEARCHES}/status/{job_id}").status == 200
    assert client.call("POST", f"{JOBS}/{page}/retry").status == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"business_type": ""}, "business_type"),
        ({"business_type": " \u00a0\u2003"}, "business_type"),
        ({"business_type": "dent\nist"}, "business_type"),
        ({"business_type": "dent\u0085ist"}, "business_type"),
        ({"business_type": "x" * 201}, "business_type"),
        ({"business_type": None}, "business_type"),
        ({"location": "\t"}, "location"),
        ({"location": "Austin\x7f"}, "location"),
        ({"radius_km": 0.9}, "radius_km"),
        ({"radius_km": 50.1}, "radius_km"),
        ({"radius_km": "10"}, "radius_km"),
        ({"max_results": 0}, "max_results"),
        ({"max_results": 61}, "max_results"),
        ({"max_results": 20.5}, "max_results"),
        ({"max_results": 1001, "split": True}, "max_results"),
        ({"latitude": None}, "longitude"),
        ({"longitude": None}, "longitude"),
        ({"latitude": 90.1}, "latitude"),
        ({"longitude": -180.5}, "longitude"),
        ({"fields": "all"}, "fields"),
        ({"split": "true"}, "split"),
        ({"max_requests": 3}, "max_requests"),
        ({"max_requests": 201, "split": True}, "max_requests"),
        ({"max_requests": 1, "split": True, "latitude": None, "longitude": None}, "max_requests"),
        ({"budget_usd": 0}, "budget_usd"),
        ({"budget_usd": 0.00001}, "budget_usd"),
        ({"budget_usd": 1000.0001}, "budget_usd"),
        ({"budget_usd": "1"}, "budget_usd"),
        ({"refresh": 1}, "refresh"),
        ({"language": "e"}, "language"),
        ({"language": "en_GB"}, "language"),
        ({"language": "en" + "-abcdefgh" * 4}, "language"),
        ({"region": "USA"}, "region"),
        ({"keyword": "x"}, "keyword"),
    ],
)
def test_a_field_that_is_wrong_is_named(client: Client, queue: ScanQueue, body: dict[str, Any], field: str) -> None:
    problem = refused(client.search(**{"business_type": "dentist", **body}), 422, "invalid")
    assert [error["loc"] for error in problem["errors"]] == [["body", field]], problem
    assert queue.drain_places() == []


@pytest.mark.parametrize(
    "body",
    [
        {"business_type": "Café - Zahnärzte & Söhne 🦷", "location": "Łódź"},
        {"business_type": "x" * 200, "location": "y" * 200},
        {"radius_km": 1},
        {"radius_km": 50.0},
        {"max_results": 60},
        {"budget_usd": 1000},
        {"budget_usd": 0.0001},
        {"language": "zh-Hant-TW", "region": "tw"},
        {"latitude": -90, "longitude": 180},
        {"tenant_id": None},
    ],
)
def test_what_is_within_the_bounds_is_taken(client: Client, body: dict[str, Any]) -> None:
    assert client.search(**{"business_type": "dentist", **body}).status == 202


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"json_body": {"business_type": "a", "location": "b", "tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": " " * (3 * 1024 * 1024 + 1)}, 413, "too_large"),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"json_body": {"business_type": "a"}}, 422, "invalid"),
        ({"json_body": {}, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_refused_request_leaves_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase, request_: dict[str, Any], status: int, code: str
) -> None:
    refused(client.call("POST", f"{SEARCHES}/places", **request_), status, code)
    assert queue.drain_places() == []
    assert postgres.one("select count(*) from scrapersky.jobs") == (0,)


# --- status and history ---


def test_a_search_that_runs_shows_what_it_has_and_what_it_cost(client: Client, google: Searching) -> None:
    job_id = client.searched(max_results=60)
    seen: list[Answered] = []
    google.wait = lambda _: seen.append(client.get(f"{SEARCHES}/status/{job_id}"))
    google.emulator.faults.extend([None, DOWN])
    google.work(UUID(job_id))
    (answer,) = seen
    shown = answer.json
    assert (shown["status"], shown["total_places"], shown["stored_places"], shown["new_places"]) == (
        "running", 20, 20, 20,
    )  # fmt: skip
    assert (shown["requests"], shown["cost_usd"], shown["stopped"]) == (2, 0.07, None)
    assert 0 < shown["progress"] < 100
    assert int(answer.headers["retry-after"]) > 0

    now = client.get(f"{SEARCHES}/status/{job_id}?wait=20", if_none_match=answer.headers["etag"])
    assert (now.status, now.json["status"], now.json["requests"], now.json["cost_usd"]) == (200, "complete", 4, 0.14)
    assert client.get(f"{SEARCHES}/status/{job_id}?wait=20", if_none_match=now.headers["etag"]).status == 304


def test_a_complete_search_says_what_it_came_to(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=60)
    answer = client.get(f"{SEARCHES}/status/{job_id}?wait=20")
    shown = answer.json
    assert (shown["status"], shown["progress"], shown["error"]) == ("complete", 100.0, None)
    assert (shown["total_places"], shown["stored_places"], shown["new_places"]) == (60, 60, 60)
    assert (shown["requests"], shown["cost_usd"], shown["stopped"]) == (3, 0.105, "max_results")
    assert "retry-after" not in answer.headers
    job = client.get(f"{JOBS}/{job_id}").json
    assert (job["kind"], job["domain"]) == ("places_search", "dentist in Austin TX")
    assert job["result"] == {
        name: shown[name] for name in ("total_places", "stored_places", "new_places", "requests", "cost_usd", "stopped")
    } | {"reused_from": None}


def test_nothing_found_is_complete_with_zero(client: Client, google: Searching) -> None:
    job_id = searched(client, google, "astronaut")
    shown = client.get(f"{SEARCHES}/status/{job_id}").json
    assert (shown["status"], shown["total_places"], shown["stopped"]) == ("complete", 0, "all_found")
    listed = client.get(f"{DISCOVERY}/results/{job_id}").json
    assert (listed["places"], listed["total"], listed["next_cursor"]) == ([], 0, None)


def test_a_failed_search_says_why_and_keeps_what_it_found(client: Client, google: Searching) -> None:
    job_id = client.searched(max_results=60)
    google.emulator.quota = 1
    google.work(UUID(job_id))
    shown = client.get(f"{SEARCHES}/status/{job_id}").json
    assert (shown["status"], shown["stopped"], shown["total_places"]) == ("failed", None, 20)
    assert (shown["error"]["code"], shown["error"]["retryable"]) == ("quota_exceeded", True)
    assert len(client.get(f"{DISCOVERY}/results/{job_id}").json["places"]) == 20

    google.emulator.quota = None
    spent, told = shown["requests"], shown["metadata"]
    assert client.call("POST", f"{JOBS}/{job_id}/retry").status == 202
    shown = client.get(f"{SEARCHES}/status/{job_id}").json
    assert (shown["status"], shown["error"], shown["stored_places"], shown["requests"]) == ("pending", None, 0, spent)
    asked = {name: value for name, value in told.items() if name not in COME_TO}
    assert shown["metadata"] == {**asked, "retries": 1}
    google.work(UUID(job_id))
    shown = client.get(f"{SEARCHES}/status/{job_id}").json
    assert (shown["status"], shown["stored_places"], shown["requests"]) == ("complete", 60, spent + 3)


def test_the_same_search_again_costs_nothing_and_says_whose_list_it_has(client: Client, google: Searching) -> None:
    first = searched(client, google)
    again = searched(client, google, "  DENTIST ")
    shown = client.get(f"{SEARCHES}/status/{again}").json
    assert (shown["reused_from"], shown["requests"], shown["cost_usd"]) == (first, 0, 0)
    assert (shown["stored_places"], shown["new_places"]) == (20, 0)
    asked = searched(client, google, refresh=True)
    shown = client.get(f"{SEARCHES}/status/{asked}").json
    assert (shown["reused_from"], shown["requests"]) == (None, 1)


def test_a_search_has_addresses_of_its_own(client: Client) -> None:
    search, page = client.searched(), client.started("site.example")
    for path in (f"{SEARCHES}/status/{page}?wait=20", f"{DISCOVERY}/results/{page}"):
        refused(client.get(path), 404, "not_found")
    refused(client.call("POST", f"{DISCOVERY}/results/{page}/scan", json_body={}), 404, "not_found")
    refused(client.get(f"{SCAN}/status/{search}?wait=20"), 404, "not_found")
    assert [item["job_id"] for item in client.get(f"{JOBS}?kind=places_search").json["items"]] == [search]
    assert client.call("POST", f"{JOBS}/{search}/cancel").json["status"] == "cancelled"
    assert client.get(f"{SEARCHES}/status/{search}?wait=20").json["error"]["code"] == "cancelled"


def test_the_history_is_of_searches_alone_and_goes_on_page_by_page(client: Client, google: Searching) -> None:
    client.started("site.example")
    done = [searched(client, google), searched(client, google, "cafe")]
    waiting = client.searched("florist")
    whole = client.get(f"{SEARCHES}/history").json
    assert [item["job_id"] for item in whole["items"]] == [waiting, *reversed(done)]
    assert whole["items"] == [client.get(f"{SEARCHES}/status/{job_id}").json for job_id in (waiting, *reversed(done))]
    assert whole["next_cursor"] is None

    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{SEARCHES}/history?limit=1" + (f"&cursor={cursor}" if cursor else "")).json
        seen += page["items"]
        cursor = page["next_cursor"]
    assert seen == whole["items"]
    complete = client.get(f"{SEARCHES}/history?status=complete").json["items"]
    assert [item["job_id"] for item in complete] == list(reversed(done))
    refused(client.get(f"{SEARCHES}/history?cursor=x"), 422, "invalid_cursor")
    refused(client.get(f"{SEARCHES}/history?status=done"), 422, "invalid")
