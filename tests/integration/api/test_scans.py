"""Domain scans over HTTP: what a client sends, what it gets, and what is stored then."""

from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import ALIAS, BODY, SCAN, Client, refused
from integration.conftest import ScanQueue
from support.http_events import event


@pytest.mark.parametrize("path", [SCAN, ALIAS])
def test_a_started_scan_says_where_to_follow_it_and_that_address_works(
    client: Client, queue: ScanQueue, path: str
) -> None:
    answer = client.start(path=path)
    accepted = answer.json
    assert answer.status == 202
    assert set(accepted) == {"job_id", "status_url", "created_at"}
    assert accepted["created_at"].endswith("Z")
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{path}/status/{accepted['job_id']}"
    assert int(answer.headers["retry-after"]) > 0

    status = client.get(answer.headers["location"])
    assert (status.status, status.json["status"], status.json["domain"]) == (200, "pending", "shop.example")
    assert [message["job_id"] for message in queue.drain()] == [accepted["job_id"]]


def test_the_status_holds_exactly_what_the_contract_names(client: Client) -> None:
    status = client.get(f"{SCAN}/status/{client.started('shop.example')}").json
    assert set(status) == {
        "job_id",
        "status",
        "domain",
        "progress",
        "created_at",
        "updated_at",
        "started_at",
        "finished_at",
        "result",
        "error",
        "metadata",
    }
    assert (status["progress"], status["result"], status["error"], status["started_at"]) == (0.0, None, None, None)


def test_the_request_is_named_in_the_message(client: Client, queue: ScanQueue) -> None:
    client.start()
    (message,) = queue.drain()
    assert message["correlation_id"] == event("GET", "/")["requestContext"]["requestId"]


@pytest.mark.parametrize("base_url", ["127.0.0.1", "http://[::1]/", "localhost", "x", "http://", "0x7f.1"])
def test_what_is_no_domain_is_a_422_with_the_reason(client: Client, queue: ScanQueue, base_url: str) -> None:
    problem = refused(client.start({"base_url": base_url}), 422, "invalid_domain")
    assert problem["errors"][0]["loc"] == ["body", "base_url"]
    assert problem["errors"][0]["msg"]
    assert queue.drain() == []


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"json_body": {**BODY, "tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": " " * (3 * 1024 * 1024 + 1)}, 413, "too_large"),
        ({"body": "base_url=x", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, None),
        ({"json_body": {**BODY, "max_pages": 101}}, 422, "invalid"),
        ({"json_body": {**BODY, "depth": 2}}, 422, "invalid"),
        ({"json_body": {"base_url": "a\x00b"}}, 422, "invalid"),
        ({"json_body": BODY, "headers": {"idempotency-key": "a b"}}, 422, "invalid"),
        ({"json_body": BODY, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_refused_request_leaves_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase, request_: dict[str, Any], status: int, code: str | None
) -> None:
    answer = client.call("POST", f"{SCAN}/scan", **request_)
    refused(answer, status, code or "unsupported_media_type")
    assert queue.drain() == []
    assert postgres.one("select count(*) from scrapersky.jobs") == (0,)
