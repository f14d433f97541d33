"""Runs the CLI as people do: in processes of its own, against a running stack."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLI = (sys.executable, "-m", "scrapersky_cli")
SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """Ours without what the CLI reads: which stack it talks to is said on its command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SCRAPERSKY_")} | more


class Cli:
    """Runs commands against the stack of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def line(self, command: str, *arguments: str) -> list[str]:
        """`command` may be of two words, where it is one of a group."""
        return [*CLI, *command.split(), "--data-dir", str(self._data_dir), *arguments]

    def run(
        self, command: str, *arguments: str, given: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """`given` is standard input, `more` are further variables of the environment."""
        return subprocess.run(
            self.line(command, *arguments),
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=environment(**more),
        )

    def json(self, command: str, *arguments: str, given: str | None = None, code: int = 0) -> dict[str, Any]:
        ran = self.run(command, *arguments, "--json", given=given)
        assert ran.returncode == code, ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    @contextmanager
    def running(self, command: str, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; killed at the end. `stderr` may be a terminal's, where progress is shown."""
        with subprocess.Popen(
            self.line(command, *arguments),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(TERM="xterm", COLUMNS="200"),
        ) as process:
            try:
                yield process
            finally:
                process.kill()
