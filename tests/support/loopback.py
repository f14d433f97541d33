"""A listener on loopback that answers by a script and remembers what reached it."""

import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Self

CLOSED_PORT = 1
"""tcpmux (RFC 1078), which nothing listens on: a port that was free a moment ago may be somebody's by now."""

Answer = Callable[[str], Iterable[bytes]]
"""The path that was asked for -> the bytes to send, piece by piece; then, or if there are none, it hangs up."""

Script = Callable[[socket.socket], None]
"""What is done with a connection from its first byte on, TLS included; then it is closed."""


class Reset(Exception):
    """Raised by an answer or a script: the connection ends in a reset, and what was sent before may be lost."""


def response(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    headers: Iterable[str] = (),
    length: int | None = None,
) -> bytes:
    """A complete HTTP/1.1 answer. `length` declares another Content-Length than the body has."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    return response(status=status, headers=[f"Location: {location}"])


class Listener:
    """A TCP server: `answer` is run for each request. `connections` counts what reached it, `paths` what was asked.

    With `tls`, every connection must be a TLS one. With `script` in place of `answer`, that is all it does with a
    connection; without either it is accepted and kept silent.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        script: Script | None = None,
        address: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        keep_alive: bool = False,
    ) -> None:
        self._answer = answer
        self._script = script
        self._tls = tls
        self._keep_alive = keep_alive
        self.connections = 0
        self.paths: list[str] = []
        self.heads: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._socket = _listen(address)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._socket, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in (self._socket, *self._open):
            sock.close()

    def wait_closed(self) -> None:
        """Wait until every connection so far has been served and closed."""
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listening socket is shut down at the end
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.append(connection)
                if self._answer is not None:
                    self._start(partial(self._serve, connection, self._answer))
                elif self._script is not None:
                    self._start(partial(self._act, connection, self._script))

    def _act(self, sock: socket.socket, script: Script) -> None:
        try:
            with suppress(OSError):
                script(sock)
                sock.shutdown(socket.SHUT_RDWR)
        except Reset:
            _reset(sock)

    def _serve(self, sock: socket.socket, answer: Answer) -> None:
        try:
            with suppress(OSError):  # the client may hang up at any point: what it makes of that is what tests look at
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                    self._open.append(sock)
                self._converse(sock, answer)
                sock.shutdown(socket.SHUT_RDWR)
        except Reset:
            _reset(sock)

    def _converse(self, sock: socket.socket, answer: Answer) -> None:
        while head := _read_head(sock):
            self.heads.append(head)
            path = head.split(b" ")[1].decode()
            self.paths.append(path)
            is_answered = False
            for piece in answer(path):
                sock.sendall(piece)
                is_answered = True
            if not (self._keep_alive and is_answered):
                break


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _listen(address: str) -> socket.socket:
    """A socket on a free port below the range that outgoing connections are given."""
    while True:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, random.randrange(20000, 32768)))
            sock.listen()  # fails as well when somebody else has bound the port meanwhile
        except OSError:
            sock.close()
            continue
        return sock


def _read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(65536)
        if not data:
            return b""
        head += data
    return head


@contextmanager
def serving(*pieces: bytes) -> Iterator[Listener]:
    """A listener that answers every request with the same bytes."""

    def answer(path: str) -> Iterable[bytes]:
        return pieces

    with Listener(answer) as listener:
        yield listener


def says(*pieces: bytes) -> Script:
    """A script that says this, whatever it is asked."""

    def script(sock: socket.socket) -> None:
        sock.recv(65536)  # unread bytes would turn the close into a reset
        for piece in pieces:
            sock.sendall(piece)

    return script
