"""What servers answer badly, and what they never finish: as a page, a stream, robots.txt, and by the memory it takes.

The servers are in support.hostile_answers and support.hostile_tls, one row a kind; here all are met, many at a time.
"""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import FetchFailure
from scrapersky.scraping.limits import MAX_PIECES, PAGE_LIMITS
from scrapersky.scraping.robots import RobotsReason, RobotsVerdict
from support.fetching import fetch
from support.hostile import BRIEF, SLACK_SECONDS, Hostile, Outcome, World, meet_all, world_of
from support.hostile_answers import CHUNKED, IN_PLAIN, LARGE, chunk
from support.hostile_tls import IN_TLS
from support.loopback import Listener

KINDS = [*IN_PLAIN, *IN_TLS]
NAMES = [hostile.name for hostile in KINDS]
MAX_MEMORY = 64 * 2**20
"""What one fetch may take at the most: the limits of a page several times over, and far from what was sent."""

by_name = pytest.mark.parametrize("hostile", KINDS, ids=lambda hostile: hostile.name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_of(KINDS, tmp_path_factory.mktemp("hostile")) as world:
        yield world


@pytest.fixture(scope="module")
def outcomes(world: World) -> dict[str, Outcome]:
    return dict(zip(NAMES, meet_all(world.fetch, KINDS), strict=True))


@pytest.fixture(scope="module")
def streams(world: World) -> dict[str, Outcome]:
    return dict(zip(NAMES, meet_all(world.stream, KINDS), strict=True))


@pytest.fixture(scope="module")
def verdicts(world: World) -> dict[str, tuple[RobotsVerdict, float]]:
    return dict(zip(NAMES, meet_all(world.robots, KINDS), strict=True))


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 150


@by_name
def test_a_hostile_page_ends_typed_in_time_and_within_its_bytes(hostile: Hostile, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[hostile.name]
    assert outcome.is_as_expected(hostile), outcome.answer
    assert outcome.is_bounded, outcome.seconds


@by_name
def test_a_hostile_stream_ends_as_a_page_does(hostile: Hostile, streams: dict[str, Outcome]) -> None:
    outcome = streams[hostile.name]
    assert outcome.is_as_expected(hostile), outcome.answer
    assert outcome.is_bounded, outcome.seconds


@by_name
def test_a_hostile_robots_txt_ends_in_a_verdict_in_time(
    hostile: Hostile, verdicts: dict[str, tuple[RobotsVerdict, float]]
) -> None:
    verdict, seconds = verdicts[hostile.name]
    assert seconds < hostile.limits.seconds + SLACK_SECONDS
    assert verdict.allowed is (verdict.failure is None)
    code = verdict.failure.code if verdict.failure else None
    assert (verdict.reason is RobotsReason.UNREACHABLE) is (code is ErrorCode.HTTP_ERROR)
    if hostile.by_time:  # before a robots.txt has used up the time that it may take for itself, the scan's is over
        assert code is ErrorCode.TIMEOUT
    elif hostile.name == "status 999":  # RFC 9110 15: as if it were a 500
        assert code is ErrorCode.HTTP_ERROR
    elif isinstance(hostile.ends, bytes) or hostile.ends is ErrorCode.TOO_MANY_REDIRECTS:
        assert code is None
    elif hostile.ends is ErrorCode.TOO_LARGE:  # RFC 9309 2.5: the first part of the file is what counts
        assert code in (None, ErrorCode.HTTP_ERROR)
    else:
        assert code in {hostile.ends, hostile.also} - {None}


def peak_memory(world: World, hostile: Hostile, wire_bytes: int = PAGE_LIMITS.wire_bytes) -> int:
    """The most that Python held at a time beyond what it held before, listener and all."""
    limits = replace(PAGE_LIMITS, seconds=2.0, wire_bytes=wire_bytes, body_bytes=wire_bytes)
    tracemalloc.start()
    try:
        world.fetch(hostile, limits)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("hostile", [*LARGE, *(kind for kind in IN_TLS if kind.endless)], ids=lambda kind: kind.name)
def test_a_large_answer_takes_little_memory(world: World, hostile: Hostile) -> None:
    assert peak_memory(world, hostile) < MAX_MEMORY


def test_control_memory_is_seen_when_the_limits_let_it_grow(world: World) -> None:
    endless = next(kind for kind in LARGE if kind.name == "endless body")
    assert peak_memory(world, endless, wire_bytes=2 * MAX_MEMORY) > MAX_MEMORY


def test_control_a_fetch_that_takes_longer_is_seen(world: World) -> None:
    """On a busy machine the stopwatch counts less than passes, so that the fetch takes longer until it is seen."""
    silence = next(kind for kind in IN_PLAIN if kind.name == "silence")
    bound = BRIEF.seconds + SLACK_SECONDS
    for longer in (1.25, 2.5, 5, 10):
        outcome = world.fetch(silence, replace(BRIEF, seconds=longer * bound))
        assert isinstance(outcome.answer, FetchFailure)
        if outcome.seconds > bound:
            return
    pytest.fail(f"{outcome.seconds} s of {longer * bound}")


def test_a_page_in_single_bytes_is_given_up_early() -> None:
    with Listener(lambda _: iter([CHUNKED, *[chunk(b"x") * 4096] * 100])) as listener:
        answer = fetch(listener.port)
    assert isinstance(answer, FetchFailure)
    assert (answer.code, answer.wire_bytes) == (ErrorCode.TOO_LARGE, MAX_PIECES)
