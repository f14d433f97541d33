"""The commands that search for places: what they send, print and write, and how they end."""

import csv
import json
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from scrapersky_cli import follow
from scrapersky_cli.places_export import COLUMNS
from support.cli_runs import JOB_ID, FakeApi, job, problem
from support.places_answers import (
    ACCEPTED,
    BATCH_ID,
    PLACES,
    RESULTS,
    START,
    STATUS,
    SUMMARY,
    api,
    listed,
    place,
    search,
    sent,
    words,
)

COST = "At most 4 requests to Google, $0.11 by list price; tries that fail not counted.\n"


def test_a_search_says_what_it_may_cost_and_shows_the_places_and_what_it_came_to() -> None:
    fake = api(search("pending"), search("running"), search())
    ran = fake.run("places", "dentist", "Austin TX")
    assert ran.exit_code == 0
    assert ran.stderr == COST
    assert words(ran.stdout) == [
        "# Name Phone Rating Website Status Place",
        "1 Cedar Dental +1 512-555-0100 4.2 (7) cedar.example New ChIJ1",
        "2 Dentist No. 2 (social) Not a Fit ChIJ2",
        "3 Dentist No. 3 3.0 (none) New ChIJ3",
        "4 =HYPERLINK(1) (none) New ChIJ4",
        SUMMARY,
        "That is all that Google has.",
    ]
    start, *_ = fake.requests
    assert str(UUID(start.headers["Idempotency-Key"])) == start.headers["Idempotency-Key"]


def test_a_search_asks_for_what_the_contract_has_without_being_told() -> None:
    fake = api()
    fake.run("places", "dentist", "Austin TX")
    asked = {"business_type": "dentist", "location": "Austin TX", "radius_km": 10.0, "max_results": 20}
    assert sent(fake) == [("places", asked | {"fields": "contact", "split": False, "refresh": False})]


def test_every_option_of_a_search_is_sent() -> None:
    fake = api()
    options = "--radius 2.5 --max-results 500 --fields basic --split --max-requests 80 --budget 2.50"
    more = "--center -30.27,+97.74 --language en-GB --region US --refresh"
    fake.run("places", "dentist", "Austin TX", *options.split(), *more.split())
    assert sent(fake) == [
        (
            "places",
            {
                "business_type": "dentist",
                "location": "Austin TX",
                "radius_km": 2.5,
                "max_results": 500,
                "fields": "basic",
                "split": True,
                "max_requests": 80,
                "budget_usd": 2.5,
                "latitude": -30.27,
                "longitude": 97.74,
                "language": "en-GB",
                "region": "US",
                "refresh": True,
            },
        )
    ]


def test_all_pages_of_the_list_are_shown() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        page = listed(place(2)) if "cursor" in request.url.params else listed(place(1), cursor="more")
        return httpx.Response(200, json=page)

    ran = api(**{RESULTS: answer}).run("places", "dentist", "Austin TX")
    assert [line.split()[-1] for line in words(ran.stdout)[1:3]] == ["ChIJ1", "ChIJ2"]


@pytest.mark.parametrize(
    ("stopped", "told"),
    [
        ("max_results", "There may be more (--max-results, above 60 with --split)."),
        ("cap", "Google tells 60 places of one query; there may be more (--split)."),
        (
            "max_requests",
            "It made all its requests; there may be more (--max-results, with --split --max-requests).",
        ),
        ("time", "Its time was over; there may be more (a smaller --radius)."),
        ("budget", "The budget was reached; there may be more (--budget)."),
    ],
)
def test_why_a_search_stopped_is_said(stopped: str, told: str) -> None:
    ran = api(search(stopped=stopped)).run("places", "dentist", "Austin TX")
    assert words(ran.stdout)[-1] == told


def test_a_list_that_was_taken_over_says_from_where() -> None:
    ran = api(search(reused_from=BATCH_ID, requests=0, cost_usd=0.0)).run("places", "dentist", "Austin TX")
    assert "4 places, 3 new, 0 requests, $0.00" in ran.stdout
    assert f"Taken over from the same search of a while ago, {BATCH_ID}: " in ran.stdout


def test_nothing_found_is_a_success_that_says_so() -> None:
    nothing = search(total_places=0, stored_places=0, new_places=0)
    ran = api(nothing, **{RESULTS: httpx.Response(200, json=listed())}).run("places", "dentist", "Austin TX")
    assert ran.exit_code == 0
    assert "0 places, 0 new, 2 requests, $0.04" in ran.stdout


def test_a_failed_search_shows_what_it_has_and_why_and_ends_with_1(tmp_path: Path) -> None:
    error = {"code": "quota_exceeded", "message": "Google's quota is used up", "retryable": True}
    target = tmp_path / "places.csv"
    for more in ([], ["-o", str(target)], ["--scan"]):
        fake = api(search("failed", error=error))
        ran = fake.run("places", "dentist", "Austin TX", *more)
        assert ran.exit_code == 1
        assert "quota_exceeded: Google's quota is used up\n" in ran.stdout
        assert f"scrapersky retry {JOB_ID}\n" in ran.stdout
        assert ("Cedar Dental" in ran.stdout) == (more != ["-o", str(target)])
        assert [path for path, _ in sent(fake)] == ["places"]
    assert not target.exists()


def test_a_search_s_json_is_the_status_document_and_nothing_else() -> None:
    ran = api().run("places", "dentist", "Austin TX", "--json")
    assert json.loads(ran.stdout) == search()
    assert ran.stderr == ""


def test_a_search_need_not_be_waited_for() -> None:
    ran = api().run("places", "dentist", "Austin TX", "--no-wait")
    assert (ran.exit_code, ran.stdout) == (0, f"{JOB_ID}\n")
    assert ran.stderr == f"{COST}Started. See how it goes with: scrapersky status {JOB_ID} --wait\n"
    assert json.loads(api().run("places", "dentist", "Austin TX", "--no-wait", "--json").stdout) == ACCEPTED


@pytest.mark.parametrize("more", [[], ["--scan"]])
def test_an_interrupted_wait_leaves_the_search_and_says_how_to_come_back(more: list[str]) -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    fake = api(**{STATUS: interrupt})
    ran = fake.run("places", "dentist", "Austin TX", *more)
    assert ran.exit_code == 130
    assert f"scrapersky status {JOB_ID} --wait" in ran.stderr
    assert f"scrapersky places-results {JOB_ID}" in ran.stderr


def test_how_far_a_search_is_is_said_now_and_then_where_no_line_can_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "TELL_SECONDS", 0.0)
    ran = api(search("running", stored_places=2, requests=1), search()).run("places", "dentist", "Austin TX")
    assert "dentist in Austin TX running: 2 places, 3 new, 1 request, $0.04\n" in ran.stderr


def test_places_are_written_as_the_api_has_them(tmp_path: Path) -> None:
    target = tmp_path / "places.ndjson"
    ran = api().run("places", "dentist", "Austin TX", "-o", str(target))
    assert ran.exit_code == 0
    assert [json.loads(line) for line in target.read_text("utf-8").splitlines()] == PLACES
    assert words(ran.stdout)[0] == SUMMARY
    assert f"The places are in {target}" in ran.stderr.replace("\n", "")


def test_places_as_csv_are_safe_for_a_spreadsheet(tmp_path: Path) -> None:
    target = tmp_path / "places.csv"
    api().run("places", "dentist", "Austin TX", "-o", str(target))
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["place_id"] for row in rows] == ["ChIJ1", "ChIJ2", "ChIJ3", "ChIJ4"]
    assert (rows[0]["types"], rows[0]["rating"], rows[0]["phone"]) == ("dentist; health", "4.25", "'+1 512-555-0100")
    assert rows[3]["name"] == "'=HYPERLINK(1)"


def test_places_may_be_all_that_is_printed() -> None:
    ran = api().run("places", "dentist", "Austin TX", "--format", "ndjson")
    assert [json.loads(line)["place_id"] for line in ran.stdout.splitlines()] == ["ChIJ1", "ChIJ2", "ChIJ3", "ChIJ4"]
    assert words(ran.stderr)[1:] == [SUMMARY, "That is all that Google has."]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--radius", "0.5"],
        ["--radius", "51"],
        ["--max-results", "0"],
        ["--max-results", "1001", "--split"],
        ["--max-results", "61"],
        ["--max-requests", "5"],
        ["--fields", "all"],
        ["--max-requests", "0", "--split"],
        ["--max-requests", "201", "--split"],
        ["--budget", "much"],
        ["--center", "30.27"],
        ["--center", "30.27;97.74"],
        ["--center", "91,0"],
        ["--center", "0,181"],
        ["--center", "nan,0"],
        ["--budget", "nan"],
        ["--budget", "inf"],
        ["--radius", "nan"],
        ["--scan", "--max-pages", "101"],
        ["--scan", "--no-wait"],
        ["--format", "txt"],
        ["-o", "no/such/folder/places.csv"],
        ["--json", "--format", "csv"],
        ["--no-wait", "-o", "places.csv"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_starts_no_search(arguments: list[str]) -> None:
    fake = api()
    ran = fake.run("places", "dentist", "Austin TX", *arguments)
    assert (ran.exit_code, fake.requests) == (2, [])


def test_a_stack_without_a_key_says_so() -> None:
    refused = problem(422, "places_not_configured", "There is no key.")
    ran = FakeApi({START: refused}).run("places", "dentist", "Austin TX")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == "error: 422 places_not_configured: There is no key.\n"


def test_text_of_google_does_not_steer_the_terminal() -> None:
    names = listed(place(1, name="\x1b]0;owned\x07[red]Dentist"))
    ran = api(**{RESULTS: httpx.Response(200, json=names)}).run("places", "dentist", "Austin TX")
    assert "]0;owned[red]Dentist" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_status_shows_a_search_as_such() -> None:
    result = {"stored_places": 4, "new_places": 3, "requests": 2, "cost_usd": 0.04, "stopped": "cap"}
    document = job(kind="places_search", domain="dentist in Austin TX", result={**result, "reused_from": None})
    ran = FakeApi({f"GET /api/v3/jobs/{JOB_ID}": httpx.Response(200, json=document)}).run("status", JOB_ID)
    assert words(ran.stdout) == [SUMMARY, "Google tells 60 places of one query; there may be more (--split)."]
