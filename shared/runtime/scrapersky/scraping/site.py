"""One scan of one site: find its home page, read it and what it leads to, and put the facts together.

Every ending is a value: facts, or the reason why there are none. Only the home page decides which: what fails after it
is told and costs its own facts alone. Only a defect of this program raises.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scrapersky.domain.facts import PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping import findings
from scrapersky.scraping.crawl import READING, Crawl
from scrapersky.scraping.extras import told
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.findings import PageFindings
from scrapersky.scraping.home import HomePage, record
from scrapersky.scraping.html_type import is_html, media_type
from scrapersky.scraping.page import parse_page
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.refresh import only_leads_to
from scrapersky.scraping.visit import Visit
from scrapersky.scraping.walls import NEEDS_JS, find_wall, is_empty_frame

HOME_PAGE_FETCHED = 5.0
"""Percent: the first page of ten, most of which has yet to be read."""


def scan_site(
    domain: str,
    *,
    max_pages: int,
    fetcher: Fetcher,
    deadline: float,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> SiteScan:
    """Scans up to `max_pages` pages of `domain` (a domain key) until `deadline` (of `time.monotonic()`).

    Once the home page is read, the deadline and `should_stop` end the scan with what there is by then; before that
    they are its failure. `should_stop` is asked several times a second while waiting. `on_progress` gets percent, never
    less than before. Raises ValueError when `max_pages` leaves nothing to fetch.
    """
    if max_pages < 1:
        raise ValueError("max_pages must be 1 or more")
    with Visit(fetcher, deadline, should_stop) as visit:
        return _Scan(domain, visit).run(max_pages, on_progress)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A home page that was read: what it brought, and the crawl that it begins."""

    found: PageFindings
    crawl: Crawl
    record: PageRecord
    is_frame: bool


class _Scan:
    """One site's scan: `records` and `metadata` grow on the way to either ending."""

    def __init__(self, domain: str, visit: Visit) -> None:
        self._domain = domain
        self._visit = visit
        self._home = HomePage(visit)
        self._records = self._home.records
        self._metadata = self._home.metadata | {"truncated": False, "stopped": None, "extra_fetches": []}

    def run(self, max_pages: int, on_progress: Callable[[float], None]) -> SiteScan:
        answer = self._home.find(self._domain)
        self._metadata |= self._home.metadata
        if isinstance(answer, FetchFailure):
            return self._failed(answer.code, answer.message)
        on_progress(HOME_PAGE_FETCHED)
        opened = self._open(answer, max_pages, on_progress)
        del answer  # its body is as large as all that is kept of a whole site
        return opened if isinstance(opened, SiteScan) else self._crawl(opened)

    def _open(
        self, answer: Fetched, max_pages: int, on_progress: Callable[[float], None], *, led_from: str | None = None
    ) -> "SiteScan | _Opened":
        """Read the home page: what it says and leads to, or the failure that it is. `led_from` only led to it."""
        is_success = 200 <= answer.status_code < 300
        is_page = is_html(answer.headers.get("content-type", ""), answer.body)
        with READING:
            page = parse_page(answer.body if is_page else b"", answer.url, answer.headers)
            wall = find_wall(page, answer.status_code, answer.headers, domain=self._domain)
            is_readable = wall is None and is_success and is_page
            leads_to = only_leads_to(page) if is_readable and led_from is None else None  # once, or it might go round
            if is_readable and leads_to is None:
                crawl = Crawl(self._visit, SiteUrls(self._domain, answer.url), self._domain, max_pages, on_progress)
                crawl.begin(page, led_from=led_from)
                return _Opened(
                    findings.read(page, answer), crawl, record(answer, title=page.title), is_empty_frame(page)
                )
        if leads_to is not None:
            there = self._home.follow(answer, leads_to)
            self._metadata |= self._home.metadata
            if isinstance(there, FetchFailure):
                return self._failed(there.code, there.message)
            return self._open(there, max_pages, on_progress, led_from=answer.url)
        if wall is not None:
            self._metadata["wall"] = wall.by
            return self._refused(answer, wall.code, wall.tell("the home page"), title=page.title)
        if not is_success:
            message = f"the home page answered with status {answer.status_code}"
            return self._refused(answer, ErrorCode.HTTP_ERROR, message)
        kind = media_type(answer.headers.get("content-type", ""))[:100] or "something unlabelled"
        return self._refused(answer, ErrorCode.NOT_HTML, f"the home page is {kind}, not HTML")

    def _crawl(self, home: "_Opened") -> SiteScan:
        crawl = home.crawl
        crawl.run()
        facts = findings.site_data([home.found, *crawl.pages], self._domain, crawl.extras)
        self._metadata |= {
            "truncated": home.found.truncated or any(page.truncated for page in crawl.pages),
            "stopped": crawl.stopped.value,
            "extra_fetches": crawl.extras.done,
        }
        # Whether a frame is empty shows when all of the site has been looked at, its head and its other pages.
        if home.is_frame and not crawl.pages and not _says_who(facts):
            self._records += [replace(home.record, skipped_reason=ErrorCode.NEEDS_JS.value), *crawl.records]
            return self._failed(ErrorCode.NEEDS_JS, NEEDS_JS.tell("the home page"))
        self._records += [home.record, *crawl.records]
        self._close()
        return SiteScan(tuple(self._records), site_data=facts, metadata=self._metadata)

    def _refused(self, answer: Fetched, code: ErrorCode, message: str, *, title: str | None = None) -> SiteScan:
        """Ends the scan on an answer that is no page to read."""
        self._records.append(record(answer, title=title, skipped_reason=code))
        return self._failed(code, message)

    def _failed(self, code: ErrorCode, message: str) -> SiteScan:
        self._close()
        return SiteScan(tuple(self._records), error=ScanError(code, message), metadata=self._metadata)

    def _close(self) -> None:
        self._metadata["pause_seconds"] = self._visit.times.pause_seconds
        robots = [told("robots_txt", answer) for answer in self._visit.robots.fetched]
        self._metadata["extra_fetches"] = robots + self._metadata["extra_fetches"]


def _says_who(facts: SiteData) -> bool:
    """Whether there is anything of what a scan is for: how to reach the site's people, or who they are."""
    return bool(facts.evidence or facts.organization or facts.addresses)
