"""The local stack: one address for the API, one stack for a directory, state that survives, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any
from uuid import uuid4

import boto3
import httpx
import psycopg
import pytest

from e2e.conftest import RunningStack
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.processes import StackError
from scrapersky_local.stack import Stack, StackOptions
from scrapersky_local.state import StackInfo
from support.function_log import events
from support.processes import left_of, processes_of, wait_ready

SCAN = "/api/v3/modernized_page_scraper/scan"
WAIT_SECONDS = 30.0

# What `scrapersky up` runs, without the command line in front of it. Every site is at an address that is not open.
UP = """
import sys
from pathlib import Path
from scrapersky_local.stack import StackOptions, print_line, run_until_interrupted
rules = ("*.example=127.0.0.1:9",)
run_until_interrupted(StackOptions(Path(sys.argv[1]), port=0, resolve=rules, durable=False, say=print_line))
"""


@contextmanager
def up(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], StackInfo]]:
    """A stack in a process of its own, which is killed at the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-c", UP, str(data_dir)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    # What it says later is read too: a full pipe would stop it, and the functions whose lines it shows.
    reading = threading.Thread(target=deque, args=(process.stderr, 0))
    try:
        wait_ready(process)
        reading.start()
        yield process, StackInfo(**json.loads((data_dir / "stack.json").read_text("utf-8")))
    finally:
        process.kill()
        process.wait()
        if reading.ident is not None:
            reading.join()
        process.stderr.close()


def get(info: StackInfo, path: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {info.token}"}
    return httpx.get(info.api_url + path, headers=headers, timeout=30, trust_env=False)


@contextmanager
def held_request(info: StackInfo, path: str) -> Iterator[None]:
    """A request that is sent and whose answer nobody reads: a function is busy with it."""
    with socket.create_connection(("127.0.0.1", int(info.api_url.rpartition(":")[2]))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {info.token}\r\n\r\n".encode())
        yield


def final(client: httpx.Client, address: str) -> dict[str, Any]:
    """The job once it is final."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.get(address, params={"wait": 5}).raise_for_status().json()
        if job["status"] in ("complete", "failed", "cancelled"):
            return job
    return pytest.fail(f"not final after {WAIT_SECONDS} s: {job}")


def modes_in(folder: Path) -> Iterator[tuple[Path, int]]:
    """The files somewhere in a folder with their modes; what a running stack takes away meanwhile is passed over."""
    for inner, _, names in os.walk(folder):  # which passes over such folders, as `rglob` does not
        for path in (Path(inner, name) for name in names):
            with suppress(FileNotFoundError):
                mode = path.stat().st_mode
                if S_ISREG(mode):
                    yield path, mode


def test_the_api_answers_at_the_address_of_the_stack_file(stack: RunningStack) -> None:
    path = stack.data_dir / "stack.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text("utf-8"))["api_url"] == stack.info.api_url
    assert get(stack.info, "/health").json() == {"status": "ok"}
    assert get(stack.info, "/health/database").status_code == 200


def test_what_a_stack_writes_is_for_its_owner_alone(stack: RunningStack) -> None:
    programs = stack.data_dir / "aws" / "tmp"
    assert programs.stat().st_mode & 0o777 == 0o700
    files = {path: mode for path, mode in modes_in(stack.data_dir) if programs not in path.parents}
    assert {"functions.log", "aws.log", "postgres.log", "stack.json", "secrets.json"} <= {file.name for file in files}
    assert [str(file) for file, mode in files.items() if mode & 0o077] == []


def test_a_request_without_a_token_is_a_problem(stack: RunningStack) -> None:
    answer = httpx.get(f"{stack.info.api_url}/api/v3/jobs", trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_route_is_a_problem(api: httpx.Client) -> None:
    answer = api.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/api/v3/jobs", 405)])
def test_a_preflight_request_reaches_the_default_route(api: httpx.Client, path: str, status: int) -> None:
    answer = api.options(path, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert "access-control-allow-origin" not in answer.headers


def test_a_body_that_is_not_utf_8_is_refused_and_not_mended(api: httpx.Client) -> None:
    body = b'{"base_url": "caf\xe9.example", "max_pages": 1}'
    answer = api.post(SCAN, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "The body is not UTF-8."


def test_a_scan_goes_through_queue_and_worker_and_is_stored(api: httpx.Client, stack: RunningStack) -> None:
    domain = next(site.host for site in stack.web.sites if site.expect.get("status") == "complete")
    accepted = api.post(SCAN, json={"base_url": domain, "max_pages": 1})
    assert accepted.status_code == 202
    status_url = accepted.json()["status_url"]
    assert status_url.startswith(stack.info.api_url)
    assert final(api, status_url)["status"] == "complete"
    with psycopg.connect(stack.info.direct_database_url) as connection:
        row = connection.execute("select count(*) from scrapersky.domains where domain = %s", (domain,)).fetchone()
    assert row == (1,)


def test_the_applications_login_sees_no_row_without_a_tenant(stack: RunningStack) -> None:
    with psycopg.connect(stack.info.database_url, prepare_threshold=None) as connection:
        assert connection.execute("select count(*) from scrapersky.jobs").fetchone() == (0,)


def test_a_message_that_nobody_can_read_ends_at_the_dead_letter_function(stack: RunningStack) -> None:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=stack.info.region)
    sqs = session.client("sqs", endpoint_url=stack.info.aws_endpoint_url)
    (queue,) = (url for url in sqs.list_queues()["QueueUrls"] if "ScanQueue" in url)
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})  # do not wait between receives
    marker = f"unreadable {uuid4()}"

    def given_up() -> list[dict[str, Any]]:
        return [event for event in events(stack.data_dir) if event.get("body") == marker]

    try:
        sqs.send_message(QueueUrl=queue, MessageBody=marker)
        deadline = time.monotonic() + WAIT_SECONDS
        while not given_up() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)
        sqs.close()
    assert [event["service"] for event in given_up()] == ["dead_letter"]


def test_a_second_stack_on_the_same_directory_is_told_who_holds_it(stack: RunningStack) -> None:
    second = Stack(StackOptions(data_dir=stack.data_dir, port=0))
    with (
        pytest.raises(StackError, match=f"in use by process {os.getpid()}, which serves {stack.info.api_url}"),
        second.running(),
    ):
        pass
    assert get(stack.info, "/health").status_code == 200


def test_a_port_in_use_is_named(stack: RunningStack, tmp_path: Path) -> None:
    port = int(stack.info.api_url.rpartition(":")[2])
    second = Stack(StackOptions(data_dir=tmp_path, port=port))
    with pytest.raises(StackError, match=f"127.0.0.1:{port}: the port is in use"), second.running():
        pass


def test_without_pgbouncer_the_stack_says_so_and_goes_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrapersky_local.stack.find_pgbouncer", lambda: None)
    said: list[str] = []
    with (
        throwaway_directory() as data_dir,
        Stack(StackOptions(data_dir, port=0, durable=False, say=said.append)).running() as info,
    ):
        assert get(info, "/health/database").status_code == 200
        assert psycopg.conninfo.conninfo_to_dict(info.database_url)["user"] == "scrapersky_app"
    assert [line for line in said if "pgbouncer" in line] == [
        "pgbouncer is not installed: functions connect to Postgres directly, without a pooler"
    ]


@pytest.mark.timeout(300)  # two stacks, one after the other
def test_a_restart_keeps_the_rows_and_nothing_is_left_in_between() -> None:
    with throwaway_directory() as data_dir:
        with up(data_dir) as (process, first):
            headers = {"Authorization": f"Bearer {first.token}"}
            started = httpx.post(
                first.api_url + SCAN, json={"base_url": "kept.example"}, headers=headers, trust_env=False
            )
            job_id = started.raise_for_status().json()["job_id"]
            assert len(processes_of(data_dir)) > 3
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        assert left_of(data_dir, seconds=0) == []
        assert not (data_dir / "stack.json").exists()
        with up(data_dir) as (_, second):
            assert get(second, f"/api/v3/jobs/{job_id}").json()["domain"] == "kept.example"


@pytest.mark.timeout(300)
def test_a_killed_stack_leaves_no_process_and_its_jobs_go_on() -> None:
    job_id = uuid4()
    with throwaway_directory() as data_dir:
        with up(data_dir) as (process, first):
            get(first, "/api/v3/jobs").raise_for_status()
            with psycopg.connect(first.direct_database_url) as connection:
                connection.execute(
                    "insert into scrapersky.jobs (id, tenant_id, kind, domain, request, correlation_id, created_by) "
                    "values (%s, %s, 'domain_scan', 'left.example', '{\"max_pages\": 1}', 'c', 'u')",
                    (job_id, json.loads((data_dir / "secrets.json").read_text("utf-8"))["tenant_id"]),
                )
            with held_request(first, f"/api/v3/jobs/{job_id}?wait=20"):
                process.kill()
                process.wait()
                assert left_of(data_dir) == []
        with (
            up(data_dir) as (_, second),
            httpx.Client(headers={"Authorization": f"Bearer {second.token}"}, timeout=30, trust_env=False) as client,
        ):
            job = final(client, f"{second.api_url}/api/v3/jobs/{job_id}")
            assert (job["status"], job["error"]["code"]) == ("failed", "blocked_address")
