"""Which failures a search tries to get past, and how long."""

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.places.asks import PlacesFailure
from scrapersky.places.retrying import MAX_TRIES, MAX_WAIT_SECONDS, RETRIES_OF_A_SEARCH, RetryPolicy

BUSY = PlacesFailure(ErrorCode.UPSTREAM_ERROR, "busy", True, 503)


def test_waits_double_and_end() -> None:
    policy = RetryPolicy(jitter=lambda: 1.0)
    assert [policy.wait(BUSY) for _ in range(MAX_TRIES)] == [1.0, 2.0, 4.0, None]


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_waits_are_spread(drawn: float) -> None:
    assert RetryPolicy(jitter=lambda: drawn).wait(BUSY) == 0.5 + drawn / 2


def test_what_does_not_pass_is_not_tried_again() -> None:
    assert RetryPolicy().wait(PlacesFailure(ErrorCode.INVALID_KEY, "no", False, 403)) is None


def test_what_google_asks_for_is_obeyed_within_bounds() -> None:
    def asked(seconds: float) -> float | None:
        return RetryPolicy(jitter=lambda: 0.0).wait(PlacesFailure(ErrorCode.QUOTA_EXCEEDED, "", True, 429, seconds))

    assert asked(7.0) == 7.0
    assert asked(0.1) == 0.5
    assert asked(MAX_WAIT_SECONDS) == MAX_WAIT_SECONDS
    assert asked(MAX_WAIT_SECONDS + 1) is None


def test_a_success_gives_the_next_request_its_tries_anew_but_the_search_no_more() -> None:
    policy = RetryPolicy(jitter=lambda: 0.0)
    waits = 0
    while policy.wait(BUSY) is not None:
        waits += 1
        policy.succeeded()
        assert waits <= RETRIES_OF_A_SEARCH
    assert waits == RETRIES_OF_A_SEARCH
