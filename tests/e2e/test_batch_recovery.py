"""What goes wrong in the middle of a batch on the running stack, and the end that the batch comes to all the same."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import psycopg
import pytest
from botocore.exceptions import ClientError
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack, aws_of, client_of, running_stack
from e2e.test_stack import up
from scrapersky_local.accounts import service_account, throwaway_directory
from scrapersky_local.demo_web.server import DemoWeb
from scrapersky_local.postgres import find_pgbouncer
from scrapersky_local.processes import spawn, stop
from support.batches import (
    BATCH,
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
from support.processes import process_ids, running_function

CANCEL_SECONDS = 5  # after which nothing of a cancelled batch is fetched any more: workers ask every 3 s
QUIET_SECONDS = 2.0  # in which a batch that goes on would be seen to
BUCKET_TRIES = 50
LEASE_SECONDS = 150  # template.yaml's SCAN_LEASE_SECONDS
HURRY = 0.02  # of the state machine's pauses: it waits for a dead worker's lease, which is two and a half minutes


@contextmanager
def short_pauses(stack: RunningStack) -> Iterator[None]:
    """The engine's waits and pauses between tries, a fiftieth of what the definition says."""

    def scale(factor: float) -> None:
        settings = {"stepfunctions._SFN_WAIT_SCALE": factor}
        url = f"{stack.info.aws_endpoint_url}/_ministack/config"
        assert httpx.post(url, json=settings, trust_env=False).json() == {"applied": settings}

    scale(HURRY)
    try:
        yield
    finally:
        scale(1.0)


def fetched_twice(crowd: Crowd, group: str) -> set[str]:
    """The sites of the group whose home page was asked for more than once."""
    return {host for host, count in Counter(crowd.homes(group)).items() if count > 1}


def stored_twice(database: psycopg.Connection[TupleRow], batch_id: str) -> list[TupleRow]:
    """The batch's pages that are in the database more than once."""
    return database.execute(
        "select p.job_id, p.url from scrapersky.pages as p join scrapersky.jobs as j on j.id = p.job_id"
        " where j.batch_id = %s group by p.job_id, p.url having count(*) > 1",
        (batch_id,),
    ).fetchall()


def kill(stack: RunningStack, function: str) -> int:
    """End the environments of a function at once; how many there were."""
    processes = running_function(function, stack.info.aws_endpoint_url)
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return len(processes)


def restart_pooler(stack: RunningStack, *, gone_seconds: float) -> subprocess.Popen[bytes]:
    """End the stack's pooler at once, and start it anew after a while."""
    program = find_pgbouncer()
    (configuration,) = stack.data_dir.glob("*/pgbouncer-*/pgbouncer.ini")
    (running,) = process_ids(str(program), str(configuration))
    os.kill(running, signal.SIGKILL)
    time.sleep(gone_seconds)
    command = [str(program), str(configuration)]
    return spawn(command, log=configuration.with_name("again.log"), account=service_account())


@contextmanager
def lost_leases_ending(database: psycopg.Connection[TupleRow], batch_id: str) -> Iterator[None]:
    """What two and a half minutes do: a lease ends that no worker renews, as each does every 2 s; its host's too."""
    over = threading.Event()

    def end_them() -> None:
        while not over.wait(0.5):
            database.execute(
                "with lost as (update scrapersky.jobs set lease_until = now()"
                " where batch_id = %s and status = 'running' and lease_until < now() + make_interval(secs => %s)"
                " returning id)"
                " update scrapersky.host_leases set until = now() where job_id in (select id from lost)",
                (batch_id, LEASE_SECONDS - 6),
            )

    thread = threading.Thread(target=end_them)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(300)
def test_a_batch_is_finished_whatever_is_killed_in_its_middle(web: DemoWeb, crowd: Crowd) -> None:
    """The starter, then the workers, then the pooler: nothing is lost, and nothing is stored twice."""
    crowd.latency = 0.3
    hosts = crowd.hosts("killed", 300)
    with (
        running_stack(web, crowd) as stack,
        client_of(stack.info) as api,
        psycopg.connect(stack.info.direct_database_url, autocommit=True) as database,
        short_pauses(stack),
    ):
        aws = aws_of(stack.info)
        # What a starter that is killed had in its hands comes back in a second instead of in six minutes.
        aws("sqs").set_queue_attributes(QueueUrl=queue_url(aws, "BatchQueue"), Attributes={"VisibilityTimeout": "1"})
        batch_id = start(api, hosts, max_concurrent=30)
        deadline = time.monotonic() + WAIT_SECONDS
        while not kill(stack, "BatchStart") and time.monotonic() < deadline:
            time.sleep(0.001)
        with lost_leases_ending(database, batch_id):
            until(api, batch_id, lambda batch: batch["completed_domains"] >= 20)
            before = {host for host, outcome in outcomes(status(api, batch_id)).items() if outcome == "complete"}
            assert kill(stack, "DomainScanWorker") > 0
            until(api, batch_id, lambda batch: batch["completed_domains"] >= 120)
            pooler = restart_pooler(stack, gone_seconds=2)
            try:
                batch = final(api, batch_id)
                ended = executions(aws, database, batch_id)
            finally:
                stop(pooler)
        twice = stored_twice(database, batch_id)
    assert figures(batch) == (300, 300, 0, 0)
    assert ended == ["SUCCEEDED"]
    assert set(crowd.homes("killed")) == set(hosts)
    assert fetched_twice(crowd, "killed") & before == set()
    assert twice == []


def test_a_site_that_kills_its_worker_is_lost_alone(
    api: httpx.Client, stack: RunningStack, crowd: Crowd, database: psycopg.Connection[TupleRow]
) -> None:
    hosts = crowd.hosts("deadly", 20)
    deadly = hosts[7]
    killed = []

    def kill() -> None:
        """The worker dies in the middle of its chunk, and the time of all its leases is over at once."""
        with psycopg.connect(stack.info.direct_database_url, autocommit=True) as connection:
            over = "now() - interval '1 s'"
            connection.execute(f"update scrapersky.jobs set lease_until = {over} where status = 'running'".encode())
            connection.execute(f"update scrapersky.host_leases set until = {over}".encode())
        killed.extend(running_function("DomainScanWorker", stack.info.aws_endpoint_url))
        for process in killed:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    crowd.traps[deadly] = kill
    with short_pauses(stack):
        batch_id = start(api, [*hosts, "shut-gate.example", "no domain"], max_concurrent=5)
        batch = final(api, batch_id)
    assert len(killed) >= 3  # each round had its try
    expected = dict.fromkeys(hosts, "complete") | {
        deadly: "worker_lost",
        "shut-gate.example": "connect_failure",
        "no domain": "invalid_domain",
    }
    assert outcomes(batch) == expected
    assert (batch["status"], batch["completed_domains"], batch["failed_domains"]) == ("complete", 19, 3)
    stored = database.execute(
        "select count(*) from scrapersky.pages p join scrapersky.jobs j on j.id = p.job_id"
        " where j.batch_id = %s and j.status = 'complete' group by p.job_id",
        (batch_id,),
    ).fetchall()
    assert len(stored) == 19


def test_nothing_of_a_cancelled_batch_is_fetched_later_and_a_retry_does_the_rest(
    api: httpx.Client, crowd: Crowd, aws: Callable[[str], Any], database: psycopg.Connection[TupleRow]
) -> None:
    crowd.latency = 1.0
    hosts, at_once = crowd.hosts("cancelled", 60), 2  # so few that a worker is not done with its chunk before it asks
    batch_id = start(api, hosts, max_concurrent=at_once)
    until(api, batch_id, lambda batch: batch["completed_domains"] >= 4)
    cancelled = api.post(f"{BATCH}/{batch_id}/cancel").raise_for_status().json()
    fetched = len(crowd.homes("cancelled"))
    assert cancelled["status"] == "cancelled"
    assert executions(aws, database, batch_id) == ["SUCCEEDED"]  # so that no worker is at it any more
    # A site takes a second and more, so this many are those of as many seconds, however busy the machine is.
    assert len(crowd.homes("cancelled")) - fetched <= at_once * CANCEL_SECONDS
    noticed = len(crowd.of("cancelled"))
    time.sleep(QUIET_SECONDS)
    assert crowd.of("cancelled")[noticed:] == []
    batch = status(api, batch_id)
    total, completed, failed, ended = figures(batch)
    assert (total, completed + failed + ended, failed) == (60, 60, 0)
    assert completed >= 4
    done = {host for host, outcome in outcomes(batch).items() if outcome == "complete"}

    crowd.latency = 0.0
    api.post(f"{BATCH}/{batch_id}/retry").raise_for_status()
    assert figures(final(api, batch_id)) == (60, 60, 0, 0)
    assert fetched_twice(crowd, "cancelled") & done == set()


def remove(s3: Any, bucket: str) -> None:
    """Remove a bucket that an execution of an earlier test may still write its results to."""
    for tries_left in reversed(range(BUCKET_TRIES)):
        for one in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=one["Key"])
        try:
            s3.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketNotEmpty" or not tries_left:
                raise
        else:
            return


def test_a_batch_that_cannot_be_worked_off_is_aborted_and_final(
    api: httpx.Client,
    stack: RunningStack,
    crowd: Crowd,
    aws: Callable[[str], Any],
    database: psycopg.Connection[TupleRow],
) -> None:
    s3 = aws("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if "batchbucket" in one["Name"])
    remove(s3, bucket)
    try:
        with short_pauses(stack):
            batch_id = start(api, crowd.hosts("aborted", 3))
            batch = final(api, batch_id)
            assert executions(aws, database, batch_id) == ["FAILED"]
    finally:
        s3.create_bucket(Bucket=bucket)
    assert set(outcomes(batch).values()) == {"worker_lost"}
    assert batch["status"] == "failed"
    assert crowd.of("aborted") == []

    api.post(f"{BATCH}/{batch_id}/retry").raise_for_status()
    assert figures(final(api, batch_id)) == (3, 3, 0, 0)


@pytest.mark.timeout(300)
def test_a_batch_goes_on_when_its_stack_was_killed_and_comes_up_again() -> None:
    hosts = [f"left-{number}.example" for number in range(300)]
    with throwaway_directory() as data_dir:
        with up(data_dir) as (process, first), client_of(first) as api:
            batch_id = start(api, hosts, max_concurrent=2)
            until(api, batch_id, lambda batch: batch["status"] == "running")
            process.kill()
            process.wait()
        with (
            up(data_dir) as (_, second),
            client_of(second) as api,
            psycopg.connect(second.direct_database_url) as connection,
        ):
            batch = final(api, batch_id)
            row = connection.execute("select round from scrapersky.batches").fetchone()
    assert row == (2,)
    assert figures(batch) == (300, 0, 300, 0)
    assert set(outcomes(batch).values()) == {"blocked_address"}
