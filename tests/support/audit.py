"""What this process asks of the network, seen from inside the interpreter: nothing that opens a socket gets past it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_recorders: list[list[tuple[str, Any]]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        seen = ("connect", arguments[1])
    elif event == "socket.getaddrinfo":
        seen = ("look up", arguments[0])
    else:
        return
    for recorder in _recorders:
        recorder.append(seen)


sys.addaudithook(_hook)  # cannot be taken away again, so it is added once and idles between recordings


@contextmanager
def recorded() -> Iterator[list[tuple[str, Any]]]:
    """("connect", address) and ("look up", host) of everything in the process, while the block runs."""
    events: list[tuple[str, Any]] = []
    _recorders.append(events)
    try:
        yield events
    finally:
        _recorders.remove(events)
