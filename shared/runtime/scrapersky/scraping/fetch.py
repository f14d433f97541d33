"""The one guarded fetcher, for pages, robots.txt and sitemaps alike. What it comes to is in `answers`."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import httpx

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.answers import Attempt, Fetched, FetchFailure, Redirect, Streamed
from scrapersky.scraping.decoding import ACCEPT_ENCODING
from scrapersky.scraping.failures import FETCH_ERRORS, FetchError, explain
from scrapersky.scraping.guard import PUBLIC, GuardedBackend, NetworkPolicy
from scrapersky.scraping.limits import MAX_COOKIE_CHARS, MAX_COOKIES, MAX_URL_CHARS, PAGE_LIMITS, FetchLimits
from scrapersky.scraping.resolve import Resolver, system_resolver
from scrapersky.scraping.streams import Meter
from scrapersky.scraping.transport import WEB_URL, GuardedTransport
from scrapersky.scraping.urls import WebUrl, parse_web_url

__all__ = ["NO_HEADERS", "FetchFailure", "Fetched", "Fetcher", "Redirect", "SiteClient", "Streamed"]

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})
"""RFC 9110 15.4: those whose Location a client follows by itself."""


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
        with self.guarded() as (transport, backend):
            yield SiteClient(transport, backend, self.user_agent)

    @contextmanager
    def guarded(self) -> Iterator[tuple[GuardedTransport, GuardedBackend]]:
        """Connections of their own, which go nowhere but where the policy lets them, under the backend's meter."""
        backend = GuardedBackend(self._policy, self._resolver, Meter(0.0, PAGE_LIMITS, _never))
        with GuardedTransport(backend, self._ssl_context) as transport:
            yield transport, backend


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
        """As `stream`, with all of the body."""
        with self.stream(url, deadline=deadline, limits=limits, should_stop=should_stop, allow=allow) as answer:
            return answer if isinstance(answer, FetchFailure) else answer.read()

    @contextmanager
    def stream(
        self,
        url: str,
        *,
        deadline: float,
        limits: FetchLimits = PAGE_LIMITS,
        headers: Mapping[str, str] = NO_HEADERS,
        should_stop: Callable[[], bool] = _never,
        allow: Callable[[str], FetchFailure | None] = _anything,
    ) -> Iterator[Streamed | FetchFailure]:
        """Ask for `url` and follow its redirects until `deadline` (of `time.monotonic()`) at the latest.

        The deadline and the limits hold for the body as well, which is read within this context. Leaving it ends the
        fetch, and closes the connection if there is more to come. Nothing else is to be fetched with this client
        meanwhile.

        `headers` are sent beside those of every request, or in their place, to redirects' targets too. `should_stop` is
        asked several times a second, so it must be cheap. `allow` is asked before each URL is fetched, redirects too;
        the failure it answers ends the fetch. It may itself fetch with this client, and take its time until the
        deadline: what it takes is not of this fetch's `limits.seconds`.
        """
        attempt = Attempt(url)
        meter = Meter(min(deadline, attempt.begun + limits.seconds), limits, should_stop)
        answer: Streamed | FetchFailure
        try:
            answer = self._follow(attempt, meter, deadline, headers, allow)
        except FETCH_ERRORS as error:
            answer = attempt.failure(explain(error), meter)
        try:
            yield answer
        finally:
            if isinstance(answer, Streamed):
                answer.close()

    def _follow(
        self,
        attempt: Attempt,
        meter: Meter,
        deadline: float,
        headers: Mapping[str, str],
        allow: Callable[[str], FetchFailure | None],
    ) -> Streamed | FetchFailure:
        """The first answer that is no redirect. Raises FetchError and what the libraries raise."""
        target = parse_web_url(attempt.url)
        while True:
            attempt.url = target.href
            asked = time.monotonic()
            refused = allow(target.href)
            waited = time.monotonic() - asked
            attempt.waited += waited
            meter.deadline = min(deadline, meter.deadline + waited)
            if refused is not None:
                return replace(refused, redirects=tuple(attempt.redirects), ms=attempt.ms)
            answer = self._exchange(target, headers, attempt, meter)
            if isinstance(answer, httpx.Response):
                return Streamed(answer, attempt, meter)
            most = meter.limits.redirects
            if len(attempt.redirects) >= most:
                raise FetchError(ErrorCode.TOO_MANY_REDIRECTS, f"the site redirects more than {most} times")
            attempt.redirects.append(replace(answer, location=answer.location[:MAX_URL_CHARS]))
            target = parse_web_url(answer.location, base=target)

    def _exchange(
        self, target: WebUrl, headers: Mapping[str, str], attempt: Attempt, meter: Meter
    ) -> httpx.Response | Redirect:
        """One request and its answer, the body unread. A redirect's is left so."""
        meter.next_response()
        meter.check()
        self._backend.meter = meter  # `allow` may have fetched something in between
        attempt.status_code = None
        request = self._request(target, headers)
        response = self._transport.handle_request(request)
        try:
            meter.reading_head = False
            attempt.status_code = response.status_code
            response.request = request
            if "set-cookie" in response.headers:
                self._cookies.extract_cookies(response)
                if len(self._cookies) > MAX_COOKIES:
                    self._cookies.clear()
            location = _location(response) if response.status_code in REDIRECT_STATUSES else None
        except BaseException:
            response.close()
            raise
        if location is None:
            return response
        response.close()
        return Redirect(target.href, response.status_code, location)

    def _request(self, target: WebUrl, extra: Mapping[str, str]) -> httpx.Request:
        # What is sent back is whatever the site sent, an ETag as a cookie, and httpx would insist on ASCII.
        headers = httpx.Headers(
            {
                "Host": target.authority,
                "User-Agent": self.user_agent,
                "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
                "Accept-Encoding": ACCEPT_ENCODING,
            },
            encoding="utf-8",
        )
        headers.update(httpx.Headers(extra, encoding="utf-8"))
        request = httpx.Request("GET", target.href, headers=headers, extensions={WEB_URL: target})
        if self._cookies:
            request.headers.encoding = "utf-8"
            self._cookies.set_cookie_header(request)
            if len(request.headers.get("cookie", "")) > MAX_COOKIE_CHARS:
                del request.headers["cookie"]
        return request
