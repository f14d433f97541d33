"""A scan over real sockets keeps its hosts' distance. Waits are measured where they are felt: in the listener."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from itertools import pairwise

import pytest

from scrapersky.domain.facts import SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.politeness import MAX_PAUSE_SECONDS
from scrapersky.scraping.site import scan_site
from support.loopback import CLOSED_PORT, Listener, redirect, response

HOST, OTHER = "shop.example", "other.example"
HOME = response(b"<title>Home</title>")
MISSING = response(status="404 Not Found")


def robots(delay: str) -> bytes:
    return response(f"User-agent: *\nCrawl-delay: {delay}".encode(), content_type="text/plain")


def busy(retry_after: str | None, status: str = "503 Service Unavailable") -> bytes:
    return response(status=status, headers=[f"Retry-After: {retry_after}"] if retry_after else [])


class Site:
    """A listener whose pages answer in turn, the last one again and again. Without an entry a path is a 404."""

    def __init__(self, **answers: list[bytes]) -> None:
        """`home` is `/`, `robots` its robots.txt, another name is a path."""
        named = {"home": "/", "robots": "/robots.txt"}
        self._answers = {named.get(name, f"/{name}"): pages for name, pages in answers.items()}
        self.seen: list[tuple[str, float]] = []
        self.first_page = threading.Event()

    def __call__(self, path: str) -> Iterator[bytes]:
        self.seen.append((path, time.monotonic()))
        if path != "/robots.txt":
            self.first_page.set()
        left = self._answers.get(path, [MISSING])
        yield left.pop(0) if len(left) > 1 else left[0]

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]

    @property
    def gaps(self) -> list[float]:
        """Seconds between successive pages."""
        return [after - before for before, after in pairwise(at for path, at in self.seen if path != "/robots.txt")]


def scan(*sites: Site, seconds: float = 20, should_stop: Callable[[], bool] = lambda: False) -> SiteScan:
    """Scans HOST, which the first site answers; OTHER is the second one. Neither has https."""
    with ExitStack() as running:
        ports = [running.enter_context(Listener(site)).port for site in sites]
        rules = [f"*.example:443=127.0.0.1:{CLOSED_PORT}"]
        rules += [f"{host}:80=127.0.0.1:{port}" for host, port in zip((HOST, OTHER), ports, strict=False)]
        policy = NetworkPolicy(
            allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(parse_resolve_rule(rule) for rule in rules)
        )
        return scan_site(
            HOST,
            max_pages=1,
            fetcher=Fetcher(policy=policy, user_agent="ScraperSky/1.0"),
            deadline=time.monotonic() + seconds,
            should_stop=should_stop,
            on_progress=lambda _: None,
        )


def code(scan: SiteScan) -> ErrorCode | None:
    return scan.error.code if scan.error else None


def test_pages_of_one_host_are_a_crawl_delay_apart() -> None:
    site = Site(robots=[robots("0.7")], home=[redirect("/en")], en=[redirect("/en.html")])
    result = scan(site)
    assert site.paths == ["/robots.txt", "/", "/en", "/en.html"]
    assert min(site.gaps) >= 0.7
    assert 0 < result.metadata["pause_seconds"] <= 0.7


def test_the_page_after_robots_txt_waits_for_nothing_and_the_pause_is_handed_on() -> None:
    site = Site(robots=[robots("86400")], home=[HOME])
    result = scan(site)
    assert result.site_data is not None
    assert result.metadata["pause_seconds"] == pytest.approx(MAX_PAUSE_SECONDS, abs=5)


def test_a_second_page_within_a_delay_of_a_day_is_refused_and_not_fetched() -> None:
    site = Site(robots=[robots("86400")], home=[redirect("/en")], en=[HOME])
    result = scan(site)
    assert result.error is not None
    assert result.error.code is ErrorCode.ROBOTS_DENIED
    assert "86400 seconds" in result.error.message
    assert site.paths == ["/robots.txt", "/"]
    assert result.metadata["redirects"][0]["location"] == "/en"


def test_a_delay_beyond_the_deadline_ends_as_timeout() -> None:
    site = Site(robots=[robots("20")], home=[redirect("/en")], en=[HOME])
    assert code(scan(site, seconds=5)) is ErrorCode.TIMEOUT
    assert site.paths == ["/robots.txt", "/"]


def test_the_delay_of_one_host_does_not_hold_up_another() -> None:
    site, other = Site(robots=[robots("86400")], home=[redirect(f"http://{OTHER}/")]), Site(home=[HOME])
    assert code(scan(site, other)) is None
    assert other.paths == ["/robots.txt", "/"]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_busy_host_is_asked_once_more_after_the_time_it_names(status: str) -> None:
    site = Site(home=[busy("1", status), HOME])
    result = scan(site)
    assert result.site_data is not None
    assert result.site_data.title == "Home"
    assert len(site.gaps) == 1
    assert site.gaps[0] >= 1
    assert [page.skipped_reason for page in result.pages] == ["connect_failure", None]
    assert result.metadata["pause_seconds"] == 0


def test_a_second_try_goes_to_where_the_first_was_redirected() -> None:
    site, other = Site(home=[redirect(f"http://{OTHER}/")]), Site(home=[busy("1"), HOME])
    result = scan(site, other)
    assert site.paths == ["/robots.txt", "/"]
    assert other.gaps[0] >= 1
    assert [hop["location"] for hop in result.metadata["redirects"]] == [f"http://{OTHER}/"]
    assert result.metadata["final_url"] == f"http://{OTHER}/"


def test_a_second_try_keeps_the_longer_of_the_two_distances() -> None:
    site = Site(robots=[robots("1.5")], home=[busy("0"), HOME])
    assert code(scan(site)) is None
    assert site.gaps[0] >= 1.5


def test_a_host_that_stays_busy_is_an_http_error() -> None:
    site = Site(home=[busy("0"), busy("50")])
    result = scan(site)
    assert code(result) is ErrorCode.HTTP_ERROR
    assert len(site.gaps) == 1
    assert 40 < result.metadata["pause_seconds"] <= 50


@pytest.mark.parametrize(("header", "pause"), [("3600", MAX_PAUSE_SECONDS), ("25", 25.0), (None, 0.0)])
def test_a_wait_that_does_not_fit_is_an_http_error_at_once(header: str | None, pause: float) -> None:
    site = Site(home=[busy(header), HOME])
    result = scan(site)
    assert code(result) is ErrorCode.HTTP_ERROR
    assert [page.status_code for page in result.pages] == [None, 503]
    assert site.paths == ["/robots.txt", "/"]
    assert result.metadata["pause_seconds"] == pytest.approx(pause, abs=5)


def test_a_busy_robots_txt_is_asked_for_once_more() -> None:
    site = Site(robots=[busy("1"), robots("0")], home=[HOME])
    assert code(scan(site)) is None
    assert site.paths == ["/robots.txt", "/robots.txt", "/"]
    assert site.seen[1][1] - site.seen[0][1] >= 1


def test_a_host_that_puts_its_robots_txt_off_for_long_is_asked_for_nothing_more() -> None:
    site = Site(robots=[busy("300", "429 Too Many Requests")], home=[HOME])
    result = scan(site)
    assert code(result) is ErrorCode.HTTP_ERROR
    assert site.paths == ["/robots.txt"]
    assert result.metadata["pause_seconds"] == pytest.approx(MAX_PAUSE_SECONDS, abs=5)


def test_a_wait_ends_when_the_scan_is_called_off() -> None:
    site = Site(home=[busy("15"), HOME])
    begun = time.monotonic()
    result = scan(site, should_stop=site.first_page.is_set)
    assert code(result) is ErrorCode.CANCELLED
    assert site.paths == ["/robots.txt", "/"]
    assert time.monotonic() - begun < 10
