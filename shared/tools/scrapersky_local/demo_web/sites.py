"""The sites of the demo web as data: a folder each under `sites/`, with its files and a `site.toml` beside them.

`site.toml`:

    host = "lantern-tea.example"       # `aliases = [...]` are further names of the same site
    shows = "WordPress with Elementor" # what the site is there for
    https = "trusted"                  # how port 443 behaves: see Https
    http = "to_https"                  # how port 80 behaves: see Http
    resolves_to = "web"                # "web" (the default), "nothing", or an address literal

    [[page]]
    path = "/"
    file = "home.html"                 # kept as UTF-8; `charset` says how it is sent
    status = 200
    content_type = "text/html"
    charset = "utf-8"                  # "" sends no charset
    gzip = false
    delay_seconds = 0.0                # before the first byte
    repeat = 1                         # how many times over the file is sent
    headers = { Location = "/en/" }

    [expect]                           # the part of the job's document that a scan of `host` must end with
    status = "complete"
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
    delay_seconds: float = 0.0
    repeat: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def body(self) -> bytes:
        """The bytes that are sent, `repeat` times over."""
        if self.file is None:
            return b""
        raw = (self.folder / self.file).read_bytes()
        if self.charset not in ("", "utf-8"):
            raw = raw.decode("utf-8").encode(self.charset)
        return gzip.compress(raw, mtime=0) if self.gzip else raw

    @property
    def all_headers(self) -> dict[str, str]:
        content_type = f"{self.content_type}; charset={self.charset}" if self.charset else self.content_type
        headers = {"Content-Type": content_type, "Content-Length": str(len(self.body) * self.repeat)}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        return headers | dict(self.headers)


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its names, how its ports behave, its pages by path, and what a scan of it must come to."""

    host: str
    shows: str
    https: Https
    http: Http
    pages: Mapping[str, Page]
    expect: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    resolves_to: str = "web"

    @property
    def hosts(self) -> tuple[str, ...]:
        return (self.host, *self.aliases)


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
