"""A webhook's POST over real sockets: what is sent, what comes back, and what receivers do to whoever tells them."""

import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path

import httpx
import pytest
import trustme

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.failures import CODES
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.limits import POST_LIMITS, FetchLimits
from scrapersky.scraping.post import BODY_SECONDS, TEXT_BYTES, Posted, post
from support.fetching import AGENT, fetcher, policy
from support.loopback import CLOSED_PORT, Listener, Reset, Script, redirect, response

URL = "http://hook.example/in?key=1"
BODY = json.dumps({"type": "job.complete"}).encode()
OF_SCANS = re.compile(r"\b(site|page|scan|fetch|robots)")
BRIEF = replace(POST_LIMITS, seconds=0.6, connect_seconds=0.4)


def receive(sock: socket.socket) -> bytes:
    """A whole request: head and as much as its Content-Length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(
        next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    )
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(pieces: Callable[[], Iterable[bytes]], seen: list[bytes] | None = None) -> Script:
    def script(sock: socket.socket) -> None:
        request = receive(sock)
        if seen is not None:
            seen.append(request)
        for piece in pieces():
            sock.sendall(piece)

    return script


def send(
    port: int, *, url: str = URL, limits: FetchLimits = POST_LIMITS, body: bytes = BODY, by: Fetcher | None = None
) -> Posted | FetchFailure:
    headers = {"Content-Type": "application/json", "webhook-id": "e1"}
    return post(by or fetcher(port), url, body, headers, deadline=time.monotonic() + 30, limits=limits)


def code(answer: Posted | FetchFailure) -> ErrorCode:
    """Why there is no answer. What the log tells of it must be true of an endpoint, too."""
    assert isinstance(answer, FetchFailure), answer
    assert not OF_SCANS.search(answer.message), answer
    return answer.code


def test_no_reason_of_the_libraries_speaks_of_a_scan() -> None:
    redirects = CODES[httpx.TooManyRedirects]  # none is followed
    assert {message for _, message in CODES.values() if OF_SCANS.search(message)} == {redirects[1]}


def test_an_event_is_posted_as_it_is_and_the_answer_told() -> None:
    seen: list[bytes] = []
    with Listener(script=saying(lambda: [response(b"thanks", status="202 Accepted")], seen)) as listener:
        answer = send(listener.port)
        assert listener.connections == 1
    assert isinstance(answer, Posted)
    assert (answer.status_code, answer.text, answer.retry_after) == (202, "thanks", None)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /in?key=1 HTTP/1.1"
    sent = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert sent == {
        "host": "hook.example",
        "user-agent": AGENT,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/json",
        "webhook-id": "e1",
        "content-length": str(len(BODY)),
    }


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_no_redirect_is_followed_wherever_it_leads(status: str) -> None:
    with Listener() as inner:
        to = redirect(f"http://127.0.0.1:{inner.port}/", status)
        with Listener(script=saying(lambda: [to])) as listener:
            answer = send(listener.port)
        assert inner.connections == 0
    assert isinstance(answer, Posted)
    assert answer.status_code == int(status[:3])


@pytest.mark.parametrize(
    ("status", "seconds"), [("429 Too Many", 7.0), ("503 Busy", 7.0), ("500 Error", None), ("200 OK", None)]
)
def test_a_wish_to_be_left_alone_is_heard_of_those_whose_it_is(status: str, seconds: float | None) -> None:
    with Listener(script=saying(lambda: [response(status=status, headers=["Retry-After: 7"])])) as listener:
        answer = send(listener.port)
    assert isinstance(answer, Posted)
    assert answer.retry_after == seconds


def chunked(pieces: Iterable[bytes], seconds: float = 0.0) -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in pieces:
        time.sleep(seconds)
        yield b"%x\r\n%s\r\n" % (len(piece), piece)


BODIES: dict[str, Callable[[], Iterable[bytes]]] = {
    "endless": lambda: chunked(repeat(b"x" * 60_000)),
    "dripping": lambda: chunked(repeat(b"x"), 0.05),
    "larger than it may be": lambda: [response(b"x" * 10_000_000)],
    "cut short": lambda: [response(b"x" * 10, length=20)],
    "compressed, which nobody asked for": lambda: [response(b"\x1f\x8b broken", headers=["Content-Encoding: gzip"])],
    "encoded as nobody knows": lambda: [response(b"xx", headers=["Content-Encoding: zstd"])],
}


@pytest.mark.parametrize("name", BODIES)
def test_what_comes_after_the_status_changes_nothing_about_it(name: str) -> None:
    begun = time.monotonic()
    with Listener(script=saying(BODIES[name])) as listener:
        answer = send(listener.port)
    assert isinstance(answer, Posted)
    assert answer.status_code == 200
    assert len(answer.text) <= TEXT_BYTES
    assert time.monotonic() - begun < BODY_SECONDS + 2


def dripping_head() -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for number in count():
        time.sleep(0.05)
        yield b"X-%d: 1\r\n" % number


def silence(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def reset(sock: socket.socket) -> None:
    sock.recv(1)
    raise Reset


FAILING: dict[str, tuple[Script, ErrorCode]] = {
    "silent": (silence, ErrorCode.TIMEOUT),
    "dripping its head": (saying(dripping_head), ErrorCode.TIMEOUT),
    "with an endless head": (
        saying(lambda: [b"HTTP/1.1 200 OK\r\n", *([b"X: " + b"x" * 4000 + b"\r\n"] * 20)]),
        ErrorCode.TOO_LARGE,
    ),
    "saying Continue without end": (
        saying(lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
        ErrorCode.TOO_LARGE,
    ),
    "hanging up": (saying(tuple), ErrorCode.HTTP_ERROR),
    "reset": (reset, ErrorCode.HTTP_ERROR),
    "no HTTP": (saying(lambda: [b"220 mail ready\r\n"]), ErrorCode.HTTP_ERROR),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_receiver_that_does_not_answer_is_asked_once_and_ends_in_time(name: str) -> None:
    script, expected = FAILING[name]
    begun = time.monotonic()
    with Listener(script=script) as listener:
        answer = send(listener.port, limits=BRIEF if expected is ErrorCode.TIMEOUT else POST_LIMITS)
        assert listener.connections == 1
    assert code(answer) is expected
    assert time.monotonic() - begun < 5


def test_nobody_there_is_told_as_that() -> None:
    assert code(send(CLOSED_PORT)) is ErrorCode.CONNECT_FAILURE


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://localhost/",
        "http://hook.example:8080/",
        "ftp://hook.example/",
        "file:///etc/passwd",
    ],
)
def test_nothing_is_sent_to_what_is_not_the_public_web(url: str) -> None:
    strict = Fetcher(policy=policy(), user_agent=AGENT, resolver=lambda *_: ["127.0.0.1"])
    assert code(send(0, url=url, by=strict)) is ErrorCode.BLOCKED_ADDRESS


def test_a_name_that_leads_inside_by_the_time_it_is_told_gets_nothing() -> None:
    """Rebinding: the name was public when the webhook was made, and is looked up anew for each delivery."""
    with Listener() as inner:
        answers = iter([["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]])
        strict = Fetcher(policy=policy(ports=(80, inner.port)), user_agent=AGENT, resolver=lambda *_: next(answers))
        for _ in range(2):
            answer = send(0, url=f"http://hook.example:{inner.port}/", by=strict)
            assert code(answer) is ErrorCode.BLOCKED_ADDRESS
        assert inner.connections == 0


def test_control_the_same_listener_is_reached_where_its_network_is_open() -> None:
    with Listener() as inner:
        reach = policy("127.0.0.0/8", ports=(80, inner.port))
        open_one = Fetcher(policy=reach, user_agent=AGENT, resolver=lambda *_: ["127.0.0.1"])
        assert code(send(0, url=f"http://hook.example:{inner.port}/", by=open_one, limits=BRIEF)) is ErrorCode.TIMEOUT
        assert inner.connections == 1


def test_a_name_without_an_address_is_told_as_that() -> None:
    def none(host: str, port: int) -> list[str]:
        raise OSError

    by = Fetcher(policy=policy(), user_agent=AGENT, resolver=none)
    assert code(send(0, by=by)) is ErrorCode.DNS_FAILURE


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return ca, file


@pytest.mark.parametrize(
    ("name", "is_trusted", "expected"),
    [
        ("hook.example", True, None),
        ("hook.example", False, ErrorCode.TLS_FAILURE),
        ("another.example", True, ErrorCode.TLS_FAILURE),
    ],
    ids=["trusted", "of nobody's authority", "of another name"],
)
def test_certificates_are_verified(
    authority: tuple[trustme.CA, Path], name: str, is_trusted: bool, expected: ErrorCode | None
) -> None:
    ca, file = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)

    def script(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            receive(tls)
            tls.sendall(response(b"ok"))

    with Listener(script=script) as listener:
        reach = policy("127.0.0.0/8", rules=(f"*.example=127.0.0.1:{listener.port}",))
        by = Fetcher(policy=reach, user_agent=AGENT, ca_file=str(file) if is_trusted else None)
        answer = send(0, url="https://hook.example/", by=by)
    if expected is None:
        assert isinstance(answer, Posted), answer
        assert answer.status_code == 200
    else:
        assert code(answer) is expected


def test_a_body_of_many_kilobytes_arrives_whole() -> None:
    seen: list[bytes] = []
    body = b"x" * 300_000
    with Listener(script=saying(lambda: [response()], seen)) as listener:
        assert isinstance(send(listener.port, body=body), Posted)
    assert seen[0].endswith(b"\r\n\r\n" + body)
