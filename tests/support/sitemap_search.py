"""A search for a site's sitemaps over a web that is a table of answers."""

import time
from collections.abc import Mapping
from typing import Final, cast

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, Fetcher
from scrapersky.scraping.sitemaps.discovery import Discovery, discover
from scrapersky.scraping.visit import Visit
from support.table_web import Answer, TableWeb, answer, page

HOME: Final = "https://shop.example"
URLSET = (
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://shop.example/a</loc></url></urlset>'
)


def xml(body: str = URLSET) -> Fetched:
    return answer(body, content_type="application/xml")


def robots(*lines: str) -> Fetched:
    return answer("\n".join(lines), content_type="text/plain")


def missing(body: str = "<title>Not found</title>") -> Fetched:
    return answer(body, status=404)


class Found:
    """A discovery that is over, and the web that it was of."""

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        seconds: float = 30,
        stop_after: int = 10**6,
    ) -> None:
        self.web = TableWeb(answers)
        visit = Visit(cast(Fetcher, self.web), time.monotonic() + 60, lambda: len(self.web.asked) >= stop_after)
        with visit:
            self.result: Discovery = discover("shop.example", visit, deadline=time.monotonic() + seconds)

    @property
    def candidates(self) -> list[tuple[str, str]]:
        return [(url.removeprefix(HOME), method) for url, method in self.result.candidates]

    @property
    def code(self) -> ErrorCode | None:
        return self.result.failure.code if self.result.failure else None

    @property
    def probed(self) -> dict[str, str]:
        return {probe["url"].removeprefix(HOME): probe["outcome"] for probe in self.result.probed}


def site(home: Answer | None = None, **paths: Answer) -> dict[str, Answer]:
    """`robots` and `sitemap` are those files, another name is a path."""
    names = {"robots": "robots.txt", "sitemap": "sitemap.xml"}
    return {
        f"{HOME}/": home or page("Home"),
        **{f"{HOME}/{names.get(name, name)}": found for name, found in paths.items()},
    }
