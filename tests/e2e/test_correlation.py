"""One id leads through all functions: what the log tells of a request's work, from the answer to the last event."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from support import batches
from support.cli_processes import Cli
from support.function_log import Event, events, eventually

SCAN = "/api/v3/modernized_page_scraper"
SITE, OTHER_SITE = "old-mill-brewery.example", "cedar-dental.example"
MUSEUM = "tram-museum.example"
WAIT_SECONDS = 30.0
# A client's own ids are not taken over: with them it could make its lines those of somebody else's request.
CLIENTS_OWN = {"X-Correlation-Id": "of-the-client", "X-Request-Id": "of-the-client", "traceparent": "00-of-the-client"}
Step = tuple[str, str]
Database = psycopg.Connection[TupleRow]

# A dispatcher that was called for another job may be as quick as the worker is with its own line.
DISPATCHED: Step = ("event_dispatcher", "event dispatched")
OF_A_SCAN: list[Step] = [
    ("domain_scan_api", "job started"),
    ("domain_scan_worker", "job claimed"),
    ("domain_scan_worker", "scan ended"),
]
OF_A_SITEMAP_SCAN: list[Step] = [
    ("sitemap_api", "job started"),
    ("sitemap_worker", "job claimed"),
    ("sitemap_worker", "sitemap ended"),
    ("sitemap_worker", "scan ended"),
]
# The execution may be as quick with its first step as who started it is with saying so.
EXECUTION: Step = ("batch_start", "execution started")
OF_A_BATCH: list[Step] = [
    ("batch_scan_api", "batch started"),
    ("batch_plan", "round planned"),
    ("domain_scan_worker", "job claimed"),
    ("domain_scan_worker", "scan ended"),
    ("batch_finish", "round finished"),
]


def correlation_id(database: Database, table: str, identity: str) -> str:
    found = database.execute(f"select correlation_id from scrapersky.{table} where id = %s", (identity,)).fetchone()
    assert found is not None
    return str(found[0])


def story(stack: RunningStack, correlation: str, *last: Step) -> list[Event]:
    """The lines that say this id, in the order of their times, once the `last` steps are among them."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        lines = [event for event in events(stack.data_dir) if event.get("correlation_id") == correlation]
        if set(last) <= set(map(step, lines)):
            return sorted(lines, key=lambda event: event["timestamp"])
        assert time.monotonic() < deadline, [step(event) for event in lines]
        time.sleep(0.1)


def step(event: Event) -> Step:
    return event["service"], event["message"]


def assert_in_order(lines: list[Event], steps: list[Step]) -> None:
    """Each step is told, and no earlier than the one before."""
    firsts = [next((n for n, line in enumerate(lines) if step(line) == wanted), None) for wanted in steps]
    assert None not in firsts, list(zip(steps, firsts, strict=True))
    assert all(before < after for before, after in pairwise(n for n in firsts if n is not None)), firsts


@pytest.fixture
def scanned(api: httpx.Client) -> Callable[[str], str]:
    def scan(site: str) -> str:
        answer = api.post(f"{SCAN}/scan", json={"base_url": site}, headers=CLIENTS_OWN).raise_for_status().json()
        state = api.get(f"{SCAN}/status/{answer['job_id']}", params={"wait": 20}).raise_for_status().json()
        while state["status"] in ("pending", "running"):
            state = api.get(f"{SCAN}/status/{answer['job_id']}", params={"wait": 20}).raise_for_status().json()
        return str(answer["job_id"])

    return scan


def test_the_id_of_a_scan_tells_its_whole_story_and_no_other(
    stack: RunningStack, database: Database, scanned: Callable[[str], str]
) -> None:
    job_id, other_id = scanned(SITE), scanned(OTHER_SITE)
    lines = story(stack, correlation_id(database, "jobs", job_id), OF_A_SCAN[-1], DISPATCHED)
    assert_in_order(lines, OF_A_SCAN)
    assert_in_order(lines, [*OF_A_SCAN[:2], DISPATCHED])
    assert {line["job_id"] for line in lines if step(line) in {*OF_A_SCAN, DISPATCHED}} == {job_id}
    assert {line["domain"] for line in lines if "domain" in line} == {SITE}
    # The control: another job is in none of its lines, and has the same story under its own id.
    assert not any(other_id in json.dumps(line) for line in lines)
    assert not any("of-the-client" in json.dumps(line) for line in events(stack.data_dir))
    others = story(stack, correlation_id(database, "jobs", other_id), OF_A_SCAN[-1], DISPATCHED)
    assert_in_order(others, OF_A_SCAN)
    assert {line["job_id"] for line in others if "job_id" in line} == {other_id}


def test_the_id_of_a_sitemap_scan_tells_its_whole_story(stack: RunningStack, database: Database) -> None:
    job_id = Cli(stack.data_dir).json("sitemap", MUSEUM)["job_id"]
    lines = story(stack, correlation_id(database, "jobs", job_id), OF_A_SITEMAP_SCAN[-1], DISPATCHED)
    assert_in_order(lines, OF_A_SITEMAP_SCAN)
    assert {line["job_id"] for line in lines if "job_id" in line} == {job_id}
    assert [line["outcome"] for line in lines if line["message"] == "scan ended"] == ["complete"]


def test_the_id_of_a_batch_leads_from_its_request_to_each_of_its_jobs(
    api: httpx.Client, stack: RunningStack, database: Database, scanned: Callable[[str], str]
) -> None:
    batch_id = batches.start(api, [SITE, OTHER_SITE, "no domain"])
    batches.final(api, batch_id)
    single = scanned(SITE)
    correlation = correlation_id(database, "batches", batch_id)
    lines = story(stack, correlation, OF_A_BATCH[-1], EXECUTION, DISPATCHED)
    assert_in_order(lines, OF_A_BATCH)
    assert_in_order(lines, [OF_A_BATCH[0], EXECUTION])
    rows = database.execute(
        "select id::text, correlation_id, domain from scrapersky.jobs where batch_id = %s", (batch_id,)
    ).fetchall()
    assert {row[1] for row in rows} == {correlation}
    of_batch = [line for line in lines if "batch_id" in line]
    assert {line["batch_id"] for line in of_batch} == {batch_id}
    assert {step(line)[0] for line in of_batch} >= {service for service, _ in OF_A_BATCH}
    ended = {line["job_id"]: line["outcome"] for line in lines if line["message"] == "scan ended"}
    assert set(ended) == {row[0] for row in rows if row[2] != "no domain"}
    # What names the run and not the batch is found from the line that names both.
    (started,) = (line for line in lines if line["message"] == "batch started")
    runs = {line["run"] for line in lines if "run" in line}
    assert runs == {started["run"]}
    assert not any(single in json.dumps(line) for line in lines)


def test_what_is_asked_of_a_job_later_is_told_under_its_first_id(
    api: httpx.Client, stack: RunningStack, database: Database
) -> None:
    job_id = api.post(f"{SCAN}/scan", json={"base_url": "no-such-site.invalid-name.example"}).json()["job_id"]
    state: dict[str, Any] = {"status": "pending"}
    while state["status"] in ("pending", "running"):
        state = api.get(f"/api/v3/jobs/{job_id}", params={"wait": 20}).raise_for_status().json()
    assert state["status"] == "failed"
    api.post(f"/api/v3/jobs/{job_id}/retry").raise_for_status()
    lines = story(stack, correlation_id(database, "jobs", job_id), ("jobs_api", "job started"))
    (again,) = (line for line in lines if step(line) == ("jobs_api", "job started"))
    assert again["job_id"] == job_id
    assert again["request_id"] != again["correlation_id"]


def metrics_of(service: str) -> Callable[[Event], bool]:
    return lambda event: "_aws" in event and event["service"] == service


def test_metrics_are_lines_of_the_log_that_lead_to_nobody(stack: RunningStack, scanned: Callable[[str], str]) -> None:
    job_id = scanned(SITE)
    # A function tells its metrics last, when its clients may have seen all of its work.
    for service in ("domain_scan_worker", "domain_scan_api"):
        eventually(stack.data_dir, metrics_of(service))
    told = [event for event in events(stack.data_dir) if "_aws" in event]
    assert {"domain_scan_worker", "domain_scan_api"} <= {event["service"] for event in told}
    for event in told:
        text = json.dumps(event)
        assert job_id not in text
        assert ".example" not in text
        assert stack.info.token not in text
