"""robots.txt by RFC 9309: what each answer of the site allows, over a transport that opens no socket."""

import time
from collections.abc import Callable

import httpx
import pytest

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.fetch import Fetched, FetchFailure, SiteClient
from scrapersky.scraping.guard import PUBLIC, GuardedBackend
from scrapersky.scraping.limits import PAGE_LIMITS
from scrapersky.scraping.robots import MAX_RULE_COPIES, RobotsCache, RobotsReason, RobotsVerdict, rule_copies
from scrapersky.scraping.streams import Meter

AGENT = "ScraperSky/1.0 (+https://scrapersky.example/badbot)"
PAGE = "https://shop.example/private/page?x=1"

Handler = Callable[[httpx.Request], httpx.Response]


def nobody(host: str, port: int) -> list[str]:
    raise AssertionError("looked up")


def client(handler: Handler) -> SiteClient:
    meter = Meter(0.0, PAGE_LIMITS, lambda: False)
    return SiteClient(httpx.MockTransport(handler), GuardedBackend(PUBLIC, nobody, meter), AGENT)


def verdict(handler: Handler, url: str = PAGE) -> RobotsVerdict:
    return RobotsCache(AGENT).allowed(url, client(handler), time.monotonic() + 5)


def answer(status: int, body: str | bytes = b"", *, location: str = "") -> httpx.Response:
    """A response whose body is still to be read, as a real transport gives it."""
    stream = httpx.ByteStream(body.encode() if isinstance(body, str) else body)
    return httpx.Response(status, headers={"Location": location} if location else None, stream=stream)


def file(text: str | bytes, status: int = 200) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/robots.txt"
        return answer(status, text)

    return handler


def failing(code: ErrorCode) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise FetchError(code, "as told")

    return handler


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /private", False),
        ("User-agent: *\nDisallow: /private\nAllow: /private/page", True),
        ("User-agent: *\nDisallow: /other", True),
        ("User-agent: *\nDisallow: /*?x=", False),
        ("User-agent: *\nDisallow: /private/page$", True),
        ("User-agent: other\nDisallow: /", True),
        ("User-agent: scrapersky\nDisallow: /", False),
        ("User-agent: SCRAPERSKY\nDisallow: /\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: ScraperSky\nAllow: /", True),
        ("User-agent: badbot\nDisallow: /", True),  # stands in the contact URL, is not the product token
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("User-agent: *\r\nDisallow: /\r\n", False),
        ("User-agent: *\rDisallow: /\r", False),
        (b"User-agent: *\nDisallow: /\n# caf\xe9", False),
        ("<html><title>Not found</title></html>", True),
    ],
)
def test_the_rules_of_a_file_are_followed(text: str | bytes, allowed: bool) -> None:
    found = verdict(file(text))
    assert found.allowed is allowed
    assert found.reason is (RobotsReason.ALLOWED if allowed else RobotsReason.DENIED)
    assert (found.failure is None) is allowed
    if found.failure:
        assert (found.failure.code, found.failure.url) == (ErrorCode.ROBOTS_DENIED, PAGE)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 451, 300, 304])
def test_a_file_that_is_not_there_allows_everything(status: int) -> None:
    assert verdict(file("User-agent: *\nDisallow: /", status)) == RobotsVerdict(True, RobotsReason.NO_FILE)


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_server_error_forbids_everything_and_is_told_as_an_error_that_may_pass(status: int) -> None:
    found = verdict(file("User-agent: *\nAllow: /", status))
    assert (found.allowed, found.reason) == (False, RobotsReason.UNREACHABLE)
    assert found.failure is not None
    assert (found.failure.code, found.failure.url) == (ErrorCode.HTTP_ERROR, PAGE)
    assert found.failure.code.retryable
    assert found.failure.status_code is None  # the page's own, which was not asked for
    assert found.failure.message == (
        f"robots.txt answered with status {status}, so the site is left alone until it can be read"
    )


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.DNS_FAILURE,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.CONNECT_FAILURE,
        ErrorCode.TLS_FAILURE,
        ErrorCode.TIMEOUT,
        ErrorCode.CANCELLED,
    ],
)
def test_a_host_out_of_reach_is_told_as_that_and_not_as_a_denial(code: ErrorCode) -> None:
    found = verdict(failing(code))
    assert (found.allowed, found.reason) == (False, RobotsReason.HOST_FAILURE)
    assert found.failure is not None
    assert (found.failure.code, found.failure.url) == (code, PAGE)


@pytest.mark.parametrize("code", [ErrorCode.HTTP_ERROR, ErrorCode.TOO_LARGE])
def test_a_broken_answer_forbids_everything_and_says_what_is_broken(code: ErrorCode) -> None:
    found = verdict(failing(code))
    assert found.failure is not None
    assert (found.reason, found.failure.code) == (RobotsReason.UNREACHABLE, ErrorCode.HTTP_ERROR)
    assert found.failure.message == (
        "robots.txt could not be read (as told), so the site is left alone until it can be read"
    )


@pytest.mark.parametrize(
    "code", [ErrorCode.BLOCKED_ADDRESS, ErrorCode.DNS_FAILURE, ErrorCode.CONNECT_FAILURE, ErrorCode.TLS_FAILURE]
)
def test_a_file_that_redirects_out_of_reach_forbids_everything_and_tells_why(code: ErrorCode) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "shop.example":
            return answer(302, location="https://elsewhere.example/robots.txt")
        raise FetchError(code, "out of reach")

    found = verdict(handler)
    assert found.failure is not None
    assert (found.allowed, found.reason, found.failure.code) == (False, RobotsReason.HOST_FAILURE, code)


@pytest.mark.parametrize(("hops", "reason"), [(5, RobotsReason.DENIED), (6, RobotsReason.NO_FILE)])
def test_five_redirects_are_followed_and_a_sixth_means_no_file(hops: int, reason: RobotsReason) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("n", 0))
        if at < hops:
            return answer(301, location=f"https://cdn.example/robots.txt?n={at + 1}")
        return answer(200, "User-agent: *\nDisallow: /")

    assert verdict(handler).reason is reason


def test_what_lies_beyond_500_kib_is_ignored() -> None:
    padding = "#" * (500 * 1024) + "\n"
    assert verdict(file(padding + "User-agent: *\nDisallow: /")).allowed
    assert not verdict(file("User-agent: *\nDisallow: /\n" + padding)).allowed


def test_delay_and_sitemaps_are_handed_on() -> None:
    found = verdict(file("Sitemap: https://shop.example/a.xml\nUser-agent: *\nCrawl-delay: 1.5\nSitemap: /b.xml"))
    assert found.crawl_delay == 1.5
    assert found.sitemaps == ("https://shop.example/a.xml", "https://shop.example/b.xml")


def test_sitemaps_are_kept_by_origin_and_relative_ones_are_where_the_file_is() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        moved = {"shop.example": "https://www.shop.example/robots.txt", "old.example": "https://cdn.example/robots.txt"}
        location = moved.get(request.url.host)
        if location:
            return httpx.Response(301, headers={"location": location})
        return answer(200, "User-agent: *\nDisallow: /\nSitemap: /a.xml\nSitemap: https://x.example/b.xml")

    cache, web = RobotsCache(AGENT), client(handler)
    for origin in ("https://shop.example", "https://old.example"):
        assert not cache.allowed(f"{origin}/", web, time.monotonic() + 9).allowed
    assert cache.sitemaps == {
        "https://shop.example": ("https://www.shop.example/a.xml", "https://x.example/b.xml"),
        "https://old.example": ("https://old.example/a.xml", "https://x.example/b.xml"),
    }


def test_a_page_in_the_file_s_place_names_no_sitemaps() -> None:
    assert verdict(file("<html>\nSitemap: https://shop.example/a.xml\n</html>")).sitemaps == ()
    assert verdict(file("\ufeffSitemap: https://shop.example/a.xml\n")).sitemaps == ("https://shop.example/a.xml",)


def test_each_origin_is_asked_once_and_rules_itself_alone() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer(200, "User-agent: *\nDisallow: /" if request.url.scheme == "http" else "")

    cache, site = RobotsCache(AGENT), client(handler)
    answers = {
        url: [cache.allowed(url, site, time.monotonic() + 5).allowed for _ in range(2)]
        for url in (
            "https://shop.example/",
            "https://shop.example/b",
            "http://shop.example/",
            "https://www.shop.example/",
        )
    }
    assert list(answers.values()) == [[True, True], [True, True], [False, False], [True, True]]
    assert asked == [
        "https://shop.example/robots.txt",
        "http://shop.example/robots.txt",
        "https://www.shop.example/robots.txt",
    ]


def test_a_server_error_is_kept_for_the_scan() -> None:
    answers = [answer(503), answer(404)]
    cache, site = RobotsCache(AGENT), client(lambda _: answers.pop(0))
    assert [cache.allowed(PAGE, site, time.monotonic() + 5).allowed for _ in range(2)] == [False, False]


def test_a_timeout_is_not_kept() -> None:
    answers: list[FetchError | httpx.Response] = [FetchError(ErrorCode.TIMEOUT, "slow"), answer(404)]

    def handler(request: httpx.Request) -> httpx.Response:
        told = answers.pop(0)
        if isinstance(told, FetchError):
            raise told
        return told

    cache, site = RobotsCache(AGENT), client(handler)
    assert [cache.allowed(PAGE, site, time.monotonic() + 5).allowed for _ in range(2)] == [False, True]


def test_every_hop_of_a_fetch_is_held_to_its_own_origins_file() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.path == "/robots.txt":
            is_closed = request.url.host == "closed.example"
            return answer(200, "User-agent: *\nDisallow: /" if is_closed else "")
        return answer(301, location="https://closed.example/page")

    deadline = time.monotonic() + 5
    cache, site = RobotsCache(AGENT), client(handler)
    refused = site.get(
        "https://shop.example/", deadline=deadline, allow=lambda url: cache.allowed(url, site, deadline).failure
    )
    assert isinstance(refused, FetchFailure)
    assert (refused.code, refused.url) == (ErrorCode.ROBOTS_DENIED, "https://closed.example/page")
    assert [hop.url for hop in refused.redirects] == ["https://shop.example/"]
    assert asked == [
        "https://shop.example/robots.txt",
        "https://shop.example/",
        "https://closed.example/robots.txt",
    ]


@pytest.mark.parametrize("url", ["ftp://shop.example/", "http://", "x"])
def test_what_is_no_web_address_is_not_allowed(url: str) -> None:
    assert not verdict(file(""), url).allowed


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        ("User-agent: a\nDisallow: /x\nDisallow: /y", 3),
        ("User-agent: a\nUser-agent: b\nDisallow: /x", 1 + 2 + 2),
        ("User-agent: a\n\n# note\nUser agent b\nallow /x\n", 1 + 1 + 1 + 2 + 2),
        ("User-agent: a\nDisallow: /x\nUser-agent: b\nDisallow: /y", 4),
        ("User-agent: a\nDisallow#: /x\nUser-agent: b\nDisallow: /y", 1 + 1 + 2 + 2),
        ("User-agent: a\nDisallow: /$x", 3),
        ("Disallow: /x", 0),
    ],
)
def test_the_cost_of_a_file_is_counted_by_group(text: str, copies: int) -> None:
    assert rule_copies(text) == copies


def test_a_file_made_to_exhaust_the_parser_is_not_parsed() -> None:
    hostile = "".join(f"user-agent:{n}\n" for n in range(9000)) + "allow:/\n" * 9000
    assert rule_copies(hostile) > 50 * MAX_RULE_COPIES
    begun = time.thread_time()
    found = verdict(file(hostile))
    assert time.thread_time() - begun < 1
    assert found.reason is RobotsReason.UNREACHABLE
    assert found.failure is not None
    assert "too many rules" in found.failure.message


@pytest.mark.parametrize(
    "rule",
    [
        "Disallow: /" + "*a" * 200_000 + "b",
        "Disallow: /*" + "a*" * 50 + "b\n",
        "Disallow: /*" + "a" * 48 + "b" + "a" * 48 + "\n",
        "Disallow: /*ab\n",
        "Disallow: /" + "%61" * 160_000,
    ],
    ids=["one of many stars", "many of many stars", "long and almost", "short and almost", "escapes"],
)
def test_patterns_made_to_exhaust_the_matcher_end_soon(rule: str) -> None:
    """The URL is one that a site may redirect to; a matcher that went back for each star would never end."""
    hostile = ("User-agent: *\n" + rule * (500 * 1024 // len(rule)))[: 500 * 1024]
    begun = time.thread_time()
    found = verdict(file(hostile), "https://shop.example/" + "a" * 7900)
    assert time.thread_time() - begun < 10
    assert found.reason is RobotsReason.ALLOWED


def test_a_large_honest_file_is_parsed() -> None:
    agents = "".join(f"User-agent: bot{n}\nDisallow: /\n\n" for n in range(3000))
    rules = "User-agent: *\n" + "".join(f"Disallow: /section{n}/*$\n" for n in range(3000))
    assert verdict(file(agents + rules)).reason is RobotsReason.ALLOWED


def test_a_page_fetched_over_the_same_seam_is_an_answer() -> None:
    fetched = client(lambda request: answer(200, request.url.path)).get(PAGE, deadline=time.monotonic() + 5)
    assert isinstance(fetched, Fetched)
    assert fetched.body == b"/private/page"
