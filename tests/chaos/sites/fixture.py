"""What the kinds of sites are written with: a site, what it answers by path, and what must come of a scan of it."""

import gzip
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from scrapersky.domain.status import ErrorCode
from support.loopback import response
from support.sitemap_site import index, robots, urlset, xml

DOMAIN: Final = "sites.example"
ELSEWHERE: Final = "elsewhere.example"
"""Another site, which has a sitemap at every address, with a URL that no scan may store unless it is sent there."""

FEWEST_URLS, MOST_URLS = 4, 60  # of a file, as the site's name draws it
MAX_PAGES: Final = 10_000

HTML: Final = b"<!doctype html><html><head><title>Harbour shop</title></head><body><p>All for boats.</p></body></html>"
NOT_FOUND: Final = response(b"nothing here", status="404 Not Found", content_type="text/plain")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its headers by their names in small letters, and how often this path was asked for before."""

    host: str
    path: str
    seen: int
    headers: Mapping[str, str]


Page = bytes | Callable[[Request], Iterable[bytes]]
"""A whole answer, or what makes one piece by piece; its connection is closed behind it."""

Pages = Mapping[str, Page]
"""By path. `*` stands for every other one; without it those are a 404, and the home page is one of the usual sort."""


@dataclass(frozen=True, slots=True)
class File:
    """What must be told of one file: it has `urls` to `most` of them, or just `urls`; failed if there is an `error`."""

    type: str | None = "urlset"
    urls: int = 0
    error: ErrorCode | None = None
    cut: str | None = None
    partial: bool = False
    gzip: bool = False
    skipped: int = 0
    how: str = "robots_txt"
    status: str = ""
    most: int | None = None
    changes: tuple[int | None, int | None, int | None] | None = None
    """URLs added, removed and changed since the read before; None at the first. Without a whole read none is gone."""
    unchanged: bool = False

    @property
    def ends(self) -> str:
        return self.status or ("failed" if self.error else "complete")

    @property
    def again(self) -> "File":
        """What must be told of it at the next scan, if the site has stayed as it is."""
        if self.ends != "complete":
            return self
        is_whole = not (self.cut or self.partial)
        return replace(self, changes=(0, 0 if is_whole else None, 0), unchanged=is_whole)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must come of a scan: `files` in any order. `error` is the job's, which then failed."""

    files: tuple[File, ...] = ()
    error: ErrorCode | None = None
    duplicates: int = 0
    truncated: bool = False
    max_pages: int = MAX_PAGES
    extras: tuple[int, int, int, int] | None = None
    """Images, videos, news and alternates of all files."""
    then: "Outcome | None" = None

    @property
    def next(self) -> "Outcome":
        """What must come of the next scan: `then`, or the same of a site that has stayed as it is."""
        return self.then or replace(self, files=tuple(file.again for file in self.files))


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its files have `n` URLs, each of a path that no other file has."""

    host: str
    n: int

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    def urls(self, part: str = "page", n: int | None = None) -> list[str]:
        return [self.url(f"/{part}/{number}") for number in range(self.n if n is None else n)]

    def file(self, part: str = "page", n: int | None = None) -> bytes:
        """A urlset, as it stands in a file."""
        return urlset(self.urls(part, n))

    def index(self, *paths: str) -> bytes:
        """An answer: an index that names these paths."""
        return xml(index(map(self.url, paths)))

    def robots(self, *paths: str, rules: str = "") -> bytes:
        return robots(*map(self.url, paths), rules=rules)

    def named(self, page: Page, path: str = "/map.xml") -> Pages:
        """Pages with one file, which robots.txt names."""
        return {"/robots.txt": self.robots(path), path: page}


Made = tuple[Pages, Outcome]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of site: what is served, and what must come of it. `zone` is the domain below which its sites are."""

    name: str
    about: str
    make: Callable[[Site], Made] = field(repr=False)
    zone: str = DOMAIN

    def site(self, number: int, seed: int) -> Site:
        return named_site(f"{self.name}-{number:04}.{self.zone}", seed)


KINDS: dict[str, Kind] = {}


def kind(about: str, zone: str = DOMAIN) -> Callable[[Callable[[Site], Made]], Callable[[Site], Made]]:
    """Registers a kind under its function's name."""

    def register(make: Callable[[Site], Made]) -> Callable[[Site], Made]:
        name = make.__name__.strip("_").replace("_", "-")
        assert name not in KINDS, name
        KINDS[name] = Kind(name, about, make, zone)
        return make

    return register


def named_site(host: str, seed: int) -> Site:
    """The site of that name: the same whoever asks."""
    return Site(host, random.Random(f"{seed} {host}").randint(FEWEST_URLS, MOST_URLS))


def made(host: str, seed: int) -> Made | None:
    """What the site of a host serves and must come to; None when it is none of any kind."""
    host = host.removeprefix("www.")
    found = KINDS.get(host.partition(".")[0].rpartition("-")[0])
    return found.make(named_site(host, seed)) if found else None


def read(*files: File, duplicates: int = 0) -> Outcome:
    """A scan that is complete, with these files."""
    return Outcome(files, duplicates=duplicates)


def cut(*files: File, max_pages: int = MAX_PAGES) -> Outcome:
    """A scan that is complete and says that something was left out."""
    return Outcome(files, truncated=True, max_pages=max_pages)


def refused(error: ErrorCode) -> Outcome:
    """A scan whose one file could not be read, for which it failed."""
    return Outcome((File(None, error=error),), error)


def text(body: bytes, content_type: str = "text/plain", *headers: str) -> bytes:
    return response(body, content_type=content_type, headers=headers)


def packed(body: bytes) -> bytes:
    """A gzip file: the same whenever it is made."""
    return gzip.compress(body, mtime=0)


def whole(body: bytes) -> int:
    """Entries that are there from their first to their last byte."""
    return body.count(b"</url>")
