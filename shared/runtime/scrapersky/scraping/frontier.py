"""The pages of a site that are known and not yet read, best first. Fed by each page that is read.

A page's worth is that of its kind (`page_choice`), or less for one that no word names; a little more when it stands in
the menu or the footer, a little less for each step away from the home page. What is chosen makes its likes less worth:
after two contact pages the imprint is next, and of a shop's thousand products a few are enough until all else is read.
Of what is counted on for ever, days and pages of listings, a few are all.
"""

import heapq
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from scrapersky.scraping import jsonld
from scrapersky.scraping.page import PageFacts
from scrapersky.scraping.page_choice import PLAIN_SCORE, SKIP, Kind, kind_of_path, kind_of_text
from scrapersky.scraping.page_urls import MAX_URL_CHARS, PageUrl, SiteUrls
from scrapersky.scraping.refresh import refresh

MAX_KNOWN: Final = 3_000
"""Pages that are kept in mind: thirty times what a scan may read. More are an archive's, and no better."""

MAX_NAMED: Final = 300
"""Pages of a kind that are taken up beyond those: a contact page that is linked late is worth more than an archive."""

MAX_HINTS: Final = 200
"""Of a page's JSON-LD. Menus in it have tens."""

MAX_FRAMING_LINKS: Final = 3
"""A page with hardly a link may be a frame around another page of the site, as sites of old are."""

_PLACES: Final[dict[str | None, float]] = {"nav": 8.0, "header": 8.0, "footer": 6.0}
_AGREEING: Final = 8.0  # link text and path say the same
_PER_SEGMENT: Final = 3.0
_PER_STEP: Final = 2.0  # from the home page
_QUERY: Final = 4.0
_ARTICLE: Final = 8.0  # a date or a headline for a path
_NEAR: Final = 8.0  # linked by a page that says who is behind the site: its neighbours say more of that
_SAME_KIND: Final = 18.0  # for each page of the kind that was chosen before
_SAME_KIND_OF: Final = {"locations": 1.0}  # each branch has an address and a mailbox of its own: more are wanted
_ALIKE: Final = 1_000.0  # when enough of its folder were chosen: after all others, best first among themselves
_NUMBERED: Final = 1_000.0  # and after those, since a name says more than a number
_YEAR = re.compile(r"/(?:19|20)\d\d/")
_NAMED_TYPES: Final = {"ContactPage": "contact", "AboutPage": "about"}


class Candidate(NamedTuple):
    """A page to be read. `steps` is how many links away from the home page it was found."""

    page: PageUrl
    score: float
    kind: str | None
    steps: int


@dataclass(slots=True)
class Frontier:
    """`max_pages` is of the scan: how many pages that are made alike are enough depends on it."""

    site: SiteUrls
    max_pages: int
    _heap: list[tuple[float, int, Candidate, int]] = field(default_factory=list)
    _count: int = 0
    _known: dict[str, float] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _left: int = 0  # known and not taken: asked for several times a page, so it is counted along
    _chosen: Counter[str] = field(default_factory=Counter)
    _alike: Counter[str] = field(default_factory=Counter)  # chosen, by template
    _counted: Counter[str] = field(default_factory=Counter)  # known, by template: of those that have no end
    has_passed_over: bool = False
    """Whether pages are left that nothing will choose: more days of a calendar, more pages of a listing."""
    _seen_links: set[tuple[str | None, str, str | None]] = field(default_factory=set)

    def __len__(self) -> int:
        return self._left

    def add_page(self, page: PageFacts, *, kind: str | None, steps: int) -> None:
        """Take up what a page that was read, `steps` links away from the home page, leads to."""
        near = _NEAR if kind not in (None, "privacy") else 0.0
        base, menu = page.base_url, _PLACES["nav"]
        found: dict[str, PageUrl | None] = {}
        for link in page.links:
            href, text = link.href, link.text or link.label
            if len(href) > MAX_URL_CHARS:
                continue
            # The menu stands on every page: what was looked at once is known, unless it depends on where it stands.
            seen = (None if href[:1] == "/" or "://" in href else base, href, text)
            if seen in self._seen_links:
                continue
            if len(self._seen_links) < 10 * MAX_KNOWN:
                self._seen_links.add(seen)
            elif kind_of_text(text) is None:
                continue
            if href not in found:  # a teaser has two links or three, all of them to one page
                found[href] = self.site.page(base, href)
            self._add(found[href], text, _PLACES.get(link.place, 0.0) + near, steps + 1)
        for url, name in _hints(page):
            self._add(self.site.page(base, url), name, menu, steps + 1)
        if leads := refresh(page):
            self._add(self.site.page(base, leads[1]), None, menu, steps + 1)
        if len(page.links) < MAX_FRAMING_LINKS:
            for asset in page.assets:
                if asset.kind == "iframe":
                    self._add(self.site.page(base, asset.url), None, menu, steps + 1)

    def add_url(self, url: str) -> None:
        """Take up an absolute URL that no page has shown: a sitemap's."""
        self._add(self.site.page(url, url), None, 0.0, 1)

    def take(self, url: str) -> bool:
        """Note that a page is being read or is known by another URL. False when that was noted before."""
        key = self.site.key(url)
        if key in self._taken:
            return False
        self._take(key)
        return True

    def is_taken(self, url: str) -> bool:
        return self.site.key(url) in self._taken

    def choose(self) -> Candidate | None:
        """The best page that is left, from now on taken; None when there is none."""
        while self._heap:
            _, number, candidate, chosen_before = heapq.heappop(self._heap)
            page = candidate.page
            if page.key in self._taken or self._known[page.key] > candidate.score:
                continue
            chosen = self._chosen[candidate.kind] if candidate.kind else self._is_more_of_the_same(page)
            if chosen > chosen_before:
                heapq.heappush(self._heap, (-_value(candidate, chosen), number, candidate, chosen))
                continue
            self._take(page.key)
            if candidate.kind:
                self._chosen[candidate.kind] += 1
            else:
                self._alike[page.template] += 1
            return candidate
        return None

    def _take(self, key: str) -> None:
        self._taken.add(key)
        self._left -= key in self._known

    def _is_more_of_the_same(self, page: PageUrl) -> bool:
        template = page.template
        is_numbered = "0" in template
        if len(page.segments) <= 1 and not is_numbered and not page.query:
            return False
        return self._alike[template] >= (self._few if is_numbered else max(5, self.max_pages // 2))

    @property
    def _few(self) -> int:
        return max(3, self.max_pages // 10)

    def _add(self, page: PageUrl | None, text: str | None, bonus: float, steps: int) -> None:
        if page is None or page.key in self._taken:
            return
        known = self._known.get(page.key)
        if known is not None and not bonus and kind_of_text(text) is None:
            return  # a further link that says nothing makes it no better
        candidate = _rated(page, text, bonus, steps)
        if candidate is None:
            return
        if known is None and len(self._known) >= MAX_KNOWN + (MAX_NAMED if candidate.kind else 0):
            return
        if known is None and candidate.kind is None and page.is_counted:
            if self._counted[page.template] >= self._few:
                self.has_passed_over = True
                return
            self._counted[page.template] += 1
        if known is None or candidate.score > known:
            self._left += known is None
            self._known[page.key] = candidate.score
            self._count += 1  # among equals the first one found comes first
            heapq.heappush(self._heap, (-candidate.score, self._count, candidate, 0))


def _value(candidate: Candidate, chosen: int) -> float:
    """What a candidate is worth when `chosen` of its kind were chosen, or enough (1) of those made like it."""
    if candidate.kind:
        return candidate.score - _SAME_KIND_OF.get(candidate.kind, _SAME_KIND) * chosen
    return candidate.score - _ALIKE - (_NUMBERED if "0" in candidate.page.template else 0.0)


def _rated(page: PageUrl, text: str | None, bonus: float, steps: int) -> Candidate | None:
    by_path, by_text = kind_of_path(page.segments), kind_of_text(text)
    if by_path and by_path.name == SKIP:
        return None
    if by_text and by_text.name == SKIP:
        by_text = None  # what a link does is what its address says
    kind = _better(by_path, by_text)
    score = kind.score if kind else PLAIN_SCORE
    if kind and by_path and by_text and by_path.name == by_text.name:
        score += _AGREEING
    score += bonus - _PER_STEP * (steps - 1)
    score -= _PER_SEGMENT * max(len(page.segments) - 1, 0) + (_QUERY if page.query else 0.0)
    if kind is None and _is_article(page.path):
        score -= _ARTICLE
    return Candidate(page, score, kind.name if kind else None, steps)


def _better(one: Kind | None, other: Kind | None) -> Kind | None:
    return max((kind for kind in (one, other) if kind), key=lambda kind: kind.score, default=None)


def _is_article(path: str) -> bool:
    """Whether a path reads like a headline or holds a date."""
    last = path.rstrip("/").rpartition("/")[2]
    return last.count("-") >= 4 or bool(_YEAR.search(path))


def _hints(page: PageFacts) -> list[tuple[str, str | None]]:
    """(URL, name) of the pages that structured data names: contact and about pages, contact points, menus."""
    found: list[tuple[str, str | None]] = []
    for thing in jsonld.walk(page.json_ld + page.microdata_items):
        types = jsonld.types(thing)
        named = next((_NAMED_TYPES[name] for name in types if name in _NAMED_TYPES), None)
        if named:
            found += [(url, named) for url in jsonld.strings(thing.get("url"))]
        elif "SiteNavigationElement" in types:
            found += list(_pairs(thing))
        elif "ContactPoint" in types:
            found += [(url, "contact") for url in jsonld.strings(thing.get("url"))]
        if len(found) >= MAX_HINTS:
            break
    return found[:MAX_HINTS]


def _pairs(thing: dict[str, Any]) -> list[tuple[str, str | None]]:
    """A menu's entries: one thing each, or one thing with a list of names and a list of URLs."""
    urls, names = jsonld.strings(thing.get("url")), jsonld.strings(thing.get("name"))
    return list(zip(urls, names, strict=True)) if len(urls) == len(names) else [(url, None) for url in urls]
