"""The API against its own description: thousands of made-up requests, good and bad, by Schemathesis."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from e2e.conftest import RunningStack, client_of, token_of
from scrapersky_local.openapi import DOCUMENT
from scrapersky_local.state import StackInfo
from support.fuzzing import fuzz

OPERATIONS = sum(len(item) for item in json.loads(DOCUMENT.read_text("utf-8"))["paths"].values())
# Few enough for a suite; tests/chaos/fuzz.py asks as much as one likes.
BOUNDED = ("--max-examples", "1", "--workers", "2", "--generation-deterministic")


@pytest.fixture
def stranger(stack: RunningStack) -> StackInfo:
    """The stack for a tenant of its own, so that what is made up here stands in no other test's lists."""
    return replace(stack.info, token=token_of(stack, uuid4()))


@pytest.mark.timeout(300)  # a thousand requests: a quarter of a minute on an idle machine
def test_no_answer_is_an_error_of_ours_or_not_as_described(stranger: StackInfo, tmp_path: Path) -> None:
    fuzzed = fuzz(stranger, tmp_path, *BOUNDED)
    assert fuzzed.failures == [], fuzzed.text
    assert fuzzed.report["exit_code"] == 0, fuzzed.text
    assert {name: phase["status"] for name, phase in fuzzed.report["phases"].items()} == dict.fromkeys(
        ("examples", "coverage", "fuzzing", "stateful"), "success"
    )
    assert fuzzed.operations == OPERATIONS
    assert fuzzed.cases > 500


@pytest.mark.timeout(300)
def test_a_run_that_does_not_end_is_ended(stranger: StackInfo, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        fuzz(stranger, tmp_path, *BOUNDED, seconds=0.1)


@pytest.mark.timeout(300)
def test_an_answer_that_is_not_described_would_be_found(stranger: StackInfo, tmp_path: Path) -> None:
    with client_of(stranger) as api:
        api.post("/api/v3/modernized_page_scraper/scan", json={"base_url": "shop.example"}).raise_for_status()
    document = json.loads(DOCUMENT.read_text("utf-8"))
    listing = document["paths"]["/api/v3/jobs"]["get"]
    del listing["responses"]["422"]
    listing["responses"]["200"]["headers"] = {"X-Never": {"schema": {"type": "string"}, "required": True}}
    document["components"]["schemas"]["JobPage"]["properties"]["next_cursor"] = {"type": "boolean"}
    lying = tmp_path / "lying.json"
    lying.write_text(json.dumps(document))
    fuzzed = fuzz(
        stranger, tmp_path, *BOUNDED, "--phases", "coverage", "--include-path", "/api/v3/jobs", document=lying
    )
    found = {failure["title"] for failure in fuzzed.failures}
    assert found >= {"Undocumented status code", "Missing required response headers", "Response violates schema"}, found
