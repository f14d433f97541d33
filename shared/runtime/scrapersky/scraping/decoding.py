"""Response bodies: collected and decompressed with a bound on what comes out, never on trust."""

import zlib
from collections.abc import Iterable
from typing import Final, Protocol

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What is asked for, and all that is read: the standard library decodes it with a bound on the output."""

MAX_GZIP_MEMBERS: Final = 16
"""RFC 1952 2.2 lets a gzip body have several members; real ones have one. Each costs a new decompressor."""


class _Decoder(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """What `data` decodes to, `room` bytes at the most; the rest is dropped, and is not asked for again."""

    def finish(self) -> None:
        """Raise FetchError when the body is not complete."""


def read_body(chunks: Iterable[bytes], content_encoding: str | None, limit: int) -> tuple[bytes, bool]:
    """(the decoded body, whether that is all of it): at most `limit` bytes, read no further than they need.

    Raises FetchError with HTTP_ERROR for an encoding that was not asked for, for nested ones (the way to multiply a
    bomb), and for data that is broken or ends early.
    """
    decoder = _decoder(content_encoding)
    body = bytearray()
    for chunk in chunks:
        # One byte more than allowed tells a body of exactly the limit from a longer one.
        body += decoder.feed(chunk, limit + 1 - len(body))
        if len(body) > limit:
            return bytes(memoryview(body)[:limit]), False
    decoder.finish()
    return bytes(body), True


def _decoder(content_encoding: str | None) -> _Decoder:
    """The decoder for a Content-Encoding header (RFC 9110 8.4)."""
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return _Identity()
    if len(names) > 1:
        raise FetchError(ErrorCode.HTTP_ERROR, "the answer is compressed more than once")
    if names[0] in ("gzip", "x-gzip"):
        return _Gzip()
    if names[0] == "deflate":
        return _Deflate()
    raise FetchError(ErrorCode.HTTP_ERROR, "the answer has a content encoding that was not asked for")


class _Identity:
    def feed(self, data: bytes, room: int) -> bytes:
        return data[:room]

    def finish(self) -> None:
        """Nothing tells the end: httpcore holds the body to its Content-Length or chunks."""


class _Gzip:
    """RFC 1952. What follows the last member and is no further one is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 0
        self._begun = False

    def feed(self, data: bytes, room: int) -> bytes:
        out = b""
        while data and len(out) < room:
            if self._member.eof:
                if not data.startswith(b"\x1f"):
                    break
                self._next_member()
            self._begun = True
            out += _inflate(self._member, data, room - len(out))
            data = self._member.unused_data
        return out

    def finish(self) -> None:
        if self._begun and not self._member.eof:
            raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer ends early")

    def _next_member(self) -> None:
        self._members += 1
        if self._members >= MAX_GZIP_MEMBERS:
            raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer is in too many pieces")
        self._member = zlib.decompressobj(wbits=31)


class _Deflate:
    """RFC 9110 8.4.1.2 means zlib (RFC 1950); some servers send the bare stream (RFC 1951), told by its first bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:
                return b""
            data = self._head
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._stream = zlib.decompressobj(wbits=15 if is_zlib else -15)
        return b"" if self._stream.eof else _inflate(self._stream, data, room)

    def finish(self) -> None:
        if self._head and (self._stream is None or not self._stream.eof):
            raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer ends early")


def _inflate(stream: "zlib._Decompress", data: bytes, room: int) -> bytes:
    """At most `room` bytes (one or more) of output, however much the data would inflate to."""
    try:
        return stream.decompress(data, room)
    except zlib.error as error:
        raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer is damaged") from error
