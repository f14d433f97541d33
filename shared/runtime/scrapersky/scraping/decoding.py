"""Response bodies: decompressed piece by piece, each of a bounded size, never on trust."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What is asked for, and all that is read: the standard library decodes it with a bound on the output."""

MAX_GZIP_MEMBERS: Final = 16
"""RFC 1952 2.2 lets a gzip body have several members; real ones have one. Each costs a new decompressor."""

PIECE_BYTES: Final = 64 * 1024
"""The most that is decoded at a time: what is read from a socket at a time, so that most pieces pass as they are."""


class _Decoder(Protocol):
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to, in pieces of PIECE_BYTES at the most, each made when it is asked for."""

    def finish(self) -> None:
        """Raise FetchError when the body is not complete."""


def decoded(chunks: Iterable[bytes], content_encoding: str | None) -> Iterator[bytes]:
    """The decoded body in pieces of 1 to PIECE_BYTES bytes. No more is read or decoded than is asked for.

    Raises FetchError with HTTP_ERROR for an encoding that was not asked for, for nested ones (the way to multiply a
    bomb), and for data that is broken or ends early.
    """
    decoder = _decoder(content_encoding)
    for chunk in chunks:
        yield from decoder.feed(chunk)
    decoder.finish()


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
    def feed(self, data: bytes) -> Iterator[bytes]:
        if len(data) <= PIECE_BYTES:  # as nearly all are
            if data:
                yield data
            return
        for at in range(0, len(data), PIECE_BYTES):
            yield data[at : at + PIECE_BYTES]

    def finish(self) -> None:
        """Nothing tells the end: httpcore holds the body to its Content-Length or chunks."""


class _Gzip:
    """RFC 1952. What follows the last member and is no further one is ignored, as browsers do."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 0
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                if not data.startswith(b"\x1f"):
                    break
                self._next_member()
            self._begun = True
            yield from _inflated(self._member, data)
            data = self._member.unused_data

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

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:
                return
            data = self._head
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._stream = zlib.decompressobj(wbits=15 if is_zlib else -15)
        if not self._stream.eof:
            yield from _inflated(self._stream, data)

    def finish(self) -> None:
        if self._head and (self._stream is None or not self._stream.eof):
            raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer ends early")


def _inflated(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """All that `data` inflates to, however much that is, in pieces that are made when they are asked for."""
    while True:
        try:
            piece = stream.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise FetchError(ErrorCode.HTTP_ERROR, "the compressed answer is damaged") from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # After a full piece there may be more to come, although all of `data` was taken in.
        if stream.eof or (not data and len(piece) < PIECE_BYTES):
            return
