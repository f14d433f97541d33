"""One scan of one site: find its home page, read it, and put its facts together.

Every ending is a value: facts, or the reason why there are none. Only a defect of this program raises.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeGuard

from scrapersky.domain.facts import PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping import organization
from scrapersky.scraping.contacts import find_contacts
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.politeness import PoliteClient
from scrapersky.scraping.robots import RobotsCache, RobotsReason
from scrapersky.scraping.technology import find_technologies, wordpress_theme

# What a scan reports when the home page is there and the rest is reading it.
HOME_PAGE_FETCHED = 50.0

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# WHATWG MIME Sniffing, 7.1: what an unlabelled HTML page begins with.
_HTML_BEGINNINGS = (
    *(b"<!doctype html", b"<html", b"<head", b"<script", b"<iframe", b"<h1", b"<div", b"<font", b"<table"),
    *(b"<a", b"<style", b"<title", b"<b", b"<body", b"<br", b"<p", b"<!--"),
)

# Python runs one thread at a time, so that ten pages read at once take as long as one after the other, and ten times
# the memory.
_READING = Lock()

_NO_HTTPS = frozenset({ErrorCode.CONNECT_FAILURE, ErrorCode.TLS_FAILURE})


def scan_site(
    domain: str,
    *,
    max_pages: int,
    fetcher: Fetcher,
    deadline: float,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> SiteScan:
    """Scans `domain` (a domain key) until `deadline` (of `time.monotonic()`). Of `max_pages`, it reads the home page.

    `should_stop` is asked several times a second while waiting; when it says yes the scan ends as `cancelled`.
    `on_progress` gets percent. Raises ValueError when `max_pages` leaves nothing to fetch.
    """
    if max_pages < 1:
        raise ValueError("max_pages must be 1 or more")
    with fetcher.site() as client:
        polite = PoliteClient(client, deadline, should_stop)
        visit = _Visit(polite, RobotsCache(fetcher.user_agent), deadline, should_stop)
        answer = visit.home_page(domain)
    visit.metadata["pause_seconds"] = polite.pause_seconds
    if isinstance(answer, FetchFailure):
        return visit.failed(answer.code, answer.message)
    on_progress(HOME_PAGE_FETCHED)
    if not 200 <= answer.status_code < 300:
        return visit.refused(answer, ErrorCode.HTTP_ERROR, f"the home page answered with status {answer.status_code}")
    if not is_html(answer):
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()[:100] or "something unlabelled"
        return visit.refused(answer, ErrorCode.NOT_HTML, f"the home page is {kind}, not HTML")
    with _READING:
        page = parse_page(answer.body, answer.url, answer.headers)
        facts = site_data(page, answer)
    visit.metadata["truncated"] = page.truncated
    visit.records.append(_record(answer, title=page.title))
    return SiteScan(tuple(visit.records), site_data=facts, metadata=visit.metadata)


def is_html(answer: Fetched) -> bool:
    """Whether an answer is an HTML page: by its Content-Type, and by its beginning only when it has none."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type:
        return media_type in _HTML_TYPES
    return answer.body[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_HTML_BEGINNINGS)


def site_data(page: PageFacts, answer: Fetched) -> SiteData:
    """The facts of a site of which this page was read. What the page does not show is None, or False if a yes or no."""
    contacts = find_contacts(page)
    technologies = find_technologies(page, answer.headers)
    by_name = {technology.name: technology for technology in technologies}
    wordpress, elementor = by_name.get("WordPress"), by_name.get("Elementor")
    facts = SiteData(
        title=page.title,
        description=page.description,
        language=page.language,
        canonical_url=page.canonical_url,
        favicon_url=page.favicon_url,
        logo_url=page.logo_url,
        is_wordpress=wordpress is not None,
        wordpress_version=wordpress.version if wordpress else None,
        wordpress_theme=wordpress_theme(page),
        has_elementor=elementor is not None,
        elementor_version=elementor.version if elementor else None,
        has_divi="Divi" in by_name,
        has_woocommerce="WooCommerce" in by_name,
        has_contact_form7="Contact Form 7" in by_name,
        has_yoast_seo="Yoast SEO" in by_name,
        has_wpforms="WPForms" in by_name,
        emails=list(contacts.emails),
        phones=list(contacts.phones),
        tech_stack=list(technologies),
        organization=organization.organization(page.json_ld, page.url),
        addresses=organization.addresses(page.json_ld, page.url),
        open_graph=page.open_graph,
        evidence={**contacts.emails, **contacts.phones, **contacts.social_evidence},
    )
    facts.social_links.update(contacts.social)
    return facts


@dataclass(slots=True)
class _Visit:
    """One site's pages so far: what was asked, what came of it, and what the scan will tell about itself."""

    client: PoliteClient
    robots: RobotsCache
    deadline: float
    should_stop: Callable[[], bool]
    records: list[PageRecord] = field(default_factory=list)
    metadata: dict[str, Any] = field(
        default_factory=lambda: {
            "final_url": None,
            "scheme": None,
            "https_error": None,
            "robots": None,
            "redirects": [],
            "truncated": False,
            "pause_seconds": 0.0,
        }
    )

    def home_page(self, domain: str) -> Fetched | FetchFailure:
        """The home page by https, else by http, at the domain itself, or under `www.` if only that has an address."""
        first = self._either_scheme(domain)
        if not _befell(first, {ErrorCode.DNS_FAILURE}):
            return first
        second = self._either_scheme(f"www.{domain}")
        return first if _befell(second, {ErrorCode.DNS_FAILURE}) else second

    def failed(self, code: ErrorCode, message: str) -> SiteScan:
        return SiteScan(tuple(self.records), error=ScanError(code, message), metadata=self.metadata)

    def refused(self, answer: Fetched, code: ErrorCode, message: str) -> SiteScan:
        """Ends the scan on an answer that is no page to read."""
        self.records.append(_record(answer, skipped_reason=code))
        return self.failed(code, message)

    def _either_scheme(self, host: str) -> Fetched | FetchFailure:
        encrypted = self._get(f"https://{host}/")
        if not _befell(encrypted, _NO_HTTPS):
            return encrypted
        self.metadata["https_error"] = {"code": encrypted.code, "message": encrypted.message}
        plain = self._get(f"http://{host}/")
        # Where nothing listens on port 80 either, what is wrong with https is the better answer.
        return encrypted if _befell(plain, {ErrorCode.CONNECT_FAILURE}) else plain

    def _get(self, url: str) -> Fetched | FetchFailure:
        answer = self.client.get(url, deadline=self.deadline, should_stop=self.should_stop, allow=self._allow)
        self.metadata["redirects"] = [
            {"url": hop.url, "status_code": hop.status_code, "location": hop.location} for hop in answer.redirects
        ]
        if isinstance(answer, FetchFailure):
            self.records.append(_record(answer, skipped_reason=answer.code))
        else:
            self.metadata |= {"final_url": answer.url, "scheme": answer.url.partition(":")[0]}
        return answer

    def _allow(self, url: str) -> FetchFailure | None:
        verdict = self.robots.allowed(url, self.client, self.deadline, self.should_stop)
        self.metadata["robots"] = None if verdict.reason is RobotsReason.HOST_FAILURE else verdict.reason.value
        return verdict.failure or self.client.hold(url, verdict.crawl_delay)


def _befell(answer: Fetched | FetchFailure, codes: frozenset[ErrorCode] | set[ErrorCode]) -> TypeGuard[FetchFailure]:
    """Whether one of these befell the host itself that was asked, and not one that it redirects to."""
    return isinstance(answer, FetchFailure) and answer.code in codes and not answer.redirects


def _record(
    answer: Fetched | FetchFailure, *, title: str | None = None, skipped_reason: ErrorCode | None = None
) -> PageRecord:
    return PageRecord(
        url=answer.url,
        status_code=answer.status_code,
        title=title,
        fetched_at=answer.fetched_at,
        bytes=answer.wire_bytes,
        ms=answer.ms,
        skipped_reason=skipped_reason.value if skipped_reason else None,
    )
