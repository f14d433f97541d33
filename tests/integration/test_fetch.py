"""The fetcher against real sockets: pages, redirects, connections, limits and the ends of time."""

import gzip
import ssl
import threading
import time
import zlib
from dataclasses import replace
from typing import Any

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, FetchFailure
from scrapersky.scraping.limits import MAX_COOKIE_CHARS, MAX_COOKIES
from support.fetching import AGENT, SITE, SMALL, fetch, fetched, fetcher
from support.loopback import CLOSED_PORT, Listener, redirect, response, serving
from support.stopwatch import Stopwatch


def test_a_plain_page_comes_with_what_was_measured() -> None:
    page = "<title>Käse</title>".encode()
    with serving(response(page, headers=["X-Powered-By: cheese"])) as listener:
        answer = fetched(listener.port, "http://shop.example/a b?q=1#top")
    assert (answer.url, answer.status_code, answer.body) == ("http://shop.example/a%20b?q=1", 200, page)
    assert answer.headers["x-powered-by"] == answer.headers["X-Powered-By"] == "cheese"
    assert (answer.wire_bytes, answer.redirects, answer.is_cut) == (len(page), (), False)
    assert 0 <= answer.ms < 5000
    assert answer.fetched_at.tzinfo is not None
    (head,) = listener.heads
    assert head.startswith(b"GET /a%20b?q=1 HTTP/1.1\r\n")
    lines = head.decode().lower().split("\r\n")
    assert "host: shop.example" in lines
    assert f"user-agent: {AGENT}".lower() in lines
    assert "accept-encoding: gzip, deflate" in lines


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda data: zlib.compress(data, wbits=-15))],
)
def test_compressed_pages_are_counted_as_sent_and_handed_on_decoded(encoding: str, compress: object) -> None:
    assert callable(compress)
    page = b"<p>hello</p>" * 1000
    sent = compress(page)
    with serving(response(sent, headers=[f"Content-Encoding: {encoding}"])) as listener:
        answer = fetched(listener.port)
    assert (answer.body, answer.wire_bytes) == (page, len(sent))


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "500 Oops", "204 No Content", "304 Not Modified"])
def test_any_status_is_an_answer(status: str) -> None:
    with serving(response(status=status)) as listener:
        assert fetched(listener.port).status_code == int(status[:3])


def test_a_redirect_status_without_location_is_an_answer() -> None:
    with serving(response(b"where?", status="302 Found")) as listener:
        answer = fetched(listener.port)
    assert (answer.status_code, answer.body) == (302, b"where?")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_followed_and_told(status: str) -> None:
    def answer(path: str) -> list[bytes]:
        return [response(b"here") if path == "/new" else redirect("new", status)]

    with Listener(answer) as listener:
        found = fetched(listener.port)
    assert (found.url, found.body) == ("http://shop.example/new", b"here")
    assert [(hop.url, hop.status_code, hop.location) for hop in found.redirects] == [(SITE, int(status[:3]), "new")]


@pytest.mark.parametrize(("hops", "is_fetched"), [(5, True), (6, False)])
def test_five_redirects_are_followed_and_no_sixth(hops: int, is_fetched: bool) -> None:
    def answer(path: str) -> list[bytes]:
        return [response(b"end") if len(path) > hops else redirect(path + "x")]

    with Listener(answer) as listener:
        found = fetch(listener.port)
    assert isinstance(found, Fetched) is is_fetched
    assert len(found.redirects) == 5
    assert len(listener.paths) == 6


def test_a_cookie_given_with_a_redirect_comes_back() -> None:
    with Listener(
        lambda _: [response(status="302 Found", headers=["Location: /", "Set-Cookie: seen=\u00e4"])]
    ) as listener:
        fetch(listener.port)
    assert b"cookie" not in listener.heads[0].lower()
    assert b"cookie: seen=" in listener.heads[1].lower()


@pytest.mark.parametrize(
    ("cookies", "come_back"),
    [
        ([f"c{n}=v" for n in range(MAX_COOKIES)], True),
        ([f"c{n}=v" for n in range(MAX_COOKIES + 1)], False),
        (["c=" + "v" * (MAX_COOKIE_CHARS - 2)], True),
        (["c=" + "v" * (MAX_COOKIE_CHARS - 1)], False),
    ],
    ids=["as many as are kept", "one too many", "as long as is sent", "too long"],
)
def test_cookies_come_back_up_to_a_limit(cookies: list[str], come_back: bool) -> None:
    headers = ["Location: /", *[f"Set-Cookie: {cookie}" for cookie in cookies]]
    with serving(response(status="302 Found", headers=headers)) as listener:
        fetch(listener.port)
    assert [b"\r\ncookie: c" in head.lower() for head in listener.heads] == [False, *[come_back] * 5]


def test_every_hop_is_asked_for_and_a_refusal_ends_the_fetch() -> None:
    asked: list[str] = []
    refusal: FetchFailure | None = None

    def allow(url: str) -> FetchFailure | None:
        asked.append(url)
        return refusal if url.endswith("/private") else None

    with serving(redirect("/private")) as listener, fetcher(listener.port).site() as client:
        refusal = fetch(1, "http://shop.example:22/")  # type: ignore[assignment]
        assert refusal is not None
        answer = client.get(SITE, deadline=time.monotonic() + 5, allow=allow)
    assert asked == [SITE, "http://shop.example/private"]
    assert listener.paths == ["/"]
    assert isinstance(answer, FetchFailure)
    assert (answer.code, len(answer.redirects)) == (refusal.code, 1)


def test_pages_of_one_site_share_a_connection() -> None:
    with (
        Listener(lambda path: [response(path.encode())], keep_alive=True) as listener,
        fetcher(listener.port).site() as client,
    ):
        for path in ("/a", "/b", "/c"):
            answer = client.get(f"http://shop.example{path}", deadline=time.monotonic() + 5)
            assert isinstance(answer, Fetched)
            assert answer.body == path.encode()
        assert listener.connections == 1


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    with serving(response(b"once")) as listener, fetcher(listener.port).site() as client:
        for _ in range(2):
            answer = client.get(SITE, deadline=time.monotonic() + 5)
            assert isinstance(answer, Fetched)
            listener.wait_closed()
        assert listener.connections == 2


def test_each_fetch_of_a_kept_connection_has_its_own_byte_limit() -> None:
    body = b"x" * (SMALL.body_bytes - 1)
    with Listener(lambda _: [response(body)], keep_alive=True) as listener, fetcher(listener.port).site() as client:
        for _ in range(4):
            assert isinstance(client.get(SITE, deadline=time.monotonic() + 5, limits=SMALL), Fetched)
        assert listener.connections == 1


@pytest.mark.parametrize(("extra", "is_fetched"), [(0, True), (1, False)])
def test_a_body_of_exactly_the_limit_is_not_too_large(extra: int, is_fetched: bool) -> None:
    with serving(response(b"x" * (SMALL.body_bytes + extra))) as listener:
        answer = fetch(listener.port, limits=SMALL)
    assert isinstance(answer, Fetched) is is_fetched


def test_a_body_may_be_cut_instead() -> None:
    with serving(response(b"x" * 200_000)) as listener:
        answer = fetched(listener.port, limits=replace(SMALL, cut=True))
    assert (answer.body, answer.is_cut) == (b"x" * SMALL.body_bytes, True)
    assert answer.wire_bytes <= SMALL.wire_bytes


def test_nothing_listening_is_a_connect_failure() -> None:
    for scheme in ("http", "https"):
        answer = fetch(CLOSED_PORT, f"{scheme}://shop.example/")
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.CONNECT_FAILURE


def test_the_deadline_of_the_caller_ends_a_fetch() -> None:
    with Listener() as listener, fetcher(listener.port).site() as client, Stopwatch() as watch:
        begun = time.monotonic()
        answer = client.get(SITE, deadline=begun + 0.5)
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.TIMEOUT
        assert watch.seconds < 0.9
        late = client.get(SITE, deadline=begun)
        assert isinstance(late, FetchFailure)
        assert late.code is ErrorCode.TIMEOUT
        assert listener.connections == 1


def test_a_cancel_ends_a_fetch_that_waits() -> None:
    stop = threading.Event()
    with Listener() as listener, fetcher(listener.port).site() as client, Stopwatch() as watch:
        threading.Timer(0.1, stop.set).start()
        answer = client.get(SITE, deadline=time.monotonic() + 20, should_stop=stop.is_set)
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.CANCELLED
        assert watch.seconds < 1


def test_a_tls_context_is_made_once_for_all_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(**options: Any) -> ssl.SSLContext:
        made.append(options)
        return create(**options)

    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", counted)
    shared = fetcher(CLOSED_PORT)
    for _ in range(3):
        with shared.site() as client:
            client.get("https://shop.example/", deadline=time.monotonic() + 1)
    assert len(made) == 1


def test_a_kept_connection_that_the_server_closed_meanwhile_does_not_cost_the_page() -> None:
    asked: list[str] = []

    def answer(path: str) -> list[bytes]:
        asked.append(path)
        if asked.count("/second") == 1 and path == "/second":
            return []  # the listener hangs up without a word
        return [response(path.encode())]

    with Listener(answer, keep_alive=True) as listener, fetcher(listener.port).site() as client:
        bodies = [client.get(f"{SITE}{path}", deadline=time.monotonic() + 5) for path in ("first", "second")]
        assert [answer.body for answer in bodies if isinstance(answer, Fetched)] == [b"/first", b"/second"]
    assert asked == ["/first", "/second", "/second"]
    assert listener.connections == 2


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
FORGED = HEAD + b"Content-Length: 3\r\n\r\nbad"


@pytest.mark.parametrize(
    "first",
    [
        HEAD + b"Content-Length: 4\r\n\r\npage and more",
        HEAD + b"Content-Length: 4\r\n\r\npage" + FORGED,
        HEAD + b"Content-Length: 4\r\n\r\npage" + HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n" + FORGED,
        b"HTTP/1.1 204 No Content\r\n\r\nbody",
        b"HTTP/1.1 304 Not Modified\r\n\r\n" + FORGED,
    ],
    ids=["body", "answer", "empty answer", "answer after chunks", "body of 204", "answer after 304"],
)
def test_what_follows_an_answer_is_not_taken_for_the_next_one(first: bytes) -> None:
    def answer(path: str) -> list[bytes]:
        return [first] if path == "/first" else [response(path.encode())]

    with Listener(answer, keep_alive=True) as listener, fetcher(listener.port).site() as client:
        fetched = [client.get(f"{SITE}{path}", deadline=time.monotonic() + 5) for path in ("first", "second", "third")]
    assert [getattr(answer, "body", answer) for answer in fetched[1:]] == [b"/second", b"/third"]
    assert listener.connections == 2


def test_a_new_connection_that_is_closed_without_a_word_is_not_tried_again() -> None:
    asked: list[str] = []

    def answer(path: str) -> list[bytes]:
        asked.append(path)
        return []

    with Listener(answer) as listener:
        failure = fetch(listener.port)
    assert isinstance(failure, FetchFailure)
    assert (failure.code, asked) == (ErrorCode.HTTP_ERROR, ["/"])
