"""The scan worker's fetch-and-extract path over the fixture web, in a window of threads as the worker runs it.

The scan itself (`scan_site`) reads the home page alone. So that further pages can be measured, this reads every page,
the first one too, by the functions that the scan calls, in the order in which it calls them: one `Fetcher.site()`
client a site, its `PoliteClient` and `RobotsCache`, then `parse_page` and `site_data`, which is `find_contacts`,
`find_technologies` and what is read out of these. One thread reads at a time, as in the scan.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from threading import Lock
from typing import Any
from urllib.parse import urljoin

import bench.fetching.layer  # noqa: F401  first: it decides what the others find
from bench.fetching.measure import FURTHER_PAGES, Measure, address, concurrency, port, site_count
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.page import parse_page
from scrapersky.scraping.politeness import PoliteClient
from scrapersky.scraping.robots import RobotsCache
from scrapersky.scraping.site import is_html, site_data

CLOSED_PORT = 1  # tcpmux: every scan asks for https first, and is refused
SITE_SECONDS = 60.0
READING = Lock()


def make_fetcher() -> Fetcher:
    """A fetcher for which every `*.example` has the fixture web's plain port, and a closed one for https."""
    rules = (f"*.example:443={address(0)}:{CLOSED_PORT}", f"*.example:80={address(0)}:{port()}")
    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(parse_resolve_rule(rule) for rule in rules)
    )
    return Fetcher(policy=policy, user_agent="ScraperSky/1.0 (+https://scrapersky.example/bot)")


class Visit:
    """One site's pages: robots.txt is asked, and the site's pauses are kept, before each of them."""

    def __init__(self, fetcher: Fetcher, polite: PoliteClient, deadline: float) -> None:
        self._polite = polite
        self._robots = RobotsCache(fetcher.user_agent)
        self._deadline = deadline

    def pages(self, domain: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The URL and the facts of the home page, then of each page of the site's own that it links to."""
        home, further, facts = _read(self._home_page(domain))
        yield home, facts
        for url in further:
            final, _, facts = _read(self._get(url))
            yield final, facts

    def _home_page(self, domain: str) -> Fetched | FetchFailure:
        encrypted = self._get(f"https://{domain}/")
        if isinstance(encrypted, FetchFailure) and encrypted.code is ErrorCode.CONNECT_FAILURE:
            return self._get(f"http://{domain}/")
        return encrypted

    def _get(self, url: str) -> Fetched | FetchFailure:
        return self._polite.get(url, deadline=self._deadline, should_stop=lambda: False, allow=self._allow)

    def _allow(self, url: str) -> FetchFailure | None:
        verdict = self._robots.allowed(url, self._polite, self._deadline, lambda: False)
        return verdict.failure or self._polite.hold(url, verdict.crawl_delay)


def _read(answer: Fetched | FetchFailure) -> tuple[str, list[str], dict[str, Any]]:
    """A page's URL, those of the further pages it links to, and its facts as a scan's result has them.

    Raises RuntimeError when there is no page.
    """
    if isinstance(answer, FetchFailure) or answer.status_code != 200 or not is_html(answer):
        raise RuntimeError(f"no page at {answer.url} (status {answer.status_code})")
    with READING:
        page = parse_page(answer.body, answer.url, answer.headers)
        facts = site_data(page, answer).to_json()
    further = dict.fromkeys(link.href for link in page.links if link.href.startswith(FURTHER_PAGES))
    return page.url, [urljoin(page.url, href) for href in further], facts


def main() -> None:
    measure = Measure()
    fetcher = make_fetcher()

    def scan(site: int) -> None:
        deadline = time.monotonic() + SITE_SECONDS
        with fetcher.site() as client:
            visit = Visit(fetcher, PoliteClient(client, deadline, lambda: False), deadline)
            for url, facts in visit.pages(f"site{site}.example"):
                measure.add(site, url, facts | {"emails": facts["contact_info"]["email"]})

    with ThreadPoolExecutor(concurrency()) as pool:
        list(pool.map(scan, range(site_count())))
    measure.report()


if __name__ == "__main__":
    main()
