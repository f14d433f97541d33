"""Operating a stack: its metrics are what its rows say, its alarms move, and one command tells how it is."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from e2e.conftest import RunningStack, aws_of, client_of, running_stack
from e2e.test_stack import SCAN, final
from scrapersky_local.demo_web.server import DemoWeb
from support.cli_processes import CLI, SECONDS, Cli, environment
from support.crowd import Crowd

SITEMAP = "/api/v3/sitemap/scan"
BATCH = "/api/v3/batch_page_scraper/batch"
SCANNED = ("lantern-tea.example", "parish-hall.example", "shut-gate.example", "guarded-gate.example")
WITH_SITEMAPS = ("willow-weavers.example", "echo-cave.example", "members-only.example")
STACK = "scrapersky"
NAMESPACE = f"ScraperSky/{STACK}"
MOVED_SECONDS = 30.0  # an alarm moves within two; the machine may be busy

Aws = Callable[[str], Any]
Counts = Counter[tuple[str, ...]]


@pytest.fixture
def own(web: DemoWeb, whole_crowd: Crowd) -> Iterator[RunningStack]:
    """A stack of its own: its workers are stopped, and its database is killed in the end."""
    with running_stack(web, whole_crowd) as running:
        yield running


@pytest.fixture
def client(own: RunningStack) -> Iterator[httpx.Client]:
    with client_of(own.info) as made:
        yield made


@pytest.fixture
def services(own: RunningStack) -> Aws:
    return cache(aws_of(own.info))


def function(services: Aws, logical_id: str) -> str:
    listed = services("lambda").list_functions()["Functions"]
    (name,) = (one["FunctionName"] for one in listed if one["FunctionName"].startswith(f"{STACK}-{logical_id}-"))
    return str(name)


def sweep(services: Aws) -> None:
    """Run the sweeper now instead of within a minute."""
    answer = services("lambda").invoke(FunctionName=function(services, "SweeperFunction"), Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def eventually(what: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + MOVED_SECONDS
    while (found := what()) != wanted:
        assert time.monotonic() < deadline, f"{found}, not {wanted}"
        time.sleep(0.2)


def alarm_state(services: Aws, name: str) -> str:
    told = services("cloudwatch").describe_alarms(
        AlarmNames=[f"{STACK}-{name}"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    (alarm,) = told["MetricAlarms"] + told["CompositeAlarms"]
    return str(alarm["StateValue"])


def counted(services: Aws, metric: str, **dimensions: str) -> int:
    """The sum that GetMetricStatistics tells of the last hour."""
    now = datetime.now(UTC)
    told = services("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return int(sum(point["Sum"] for point in told["Datapoints"]))


def stored(own: RunningStack) -> Counts:
    """The jobs in Postgres, as the metrics count them."""
    counts: Counts = Counter()
    words = {"complete": "JobsComplete", "failed": "JobsFailed", "cancelled": "JobsCancelled"}
    with psycopg.connect(own.info.direct_database_url) as connection:
        rows = connection.execute("select kind, status, error_code from scrapersky.jobs").fetchall()
    for kind, status, error_code in rows:
        counts["JobsCreated", kind] += 1
        if status in words:
            counts["JobsEnded", kind, error_code or status] += 1
            counts[words[status], kind] += 1
            counts[words[status],] += 1
    return counts


def measured(services: Aws) -> Counts:
    """The same out of CloudWatch: every series that there is of these metrics."""
    counts: Counts = Counter()
    for metric in ("JobsCreated", "JobsEnded", "JobsComplete", "JobsFailed", "JobsCancelled"):
        pages = services("cloudwatch").get_paginator("list_metrics").paginate(Namespace=NAMESPACE, MetricName=metric)
        for series in (series for page in pages for series in page["Metrics"]):
            dimensions = {one["Name"]: one["Value"] for one in series["Dimensions"]}
            counts[metric, *(value for _, value in sorted(dimensions.items()))] = counted(
                services, metric, **dimensions
            )
    return counts


def health(own: RunningStack, code: int) -> dict[str, Any]:
    return Cli(own.data_dir).json("health", code=code)


def named(report: dict[str, Any], name: str) -> dict[str, Any]:
    (check,) = (one for one in report["checks"] if one["name"] == name)
    return dict(check)


def dlq(own: RunningStack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [*CLI, "dlq", *arguments, "--data-dir", str(own.data_dir)]
    return subprocess.run(line, capture_output=True, text=True, timeout=SECONDS, env=environment())


def metrics_are_what_the_rows_say_and_the_stack_is_well(own: RunningStack, client: httpx.Client, services: Aws) -> None:
    # Each site once: a job that finds its host busy would wait for the sweeper.
    started = [client.post(SCAN, json={"base_url": site}) for site in SCANNED]
    started += [client.post(SITEMAP, json={"base_url": site}) for site in WITH_SITEMAPS]
    batch = {"domains": own.crowd.hosts("metrics", 5), "max_pages": 1}
    client.post(BATCH, json=batch).raise_for_status()
    # Asked for twice with one key, a job is made and counted once.
    again = {"Idempotency-Key": "metrics"}
    twice = [client.post(SCAN, json={"base_url": "metrics-9999.crowd.example"}, headers=again) for _ in range(2)]
    assert twice[0].json()["job_id"] == twice[1].json()["job_id"]
    for answer in [*started, twice[0]]:
        final(client, answer.raise_for_status().json()["status_url"])
    eventually(
        lambda: len([key for key in stored(own).elements() if key[0] == "JobsEnded"]),
        len(SCANNED) + len(WITH_SITEMAPS) + 5 + 1,
    )

    expected = stored(own)
    assert {key[0] for key in expected} == {"JobsCreated", "JobsEnded", "JobsComplete", "JobsFailed"}
    assert {key[1] for key in expected if key[0] == "JobsFailed" and key[1:]} == {"domain_scan", "sitemap_scan"}
    eventually(lambda: measured(services), expected)
    sweep(services)
    time.sleep(1.5)  # what would be counted twice would be there by now
    assert measured(services) == expected
    eventually(lambda: counted(services, "Sweeps") >= 1, True)

    report = health(own, 0)
    assert (report["verdict"], report["reasons"]) == ("ok", [])
    assert {named(report, name)["state"] for name in ("API", "database", "sweeper", "PendingJobs")} == {"ok"}
    assert named(report, f"{STACK}-oldest-pending")["threshold"] == "> 300"


def a_dead_message_rings_and_is_told_and_moved_back(own: RunningStack, services: Aws) -> None:
    sqs = services("sqs")
    (queue,) = (url for url in sqs.list_queues()["QueueUrls"] if f"/{STACK}-BatchQueue-" in url)
    sqs.send_message(QueueUrl=queue, MessageBody="no batch")
    eventually(lambda: alarm_state(services, "batch-dead-letters"), "ALARM")
    assert alarm_state(services, "status") == "ALARM"
    listed = json.loads(dlq(own, "list", "--messages", "3", "--json").stdout)
    (batch,) = (item for item in listed["items"] if item["queue"] == "BatchDeadLetterQueue")
    ((dead,), depth) = (batch["peeked"], batch["messages"])
    assert (depth, dead["body"], dead["attributes"]["reason"]) == (1, "no batch", "the body is no JSON")
    moved = dlq(own, "redrive", "BatchDeadLetterQueue")
    assert (moved.returncode, moved.stdout.split(" to ")[0]) == (0, "1 message moved")

    # It is as malformed as before, so that batch_start sets it aside again: as another message.
    (dead_queue,) = (url for url in sqs.list_queues()["QueueUrls"] if f"/{STACK}-BatchDeadLetterQueue-" in url)
    taken: list[str] = []

    def take() -> list[str]:
        messages = sqs.receive_message(QueueUrl=dead_queue).get("Messages", ())
        taken.extend(message["MessageId"] for message in messages)
        return [message["Body"] for message in messages]

    eventually(take, ["no batch"])
    assert taken != [dead["message_id"]]
    sqs.purge_queue(QueueUrl=dead_queue)


def what_aws_measures_by_itself_rings_as_well(own: RunningStack, services: Aws) -> None:
    """Functions that fail, executions that fail, an API that answers 5xx is what its alarms look at."""
    machines = services("stepfunctions").list_state_machines()["stateMachines"]
    (machine,) = (one["stateMachineArn"] for one in machines if one["name"] == f"{STACK}-batch")
    nobody = json.dumps({"run": str(uuid4()), "round": 1, "correlation_id": "no-batch"})
    services("stepfunctions").start_execution(stateMachineArn=machine, name="no-batch", input=nobody)
    for _ in range(3):
        answer = services("lambda").invoke(FunctionName=function(services, "BatchFinishFunction"), Payload=b"{}")
        assert "FunctionError" in answer
    eventually(lambda: alarm_state(services, "batch-executions"), "ALARM")
    eventually(lambda: alarm_state(services, "worker-errors"), "ALARM")
    assert alarm_state(services, "gateway-5xx") == "OK"


def stopped_workers_degrade_it(own: RunningStack, client: httpx.Client, services: Aws) -> None:
    functions = services("lambda")
    worker = function(services, "DomainScanWorkerFunction")
    (mapping,) = functions.list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    pending = client.post(SCAN, json={"base_url": "stopped-0001.crowd.example"}).raise_for_status().json()
    with psycopg.connect(own.info.direct_database_url) as connection:
        # The clock of this one job is put back: as a job is after ten minutes without a worker.
        connection.execute(
            "update scrapersky.jobs set enqueued_at = now() - interval '10 minutes' where id = %s", (pending["job_id"],)
        )
    sweep(services)
    eventually(lambda: counted(services, "OldestPendingSeconds") >= 600, True)
    gauge = named(health(own, 1), "OldestPendingSeconds")
    assert (gauge["state"], gauge["threshold"]) == ("too much", "> 300")
    assert 600 <= gauge["value"] < 700

    # The alarm waits for five minutes of it. The sweeps of the four minutes before would have told these.
    now = datetime.now(UTC)
    before = [(now - timedelta(minutes=minutes), gauge["value"] - 60 * minutes) for minutes in range(1, 5)]
    services("cloudwatch").put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": "OldestPendingSeconds", "Timestamp": at, "Value": value, "Unit": "Seconds"}
            for at, value in before
        ],
    )
    eventually(lambda: alarm_state(services, "oldest-pending"), "ALARM")
    report = health(own, 1)
    assert {f"{STACK}-oldest-pending", f"{STACK}-status"} <= set(report["reasons"])
    assert named(report, f"{STACK}-oldest-pending")["hint"].startswith("Customers wait: ")

    client.post(f"/api/v3/jobs/{pending['job_id']}/cancel").raise_for_status()
    eventually(lambda: counted(services, "JobsCancelled", kind="domain_scan"), 1)
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def without_its_database_it_is_down(own: RunningStack) -> None:
    pid = int((own.data_dir / "postgres" / "cluster" / "postmaster.pid").read_text("utf-8").split()[0])
    os.kill(pid, signal.SIGQUIT)
    report = health(own, 2)
    assert (report["verdict"], report["reasons"]) == ("down", ["database"])
    assert named(report, "API")["state"] == "ok"
    ran = Cli(own.data_dir).run("health")
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (2, "down: database")


@pytest.mark.timeout(240)  # five minutes of an operator's, one after the other: each leaves what the next begins with
def test_a_stack_is_told_as_it_is_whatever_happens_to_it(
    own: RunningStack, client: httpx.Client, services: Aws
) -> None:
    metrics_are_what_the_rows_say_and_the_stack_is_well(own, client, services)
    a_dead_message_rings_and_is_told_and_moved_back(own, services)
    what_aws_measures_by_itself_rings_as_well(own, services)
    stopped_workers_degrade_it(own, client, services)
    without_its_database_it_is_down(own)
