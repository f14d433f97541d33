"""How a scan of a site ends, and what it tells about the way there."""

from collections.abc import Mapping

import pytest

from scrapersky.domain.facts import SiteData
from scrapersky.domain.status import ErrorCode
from support.table_web import Answer, answer, scan

NO_DNS, REFUSED, BAD_TLS = ErrorCode.DNS_FAILURE, ErrorCode.CONNECT_FAILURE, ErrorCode.TLS_FAILURE


def ending(answers: Mapping[str, Answer]) -> tuple[ErrorCode | None, list[tuple[str, str | None]]]:
    result = scan(answers).result
    pages = [(page.url, page.skipped_reason) for page in result.pages]
    return (result.error.code if result.error else None), pages


def test_home_page_by_https() -> None:
    scanned = scan({"https://shop.example/": answer("<title>Shop</title><a href='tel:+12065550142'>")}, max_pages=1)
    result = scanned.result
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
        "stopped": "max_pages",
        "extra_fetches": [
            {
                "kind": "robots_txt",
                "url": "https://shop.example/robots.txt",
                "status_code": 404,
                "bytes": 0,
                "ms": 7,
                "error": None,
            }
        ],
    }
    assert scanned.web.asked == ["https://shop.example/robots.txt", "https://shop.example/"]
    assert scanned.progress == [5.0]


def test_page_that_shows_nothing_has_noes_and_no_values() -> None:
    result = scan({"https://shop.example/": answer("")}).result
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
    result = scan({"https://shop.example": code, "http://shop.example/": answer()}).result
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
    result = scan({"https://www.shop.example/": answer()}).result
    assert result.site_data is not None
    assert result.metadata["final_url"] == "https://www.shop.example/"
    assert [page.skipped_reason for page in result.pages] == ["dns_failure", None]


def test_www_is_tried_by_http_as_well() -> None:
    result = scan({"https://www.shop.example": REFUSED, "http://www.shop.example/": answer()}).result
    assert result.metadata["final_url"] == "http://www.shop.example/"


def test_domain_without_any_address_fails_under_its_own_name() -> None:
    scanned = scan({})
    result, progress = scanned.result, scanned.progress
    assert result.error is not None
    assert result.error.code is NO_DNS
    assert result.error.message == "dns_failure of https://shop.example/robots.txt"
    assert result.metadata["final_url"] is None
    assert progress == []


def test_redirects_are_followed_and_told() -> None:
    result = scan(
        {
            "https://shop.example/": answer(status=301, location="https://www.shop.example/en/"),
            "https://www.shop.example/en/": answer(),
        }
    ).result
    assert result.metadata["final_url"] == "https://www.shop.example/en/"
    assert result.metadata["redirects"] == [
        {"url": "https://shop.example/", "status_code": 301, "location": "https://www.shop.example/en/"}
    ]


@pytest.mark.parametrize("status", [301, 404, 410, 500, 503])
def test_answer_that_is_no_success_is_an_http_error_with_its_page(status: int) -> None:
    result = scan({"https://shop.example/": answer(status=status)}).result
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
    result = scan({"https://shop.example/": answer(body, content_type=content_type)}).result
    assert (result.error is None) == is_html
    if result.error:
        assert result.error.code is ErrorCode.NOT_HTML
        assert [page.skipped_reason for page in result.pages] == ["not_html"]


def test_robots_txt_is_obeyed() -> None:
    robots = answer("User-agent: *\nDisallow: /", content_type="text/plain")
    scanned = scan({"https://shop.example/robots.txt": robots, "https://shop.example/": answer()})
    result, web = scanned.result, scanned.web
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
    result = scan({"https://shop.example/": answer()}, should_stop=lambda: True).result
    assert result.error is not None
    assert result.error.code is ErrorCode.CANCELLED


def test_scan_without_pages_is_refused() -> None:
    with pytest.raises(ValueError, match="max_pages"):
        scan({}, max_pages=0)


def leading(content: str, body: str = "") -> Answer:
    return answer(f'<meta http-equiv="refresh" content="{content}">{body}')


EN = answer(
    '<title>Harbour</title><meta name=description content="Of boats"><link rel=canonical href=/en/>'
    '<link rel=icon href=/i.png><a href="mailto:desk@one.example">us</a><a href="/">home</a>'
)


@pytest.mark.parametrize(
    "content", ["0; url=/en/", "5;URL='https://one.example/en/'", "0, url=/en/", "0; /en/", "0.5; url=en/"]
)
def test_a_home_page_that_only_leads_on_is_a_redirect(content: str) -> None:
    found = scan({"https://one.example/": leading(content), "https://one.example/en/": EN}, "one.example")
    facts = found.result.site_data
    assert facts is not None
    assert (facts.title, facts.description) == ("Harbour", "Of boats")
    assert facts.canonical_url == "https://one.example/en/"
    assert found.result.metadata["final_url"] == "https://one.example/en/"
    assert [(hop["url"], hop["status_code"]) for hop in found.result.metadata["redirects"]] == [
        ("https://one.example/", 200)
    ]
    assert found.read == ["https://one.example/en/"]
    assert found.web.asked.count("https://one.example/en/") == 1


@pytest.mark.parametrize(
    "content", ["6; url=/en/", "0", "0; url=/", "0; url=https://one.example/#top", "0; url=mailto:x@one.example", ""]
)
def test_a_home_page_that_leads_on_late_or_to_itself_stays(content: str) -> None:
    found = scan({"https://one.example/": leading(content), "https://one.example/en/": EN}, "one.example", max_pages=1)
    assert found.result.metadata["final_url"] == "https://one.example/"
    assert found.result.metadata["redirects"] == []


@pytest.mark.parametrize(
    "body", ["<p>" + "Boats and more boats. " * 9, "<a href=/a>a</a><a href=/b>b</a><a href=/c>c</a>"]
)
def test_a_home_page_that_says_something_stays_whatever_it_leads_to(body: str) -> None:
    answers = {"https://one.example/": leading("0; url=/en/", body), "https://one.example/en/": EN}
    assert scan(answers, "one.example").result.metadata["final_url"] == "https://one.example/"


def test_a_home_page_leads_on_once_and_to_other_sites_as_a_redirect_does() -> None:
    answers = {"https://one.example/": leading("0; url=https://two.example/")}
    answers |= {"https://two.example/": leading("0; url=/en/"), "https://two.example/en/": EN}
    found = scan(answers, "one.example", max_pages=1)
    assert found.result.metadata["final_url"] == "https://two.example/"
    assert found.web.asked.count("https://two.example/robots.txt") == 1


@pytest.mark.parametrize(
    ("target", "code"),
    [("/denied", ErrorCode.ROBOTS_DENIED), ("/gone", ErrorCode.HTTP_ERROR), ("//no.example/", ErrorCode.DNS_FAILURE)],
)
def test_where_a_home_page_leads_decides_as_where_a_redirect_does(target: str, code: ErrorCode) -> None:
    answers = {
        "https://one.example/": leading(f"0; url={target}"),
        "https://one.example/robots.txt": answer("User-agent: *\nDisallow: /denied", content_type="text/plain"),
    }
    found = scan(answers, "one.example")
    assert found.result.error is not None
    assert found.result.error.code is code
    assert [hop["url"] for hop in found.result.metadata["redirects"]] == ["https://one.example/"]
