"""The worker's scan over the fixture web, `scan_site` itself, in a window of threads as the worker runs it."""

import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from urllib.parse import urlsplit

import bench.fetching.layer  # noqa: F401  first: it decides what the others find
from bench.fetching.measure import Measure, address, concurrency, page_count, port, site_count
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.scraping.site import scan_site

CLOSED_PORT = 1  # tcpmux: every scan asks for https first, and is refused
SITE_SECONDS = 60.0


def make_fetcher() -> Fetcher:
    """A fetcher for which every `*.example` has the fixture web's plain port, and a closed one for https."""
    rules = (f"*.example:443={address(0)}:{CLOSED_PORT}", f"*.example:80={address(0)}:{port()}")
    policy = NetworkPolicy(
        allowed_networks=(ip_network("127.0.0.0/8"),), resolve=tuple(parse_resolve_rule(rule) for rule in rules)
    )
    return Fetcher(policy=policy, user_agent="ScraperSky/1.0 (+https://scrapersky.example/bot)")


def main() -> None:
    measure = Measure()
    fetcher = make_fetcher()

    def scan(site: int) -> None:
        result = scan_site(
            f"site{site}.example",
            max_pages=page_count(site),
            fetcher=fetcher,
            deadline=time.monotonic() + SITE_SECONDS,
            should_stop=lambda: False,
            on_progress=lambda _: None,
        )
        if result.site_data is None:
            raise RuntimeError(f"no facts of site {site}: {result.error}")
        facts = result.site_data.to_json()
        paths = [urlsplit(page.url).path for page in result.pages if page.skipped_reason is None]
        measure.add_site(site, paths, facts | {"emails": facts["contact_info"]["email"]})

    with ThreadPoolExecutor(concurrency()) as pool:
        list(pool.map(scan, range(site_count())))
    measure.report()


if __name__ == "__main__":
    main()
