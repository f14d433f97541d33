"""A gzip file as it comes (RFC 1952), inflated in pieces of a bounded size."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

MAGIC: Final = b"\x1f\x8b"

PIECE_BYTES: Final = 64 * 1024
"""What is inflated at a time: a bomb makes no more than this before it is looked at again."""

MAX_MEMBERS: Final = 4096
"""Members of one file, each of which costs a new decompressor. Block-wise compressors make one per 64 KiB: this many
are 256 MiB."""


class Gunzip:
    """Inflates a file of one or more members. What follows the last and is no further one is ignored, as gzip does."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._rest = b""
        self._is_over = False
        self.fault: str | None = None
        """Why no more comes of it, in words; None while all is well."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the data inflates to, in pieces. To be read to its end, or not asked again."""
        data, self._rest = self._rest + data, b""
        while data and not self._is_over:
            if self._member.eof:
                if len(data) < len(MAGIC):
                    self._rest = data
                    return
                if not self._begin(data):
                    return
            before = self._member.copy()
            try:
                piece = self._member.decompress(data, PIECE_BYTES)
            except zlib.error:
                self._end("it is a damaged gzip file")
                yield _up_to_damage(before, data)
                return
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                yield piece
            elif not data:
                return

    def close(self) -> None:
        """To be called at the end of the data: `fault` then tells whether it came too early."""
        if not self._is_over and not self._member.eof:
            self._end("it is a gzip file that ends early")

    def _begin(self, data: bytes) -> bool:
        """Go on with the next member, if one begins here."""
        self._members += 1
        if not data.startswith(MAGIC):
            self._is_over = True
        elif self._members > MAX_MEMBERS:
            self._end("it is a gzip file of too many members")
        else:
            self._member = zlib.decompressobj(wbits=31)
        return not self._is_over

    def _end(self, fault: str) -> None:
        self._is_over = True
        self.fault = fault


def _up_to_damage(member: "zlib._Decompress", data: bytes) -> bytes:
    """What data that fails inflates to until then: zlib gives nothing of a call that failed.

    No more than of one call that did not fail, as this one failed before it had as much.
    """
    out = bytearray()
    with suppress(zlib.error):
        for position in range(len(data)):
            out += member.decompress(data[position : position + 1])
    return bytes(out)
