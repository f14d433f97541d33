"""The sites of the demo web as data: a folder each under `sites/`, with its files and a `site.toml` beside them.

`site.toml`:

    host = "lantern-tea.example"       # `aliases = [...]` are further names of the same site
    shows = "WordPress with Elementor" # what the site is there for
    https = "trusted"                  # how port 443 behaves: see Https
    http = "to_https"                  # how port 80 behaves: see Http
    resolves_to = "web"                # "web" (the default), "nothing", or an address literal

    [[page]]
    path = "/"                         # `*` is every path that no other page has
    file = "home.html"                 # kept as UTF-8; `charset` says how it is sent
    expand = 1                         # how many times over a line with `{n}` is sent, with n from 1
    status = 200
    content_type = "text/html"
    charset = "utf-8"                  # "" sends no charset
    gzip = false                       # the transfer: Content-Encoding
    gzip_file = false                  # the file itself, as a name that ends in .gz says
    delay_seconds = 0.0                # before the first byte
    repeat = 1                         # how many times over the file is sent
    headers = { Location = "/en/" }

    [expect]                           # the part of the job's document that a scan of `host` must end with
    status = "complete"

    [sitemaps]                         # the same of a sitemap scan; only sites that have it get one
    shows = "one file, gzipped"        # what the site has of them
    status = "complete"
    files."/sitemap.xml".url_count = 4 # of each file that it lists, by path
"""

import gzip
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("sites")
ELSEWHERE = "*"


class Https(StrEnum):
    """How a site's port 443 behaves."""

    TRUSTED = "trusted"  # a certificate of the demo web's own authority
    UNTRUSTED = "untrusted"  # a certificate of an authority that nobody knows
    EXPIRED = "expired"
    OTHER_NAME = "other_name"  # a good certificate, of another site
    CLOSED = "closed"  # nothing listens


class Http(StrEnum):
    """How a site's port 80 behaves."""

    OPEN = "open"  # the same pages as on https
    TO_HTTPS = "to_https"  # every path redirects to https
    CLOSED = "closed"


@dataclass(frozen=True)
class Page:
    """One path of a site and what it answers."""

    path: str
    folder: Path
    file: str | None = None
    status: int = 200
    content_type: str = "text/html"
    charset: str = "utf-8"
    gzip: bool = False
    gzip_file: bool = False
    expand: int = 1
    delay_seconds: float = 0.0
    repeat: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def content(self) -> bytes:
        """What a reader of the page has, once over: without gzip."""
        if self.file is None:
            return b""
        lines = (self.folder / self.file).read_bytes().decode("utf-8").splitlines(keepends=True)
        return "".join(map(self._expanded, lines)).encode(self.charset or "utf-8")

    @cached_property
    def body(self) -> bytes:
        """The bytes that are sent, `repeat` times over."""
        return gzip.compress(self.content, mtime=0) if self.gzip or self.gzip_file else self.content

    @property
    def all_headers(self) -> dict[str, str]:
        content_type = f"{self.content_type}; charset={self.charset}" if self.charset else self.content_type
        headers = {"Content-Type": content_type, "Content-Length": str(len(self.body) * self.repeat)}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        return headers | dict(self.headers)

    def _expanded(self, line: str) -> str:
        if "{n}" not in line:
            return line
        return "".join(line.replace("{n}", str(n)) for n in range(1, self.expand + 1))


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its names, how its ports behave, its pages by path, and what scans of it must come to."""

    host: str
    shows: str
    https: Https
    http: Http
    pages: Mapping[str, Page]
    expect: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    resolves_to: str = "web"
    sitemaps: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.host, *self.aliases)

    def page(self, path: str) -> Page | None:
        """What a path answers, if anything."""
        return self.pages.get(path) or self.pages.get(ELSEWHERE)


def load(folder: Path = FOLDER) -> tuple[Site, ...]:
    """All sites, in the order of their folders' names. Raises ValueError naming the file that is wrong."""
    sites = []
    for manifest in sorted(folder.glob("*/site.toml")):
        try:
            sites.append(_site(manifest))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{manifest}: {error!r}") from error
    return tuple(sites)


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """In what `found` is not what is expected: a mapping's keys must all be there and agree, all else be equal.

    `phone: expected ["+1"], found []`, one line for each.
    """
    if isinstance(expected, Mapping):
        inside = found if isinstance(found, Mapping) else {}
        return [
            line
            for key, value in expected.items()
            for line in differences(value, inside.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if expected == found else [f"{path}: expected {expected!r}, found {found!r}"]


def _site(manifest: Path) -> Site:
    described = tomllib.loads(manifest.read_text(encoding="utf-8"))
    pages = (Page(folder=manifest.parent, **page) for page in described.pop("page", []))
    return Site(
        https=Https(described.pop("https")),
        http=Http(described.pop("http")),
        aliases=tuple(described.pop("aliases", ())),
        pages={page.path: page for page in pages},
        **described,
    )
