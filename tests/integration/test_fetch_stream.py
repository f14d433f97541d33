"""Bodies that are read while they arrive, over real sockets: what comes, when, and how it ends."""

import gzip
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.decoding import PIECE_BYTES
from scrapersky.scraping.fetch import Fetched, FetchFailure, Streamed
from scrapersky.scraping.limits import SITEMAP_LIMITS, FetchLimits
from scrapersky.scraping.robots import RobotsReason, RobotsVerdict
from scrapersky.scraping.visit import Visit
from support.fetching import SITE, SMALL, fetcher
from support.hostile_answers import CHUNKED, HEAD, chunk, endless, reset_after, slowly
from support.loopback import Answer, Listener, redirect, response, serving
from support.stopwatch import Stopwatch

CUT = replace(SMALL, cut=True)
BRIEF = replace(SITEMAP_LIMITS, seconds=0.6)


@contextmanager
def streaming(
    listener: Listener, limits: FetchLimits = SITEMAP_LIMITS, headers: dict[str, str] | None = None
) -> Iterator[Streamed]:
    with (
        fetcher(listener.port).site() as client,
        client.stream(SITE, deadline=time.monotonic() + 30, limits=limits, headers=headers or {}) as answer,
    ):
        assert isinstance(answer, Streamed), answer
        yield answer


def ends(answer: Answer, limits: FetchLimits) -> tuple[bytes, Streamed]:
    """What was read of it, and how that ended."""
    with Listener(answer) as listener, streaming(listener, limits) as streamed:
        return b"".join(streamed.chunks()), streamed


REFUSED = FetchFailure(SITE, ErrorCode.CANCELLED, "not wanted", 0, datetime.now(UTC))


def code(streamed: Streamed) -> ErrorCode | None:
    return streamed.failure.code if streamed.failure else None


def test_what_has_arrived_is_handed_on_before_the_rest_is_sent() -> None:
    was_read = threading.Event()

    def answer(_: str) -> Iterator[bytes]:
        yield CHUNKED + chunk(b"first")
        assert was_read.wait(10)
        yield chunk(b"second") + chunk(b"")

    with Listener(answer) as listener, streaming(listener) as streamed:
        chunks = streamed.chunks()
        assert next(chunks) == b"first"
        assert streamed.wire_bytes == 5
        was_read.set()
        assert list(chunks) == [b"second"]
    assert (streamed.failure, streamed.is_cut, streamed.wire_bytes) == (None, False, 11)


def test_the_head_is_told_as_of_a_page() -> None:
    def answer(path: str) -> list[bytes]:
        return [redirect("/new") if path == "/" else response(b"<x/>", status="404 Not Found", headers=["ETag: W/x"])]

    with Listener(answer) as listener, streaming(listener) as streamed:
        assert (streamed.url, streamed.status_code) == (f"{SITE}new", 404)
        assert streamed.headers["etag"] == "W/x"
        assert [(hop.url, hop.location) for hop in streamed.redirects] == [(SITE, "/new")]
        assert streamed.fetched_at.tzinfo is not None
        assert b"".join(streamed.chunks()) == b"<x/>"


@pytest.mark.parametrize("limits", [SITEMAP_LIMITS, replace(SITEMAP_LIMITS, body_bytes=5_000_000)])
def test_what_was_compressed_comes_in_pieces_of_a_bounded_size(limits: FetchLimits) -> None:
    body = bytes(8_000_000)
    sent = gzip.compress(body)
    with serving(response(sent, headers=["Content-Encoding: gzip"])) as listener, streaming(listener, limits) as answer:
        sizes = [len(piece) for piece in answer.chunks()]
    assert max(sizes) == PIECE_BYTES
    assert sum(sizes) == min(len(body), limits.body_bytes)
    assert (code(answer), answer.is_cut) == ((None, False) if limits is SITEMAP_LIMITS else (ErrorCode.TOO_LARGE, True))


def test_headers_are_sent_in_place_of_others_and_on_every_hop() -> None:
    with Listener(lambda path: [redirect("/new") if path == "/" else response()]) as listener:
        headers = {"If-None-Match": '"ä1"', "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT", "accept": "text/xml"}
        with streaming(listener, headers=headers) as answer:
            assert answer.status_code == 200
    assert len(listener.heads) == 2
    for head in listener.heads:
        lines = head.decode().split("\r\n")
        assert 'If-None-Match: "ä1"' in lines
        assert "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT" in lines
        assert [line.lower() for line in lines if line.lower().startswith("accept:")] == ["accept: text/xml"]
        assert "Host: shop.example" in lines


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "\x00"])
def test_a_header_that_none_can_be_is_never_sent(value: str) -> None:
    with (
        serving(response()) as listener,
        fetcher(listener.port).site() as client,
        client.stream(SITE, deadline=time.monotonic() + 9, headers={"If-None-Match": value}) as answer,
    ):
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.HTTP_ERROR
    assert listener.heads == []


def test_not_modified_is_an_answer_without_a_body() -> None:
    with (
        serving(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n') as listener,
        streaming(listener, headers={"If-None-Match": '"1"'}) as answer,
    ):
        assert (answer.status_code, list(answer.chunks()), answer.failure) == (304, [], None)


@pytest.mark.parametrize(
    ("answer", "limits", "read", "ended"),
    [
        (lambda _: [response(b"begun", length=99)], SITEMAP_LIMITS, b"begun", ErrorCode.HTTP_ERROR),
        (reset_after(CHUNKED + chunk(b"begun")), SITEMAP_LIMITS, b"begun", ErrorCode.HTTP_ERROR),
        (lambda _: [CHUNKED + chunk(b"begun") + b"zz\r\n"], SITEMAP_LIMITS, b"begun", ErrorCode.HTTP_ERROR),
        (lambda _: [response(b"x" * 40_000)], CUT, b"x" * CUT.body_bytes, ErrorCode.TOO_LARGE),
        (lambda _: [response(b"x" * 40_000)], SMALL, b"x" * SMALL.body_bytes, ErrorCode.TOO_LARGE),
        (lambda _: [response(b"x", length=80_000)], SMALL, b"", ErrorCode.TOO_LARGE),
        (lambda _: [response(b"x", headers=["Content-Encoding: br"])], CUT, b"", ErrorCode.HTTP_ERROR),
        (lambda _: [CHUNKED, *[chunk(b"x")] * 9], replace(CUT, pieces=7), b"x" * 7, ErrorCode.TOO_LARGE),
    ],
    ids=["ends early", "reset", "no chunk", "too long", "too long a page", "said to be", "encoding", "pieces"],
)
def test_a_body_that_fails_ends_with_what_came_and_the_reason(
    answer: Answer, limits: FetchLimits, read: bytes, ended: ErrorCode
) -> None:
    body, streamed = ends(answer, limits)
    assert (body, code(streamed)) == (read, ended)
    assert streamed.failure is not None
    assert (streamed.failure.url, streamed.failure.status_code) == (SITE, 200)
    assert streamed.failure.wire_bytes == streamed.wire_bytes


def test_the_wire_is_bounded_where_little_of_it_is_content() -> None:
    body, streamed = ends(endless(CHUNKED, then=chunk(b"x") * 1000), replace(CUT, pieces=10**9))
    assert code(streamed) is ErrorCode.TOO_LARGE
    assert SMALL.wire_bytes / 7 < len(body) < SMALL.wire_bytes / 5


def test_a_body_that_drips_ends_by_time_and_what_came_is_kept() -> None:
    with Stopwatch() as watch:
        body, streamed = ends(slowly(HEAD + b"\r\n", then=repeat(b"x")), BRIEF)
    assert code(streamed) is ErrorCode.TIMEOUT
    assert 2 < len(body) < 40
    assert watch.seconds < BRIEF.seconds + 1
    assert BRIEF.seconds * 1000 <= streamed.ms < 5000


def test_time_ends_a_reader_that_takes_it_over_what_has_long_arrived() -> None:
    sent = response(gzip.compress(bytes(4_000_000)), headers=["Content-Encoding: gzip"])
    read = 0
    with serving(sent) as listener, streaming(listener, BRIEF) as streamed:
        for _ in streamed.chunks():
            read += 1
            time.sleep(0.1)
    assert code(streamed) is ErrorCode.TIMEOUT
    assert 1 < read <= 8  # of 62


def test_a_stream_asks_several_times_a_second_whether_to_go_on_and_ends_when_told_so() -> None:
    asked: list[float] = []
    begun = time.monotonic()
    is_over = threading.Event()

    def answer(_: str) -> Iterator[bytes]:
        yield HEAD + b"\r\nbegun"
        is_over.wait(10)

    def should_stop() -> bool:
        asked.append(time.monotonic())
        return asked[-1] > begun + 1.5

    with (
        Listener(answer) as listener,
        fetcher(listener.port).site() as client,
        client.stream(SITE, deadline=begun + 30, limits=SITEMAP_LIMITS, should_stop=should_stop) as streamed,
    ):
        assert isinstance(streamed, Streamed)
        assert b"".join(streamed.chunks()) == b"begun"
        assert code(streamed) is ErrorCode.CANCELLED
        is_over.set()
    assert sum(begun + 0.5 <= at < begun + 1.5 for at in asked) >= 3


def test_leaving_early_ends_the_connection_and_the_next_fetch_has_one_of_its_own() -> None:
    gone = threading.Event()

    def answer(path: str) -> Iterator[bytes]:
        if path == "/next":
            yield response(b"next")
            return
        try:
            yield CHUNKED
            while True:
                yield chunk(b"x" * 9000)
        finally:
            gone.set()

    with Listener(answer) as listener, fetcher(listener.port).site() as client:
        with client.stream(SITE, deadline=time.monotonic() + 20, limits=SITEMAP_LIMITS) as streamed:
            assert isinstance(streamed, Streamed)
            chunks = streamed.chunks()
            assert next(chunks)
        assert gone.wait(10)
        ms = streamed.ms
        time.sleep(0.05)
        assert (streamed.ms, streamed.failure) == (ms, None)
        found = client.get(f"{SITE}next", deadline=time.monotonic() + 20)
        assert isinstance(found, Fetched)
        assert found.body == b"next"
        assert listener.connections == 2
    list(chunks)  # it was alive until now, as in a reader that keeps it


def test_a_stream_that_was_read_to_its_end_leaves_its_connection_to_the_next() -> None:
    with Listener(lambda path: [response(path.encode())], keep_alive=True) as listener:
        with fetcher(listener.port).site() as client:
            for _ in range(3):
                with client.stream(SITE, deadline=time.monotonic() + 9) as streamed:
                    assert isinstance(streamed, Streamed)
                    assert list(streamed.chunks()) == [b"/"]
        assert listener.connections == 1


def test_what_is_read_too_late_is_a_failure_and_no_raise() -> None:
    with Listener(lambda _: [CHUNKED + chunk(b"x" * 90_000) * 9]) as listener:
        with streaming(listener) as streamed:
            chunks = streamed.chunks()
            next(chunks)
        list(chunks)
    assert code(streamed) is not None


@pytest.mark.parametrize("error", [OSError("the disk is full"), TimeoutError(), LookupError()])
def test_what_a_reader_raises_is_its_own(error: Exception) -> None:
    def read(listener: Listener) -> None:
        with streaming(listener) as streamed:
            for _ in streamed.chunks():
                raise error

    with serving(response(b"x")) as listener, pytest.raises(type(error)) as raised:
        read(listener)
    assert raised.value is error


def test_what_had_to_be_allowed_is_no_part_of_the_time_that_a_fetch_took() -> None:
    def allow(url: str) -> FetchFailure | None:
        time.sleep(0.4)
        return REFUSED if url.endswith("/refused") else None

    with serving(response(b"x")) as listener, fetcher(listener.port).site() as client:
        page = client.get(SITE, deadline=time.monotonic() + 9, allow=allow)
        refused = client.get(f"{SITE}refused", deadline=time.monotonic() + 9, allow=allow)
        with client.stream(SITE, deadline=time.monotonic() + 9, allow=allow) as streamed:
            assert isinstance(streamed, Streamed)
            list(streamed.chunks())
    assert [answer.ms < 400 for answer in (page, refused, streamed)] == [True] * 3


def peak_memory(limits: FetchLimits, *, whole: bool) -> int:
    """The most that Python held of an endless body, read piece by piece or as a whole."""
    with Listener(endless(CHUNKED, then=chunk(b"x" * 16_000))) as listener, fetcher(listener.port).site() as client:
        tracemalloc.start()
        try:
            with client.stream(SITE, deadline=time.monotonic() + 60, limits=limits) as streamed:
                assert isinstance(streamed, Streamed)
                read = len(b"".join(streamed.chunks())) if whole else sum(map(len, streamed.chunks()))
            assert code(streamed) is ErrorCode.TOO_LARGE
            assert read > 0.9 * limits.wire_bytes
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_the_size_of_a_stream_costs_no_memory() -> None:
    limits = replace(SITEMAP_LIMITS, wire_bytes=16 * 2**20)
    assert peak_memory(limits, whole=False) < 2 * 2**20


def test_control_a_body_that_is_kept_costs_its_size() -> None:
    limits = replace(SITEMAP_LIMITS, wire_bytes=16 * 2**20)
    assert peak_memory(limits, whole=True) > 16 * 2**20


ROBOTS = b"User-agent: *\nDisallow: /private\nCrawl-delay: 0.5\nSitemap: /map.xml"


def visited(path: str) -> list[bytes]:
    pages = {"/robots.txt": response(ROBOTS), "/away": redirect("/private")}
    return [pages.get(path, response(path.encode()))]


@pytest.mark.parametrize("path", ["private", "away"])
def test_a_stream_of_a_visit_keeps_to_robots_txt_on_every_hop(path: str) -> None:
    verdicts: list[RobotsVerdict] = []
    with Listener(visited) as listener, Visit(fetcher(listener.port), time.monotonic() + 20, lambda: False) as visit:
        with visit.stream(SITE + path, limits=SITEMAP_LIMITS, on_verdict=verdicts.append) as answer:
            assert isinstance(answer, FetchFailure)
            assert (answer.code, answer.url) == (ErrorCode.ROBOTS_DENIED, f"{SITE}private")
        assert "/private" not in listener.paths
    assert verdicts[-1].reason is RobotsReason.DENIED


def test_a_stream_of_a_visit_is_a_page_of_its_host_as_any_other() -> None:
    with Listener(visited) as listener, Visit(fetcher(listener.port), time.monotonic() + 20, lambda: False) as visit:
        ended = 0.0
        for _ in range(2):
            with visit.stream(f"{SITE}map.xml", limits=SITEMAP_LIMITS, headers={"Accept": "text/xml"}) as answer:
                begun = time.monotonic()
                assert isinstance(answer, Streamed)
                assert b"".join(answer.chunks()) == b"/map.xml"
                assert begun - ended >= 0.5
                time.sleep(0.1)
                ended = time.monotonic()
        page = visit.get(SITE)
        assert isinstance(page, Fetched)
        assert time.monotonic() - ended >= 0.5
        assert visit.crawl_delay == 0.5


def test_what_a_caller_does_not_permit_is_not_asked_for() -> None:
    with Listener(visited) as listener, Visit(fetcher(listener.port), time.monotonic() + 20, lambda: False) as visit:
        with visit.stream(SITE, limits=SITEMAP_LIMITS, permit=lambda _: REFUSED) as answer:
            assert isinstance(answer, FetchFailure)
        assert listener.paths == []
