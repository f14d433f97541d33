"""Whether and when a request that failed is made again. Each try may be billed, so a search has a budget of them."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from scrapersky.places.asks import PlacesFailure

MAX_TRIES: Final = 4
"""Of one request: a fault that four tries in some ten seconds do not get past is no passing one."""

RETRIES_OF_A_SEARCH: Final = 10
"""Of all requests of a search together: at a service that is down, a search must end within its worker's time."""

FIRST_WAIT_SECONDS: Final = 1.0
"""Doubles with each try. Google asks for exponential backoff from one second on."""

MAX_WAIT_SECONDS: Final = 30.0
"""A Retry-After that asks for more is an answer for whoever started the search."""


@dataclass(slots=True)
class RetryPolicy:
    """The tries of one search. `jitter` gives 0 to 1."""

    jitter: Callable[[], float] = random.random
    left: int = RETRIES_OF_A_SEARCH
    _tries: int = field(default=0, init=False)

    def succeeded(self) -> None:
        """The request was answered: the next one has its tries anew."""
        self._tries = 0

    def wait(self, failure: PlacesFailure) -> float | None:
        """The seconds after which to try again, None when not to."""
        self._tries += 1
        asked = failure.retry_after or 0.0
        if not failure.is_passing or self._tries >= MAX_TRIES or self.left <= 0 or asked > MAX_WAIT_SECONDS:
            return None
        self.left -= 1
        return max(asked, FIRST_WAIT_SECONDS * 2.0 ** (self._tries - 1) * (0.5 + self.jitter() / 2))
