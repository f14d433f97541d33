"""How a scan of a site ends, and what it tells about the way there. The web is a table of answers."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from scrapersky.domain.facts import SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure, Redirect
from scrapersky.scraping.site import scan_site

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HTML = {"content-type": "text/html; charset=utf-8"}
NO_DNS, REFUSED, BAD_TLS = ErrorCode.DNS_FAILURE, ErrorCode.CONNECT_FAILURE, ErrorCode.TLS_FAILURE

Answer = Fetched | ErrorCode


def answer(body: str = "<title>Home</title>", status: int = 200, **headers: str) -> Fetched:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fetched("", status, HTML | named, body.encode(), len(body.encode()), 7, NOW)


class Web:
    """Answers by URL: an origin without an entry has no name; a page without one, and robots.txt, is a 404."""

    user_agent = "ScraperSky/1.0 (+https://scrapersky.example/bot)"

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    @contextmanager
    def site(self) -> Iterator["Web"]:
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
        return answer(status=404) if any(key.startswith(origin + "/") for key in self.answers) else NO_DNS


def scan(
    answers: Mapping[str, Answer], domain: str = "shop.example", *, stop: bool = False, max_pages: int = 10
) -> tuple[SiteScan, Web, list[float]]:
    web, progress = Web(answers), list[float]()
    result = scan_site(
        domain,
        max_pages=max_pages,
        fetcher=cast(Fetcher, web),
        deadline=time.monotonic() + 60,
        should_stop=lambda: stop,
        on_progress=progress.append,
    )
    return result, web, progress


def ending(answers: Mapping[str, Answer]) -> tuple[ErrorCode | None, list[tuple[str, str | None]]]:
    result, _, _ = scan(answers)
    pages = [(page.url, page.skipped_reason) for page in result.pages]
    return (result.error.code if result.error else None), pages


def test_home_page_by_https() -> None:
    result, web, progress = scan({"https://shop.example/": answer("<title>Shop</title><a href='tel:+12065550142'>")})
    assert result.site_data is not None
    assert (result.site_data.title, result.site_data.phones) == ("Shop", ["+12065550142"])
    assert result.site_data.evidence["+12065550142"].page_url == "https://shop.example/"
    assert [page.to_json() for page in result.pages] == [
        {
            "url": "https://shop.example/",
            "status_code": 200,
            "title": "Shop",
            "fetched_at": "2026-01-02T00:00:00+00:00",
            "bytes": 46,
            "ms": 7,
            "skipped_reason": None,
        }
    ]
    assert result.metadata == {
        "final_url": "https://shop.example/",
        "scheme": "https",
        "https_error": None,
        "robots": "no_robots_txt",
        "redirects": [],
        "truncated": False,
        "pause_seconds": 0.0,
    }
    assert web.asked == ["https://shop.example/robots.txt", "https://shop.example/"]
    assert progress == sorted(progress)
    assert progress


def test_page_that_shows_nothing_has_noes_and_no_values() -> None:
    result, _, _ = scan({"https://shop.example/": answer("")})
    assert result.site_data is not None
    assert result.site_data == SiteData(
        is_wordpress=False,
        has_elementor=False,
        has_divi=False,
        has_woocommerce=False,
        has_contact_form7=False,
        has_yoast_seo=False,
        has_wpforms=False,
    )
    assert list(result.site_data.sourced()) == []


@pytest.mark.parametrize("code", [REFUSED, BAD_TLS])
def test_http_when_https_does_not_work_and_the_reason_is_kept(code: ErrorCode) -> None:
    result, _, _ = scan({"https://shop.example": code, "http://shop.example/": answer()})
    assert result.site_data is not None
    assert result.metadata["scheme"] == "http"
    assert result.metadata["final_url"] == "http://shop.example/"
    assert result.metadata["https_error"]["code"] == code
    assert [(page.url, page.skipped_reason) for page in result.pages] == [
        ("https://shop.example/", code.value),
        ("http://shop.example/", None),
    ]
    assert result.pages_fetched == 1


def test_what_is_wrong_with_https_is_the_error_when_nothing_listens_on_port_80() -> None:
    https, http = ("https://shop.example/", "tls_failure"), ("http://shop.example/", "connect_failure")
    assert ending({"https://shop.example": BAD_TLS, "http://shop.example": REFUSED}) == (BAD_TLS, [https, http])


def test_other_failures_of_https_are_final() -> None:
    for code in (ErrorCode.TIMEOUT, ErrorCode.BLOCKED_ADDRESS, ErrorCode.TOO_LARGE):
        code_found, pages = ending({"https://shop.example/": code, "http://shop.example/": answer()})
        assert (code_found, pages) == (code, [("https://shop.example/", code.value)])


def test_broken_tls_behind_a_redirect_is_not_the_domain_s() -> None:
    moved = answer(status=301, location="https://other.example/")
    code, pages = ending(
        {
            "https://shop.example/": moved,
            "https://other.example": BAD_TLS,
            "http://shop.example/": answer(),
        }
    )
    assert (code, pages) == (BAD_TLS, [("https://other.example/", "tls_failure")])


def test_www_when_only_that_has_an_address() -> None:
    result, _, _ = scan({"https://www.shop.example/": answer()})
    assert result.site_data is not None
    assert result.metadata["final_url"] == "https://www.shop.example/"
    assert [page.skipped_reason for page in result.pages] == ["dns_failure", None]


def test_www_is_tried_by_http_as_well() -> None:
    result, _, _ = scan({"https://www.shop.example": REFUSED, "http://www.shop.example/": answer()})
    assert result.metadata["final_url"] == "http://www.shop.example/"


def test_domain_without_any_address_fails_under_its_own_name() -> None:
    result, _, progress = scan({})
    assert result.error is not None
    assert result.error.code is NO_DNS
    assert result.error.message == "dns_failure of https://shop.example/robots.txt"
    assert result.metadata["final_url"] is None
    assert progress == []


def test_redirects_are_followed_and_told() -> None:
    result, _, _ = scan(
        {
            "https://shop.example/": answer(status=301, location="https://www.shop.example/en/"),
            "https://www.shop.example/en/": answer(),
        }
    )
    assert result.metadata["final_url"] == "https://www.shop.example/en/"
    assert result.metadata["redirects"] == [
        {"url": "https://shop.example/", "status_code": 301, "location": "https://www.shop.example/en/"}
    ]


@pytest.mark.parametrize("status", [301, 404, 410, 500, 503])
def test_answer_that_is_no_success_is_an_http_error_with_its_page(status: int) -> None:
    result, _, _ = scan({"https://shop.example/": answer(status=status)})
    assert result.error is not None
    assert result.error.code is ErrorCode.HTTP_ERROR
    assert str(status) in result.error.message
    assert [(page.status_code, page.title, page.skipped_reason) for page in result.pages] == [
        (status, None, "http_error")
    ]


@pytest.mark.parametrize(
    ("content_type", "body", "is_html"),
    [
        ("text/html", "", True),
        ("Application/XHTML+XML; charset=utf-8", "<html>", True),
        ("application/pdf", "%PDF-1.7", False),
        ("text/plain", "<html>", False),
        ("", " \n<!DOCTYPE html>", True),
        ("", "GIF89a", False),
    ],
)
def test_only_html_is_read(content_type: str, body: str, is_html: bool) -> None:
    result, _, _ = scan({"https://shop.example/": answer(body, content_type=content_type)})
    assert (result.error is None) == is_html
    if result.error:
        assert result.error.code is ErrorCode.NOT_HTML
        assert [page.skipped_reason for page in result.pages] == ["not_html"]


def test_robots_txt_is_obeyed() -> None:
    robots = answer("User-agent: *\nDisallow: /", content_type="text/plain")
    result, web, _ = scan({"https://shop.example/robots.txt": robots, "https://shop.example/": answer()})
    assert result.error is not None
    assert result.error.code is ErrorCode.ROBOTS_DENIED
    assert result.metadata["robots"] == "denied"
    assert [(page.url, page.skipped_reason) for page in result.pages] == [("https://shop.example/", "robots_denied")]
    assert web.asked == ["https://shop.example/robots.txt"]


def test_robots_txt_of_the_host_that_a_redirect_leads_to_is_obeyed() -> None:
    code, pages = ending(
        {
            "https://shop.example/": answer(status=302, location="https://members.example/in"),
            "https://members.example/robots.txt": answer("User-agent: ScraperSky\nDisallow: /in"),
            "https://members.example/in": answer(),
        }
    )
    assert (code, pages) == (ErrorCode.ROBOTS_DENIED, [("https://members.example/in", "robots_denied")])


def test_cancelled_scan_ends_as_cancelled() -> None:
    result, _, _ = scan({"https://shop.example/": answer()}, stop=True)
    assert result.error is not None
    assert result.error.code is ErrorCode.CANCELLED


def test_scan_without_pages_is_refused() -> None:
    with pytest.raises(ValueError, match="max_pages"):
        scan({}, max_pages=0)
