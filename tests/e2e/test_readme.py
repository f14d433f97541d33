"""The README's commands do what it says: each block under "Use it" is run as a reader would run it."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.processes import free_port
from support.loopback import CLOSED_PORT, Listener, response

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
README_PORT = 8000
PAGE = b"<!doctype html><html lang=en><title>Example Domain</title><p>Write to hello@example.com"
START_SECONDS = 60.0
SITEMAP = b"""<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>http://example.com/about</loc><lastmod>2026-05-04</lastmod></url></urlset>"""
COMMAND_SECONDS = 60.0  # for one of them; a block has several


def blocks(heading: str) -> list[str]:
    """The shell blocks of one section."""
    section = re.search(rf"^## {heading}\n(.*?)^## ", README, re.M | re.S)
    assert section
    return re.findall(r"^```sh\n(.*?)^```", section[1], re.M | re.S)


def test_the_quick_start_is_two_commands_of_one_line_each() -> None:
    first, second = blocks("Quick start")
    assert first.count("\n") == second.count("\n") == 1
    assert "scrapersky demo" in first
    assert "pytest" in second


def test_every_shell_block_is_one_that_is_run() -> None:
    assert len(re.findall(r"^```(?:sh|bash|console)", README, re.M)) == len(blocks("Quick start") + blocks("Use it"))


@pytest.fixture
def reader() -> Iterator[tuple[Path, int]]:
    """A folder with the project's `.venv` in it and a stack started by the README's own command, and its port."""
    up = blocks("Use it")[0].strip()
    port = free_port()
    answers = {"/": response(PAGE), "/sitemap.xml": response(SITEMAP, content_type="application/xml")}
    with (
        throwaway_directory() as folder,
        Listener(lambda path: [answers.get(path) or response(status="404")]) as site,
    ):
        (folder / ".venv").symlink_to(ROOT / ".venv")
        reach = f" --allow-network 127.0.0.0/8 --resolve example.com:80=127.0.0.1:{site.port}"
        nowhere = f" --resolve example.com:443=127.0.0.1:{CLOSED_PORT}"
        process = subprocess.Popen(
            f"exec {up} --port {port}{reach}{nowhere}", shell=True, cwd=folder, start_new_session=True
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (folder / ".scrapersky" / "stack.json").exists():
                assert process.poll() is None, "the stack ended by itself"
                assert time.monotonic() < deadline, "the stack did not start"
                time.sleep(0.1)
            yield folder, port
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) in (0, 130)


@pytest.mark.timeout(300)
def test_the_commands_under_use_it_work(reader: tuple[Path, int]) -> None:
    folder, port = reader
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    outputs = []
    for block in blocks("Use it")[1:]:
        script = block.replace(f":{README_PORT}", f":{port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS * len(script.splitlines()),
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    scans, http = outputs
    assert "hello@example.com" in scans
    assert "http://example.com/sitemap.xml" in scans
    assert "http://example.com/about" in (folder / "urls.csv").read_text("utf-8")
    assert len((folder / "places.csv").read_text("utf-8").splitlines()) == 61
    assert "4 requests from " in scans
    assert '"job_id"' in http
    assert '"items"' in http
    assert httpx.get(f"http://127.0.0.1:{port}/docs", trust_env=False).status_code == 200
