"""Why a fetch failed: one exception for what this package finds, one table for what its libraries raise.

FetchError              raised by the guard, the streams and the decoder, with its code
httpcore.*, httpx.*     looked up in CODES by the nearest class
ssl.SSLError, OSError   the same
"""

import ssl
from typing import Final

import httpcore
import httpx

from scrapersky.domain.status import ErrorCode


class FetchError(Exception):
    """A fetch that cannot go on. `message` is for people: no address of an inner network, nothing secret.

    It is told of a webhook's endpoint, too, so it speaks of a site only where no endpoint can be meant.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_TIMEOUT = (ErrorCode.TIMEOUT, "the answer did not come in time")
_CONNECT = (ErrorCode.CONNECT_FAILURE, "no connection could be made")
_BROKEN = (ErrorCode.HTTP_ERROR, "the connection broke before the answer was complete")
_PROTOCOL = (ErrorCode.HTTP_ERROR, "the answer is not valid HTTP")
_REQUEST = (ErrorCode.HTTP_ERROR, "the address cannot be requested")
_INTERNAL = (ErrorCode.INTERNAL, "the request failed for a reason of ours")

CODES: Final[dict[type[Exception], tuple[ErrorCode, str]]] = {
    httpcore.TimeoutException: _TIMEOUT,
    httpcore.ConnectTimeout: _TIMEOUT,
    httpcore.ReadTimeout: _TIMEOUT,
    httpcore.WriteTimeout: _TIMEOUT,
    httpcore.PoolTimeout: _INTERNAL,
    httpcore.NetworkError: _BROKEN,
    httpcore.ConnectError: _CONNECT,
    httpcore.ReadError: _BROKEN,
    httpcore.WriteError: _BROKEN,
    httpcore.ProtocolError: _PROTOCOL,
    httpcore.RemoteProtocolError: _PROTOCOL,
    httpcore.LocalProtocolError: _REQUEST,
    httpcore.UnsupportedProtocol: _REQUEST,
    httpcore.ProxyError: _INTERNAL,  # no proxy is ever used
    httpcore.ConnectionNotAvailable: _INTERNAL,  # the pool tries again by itself
    httpx.HTTPError: _PROTOCOL,
    httpx.RequestError: _PROTOCOL,
    httpx.TransportError: _BROKEN,
    httpx.TimeoutException: _TIMEOUT,
    httpx.ConnectTimeout: _TIMEOUT,
    httpx.ReadTimeout: _TIMEOUT,
    httpx.WriteTimeout: _TIMEOUT,
    httpx.PoolTimeout: _INTERNAL,
    httpx.NetworkError: _BROKEN,
    httpx.ConnectError: _CONNECT,
    httpx.ReadError: _BROKEN,
    httpx.WriteError: _BROKEN,
    httpx.CloseError: _BROKEN,
    httpx.ProtocolError: _PROTOCOL,
    httpx.RemoteProtocolError: _PROTOCOL,
    httpx.LocalProtocolError: _REQUEST,
    httpx.UnsupportedProtocol: _REQUEST,
    httpx.InvalidURL: _REQUEST,
    httpx.ProxyError: _INTERNAL,
    httpx.DecodingError: _PROTOCOL,
    httpx.TooManyRedirects: (ErrorCode.TOO_MANY_REDIRECTS, "the site redirects too often"),
    httpx.HTTPStatusError: _PROTOCOL,
    httpx.CookieConflict: _INTERNAL,  # cookies, and the streams below, are used by this package alone
    httpx.StreamError: _INTERNAL,
    httpx.StreamConsumed: _INTERNAL,
    httpx.StreamClosed: _INTERNAL,
    httpx.ResponseNotRead: _INTERNAL,
    httpx.RequestNotRead: _INTERNAL,
    ssl.SSLError: (ErrorCode.TLS_FAILURE, "the encrypted connection failed"),
    OSError: _BROKEN,
}
"""The code and the text of every exception that httpcore, httpx, ssl and sockets raise."""

FETCH_ERRORS: Final[tuple[type[Exception], ...]] = (FetchError, *CODES)
"""What a fetch may raise for the site's sake. Anything else is a defect of this program."""


def explain(error: Exception) -> FetchError:
    """The FetchError that stands for any of FETCH_ERRORS; raises TypeError for another exception."""
    if isinstance(error, FetchError):
        return error
    for cls in type(error).__mro__:
        if cls in CODES:
            return FetchError(*CODES[cls])
    raise TypeError(f"{type(error).__name__} is no error of a fetch")
