"""The stack as a process: when it is ready, which processes belong to its folder, and which run a function."""

import subprocess
import time
from contextlib import suppress
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


def process_ids(*command: str) -> list[int]:
    """The processes that run exactly this command."""
    wanted = "".join(f"{word}\0" for word in command).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if (process / "cmdline").read_bytes() == wanted:
                found.append(int(process.name))
    return found


def left_of(folder: Path, *, seconds: float = 10) -> list[str]:
    """`processes_of` after waiting for up to `seconds` for them to end."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def running_function(logical_id: str, endpoint_url: str) -> list[int]:
    """Process ids of the stack's environments of one function; `endpoint_url` is that of the stack's AWS services."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            variables = dict(
                pair.split("=", 1)
                for pair in (process / "environ").read_bytes().decode("utf-8", "replace").split("\0")
                if "=" in pair
            )
            is_of_the_stack = variables.get("AWS_ENDPOINT_URL") == endpoint_url
            if is_of_the_stack and logical_id in variables.get("AWS_LAMBDA_FUNCTION_NAME", ""):
                found.append(int(process.name))
    return found
