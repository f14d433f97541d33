"""Serves the demo web on loopback: one http and one https server for all sites, told apart by name.

The names lead nowhere by themselves. `DemoWeb.resolve_rules` are the `HOST:PORT=ADDRESS:PORT` rules that a scanner
is given; the ports 80 and 443 of a site are mapped to the ports that were free when the web started.
"""

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from tempfile import TemporaryDirectory
from typing import Any

from scrapersky_local.demo_web import tls
from scrapersky_local.demo_web.sites import Http, Https, Site, load
from scrapersky_local.processes import PORTS, StackError

ADDRESS = "127.0.0.1"
IDLE_SECONDS = 10.0  # a connection that says nothing for so long is closed, a handshake that stalls as well
_BIND_TRIES = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the web."""

    scheme: str
    host: str
    path: str
    user_agent: str


class _Server(ThreadingHTTPServer):
    """One port. With `tls_contexts`, the certificate shown is the one that the asked-for site has."""

    daemon_threads = True
    request_queue_size = 64  # all sites may be asked at once

    def __init__(
        self, sites: Mapping[str, Site], seen: list[Seen], tls_contexts: Mapping[Https, ssl.SSLContext] | None
    ) -> None:
        self.sites, self.seen = sites, seen
        self.stopping = threading.Event()
        self.scheme = "https" if tls_contexts else "http"
        self._tls_contexts = tls_contexts
        if tls_contexts:
            tls_contexts[Https.TRUSTED].sni_callback = self._choose_certificate
        for port in random.sample(PORTS, _BIND_TRIES):
            try:
                super().__init__((ADDRESS, port), _Handler)
            except OSError:
                continue
            return
        raise StackError(f"no free port between {PORTS.start} and {PORTS.stop - 1} for the demo web")

    def server_bind(self) -> None:
        """Bind without asking for the address's name, which HTTPServer does and which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread, so that a stalled handshake holds up nobody else."""
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
            request.settimeout(IDLE_SECONDS)
            if self._tls_contexts is None:
                super().finish_request(request, client_address)
                return
            with self._tls_contexts[Https.TRUSTED].wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    def _choose_certificate(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        site = self.sites.get(name or "")
        if site and self._tls_contexts and site.https in self._tls_contexts:
            connection.context = self._tls_contexts[site.https]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "DemoWeb"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one segment

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").partition(":")[0].lower()
        agent = self.headers.get("User-Agent", "")
        self.server.seen.append(Seen(self.server.scheme, host, self.path, agent))
        site = self.server.sites.get(host)
        if site and self.server.scheme == "http" and site.http is Http.TO_HTTPS:
            self._answer(301, {"Location": f"https://{host}{self.path}", "Content-Length": "0"})
            return
        page = site.page(self.path.partition("?")[0]) if site else None
        if page is None:
            body = b"<!doctype html><title>Not found</title><p>There is no such page here.</p>"
            self._answer(404, {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}, body)
            return
        self.server.stopping.wait(page.delay_seconds)
        self._answer(page.status, page.all_headers, page.body, repeat=page.repeat)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes = b"", *, repeat: int = 1) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for _ in range(repeat):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked for stands in `seen`."""


@dataclass(frozen=True, slots=True)
class DemoWeb:
    """The running web. `seen` grows with each request; `ca_file` is what a client must trust."""

    sites: tuple[Site, ...]
    http_port: int
    https_port: int
    closed_port: int
    ca_file: Path
    seen: list[Seen]

    def resolve_rules(self) -> tuple[str, ...]:
        """One rule for each name and port, as `--resolve` takes them. A site that resolves to nothing has none."""
        return tuple(rule for site in self.sites for host in site.hosts for rule in self._rules(site, host))

    def _rules(self, site: Site, host: str) -> Sequence[str]:
        if site.resolves_to == "nothing":
            return ()
        if site.resolves_to != "web":
            return [f"{host}:{port}={site.resolves_to}:{port}" for port in (80, 443)]
        http = self.closed_port if site.http is Http.CLOSED else self.http_port
        https = self.closed_port if site.https is Https.CLOSED else self.https_port
        return [f"{host}:80={ADDRESS}:{http}", f"{host}:443={ADDRESS}:{https}"]


@contextlib.contextmanager
def serve(sites: Sequence[Site] | None = None) -> Iterator[DemoWeb]:
    """Serve the sites (all of them, when none are given) until the block ends."""
    chosen = tuple(sites) if sites is not None else load()
    by_host = {host: site for site in chosen for host in site.hosts}
    seen: list[Seen] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="scrapersky-demo-web-")))
        authority = tls.make_authority("ScraperSky demo web")
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(authority.pem)
        contexts = tls.server_contexts(chosen, authority, folder)
        http = stack.enter_context(_running(_Server(by_host, seen, None)))
        https = stack.enter_context(_running(_Server(by_host, seen, contexts)))
        # Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
        closed = stack.enter_context(_bound_socket())
        yield DemoWeb(
            sites=chosen,
            http_port=http.server_port,
            https_port=https.server_port,
            closed_port=closed.getsockname()[1],
            ca_file=ca_file,
            seen=seen,
        )


@contextlib.contextmanager
def _running(server: _Server) -> Iterator[_Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def _bound_socket() -> Iterator[socket.socket]:
    with socket.socket() as bound:
        for port in random.sample(PORTS, _BIND_TRIES):
            with contextlib.suppress(OSError):
                bound.bind((ADDRESS, port))
                break
        yield bound
