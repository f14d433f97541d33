"""Scrapy with its own selectors over the fixture web; runs in the peers' environment."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy  # type: ignore[import-not-found]  # installed for the bench alone
from scrapy.crawler import CrawlerProcess  # type: ignore[import-not-found]

from bench.fetching.fields import extract
from bench.fetching.measure import FURTHER_PAGES, Measure, address, concurrency, port, site_count

SETTINGS = {
    "CONCURRENT_REQUESTS": concurrency(),
    "LOG_LEVEL": "ERROR",
    "RETRY_ENABLED": False,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
}


class SitesSpider(scrapy.Spider):  # type: ignore[misc]
    name = "sites"
    measure: Measure

    async def start(self) -> AsyncIterator[Any]:
        for site in range(site_count()):
            yield scrapy.Request(f"http://{address(site)}:{port()}/", cb_kwargs={"site": site})

    def parse(self, response: Any, site: int) -> Iterator[Any]:
        self.measure.add(site, response.url, extract(response))
        further = f"a[href^='{FURTHER_PAGES}']"
        yield from response.follow_all(css=further, callback=self.parse_further, cb_kwargs={"site": site})

    def parse_further(self, response: Any, site: int) -> None:
        self.measure.add(site, response.url, extract(response))


def main() -> None:
    measure = Measure()
    process = CrawlerProcess(SETTINGS)
    process.crawl(SitesSpider, measure=measure)
    process.start()
    measure.report()


if __name__ == "__main__":
    main()
