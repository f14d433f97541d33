"""How large an answer is by the time that Lambda sends it."""

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

# Lambda sends 6 MB (6,291,456 bytes) at most; headers and what else surrounds a body take far less than the rest.
MAX_SENT_BYTES = 6_000_000

T = TypeVar("T")


def sent_bytes(body: str) -> int:
    """Bytes that a body, or a part of one, takes on its way: Lambda wraps it in JSON, and may escape all but ASCII."""
    return len(json.dumps(body)) - 2


def fitting(items: Iterable[T], text: Callable[[T], str], *, limit: int = MAX_SENT_BYTES - 100_000) -> list[T]:
    """The items from the front that fit into one answer, each as its `text` and a comma."""
    left = limit
    taken = []
    for item in items:
        left -= sent_bytes(text(item)) + 1
        if left < 0:
            break
        taken.append(item)
    return taken
