"""Reads a site's pages, best first and two at a time, until there are enough, or no more, or no time.

Pages are fetched in two threads and read in the caller's, one after the other, so that nothing here is shared but the
visit. A page is dropped as soon as it is read: only its findings and its links are kept.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from hashlib import blake2b
from threading import Lock
from typing import Final

from scrapersky.domain.facts import PageRecord
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping import findings, first_sitemap
from scrapersky.scraping.extras import Extra, ExtraFetches
from scrapersky.scraping.fetch import Fetched, FetchFailure
from scrapersky.scraping.findings import PageFindings
from scrapersky.scraping.frontier import Candidate, Frontier
from scrapersky.scraping.home import record
from scrapersky.scraping.html_type import is_html
from scrapersky.scraping.limits import EXTRA_LIMITS, PAGE_LIMITS
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.politeness import MAX_WAIT_SECONDS
from scrapersky.scraping.visit import Visit
from scrapersky.scraping.walls import find_wall, is_empty_frame

AT_ONCE: Final = 2
"""Pages of one host at a time: what a person's browser does at the least. With a Crawl-delay it is one."""

FEW_LINKS: Final = 3
"""A home page that leads to fewer pages than this is helped out by the sitemap."""

MIN_SKIPPED: Final = 10
"""So many pages may fail or be copies before a scan gives the rest up, or as many as it may read if that is more."""

MAX_DENIED: Final = 50
"""Pages that robots.txt does not allow, each of which is told and costs no request."""

MAX_WALLS: Final = 3
"""Pages that were blocked, refused as too many, or empty frames: the next one will be as well, and the site should not
be asked for it."""

TOO_MANY_REQUESTS: Final = 429
"""RFC 6585 4: the site says that it is asked too much, even if not for how long it wants to be left alone."""

MIN_TEXT_CHARS: Final = 200
"""Two pages with the same text of this length are the same page; a shorter one may be a caption."""

FETCHED: Final = 95.0
"""Percent when all pages are read: what is left is putting the facts together and storing them."""

# What an answer without success may be a wall by: those that refuse, and none that says what is missing.
_WALL_STATUSES: Final = frozenset({401, 403, 405, 406, 429, 503})

# Python runs one thread at a time, so that ten pages read at once take as long as one after the other, and ten times
# the memory.
READING = Lock()


class Stopped(StrEnum):
    """Why a scan read no further page."""

    ALL_READ = "all_read"
    ALIKE = "alike"  # only more days of a calendar, or pages of a listing, were left
    MAX_PAGES = "max_pages"
    DEADLINE = "deadline"
    PAUSE = "pause"  # the host asks for more distance than a scan can keep
    SKIPPED = "too_many_skipped"
    WALLS = "walls"
    CANCELLED = "cancelled"


# Reasons to fetch no file beside the pages either: no time, or a site that wants to be left alone.
_ENDS_ALL: Final = frozenset({Stopped.DEADLINE, Stopped.PAUSE, Stopped.WALLS, Stopped.CANCELLED})


class Skip(StrEnum):
    """Why a page is not read that could be, beside the error codes."""

    DUPLICATE = "duplicate"
    OFF_SITE = "off_site"


@dataclass(slots=True)
class Crawl:
    """One site's pages after the home page: `begin` with that, then `run`."""

    visit: Visit
    site: SiteUrls
    domain: str
    max_pages: int
    on_progress: Callable[[float], None]
    records: list[PageRecord] = field(default_factory=list)
    pages: list[PageFindings] = field(default_factory=list)
    stopped: Stopped = Stopped.ALL_READ
    extras: ExtraFetches = field(init=False)
    _frontier: Frontier = field(init=False)
    _running: dict[Future[Fetched | FetchFailure], Candidate | Extra] = field(default_factory=dict)
    _found: list[tuple[int, PageRecord, PageFindings | None]] = field(default_factory=list)
    _order: dict[str, int] = field(default_factory=dict)
    _digests: set[bytes] = field(default_factory=set)
    _refused: dict[str, Skip] = field(default_factory=dict)
    _read: int = 1
    _skipped: int = 0
    _denied: int = 0
    _walls: int = 0
    _progress: float = 0.0

    def __post_init__(self) -> None:
        self._frontier = Frontier(self.site, self.max_pages)
        self.extras = ExtraFetches(self.site)

    def begin(self, home: PageFacts, *, led_from: str | None = None) -> None:
        """Take up what the home page leads to. It can be dropped afterwards. `led_from` only led to it."""
        if self.max_pages == 1:
            return
        for url in (home.url, led_from or home.url):
            self._frontier.take(url)
        self._digests.add(_digest(home))
        self._frontier.add_page(home, kind=None, steps=0)
        if len(self._frontier) < FEW_LINKS:
            self.extras.want_sitemap(first_sitemap.address(self.site, self.visit.sitemaps))
        self.extras.want_files_of(home)

    def run(self) -> None:
        """Read what there is; afterwards `records`, `pages` and `stopped` say what came of it."""
        if self.max_pages == 1:
            self.stopped = Stopped.MAX_PAGES
            return
        self._tell()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="page") as pool:
            while self._begin(pool):
                self._end_some()
                self._tell()
        for _, found, page in sorted(self._found, key=lambda entry: entry[0]):
            self.records.append(found)
            if page is not None:
                self.pages.append(page)

    def _begin(self, pool: ThreadPoolExecutor) -> bool:
        """Fill the free places with fetches; False when nothing is under way any more."""
        at_once = 1 if self.visit.crawl_delay else AT_ONCE
        while len(self._running) < at_once:
            task = self._next()
            if task is None:
                break
            if isinstance(task, Candidate):
                self._order[task.page.url] = len(self._order)
                get = partial(self.visit.get, task.page.url, limits=PAGE_LIMITS, permit=partial(self._permit, task))
            else:
                get = partial(self.visit.get, task.url, limits=EXTRA_LIMITS)
            self._running[pool.submit(get)] = task
        return bool(self._running)

    def _next(self) -> Candidate | Extra | None:
        if (reason := self._reason_to_stop()) is not None:
            self.stopped = reason
            return None if reason in _ENDS_ALL or self.visit.crawl_delay else self.extras.next()
        if sitemap := self.extras.sitemap():
            return sitemap
        under_way = sum(isinstance(task, Candidate) for task in self._running.values())
        if self._read + under_way < self.max_pages and (candidate := self._frontier.choose()):
            return candidate
        # While pages are under way, they may still fail, or lead to more.
        if not under_way:
            self.stopped = self._ending()
        # A host that counts the seconds between pages is not asked for anything that is no page, and for a file alone
        # no second connection is opened.
        if self.visit.crawl_delay or (under_way and len(self._order) < AT_ONCE):
            return None
        return self.extras.next()

    def _ending(self) -> Stopped:
        """Why no page is chosen when nothing stands in the way of one."""
        if len(self._frontier):  # there is always one to choose then, unless enough were read
            return Stopped.MAX_PAGES
        return Stopped.ALIKE if self._frontier.has_passed_over else Stopped.ALL_READ

    def _reason_to_stop(self) -> Stopped | None:
        if self.visit.should_stop():
            return Stopped.CANCELLED
        now, pause = time.monotonic(), self.visit.wait_for(self.site.home_url)
        if now >= self.visit.deadline:
            return Stopped.DEADLINE
        if self._read >= self.max_pages or not len(self._frontier):
            return None
        if max(self.visit.crawl_delay, pause) > MAX_WAIT_SECONDS:
            return Stopped.PAUSE
        if now + pause >= self.visit.deadline:
            return Stopped.DEADLINE
        if self._walls >= MAX_WALLS:
            return Stopped.WALLS
        if self._skipped >= max(MIN_SKIPPED, self.max_pages) or self._denied >= MAX_DENIED:
            return Stopped.SKIPPED
        return None

    def _permit(self, candidate: Candidate, url: str) -> FetchFailure | None:
        """Asked in the fetching thread for a page and each of its redirects: only new pages of the site are fetched."""
        if url == candidate.page.url or self.site.key(url) == candidate.page.key:
            return None
        if not self.site.holds(url):
            self._refused[candidate.page.url] = Skip.OFF_SITE
        elif self._frontier.is_taken(url):
            self._refused[candidate.page.url] = Skip.DUPLICATE
        else:
            return None
        return FetchFailure(url, ErrorCode.CANCELLED, "no page of this scan", 0, datetime.now(UTC))

    def _end_some(self) -> None:
        """Wait for a fetch to end, and take what came of it. Nothing of the answers outlives this."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            task = self._running.pop(future)
            if isinstance(task, Candidate):
                self._end_page(task, future.result())
            else:
                for url in self.extras.end(task, future.result()):
                    self._frontier.add_url(url)

    def _end_page(self, candidate: Candidate, answer: Fetched | FetchFailure) -> None:
        title, reason, page = self._outcome(candidate, answer)
        if reason is ErrorCode.CANCELLED:
            return
        if reason is None:
            self._read += 1
        elif reason is ErrorCode.ROBOTS_DENIED:
            self._denied += 1
        else:
            self._skipped += 1
        if reason in (Skip.OFF_SITE, Skip.DUPLICATE):
            answer = replace(answer, url=candidate.page.url)  # where it led to is not what was skipped
        place = self._order[candidate.page.url]
        self._found.append((place, record(answer, title=title, skipped_reason=reason), page))

    def _outcome(
        self, candidate: Candidate, answer: Fetched | FetchFailure
    ) -> tuple[str | None, str | None, PageFindings | None]:
        """(title, why it is no page of the site that was not read before, else its findings)."""
        if candidate.page.url in self._refused:
            return None, self._refused[candidate.page.url], None
        if isinstance(answer, FetchFailure):
            return None, answer.code, None
        return self._read_page(candidate, answer)

    def _read_page(self, candidate: Candidate, answer: Fetched) -> tuple[str | None, str | None, PageFindings | None]:
        is_success = 200 <= answer.status_code < 300
        is_page = is_html(answer.headers.get("content-type", ""), answer.body)
        if is_success and not is_page:
            return None, ErrorCode.NOT_HTML, None
        if not is_success and answer.status_code not in _WALL_STATUSES:
            return None, ErrorCode.HTTP_ERROR, None
        with READING:
            page = parse_page(answer.body if is_page else b"", answer.url, answer.headers)
            wall = find_wall(page, answer.status_code, answer.headers, domain=self.domain)
            if wall is not None:
                self._walls += wall.code is ErrorCode.BLOCKED  # a login is of its page alone
                return page.title, wall.code, None
            if not is_success:
                self._walls += answer.status_code == TOO_MANY_REQUESTS
                return None, ErrorCode.HTTP_ERROR, None
            if is_empty_frame(page):
                self._walls += 1
                return page.title, ErrorCode.NEEDS_JS, None
            digest = _digest(page)
            if digest in self._digests or not self._is_new(candidate, answer):
                return page.title, Skip.DUPLICATE, None
            self._digests.add(digest)
            if page.canonical_url and self.site.holds(page.canonical_url):
                self._frontier.take(page.canonical_url)  # the same page, so it is not fetched again
            self._frontier.add_page(page, kind=candidate.kind, steps=candidate.steps)
            return page.title, None, findings.read(page, answer)

    def _is_new(self, candidate: Candidate, answer: Fetched) -> bool:
        """Whether nobody else has been where the page's redirects led."""
        return self.site.key(answer.url) == candidate.page.key or self._frontier.take(answer.url)

    def _tell(self) -> None:
        """Progress: the share that is read of what is known that will be. It never goes back."""
        expected = min(self.max_pages, self._read + len(self._running) + len(self._frontier))
        self._progress = max(self._progress, FETCHED * self._read / max(expected, self._read + 1))
        self.on_progress(round(self._progress, 1))


def _digest(page: PageFacts) -> bytes:
    """Names what a page says: its visible text or, when that is short, what it is and loads as well."""
    text = page.text
    if len(text) < MIN_TEXT_CHARS:
        text = "\n".join([text, page.title or "", page.description or "", page.scripts[:10_000], str(page.json_ld)])
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
