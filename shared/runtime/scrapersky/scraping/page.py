"""The facts of one HTML page, each as the page states it. Takes bytes, fetches nothing, never raises on any input."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from scrapersky.scraping import jsonld
from scrapersky.scraping.charset import decode
from scrapersky.scraping.soup import Asset, LeanBuilder, Link, parse, release
from scrapersky.scraping.urls import absolute_url

__all__ = ["PageFacts", "decode", "parse_page"]

# Longer than any title or description that a search engine reads; bounds a row and an answer.
MAX_VALUE_CHARS = 2_000
MAX_OPEN_GRAPH = 100
MAX_JSON_LD = 500

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,6}")
_ICON_SIZE = re.compile(r"(\d{1,5})x\d{1,5}", re.IGNORECASE)
_CLOUDFLARE_PATH = "/cdn-cgi/l/email-protection#"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says. URLs named `*_url` are absolute http(s); `links` and `assets` are as written.

    `text` is what a reader sees, one line for each block. `cfemail` are Cloudflare's hex tokens. `scripts`,
    `comments`, `classes` (of html, body, forms and JSON-LD) and `head_links` (rel, href) are what software gives itself
    away by. `truncated` says that the page went over a limit and some of it was not looked at.
    """

    url: str
    title: str | None
    description: str | None
    language: str | None
    canonical_url: str | None
    favicon_url: str | None
    logo_url: str | None
    open_graph: dict[str, str]
    json_ld: tuple[dict[str, Any], ...]
    generators: tuple[str, ...]
    links: tuple[Link, ...]
    assets: tuple[Asset, ...]
    text: str
    mailto: tuple[str, ...]
    tel: tuple[str, ...]
    cfemail: tuple[str, ...]
    head_links: tuple[tuple[str, str], ...]
    scripts: str
    comments: tuple[str, ...]
    classes: frozenset[str]
    truncated: bool


def parse_page(body: bytes, url: str, headers: Mapping[str, str]) -> PageFacts:
    """Reads a page's bytes as sent (after content decoding) from `url`, with its response headers, lower-case keys."""
    soup, seen = parse(decode(body, headers.get("content-type")))
    head = _Head(soup, url)
    json_ld = tuple(head.json_ld[:MAX_JSON_LD])
    hrefs = [link.href for link in seen.links]
    facts = PageFacts(
        url=url,
        title=head.title,
        description=head.named.get("description"),
        language=_language(seen.lang, head.named.get("content-language"), headers.get("content-language")),
        canonical_url=head.canonical_url,
        favicon_url=head.favicon_url(),
        logo_url=_logo_url(json_ld, head, seen),
        open_graph=head.open_graph,
        json_ld=json_ld,
        generators=tuple(head.generators),
        links=tuple(seen.links),
        assets=tuple(seen.assets + head.stylesheets),
        text=seen.text,
        mailto=tuple(href[7:] for href in hrefs if href[:7].lower() == "mailto:"),
        tel=tuple(href[4:] for href in hrefs if href[:4].lower() == "tel:"),
        cfemail=tuple(seen.cfemails + [href.partition("#")[2] for href in hrefs if _CLOUDFLARE_PATH in href]),
        head_links=tuple(head.links),
        scripts="".join(seen.scripts),
        comments=tuple(seen.comments),
        classes=frozenset(seen.classes),
        truncated=seen.truncated,
    )
    release(soup, seen)
    return facts


class _Head:
    """Sorts the Tags of the lean soup: one pass, first value wins as in browsers."""

    def __init__(self, soup: BeautifulSoup, url: str) -> None:
        self.title: str | None = None
        self.canonical_url: str | None = None
        self.named: dict[str, str] = {}
        self.open_graph: dict[str, str] = {}
        self.generators: list[str] = []
        self.json_ld: list[dict[str, Any]] = []
        self.stylesheets: list[Asset] = []
        self.links: list[tuple[str, str]] = []
        self._icons: list[tuple[int, int, str]] = []
        tags = [node for node in soup.contents if isinstance(node, Tag)]
        base = next((_attribute(tag, "href") for tag in tags if tag.name == "base" and tag.get("href")), None)
        self.base = absolute_url(url, base) or url
        for tag in tags:
            if tag.name == "meta":
                self._meta(tag)
            elif tag.name == "link":
                self._link(tag)
            elif tag.name == "title":
                self.title = self.title or one_line(tag.get_text())
            elif tag.name == "script":
                self.json_ld.extend(jsonld.read("".join(str(node) for node in tag.contents)))

    def favicon_url(self) -> str | None:
        """The largest icon; of equals the last, as the HTML Standard has it. A touch icon only for want of others."""
        return max(self._icons, key=lambda icon: icon[:2])[2] if self._icons else None

    def _meta(self, tag: Tag) -> None:
        content = one_line(_attribute(tag, "content"))
        if not content:
            return
        name = (_attribute(tag, "name") or _attribute(tag, "property") or _attribute(tag, "http-equiv")).strip().lower()
        if name == "generator":
            self.generators.append(content)
        elif name.startswith("og:"):
            if len(self.open_graph) < MAX_OPEN_GRAPH:
                self.open_graph.setdefault(name, content)
        else:
            self.named.setdefault(name, content)

    def _link(self, tag: Tag) -> None:
        rel, href = _attribute(tag, "rel").lower(), _attribute(tag, "href").strip()
        if not rel or not href:
            return
        words = rel.split()
        if "stylesheet" in words or "preload" in words or "modulepreload" in words:
            self.stylesheets.append(Asset("stylesheet", href))
            return
        self.links.append((rel, href))
        if "canonical" in words:
            self.canonical_url = self.canonical_url or absolute_url(self.base, href)
        elif "icon" in words:
            self._icon(href, _icon_size(_attribute(tag, "sizes"), href))
        elif "apple-touch-icon" in words or "apple-touch-icon-precomposed" in words:
            self._icon(href, 0)

    def _icon(self, href: str, size: int) -> None:
        if url := absolute_url(self.base, href):
            self._icons.append((size, len(self._icons), url))


def one_line(text: str | None) -> str | None:
    """Text with single blanks, cut at MAX_VALUE_CHARS; None when nothing is left."""
    return " ".join((text or "").split())[:MAX_VALUE_CHARS] or None


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name)
    return value if isinstance(value, str) else ""


def _icon_size(sizes: str, href: str) -> int:
    """Width in pixels by the `sizes` attribute, 1 when it does not say; a drawing fits every size."""
    if "any" in sizes.lower() or href.lower().partition("?")[0].endswith(".svg"):
        return 100_000
    return max((int(width) for width in _ICON_SIZE.findall(sizes)), default=1)


def _language(*candidates: str | None) -> str | None:
    """The first that is one language tag: html's `lang`, then the meta pragma, then the header (HTML, "language")."""
    tags = (candidate.strip() for candidate in candidates if candidate)
    return next((tag for tag in tags if _LANGUAGE.fullmatch(tag)), None)


def _logo_url(json_ld: tuple[dict[str, Any], ...], head: _Head, seen: LeanBuilder) -> str | None:
    """What the page declares as its logo, else an image named so in its header or in a link to its home page.

    Logos elsewhere on a page are mostly those of customers and payment services.
    """
    declared = absolute_url(head.base, jsonld.logo(json_ld)) or absolute_url(head.base, head.open_graph.get("og:logo"))
    if declared:
        return declared
    home = [picture for picture in seen.pictures if _leads_home(head.base, picture.anchor_href)]
    for picture in home + [picture for picture in seen.pictures if picture.in_header]:
        if url := absolute_url(head.base, picture.src):
            return url
    return None


def _leads_home(base: str, href: str | None) -> bool:
    url = absolute_url(base, href)
    if url is None:
        return False
    target, here = urlsplit(url), urlsplit(base)
    return target.hostname == here.hostname and target.path.strip("/") in ("", here.path.strip("/"))
