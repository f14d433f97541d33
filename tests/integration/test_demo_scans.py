"""A scan of each site of the demo web, without database and queue: the outcome is the one that the site describes."""

import time
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from scrapersky.domain.facts import SiteScan
from scrapersky.domain.limits import DEFAULT_PAGES
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.site import scan_site
from scrapersky_local.demo_web.server import DemoWeb, serve
from scrapersky_local.demo_web.sites import Site, differences, load

SITES = load()


@pytest.fixture(scope="module")
def web() -> Iterator[DemoWeb]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def fetcher(web: DemoWeb) -> Fetcher:
    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(map(parse_resolve_rule, web.resolve_rules()))
    )
    return Fetcher(policy=policy, user_agent="ScraperSky-test", ca_file=str(web.ca_file), resolver=no_names)


def no_names(host: str, port: int) -> list[str]:
    """A resolver for which the rules' names are the only ones."""
    raise OSError(f"no address for {host}")


def scan(site: Site, fetcher: Fetcher) -> SiteScan:
    return scan_site(
        site.host,
        max_pages=DEFAULT_PAGES,
        fetcher=fetcher,
        deadline=time.monotonic() + 30,
        should_stop=lambda: False,
        on_progress=lambda _: None,
    )


def document(scanned: SiteScan) -> dict[str, Any]:
    """The part of the job's document that a scan decides."""
    return {
        "status": "failed" if scanned.error else "complete",
        "result": {
            "site_data": scanned.site_data.to_json(),
            "processing_metrics": {"pages_fetched": scanned.pages_fetched},
        }
        if scanned.site_data
        else None,
        "error": {"code": scanned.error.code.value} if scanned.error else None,
        "metadata": scanned.metadata,
    }


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.host)
def test_a_scan_comes_to_what_the_site_describes(site: Site, fetcher: Fetcher) -> None:
    assert differences(site.expect, document(scan(site, fetcher))) == []


def test_a_site_that_asks_to_be_left_alone_is_asked_for_its_robots_txt_only(web: DemoWeb, fetcher: Fetcher) -> None:
    (site,) = (site for site in SITES if site.host == "members-only.example")
    scan(site, fetcher)
    assert {seen.path for seen in web.seen if seen.host == site.host} == {"/robots.txt"}


def test_requests_say_who_asks(web: DemoWeb, fetcher: Fetcher) -> None:
    (site,) = (site for site in SITES if site.host == "parish-hall.example")
    scan(site, fetcher)
    assert {seen.user_agent for seen in web.seen if seen.host == site.host} == {"ScraperSky-test"}
