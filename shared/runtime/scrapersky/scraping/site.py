"""One scan of one site: find its home page, read it and what it leads to, and put the facts together.

Every ending is a value: facts, or the reason why there are none. Only the home page decides which: what fails after it
is told and costs its own facts alone. Only a defect of this program raises.
"""

from collections.abc import Callable

from scrapersky.domain.facts import ScanError, SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping import findings
from scrapersky.scraping.crawl import READING, Crawl
from scrapersky.scraping.extras import told
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.home import HomePage, record
from scrapersky.scraping.html_type import is_html, media_type
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.visit import Visit
from scrapersky.scraping.walls import NEEDS_JS, Wall, find_wall, is_empty_frame

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
        is_success = 200 <= answer.status_code < 300
        if not is_html(answer.headers.get("content-type", ""), answer.body):
            if not is_success:
                return self._refused(answer, *_no_success(answer))
            kind = media_type(answer.headers.get("content-type", ""))[:100] or "something unlabelled"
            return self._refused(answer, ErrorCode.NOT_HTML, f"the home page is {kind}, not HTML")
        with READING:
            page = parse_page(answer.body, answer.url, answer.headers)
            wall = find_wall(page, answer.status_code, answer.headers, domain=self._domain)
            found = findings.read(page, answer) if is_success and wall is None else None
        if wall is not None:
            return self._walled(answer, wall, page.title)
        if found is None:
            return self._refused(answer, *_no_success(answer))
        return self._crawl(answer, page, found, max_pages, on_progress)

    def _crawl(
        self,
        answer: Fetched,
        page: PageFacts,
        found: findings.PageFindings,
        max_pages: int,
        on_progress: Callable[[float], None],
    ) -> SiteScan:
        crawl = Crawl(self._visit, SiteUrls(self._domain, answer.url), self._domain, max_pages, on_progress)
        is_frame, title = is_empty_frame(page), page.title
        crawl.run(page)
        facts = findings.site_data([found, *crawl.pages], self._domain, crawl.extras)
        self._metadata |= {
            "truncated": found.truncated or any(further.truncated for further in crawl.pages),
            "stopped": crawl.stopped.value,
            "extra_fetches": crawl.extras.done,
        }
        if is_frame and not crawl.pages and not _says_who(facts):
            self._records.append(record(answer, title=title, skipped_reason=ErrorCode.NEEDS_JS))
            self._records.extend(crawl.records)
            return self._failed(ErrorCode.NEEDS_JS, NEEDS_JS.tell("the home page"))
        self._records.append(record(answer, title=title))
        self._records.extend(crawl.records)
        self._close()
        return SiteScan(tuple(self._records), site_data=facts, metadata=self._metadata)

    def _walled(self, answer: Fetched, wall: Wall, title: str | None) -> SiteScan:
        self._metadata["wall"] = wall.by
        return self._refused(answer, wall.code, wall.tell("the home page"), title=title)

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


def _no_success(answer: Fetched) -> tuple[ErrorCode, str]:
    return ErrorCode.HTTP_ERROR, f"the home page answered with status {answer.status_code}"


def _says_who(facts: SiteData) -> bool:
    """Whether there is anything of what a scan is for: how to reach the site's people, or who they are."""
    return bool(facts.evidence or facts.organization or facts.addresses)
