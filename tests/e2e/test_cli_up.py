"""`scrapersky up` and `scrapersky demo` as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.demo_web.server import DemoWeb, serve
from scrapersky_local.demo_web.sites import load
from support.processes import left_of, wait_ready

CLI = (sys.executable, "-m", "scrapersky_cli")
SECONDS = 60.0
SITES = load()


@pytest.fixture
def web() -> Iterator[DemoWeb]:
    with serve() as running:
        yield running


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with throwaway_directory() as folder:
        yield folder


def command(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments], capture_output=True, text=True, timeout=SECONDS, env=environment(data_dir)
    )


def environment(data_dir: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPERSKY_")}
    return ours | {"SCRAPERSKY_DATA_DIR": str(data_dir)}


@contextmanager
def up(data_dir: Path, web: DemoWeb) -> Iterator[subprocess.Popen[str]]:
    """`scrapersky up` until it is ready; at the end Ctrl-C, which it must obey."""
    rule = f"*.example=127.0.0.1:{web.http_port}"
    line = [*CLI, "up", "--port", "0", "--data-dir", str(data_dir), "--allow-network", "127.0.0.0/8", "--resolve", rule]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment(data_dir)) as process:
        try:
            wait_ready(process)
            yield process
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=SECONDS)
            assert process.returncode == 0
        finally:
            process.kill()


@pytest.mark.timeout(5 * SECONDS)
def test_what_a_stack_has_found_is_there_after_a_restart(data_dir: Path, web: DemoWeb) -> None:
    with up(data_dir, web):
        ran = command(data_dir, "scan", "parish-hall.example", "--json")
        job = json.loads(ran.stdout)
        stack = json.loads((data_dir / "stack.json").read_text("utf-8"))
        with psycopg.connect(stack["direct_database_url"]) as connection:
            stored = connection.execute("select domain, status from scrapersky.jobs").fetchall()
        again = command(data_dir, "up", "--port", "0")
    assert ran.returncode == 0
    assert job["result"]["site_data"]["contact_info"]["email"] == ["bookings@parish-hall.example"]
    assert job["metadata"]["scheme"] == "http"
    assert stored == [("parish-hall.example", "complete")]
    assert again.returncode == 1
    assert "is in use by process" in again.stderr
    assert left_of(data_dir) == []

    gone = command(data_dir, "jobs")
    assert gone.returncode == 2
    assert "scrapersky up" in gone.stderr

    with up(data_dir, web):
        known = command(data_dir, "status", job["job_id"], "--json")
    assert json.loads(known.stdout)["result"] == job["result"]


@pytest.mark.timeout(5 * SECONDS)
def test_another_shell_finds_the_stack_wherever_it_keeps_its_state(
    data_dir: Path, web: DemoWeb, tmp_path: Path
) -> None:
    def elsewhere() -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPERSKY_")}
        line = [*CLI, "scan", "parish-hall.example", "--json"]
        return subprocess.run(line, capture_output=True, text=True, timeout=SECONDS, env=environ, cwd=tmp_path)

    with up(data_dir, web):
        ran = elsewhere()
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["domain"] == "parish-hall.example"
    gone = elsewhere()
    assert gone.returncode == 2
    assert "no API to talk to" in gone.stderr


@pytest.mark.timeout(6 * SECONDS)
def test_the_demo_shows_every_site_and_leaves_nothing_behind(data_dir: Path) -> None:
    line = [*CLI, "demo"]
    environ = environment(data_dir) | {"TMPDIR": str(data_dir)}
    # Some forty seconds of an idle machine, which other tests use as well.
    ran = subprocess.run(line, capture_output=True, text=True, timeout=5 * SECONDS, env=environ)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    assert all(site.host in ran.stdout for site in SITES)
    assert "Places: 60 of dentist in Austin TX" in ran.stdout
    assert "every outcome as described" in ran.stdout
    assert list(data_dir.iterdir()) == []
    assert left_of(data_dir) == []
