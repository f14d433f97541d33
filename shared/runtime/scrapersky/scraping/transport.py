"""httpx over the guarded backend: the one way from a request to a socket."""

import ssl
from collections.abc import Iterator
from typing import Final

import httpcore
import httpx

from scrapersky.scraping.guard import GuardedBackend
from scrapersky.scraping.urls import WebUrl

WEB_URL: Final = "web_url"
"""The request extension that carries the parsed WebUrl. httpx's own reading of the URL opens nothing."""

MAX_CONNECTIONS: Final = 2
"""Pages of one site are fetched one after the other: one connection, and one for where it redirects."""

KEEP_ALIVE_SECONDS: Final = 5.0
"""Most servers close idle connections after five seconds or more; one that was closed costs a second try."""


_HUNG_UP: Final = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError)
"""What a connection ends in that the server closed, or that held the rest of an earlier answer."""


class GuardedTransport(httpx.BaseTransport):
    """HTTP/1.1 over connections that the backend opens. Raises httpcore's exceptions and FetchError as they are."""

    def __init__(self, backend: GuardedBackend, ssl_context: ssl.SSLContext) -> None:
        self._backend = backend
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=MAX_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response, its body unread. Asked for again when a kept connection did not answer this request.

        That says nothing about the page: a server may close an idle connection at any time, also while the next
        request is on its way (RFC 9112 9.3.1), and what is left of an answer that was longer than it said stands
        before the next one, or in its place. Each try uses one kept connection up, so it ends with a new one.
        """
        meter = self._backend.meter
        while True:
            opened = self._backend.opened
            try:
                response = self._ask(request)
            except _HUNG_UP:
                if self._backend.opened != opened:
                    raise
            else:
                if meter.received or self._backend.opened != opened:
                    return httpx.Response(response.status, headers=response.headers, stream=_Body(response))
                response.close()  # unread, which ends its connection
            meter.next_response()

    def _ask(self, request: httpx.Request) -> httpcore.Response:
        url: WebUrl = request.extensions[WEB_URL]
        return self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
                headers=request.headers.raw,
                content=request.content,
            )
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
