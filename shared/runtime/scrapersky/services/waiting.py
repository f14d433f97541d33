"""A client that waits for something to change: looked for again and again, until it did or the time is over."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.25  # of a waiting client; each look is an indexed row or two
POLL_MAX_SECONDS = 1.0

T = TypeVar("T")


def wait_for(look: Callable[[], T], *, seconds: float, is_enough: Callable[[T], bool]) -> T:
    """What `look` says as soon as that `is_enough`, or when `seconds` have passed. It looks once at the least."""
    deadline = time.monotonic() + seconds
    pause = POLL_SECONDS
    while True:
        seen = look()
        if is_enough(seen) or (left := deadline - time.monotonic()) <= 0:
            return seen
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, POLL_MAX_SECONDS)
