"""What a fetch comes to. A site that cannot be fetched is a result, not a raise.

Fetched         an answer of the site, whatever its status: final URL, header, bounded body
Streamed        an answer whose body is still to be read
FetchFailure    why there is none: dns_failure, blocked_address, connect_failure (no TCP connection), tls_failure,
                timeout, too_large, too_many_redirects, http_error (no valid HTTP), cancelled; what `allow` answers
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.decoding import decoded
from scrapersky.scraping.failures import FETCH_ERRORS, FetchError, explain
from scrapersky.scraping.html_type import says_other_than_html
from scrapersky.scraping.streams import Meter


@dataclass(frozen=True, slots=True)
class Redirect:
    """One hop: `url` answered `status_code` with `location`, as it stood in the header, up to MAX_URL_CHARS of it."""

    url: str
    status_code: int
    location: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. `url` is the final one; `body` is decompressed, `wire_bytes` its size as sent; `ms` is wall time."""

    url: str
    status_code: int
    headers: Mapping[str, str]
    """Names are looked up without regard to case; a repeated header is joined by commas."""
    body: bytes
    wire_bytes: int
    ms: int
    fetched_at: datetime
    redirects: tuple[Redirect, ...] = ()
    is_cut: bool = False
    """The body was longer than the limits, which asked for the first part only."""
    set_cookies: tuple[str, ...] = ()
    """The Set-Cookie headers, which cannot be told apart once they are joined by commas (RFC 6265 3)."""


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """No answer. `url` is the one that failed, after `redirects`; `status_code` when at least a header came."""

    url: str
    code: ErrorCode
    message: str
    ms: int
    fetched_at: datetime
    wire_bytes: int = 0
    status_code: int | None = None
    redirects: tuple[Redirect, ...] = ()


@dataclass(slots=True)
class Attempt:
    """How far one fetch has come: what a result of any kind tells of it."""

    url: str
    begun: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    """Seconds before its requests, for whoever had to allow them: no part of the time that it took."""
    ended: float | None = None
    redirects: list[Redirect] = field(default_factory=list)
    status_code: int | None = None

    @property
    def ms(self) -> int:
        end = time.monotonic() if self.ended is None else self.ended
        return round((end - self.begun - self.waited) * 1000)

    def end(self) -> None:
        if self.ended is None:
            self.ended = time.monotonic()

    def failure(self, error: FetchError, meter: Meter) -> FetchFailure:
        return FetchFailure(
            url=self.url,
            code=error.code,
            message=error.message,
            ms=self.ms,
            fetched_at=datetime.now(UTC),
            wire_bytes=meter.body_bytes,
            status_code=self.status_code,
            redirects=tuple(self.redirects),
        )


class Streamed:
    """An answer whose head has come; `chunks()` brings its body, once, within the context that gave it.

    The attributes of the head are those of Fetched. `failure` says afterwards why the body ended early, in those terms
    too that cut it at the limits (TOO_LARGE); None when all of it was read, and when the reader left.
    """

    def __init__(self, response: httpx.Response, attempt: Attempt, meter: Meter) -> None:
        self.url = attempt.url
        self.status_code = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.redirects = tuple(attempt.redirects)
        self.fetched_at = datetime.now(UTC)
        self.set_cookies = tuple(response.headers.get_list("set-cookie"))
        self.is_cut = False
        """The body is longer than `limits.body_bytes`, or is left unread since it is no HTML."""
        self.failure: FetchFailure | None = None
        self._response = response
        self._attempt = attempt
        self._meter = meter

    @property
    def wire_bytes(self) -> int:
        """The bytes of the body so far, as sent."""
        return self._meter.body_bytes

    @property
    def ms(self) -> int:
        """Wall time so far, or of the whole once it has ended, without what it had to wait for."""
        return self._attempt.ms

    def chunks(self) -> Iterator[bytes]:
        """The decoded body in pieces of PIECE_BYTES at the most, each fetched when it is asked for. Never raises."""
        try:
            yield from self._bounded()
        except FETCH_ERRORS as error:
            self.failure = self._attempt.failure(explain(error), self._meter)
        finally:
            self._attempt.end()

    def read(self) -> Fetched | FetchFailure:
        """All of the body; a failure when it is too large, damaged or not complete."""
        body = b"".join(self.chunks())
        if self.failure is not None and not (self.is_cut and self._meter.limits.cut):
            return self.failure
        return Fetched(
            url=self.url,
            status_code=self.status_code,
            headers=self.headers,
            body=body,
            wire_bytes=self.wire_bytes,
            ms=self.ms,
            fetched_at=datetime.now(UTC),
            redirects=self.redirects,
            is_cut=self.is_cut,
            set_cookies=self.set_cookies,
        )

    def close(self) -> None:
        """End the fetch: what is still to come of the body will not."""
        self._attempt.end()
        with suppress(*FETCH_ERRORS):
            self._response.close()

    def _bounded(self) -> Iterator[bytes]:
        """The body up to `limits.body_bytes`. Raises FetchError when there is more, and whatever its reading raises."""
        limits, headers = self._meter.limits, self._response.headers
        if limits.only_html and says_other_than_html(headers.get("content-type", "")):
            self.is_cut = True
            return
        declared = headers.get("content-length", "")
        if not limits.cut and declared.isdecimal() and int(declared) > limits.wire_bytes:
            raise FetchError(ErrorCode.TOO_LARGE, f"the answer is larger than {limits.wire_bytes} bytes")
        left = limits.body_bytes
        for piece in decoded(self._sent(), headers.get("content-encoding")):
            # A reader takes its time for each, and a few bytes may inflate to a thousand pieces.
            self._meter.check()
            if len(piece) > left:
                self.is_cut = True
                if left:
                    yield piece[:left]
                raise FetchError(ErrorCode.TOO_LARGE, f"the answer is larger than {limits.body_bytes} bytes")
            left -= len(piece)
            yield piece

    def _sent(self) -> Iterator[bytes]:
        pieces = self._meter.limits.pieces
        for number, chunk in enumerate(self._response.iter_raw()):
            if number >= pieces:
                raise FetchError(ErrorCode.TOO_LARGE, f"the answer is in more than {pieces} pieces")
            self._meter.body_bytes += len(chunk)
            yield chunk
