"""What ends on a running stack comes to whoever has a rule on its event bus, within moments."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack, client_of, token_of
from support import batches
from support.crowd import Crowd

WAIT_SECONDS = 30.0
Hears = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]


@pytest.fixture
def api(stack: RunningStack, tenant_id: UUID) -> Iterator[httpx.Client]:
    """A client of a tenant of whom nothing else is told."""
    with client_of(replace(stack.info, token=token_of(stack, tenant_id))) as client:
        yield client


@pytest.fixture
def hears(aws: Callable[[str], Any], tenant_id: UUID) -> Iterator[Hears]:
    """A queue that a rule sends the tenant's events to; wait for one there. Every event has to be whole."""
    sqs, bridge, name = aws("sqs"), aws("events"), f"told-{uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["scrapersky"], "detail": {"tenant_id": [str(tenant_id)]}}
    bridge.put_rule(Name=name, EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def wait(wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                event: dict[str, Any] = json.loads(message["Body"])
                assert (event["source"], event["detail-type"]) == ("scrapersky", event["detail"]["type"])
                if wanted(event["detail"]):
                    return event
            time.sleep(0.05)
        return pytest.fail(f"no such event in {WAIT_SECONDS} s")

    yield wait
    bridge.remove_targets(Rule=name, Ids=["queue"])
    bridge.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=url)


def dispatched(database: psycopg.Connection[TupleRow], told: dict[str, Any]) -> None:
    """Wait until the event's row says that it was handed on, which the dispatcher writes after the bus has it."""
    deadline = time.monotonic() + WAIT_SECONDS
    row = "select tenant_id::text, dispatched_at is not null from scrapersky.events where id = %s"
    while (rows := database.execute(row, (told["id"],)).fetchall()) != [(told["tenant_id"], True)]:
        assert time.monotonic() < deadline, rows
        time.sleep(0.05)


def test_a_scan_and_a_batch_are_told_of_when_they_end(
    crowd: Crowd, api: httpx.Client, database: psycopg.Connection[TupleRow], hears: Hears, tenant_id: UUID
) -> None:
    one, other = crowd.hosts("told", 2)  # which no other test is at
    asked = {"base_url": one, "max_pages": 1}
    job = api.post("/api/v3/modernized_page_scraper/scan", json=asked).raise_for_status().json()
    event = hears(lambda detail: detail["data"].get("job_id") == job["job_id"])
    told = event["detail"]
    ended = api.get(f"/api/v3/jobs/{job['job_id']}").raise_for_status().json()
    assert told["type"] == f"job.{ended['status']}" == "job.complete"
    assert {name: told["data"][name] for name in ("kind", "domain", "status", "error")} == {
        name: ended[name] for name in ("kind", "domain", "status", "error")
    }
    assert told["tenant_id"] == str(tenant_id)
    dispatched(database, told)

    batch_id = batches.start(api, [other, "no domain"])
    told = hears(lambda detail: detail["type"].startswith("batch.") and detail["data"]["batch_id"] == batch_id)[
        "detail"
    ]
    batch = batches.final(api, batch_id)
    assert told["type"] == f"batch.{batch['status']}"
    names = ("status", "kind", "total_domains", "completed_domains", "failed_domains", "cancelled_domains")
    assert {name: told["data"][name] for name in names} == {name: batch[name] for name in names}
