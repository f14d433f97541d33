"""What servers answer badly, and what they never finish. Each row of the table is one way to do harm."""

import gzip
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import FetchFailure
from scrapersky.scraping.limits import MAX_PIECES
from support.fetching import BRIEF, SMALL, fetch
from support.loopback import Answer, Listener, redirect, response
from support.stopwatch import Stopwatch


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
    limits = BRIEF if hostile.code is ErrorCode.TIMEOUT else SMALL
    with Listener(hostile.answer) as listener, Stopwatch() as watch:
        answer = fetch(listener.port, limits=limits)
        took = watch.seconds
    assert isinstance(answer, FetchFailure)
    assert (answer.code, hostile.says in answer.message) == (hostile.code, True), answer.message
    assert took < BRIEF.seconds + 0.4
    assert answer.wire_bytes <= limits.wire_bytes
    assert "127.0.0.1" not in answer.message


def test_a_page_in_single_bytes_is_given_up_early() -> None:
    with Listener(lambda _: iter([CHUNKED, *[chunk(b"x") * 4096] * 100])) as listener:
        answer = fetch(listener.port)
    assert isinstance(answer, FetchFailure)
    assert (answer.code, answer.wire_bytes) == (ErrorCode.TOO_LARGE, MAX_PIECES)
