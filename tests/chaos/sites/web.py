"""All sites of a run at one port of loopback, told apart by the Host header.

    python -m chaos.sites.web SEED

As a program it says its port on standard output and serves until it is killed.
"""

import socket
import socketserver
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from subprocess import PIPE, Popen

from chaos.sites import answers, formats, found, indexes, rescans, statuses
from chaos.sites.fixture import ELSEWHERE, HTML, KINDS, NOT_FOUND, Page, Pages, Request, made, text
from support.loopback import Reset
from support.sitemap_site import urlset, xml

__all__ = ["KINDS", "answers", "formats", "found", "indexes", "rescans", "served", "statuses"]

IDLE_SECONDS = 60.0
BACKLOG = 256
HANDSHAKE = b"\x16"  # RFC 8446 5.1: what a TLS client's first record begins with

ELSEWHERE_PAGES: Pages = {"/robots.txt": NOT_FOUND, "*": xml(urlset([f"http://{ELSEWHERE}/not-of-the-site"]))}


class Server(socketserver.ThreadingTCPServer):
    """The sites that `seed` draws."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = BACKLOG

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.seed = seed
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def answer(self, path: str, headers: Mapping[str, str]) -> bytes | Iterable[bytes]:
        """A whole answer, or one that is made while it is sent."""
        host = headers["host"].partition(":")[0]
        with self._lock:
            seen = self._seen[host, path]
            self._seen[host, path] += 1
        site = made(host, self.seed)
        page = _page(ELSEWHERE_PAGES if site is None else site[0], path)
        return page if isinstance(page, bytes) else page(Request(host, path, seen, headers))


class Connection(socketserver.BaseRequestHandler):
    """One connection, over which several whole answers may go."""

    server: Server

    def handle(self) -> None:
        sock: socket.socket = self.request
        sock.settimeout(IDLE_SECONDS)
        try:
            with suppress(OSError):  # the client may hang up at any point
                while head := _head(sock):
                    answer = self.server.answer(*_asked(head))
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        sock.sendall(piece)
                    if not isinstance(answer, bytes):
                        break
        except Reset:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()


def _page(pages: Pages, path: str) -> Page:
    if path == "/" and "/" not in pages and "*" not in pages:
        return text(HTML, "text/html; charset=utf-8")
    return pages.get(path, pages.get("*", NOT_FOUND))


def _head(sock: socket.socket) -> bytes:
    """The head of the next request; empty when there is none, or none of HTTP."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        data = sock.recv(65536)
        if not data or data.startswith(HANDSHAKE):
            return b""
        head += data
    return head


def _asked(head: bytes) -> tuple[str, dict[str, str]]:
    """(path, headers) of a request."""
    first, *lines = head.decode("latin-1").split("\r\n")
    named = (line.partition(":") for line in lines if line)
    return first.split(" ")[1], {name.lower(): value.strip() for name, _, value in named}


@contextmanager
def served(seed: int, tests: str) -> Iterator[int]:
    """The port of the sites, which a process of their own serves."""
    command = [sys.executable, "-m", "chaos.sites.web", str(seed)]
    with Popen(command, stdout=PIPE, cwd=tests, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main(seed: int) -> None:
    with Server(seed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main(int(sys.argv[1]))
