"""Batches as a client of the running stack sees them."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

BATCH = "/api/v3/batch_page_scraper/batch"
FINAL = ("complete", "failed", "cancelled")
WAIT_SECONDS = 60.0


def start(api: httpx.Client, domains: list[str], **more: object) -> str:
    body = {"domains": domains, "max_pages": 1, "max_concurrent": 10, **more}
    return str(api.post(BATCH, json=body).raise_for_status().json()["batch_id"])


def status(api: httpx.Client, batch_id: str, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"{BATCH}/{batch_id}/status", params=query).raise_for_status().json()
    return answer


def until(api: httpx.Client, batch_id: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The batch as soon as the condition holds for it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        batch = status(api, batch_id, domain_statuses=False)
        if condition(batch):
            return batch
        time.sleep(0.05)
    return pytest.fail(f"not so after {WAIT_SECONDS} s: {batch}")


def final(api: httpx.Client, batch_id: str) -> dict[str, Any]:
    until(api, batch_id, lambda batch: batch["status"] in FINAL)
    return status(api, batch_id)


def figures(batch: dict[str, Any]) -> tuple[int, int, int, int]:
    names = ("total_domains", "completed_domains", "failed_domains", "cancelled_domains")
    total, completed, failed, cancelled = (batch[name] for name in names)
    return total, completed, failed, cancelled


def outcomes(batch: dict[str, Any]) -> dict[str, str]:
    """What became of each domain: its error's code, or its status."""
    return {
        domain: state["error"]["code"] if state["error"] else state["status"]
        for domain, state in batch["domain_statuses"].items()
    }


def executions(aws: Callable[[str], Any], database: psycopg.Connection[TupleRow], batch_id: str) -> list[str]:
    """How each execution of the batch ended, once all of them have."""
    row = database.execute("select run from scrapersky.batches where id = %s", (batch_id,)).fetchone()
    assert row is not None
    flow = aws("stepfunctions")
    (machine,) = flow.list_state_machines()["stateMachines"]
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        listed = flow.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        ended = [one["status"] for one in listed if one["name"].startswith(str(row[0]))]
        if "RUNNING" not in ended or time.monotonic() > deadline:
            return ended
        time.sleep(0.05)


def queue_url(aws: Callable[[str], Any], name: str) -> str:
    (url,) = (url for url in aws("sqs").list_queues()["QueueUrls"] if name in url)
    return str(url)
