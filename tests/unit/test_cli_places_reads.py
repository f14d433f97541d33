"""The commands that read places searches and judge places: what they ask for, show, and how they end."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from support.cli_runs import JOB_ID, FakeApi, problem
from support.places_answers import PLACES, RESULTS, SEARCHES, api, listed, place, search

HISTORY = f"GET {SEARCHES}/history"
JUDGE = "PUT /api/v3/places/staging/status"
LEDGER = "GET /api/v3/places/ledger"
SPENT: dict[str, Any] = {
    "from": "2026-01-01",
    "to": "2026-01-31",
    "items": [
        {"day": "2026-01-02", "sku": "Geocoding", "requests": 1, "cost_usd": 0.005, "unanswered": 0},
        {"day": "2026-01-02", "sku": "Text Search Enterprise", "requests": 4, "cost_usd": 0.14, "unanswered": 1},
    ],
    "total_requests": 5,
    "total_cost_usd": 0.145,
    "prices_of": "2025-03-01",
}


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def asked(fake: FakeApi) -> dict[str, str]:
    return dict(fake.requests[-1].url.params)


def test_a_search_s_places_are_listed_and_filtered() -> None:
    fake = api()
    ran = fake.run("places-results", JOB_ID, "--status", "not a fit", "--class", "own_site", "--limit", "10")
    assert ran.exit_code == 0
    assert words(ran.stdout)[1] == "1 Cedar Dental +1 512-555-0100 4.2 (7) cedar.example New ChIJ1"
    assert asked(fake) == {"status": "Not a Fit", "website_class": "own_site", "limit": "10"}


def test_of_ids_alone_the_list_has_google_s_ids() -> None:
    bare = place(1, name=None, website_class=None, types=None)
    ran = api(**{RESULTS: httpx.Response(200, json=listed(bare))}).run("places-results", JOB_ID)
    assert words(ran.stdout)[1:] == ["1 New ChIJ1"]


def test_there_may_be_more_places_and_all_of_them_are_one_document() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = listed(place(2)) if "cursor" in request.url.params else listed(place(1), cursor="more")
        return httpx.Response(200, json=page)

    fake = api(**{RESULTS: answer})
    assert "--cursor more goes on" in fake.run("places-results", JOB_ID).stderr
    document = json.loads(fake.run("places-results", JOB_ID, "--all", "--json").stdout)
    assert [item["place_id"] for item in document["places"]] == ["ChIJ1", "ChIJ2"]
    assert document["next_cursor"] is None
    assert json.loads(api().run("places-results", JOB_ID, "--json").stdout) == listed(*PLACES)


def test_a_search_that_nobody_made_is_said_so() -> None:
    ran = FakeApi({}).run("places-results", JOB_ID)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "404 not_found" in ran.stderr


def test_searches_are_listed_with_what_they_found_and_cost() -> None:
    error = {"code": "invalid_key", "message": "Google does not know the key", "retryable": False}
    items = [search(), search("failed", stored_places=0, new_places=0, requests=1, cost_usd=0.005, error=error)]
    fake = FakeApi({HISTORY: httpx.Response(200, json={"items": items, "next_cursor": None})})
    lines = words(fake.run("places-history", "--status", "complete").stdout)
    assert asked(fake) == {"status": "complete", "limit": "50"}
    assert lines[1:] == [
        f"{JOB_ID} dentist in Austin TX complete 4 3 2 $0.04 all_found 2026-01-02 03:04:05",
        f"{JOB_ID} dentist in Austin TX failed 0 0 1 $0.005 2026-01-02 03:04:05 invalid_key",
    ]
    assert json.loads(fake.run("places-history", "--json").stdout)["items"] == items


@pytest.mark.parametrize(("count", "line"), [(1, "1 place is Not a Fit now."), (2, "2 places are Not a Fit now.")])
def test_places_are_judged(count: int, line: str) -> None:
    fake = FakeApi({JUDGE: httpx.Response(200, json={"updated_count": count, "unknown": []})})
    ran = fake.run("places-status", "not a fit", "ChIJ1", "ChIJ2")
    assert (ran.exit_code, words(ran.stdout)) == (0, [line])
    assert json.loads(fake.requests[0].content) == {"place_ids": ["ChIJ1", "ChIJ2"], "status": "Not a Fit"}


def test_a_place_that_is_none_of_ours_is_named_and_ends_with_1() -> None:
    answer = {"updated_count": 1, "unknown": ["ChIJ\x1b9"]}
    fake = FakeApi({JUDGE: httpx.Response(200, json=answer)})
    ran = fake.run("places-status", "selected", "ChIJ1", "ChIJ9")
    assert (ran.exit_code, words(ran.stdout)) == (1, ["1 place is Selected now."])
    assert ran.stderr == "none of our places: ChIJ9\n"
    ran = fake.run("places-status", "selected", "ChIJ1", "ChIJ9", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)) == (1, answer)


@pytest.mark.parametrize("arguments", [["good", "ChIJ1"], ["selected"], []], ids=" ".join)
def test_what_is_no_judgement_is_not_sent(arguments: list[str]) -> None:
    fake = FakeApi({})
    assert (fake.run("places-status", *arguments).exit_code, fake.requests) == (2, [])


def test_the_ledger_says_what_requests_came_to() -> None:
    fake = FakeApi({LEDGER: httpx.Response(200, json=SPENT)})
    ran = fake.run("places-ledger", "--from", "2026-01-01", "--to", "2026-01-31")
    assert asked(fake) == {"from": "2026-01-01", "to": "2026-01-31"}
    assert words(ran.stdout)[1:] == [
        "2026-01-02 Geocoding 1 $0.005",
        "2026-01-02 Text Search Enterprise 4 $0.14 1",
        "5 requests from 2026-01-01 to 2026-01-31, $0.145 by list prices (2025-03-01).",
    ]
    fake.run("places-ledger", "--from", "7d")
    assert date.fromisoformat(asked(fake)["from"]) in {datetime.now(UTC).date() - timedelta(days=n) for n in (7, 8)}
    fake.run("places-ledger")
    assert asked(fake) == {}
    assert json.loads(fake.run("places-ledger", "--json").stdout) == SPENT


def test_a_ledger_without_a_request_is_one_line() -> None:
    nothing = SPENT | {"items": [], "total_requests": 0, "total_cost_usd": 0.0}
    ran = FakeApi({LEDGER: httpx.Response(200, json=nothing)}).run("places-ledger")
    assert words(ran.stdout) == ["0 requests from 2026-01-01 to 2026-01-31, $0.00 by list prices (2025-03-01)."]


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "2026-01-01T00:00"])
def test_what_is_no_day_asks_nothing(day: str) -> None:
    fake = FakeApi({})
    assert (fake.run("places-ledger", "--from", day).exit_code, fake.requests) == (2, [])


def test_a_refused_span_is_one_line_on_stderr() -> None:
    refused = problem(422, "validation_error", "There is no such span.")
    ran = FakeApi({LEDGER: refused}).run("places-ledger", "--from", "2026-02-01", "--to", "2026-01-01")
    assert (ran.exit_code, ran.stderr) == (1, "error: 422 validation_error: There is no such span.\n")
