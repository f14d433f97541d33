"""What is a wall is told as one, and by its own name; what only looks like one is a page."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files

import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.walls import Wall, find_wall, is_empty_frame
from support.table_web import Answer, answer, redirect, scan
from support.wall_pages import BLOCKED, DEFAULT_PAGES, LOGINS, NAV, PAGES, PARKED, SOFT_404, Sent

WALLS: Mapping[ErrorCode, Mapping[str, Sent]] = {
    ErrorCode.BLOCKED: BLOCKED,
    ErrorCode.PARKED: PARKED,
    ErrorCode.DEFAULT_PAGE: DEFAULT_PAGES,
    ErrorCode.LOGIN_REQUIRED: LOGINS,
    ErrorCode.SOFT_404: SOFT_404,
}
ALL = [pytest.param(code, sent, id=name) for code, group in WALLS.items() for name, sent in group.items()]


def parsed(sent: Sent) -> PageFacts:
    return parse_page(sent.body.encode(), sent.url, {"content-type": "text/html; charset=utf-8"})


def wall_of(sent: Sent) -> Wall | None:
    return find_wall(parsed(sent), sent.status, dict(sent.headers), domain="shop.example")


@pytest.mark.parametrize(("code", "sent"), ALL)
def test_a_wall_is_told_as_what_it_is(code: ErrorCode, sent: Sent) -> None:
    wall = wall_of(sent)
    assert wall is not None
    assert wall.code is code
    assert wall.tell("the home page").startswith("the home page ")


@pytest.mark.parametrize("sent", PAGES.values(), ids=PAGES)
def test_a_page_that_only_looks_like_a_wall_is_a_page(sent: Sent) -> None:
    assert wall_of(sent) is None
    assert not is_empty_frame(parsed(sent))


@pytest.mark.parametrize(("code", "sent"), ALL)
def test_a_scan_of_a_wall_fails_with_its_reason(code: ErrorCode, sent: Sent) -> None:
    headers = {name.replace("-", "_"): value for name, value in sent.headers}
    answers: dict[str, Answer] = {sent.url: answer(sent.body, sent.status, **headers)}
    if sent.url != "https://shop.example/":
        answers["https://shop.example/"] = redirect(sent.url)
    found = scan(answers)
    assert found.result.error is not None
    assert found.result.error.code is code
    assert found.result.metadata["wall"]
    assert [record.skipped_reason for record in found.result.pages] == [code.value]


@pytest.mark.parametrize("sent", PAGES.values(), ids=PAGES)
def test_a_scan_of_a_near_miss_brings_its_facts(sent: Sent) -> None:
    headers = {name.replace("-", "_"): value for name, value in sent.headers}
    found = scan({sent.url: answer(sent.body, sent.status, **headers)}, max_pages=1)
    assert found.result.error is None
    assert found.read == [sent.url]


def test_a_marketplace_s_own_site_is_no_parked_name() -> None:
    page = parse_page(b"<title>HugeDomains</title><p>Names", "https://www.hugedomains.com/", {})
    assert find_wall(page, 200, {}, domain="hugedomains.com") is None
    assert find_wall(page, 200, {}, domain="shop.example") is not None


OWN = "<p>Write to anna@shop.example</p>"
OWN_LINK = '<a href="mailto:anna%40mail.shop.example">Write</a>'
OWN_TOKEN = f'<span data-cfemail="{bytes([7, *(byte ^ 7 for byte in b"anna@shop.example")]).hex()}">hidden</span>'
NO_OWN = (
    "<p>Write to sales@broker.example, webmaster@shop.example or a@notshop.example</p>"
    '<a href="mailto:postmaster@shop.example">Write</a>'
)
OF_WORDS = {
    ErrorCode.PARKED: "<title>Domains for sale - Meyer Domain Brokers</title><p>This domain is for sale.</p>",
    ErrorCode.DEFAULT_PAGE: "<title>Welcome to nginx! - Harbour Press</title><p>Books</p>",
    ErrorCode.LOGIN_REQUIRED: "<title>Dealer portal login - Steiner Bikes</title><p>Tel. +41 44 668 18 00</p>"
    "<form><input name=user><input type=password></form>",
    ErrorCode.SOFT_404: "<title>Page not found - Harbour Press</title><p>Books</p>",
}


@pytest.mark.parametrize("own", [OWN, OWN_LINK, OWN_TOKEN])
@pytest.mark.parametrize("code", OF_WORDS)
def test_words_are_no_wall_beside_an_address_of_the_site_s_own(code: ErrorCode, own: str) -> None:
    bare, foreign = wall_of(Sent(OF_WORDS[code])), wall_of(Sent(OF_WORDS[code] + NO_OWN))
    assert bare is not None
    assert bare.code is code
    assert foreign == bare
    assert wall_of(Sent(OF_WORDS[code] + own)) is None


def test_a_scan_brings_the_facts_of_a_page_with_words_of_a_wall() -> None:
    for body in OF_WORDS.values():
        found = scan({"https://shop.example/": answer(body + OWN)}, max_pages=1)
        assert found.result.error is None
        assert found.read == ["https://shop.example/"]


@pytest.mark.parametrize(
    ("code", "sent"),
    [(ErrorCode.BLOCKED, BLOCKED[name]) for name in BLOCKED]
    + [
        (ErrorCode.PARKED, Sent("<title>Names</title>", url="https://www.hugedomains.com/")),
        (ErrorCode.PARKED, Sent('<p>Ads</p><script src="https://sedoparking.com/a.js"></script>')),
        (ErrorCode.DEFAULT_PAGE, Sent("<p>Suspended</p>", url="https://shop.example/cgi-sys/suspendedpage.cgi")),
        (ErrorCode.LOGIN_REQUIRED, Sent("<title>Log in</title>", 401)),
        (ErrorCode.LOGIN_REQUIRED, Sent("<title>Sign in</title>", url="https://shop.okta.com/")),
    ],
)
def test_what_more_than_words_tells_is_a_wall_beside_such_an_address_too(code: ErrorCode, sent: Sent) -> None:
    wall = find_wall(
        parsed(sent._replace(body=sent.body + OWN_LINK)), sent.status, dict(sent.headers), domain="shop.example"
    )
    assert wall is not None
    assert wall.code is code


FRAME = '<title>App</title><body><div id="root"></div><noscript>You need JavaScript.</noscript>'
SCRIPT = '<script src="/a.js"></script>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (FRAME + SCRIPT, True),
        ('<body><div id="__next"><p>Loading...</p></div>' + SCRIPT, True),
        ("<body><noscript>Please enable JavaScript to use this site.</noscript>" + SCRIPT, True),
        (FRAME, False),  # without a script nothing will fill it
        (FRAME + "<p>We open at nine and close when the last pot of the day is empty.</p>" + SCRIPT, False),
        (FRAME + NAV + SCRIPT, False),
        ("<body><p>Hello</p>" + SCRIPT, False),
    ],
)
def test_a_frame_is_empty_until_it_says_or_links_to_something(body: str, expected: bool) -> None:
    assert is_empty_frame(parsed(Sent(body))) is expected


def test_each_rule_has_its_reason_and_at_least_one_condition() -> None:
    table = tomllib.loads(files("scrapersky.scraping").joinpath("walls.toml").read_text("utf-8"))["wall"]
    for rule in table:
        assert ErrorCode(rule["code"]) in WALLS
        assert rule["by"]
        assert rule["why"]
        conditions = set(rule) - {"code", "by", "why"}
        assert conditions
        # The shape of a page alone is no reason to drop its facts.
        assert conditions - {"most_chars", "most_links"}


def test_a_wall_that_is_told_by_the_header_alone_needs_no_page() -> None:
    for status, headers in ((202, {"x_amzn_waf_action": "challenge"}), (401, {"www_authenticate": "Basic"})):
        found = scan({"https://shop.example/": answer("", status, content_type="text/plain", **headers)})
        assert found.result.error is not None
        assert found.result.error.code in (ErrorCode.BLOCKED, ErrorCode.LOGIN_REQUIRED)


def test_refusals_that_say_nothing_of_a_check_are_http_errors() -> None:
    for status in (403, 404, 429, 503):
        found = scan({"https://shop.example/": answer("<title>No</title><p>Forbidden</p>", status)})
        assert found.result.error is not None
        assert found.result.error.code is ErrorCode.HTTP_ERROR
