"""The own sites of a search's places, as a batch: what is part of it, what is not, and the same answer again."""

import threading
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import BATCHES, DISCOVERY, Client, jobs_of, refused, searched
from integration.conftest import ScanQueue
from scrapersky.services import batch
from support.http_events import Answered
from support.places import Searching


def scan(client: Client, job_id: str, *, key: str | None = None, **body: Any) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    return client.call("POST", f"{DISCOVERY}/results/{job_id}/scan", json_body=body, headers=headers)


def listed(client: Client, job_id: str) -> list[dict[str, Any]]:
    places_: list[dict[str, Any]] = client.get(f"{DISCOVERY}/results/{job_id}?limit=500").json["places"]
    return places_


def test_the_own_sites_are_a_batch_and_the_rest_is_told(client: Client, google: Searching, queue: ScanQueue) -> None:
    job_id = searched(client, google, max_results=60)
    found = listed(client, job_id)
    answer = scan(client, job_id, max_pages=3, max_concurrent=7)
    accepted = answer.json
    assert answer.status == 202
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{BATCHES}/{accepted['batch_id']}/status"
    domains = {place["domain"] for place in found if place["domain"]}
    assert (accepted["job_count"], accepted["rejected"]) == (len(domains), [])
    assert accepted["skipped"] == [
        {"place_id": place["place_id"], "reason": place["website_class"]} for place in found if not place["domain"]
    ]
    assert {item["reason"] for item in accepted["skipped"]} >= {"social", "none"}
    assert len(queue.drain_batches()) == 1

    status = client.get(answer.headers["location"]).json
    assert (status["kind"], status["metadata"]["max_pages"], status["metadata"]["max_concurrent"]) == (
        "domain_scan", 3, 7,
    )  # fmt: skip
    assert set(jobs_of(client, f"{BATCHES}/{accepted['batch_id']}")) == domains


def test_chosen_places_alone_are_scanned_each_site_once(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=4)
    own, social, _, _ = listed(client, job_id)
    elsewhere = listed(client, searched(client, google, "cafe"))[0]
    chosen = [own["id"].upper(), own["place_id"], social["place_id"], elsewhere["id"], "x", "x"]
    accepted = scan(client, job_id, place_ids=chosen).json
    assert accepted["job_count"] == 1
    assert accepted["skipped"] == [
        {"place_id": social["place_id"], "reason": "social"},
        {"place_id": elsewhere["id"], "reason": "unknown"},
        {"place_id": "x", "reason": "unknown"},
    ]
    assert list(jobs_of(client, f"{BATCHES}/{accepted['batch_id']}")) == [own["domain"]]


def test_without_a_site_there_is_no_batch(client: Client, google: Searching, queue: ScanQueue) -> None:
    job_id = searched(client, google, max_results=4)
    social = listed(client, job_id)[1]
    without = searched(client, google, "cafe", fields="basic")
    refused(scan(client, job_id, place_ids=[social["id"]], key="k"), 409, "no_sites")
    refused(scan(client, job_id, place_ids=["x"]), 409, "no_sites")
    refused(scan(client, without), 409, "no_sites")
    refused(scan(client, client.searched("florist")), 409, "no_sites")
    assert queue.drain_batches() == []
    assert client.get(BATCHES).json["items"] == []
    assert scan(client, job_id, key="k").status == 202  # a refusal leaves the key free


def test_a_place_whose_website_nobody_asked_for_is_told_as_such(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=4, fields="basic")
    searched(client, google, max_results=1)
    accepted = scan(client, job_id).json
    assert accepted["job_count"] == 1
    assert {item["reason"] for item in accepted["skipped"]} == {"not_asked_for"}


def test_the_same_request_is_answered_as_the_first_time_whatever_became_of_the_list(
    client: Client, google: Searching, postgres: TestDatabase, queue: ScanQueue
) -> None:
    job_id = searched(client, google, max_results=4)
    social = listed(client, job_id)[1]
    chosen = [place["id"] for place in listed(client, job_id)] + ["x"]
    first = scan(client, job_id, place_ids=chosen, key="k")
    assert [item["reason"] for item in first.json["skipped"]] == ["social", "unknown"]
    queue.drain_batches()

    postgres.rows(
        "update scrapersky.places set website_class = 'own_site', domain = 'new.example' where id = %s", social["id"]
    )
    again = scan(client, job_id, place_ids=chosen, key="k")
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    postgres.rows("update scrapersky.places set website_class = null, domain = null")  # and when there is none left
    again = scan(client, job_id, place_ids=chosen, key="k")
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    refused(scan(client, job_id, place_ids=chosen), 409, "no_sites")  # the control: without the key it is asked anew
    refused(scan(client, job_id, key="k"), 422, "idempotency_key_reused")
    assert queue.drain_batches() == []
    assert len(client.get(BATCHES).json["items"]) == 1


def test_two_at_once_under_a_key_give_the_answer_of_the_first(
    client: Client, google: Searching, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read another list before the first one took the key."""
    job_id = searched(client, google, max_results=4)
    real, answers, lock = batch.start, [], threading.Lock()

    def overtaken(*arguments: Any, **named: Any) -> Any:
        if lock.acquire(blocking=False):  # the second in time is begun last, with its list read
            postgres.rows("update scrapersky.places set website_class = null, domain = null where domain is null")
            answers.append(scan(client.another_process(), job_id, key="k"))
        return real(*arguments, **named)

    monkeypatch.setattr(batch, "start", overtaken)
    answers.append(scan(client, job_id, key="k"))
    first, second = answers
    assert [item["reason"] for item in first.json["skipped"]] == ["not_asked_for"]
    assert (second.status, second.headers, second.body) == (first.status, first.headers, first.body)
    assert len(client.get(BATCHES).json["items"]) == 1


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"json_body": {"place_ids": []}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x"] * 1001}}, 422, "invalid"),
        ({"json_body": {"place_ids": ["x" * 501]}}, 422, "invalid"),
        ({"json_body": {"max_pages": 0}}, 422, "invalid"),
        ({"json_body": {"max_pages": 101}}, 422, "invalid"),
        ({"json_body": {"max_concurrent": 1001}}, 422, "invalid"),
        ({"json_body": {"domains": ["a.example"]}}, 422, "invalid"),
        ({"json_body": {"tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"json_body": {}, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_refused_request_leaves_nothing(
    client: Client, queue: ScanQueue, request_: dict[str, Any], status: int, code: str
) -> None:
    job_id = client.searched()
    refused(client.call("POST", f"{DISCOVERY}/results/{job_id}/scan", **request_), status, code)
    assert queue.drain_batches() == []


def test_no_body_means_all_sites(client: Client, google: Searching) -> None:
    job_id = searched(client, google, max_results=4)
    for request in ({}, {"body": "null"}):
        answer = client.call("POST", f"{DISCOVERY}/results/{job_id}/scan", **request)
        assert (answer.status, answer.json["job_count"]) == (202, 3)
