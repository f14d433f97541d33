"""Schemathesis against a running API: does it keep to openapi.json, whatever it is asked?"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrapersky_local.openapi import DOCUMENT
from scrapersky_local.state import StackInfo

CONFIG = Path(__file__).with_name("schemathesis.toml")
TESTS = Path(__file__).parents[1]
RUN_SECONDS = 270.0
"""Less than the tests have: a run that hangs is ended with what it said, and not left behind."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What a run came to. `report` is Schemathesis' own, in JSON; `text` what it said."""

    report: dict[str, Any]
    text: str

    @property
    def cases(self) -> int:
        return int(self.report["test_cases"]["generated"])

    @property
    def operations(self) -> int:
        return int(self.report["operations"]["tested"])

    @property
    def failures(self) -> list[Any]:
        return [*self.report["failures"], *self.report["errors"]]


def fuzz(
    info: StackInfo, folder: Path, *options: str, document: Path = DOCUMENT, seconds: float | None = RUN_SECONDS
) -> Fuzzed:
    """Ask the API everything that the document describes, well and badly. `folder` is for the run's own files.

    Raises:
        subprocess.TimeoutExpired: it took longer than `seconds`.
        RuntimeError: it ended without a report.
    """
    report = folder / "report.json"
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("--config-file", str(CONFIG), "--no-color"),
        *("run", str(document), "--url", info.api_url, "--header", f"Authorization: Bearer {info.token}"),
        *("--continue-on-failure", "--report-json-path", str(report)),
        *("--request-timeout", "60", "--suppress-health-check", "too_slow"),  # of a machine that does other things too
        *options,
    ]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    text = done.stdout + done.stderr
    if not report.exists():
        raise RuntimeError(f"nothing was asked at all: {text}")
    return Fuzzed(json.loads(report.read_text("utf-8")), text)
