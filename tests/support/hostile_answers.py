"""What hostile and broken servers answer in plain HTTP: each row is one way to do harm, or to be wrong."""

import gzip
import time
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

from scrapersky.domain.status import ErrorCode
from support.hostile import Hostile
from support.loopback import Answer, Reset, redirect, response

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TIMEOUT, TOO_LARGE, HTTP_ERROR, REDIRECTS = (
    ErrorCode.TIMEOUT,
    ErrorCode.TOO_LARGE,
    ErrorCode.HTTP_ERROR,
    ErrorCode.TOO_MANY_REDIRECTS,
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def pieces(*sent: bytes) -> Answer:
    return lambda _: sent


def endless(*first: bytes, then: bytes) -> Answer:
    """As fast as it is taken."""
    return lambda _: chain(first, repeat(then))


def slowly(*first: bytes, then: Iterable[bytes], seconds: float = 0.02) -> Answer:
    """A piece at a time, each soon enough for any limit of one read."""

    def answer(path: str) -> Iterator[bytes]:
        yield from first
        for piece in then:
            time.sleep(seconds)
            yield piece

    return answer


def reset_after(*first: bytes) -> Answer:
    def answer(path: str) -> Iterator[bytes]:
        yield from first
        time.sleep(0.05)  # a reset overtakes what was sent just before
        raise Reset

    return answer


def encoded(body: bytes, *encodings: str) -> bytes:
    return response(body, headers=[f"Content-Encoding: {encoding}" for encoding in encodings])


def bomb(wbits: int, megabytes: int = 16) -> bytes:
    stream = zlib.compressobj(9, wbits=wbits)
    return b"".join(stream.compress(bytes(1 << 20)) for _ in range(megabytes)) + stream.flush()


def by_byte(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


GZIPPED = gzip.compress(b"page" * 99)
BOMB = bomb(31)
DOUBLE = gzip.compress(BOMB, mtime=0)
TRIPLE = gzip.compress(DOUBLE)
assert len(TRIPLE) < 600  # some hundred bytes, which are 16 MiB when they are unpacked three times

SLOW = [
    Hostile("silence", TIMEOUT, slowly(then=repeat(b""))),
    Hostile("slow head", TIMEOUT, slowly(HEAD, then=repeat(b"x"))),
    Hostile("slow status line", TIMEOUT, slowly(then=by_byte(HEAD * 9))),
    Hostile("slow body", TIMEOUT, slowly(HEAD + b"\r\n", then=repeat(b"x"))),
    Hostile("slow chunks", TIMEOUT, slowly(CHUNKED, then=repeat(chunk(b"x")))),
    Hostile("slow chunk size", TIMEOUT, slowly(CHUNKED, then=repeat(b"0"), seconds=0.1)),
    Hostile("slow trailer", TIMEOUT, slowly(CHUNKED, b"0\r\n", then=repeat(b"a"))),
    Hostile("slow gzip", TIMEOUT, slowly(HEAD + b"Content-Encoding: gzip\r\n\r\n", then=by_byte(GZIPPED * 99))),
    Hostile("slow 100", TIMEOUT, slowly(then=repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))),
    Hostile("slow redirects", TIMEOUT, slowly(then=[b"", *by_byte(redirect("/"))])),
    Hostile("half a second a byte of the status line", TIMEOUT, slowly(then=by_byte(HEAD), seconds=0.5)),
    Hostile("half a second a byte of the header", TIMEOUT, slowly(HEAD, then=repeat(b"x"), seconds=0.5)),
    Hostile("half a second a byte of the body", TIMEOUT, slowly(HEAD + b"\r\n", then=repeat(b"x"), seconds=0.5)),
    Hostile("all but the last byte", TIMEOUT, slowly(response(b"page", length=5), then=[b""] * 99, seconds=0.1)),
]

LARGE = [
    Hostile("declared size", TOO_LARGE, pieces(response(length=10**12)), says="larger than"),
    Hostile("endless body", TOO_LARGE, endless(HEAD, b"\r\n", then=b"x" * 65536), endless=True),
    Hostile("endless chunks", TOO_LARGE, endless(CHUNKED, then=chunk(b"x" * 65536)), endless=True),
    Hostile("tiny chunks", TOO_LARGE, endless(CHUNKED, then=chunk(b"x") * 4096), endless=True),
    Hostile("chunk extensions", TOO_LARGE, endless(CHUNKED, then=b"1;" + b"e" * 5000 + b"\r\nx\r\n"), endless=True),
    Hostile("a chunk extension of a megabyte", HTTP_ERROR, pieces(CHUNKED, b"1;" + b"e" * 2**20 + b"\r\nx\r\n")),
    Hostile("endless chunk extension", HTTP_ERROR, endless(CHUNKED, b"1;", then=b"e" * 65536), endless=True),
    Hostile("endless trailers", HTTP_ERROR, endless(CHUNKED, b"0\r\n", then=b"a: b\r\n" * 999), endless=True),
    Hostile("endless headers", TOO_LARGE, endless(HEAD, then=b"a: b\r\n" * 999), endless=True, says="header"),
    Hostile("endless header", TOO_LARGE, endless(HEAD, b"a: ", then=b"x" * 65536), endless=True, says="header"),
    Hostile("endless folded header", TOO_LARGE, endless(HEAD, b"a: b", then=b"\r\n c"), endless=True, says="header"),
    Hostile("endless reason", TOO_LARGE, endless(b"HTTP/1.1 200 ", then=b"x" * 65536), endless=True, says="header"),
    Hostile("endless empty lines", HTTP_ERROR, endless(then=b"\r\n" * 999), endless=True),
    Hostile("endless cookies", TOO_LARGE, endless(HEAD, then=b"Set-Cookie: a=b\r\n" * 999), endless=True),
    Hostile("endless 100", TOO_LARGE, endless(then=b"HTTP/1.1 100 Continue\r\n\r\n" * 99), endless=True),
    Hostile("endless 103", TOO_LARGE, endless(then=b"HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n" * 99), endless=True),
    Hostile("gzip bomb", TOO_LARGE, pieces(encoded(BOMB, "gzip"))),
    Hostile("deflate bomb", TOO_LARGE, pieces(encoded(bomb(15), "deflate"))),
    Hostile("raw deflate bomb", TOO_LARGE, pieces(encoded(bomb(-15), "deflate"))),
    Hostile("bomb in members", TOO_LARGE, pieces(encoded(bomb(31, 1) * 8, "gzip"))),
    Hostile(
        "bomb in chunks",
        TOO_LARGE,
        pieces(
            HEAD + b"Content-Encoding: gzip\r\n" + CHUNKED[len(HEAD) :],
            *(chunk(BOMB[at : at + 99]) for at in range(0, len(BOMB), 99)),
        ),
    ),
    Hostile(
        "endless gzip name",
        TOO_LARGE,
        endless(HEAD + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08\x08" + bytes(6), then=b"n" * 65536),
        endless=True,
    ),
    Hostile(
        "endless empty deflate blocks",
        TOO_LARGE,
        endless(HEAD + b"Content-Encoding: deflate\r\n\r\n", b"\x78\x9c", then=b"\x00\x00\x00\xff\xff" * 9999),
        endless=True,
    ),
]

ENCODINGS = [
    Hostile(
        "triple gzip, all declared", HTTP_ERROR, pieces(encoded(TRIPLE, "gzip, gzip, gzip")), says="more than once"
    ),
    Hostile("triple gzip in three headers", HTTP_ERROR, pieces(encoded(TRIPLE, "gzip", "gzip", "gzip"))),
    Hostile("triple gzip, one declared", DOUBLE, pieces(encoded(TRIPLE, "gzip"))),
    Hostile("deflate in gzip", HTTP_ERROR, pieces(encoded(gzip.compress(bomb(15)), "deflate, gzip")), says="once"),
    Hostile("a thousand encodings", HTTP_ERROR, pieces(encoded(TRIPLE, ", ".join(["gzip"] * 1000)))),
    Hostile("a thousand identities", b"page", pieces(encoded(b"page", "identity," * 1000))),
    Hostile("brotli", HTTP_ERROR, pieces(encoded(b"\x8b\x01\x80page\x03", "br")), says="not asked for"),
    Hostile("zstd", HTTP_ERROR, pieces(encoded(b"\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00page", "zstd")), says="not asked"),
    Hostile("compress", HTTP_ERROR, pieces(encoded(b"\x1f\x9d\x90page", "compress")), says="not asked for"),
    Hostile("dictionary-compressed", HTTP_ERROR, pieces(encoded(b"page", "dcb")), says="not asked for"),
    Hostile("unknown encoding", HTTP_ERROR, pieces(encoded(b"page", "x" * 999)), says="not asked for"),
    Hostile("encoding with a parameter", HTTP_ERROR, pieces(encoded(GZIPPED, "gzip;q=1")), says="not asked for"),
    Hostile("gzip in name only", HTTP_ERROR, pieces(encoded(b"<p>page", "gzip")), says="damaged"),
    Hostile("gzip that is deflate", HTTP_ERROR, pieces(encoded(zlib.compress(b"page"), "gzip")), says="damaged"),
    Hostile("gzip with garbage behind it", b"page" * 99, pieces(encoded(GZIPPED + b"garbage", "gzip"))),
    Hostile("gzip with zeros behind it", b"page" * 99, pieces(encoded(GZIPPED + bytes(999), "gzip"))),
    Hostile("gzip in two members", b"page" * 198, pieces(encoded(GZIPPED * 2, "gzip"))),
    Hostile("gzip in a thousand members", HTTP_ERROR, pieces(encoded(GZIPPED * 1000, "gzip")), says="pieces"),
    Hostile("short gzip", HTTP_ERROR, pieces(encoded(GZIPPED[:-9], "gzip")), says="ends early"),
    Hostile("gzip without its end", HTTP_ERROR, pieces(encoded(GZIPPED[:-1], "gzip")), says="ends early"),
    Hostile("gzip with a wrong sum", HTTP_ERROR, pieces(encoded(GZIPPED[:-8] + bytes(8), "gzip")), says="damaged"),
    Hostile("gzip with a wrong size", HTTP_ERROR, pieces(encoded(GZIPPED[:-4] + bytes(4), "gzip")), says="damaged"),
    Hostile("empty gzip", b"", pieces(encoded(b"", "gzip"))),
    Hostile("gzip as transfer", HTTP_ERROR, pieces(HEAD, b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
]

FRAMING = [
    Hostile("short body", HTTP_ERROR, pieces(response(b"half", length=8))),
    Hostile("long body", b"page", pieces(response(b"page and more", length=4))),
    Hostile("second answer", b"page", pieces(response(b"page") + response(b"forged"))),
    Hostile("length below zero", HTTP_ERROR, pieces(HEAD + b"Content-Length: -1\r\n\r\n")),
    Hostile("two lengths", HTTP_ERROR, pieces(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx")),
    Hostile("two lengths in one header", HTTP_ERROR, pieces(HEAD + b"Content-Length: 1, 2\r\n\r\nxx")),
    Hostile("one length twice", b"page", pieces(HEAD + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("length with a sign", HTTP_ERROR, pieces(HEAD + b"Content-Length: +4\r\n\r\npage")),
    Hostile("length in hexadecimal", HTTP_ERROR, pieces(HEAD + b"Content-Length: 0x4\r\n\r\npage")),
    Hostile("length in wide digits", HTTP_ERROR, pieces(HEAD + "Content-Length: \uff14\r\n\r\npage".encode())),
    Hostile("no length in the header", HTTP_ERROR, pieces(HEAD + b"Content-Length:\r\n\r\npage")),
    Hostile("absurd length", HTTP_ERROR, pieces(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n")),
    Hostile(
        "length and chunks",
        b"page",
        pieces(HEAD + b"Content-Length: 2\r\n" + CHUNKED[len(HEAD) :], chunk(b"page"), b"0\r\n\r\n"),
    ),
    Hostile("chunked twice", HTTP_ERROR, pieces(HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")),
    Hostile("unknown transfer", HTTP_ERROR, pieces(HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
    Hostile("identity transfer", HTTP_ERROR, pieces(HEAD + b"Transfer-Encoding: identity\r\n\r\npage")),
    *[
        Hostile(f"chunk size {size!r}", HTTP_ERROR, pieces(CHUNKED, size + b"\r\npage\r\n0\r\n\r\n"))
        for size in (
            b"zz",
            b"-4",
            b"+4",
            b"0x4",
            b" 4",
            b"",
            b"4\n",
            b"\xef\xbc\x94",
            b"f" * 16,
            b"f" * 5000,
            b"7" + b"f" * 15,
        )
    ],
    Hostile("chunk without its end", HTTP_ERROR, pieces(CHUNKED, b"4\r\npageXX0\r\n\r\n")),
    Hostile("chunks in bare line feeds", HTTP_ERROR, pieces(CHUNKED, b"4\npage\n0\n\n")),
    Hostile("short chunk", HTTP_ERROR, pieces(CHUNKED, b"8\r\nhalf")),
    Hostile("no last chunk", HTTP_ERROR, pieces(CHUNKED, chunk(b"half"))),
    Hostile(
        "trailers that are headers",
        b"page",
        pieces(CHUNKED, chunk(b"page"), b"0\r\nLocation: /\r\nContent-Length: 9\r\n\r\n"),
    ),
    Hostile("204 with a body", b"", pieces(response(b"body", status="204 No Content"))),
    Hostile("304 with a body", b"", pieces(response(b"body", status="304 Not Modified"))),
    Hostile("no answer", HTTP_ERROR, pieces()),
    Hostile("half a status line", HTTP_ERROR, pieces(HEAD[:9])),
    Hostile("half a head", HTTP_ERROR, pieces(HEAD)),
    Hostile("reset at once", HTTP_ERROR, reset_after()),
    Hostile("reset in the status line", HTTP_ERROR, reset_after(HEAD[:9])),
    Hostile("reset in the head", HTTP_ERROR, reset_after(HEAD)),
    Hostile("reset before the body", HTTP_ERROR, reset_after(HEAD + b"\r\n")),
    Hostile("reset in the body", HTTP_ERROR, reset_after(response(b"half", length=8))),
    Hostile("reset in a chunk", HTTP_ERROR, reset_after(CHUNKED, b"8\r\nhalf")),
    Hostile("reset after the last byte", b"page", reset_after(response(b"page"))),
]

PROTOCOL = [
    Hostile("another protocol", HTTP_ERROR, pieces(b"SSH-2.0-OpenSSH_9.2\r\n")),
    Hostile("HTTP/0.9", HTTP_ERROR, pieces(b"<html></html>\r\n\r\n")),
    Hostile("HTTP/1.0", b"page", pieces(b"HTTP/1.0 200 OK\r\n\r\npage")),
    Hostile("HTTP/2 preface", HTTP_ERROR, pieces(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    Hostile("HTTP/2 settings", HTTP_ERROR, pieces(b"\x00\x00\x12\x04" + bytes(23))),
    Hostile("lower-case version", HTTP_ERROR, pieces(b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    Hostile("ICY", HTTP_ERROR, pieces(b"ICY 200 OK\r\n\r\npage")),
    Hostile("binary", HTTP_ERROR, pieces(bytes(range(256)) + b"\r\n\r\n")),
    *[
        Hostile(f"status {status}", HTTP_ERROR, pieces(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode()))
        for status in ("0", "000", "99", "099", "abc", "-12", "20", "2000", "99999", "2 0", "0x1")
    ],
    Hostile("status 999", b"", pieces(response(status="999 Request denied"))),
    Hostile("status without reason", b"page", pieces(b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("101 with an upgrade", HTTP_ERROR, pieces(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\npage"
    )),
    Hostile("101 and an answer", HTTP_ERROR, pieces(b"HTTP/1.1 101 x\r\n\r\n" + response(b"page"))),
    Hostile("100 and an end", HTTP_ERROR, pieces(b"HTTP/1.1 100 Continue\r\n\r\n")),
    Hostile("100 and an answer", b"page", pieces(b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"page"))),
    Hostile("bare line feeds", b"page", pieces(b"HTTP/1.1 200 OK\nContent-Length: 4\n\npage")),
    Hostile("bare carriage returns", HTTP_ERROR, pieces(b"HTTP/1.1 200 OK\rContent-Length: 4\r\rpage")),
    Hostile("folded header", b"page", pieces(HEAD + b"X-Long: a\r\n b\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("folded first line", HTTP_ERROR, pieces(b"HTTP/1.1 200 OK\r\n Content-Length: 4\r\n\r\npage")),
    Hostile("null in a header", HTTP_ERROR, pieces(HEAD + b"X: a\0b\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("null in a header's name", HTTP_ERROR, pieces(HEAD + b"X\0: a\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("null in the status line", HTTP_ERROR, pieces(b"HTTP/1.1 200 O\0K\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("space before the colon", HTTP_ERROR, pieces(HEAD + b"Content-Length : 4\r\n\r\npage")),
    Hostile("header without a colon", HTTP_ERROR, pieces(HEAD + b"nonsense\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("header without a name", HTTP_ERROR, pieces(HEAD + b": x\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("bytes in a header", b"page", pieces(HEAD + b"X: \xff\xfe\x80\r\nContent-Length: 4\r\n\r\npage")),
    Hostile("odd cookies", b"page", pieces(response(b"page", headers=[
        "Set-Cookie: \x01=; expires=\xff; max-age=" + "9" * 5000, "Set-Cookie: =",
        'Set-Cookie: a="b; domain=.; path=\\',
        "Set-Cookie: a=b; expires=" + "1" * 5000, "Set-Cookie: " + ";" * 5000, "Set-Cookie: a=b; domain=example",
    ]))),
    Hostile("redirect loop", REDIRECTS, pieces(redirect("/"))),
    Hostile("growing redirect", REDIRECTS, lambda path: [redirect(path + "x")]),
    Hostile("redirect to no URL", HTTP_ERROR, pieces(redirect("http://")), says="no valid URL"),
    Hostile("redirect to no host", HTTP_ERROR, pieces(redirect("http://a b/")), says="no valid URL"),
    Hostile("redirect of a megabyte", TOO_LARGE, pieces(redirect("/" + "x" * 2**20)), says="header"),
    Hostile("redirect with an endless body", REDIRECTS, endless(
        b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", then=b"x" * 65536
    ), endless=True),
    Hostile("redirect with a bomb", REDIRECTS, pieces(response(
        BOMB, status="302 Found", headers=["Location: /", "Content-Encoding: gzip"]
    ))),
]  # fmt: skip

IN_PLAIN = [*SLOW, *LARGE, *ENCODINGS, *FRAMING, *PROTOCOL]
