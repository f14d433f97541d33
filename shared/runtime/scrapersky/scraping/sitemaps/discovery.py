"""Finding a site's sitemaps: what robots.txt and the home page name, then the places where sites like it have theirs.

What                                    becomes a sitemap of the site                        because
a Sitemap line of a robots.txt          whatever it answers, on any host                     the site says so
`<link rel="sitemap">`                  whatever it answers, on the site's own hosts         the same
a link whose words or path say sitemap  when its first bytes are those of a sitemap          most are pages for people
a common path                           the same                                             it is a guess

The robots.txt are those of the site's own hosts, and of where its home page was moved as a whole: a domain that leads
to a profile in somebody's network does not have that network's sitemaps.

Where something is named, only the first common paths are tried, and none on a host that counts the seconds between
pages; else all, until one is found.
"""

import re
import time
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from scrapersky.domain.facts import ScanError
from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.crawl import READING
from scrapersky.scraping.fetch import Fetched, FetchFailure
from scrapersky.scraping.home import HomePage
from scrapersky.scraping.html_type import is_html
from scrapersky.scraping.limits import PROBE_LIMITS
from scrapersky.scraping.page import PageFacts, parse_page
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.refresh import only_leads_to
from scrapersky.scraping.sitemaps import common_paths
from scrapersky.scraping.sitemaps.declared import MAX_ELSEWHERE, bare_host, is_of_site, place_of
from scrapersky.scraping.sitemaps.reader import looks_like_sitemap
from scrapersky.scraping.technology import find_technologies
from scrapersky.scraping.urls import absolute_url
from scrapersky.scraping.visit import Visit
from scrapersky.scraping.walls import find_wall

PATHS_BESIDE_NAMED: Final = 3
"""Common paths that are tried where the site names sitemaps itself: a name may be out of date, or leave the other half
of the site out."""

MAX_PAGE_LINKS: Final = 5
"""Links that are tried: a footer has one or two, in as many languages."""

MAX_PROBES: Final = 32
"""Files that are asked for in vain at the most: all common paths and links."""

MAX_SILENT: Final = 2
"""Probes in a row that bring no answer at all, after which a site is not asked for more."""

_CMS: Final = ("CMS", "website builder", "e-commerce", "static site generator")
"""The categories of software that a site is made with as a whole, the most telling first."""

_SAYS_SITEMAP = re.compile(
    r"site[-_ ]?maps?(?![a-z])|plan du site|mapa (?:del sitio|web|do site|strony|stránek)|mappa del sito|"
    r"site haritas|oldaltérkép|карта сайта|サイトマップ|(?:网站|網站)地[图圖]",
    re.IGNORECASE,
)
_IS_FILE = re.compile(r"\.(?:xml|gz|txt)(?:[?#]|$)", re.IGNORECASE)
# The path of a home page: none, a language, or the name that one has anywhere.
_WHOLE_SITE = re.compile(r"(?:/[a-z]{2}(?:[-_][a-z]{2,4})?)?/?(?:(?:index|home|default)(?:\.\w+)?/?)?", re.IGNORECASE)
_IS_NONE: Final = frozenset({404, 410})


class Candidate(NamedTuple):
    """A file to be read as a sitemap, by its absolute URL, and how it came to be known."""

    url: str
    method: DiscoveryMethod


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found. `failure` is set only where nothing was, since the site could not be asked.

    `cms` is what the home page is made with, by its name in `technologies.toml`. `probed` tells each file that was
    tried: `{url, discovery_method, status_code, final_url, outcome}` with the outcome `sitemap`, `duplicate`, `none` or
    an error's code. `left_out` are the files that are named beyond MAX_ELSEWHERE. `home` is how the home page was
    found, as a domain scan's metadata has it. `crawl_delay` is in seconds.
    """

    candidates: tuple[Candidate, ...]
    cms: str | None
    probed: list[dict[str, Any]]
    failure: ScanError | None
    crawl_delay: float
    left_out: int
    home: dict[str, Any]


def discover(domain: str, visit: Visit, *, deadline: float) -> Discovery:
    """Finds the sitemaps of `domain` (a domain key), asking for nothing more after `deadline` (of `time.monotonic()`).

    Never raises for the site's sake. Each fetch keeps to robots.txt, the host's pauses and the visit's own deadline.
    """
    return _Search(domain, visit, deadline).run()


@dataclass(frozen=True, slots=True)
class _Home:
    """What a home page brings: where the site is, what it is made with, which sitemaps it names or links to."""

    origin: str
    failure: ScanError | None = None
    is_wall: bool = False
    made_with: tuple[str, ...] = ()
    cms: str | None = None
    named: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()


@dataclass(slots=True)
class _Search:
    domain: str
    visit: Visit
    deadline: float
    found: dict[str, Candidate] = field(default_factory=dict)
    """By `place_of`, so that each is found once."""
    tried: set[str] = field(default_factory=set)
    probed: list[dict[str, Any]] = field(default_factory=list)
    silent: int = 0
    answers: bool = False
    """Whether a probe was answered in a way that says that there is no sitemap."""
    elsewhere: int = 0  # files on hosts of others that were taken
    left_out: int = 0
    error: ScanError | None = None
    """Why the last probe that was not answered so said nothing."""

    def run(self) -> Discovery:
        way = HomePage(self.visit)
        home = self._read_home(way, way.find(self.domain))
        named = self._robots_sitemaps(home)
        hosts = {bare_host(url) for url in (home.origin, *(url for url, _ in named))}
        for url, origin in named:
            self._take_named(Candidate(url, DiscoveryMethod.ROBOTS_TXT), origin, home)
        for url in home.named:
            if is_of_site(url, self.domain, hosts):
                self._take_named(Candidate(url, DiscoveryMethod.LINK_TAG), home.origin, home)
            elif len(self.probed) < MAX_PROBES:
                self._tell(url, DiscoveryMethod.LINK_TAG, None, ErrorCode.OFF_SITE.value)
        if not (self.found and self.visit.crawl_delay):
            self._try_links(home, hosts)
            self._try_paths(home)
        return Discovery(
            candidates=tuple(self.found.values()),
            cms=home.cms,
            probed=self.probed,
            failure=self._failure(home),
            crawl_delay=self.visit.crawl_delay,
            left_out=self.left_out,
            home=way.metadata,
        )

    def _read_home(self, way: HomePage, answer: Fetched | FetchFailure, *, was_led: bool = False) -> _Home:
        """As a domain scan reads it: a page that only leads on is followed once."""
        if isinstance(answer, FetchFailure):
            return _Home(self._origin(answer), ScanError(answer.code, answer.message))
        is_success = 200 <= answer.status_code < 300
        is_page = is_html(answer.headers.get("content-type", ""), answer.body)
        with READING:
            page = parse_page(answer.body if is_page else b"", answer.url, answer.headers)
            wall = find_wall(page, answer.status_code, answer.headers, domain=self.domain)
            is_readable = wall is None and is_success
            leads_to = only_leads_to(page) if is_readable and not was_led else None
            if is_readable and leads_to is None:
                return self._home(page, answer)
        if leads_to is not None:
            return self._read_home(way, way.follow(answer, leads_to), was_led=True)
        origin = self._origin(answer)
        if wall is not None:
            return _Home(origin, ScanError(wall.code, wall.tell("the home page")), is_wall=True)
        message = f"the home page answered with status {answer.status_code}"
        return _Home(origin, ScanError(ErrorCode.HTTP_ERROR, message))

    def _home(self, page: PageFacts, answer: Fetched) -> _Home:
        cookies = [text.partition("=")[0].strip() for text in answer.set_cookies]
        software = find_technologies(page, answer.headers, cookies)
        by_category = {one.category: one.name for one in reversed(software)}
        linked = dict.fromkeys(
            absolute_url(page.base_url, link.href)
            for link in page.links
            if _SAYS_SITEMAP.search(f"{link.href} {link.text or ''} {link.label or ''}")
        )
        named = (absolute_url(page.base_url, href) for rel, href in page.head_links if "sitemap" in rel.lower().split())
        return _Home(
            origin=self._origin(answer),
            made_with=tuple(one.name for one in software),
            cms=next((by_category[category] for category in _CMS if category in by_category), None),
            named=tuple(url for url in named if url),
            linked=tuple(url for url in linked if url),
        )

    def _robots_sitemaps(self, home: _Home) -> list[tuple[str, str]]:
        # What they name, and the origin whose file it is.
        hosts = {bare_host(home.origin)}
        files = self.visit.robots.sitemaps.items()
        return [(url, origin) for origin, urls in files if is_of_site(origin, self.domain, hosts) for url in urls]

    def _origin(self, answer: Fetched | FetchFailure) -> str:
        """Where the site is: where its home page was found, or where it began to lead away from itself."""
        is_there = isinstance(answer, Fetched) and (
            is_of_site(answer.url, self.domain) or _WHOLE_SITE.fullmatch(urlsplit(answer.url).path)
        )
        url = answer.url if is_there or not answer.redirects else answer.redirects[0].url
        return SiteUrls(self.domain, url).origin

    def _try_links(self, home: _Home, hosts: set[str]) -> None:
        own = [url for url in home.linked if is_of_site(url, self.domain, hosts)]
        own.sort(key=lambda url: not _IS_FILE.search(url))  # most of the others are pages for people
        for url in own[:MAX_PAGE_LINKS]:
            self._probe(url, DiscoveryMethod.PAGE_LINK)

    def _try_paths(self, home: _Home) -> None:
        paths = common_paths.in_order(home.made_with)
        is_named = bool(self.found)
        for path in paths[:PATHS_BESIDE_NAMED] if is_named else paths:
            self._probe(home.origin + path, DiscoveryMethod.COMMON_PATH)
            if self.found and not is_named:
                return

    def _take_named(self, candidate: Candidate, origin: str, home: _Home) -> None:
        """Take what `origin` names, unless it has named too much that is on hosts of others."""
        is_elsewhere = not is_of_site(candidate.url, self.domain, (bare_host(origin),))
        if is_elsewhere and self.elsewhere >= MAX_ELSEWHERE:
            self.left_out += place_of(candidate.url) not in self.found
        elif self._take(candidate, home.origin):
            self.elsewhere += is_elsewhere

    def _take(self, candidate: Candidate, origin: str = "") -> bool:
        """Whether it is one that was not known before. Of two spellings the one at the site's `origin` is kept."""
        place = place_of(candidate.url)
        known = self.found.get(place)
        if known is not None and origin and candidate.url.startswith(f"{origin}/"):
            self.found[place] = candidate._replace(method=known.method)
        return self.found.setdefault(place, candidate) is candidate

    def _may_ask(self, url: str) -> bool:
        if self.visit.should_stop() or self.silent >= MAX_SILENT or len(self.tried) >= MAX_PROBES:
            return False
        if time.monotonic() + self.visit.wait_for(url) < min(self.deadline, self.visit.deadline):
            return True
        self.error = self.error or ScanError(ErrorCode.TIMEOUT, "there was no time to look for the site's sitemaps")
        return False

    def _probe(self, url: str, method: DiscoveryMethod) -> None:
        """Look at the beginning of the file at `url`, unless it is known."""
        place = place_of(url)
        if place in self.found or place in self.tried or not self._may_ask(url):
            return
        self.tried.add(place)
        answer = self.visit.get(url, limits=PROBE_LIMITS)
        self._tell(url, method, answer, self._outcome(answer, method))

    def _tell(self, url: str, method: DiscoveryMethod, answer: Fetched | FetchFailure | None, outcome: str) -> None:
        self.probed.append(
            {
                "url": url,
                "discovery_method": method.value,
                "status_code": answer.status_code if answer else None,
                "final_url": answer.url if isinstance(answer, Fetched) else None,
                "outcome": outcome,
            }
        )

    def _outcome(self, answer: Fetched | FetchFailure, method: DiscoveryMethod) -> str:
        if isinstance(answer, FetchFailure):
            if answer.code is not ErrorCode.ROBOTS_DENIED:  # for which nobody was asked
                self.silent += 1
                self.error = ScanError(answer.code, answer.message)
            return answer.code.value
        self.silent = 0
        is_success = 200 <= answer.status_code < 300
        first = answer.body[: PROBE_LIMITS.body_bytes]
        if is_success and looks_like_sitemap(first, answer.headers.get("content-type", "")):
            return "sitemap" if self._take(Candidate(answer.url, method)) else "duplicate"
        if is_success or answer.status_code in _IS_NONE:
            self.answers = True
            return "none"
        message = f"the places where sitemaps are answered with status {answer.status_code}"
        self.error = ScanError(ErrorCode.HTTP_ERROR, message)
        return ErrorCode.HTTP_ERROR.value

    def _failure(self, home: _Home) -> ScanError | None:
        """Why nothing was found, if that is not because there is nothing: None as soon as one answer says so."""
        if self.found:
            return None
        if self.visit.should_stop():
            return ScanError(ErrorCode.CANCELLED, "the scan was cancelled")
        # A wall answers anything with itself: that is no word on whether there is a sitemap behind it.
        statuses = {probe["status_code"] for probe in self.probed}
        has_said_no = bool(statuses & _IS_NONE) if home.is_wall else self.answers
        return None if has_said_no else home.failure or self.error
