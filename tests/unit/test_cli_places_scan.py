"""From a search to the facts of the businesses' own sites: what is sent, shown and written, and how it ends."""

import json
from pathlib import Path

import httpx
import pytest

from support.cli_runs import JOB_ID, problem
from support.places_answers import (
    BATCH,
    BATCH_ACCEPTED,
    BATCH_ID,
    FACTS_CSV,
    SCAN,
    SUMMARY,
    api,
    batch,
    search,
    sent,
    words,
)

NO_SITES = problem(409, "no_sites", "None of the places has a site of its own to scan.")
SKIPPED = [
    "Not scanned, a page on a network (1): Dentist No. 2",
    "Not scanned, no website (2): Dentist No. 3, =HYPERLINK(1)",
]


def test_one_command_goes_from_a_search_to_the_facts_of_the_sites() -> None:
    fake = api()
    ran = fake.run("places", "dentist", "Austin TX", "--scan", "--max-pages", "3", "--concurrent", "7")
    assert ran.exit_code == 0
    lines = words(ran.stdout)
    assert "1 Cedar Dental +1 512-555-0100 4.2 (7) cedar.example New ChIJ1" in lines
    assert lines.index(SUMMARY) < lines.index(SKIPPED[0]) < lines.index(SKIPPED[1])
    assert lines[-1] == "cedar.example complete Cedar"
    assert f"Batch {BATCH_ID} is complete. 1 domains: 1 complete, 0 failed" in ran.stderr
    assert sent(fake)[1] == ("scan", {"max_pages": 3, "max_concurrent": 7})


def test_the_facts_are_what_is_written_and_printed_for_programs(tmp_path: Path) -> None:
    target = tmp_path / "facts.csv"
    ran = api().run("places", "dentist", "Austin TX", "--scan", "-o", str(target))
    assert target.read_bytes() == FACTS_CSV
    assert "Cedar Dental" in ran.stdout
    ran = api().run("places", "dentist", "Austin TX", "--scan", "--format", "ndjson")
    assert json.loads(ran.stdout)["domain"] == "cedar.example"
    assert set(SKIPPED) | {SUMMARY} < set(words(ran.stderr))


def test_a_search_and_its_batch_are_one_json_document() -> None:
    ran = api().run("places", "dentist", "Austin TX", "--scan", "--json")
    skipped = BATCH_ACCEPTED["skipped"]
    assert json.loads(ran.stdout) == {"search": search(), "skipped": skipped, "batch": batch()}
    assert ran.stderr == ""


def test_no_own_site_at_all_is_said_and_no_failure(tmp_path: Path) -> None:
    target = tmp_path / "facts.csv"
    ran = api(**{SCAN: NO_SITES}).run("places", "dentist", "Austin TX", "--scan", "-o", str(target))
    assert ran.exit_code == 0
    assert "there is nothing to scan." in ran.stderr
    assert not target.exists()
    ran = api(**{SCAN: NO_SITES}).run("places", "dentist", "Austin TX", "--scan", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)) == (0, {"search": search(), "skipped": None, "batch": None})


def test_another_refusal_of_the_scan_is_a_failure() -> None:
    ran = api(**{SCAN: problem(409, "conflict", "No.")}).run("places", "dentist", "Austin TX", "--scan")
    assert (ran.exit_code, ran.stderr.splitlines()[-1]) == (1, "error: 409 conflict: No.")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_batch_that_came_to_nothing_ends_with_1(more: list[str]) -> None:
    failed = httpx.Response(200, json=batch("failed", completed_domains=0, failed_domains=1))
    assert api(**{BATCH: failed}).run("places", "dentist", "Austin TX", "--scan", *more).exit_code == 1


def test_an_earlier_search_s_sites_are_scanned_some_or_all() -> None:
    fake = api()
    ran = fake.run("places-scan", JOB_ID, "ChIJ1", "ChIJ2")
    assert ran.exit_code == 0
    assert words(ran.stdout)[:2] == SKIPPED
    fake.run("places-scan", JOB_ID, "--no-wait")
    bounds = {"max_pages": 10, "max_concurrent": 5}
    assert sent(fake) == [("scan", bounds | {"place_ids": ["ChIJ1", "ChIJ2"]}), ("scan", bounds)]
    assert api(**{SCAN: NO_SITES}).run("places-scan", JOB_ID).exit_code == 1
