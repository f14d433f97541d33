"""Sockets that keep to a budget: a total deadline, a count of bytes, and a question whether to go on.

httpx and httpcore time each read by itself, so that one byte a second passes every timeout. Here the time of every
wait is cut to what is left of the whole.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import httpcore

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.limits import MAX_TLS_OVERHEAD, POLL_SECONDS, FetchLimits

T = TypeVar("T")

_TLS_PIECE: Final = 64 * 1024
"""What is handed to OpenSSL at a time: four full records (RFC 8446 5.1), or a millisecond of empty ones."""


class Meter:
    """What one fetch may still spend. `deadline` is of `time.monotonic()`; `should_stop` must be cheap, never raise."""

    __slots__ = ("body_bytes", "deadline", "limits", "reading_head", "received", "should_stop")

    def __init__(self, deadline: float, limits: FetchLimits, should_stop: Callable[[], bool]) -> None:
        self.deadline = deadline
        self.limits = limits
        self.should_stop = should_stop
        self.body_bytes = 0
        self.next_response()

    def next_response(self) -> None:
        """Begin the count of one response: every redirect is allowed the same size."""
        self.received = 0
        self.reading_head = True

    def check(self) -> float:
        """The time now. Raises FetchError when the time is over or the work is no longer wanted."""
        if self.should_stop():
            raise FetchError(ErrorCode.CANCELLED, "the scan was cancelled")
        now = time.monotonic()
        if now >= self.deadline:
            raise FetchError(ErrorCode.TIMEOUT, "the answer did not come in time")
        return now

    def wait(self, attempt: Callable[[float], T], seconds: float | None = None) -> T:
        """The result of `attempt(timeout)`, tried in short waits until the deadline, or for `seconds` at the most.

        `attempt` raises TimeoutError when its time is over and can then be tried again. Raises TimeoutError when
        `seconds` are over, FetchError when the whole fetch is.
        """
        end = self.deadline if seconds is None else min(self.deadline, time.monotonic() + seconds)
        while True:
            left = end - self.check()
            if left <= 0:
                raise TimeoutError
            try:
                return attempt(min(left, POLL_SECONDS))
            except TimeoutError as error:
                if error.errno is not None:  # ETIMEDOUT: the kernel gave the connection up
                    raise

    def room(self, wanted: int) -> int:
        """How many of `wanted` bytes may be read now, at least one. Raises FetchError when the limit is used up.

        Only the wish for more raises: what was read may already hold all that is needed. The limit of the whole
        answer is passed by one byte, so that the end of an answer of just that size can be seen.
        """
        if self.reading_head:
            what, limit, left = "header", self.limits.header_bytes, self.limits.header_bytes - self.received
        else:
            what, limit, left = "answer", self.limits.wire_bytes, self.limits.wire_bytes + 1 - self.received
        if left <= 0:
            raise FetchError(ErrorCode.TOO_LARGE, f"the {what} is larger than {limit} bytes")
        return min(wanted, left)


class MeteredStream(httpcore.NetworkStream):
    """A connected socket under the meter of the fetch that is now using it (`meter()`: a connection outlives one)."""

    def __init__(self, sock: socket.socket, meter: Callable[[], Meter]) -> None:
        self._sock = sock
        self._meter = meter

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        meter = self._meter()
        try:
            data = self.receive(meter.room(max_bytes), timeout)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError from error
        meter.received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = memoryview(buffer)

        def send(seconds: float) -> int:
            self._sock.settimeout(seconds)
            return self._sock.send(left)

        while left:
            try:
                sent = self._meter().wait(send, timeout)
            except TimeoutError as error:
                raise httpcore.WriteTimeout from error
            except OSError as error:  # httpcore goes on to read: the server may have answered before it hung up
                raise httpcore.WriteError from error
            left = left[sent:]

    def send_now(self, data: bytes) -> None:
        """Send what goes without waiting. Raises OSError when nothing does."""
        self._sock.settimeout(0)
        self._sock.send(data)

    def receive(self, size: int, seconds: float | None) -> bytes:
        """At most `size` bytes, which are not counted; none at the end. Raises FetchError, TimeoutError, OSError."""

        def receive(seconds: float) -> bytes:
            self._sock.settimeout(seconds)
            return self._sock.recv(size)

        return self._meter().wait(receive, seconds)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "TlsStream":
        """The same connection, encrypted. Raises FetchError with TLS_FAILURE, and closes, when that fails."""
        seconds = self._meter().limits.connect_seconds
        try:
            stream = TlsStream(self, self._meter, ssl_context, server_hostname)
            stream.shake_hands(seconds if timeout is None else min(timeout, seconds))
        except BaseException:
            self.close()
            raise
        return stream

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether an idle connection has something to say, which can only be that it was closed."""
        if info != "is_readable":
            return None
        if self._sock.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(0))


class TlsStream(httpcore.NetworkStream):
    """TLS over a metered stream. Made by `start_tls`; `shake_hands` comes first.

    What arrives is handed to OpenSSL piece by piece. A socket of the ssl module would let it take for as long as
    there is anything: a flood of records without content passes every timeout of a read, and every count of bytes.
    """

    def __init__(
        self,
        raw: MeteredStream,
        meter: Callable[[], Meter],
        ssl_context: ssl.SSLContext,
        server_hostname: str | None,
    ) -> None:
        self._raw = raw
        self._meter = meter
        self._arrived = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        try:
            self._tls = ssl_context.wrap_bio(self._arrived, self._to_send, server_hostname=server_hostname)
        except (OSError, ValueError) as error:  # ValueError: a host that no certificate can name
            raise FetchError(ErrorCode.TLS_FAILURE, "no encrypted connection can be made to this host") from error

    def shake_hands(self, seconds: float) -> None:
        """Raises FetchError, with TLS_FAILURE for whatever goes wrong within `seconds`."""
        try:
            self._run(self._tls.do_handshake, seconds)
        except (OSError, httpcore.NetworkError, httpcore.TimeoutException) as error:
            with suppress(OSError):  # the alert that tells the server why: lost when it does not fit at once
                self._raw.send_now(self._to_send.read())
            raise FetchError(ErrorCode.TLS_FAILURE, f"the TLS handshake failed ({_reason(error)})") from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        meter = self._meter()
        size = meter.room(max_bytes)
        try:
            data = self._run(lambda: self._tls.read(size), timeout)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # many servers hang up without a word of TLS
            return b""
        except ssl.SSLError as error:
            raise FetchError(ErrorCode.TLS_FAILURE, f"the encrypted connection failed ({_reason(error)})") from error
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError from error
        meter.received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = memoryview(buffer)
        while left:
            try:
                left = left[self._run(lambda: self._tls.write(left), timeout) :]  # noqa: B023  called at once
            except OSError as error:
                raise httpcore.WriteError from error

    def close(self) -> None:
        self._raw.close()

    def get_extra_info(self, info: str) -> Any:
        return self._raw.get_extra_info(info)

    def _run(self, step: Callable[[], T], seconds: float | None) -> T:
        """The result of `step`, with what it wants sent and received meanwhile, for `seconds` at the most."""
        end = None if seconds is None else time.monotonic() + seconds
        received = 0
        while True:
            self._meter().check()
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
            else:
                self._flush()
                return result
            if received > MAX_TLS_OVERHEAD:
                raise FetchError(ErrorCode.TLS_FAILURE, "the encrypted connection brings no content")
            data = self._raw.receive(_TLS_PIECE, None if end is None else end - time.monotonic())
            received += len(data)
            if data:
                self._arrived.write(data)
            else:
                self._arrived.write_eof()

    def _flush(self) -> None:
        if self._to_send.pending:
            self._raw.write(self._to_send.read())


def _reason(error: Exception) -> str:
    """What went wrong, in words without addresses or file names."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or "the connection broke"
