"""Cancelling, retrying and listing jobs, and the domains that came of them."""

import base64
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from integration.api.conftest import DOMAINS, JOBS, Client, Finish, failed, found, jobs_of, refused
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import sitemap_scan


@pytest.mark.parametrize("body", [None, {}])
def test_a_pending_job_is_cancelled_once_and_for_all(client: Client, body: Any) -> None:
    job_id = client.started("shop.example")
    first = client.call("POST", f"{JOBS}/{job_id}/cancel", json_body=body)
    assert (first.status, first.json["status"], first.json["error"]["code"]) == (200, "cancelled", "cancelled")
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").json == first.json


def test_a_final_job_cannot_be_cancelled(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    refused(client.call("POST", f"{JOBS}/{job_id}/cancel"), 409, "job_is_final")


def test_a_failed_job_is_retried_and_followed_at_its_address(client: Client, queue: ScanQueue, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, failed())
    queue.drain()
    answer = client.call("POST", f"{JOBS}/{job_id}/retry")
    assert answer.status == 202
    assert answer.json["job_id"] == job_id
    assert answer.headers["location"] == answer.json["status_url"] == f"https://api.example{JOBS}/{job_id}"
    assert client.get(answer.headers["location"]).json["status"] == "pending"
    assert len(queue.drain()) == 1


def test_a_sitemap_job_is_retried_by_its_own_workers(client: Client, db: Database, queue: ScanQueue) -> None:
    caller = Caller(client.tenant_id, "client")
    job_id = sitemap_scan.start(
        db, queue.sender, caller, base_url="shop.example", max_pages=10, idempotency=None
    ).job_id
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").json["kind"] == "sitemap_scan"
    queue.drain_sitemaps()
    assert client.call("POST", f"{JOBS}/{job_id}/retry").status == 202
    assert [message["job_id"] for message in queue.drain_sitemaps()] == [str(job_id)]
    assert queue.drain() == []


def test_a_job_of_a_batch_is_retried_by_its_batch_and_answered_as_any_other(
    client: Client, queue: ScanQueue, finish: Finish
) -> None:
    batch = client.started_batch("a.example", "localhost")
    jobs = jobs_of(client, batch)
    finish(jobs["a.example"], failed())
    queue.drain_batches()
    first, again = (
        client.call("POST", f"{JOBS}/{jobs['a.example']}/retry", headers={"idempotency-key": "k"}) for _ in range(2)
    )
    assert (first.status, first.json["job_id"]) == (202, jobs["a.example"])
    assert first.headers["location"] == first.json["status_url"] == f"https://api.example{JOBS}/{jobs['a.example']}"
    assert (again.status, again.body) == (202, first.body)
    assert [message["round"] for message in queue.drain_batches()] == [2]
    assert queue.drain() == []
    assert client.get(f"{batch}/status").json["status"] == "pending"
    problem = refused(client.call("POST", f"{JOBS}/{jobs['localhost']}/retry"), 409, "job_not_retryable")
    assert problem["detail"].startswith("localhost names no domain to scan: ")


def test_a_job_that_is_under_way_or_complete_cannot_be_retried(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    refused(client.call("POST", f"{JOBS}/{job_id}/retry"), 409, "job_not_retryable")
    finish(job_id, found())
    refused(client.call("POST", f"{JOBS}/{job_id}/retry"), 409, "job_not_retryable")


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_an_action_takes_no_other_body(client: Client, action: str) -> None:
    path = f"{JOBS}/{client.started('shop.example')}/{action}"
    refused(client.call("POST", path, json_body={"tenant_id": str(uuid4())}), 403, "tenant_mismatch")
    refused(client.call("POST", path, json_body={"force": True}), 422, "invalid")
    refused(client.call("POST", path, body="{"), 400, "malformed_json")
    refused(client.call("POST", path, body="[]"), 422, "invalid")


def pages(client: Client, target: str) -> list[list[dict[str, Any]]]:
    """Every page of a list, by its cursors."""
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        answer = client.get(f"{target}{cursor}")
        assert answer.status == 200, answer.body
        assert set(answer.json) == {"items", "next_cursor"}
        found.append(answer.json["items"])
        if answer.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={quote(answer.json['next_cursor'])}"


def test_jobs_are_listed_newest_first_page_by_page(client: Client) -> None:
    made = [client.started(f"s{n}.example") for n in range(5)]
    listed = pages(client, f"{JOBS}?limit=2")
    assert [len(page) for page in listed] == [2, 2, 1]
    assert [job["job_id"] for page in listed for job in page] == made[::-1]
    assert "result" not in listed[0][0]
    assert pages(client.someone_else(), f"{JOBS}?limit=2") == [[]]


def test_jobs_are_filtered(client: Client, finish: Finish) -> None:
    first, second = client.started("a.example"), client.started("b.example")
    finish(first, failed())

    def listed(query: str) -> list[str]:
        return [job["job_id"] for page in pages(client, f"{JOBS}?{query}") for job in page]

    assert listed("status=failed") == [first]
    assert listed("domain=b.example") == [second]
    assert listed("kind=domain_scan&status=pending") == [second]
    assert listed(f"batch_id={uuid4()}") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1,2",
        "status=done",
        "kind=x",
        "batch_id=x",
        "cursor=x",
        "cursor=" + "a" * 2000,
        "cursor=" + base64.urlsafe_b64encode(b'["\\u0000", "\\u0000"]').decode(),
        "domain=%00",
        "domain=" + "a" * 254,
    ],
)
def test_a_wrong_question_about_jobs_is_a_422_that_names_it(client: Client, query: str) -> None:
    answer = client.get(f"{JOBS}?{query}")
    problem = refused(answer, 422, answer.json["code"])
    assert problem["code"] in ("invalid", "invalid_cursor")
    assert problem["errors"][0]["loc"] == ["query", query.split("=")[0]]


def test_domains_are_listed_by_name_with_their_latest_facts(client: Client, finish: Finish) -> None:
    for name in ("c.example", "a.example", "b.example"):
        job_id = client.started(name)
        if name == "a.example":
            finish(job_id, found("A"))
            scanned_by = job_id
    listed = pages(client, f"{DOMAINS}?limit=2")
    assert [domain["domain"] for page in listed for domain in page] == ["a.example", "b.example", "c.example"]
    assert (listed[0][0]["site_data"]["title"], listed[0][0]["job_id"]) == ("A", scanned_by)
    assert (listed[0][1]["site_data"], listed[0][1]["job_id"]) == (None, None)
    assert pages(client, f"{DOMAINS}?domain_filter=B.")[0][0]["domain"] == "b.example"
    assert pages(client.someone_else(), f"{DOMAINS}?limit=2") == [[]]


def test_a_cursor_that_was_never_handed_out_is_a_422(client: Client) -> None:
    refused(client.get(f"{DOMAINS}?cursor=x"), 422, "invalid_cursor")


def test_one_domain_is_found_under_any_spelling(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    for spelling in ("shop.example", "WWW.Shop.Example", "shop.example."):
        domain = client.get(f"{DOMAINS}/{spelling}")
        assert (domain.status, domain.json["domain"]) == (200, "shop.example")
        assert (domain.json["site_data"]["title"], domain.json["job_id"]) == ("Shop", job_id)
    refused(client.someone_else().get(f"{DOMAINS}/shop.example"), 404, "not_found")
    refused(client.get(f"{DOMAINS}/127.0.0.1"), 404, "not_found")


def test_a_list_too_large_for_one_answer_is_cut_and_goes_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        client.started(f"s{n}.example")
    monkeypatch.setattr("scrapersky.api.responses.MAX_LIST_CHARACTERS", 1000)
    listed = pages(client, f"{JOBS}?limit=6")
    assert len(listed) > 1
    assert len([job for page in listed for job in page]) == 6
