"""Places searches from the command line: processes of their own, against the running stack and its emulator."""

import csv
import json
from pathlib import Path
from uuid import uuid4

import pytest

from e2e.conftest import RunningStack
from support.cli_processes import Cli

CAFES = ["lantern-tea.example", "old-mill-brewery.example"]


@pytest.fixture
def cli(stack: RunningStack) -> Cli:
    return Cli(stack.data_dir)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_one_command_goes_from_a_search_to_the_facts_of_the_sites(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "facts.csv"
    ran = cli.run("places", "cafe", "Austin TX", "--refresh", "--scan", "-o", str(target))
    assert ran.returncode == 0, ran.stderr
    assert "At most 2 requests to Google, $0.04 by list price; " in ran.stderr
    lines = words(ran.stdout)
    assert any(line.startswith("1 Lantern Tea") and "lantern-tea.example" in line for line in lines)
    assert any(line.startswith("cafe in Austin TX complete 3 places, ") for line in lines)
    assert "Not scanned, no website (1): Corner Cafe" in lines
    assert "2 domains: 2 complete, 0 failed" in ran.stderr
    with target.open(encoding="utf-8", newline="") as file:
        facts = {row["domain"]: row for row in csv.DictReader(file)}
    assert sorted(facts) == CAFES
    assert facts["old-mill-brewery.example"]["emails"] == "taproom@old-mill-brewery.example"


def test_sixty_places_over_three_pages_each_once_and_the_ledger_is_google_s_count(
    cli: Cli, stack: RunningStack
) -> None:
    before, counted = cli.json("places-ledger"), stack.google.counts()
    document = cli.json("places", "dentist", "Austin TX", "--max-results", "60", "--refresh")
    assert (document["status"], document["stored_places"], document["requests"]) == ("complete", 60, 4)
    listed = cli.json("places-results", document["job_id"], "--limit", "7", "--all")["places"]
    assert [place["rank"] for place in listed] == list(range(1, 61))
    assert len({place["place_id"] for place in listed}) == 60
    assert sum((stack.google.counts() - counted).values()) == 4
    after = cli.json("places-ledger")
    assert after["total_requests"] - before["total_requests"] == 4


def test_the_same_search_again_asks_nothing(cli: Cli, stack: RunningStack) -> None:
    first = cli.json("places", "printer", "Hamburg")
    counted = stack.google.counts()
    again = cli.run("places", "printer", "Hamburg")
    assert f"Taken over from the same search of a while ago, {first['reused_from'] or first['job_id']}" in again.stdout
    assert "druckwerk-nord.example" in again.stdout
    assert stack.google.counts() == counted


def test_what_we_think_of_a_place_outlives_the_next_search(cli: Cli) -> None:
    document = cli.json("places", "dentist", "Austin TX", "--max-results", "3")
    first = cli.json("places-results", document["job_id"])["places"][0]["place_id"]
    ran = cli.run("places-status", "maybe", first, "ChIJ-nobody")
    assert (ran.returncode, words(ran.stdout)) == (1, ["1 place is Maybe now."])
    assert "none of our places: ChIJ-nobody" in ran.stderr
    again = cli.json("places", "dentist", "Austin TX", "--max-results", "3", "--refresh")
    (kept,) = cli.json("places-results", again["job_id"], "--status", "maybe")["places"]
    assert kept["place_id"] == first


def test_a_budget_is_kept_to(cli: Cli) -> None:
    ran = cli.run("places", "dentist", "Austin TX", "--max-results", "60", "--budget", "0.08", "--refresh")
    assert ran.returncode == 0, ran.stderr
    assert "At most 4 requests to Google, $0.08 by list price; " in ran.stderr
    assert words(ran.stdout)[-1] == "The budget was reached; there may be more (--budget)."
    ran = cli.run("places", "dentist", "Austin TX", "--budget", "0.01", "--refresh")
    assert ran.returncode == 1
    assert "budget_exceeded: " in ran.stdout


def test_a_search_in_parts_finds_more_than_google_tells_of_one_query(cli: Cli) -> None:
    options = ["--split", "--max-results", "500", "--center", "30.2672,-97.7431", "--fields", "basic"]
    document = cli.json("places", "dentist", "Austin TX", *options)
    assert (document["stored_places"], document["stopped"]) == (96, "all_found")
    assert document["requests"] <= 50


def test_a_location_that_google_does_not_know_is_1_with_the_reason(cli: Cli) -> None:
    ran = cli.run("places", "dentist", "Atlantis")
    assert ran.returncode == 1
    assert "location_not_found: " in ran.stdout


def test_a_search_that_has_no_own_site_scans_nothing_and_is_no_failure(cli: Cli) -> None:
    token = cli.run("token", "--tenant", str(uuid4())).stdout.strip()  # to whom no earlier search has told a website
    options = ["--fields", "ids", "--max-results", "2", "--scan", "--json"]
    ran = cli.run("places", "dentist", "Austin TX", *options, SCRAPERSKY_TOKEN=token)
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert (document["search"]["stored_places"], document["skipped"], document["batch"]) == (2, None, None)


def test_a_search_is_watched_and_its_sites_are_scanned_later(cli: Cli) -> None:
    job_id = cli.json("places", "cafe", "Austin TX", "--no-wait")["job_id"]
    ran = cli.run("status", job_id, "--wait")
    assert ran.returncode == 0, ran.stderr
    assert words(ran.stdout)[0].startswith("cafe in Austin TX complete 3 places")
    assert job_id in {item["job_id"] for item in cli.json("places-history", "--status", "complete")["items"]}
    assert job_id in {item["job_id"] for item in cli.json("jobs", "--kind", "places_search")["items"]}
    (brewery,) = (
        place["place_id"]
        for place in cli.json("places-results", job_id, "--class", "own_site")["places"]
        if place["domain"] == CAFES[1]
    )
    ran = cli.run("places-scan", job_id, brewery, "--format", "ndjson")
    assert [json.loads(line)["domain"] for line in ran.stdout.splitlines()] == [CAFES[1]]


def test_another_tenant_sees_none_of_it(cli: Cli) -> None:
    job_id = cli.json("places", "cafe", "Austin TX")["job_id"]
    place_id = cli.json("places-results", job_id)["places"][0]["place_id"]
    token = cli.run("token", "--tenant", str(uuid4())).stdout.strip()
    for command in (["places-results", job_id], ["places-scan", job_id]):
        ran = cli.run(*command, SCRAPERSKY_TOKEN=token)
        assert ran.returncode == 1
        assert "404 not_found" in ran.stderr
    ran = cli.run("places-status", "archived", place_id, SCRAPERSKY_TOKEN=token)
    assert (ran.returncode, words(ran.stdout)) == (1, ["0 places are Archived now."])
    assert cli.run("places-ledger", SCRAPERSKY_TOKEN=token).stdout.startswith("0 requests from ")
    assert json.loads(cli.run("places-history", "--json", SCRAPERSKY_TOKEN=token).stdout)["items"] == []
