"""The fetcher against real sockets: what servers answer well, what they answer badly, and what they never finish."""

import gzip
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import repeat
from typing import Any

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import PAGE_LIMITS, Fetched, Fetcher, FetchFailure
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.limits import MAX_PIECES, FetchLimits
from support.loopback import Answer, Listener, redirect, response, serving

AGENT = "ScraperSky/1.0 (+https://scrapersky.example)"
SITE = "http://shop.example/"

TIGHT = FetchLimits(seconds=0.5, wire_bytes=64 * 1024, body_bytes=32 * 1024, connect_seconds=0.4, header_bytes=8 * 1024)
"""Limits that a test can wait for."""


def fetcher(port: int) -> Fetcher:
    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=(parse_resolve_rule(f"*.example=127.0.0.1:{port}"),)
    )
    return Fetcher(policy=policy, user_agent=AGENT)


def fetch(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched | FetchFailure:
    with fetcher(port).site() as client:
        return client.get(url, deadline=time.monotonic() + 5, limits=limits)


def fetched(port: int, url: str = SITE, limits: FetchLimits = PAGE_LIMITS) -> Fetched:
    answer = fetch(port, url, limits)
    assert isinstance(answer, Fetched), answer
    return answer


def slowly(*pieces: bytes, then: Iterable[bytes] = ()) -> Iterator[bytes]:
    """A byte at a time, far below any limit of one read, for longer than the whole may take."""
    yield from pieces
    for piece in then:
        time.sleep(0.02)
        yield piece


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def bomb(wbits: int, megabytes: int = 16) -> bytes:
    stream = zlib.compressobj(9, wbits=wbits)
    return b"".join(stream.compress(bytes(1 << 20)) for _ in range(megabytes)) + stream.flush()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = repeat(b"x" * 4096)


@dataclass(frozen=True)
class Hostile:
    """An answer that must end in `code`, within the limits' time and with no more than their bytes."""

    name: str
    code: ErrorCode
    answer: Answer
    says: str = ""


def sends(*pieces: bytes) -> Answer:
    return lambda _: pieces


HOSTILE = [
    # time: every single read is answered, the whole never ends
    Hostile("silence", ErrorCode.TIMEOUT, lambda _: slowly(then=repeat(b""))),
    Hostile("slow head", ErrorCode.TIMEOUT, lambda _: slowly(HEAD, then=repeat(b"x"))),
    Hostile("slow status line", ErrorCode.TIMEOUT, lambda _: slowly(then=(bytes([c]) for c in HEAD * 9))),
    Hostile("slow body", ErrorCode.TIMEOUT, lambda _: slowly(HEAD + b"\r\n", then=repeat(b"x"))),
    Hostile("slow chunks", ErrorCode.TIMEOUT, lambda _: slowly(CHUNKED, then=repeat(chunk(b"x")))),
    Hostile("slow trailer", ErrorCode.TIMEOUT, lambda _: slowly(CHUNKED, b"0\r\n", then=repeat(b"a"))),
    Hostile("slow 1xx", ErrorCode.TIMEOUT, lambda _: slowly(then=repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))),
    # size
    Hostile("declared size", ErrorCode.TOO_LARGE, sends(response(length=10**12)), "larger than"),
    Hostile("endless body", ErrorCode.TOO_LARGE, lambda _: slowly(HEAD, b"\r\n", *[b"x" * 4096] * 64)),
    Hostile("endless chunks", ErrorCode.TOO_LARGE, lambda _: iter([CHUNKED, *[chunk(b"x" * 4096)] * 64])),
    Hostile("tiny chunks", ErrorCode.TOO_LARGE, lambda _: iter([CHUNKED, *[chunk(b"x") * 4096] * 64])),
    Hostile(
        "chunk extensions", ErrorCode.TOO_LARGE, lambda _: iter([CHUNKED, *[b"1;" + b"e" * 500 + b"\r\nx\r\n"] * 999])
    ),
    Hostile("endless head", ErrorCode.TOO_LARGE, lambda _: iter([HEAD, *[b"a: b\r\n" * 100] * 999]), "header"),
    Hostile("one long header", ErrorCode.TOO_LARGE, lambda _: iter([HEAD, b"a: ", *[b"x" * 4096] * 99]), "header"),
    Hostile("long status line", ErrorCode.TOO_LARGE, lambda _: iter([b"HTTP/1.1 200 ", *[b"x" * 4096] * 99]), "header"),
    Hostile("many 1xx", ErrorCode.TOO_LARGE, lambda _: iter([b"HTTP/1.1 103 Early Hints\r\n\r\n" * 999]), "header"),
    Hostile("gzip bomb", ErrorCode.TOO_LARGE, sends(response(bomb(31), headers=["Content-Encoding: gzip"]))),
    Hostile("deflate bomb", ErrorCode.TOO_LARGE, sends(response(bomb(15), headers=["Content-Encoding: deflate"]))),
    Hostile("raw deflate bomb", ErrorCode.TOO_LARGE, sends(response(bomb(-15), headers=["Content-Encoding: deflate"]))),
    # encodings
    Hostile(
        "nested gzip",
        ErrorCode.HTTP_ERROR,
        sends(response(gzip.compress(bomb(31)), headers=["Content-Encoding: gzip, gzip"])),
        "more than once",
    ),
    Hostile(
        "nested gzip in two headers",
        ErrorCode.HTTP_ERROR,
        sends(response(gzip.compress(bomb(31)), headers=["Content-Encoding: gzip", "Content-Encoding: gzip"])),
        "more than once",
    ),
    Hostile("brotli", ErrorCode.HTTP_ERROR, sends(response(b"x", headers=["Content-Encoding: br"])), "not asked for"),
    Hostile("gzip in name only", ErrorCode.HTTP_ERROR, sends(response(b"<p>", headers=["Content-Encoding: gzip"]))),
    Hostile(
        "gzip as transfer", ErrorCode.HTTP_ERROR, sends(HEAD, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    ),
    # incomplete
    Hostile("short body", ErrorCode.HTTP_ERROR, sends(response(b"half", length=8))),
    Hostile("short chunk", ErrorCode.HTTP_ERROR, sends(CHUNKED, b"8\r\nhalf")),
    Hostile("no last chunk", ErrorCode.HTTP_ERROR, sends(CHUNKED, chunk(b"half"))),
    Hostile(
        "short gzip",
        ErrorCode.HTTP_ERROR,
        sends(response(gzip.compress(b"half" * 99)[:-9], headers=["Content-Encoding: gzip"])),
        "ends early",
    ),
    Hostile("no answer", ErrorCode.HTTP_ERROR, sends()),
    Hostile("half a head", ErrorCode.HTTP_ERROR, sends(HEAD)),
    # no HTTP
    Hostile("another protocol", ErrorCode.HTTP_ERROR, sends(b"SSH-2.0-OpenSSH_9.2\r\n")),
    Hostile("HTTP/0.9", ErrorCode.HTTP_ERROR, sends(b"<html></html>\r\n\r\n")),
    Hostile("binary", ErrorCode.HTTP_ERROR, sends(bytes(range(256)) + b"\r\n\r\n")),
    Hostile("status 000", ErrorCode.HTTP_ERROR, sends(b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n")),
    Hostile("status 99999", ErrorCode.HTTP_ERROR, sends(b"HTTP/1.1 99999 x\r\n\r\n")),
    Hostile("negative length", ErrorCode.HTTP_ERROR, sends(HEAD + b"Content-Length: -1\r\n\r\n")),
    Hostile("two lengths", ErrorCode.HTTP_ERROR, sends(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")),
    Hostile("absurd length", ErrorCode.HTTP_ERROR, sends(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")),
    Hostile("absurd chunk", ErrorCode.HTTP_ERROR, sends(CHUNKED + b"f" * 5000 + b"\r\n")),
    # redirects
    Hostile("redirect loop", ErrorCode.TOO_MANY_REDIRECTS, sends(redirect("/"))),
    Hostile("growing redirect", ErrorCode.TOO_MANY_REDIRECTS, lambda path: [redirect(path + "x")]),
    Hostile(
        "ring of hosts", ErrorCode.TOO_MANY_REDIRECTS, lambda path: [redirect(f"http://{len(path)}.example{path}a")]
    ),
    Hostile("redirect to no URL", ErrorCode.HTTP_ERROR, sends(redirect("http://")), "no valid URL"),
    Hostile("redirect to no host", ErrorCode.HTTP_ERROR, sends(redirect("http://a b/")), "no valid URL"),
    Hostile("redirect too long", ErrorCode.TOO_LARGE, sends(redirect("/" + "x" * 9000)), "header"),
    Hostile("redirect to bad IDNA", ErrorCode.TOO_MANY_REDIRECTS, sends(redirect("http://xn--a.example/"))),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_a_hostile_answer_ends_typed_in_time_and_within_its_bytes(hostile: Hostile) -> None:
    with Listener(hostile.answer) as listener:
        begun = time.monotonic()
        answer = fetch(listener.port, limits=TIGHT)
        took = time.monotonic() - begun
    assert isinstance(answer, FetchFailure)
    assert (answer.code, hostile.says in answer.message) == (hostile.code, True), answer.message
    assert took < TIGHT.seconds + 0.4
    assert answer.wire_bytes <= TIGHT.wire_bytes
    assert "127.0.0.1" not in answer.message


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
            time.sleep(0.05)  # the server's close arrives
        assert listener.connections == 2


def test_each_fetch_of_a_kept_connection_has_its_own_byte_limit() -> None:
    body = b"x" * (TIGHT.body_bytes - 1)
    with Listener(sends(response(body)), keep_alive=True) as listener, fetcher(listener.port).site() as client:
        for _ in range(4):
            assert isinstance(client.get(SITE, deadline=time.monotonic() + 5, limits=TIGHT), Fetched)
        assert listener.connections == 1


@pytest.mark.parametrize(("extra", "is_fetched"), [(0, True), (1, False)])
def test_a_body_of_exactly_the_limit_is_not_too_large(extra: int, is_fetched: bool) -> None:
    with serving(response(b"x" * (TIGHT.body_bytes + extra))) as listener:
        answer = fetch(listener.port, limits=TIGHT)
    assert isinstance(answer, Fetched) is is_fetched


def test_a_page_in_single_bytes_is_given_up_early() -> None:
    with Listener(lambda _: iter([CHUNKED, *[chunk(b"x") * 4096] * 100])) as listener:
        answer = fetch(listener.port)
    assert isinstance(answer, FetchFailure)
    assert (answer.code, answer.wire_bytes) == (ErrorCode.TOO_LARGE, MAX_PIECES)


def test_a_body_may_be_cut_instead() -> None:
    with serving(response(b"x" * 200_000)) as listener:
        answer = fetched(listener.port, limits=replace(TIGHT, cut=True))
    assert (answer.body, answer.is_cut) == (b"x" * TIGHT.body_bytes, True)
    assert answer.wire_bytes <= TIGHT.wire_bytes


def test_nothing_listening_is_a_connect_failure() -> None:
    with serving() as listener:
        port = listener.port
    for scheme in ("http", "https"):
        answer = fetch(port, f"{scheme}://shop.example/")
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.CONNECT_FAILURE


def test_the_deadline_of_the_caller_ends_a_fetch() -> None:
    with Listener() as listener, fetcher(listener.port).site() as client:
        begun = time.monotonic()
        answer = client.get(SITE, deadline=begun + 0.2)
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.TIMEOUT
        assert time.monotonic() - begun < 0.6
        late = client.get(SITE, deadline=begun)
        assert isinstance(late, FetchFailure)
        assert late.code is ErrorCode.TIMEOUT
        assert listener.connections == 1


def test_a_cancel_ends_a_fetch_that_waits() -> None:
    stop = threading.Event()
    with Listener() as listener, fetcher(listener.port).site() as client:
        threading.Timer(0.1, stop.set).start()
        begun = time.monotonic()
        answer = client.get(SITE, deadline=begun + 20, should_stop=stop.is_set)
        assert isinstance(answer, FetchFailure)
        assert answer.code is ErrorCode.CANCELLED
        assert time.monotonic() - begun < 1


def test_a_tls_context_is_made_once_for_all_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(**options: Any) -> ssl.SSLContext:
        made.append(options)
        return create(**options)

    create = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", counted)
    shared = fetcher(1)
    for _ in range(3):
        with shared.site() as client:
            client.get("https://shop.example/", deadline=time.monotonic() + 1)
    assert len(made) == 1
