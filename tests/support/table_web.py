"""A web that is a table of answers, for scans without sockets."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from scrapersky.domain.facts import SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure, Redirect
from scrapersky.scraping.site import scan_site

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HTML = {"content-type": "text/html; charset=utf-8"}

Answer = Fetched | ErrorCode


def answer(body: str = "<title>Home</title>", status: int = 200, **headers: str) -> Fetched:
    """A page; `content_type="text/plain"` is a header of it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fetched("", status, HTML | named, body.encode(), len(body.encode()), 7, NOW)


def redirect(location: str) -> Fetched:
    return answer("", status=301, location=location)


def page(title: str, *links: str, body: str = "") -> Fetched:
    """A page of its own words, with a menu of `links`: `/path` or `/path Text of the link`."""
    anchors = (f'<a href="{href}">{text or href}</a>' for href, _, text in (link.partition(" ") for link in links))
    words = f"{title} is what this page is about, and of nothing else does it speak. " * 5
    return answer(f"<title>{title}</title><nav>{' '.join(anchors)}</nav><p>{words}</p>{body}")


class TableWeb:
    """Answers by URL: an origin without an entry has no name; a page without one, and robots.txt, is a 404."""

    user_agent = "ScraperSky/1.0 (+https://scrapersky.example/bot)"

    def __init__(self, answers: Mapping[str, Answer], *, on_get: Callable[[str], None] = lambda _: None) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self._on_get = on_get

    @contextmanager
    def site(self) -> Iterator["TableWeb"]:
        yield self

    def get(
        self,
        url: str,
        *,
        allow: Callable[[str], FetchFailure | None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        **_: Any,
    ) -> Fetched | FetchFailure:
        redirects: list[Redirect] = []
        while True:
            if refused := allow(url):
                return replace(refused, redirects=tuple(redirects))
            self.asked.append(url)
            self._on_get(url)
            found = ErrorCode.CANCELLED if should_stop() else self._find(url)
            if isinstance(found, ErrorCode):
                return FetchFailure(url, found, f"{found.value} of {url}", 3, NOW, redirects=tuple(redirects))
            location = found.headers.get("location")
            if location is None:
                return replace(found, url=url, redirects=tuple(redirects))
            redirects.append(Redirect(url, found.status_code, location))
            url = location

    def _find(self, url: str) -> Answer:
        if url in self.answers:
            return self.answers[url]
        origin = "/".join(url.split("/")[:3])
        known = self.answers.get(origin)
        if known is not None:
            return known
        named = any(key.startswith(origin + "/") for key in self.answers)
        return answer("", status=404) if named else ErrorCode.DNS_FAILURE


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scan that is over, the web that it was of, and what it told of its progress."""

    result: SiteScan
    web: TableWeb
    progress: list[float]

    @property
    def read(self) -> list[str]:
        """The URLs of the pages that were read, in the order in which they were chosen."""
        return [page.url for page in self.result.pages if page.skipped_reason is None]

    @property
    def skipped(self) -> dict[str, str]:
        """The pages that were not read, and why."""
        return {page.url: page.skipped_reason for page in self.result.pages if page.skipped_reason is not None}

    @property
    def stopped(self) -> str:
        return str(self.result.metadata["stopped"])


def scan(
    answers: Mapping[str, Answer],
    domain: str = "shop.example",
    *,
    max_pages: int = 10,
    seconds: float = 60,
    should_stop: Callable[[], bool] = lambda: False,
    on_get: Callable[[str], None] = lambda _: None,
) -> Scanned:
    """Scan a domain of the table. `on_get` is called with each URL when it is asked for, by the thread that asks."""
    web, progress = TableWeb(answers, on_get=on_get), list[float]()
    result = scan_site(
        domain,
        max_pages=max_pages,
        fetcher=cast(Fetcher, web),
        deadline=time.monotonic() + seconds,
        should_stop=should_stop,
        on_progress=progress.append,
    )
    return Scanned(result, web, progress)
