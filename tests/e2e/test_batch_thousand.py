"""A thousand domains through the command line: true at every look, each domain once, and nobody kept waiting by it."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from support.batches import FINAL, figures, final, start, status
from support.cli_processes import CLI, environment
from support.crowd import Crowd

DOMAINS = 1_000  # as many as a status shows one by one
SMALL = 10
LOOK_SECONDS = 0.08  # often enough for some hundred looks, which are not to be what the processors do


@pytest.mark.timeout(300)
def test_a_thousand_domains_are_followed_to_the_end_and_a_small_batch_behind_them_does_not_wait(
    api: httpx.Client,
    stack: RunningStack,
    crowd: Crowd,
    database: psycopg.Connection[TupleRow],
    tmp_path: Path,
) -> None:
    crowd.latency = 1.0
    hosts = crowd.hosts("thousand", DOMAINS)
    given, target = tmp_path / "domains.txt", tmp_path / "facts.ndjson"
    given.write_text("\n".join(hosts), "utf-8")
    line = [*CLI, "batch", str(given), "--data-dir", str(stack.data_dir), "--max-concurrent", "40", "-o", str(target)]
    with subprocess.Popen(line, env=environment(), stdout=sys.stderr, stderr=subprocess.PIPE, text=True) as command:
        batch_id = newest(api, DOMAINS)
        small = start(api, crowd.hosts("small", SMALL))
        small_ended = None
        polls = 0
        progress = [0.0]
        batch = status(api, batch_id)
        while batch["status"] not in FINAL:
            time.sleep(LOOK_SECONDS)
            batch = status(api, batch_id)
            polls += 1
            total, completed, failed, cancelled = figures(batch)
            counted = Counter(state["status"] for state in batch["domain_statuses"].values())
            assert (total, completed, failed, cancelled) == (DOMAINS, counted["complete"], counted["failed"], 0)
            assert (completed + failed + cancelled == total) is (batch["status"] in FINAL)
            progress.append(batch["progress"])
            if small_ended is None and status(api, small, domain_statuses=False)["status"] in FINAL:
                small_ended = batch["progress"]
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said

    assert polls >= 100
    assert progress == sorted(progress)
    assert batch["status"] == "complete"
    assert small_ended is not None
    assert small_ended < 90.0, "the small batch waited for the large one"
    assert final(api, small)["completed_domains"] == SMALL
    rows = database.execute("select domain, status from scrapersky.jobs where batch_id = %s", (batch_id,)).fetchall()
    assert {domain: state["status"] for domain, state in batch["domain_statuses"].items()} == dict(rows)
    exported = [json.loads(row)["domain"] for row in target.read_text("utf-8").splitlines()]
    assert exported == sorted(hosts)
    assert sorted(crowd.homes("thousand")) == sorted(hosts)  # each was fetched once


def newest(api: httpx.Client, domains: int) -> str:
    """The batch that the command line has just started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for batch in api.get("/api/v3/batch_page_scraper/batch").raise_for_status().json()["items"]:
            if batch["total_domains"] == domains:
                return str(batch["batch_id"])
        time.sleep(0.1)
    return pytest.fail("the command line started no batch")
