"""How a search for sitemaps ends where a site cannot be asked, or only in part: with what is true."""

from dataclasses import replace

import pytest

from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.sitemaps import common_paths
from scrapersky.scraping.sitemaps.discovery import MAX_SILENT
from support.sitemap_search import HOME, URLSET, Found, missing, robots, site, xml
from support.table_web import Answer, answer

ROBOTS, COMMON = DiscoveryMethod.ROBOTS_TXT, DiscoveryMethod.COMMON_PATH


def test_a_robots_txt_that_forbids_everything_and_names_nothing_is_a_denial() -> None:
    found = Found(site(robots=robots("User-agent: *", "Disallow: /")))
    assert (found.candidates, found.code) == ([], ErrorCode.ROBOTS_DENIED)
    assert set(found.probed.values()) == {"robots_denied"}


@pytest.mark.parametrize("code", [ErrorCode.DNS_FAILURE, ErrorCode.CONNECT_FAILURE, ErrorCode.BLOCKED_ADDRESS])
def test_a_site_out_of_reach_fails_as_a_scan_of_its_pages_does(code: ErrorCode) -> None:
    answers: dict[str, Answer] = dict.fromkeys((HOME, "http://shop.example", "https://www.shop.example"), code)
    found = Found(answers)
    assert (found.candidates, found.code) == ([], code)


def test_a_silent_site_is_not_asked_for_every_path() -> None:
    found = Found(site(robots=answer("", status=404)) | {f"{HOME}/": ErrorCode.TIMEOUT, HOME: ErrorCode.TIMEOUT})
    assert found.code is ErrorCode.TIMEOUT
    assert len(found.probed) == MAX_SILENT


def test_an_unreachable_robots_txt_is_why_nothing_is_asked() -> None:
    found = Found(site(robots=answer("", status=503)))
    assert found.code is ErrorCode.HTTP_ERROR
    assert found.result.failure is not None
    assert "robots.txt" in found.result.failure.message
    assert set(found.web.asked) == {f"{HOME}/robots.txt"}


def test_a_home_page_that_fails_does_not_matter_where_sitemaps_are_named() -> None:
    found = Found(site(answer("", status=500), robots=robots("Sitemap: /a.xml")))
    assert (found.candidates, found.code) == ([("/a.xml", ROBOTS)], None)


BOT_CHECK = answer("<title>Just a moment...</title>", status=403, cf_mitigated="challenge", server="cloudflare")


def test_a_wall_does_not_matter_where_a_sitemap_is_found() -> None:
    found = Found(site(BOT_CHECK, sitemap=xml()))
    assert (found.candidates, found.code) == ([("/sitemap.xml", COMMON)], None)


@pytest.mark.parametrize("probe", [BOT_CHECK, replace(BOT_CHECK, status_code=200)])
def test_a_wall_before_everything_is_the_reason(probe: Fetched) -> None:
    found = Found(site(BOT_CHECK) | {HOME + path: probe for path in common_paths.in_order()})
    assert found.code is ErrorCode.BLOCKED


def test_a_home_page_with_an_error_beside_clear_answers_is_a_site_without_a_sitemap() -> None:
    assert Found(site(answer("", status=500))).code is None
    assert Found(site(answer("", status=500)) | {HOME: answer("", status=500)}).code is ErrorCode.HTTP_ERROR


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_site_whose_every_answer_is_a_refusal_is_not_said_to_have_none(status: int) -> None:
    refused = {HOME + path: answer(URLSET, status=status, content_type="text/xml") for path in common_paths.in_order()}
    found = Found(site() | refused)
    assert found.code is ErrorCode.HTTP_ERROR
    assert found.result.failure is not None
    assert str(status) in found.result.failure.message
    assert Found(site() | refused | {f"{HOME}/sitemap.xml": missing()}).code is None


def test_a_site_that_falls_silent_is_not_said_to_have_none() -> None:
    found = Found(site() | {HOME: ErrorCode.TIMEOUT, f"{HOME}/robots.txt": missing()})
    assert (found.code, len(found.probed)) == (ErrorCode.TIMEOUT, MAX_SILENT)


def test_a_site_that_forbids_guesses_and_names_nothing_has_none_that_may_be_known() -> None:
    found = Found(site(robots=robots("User-agent: *", *(f"Disallow: {path}" for path in common_paths.in_order()))))
    assert (found.code, set(found.probed.values())) == (None, {"robots_denied"})


def test_no_time_to_look_is_not_said_to_be_none() -> None:
    assert Found(site(), seconds=-1).code is ErrorCode.TIMEOUT


def test_nothing_more_is_asked_after_the_deadline() -> None:
    found = Found(site(robots=robots("Sitemap: /a.xml")), seconds=-1)
    assert found.candidates == [("/a.xml", ROBOTS)]
    assert found.web.asked == [f"{HOME}/robots.txt", f"{HOME}/"]


def test_a_host_that_counts_the_seconds_is_asked_for_no_guess_beside_what_is_named() -> None:
    found = Found(site(robots=robots("User-agent: *", "Crawl-delay: 0.1", "Sitemap: /a.xml")))
    assert found.candidates == [("/a.xml", ROBOTS)]
    assert found.result.crawl_delay == 0.1
    assert found.web.asked == [f"{HOME}/robots.txt", f"{HOME}/"]


def test_a_host_that_wants_long_pauses_is_asked_as_long_as_there_is_time() -> None:
    found = Found(site(robots=robots("User-agent: *", "Crawl-delay: 0.4"), sitemap=missing()), seconds=1)
    assert (found.candidates, found.code) == ([], None)
    assert 1 <= len(found.probed) <= 2


def test_a_cancel_ends_the_search() -> None:
    found = Found(site(), stop_after=5)
    assert found.code is ErrorCode.CANCELLED
    assert len(found.web.asked) <= 6
