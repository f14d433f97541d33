"""Batches over HTTP: what starts one, and what is told of it then."""

import json
import random
import time
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import BATCHES, Client, figures, refused
from integration.conftest import ScanQueue


def test_a_started_batch_says_where_to_follow_it_and_that_address_works(client: Client, queue: ScanQueue) -> None:
    answer = client.start_batch("shop.example", "bar.example", max_pages=3, max_concurrent=7)
    accepted = answer.json
    assert answer.status == 202
    assert set(accepted) == {"batch_id", "status_url", "job_count", "created_at", "rejected", "rejected_truncated"}
    assert (accepted["job_count"], accepted["rejected"], accepted["rejected_truncated"]) == (2, [], False)
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{BATCHES}/{accepted['batch_id']}/status"
    assert int(answer.headers["retry-after"]) > 0

    status = client.get(answer.headers["location"])
    assert (status.status, status.json["status"]) == (200, "pending")
    assert queue.drain() == []
    (message,) = queue.drain_batches()
    assert set(message) == {"version", "run", "round", "correlation_id"}


def test_the_status_holds_what_the_contract_names_and_the_kind(client: Client) -> None:
    status = client.get(client.started_batch("shop.example", max_pages=3, max_concurrent=7) + "/status").json
    assert set(status) == {
        "batch_id",
        "kind",
        "status",
        "total_domains",
        "completed_domains",
        "failed_domains",
        "cancelled_domains",
        "progress",
        "created_at",
        "updated_at",
        "start_time",
        "end_time",
        "processing_time",
        "domain_statuses",
        "error",
        "metadata",
    }
    assert status["metadata"] == {"max_pages": 3, "max_concurrent": 7, "domain_statuses_truncated": False}
    (state,) = status["domain_statuses"].values()
    assert set(state) == {"job_id", "status", "start_time", "end_time", "processing_time", "error"}
    assert [status[name] for name in ("start_time", "end_time", "processing_time", "error")] == [None] * 4


def test_one_domain_in_many_spellings_is_one_job(client: Client, postgres: TestDatabase) -> None:
    answer = client.start_batch("shop.example", "https://www.SHOP.example/about", "shop.example.", "bar.example")
    assert answer.json["job_count"] == 2
    assert postgres.rows("select domain from scrapersky.jobs order by domain") == [("bar.example",), ("shop.example",)]


def test_what_is_no_domain_is_told_and_is_a_failed_job(client: Client) -> None:
    answer = client.start_batch("shop.example", "127.0.0.1", "localhost", "", "=1+1")
    rejected = {item["input"]: item["reason"] for item in answer.json["rejected"]}
    assert (answer.status, answer.json["job_count"]) == (202, 5)
    assert list(rejected) == sorted(rejected)
    assert len(rejected) == 4
    assert all(rejected.values())

    status = client.get(answer.headers["location"]).json
    assert figures(status) == (5, 0, 4, 0)
    assert (status["status"], status["progress"]) == ("pending", 80.0)
    for text, reason in rejected.items():
        state = status["domain_statuses"][text]
        assert (state["status"], state["start_time"], state["processing_time"]) == ("failed", None, None)
        assert state["error"] == {"code": "invalid_domain", "message": reason, "retryable": False}


def test_a_batch_of_nothing_but_mistakes_has_failed_at_once(client: Client, queue: ScanQueue) -> None:
    answer = client.start_batch("127.0.0.1", "localhost")
    status = client.get(answer.headers["location"])
    assert (status.json["status"], status.json["progress"], figures(status.json)) == ("failed", 100.0, (2, 0, 2, 0))
    assert status.json["error"] == {"code": "all_failed", "message": "all 2 domains failed"}
    assert status.json["end_time"] is not None
    assert "retry-after" not in status.headers
    assert queue.drain_batches() == []


def test_ten_thousand_domains_are_taken_and_told_in_two_kilobytes(client: Client, postgres: TestDatabase) -> None:
    began = time.monotonic()
    answer = client.start_batch(*(f"site-{number:05}.example" for number in range(10_000)), max_concurrent=1000)
    assert time.monotonic() - began < 10
    assert (answer.status, answer.json["job_count"]) == (202, 10_000)
    assert postgres.one("select count(*) from scrapersky.jobs") == (10_000,)

    small = client.get(f"{answer.headers['location']}?domain_statuses=false")
    assert len(small.body) <= 2_000
    assert small.json["domain_statuses"] is None
    assert small.json["metadata"]["domain_statuses_truncated"] is True

    whole = client.get(answer.headers["location"]).json
    assert list(whole["domain_statuses"]) == [f"site-{number:05}.example" for number in range(1_000)]
    assert whole["metadata"]["domain_statuses_truncated"] is True
    assert figures(small.json) == figures(whole) == (10_000, 0, 0, 0)


def test_mistakes_that_fit_into_no_answer_are_told_in_part(client: Client) -> None:
    domains = [f"{number:04} " + "é" * 130 for number in range(10_000)]  # each é is six bytes to Lambda, and was two
    answer = client.call("POST", BATCHES, body=json.dumps({"domains": domains}, ensure_ascii=False))
    assert (answer.status, answer.json["job_count"], answer.json["rejected_truncated"]) == (202, 10_000, True)
    assert 5_000 < len(answer.json["rejected"]) < 10_000
    assert len(json.dumps(answer.body)) < 6_000_000


def test_an_endless_mistake_is_kept_in_part(client: Client) -> None:
    noise = random.Random(1)
    endless = "".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(100_000))  # nothing to compress
    answer = client.start_batch(endless, "shop.example")
    assert (answer.status, answer.json["job_count"]) == (202, 2)
    (rejected,) = answer.json["rejected"]
    assert endless.startswith(rejected["input"])
    assert rejected["input"] in client.get(answer.headers["location"]).json["domain_statuses"]


def test_long_mistakes_do_not_make_a_status_too_long(client: Client) -> None:
    domains = [f"{number:04} " + "\N{DIZZY SYMBOL}" * 495 for number in range(1_000)]
    answer = client.call("POST", BATCHES, body=json.dumps({"domains": domains}, ensure_ascii=False))
    status = client.get(answer.headers["location"])
    assert (status.status, len(json.dumps(status.body)) < 6_000_000) == (200, True)
    assert 100 < len(status.json["domain_statuses"]) < 1_000
    assert status.json["metadata"]["domain_statuses_truncated"] is True
    assert figures(status.json) == (1_000, 0, 1_000, 0)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"domains": []}, ["body", "domains"]),
        ({"domains": ["a.example"] * 10_001}, ["body", "domains"]),
        ({"domains": "a.example"}, ["body", "domains"]),
        ({"domains": [1]}, ["body", "domains", 0]),
        ({"domains": ["a\x00b"]}, ["body", "domains", 0]),
        ({}, ["body", "domains"]),
        ({"domains": ["a.example"], "max_pages": 0}, ["body", "max_pages"]),
        ({"domains": ["a.example"], "max_pages": 101}, ["body", "max_pages"]),
        ({"domains": ["a.example"], "max_concurrent": 0}, ["body", "max_concurrent"]),
        ({"domains": ["a.example"], "max_concurrent_jobs": 1001}, ["body", "max_concurrent_jobs"]),
        ({"domains": ["a.example"], "max_concurrent_jobs": 5, "max_concurrent": 6}, ["body"]),
        ({"domains": ["a.example"], "max_concurrent": True}, ["body", "max_concurrent"]),
        ({"domains": ["a.example"], "batch_id": "x"}, ["body", "batch_id"]),
        ({"domains": ["a.example"], "depth": 1}, ["body", "depth"]),
    ],
)
def test_a_wrong_request_is_a_422_that_names_the_field_and_leaves_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase, body: Any, loc: list[str | int]
) -> None:
    problem = refused(client.call("POST", BATCHES, json_body=body), 422, "invalid")
    assert problem["errors"][0]["loc"] == loc
    assert queue.drain_batches() == []
    assert postgres.one("select count(*) from scrapersky.batches") == (0,)


def test_the_older_name_of_max_concurrent_counts(client: Client) -> None:
    for body in ({"max_concurrent_jobs": 9}, {"max_concurrent_jobs": 9, "max_concurrent": 9}):
        status = client.get(client.started_batch("shop.example", **body) + "/status?domain_statuses=false").json
        assert status["metadata"]["max_concurrent"] == 9
    status = client.get(client.started_batch("shop.example") + "/status").json
    assert status["metadata"] == {"max_pages": 10, "max_concurrent": 5, "domain_statuses_truncated": False}


def test_the_same_batch_id_and_request_gives_the_first_answer_again(client: Client, queue: ScanQueue) -> None:
    batch_id = str(uuid4())
    first = client.start_batch("shop.example", "localhost", batch_id=batch_id)
    again = client.start_batch("localhost", "www.shop.example", batch_id=batch_id, max_concurrent_jobs=5)
    assert first.json["batch_id"] == batch_id
    assert (again.status, again.json) == (202, first.json)
    assert len(queue.drain_batches()) == 1
    refused(client.start_batch("bar.example", batch_id=batch_id), 409, "batch_exists")
