"""Any bytes as an answer: the fetch ends typed, whatever they are, over a connection that is no socket."""

from collections.abc import Sequence

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, FetchFailure, SiteClient
from scrapersky.scraping.guard import PUBLIC, GuardedBackend
from scrapersky.scraping.limits import PAGE_LIMITS, FetchLimits
from scrapersky.scraping.streams import Meter, MeteredStream
from scrapersky.scraping.transport import GuardedTransport

SMALL = FetchLimits(seconds=20, wire_bytes=4096, body_bytes=1024, header_bytes=2048)


class Wire:
    """A connected socket of which these pieces can be read, one a time, and then its end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)

    def settimeout(self, seconds: float) -> None: ...

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self._pieces:
            return b""
        piece, rest = self._pieces[0][:size], self._pieces[0][size:]
        self._pieces[:1] = [rest] if rest else []
        return piece

    def fileno(self) -> int:
        return -1  # closed, as far as anybody may ask

    def close(self) -> None: ...


class Wired(GuardedBackend):
    """Connects to the same answer, whoever is asked for."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(PUBLIC, lambda *_: [], Meter(0.0, PAGE_LIMITS, lambda: False))
        self._pieces_sent = pieces

    def connect_tcp(self, *_: object, **__: object) -> MeteredStream:
        self.opened += 1
        return MeteredStream(Wire(self._pieces_sent), lambda: self.meter)  # type: ignore[arg-type]


def answer_of(pieces: Sequence[bytes]) -> Fetched | FetchFailure:
    backend = Wired([piece for piece in pieces if piece])
    with GuardedTransport(backend, httpx.create_ssl_context(verify=False)) as transport:
        client = SiteClient(transport, backend, "agent")
        return client.get("http://shop.example/", deadline=float("inf"), limits=SMALL)


LINES = st.sampled_from(
    [
        *[
            b"HTTP/1.1 200 OK",
            b"HTTP/1.0 302 x",
            b"HTTP/1.1 103 x",
            b"HTTP/1.1 204",
            b"HTTP/1.1 101 x",
            b"HTTP/9.9 999",
        ],
        *[b"Content-Length: 4", b"Content-Length: 99", b"Content-Length: -1", b"Transfer-Encoding: chunked"],
        *[b"Content-Encoding: gzip", b"Content-Encoding: deflate", b"Content-Encoding: br", b"Connection: close"],
        *[
            b"Location: /",
            b"Location: http://\\xff/",
            b"Location: //[::1]/",
            b"Set-Cookie: a=b; path=/",
            b"Set-Cookie: =",
        ],
        *[b" folded", b"X: \xff\x80", b"X\x00: y", b": z", b"", b"4", b"0", b"page", b"ffffffffffffffff"],
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\n\r\n", b""])
MESSAGES = st.lists(st.tuples(LINES | st.binary(max_size=40), ENDS), max_size=20).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
HEADED = st.builds(
    lambda head, rest: b"HTTP/1.1 " + head + b"\r\n" + rest,
    st.sampled_from([b"200 OK", b"301 x", b"500 x", b"404"]),
    MESSAGES,
)


@pytest.mark.filterwarnings("ignore:http.cookiejar bug")  # its word for a Set-Cookie that it cannot read
@settings(max_examples=300)
@given(st.lists(st.binary(max_size=400) | MESSAGES | HEADED, max_size=6))
@example([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"])
@example([b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; expires=\x01\r\nContent-Length: 0\r\n\r\n"])
def test_any_answer_ends_typed_and_within_its_limits(pieces: list[bytes]) -> None:
    answer = answer_of(pieces)
    assert answer.wire_bytes <= SMALL.wire_bytes
    assert len(answer.redirects) <= SMALL.redirects
    if isinstance(answer, Fetched):
        assert len(answer.body) <= SMALL.body_bytes
        assert 200 <= answer.status_code <= 999
    else:
        assert answer.code in {
            ErrorCode.HTTP_ERROR,
            ErrorCode.TOO_LARGE,
            ErrorCode.TOO_MANY_REDIRECTS,
            ErrorCode.TLS_FAILURE,
            ErrorCode.BLOCKED_ADDRESS,
        }


def test_control_an_answer_in_any_pieces_is_read() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"
    for size in (1, 7, len(whole)):
        answer = answer_of([whole[at : at + size] for at in range(0, len(whole), size)])
        assert isinstance(answer, Fetched)
        assert answer.body == b"page"
