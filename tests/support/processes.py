"""Which processes belong to a folder, to show that none is left."""

import time
from pathlib import Path


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
