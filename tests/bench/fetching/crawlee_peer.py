"""Crawlee's ParselCrawler over the fixture web, nothing kept on disk; runs in the peers' environment."""

import asyncio
import logging
from typing import Any

from crawlee import ConcurrencySettings, Request  # type: ignore[import-not-found]  # installed for the bench alone
from crawlee.crawlers import ParselCrawler  # type: ignore[import-not-found]
from crawlee.storage_clients import MemoryStorageClient  # type: ignore[import-not-found]

from bench.fetching.fields import extract
from bench.fetching.measure import FURTHER_PAGES, Measure, address, concurrency, port, site_count


async def main() -> None:
    logging.disable(logging.WARNING)
    measure = Measure()
    window = concurrency()
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=window, desired_concurrency=window, max_concurrency=window
        ),
        max_request_retries=0,
        respect_robots_txt_file=True,
        configure_logging=False,
    )

    async def read(context: Any) -> None:
        measure.add(context.request.user_data["site"], context.request.url, extract(context.selector))

    async def read_home(context: Any) -> None:
        await read(context)
        site = {"site": context.request.user_data["site"]}
        await context.enqueue_links(selector=f"a[href^='{FURTHER_PAGES}']", label="further", user_data=site)

    crawler.router.default_handler(read_home)
    crawler.router.handler("further")(read)
    await crawler.run(
        [
            Request.from_url(f"http://{address(site)}:{port()}/", user_data={"site": site})
            for site in range(site_count())
        ]
    )
    measure.report()


if __name__ == "__main__":
    asyncio.run(main())
