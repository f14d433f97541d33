"""What hostile and broken servers do where TLS is expected: before the handshake ends, and inside of it."""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

from scrapersky.domain.status import ErrorCode
from support.hostile import Hostile
from support.hostile_answers import BOMB, CHUNKED, HEAD, by_byte, chunk, encoded, endless, pieces, reset_after, slowly
from support.loopback import Reset, Script, response

TLS_FAILURE, TIMEOUT = ErrorCode.TLS_FAILURE, ErrorCode.TIMEOUT

Made = Callable[[ssl.SSLContext], Script]


def before(*sent: bytes) -> Made:
    """Says this to the first message of the handshake, and closes."""
    return before_all(lambda: sent)


def before_all(sent: Callable[[], Iterable[bytes]]) -> Made:
    def script(sock: socket.socket) -> None:
        sock.recv(65536)
        for piece in sent():
            sock.sendall(piece)

    return lambda _: script


def silence(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def reset_first(sock: socket.socket) -> None:
    raise Reset


def reset_in_handshake(sock: socket.socket) -> None:
    sock.recv(65536)
    raise Reset


def dripping(seconds: float) -> Made:
    """A handshake in good order, a byte at a time."""

    def made(context: ssl.SSLContext) -> Script:
        def script(sock: socket.socket) -> None:
            arrived, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(arrived, to_send, server_side=True)
            arrived.write(sock.recv(65536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                for byte in by_byte(to_send.read()):
                    time.sleep(seconds)
                    sock.sendall(byte)

        return script

    return made


def after(sent: Callable[[], Iterable[bytes]]) -> Made:
    """Ends the handshake in good order, takes the request, and goes on without TLS."""

    def made(context: ssl.SSLContext) -> Script:
        def script(sock: socket.socket) -> None:
            with context.wrap_socket(sock.dup(), server_side=True) as tls:
                tls.recv(65536)
                for piece in sent():
                    sock.sendall(piece)

        return script

    return made


def resets() -> Iterator[bytes]:
    raise Reset
    yield b""


ALERT = b"\x15\x03\x03\x00\x02"
RECORD = b"\x16\x03\x03"
HELLO_OF_16_MIB = RECORD + b"\x40\x00\x02\xff\xff\xff" + bytes(0x4000 - 4)

HANDSHAKES = {
    "hang-up": before(),
    "reset in the handshake": lambda _: reset_in_handshake,
    "plain HTTP": before(response(b"page")),
    "plain redirect": before(response(status="301 x", headers=["Location: http://127.0.0.1/"])),
    "another protocol": before(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "zeros": before(bytes(64)),
    "fatal alert": before(ALERT + b"\x02\x28"),
    "unknown alert": before(ALERT + b"\x02\xff"),
    "close alert": before(ALERT + b"\x01\x00"),
    "half a record": before(RECORD + b"\x00\x50\x02"),
    "endless alerts": before_all(lambda: repeat((ALERT + b"\x01\x5a") * 999)),
    "endless empty records": before_all(lambda: repeat((RECORD + b"\x00\x00") * 999)),
    "endless hello": before_all(lambda: repeat(HELLO_OF_16_MIB)),
    "endless garbage": before_all(lambda: repeat(b"\xaa" * 65536)),
    "plain HTTP after the handshake": after(lambda: [response(b"page")]),
    "garbage after the handshake": after(lambda: [b"\x17\x03\x03\x00\x40" + bytes(64)]),
    "a record too long": after(lambda: [b"\x17\x03\x03\xff\xff" + bytes(65535)]),
    "half a record after the handshake, and on": after(lambda: [b"\x17\x03\x03\x40\x00", *[b"x" * 999] * 17]),
}

SLOW_HANDSHAKES = {
    "silence": lambda _: silence,
    "slow handshake": dripping(0.02),
    "half a second a byte of the handshake": dripping(0.5),
}

IN_TLS = [
    *[Hostile(f"https: {name}", TLS_FAILURE, script=made, https=True) for name, made in HANDSHAKES.items()],
    *[
        Hostile(f"https: {name}", TLS_FAILURE, script=made, https=True, by_time=True)
        for name, made in SLOW_HANDSHAKES.items()
    ],
    Hostile(
        "https: reset at once", TLS_FAILURE, script=lambda _: reset_first, https=True, also=ErrorCode.CONNECT_FAILURE
    ),
    Hostile("https: reset after the handshake", ErrorCode.HTTP_ERROR, script=after(resets), https=True),
    Hostile("https: no answer", ErrorCode.HTTP_ERROR, pieces(), https=True),
    Hostile("https: silence after the handshake", TIMEOUT, slowly(then=repeat(b"")), https=True),
    Hostile("https: slow head", TIMEOUT, slowly(HEAD, then=repeat(b"x")), https=True),
    Hostile("https: slow body", TIMEOUT, slowly(HEAD, b"\r\n", then=repeat(b"x"), seconds=0.5), https=True),
    Hostile("https: half a head", ErrorCode.HTTP_ERROR, pieces(HEAD), https=True),
    Hostile("https: short body", ErrorCode.HTTP_ERROR, pieces(response(b"half", length=8)), https=True),
    Hostile("https: reset in the body", ErrorCode.HTTP_ERROR, reset_after(response(b"half", length=8)), https=True),
    Hostile(
        "https: endless body", ErrorCode.TOO_LARGE, endless(HEAD, b"\r\n", then=b"x" * 65536), https=True, endless=True
    ),
    Hostile(
        "https: tiny chunks", ErrorCode.TOO_LARGE, endless(CHUNKED, then=chunk(b"x") * 99), https=True, endless=True
    ),
    Hostile("https: endless head", ErrorCode.TOO_LARGE, endless(HEAD, then=b"a: b\r\n" * 99), https=True, endless=True),
    Hostile("https: gzip bomb", ErrorCode.TOO_LARGE, pieces(encoded(BOMB, "gzip")), https=True),
    Hostile("https: a page", b"page", pieces(response(b"page")), https=True),
]
