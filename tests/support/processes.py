"""The stack as a process: when it is ready, and which processes belong to its folder, to show that none is left."""

import subprocess
import time
from pathlib import Path

import pytest


def wait_ready(process: subprocess.Popen[str]) -> None:
    """Read what a stack says on standard error until it is ready; the test fails with all of it when it ends before."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("ready at "):
            return
    pytest.fail("".join(said))


def processes_of(folder: Path) -> list[str]:
    """Command lines of the living processes that name the folder in their arguments or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (process / "environ").read_bytes().decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder) in command or str(folder) in environment:
            found.append(command)
    return found


def left_of(folder: Path, *, seconds: float = 10) -> list[str]:
    """`processes_of` after waiting for up to `seconds` for them to end."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
