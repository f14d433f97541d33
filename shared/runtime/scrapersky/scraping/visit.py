"""The fetching of one scan: its clients, its hosts' robots.txt and pauses, and until when it may go on."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Lock
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from scrapersky.scraping.fetch import NO_HEADERS, Fetched, Fetcher, FetchFailure, Streamed
from scrapersky.scraping.limits import PAGE_LIMITS, FetchLimits
from scrapersky.scraping.politeness import HostTimes, PoliteClient
from scrapersky.scraping.robots import RobotsCache, RobotsVerdict


def _anything(url: str) -> FetchFailure | None:  # noqa: ARG001
    return None


def _nobody(verdict: RobotsVerdict) -> None:  # noqa: ARG001
    return None


class Visit:
    """One site's visit, to be used as a context. `get` may be called by several threads at a time.

    `deadline` is of `time.monotonic()`; `should_stop` is asked several times a second while waiting.
    """

    def __init__(self, fetcher: Fetcher, deadline: float, should_stop: Callable[[], bool]) -> None:
        self.deadline = deadline
        self.should_stop = should_stop
        self.robots = RobotsCache(fetcher.user_agent)
        self.times = HostTimes()
        self.crawl_delay = 0.0
        """The longest, in seconds, that a robots.txt has asked for."""
        self.sitemaps: tuple[str, ...] = ()
        """Those that the last robots.txt named."""
        self._fetcher = fetcher
        self._open = ExitStack()
        self._idle: deque[PoliteClient] = deque()
        self._asking = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def get(
        self,
        url: str,
        *,
        limits: FetchLimits = PAGE_LIMITS,
        permit: Callable[[str], FetchFailure | None] = _anything,
        on_verdict: Callable[[RobotsVerdict], None] = _nobody,
    ) -> Fetched | FetchFailure:
        """Fetch `url` as robots.txt and the host's pauses allow it.

        `permit` is asked before that, of each redirect's target too; `on_verdict` is told what robots.txt says of each.
        """
        with self._client() as client:
            allow = self._allow(client, permit, on_verdict)
            return client.get(url, deadline=self.deadline, limits=limits, should_stop=self.should_stop, allow=allow)

    @contextmanager
    def stream(
        self,
        url: str,
        *,
        limits: FetchLimits,
        headers: Mapping[str, str] = NO_HEADERS,
        permit: Callable[[str], FetchFailure | None] = _anything,
        on_verdict: Callable[[RobotsVerdict], None] = _nobody,
    ) -> Iterator[Streamed | FetchFailure]:
        """As `get`, with the body still to be read, by `chunks()` and within this context.

        `headers` are sent beside those of every request, or in their place. On a host with a Crawl-delay nothing else
        is fetched until the context ends.
        """
        with (
            self._client() as client,
            client.stream(
                url,
                deadline=self.deadline,
                limits=limits,
                headers=headers,
                should_stop=self.should_stop,
                allow=self._allow(client, permit, on_verdict),
            ) as answer,
        ):
            yield answer

    def wait_for(self, url: str) -> float:
        """The seconds for which the host of `url` wants to be left alone from now on."""
        return self.times.left(urlsplit(url).hostname or "")

    def _allow(
        self,
        client: PoliteClient,
        permit: Callable[[str], FetchFailure | None],
        on_verdict: Callable[[RobotsVerdict], None],
    ) -> Callable[[str], FetchFailure | None]:
        """What is asked before each URL of a fetch by `client`."""

        def allow(target: str) -> FetchFailure | None:
            if refused := permit(target):
                return refused
            with self._asking:  # so that two pages of a host do not both ask for its file
                verdict = self.robots.allowed(target, client, self.deadline, self.should_stop)
                self.crawl_delay = max(self.crawl_delay, verdict.crawl_delay or 0.0)
                self.sitemaps = verdict.sitemaps or self.sitemaps
            on_verdict(verdict)
            return verdict.failure or client.hold(target, verdict.crawl_delay)

        return allow

    @contextmanager
    def _client(self) -> Iterator[PoliteClient]:
        """One that nobody uses. Each has connections and cookies of its own, as browsers' windows do."""
        try:
            client = self._idle.pop()
        except IndexError:
            site = self._open.enter_context(self._fetcher.site())
            client = PoliteClient(site, self.deadline, self.should_stop, self.times)
        try:
            yield client
        finally:
            self._idle.append(client)
