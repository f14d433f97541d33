"""Batches under way over HTTP: how they stand, their lists, and how they are cancelled and retried."""

import threading
import time
from typing import Any
from urllib.parse import quote

import pytest

from integration.api.conftest import BATCHES, Client, Finish, failed, figures, found, jobs_of, refused
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind
from scrapersky.services import batch as batches


def test_figures_times_and_statuses_follow_the_jobs(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example", "b.example", "c.example")
    jobs = jobs_of(client, batch)
    finish(jobs["a.example"], found())
    running = client.get(f"{batch}/status")
    assert (running.json["status"], figures(running.json)) == ("running", (3, 1, 0, 0))
    assert (running.json["end_time"], running.json["processing_time"]) == (None, None)
    assert running.json["start_time"] is not None
    assert 33 <= running.json["progress"] < 34
    assert int(running.headers["retry-after"]) > 0
    state = running.json["domain_statuses"]["a.example"]
    assert (state["status"], state["error"]) == ("complete", None)
    assert state["processing_time"] >= 0

    finish(jobs["b.example"], failed())
    finish(jobs["c.example"], found())
    done = client.get(f"{batch}/status")
    assert (done.json["status"], done.json["progress"], figures(done.json)) == ("complete", 100.0, (3, 2, 1, 0))
    assert done.json["error"] is None
    assert done.json["processing_time"] >= 0
    assert "retry-after" not in done.headers
    error = done.json["domain_statuses"]["b.example"]["error"]
    assert error == {"code": "dns_failure", "message": "the name has no address", "retryable": True}


@pytest.mark.parametrize("query", ["", "?domain_statuses=false"])
def test_an_unchanged_status_is_a_304_and_a_changed_one_is_not(client: Client, finish: Finish, query: str) -> None:
    batch = client.started_batch("a.example", "b.example")
    job_id = jobs_of(client, batch)["a.example"]
    first = client.get(f"{batch}/status{query}")
    tag = first.headers["etag"]
    unchanged = client.get(f"{batch}/status{query}", if_none_match=tag)
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, "", tag)
    assert "retry-after" in unchanged.headers

    finish(job_id, found())
    changed = client.get(f"{batch}/status{query}", if_none_match=tag)
    assert (changed.status, figures(changed.json)) == (200, (2, 1, 0, 0))


@pytest.mark.parametrize("query", ["", "&domain_statuses=false"])
def test_a_held_answer_comes_with_the_change(client: Client, finish: Finish, query: str) -> None:
    batch = client.started_batch("a.example", "b.example")
    job_id = jobs_of(client, batch)["a.example"]
    tag = client.get(f"{batch}/status?{query}").headers["etag"]
    worker = threading.Timer(0.6, finish, (job_id, found()))
    began = time.monotonic()
    worker.start()
    status = client.get(f"{batch}/status?wait=20{query}", if_none_match=tag)
    took = time.monotonic() - began
    worker.join()
    assert (status.status, status.json["status"]) == (200, "running")
    assert 0.4 < took < 10


def test_a_held_answer_comes_unchanged_when_the_time_is_over(client: Client) -> None:
    batch = client.started_batch("a.example")
    tag = client.get(f"{batch}/status").headers["etag"]
    began = time.monotonic()
    assert client.get(f"{batch}/status?wait=0.5", if_none_match=tag).status == 304
    assert client.get(f"{batch}/status?wait=0.5").json["status"] == "pending"
    assert time.monotonic() - began >= 1


def test_the_jobs_of_a_batch_are_listed_and_no_others(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example", "b.example", "c.example")
    client.started_batch("d.example")
    client.started("e.example")
    finish(jobs_of(client, batch)["b.example"], failed())

    listed: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get(f"{batch}/jobs?limit=2{cursor}").json
        assert len(page["items"]) <= 2
        listed += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={quote(page['next_cursor'])}"
    assert {job["job_id"] for job in listed} == set(jobs_of(client, batch).values())
    assert len(listed) == 3
    assert [job["domain"] for job in client.get(f"{batch}/jobs?status=failed").json["items"]] == ["b.example"]
    refused(client.get(f"{batch}/jobs?status=done"), 422, "invalid")


def test_batches_are_listed_newest_first_page_by_page(client: Client) -> None:
    made = [client.started_batch(f"s{number}.example").rsplit("/", 1)[1] for number in range(3)]
    first = client.get(f"{BATCHES}?limit=2").json
    second = client.get(f"{BATCHES}?limit=2&cursor={quote(first['next_cursor'])}").json
    assert [batch["batch_id"] for batch in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None
    assert "domain_statuses" not in first["items"][0]
    assert client.someone_else().get(BATCHES).json == {"items": [], "next_cursor": None}
    refused(client.get(f"{BATCHES}?cursor=x"), 422, "invalid_cursor")


def test_every_answer_about_a_batch_says_of_which_kind_it_is(client: Client, db: Database, queue: ScanQueue) -> None:
    domains = client.started_batch("a.example")
    sitemaps = batches.start(
        db,
        queue.sender,
        Caller(client.tenant_id, "client"),
        kind=JobKind.SITEMAP_SCAN,
        domains=["a.example"],
        max_pages=50_000,
        max_concurrent=5,
        batch_id=None,
        idempotency=None,
    ).batch_id
    listed = client.get(BATCHES).json["items"]
    assert [(one["kind"], one["metadata"]["max_pages"]) for one in listed] == [
        ("sitemap_scan", 50_000),
        ("domain_scan", 10),
    ]
    shown = [client.get(f"{batch}/status").json["kind"] for batch in (domains, f"{BATCHES}/{sitemaps}")]
    assert shown == ["domain_scan", "sitemap_scan"]
    assert client.call("POST", f"{BATCHES}/{sitemaps}/cancel").json["kind"] == "sitemap_scan"


@pytest.mark.parametrize("body", [None, {}])
def test_a_cancelled_batch_keeps_what_was_found(client: Client, finish: Finish, body: Any) -> None:
    batch = client.started_batch("a.example", "b.example", "c.example")
    finish(jobs_of(client, batch)["a.example"], found())
    first = client.call("POST", f"{batch}/cancel", json_body=body)
    assert (first.status, first.json["status"], figures(first.json)) == (200, "cancelled", (3, 1, 0, 2))
    assert first.json["error"] == {"code": "cancelled", "message": "2 of 3 domains were cancelled"}
    assert client.call("POST", f"{batch}/cancel").json == first.json
    states = client.get(f"{batch}/status").json["domain_statuses"]
    assert {domain: state["status"] for domain, state in states.items()} == {
        "a.example": "complete",
        "b.example": "cancelled",
        "c.example": "cancelled",
    }


def test_a_batch_that_is_over_cannot_be_cancelled(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example")
    finish(jobs_of(client, batch)["a.example"], found())
    refused(client.call("POST", f"{batch}/cancel"), 409, "batch_is_final")


@pytest.mark.parametrize("body", [None, {}, {"error_codes": []}, {"error_codes": ["timeout", "dns_failure"]}])
def test_failed_domains_are_retried_and_no_others(client: Client, finish: Finish, queue: ScanQueue, body: Any) -> None:
    batch = client.started_batch("a.example", "b.example", "localhost")
    jobs = jobs_of(client, batch)
    finish(jobs["a.example"], found())
    finish(jobs["b.example"], failed())
    queue.drain_batches()

    answer = client.call("POST", f"{batch}/retry", json_body=body, headers={"idempotency-key": "again"})
    assert answer.status == 202
    assert answer.headers["location"] == answer.json["status_url"] == f"https://api.example{batch}/status"
    status = client.get(answer.headers["location"]).json
    assert (status["status"], figures(status)) == ("running", (3, 1, 1, 0))
    assert status["domain_statuses"]["b.example"] == {
        "job_id": jobs["b.example"],
        "status": "pending",
        "start_time": None,
        "end_time": None,
        "processing_time": None,
        "error": None,
    }

    again = client.call("POST", f"{batch}/retry", json_body=body, headers={"idempotency-key": "again"})
    assert (again.status, again.json) == (202, answer.json)
    (message,) = queue.drain_batches()
    assert message["round"] == 2


def test_only_the_named_errors_are_retried(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example", "localhost")
    finish(jobs_of(client, batch)["a.example"], failed())
    for codes in (["timeout"], ["invalid_domain"]):
        answer = client.call("POST", f"{batch}/retry", json_body={"error_codes": codes})
        refused(answer, 409, "batch_not_retryable")
    wrong: list[dict[str, Any]] = [{"error_codes": ["no_such_code"]}, {"error_codes": "timeout"}, {"codes": []}]
    for body in wrong:
        refused(client.call("POST", f"{batch}/retry", json_body=body), 422, "invalid")
    assert client.call("POST", f"{batch}/retry", json_body={"error_codes": ["dns_failure"]}).status == 202


def test_a_cancelled_batch_can_be_taken_up_again(client: Client) -> None:
    batch = client.started_batch("a.example", "b.example")
    client.call("POST", f"{batch}/cancel")
    assert client.call("POST", f"{batch}/retry").status == 202
    status = client.get(f"{batch}/status").json
    assert (status["status"], status["error"], figures(status)) == ("pending", None, (2, 0, 0, 0))


def test_an_id_that_is_none_is_a_422(client: Client) -> None:
    problem = refused(client.get(f"{BATCHES}/x/status"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["path", "batch_id"]
