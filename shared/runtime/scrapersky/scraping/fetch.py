"""The one guarded fetcher, for pages and robots.txt alike. A site that cannot be fetched is a result, not a raise.

Fetched         an answer of the site, whatever its status: final URL, header, bounded body
FetchFailure    why there is none: dns_failure, blocked_address, connect_failure (no TCP connection), tls_failure,
                timeout, too_large, too_many_redirects, http_error (no valid HTTP), cancelled; what `allow` answers
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import httpx

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.decoding import ACCEPT_ENCODING, read_body
from scrapersky.scraping.failures import FETCH_ERRORS, FetchError, explain
from scrapersky.scraping.guard import PUBLIC, GuardedBackend, NetworkPolicy
from scrapersky.scraping.html_type import says_other_than_html
from scrapersky.scraping.limits import (
    MAX_COOKIE_CHARS,
    MAX_COOKIES,
    MAX_PIECES,
    MAX_URL_CHARS,
    PAGE_LIMITS,
    FetchLimits,
)
from scrapersky.scraping.resolve import Resolver, system_resolver
from scrapersky.scraping.streams import Meter
from scrapersky.scraping.transport import WEB_URL, GuardedTransport
from scrapersky.scraping.urls import WebUrl, parse_web_url

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
"""RFC 9110 15.4: those whose Location a client follows by itself."""


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


def _never() -> bool:
    return False


def _anything(url: str) -> FetchFailure | None:  # noqa: ARG001
    return None


class Fetcher:
    """What all fetches of a process share: the policy, the name it goes by and one TLS context (20 ms to make)."""

    def __init__(
        self,
        *,
        policy: NetworkPolicy = PUBLIC,
        user_agent: str,
        ca_file: str | None = None,
        resolver: Resolver = system_resolver,
    ) -> None:
        """`ca_file` adds authorities to the public ones. Raises OSError or ssl.SSLError when it cannot be read."""
        self.user_agent = user_agent
        self._policy = policy
        self._resolver = resolver
        self._ssl_context = httpx.create_ssl_context(trust_env=False)
        if ca_file is not None:
            self._ssl_context.load_verify_locations(cafile=ca_file)

    @contextmanager
    def site(self) -> Iterator["SiteClient"]:
        """A client for one site, with connections and cookies of its own, for one thread."""
        backend = GuardedBackend(self._policy, self._resolver, Meter(0.0, PAGE_LIMITS, _never))
        with GuardedTransport(backend, self._ssl_context) as transport:
            yield SiteClient(transport, backend, self.user_agent)


@dataclass(slots=True)
class _Visit:
    """How far one get() has come: what a result of either kind tells of it."""

    url: str
    begun: float = field(default_factory=time.monotonic)
    redirects: list[Redirect] = field(default_factory=list)
    status_code: int | None = None

    @property
    def ms(self) -> int:
        return round((time.monotonic() - self.begun) * 1000)

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


def _location(response: httpx.Response) -> str | None:
    """Where a redirect leads; None when it does not say. Raises FetchError when it names two places: neither is it."""
    places = set(response.headers.get_list("location"))
    if len(places) > 1:
        raise FetchError(ErrorCode.HTTP_ERROR, "the answer redirects to more than one place")
    return places.pop() if places else None


class SiteClient:
    """Fetches from one site over a few kept connections. Made by `Fetcher.site()`; not for several threads.

    It works on httpx's transport, request and response. The client of httpx is left out: it would read each Location
    with a URL parser of its own, which fails on hosts that browsers open.
    """

    def __init__(self, transport: httpx.BaseTransport, backend: GuardedBackend, user_agent: str) -> None:
        self.user_agent = user_agent
        self._transport = transport
        self._backend = backend
        self._cookies = httpx.Cookies()  # some sites redirect in a circle until theirs comes back

    def get(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = PAGE_LIMITS,
        should_stop: Callable[[], bool] = _never,
        allow: Callable[[str], FetchFailure | None] = _anything,
    ) -> Fetched | FetchFailure:
        """Fetch `url` and follow its redirects until `deadline` (of `time.monotonic()`) at the latest.

        `should_stop` is asked several times a second, so it must be cheap. `allow` is asked before each URL is
        fetched, redirects too; the failure it answers ends the fetch. It may itself fetch with this client, and take
        its time until the deadline: what it takes is not of this fetch's `limits.seconds`.
        """
        visit = _Visit(url)
        meter = Meter(min(deadline, visit.begun + limits.seconds), limits, should_stop)
        try:
            target = parse_web_url(url)
            while True:
                visit.url = target.href
                asked = time.monotonic()
                refused = allow(target.href)
                meter.deadline = min(deadline, meter.deadline + time.monotonic() - asked)
                if refused is not None:
                    return replace(refused, redirects=tuple(visit.redirects), ms=visit.ms)
                answer = self._exchange(target, visit, meter)
                if isinstance(answer, Fetched):
                    return answer
                if len(visit.redirects) >= limits.redirects:
                    raise FetchError(
                        ErrorCode.TOO_MANY_REDIRECTS, f"the site redirects more than {limits.redirects} times"
                    )
                visit.redirects.append(replace(answer, location=answer.location[:MAX_URL_CHARS]))
                target = parse_web_url(answer.location, base=target)
        except FETCH_ERRORS as error:
            return visit.failure(explain(error), meter)

    def _exchange(self, target: WebUrl, visit: _Visit, meter: Meter) -> Fetched | Redirect:
        """One request and its answer. A redirect's body is left unread."""
        meter.next_response()
        meter.check()
        self._backend.meter = meter  # `allow` may have fetched something in between
        visit.status_code = None
        request = self._request(target)
        response = self._transport.handle_request(request)
        try:
            meter.reading_head = False
            visit.status_code = response.status_code
            response.request = request
            if "set-cookie" in response.headers:
                self._cookies.extract_cookies(response)
                if len(self._cookies) > MAX_COOKIES:
                    self._cookies.clear()
            if response.status_code in REDIRECT_STATUSES and (location := _location(response)) is not None:
                return Redirect(target.href, response.status_code, location)
            return self._finish(target, response, visit, meter)
        finally:
            response.close()

    def _request(self, target: WebUrl) -> httpx.Request:
        headers = {
            "Host": target.authority,
            "User-Agent": self.user_agent,
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        request = httpx.Request("GET", target.href, headers=headers, extensions={WEB_URL: target})
        if self._cookies:
            request.headers.encoding = "utf-8"  # a cookie is whatever the site sent, and httpx would insist on ASCII
            self._cookies.set_cookie_header(request)
            if len(request.headers.get("cookie", "")) > MAX_COOKIE_CHARS:
                del request.headers["cookie"]
        return request

    def _finish(self, target: WebUrl, response: httpx.Response, visit: _Visit, meter: Meter) -> Fetched:
        """The answer with its body. Raises FetchError when that is too large, damaged or not complete."""
        limits = meter.limits
        if limits.only_html and says_other_than_html(response.headers.get("content-type", "")):
            return self._answer(target, response, visit, meter, (b"", True))
        declared = response.headers.get("content-length", "")
        if not limits.cut and declared.isdecimal() and int(declared) > limits.wire_bytes:
            raise FetchError(ErrorCode.TOO_LARGE, f"the answer is larger than {limits.wire_bytes} bytes")

        def counted() -> Iterator[bytes]:
            for number, chunk in enumerate(response.iter_raw()):
                if number >= MAX_PIECES:
                    raise FetchError(ErrorCode.TOO_LARGE, f"the answer is in more than {MAX_PIECES} pieces")
                meter.body_bytes += len(chunk)
                yield chunk

        body, is_whole = read_body(counted(), response.headers.get("content-encoding"), limits.body_bytes)
        if not is_whole and not limits.cut:
            raise FetchError(ErrorCode.TOO_LARGE, f"the page is larger than {limits.body_bytes} bytes")
        return self._answer(target, response, visit, meter, (body, is_whole))

    def _answer(
        self, target: WebUrl, response: httpx.Response, visit: _Visit, meter: Meter, read: tuple[bytes, bool]
    ) -> Fetched:
        """`read` is the body, and whether that is all of it."""
        body, is_whole = read
        return Fetched(
            url=target.href,
            status_code=response.status_code,
            headers=response.headers,
            body=body,
            wire_bytes=meter.body_bytes,
            ms=visit.ms,
            fetched_at=datetime.now(UTC),
            redirects=tuple(visit.redirects),
            is_cut=not is_whole,
            set_cookies=tuple(response.headers.get_list("set-cookie")),
        )
