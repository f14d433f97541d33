"""Processes and ports of the local stack: started so that none outlives its supervisor."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

_LAUNCH = Path(__file__).with_name("launch.py")

# Below 32768: from there on Linux hands ports out to outgoing connections, and a port that was free a moment ago may be
# taken by one of them (or a client may connect to itself).
PORTS = range(20_000, 32_000)


class StackError(Exception):
    """The local stack can not go on. The message is one line for the person who started it."""


class PortInUse(StackError):
    """The port is held by another process."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine that servers run as."""

    name: str
    uid: int
    gid: int


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Any of PORTS on which nothing listens."""
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise StackError(f"no free port between {PORTS.start} and {PORTS.stop - 1}")


def require_free(port: int, what: str) -> None:
    """Raise PortInUse, naming `what` wants the port, unless it is free."""
    if not is_free(port):
        raise PortInUse(f"{what} can not listen on 127.0.0.1:{port}: the port is in use")


def open_private(path: Path, mode: Literal["ab", "wb"]) -> BinaryIO:
    """Open a file that only its owner (and root) can read, whatever the umask is and however it was left."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "ab" else os.O_TRUNC), 0o600)
    os.fchmod(descriptor, 0o600)
    return open(descriptor, mode)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    read_output: bool = False,
) -> subprocess.Popen[bytes]:
    """Run `command` in a session of its own (Ctrl-C reaches the supervisor alone), its output appended to `log`.

    With `read_output` only what it writes to standard error is logged; standard output is the process' `stdout`.
    It gets `death_signal` when the *thread* that called this ends, so call it from one that lives as long as the stack.
    """
    uid, gid = (str(account.uid), str(account.gid)) if account else ("-", "-")
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(death_signal)), uid, gid, *command]
    with open_private(log, "ab") as output:
        return subprocess.Popen(  # noqa: S603  # programs of ours with arguments of ours
            launch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if read_output else output,
            stderr=output,
            start_new_session=True,
            env=env,
            cwd=cwd,
        )


def stop(process: subprocess.Popen[bytes], *, first: signal.Signals = signal.SIGTERM, seconds: float = 10) -> None:
    """End a spawned process: `first`, then after `seconds` SIGKILL, and SIGKILL to whatever is left of its session."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(first)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log as one line of text, for an error message."""
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:] if line.strip()) or "no output"
