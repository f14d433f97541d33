"""Leaving a host alone for as long as it asks: Crawl-delay of robots.txt, and Retry-After of an answer.

Crawl-delay is in no standard: RFC 9309 2.2.4 leaves it to crawlers, and those that know it (Bing, Yandex) mean the
seconds from the end of one page to the beginning of the next. So it is counted here, from page to page of one host;
a redirect and a second try are pages too. The file itself is none: only who has read it knows of the delay. A host
with a delay is asked for one page at a time, by however many clients (`HostTimes` is what they share).

What a host asks for                    what a scan does
a wait that fits                        waits and goes on; a page that was put off (429, 503) is asked for once more
a Retry-After that does not fit         keeps the answer, which makes an `http_error` of a home page
a Crawl-delay over MAX_WAIT_SECONDS     fetches one page; the second is `robots_denied`, now as any other time
a Crawl-delay beyond the deadline       the same, but `timeout`: with more time it could be fetched
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import NO_HEADERS, Fetched, FetchFailure, Redirect, Streamed
from scrapersky.scraping.limits import PAGE_LIMITS, POLL_SECONDS, FetchLimits

_Answer = TypeVar("_Answer", Fetched, Streamed)

MAX_WAIT_SECONDS: Final = 30.0
"""The longest wait for a host: half of what a worker gives a site. Most sites that ask for a delay ask for less."""

MAX_PAUSE_SECONDS: Final = 60.0
"""The longest time that a host is left alone after a scan, whoever asks for the next one. A batch's worker that waits
for the host must outlive it, and no tenant's scan may put a host out of all others' reach for long by one header of it.
A host that is asked once a minute, by a scan that somebody asked for, is left alone enough."""

_ASKS_FOR_TIME: Final = frozenset({429, 503})
"""Too Many Requests (RFC 6585 4) and Service Unavailable (RFC 9110 15.6.4): those whose Retry-After is about us."""


class Client(Protocol):
    """What robots.txt is fetched with: a SiteClient, or a polite one around it."""

    def get(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = ...,
        should_stop: Callable[[], bool] = ...,
        allow: Callable[[str], FetchFailure | None] = ...,
    ) -> Fetched | FetchFailure: ...


class StreamingClient(Client, Protocol):
    """What pages and sitemaps are fetched with."""

    def stream(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = ...,
        headers: Mapping[str, str] = ...,
        should_stop: Callable[[], bool] = ...,
        allow: Callable[[str], FetchFailure | None] = ...,
    ) -> AbstractContextManager[Streamed | FetchFailure]: ...


class HostTimes:
    """When each host may be asked for its next page, and which are being asked; for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._free_at: dict[str, float] = {}
        self._in_use: set[str] = set()

    @property
    def pause_seconds(self) -> float:
        """How much longer the hosts of this scan want to be left alone: the longest, MAX_PAUSE_SECONDS at the most."""
        with self._lock:
            left = max(self._free_at.values(), default=0.0) - time.monotonic()
        return round(min(max(left, 0.0), MAX_PAUSE_SECONDS), 3)

    def left(self, host: str) -> float:
        """The seconds until the host may be asked, 0 when that is now."""
        with self._lock:
            return max(self._free_at.get(host, 0.0) - time.monotonic(), 0.0)

    def leave_alone(self, host: str, seconds: float) -> None:
        """Keep away from the host for that long from now on, or longer when it has asked for more."""
        if seconds > 0:
            with self._lock:
                self._free_at[host] = max(self._free_at.get(host, 0.0), time.monotonic() + seconds)

    def begin(self, host: str, *, alone: bool) -> bool:
        """Take the host for one page. False when somebody is at it who wants to be, or is wanted to be, alone there."""
        with self._lock:
            if host in self._in_use:
                return False
            if alone:
                self._in_use.add(host)
            return True

    def end(self, host: str, delay: float) -> None:
        """The page of a host that has a delay ended: from now on that runs."""
        self.leave_alone(host, delay)
        with self._lock:
            self._in_use.discard(host)


class PoliteClient:
    """A client for one scan of one site that keeps to what its hosts ask for. `deadline` is of `time.monotonic()`.

    Clients of one scan that work at the same time, each in a thread of its own, share their `times`.
    """

    def __init__(
        self, client: StreamingClient, deadline: float, should_stop: Callable[[], bool], times: HostTimes | None = None
    ) -> None:
        self.times = times or HostTimes()
        self._client = client
        self._deadline = deadline
        self._should_stop = should_stop
        self._asked: tuple[str, float] | None = None

    @property
    def pause_seconds(self) -> float:
        """As that of its `times`."""
        return self.times.pause_seconds

    def get(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = PAGE_LIMITS,
        should_stop: Callable[[], bool] = lambda: False,
        allow: Callable[[str], FetchFailure | None] = lambda _: None,
    ) -> Fetched | FetchFailure:
        """As `SiteClient.get`, and once more when the answer asks for a wait that fits."""

        def ask(url: str) -> Fetched | FetchFailure:
            try:
                return self._client.get(url, deadline=deadline, limits=limits, should_stop=should_stop, allow=allow)
            finally:
                self._page_ended()  # whatever was raised: others wait for the host

        answer, before = self._ask_twice(url, ask, deadline)
        return replace(answer, redirects=before + answer.redirects)

    @contextmanager
    def stream(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = PAGE_LIMITS,
        headers: Mapping[str, str] = NO_HEADERS,
        should_stop: Callable[[], bool] = lambda: False,
        allow: Callable[[str], FetchFailure | None] = lambda _: None,
    ) -> Iterator[Streamed | FetchFailure]:
        """As `SiteClient.stream`, and once more as `get`. The page ends with the context, and then its delay runs."""
        with ExitStack() as under_way:

            def ask(url: str) -> Streamed | FetchFailure:
                under_way.close()  # an answer that asks for a wait is left unread
                under_way.callback(self._page_ended)
                return under_way.enter_context(
                    self._client.stream(
                        url, deadline=deadline, limits=limits, headers=headers, should_stop=should_stop, allow=allow
                    )
                )

            answer, before = self._ask_twice(url, ask, deadline)
            if isinstance(answer, Streamed):
                answer.redirects = before + answer.redirects
                yield answer
            else:
                yield replace(answer, redirects=before + answer.redirects)

    def _ask_twice(
        self, url: str, ask: Callable[[str], _Answer | FetchFailure], deadline: float
    ) -> tuple[_Answer | FetchFailure, tuple[Redirect, ...]]:
        """(what `ask` answers at last, the redirects before that)."""
        answer = self._ask(url, ask)
        if isinstance(answer, FetchFailure) or retry_after(answer) is None:
            return answer, ()
        left = self.times.left(_host(answer.url))
        if not fits(left, deadline):
            return answer, ()
        if stopped := self._wait(answer.url, left):
            return replace(stopped, status_code=answer.status_code), answer.redirects
        return self._ask(answer.url, ask), answer.redirects

    def _ask(self, url: str, ask: Callable[[str], _Answer | FetchFailure]) -> _Answer | FetchFailure:
        answer = ask(url)
        if not isinstance(answer, FetchFailure):
            self.times.leave_alone(_host(answer.url), retry_after(answer) or 0.0)
        return answer

    def hold(self, url: str, crawl_delay: float | None) -> FetchFailure | None:
        """Wait until the page `url` may be asked for, and take it as asked for. A failure says why it may not be.

        To be called for every page before it is fetched, redirects too, with what the host's robots.txt says.
        """
        self._page_ended()
        host, delay = _host(url), crawl_delay or 0.0
        while True:
            left = self.times.left(host)
            if not fits(left, self._deadline):
                return _does_not_fit(url, left, delay)
            if stopped := self._wait(url, left):
                return stopped
            # Somebody else may have begun, or ended, a page while this one waited.
            if self.times.left(host) == 0 and self.times.begin(host, alone=delay > 0):
                self._asked = (host, delay) if delay > 0 else None
                return None
            if left == 0:
                if time.monotonic() >= self._deadline:
                    return _failure(url, ErrorCode.TIMEOUT, f"robots.txt asks for {delay:g} seconds between two pages")
                if stopped := self._wait(url, POLL_SECONDS):
                    return stopped

    def _page_ended(self) -> None:
        """From now on its host's delay runs."""
        if self._asked is not None:
            self.times.end(*self._asked)
            self._asked = None

    def _wait(self, url: str, seconds: float) -> FetchFailure | None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._should_stop():
                return _failure(url, ErrorCode.CANCELLED, "the scan was cancelled")
            time.sleep(min(left, POLL_SECONDS))
        return None


def fits(wait: float, deadline: float) -> bool:
    """Whether a wait of so many seconds is one that a scan makes."""
    return wait == 0 or (wait <= MAX_WAIT_SECONDS and time.monotonic() + wait < deadline)


def retry_after(answer: Fetched | Streamed) -> float | None:
    """The seconds for which a 429 or 503 asks to be left alone (RFC 9110 10.2.3), 0 or more; None when it does not.

    A date is counted from the answer's own Date where it has one, so that a clock that is wrong does not matter.
    """
    if answer.status_code not in _ASKS_FOR_TIME:
        return None
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)  # infinite when it has hundreds of digits, which is past every limit as well
    until = _date(text)
    if until is None:
        return None
    begun = _date(answer.headers.get("date", "")) or answer.fetched_at
    return max((until - begun).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    """An HTTP-date in any of its three forms (RFC 9110 5.6.7), all of which are in UTC whatever they say."""
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _does_not_fit(url: str, left: float, delay: float) -> FetchFailure:
    if left > delay:
        return _failure(url, ErrorCode.HTTP_ERROR, "the site asks to be left alone for a while")
    code = ErrorCode.ROBOTS_DENIED if left > MAX_WAIT_SECONDS else ErrorCode.TIMEOUT
    return _failure(url, code, f"robots.txt asks for {delay:g} seconds between two pages")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _failure(url: str, code: ErrorCode, message: str) -> FetchFailure:
    return FetchFailure(url, code, message, 0, datetime.now(UTC))
