"""Batches on the running stack: through the API and the queue to the state machine, its workers, and a true end."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from e2e.test_batch_recovery import short_pauses
from support.batches import (
    BATCH,
    FINAL,
    WAIT_SECONDS,
    executions,
    figures,
    final,
    outcomes,
    queue_url,
    start,
    status,
    until,
)
from support.crowd import Crowd
from support.function_log import eventually


def tenant_of(stack: RunningStack) -> str:
    return str(json.loads((stack.data_dir / "secrets.json").read_text("utf-8"))["tenant_id"])


def test_each_domain_of_a_batch_has_its_own_true_outcome(api: httpx.Client, stack: RunningStack) -> None:
    sites = {site.host: site.expect for site in stack.web.sites}
    one = next(iter(sites))
    batch_id = start(api, [*sites, one.upper(), f"https://{one}/", "no domain", ""])
    batch = final(api, batch_id)
    expected = {
        host: expect["error"]["code"] if expect.get("status") == "failed" else "complete"
        for host, expect in sites.items()
    }
    assert outcomes(batch) == {**expected, "no domain": "invalid_domain", "(empty)": "invalid_domain"}
    counted = Counter(outcome == "complete" for outcome in outcomes(batch).values())
    assert figures(batch) == (len(sites) + 2, counted[True], counted[False], 0)
    assert (batch["status"], batch["progress"]) == ("complete", 100.0)

    lines = api.get(f"{BATCH}/{batch_id}/results", params={"format": "ndjson"}).raise_for_status().text.splitlines()
    assert {json.loads(line)["domain"] for line in lines} == set(batch["domain_statuses"])
    assert len(lines) == len(batch["domain_statuses"])


def test_the_figures_agree_with_the_domains_all_the_time_and_the_limit_holds(
    api: httpx.Client, stack: RunningStack, crowd: Crowd
) -> None:
    crowd.latency = 0.2
    hosts = crowd.hosts("limit", 60)
    batch_id = start(api, hosts, max_concurrent=4)
    polls = 0
    progress = [0.0]
    batch: dict[str, Any] = {"status": "pending"}
    while batch["status"] not in FINAL:
        batch = status(api, batch_id)
        polls += 1
        total, completed, failed, cancelled = figures(batch)
        counted = Counter(state["status"] for state in batch["domain_statuses"].values())
        assert (total, completed, failed, cancelled) == (60, counted["complete"], counted["failed"], 0)
        assert (completed + failed + cancelled == total) is (batch["status"] in FINAL)
        progress.append(batch["progress"])
    assert polls > 20
    assert progress == sorted(progress)
    assert sorted(crowd.homes("limit")) == hosts
    assert 2 <= crowd.most_at_once("limit") <= 4


def test_a_message_starts_the_batch_that_it_asks_for_once_however_often_it_comes(
    api: httpx.Client,
    stack: RunningStack,
    crowd: Crowd,
    aws: Callable[[str], Any],
    database: psycopg.Connection[TupleRow],
) -> None:
    hosts, batch_id, sqs = crowd.hosts("message", 12), str(uuid4()), aws("sqs")
    url = queue_url(aws, "BatchQueue")
    request = {"version": 1, "tenant_id": tenant_of(stack), "batch_id": batch_id, "domains": hosts, "max_pages": 1}
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(request))
    deadline = time.monotonic() + WAIT_SECONDS
    while api.get(f"{BATCH}/{batch_id}/status").status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert figures(final(api, batch_id)) == (12, 12, 0, 0)

    row = database.execute("select run from scrapersky.batches where id = %s", (batch_id,)).fetchone()
    assert row is not None
    begin = {"version": 1, "run": str(row[0]), "round": 1, "correlation_id": "again"}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(request))
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(begin))
    other = start(api, crowd.hosts("behind", 1))  # behind them in the queue, so that they were delivered by then
    assert final(api, other)["status"] == "complete"
    assert executions(aws, database, batch_id) == ["SUCCEEDED"]
    assert sorted(crowd.homes("message")) == hosts


def test_the_same_request_fifty_times_at_once_is_one_batch(
    api: httpx.Client, crowd: Crowd, aws: Callable[[str], Any], database: psycopg.Connection[TupleRow]
) -> None:
    hosts = crowd.hosts("fifty", 5)
    body, headers = {"domains": hosts, "max_pages": 1}, {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: api.post(BATCH, json=body, headers=headers), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    (batch_id,) = {answer.json()["batch_id"] for answer in answers}
    assert figures(final(api, batch_id)) == (5, 5, 0, 0)
    assert executions(aws, database, batch_id) == ["SUCCEEDED"]
    assert sorted(crowd.homes("fifty")) == hosts


def test_a_job_that_is_retried_in_the_middle_of_its_batch_is_taken_up_by_it(
    api: httpx.Client,
    stack: RunningStack,
    crowd: Crowd,
    aws: Callable[[str], Any],
    database: psycopg.Connection[TupleRow],
) -> None:
    """Two executions are at the batch then: the older one leaves it to the newer one, and no site is fetched twice."""
    hosts, is_retried = crowd.hosts("retried", 8), threading.Event()
    # Four of them wait for the retry, and the others for them; a page that takes 20 seconds is given up.
    crowd.traps |= dict.fromkeys(hosts, lambda: is_retried.wait(15))
    batch_id = start(api, hosts, max_concurrent=4)
    until(api, batch_id, lambda batch: batch["status"] == "running" and bool(crowd.homes("retried")))
    states = status(api, batch_id)["domain_statuses"]
    host = next(host for host in hosts if host not in crowd.homes("retried"))
    job = f"/api/v3/jobs/{states[host]['job_id']}"
    api.post(f"{job}/cancel").raise_for_status()
    retried = api.post(f"{job}/retry").raise_for_status().json()
    assert (retried["job_id"], status(api, batch_id)["status"]) == (states[host]["job_id"], "running")
    is_retried.set()
    with short_pauses(stack):
        assert figures(final(api, batch_id)) == (8, 8, 0, 0)
        ended = executions(aws, database, batch_id)
    assert api.get(retried["status_url"]).json()["metadata"]["retries"] == 1
    assert ended == ["SUCCEEDED"] * 2
    fetched = Counter(crowd.homes("retried"))
    assert set(fetched) == set(hosts)
    assert {one for one, times in fetched.items() if times > 1} <= {host}  # begun as it was cancelled, if at all


def test_a_malformed_message_waits_for_people_with_its_reason(stack: RunningStack, aws: Callable[[str], Any]) -> None:
    sqs, marker = aws("sqs"), f"unreadable {uuid4()}"
    sqs.send_message(QueueUrl=queue_url(aws, "BatchQueue"), MessageBody=marker)
    received = sqs.receive_message(
        QueueUrl=queue_url(aws, "BatchDeadLetterQueue"), MessageAttributeNames=["All"], WaitTimeSeconds=20
    )
    (message,) = received["Messages"]
    assert message["Body"] == marker
    assert message["MessageAttributes"]["reason"]["StringValue"] == "the body is no JSON"
    assert eventually(stack.data_dir, lambda event: "MalformedMessages" in event)["service"] == "batch_start"


SITEMAPS = "/api/v3/sitemap"


def sitemap_sites(stack: RunningStack) -> dict[str, dict[str, Any]]:
    """What the scan of each site with sitemaps, or truthfully without any, is to say."""
    return {site.host: dict(site.sitemaps) for site in stack.web.sites if site.sitemaps}


def expected_outcomes(sites: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {
        host: expect["error"]["code"] if expect["status"] == "failed" else "complete" for host, expect in sites.items()
    }


def test_a_sitemap_batch_is_read_by_the_workers_of_its_kind(
    api: httpx.Client, stack: RunningStack, aws: Callable[[str], Any], database: psycopg.Connection[TupleRow]
) -> None:
    sites = sitemap_sites(stack)
    body = {"domains": [*sites, next(iter(sites)).upper(), "no domain"], "max_pages": 100_000}
    accepted = api.post(f"{SITEMAPS}/batch/create", json=body)
    assert accepted.status_code == 202, accepted.text
    batch_id = accepted.json()["batch_id"]
    batch = final(api, batch_id)
    assert batch["kind"] == "sitemap_scan"
    assert outcomes(batch) == {**expected_outcomes(sites), "no domain": "invalid_domain"}
    told = api.get(f"{SITEMAPS}/batch/status/{batch_id}").raise_for_status().json()
    assert (told["status"], figures(told)) == (batch["status"], figures(batch))
    assert executions(aws, database, batch_id) == ["SUCCEEDED"]
    for host, expect in sites.items():
        job_id = batch["domain_statuses"][host]["job_id"]
        result = api.get(f"{SITEMAPS}/status/{job_id}").raise_for_status().json()["result"]
        assert (result or {}).get("total_urls") == expect.get("result", {}).get("total_urls"), host


def test_a_message_starts_a_sitemap_batch(
    api: httpx.Client, stack: RunningStack, aws: Callable[[str], Any], database: psycopg.Connection[TupleRow]
) -> None:
    sites, batch_id = sitemap_sites(stack), str(uuid4())
    request = {"version": 1, "kind": "sitemap_scan", "tenant_id": tenant_of(stack), "batch_id": batch_id}
    aws("sqs").send_message(
        QueueUrl=queue_url(aws, "BatchQueue"), MessageBody=json.dumps({**request, "domains": list(sites)})
    )
    deadline = time.monotonic() + WAIT_SECONDS
    while api.get(f"{BATCH}/{batch_id}/status").status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.1)
    batch = final(api, batch_id)
    assert (batch["kind"], batch["metadata"]["max_pages"]) == ("sitemap_scan", 10_000)
    assert outcomes(batch) == expected_outcomes(sites)
    assert executions(aws, database, batch_id) == ["SUCCEEDED"]


def test_a_retry_starts_only_what_failed_for_the_named_reason(api: httpx.Client, stack: RunningStack) -> None:
    failing = {site.host: site.expect["error"]["code"] for site in stack.web.sites if "error" in site.expect}
    one_host, code = next(iter(failing.items()))
    fine = next(site.host for site in stack.web.sites if site.expect.get("status") == "complete")
    batch_id = start(api, [fine, *failing])
    before = outcomes(final(api, batch_id))
    seen = len(stack.web.seen)
    api.post(f"{BATCH}/{batch_id}/retry", json={"error_codes": [code]}).raise_for_status()
    assert outcomes(final(api, batch_id)) == before
    retried = {host for host, outcome in failing.items() if outcome == code}
    assert one_host in retried
    assert {request.host for request in stack.web.seen[seen:]} <= retried
