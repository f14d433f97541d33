"""A web of as many small sites as a test wants, all on one port of loopback, that remembers who was fetched when."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from scrapersky_local.processes import free_port
from support.loopback import CLOSED_PORT

DOMAIN = "crowd.example"
PAGE = b"<!doctype html><title>One of many</title><p>Write to <a href='mailto:hello@crowd.example'>us</a>.</p>"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request. `at` is on this process' monotonic clock."""

    at: float
    host: str
    path: str


@dataclass(slots=True)
class Crowd:
    """The running web. Every site answers its home page after `latency` seconds and has no robots.txt."""

    port: int
    latency: float = 0.0
    traps: dict[str, Callable[[], object]] = field(
        default_factory=dict
    )  # what happens when a host's home page is asked for
    seen: list[Fetch] = field(default_factory=list)
    _fetched: dict[str, int] = field(default_factory=dict)
    _most: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hosts(self, group: str, number: int) -> list[str]:
        """That many sites; a test's own `group` keeps them apart from other tests'."""
        return [f"{group}-{index:04}.{DOMAIN}" for index in range(number)]

    def resolve_rules(self) -> tuple[str, ...]:
        return (f"*.{DOMAIN}:80=127.0.0.1:{self.port}", f"*.{DOMAIN}:443=127.0.0.1:{CLOSED_PORT}")

    def homes(self, group: str) -> list[str]:
        """The hosts whose home page was asked for, once for each time."""
        return [fetch.host for fetch in self.of(group) if fetch.path == "/"]

    def of(self, group: str) -> list[Fetch]:
        return [fetch for fetch in list(self.seen) if fetch.host.startswith(f"{group}-")]

    def most_at_once(self, group: str) -> int:
        """How many sites of the group were being fetched at the same time."""
        return self._most.get(group, 0)

    @contextmanager
    def fetching(self, host: str, path: str) -> Iterator[None]:
        group = host.partition("-")[0]
        with self._lock:
            self.seen.append(Fetch(time.monotonic(), host, path))
            self._fetched[group] = self._fetched.get(group, 0) + 1
            self._most[group] = max(self._most.get(group, 0), self._fetched[group])
        try:
            yield
        finally:
            with self._lock:
                self._fetched[group] -= 1


def _nothing() -> None:
    """What most hosts do when they are asked."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    crowd: Crowd

    def server_bind(self) -> None:
        """Bind without asking for the address's name, which HTTPServer does and which may take seconds."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up: some are killed in the middle of a scan."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        crowd, host = self.server.crowd, self.headers.get("Host", "")
        with crowd.fetching(host, self.path):
            found = self.path == "/"
            if found:
                crowd.traps.get(host, _nothing)()
                time.sleep(crowd.latency)
            body = PAGE if found else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked for stands in `seen`."""


@contextmanager
def serve_crowd() -> Iterator[Crowd]:
    crowd = Crowd(free_port())
    with _Server(("127.0.0.1", crowd.port), _Handler) as server:
        server.crowd = crowd
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield crowd
        server.shutdown()
