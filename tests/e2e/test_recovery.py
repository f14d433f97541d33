"""What goes wrong in the middle of a scan on the running stack, and the state that each job ends in."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import boto3
import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from e2e.test_stack import SCAN, WAIT_SECONDS, final
from support.function_log import events
from support.held_site import HeldSite
from support.processes import running_function


@pytest.fixture
def session(stack: RunningStack) -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=stack.info.region)


def start(api: httpx.Client, domain: str) -> str:
    return str(api.post(SCAN, json={"base_url": domain}).raise_for_status().json()["job_id"])


def path(job_id: str) -> str:
    return f"/api/v3/jobs/{job_id}"


def eventually(what: str, found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not found():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.05)


def endings(stack: RunningStack, job_id: str) -> list[str]:
    """How the workers say that their scans of the job ended."""
    return [
        event["outcome"]
        for event in events(stack.data_dir)
        if event.get("message") == "scan ended" and event["job_id"] == job_id
    ]


def attempts(database: psycopg.Connection[TupleRow], job_id: str) -> tuple[Any, ...] | None:
    return database.execute("select status, attempt from scrapersky.jobs where id = %s", (job_id,)).fetchone()


def stored(database: psycopg.Connection[TupleRow], job_id: str) -> tuple[Any, ...] | None:
    return database.execute(
        "select (select count(*) from scrapersky.pages where job_id = %(id)s),"
        " (select count(*) from scrapersky.facts where job_id = %(id)s)",
        {"id": job_id},
    ).fetchone()


def sweep(stack: RunningStack, session: boto3.Session) -> dict[str, Any]:
    """Run the sweeper now instead of within a minute."""
    client = session.client("lambda", endpoint_url=stack.info.aws_endpoint_url)
    (name,) = (f["FunctionName"] for f in client.list_functions()["Functions"] if "Sweeper" in f["FunctionName"])
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    swept: dict[str, Any] = json.loads(answer["Payload"].read())
    client.close()
    assert "errorType" not in swept, swept
    return swept


def test_a_job_whose_worker_is_killed_in_the_middle_is_finished_by_another(
    api: httpx.Client,
    stack: RunningStack,
    session: boto3.Session,
    database: psycopg.Connection[TupleRow],
    held: HeldSite,
) -> None:
    job_id = start(api, held.host)
    held.wait_asked()
    killed = running_function("DomainScanWorker", stack.info.aws_endpoint_url)
    assert killed
    for process in killed:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    sweep(stack, session)
    assert attempts(database, job_id) == ("running", 1)  # its lease is still alive: nobody else may take it
    # The worker's time runs out, with which both its job and its host were taken.
    database.execute("update scrapersky.jobs set lease_until = now() - interval '1 s' where id = %s", (job_id,))
    database.execute("update scrapersky.host_leases set until = now() - interval '1 s' where job_id = %s", (job_id,))
    sweep(stack, session)
    # The sweeper's own minute may have been over first: then it was that one's sweep that took the job.
    eventually("the job taken from the killed worker", lambda: attempts(database, job_id) != ("running", 1))
    held.let_go()

    assert final(api, path(job_id))["status"] == "complete"
    assert attempts(database, job_id) == ("complete", 2)
    pages, facts = stored(database, job_id) or (0, 0)
    assert pages >= 1
    assert facts >= 1


def test_a_message_delivered_again_during_and_after_the_scan_changes_nothing(
    api: httpx.Client,
    stack: RunningStack,
    session: boto3.Session,
    database: psycopg.Connection[TupleRow],
    held: HeldSite,
) -> None:
    sqs = session.client("sqs", endpoint_url=stack.info.aws_endpoint_url)
    (queue,) = (url for url in sqs.list_queues()["QueueUrls"] if "ScanQueue" in url)

    def nothing_waits() -> bool:
        told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return told["Attributes"]["ApproximateNumberOfMessages"] == "0"

    job_id = start(api, held.host)
    message = json.dumps({"version": 1, "job_id": job_id, "correlation_id": "again"})
    held.wait_asked()
    sqs.send_message(QueueUrl=queue, MessageBody=message)
    eventually("the second message delivered", nothing_waits)
    held.let_go()
    first = final(api, path(job_id))
    assert first["status"] == "complete"

    sqs.send_message(QueueUrl=queue, MessageBody=message)
    other = start(api, "parish-hall.example")  # behind it in the queue, so that it was delivered by then
    assert final(api, path(other))["status"] == "complete"
    sqs.close()
    assert api.get(path(job_id)).json() == first
    assert attempts(database, job_id) == ("complete", 1)


def test_a_cancel_during_a_scan_is_final_and_nothing_is_stored(
    api: httpx.Client, stack: RunningStack, database: psycopg.Connection[TupleRow], held: HeldSite
) -> None:
    job_id = start(api, held.host)
    held.wait_asked()
    assert api.post(f"{path(job_id)}/cancel").raise_for_status().json()["status"] == "cancelled"
    held.let_go()
    eventually("the scan ended", lambda: bool(endings(stack, job_id)))
    assert endings(stack, job_id) == ["fenced"]
    job = api.get(path(job_id)).json()
    assert (job["status"], job["error"]["code"]) == ("cancelled", "cancelled")
    assert stored(database, job_id) == (0, 0)

    api.post(f"{path(job_id)}/retry").raise_for_status()
    assert final(api, path(job_id))["status"] == "complete"
