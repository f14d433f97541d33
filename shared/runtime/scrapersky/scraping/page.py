"""The facts of one HTML page, each as the page states it. Takes bytes, fetches nothing, never raises on any input."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup, Tag

from scrapersky.scraping import icons, jsonld
from scrapersky.scraping.charset import to_utf8
from scrapersky.scraping.gathered import Asset, Icon, Link
from scrapersky.scraping.icons import Logo
from scrapersky.scraping.jsonld import Graph
from scrapersky.scraping.soup import parse, release
from scrapersky.scraping.urls import absolute_url

__all__ = ["PageFacts", "parse_page"]

# Longer than any title or description that a search engine reads; bounds a row and an answer.
MAX_VALUE_CHARS = 2_000
MAX_OPEN_GRAPH = 100
MAX_METAS = 200
MAX_JSON_LD = 500

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8}){0,6}")
_CLOUDFLARE_PATH = "/cdn-cgi/l/email-protection#"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says. URLs named `*_url` are absolute http(s); `links` and `assets` are as written.

    `base_url` is what the page's relative URLs start from. `text` is what a reader sees, one line for each block, and
    `noscript` what one without JavaScript sees besides. `cfemail` are Cloudflare's hex tokens. `open_graph` and
    `twitter` are card tags with their prefix, `metas` all other named ones (name, property or http-equiv, lower case).
    `microdata_items` have the shape of `json_ld`, and both their graph; `microdata` are all (itemprop, value). `icons`
    and `logos` are candidates, best first.

    `scripts`, `data_blocks` (the beginnings of script elements that are no code), `comments`, `classes` (of html, body,
    forms and JSON-LD), `head_links` (rel, href), `marks` (attributes of the outermost elements: name -> first value),
    `body_ids` (their ids) and `form_actions` (as written) are what software gives itself away by. `truncated` says that
    the page went over a limit and some of it was not looked at.
    """

    url: str
    base_url: str
    title: str | None
    description: str | None
    language: str | None
    canonical_url: str | None
    icons: tuple[Icon, ...]
    logos: tuple[Logo, ...]
    manifest_url: str | None
    open_graph: dict[str, str]
    twitter: dict[str, str]
    metas: dict[str, str]
    json_ld: tuple[dict[str, Any], ...]
    graph: Graph
    microdata: tuple[tuple[str, str], ...]
    microdata_items: tuple[dict[str, Any], ...]
    microdata_graph: Graph
    generators: tuple[str, ...]
    links: tuple[Link, ...]
    assets: tuple[Asset, ...]
    text: str
    noscript: str
    cfemail: tuple[str, ...]
    head_links: tuple[tuple[str, str], ...]
    scripts: str
    data_blocks: str
    comments: tuple[str, ...]
    classes: frozenset[str]
    marks: dict[str, str]
    body_ids: frozenset[str]
    forms: int
    form_actions: tuple[str, ...]
    has_password_field: bool
    truncated: bool


def parse_page(body: bytes, url: str, headers: Mapping[str, str]) -> PageFacts:
    """Reads a page's bytes as sent (after content decoding) from `url`, with its response headers, lower-case keys."""
    soup, seen = parse(to_utf8(body, headers.get("content-type"), url))
    head = _Head(soup, url)
    graph = Graph(tuple(head.json_ld[:MAX_JSON_LD]))
    microdata_graph = Graph(tuple(seen.microdata.items))
    ranked_icons = tuple(icons.ranked(head.icons))
    anchors, layout = seen.anchors, seen.layout
    stated = (graph, microdata_graph, head.open_graph)
    logos = tuple(icons.logos(head.base, *stated, anchors.pictures, anchors.unnamed_pictures))
    links = tuple(anchors.links)
    facts = PageFacts(
        url=url,
        base_url=head.base,
        title=head.title,
        description=head.named.get("description"),
        language=_language(layout.lang, head.named.get("content-language"), headers.get("content-language")),
        canonical_url=head.canonical_url,
        icons=ranked_icons,
        logos=logos,
        manifest_url=head.manifest_url,
        open_graph=head.open_graph,
        twitter=head.twitter,
        metas=head.named,
        json_ld=graph.objects,
        graph=graph,
        microdata=tuple(seen.microdata.pairs),
        microdata_items=microdata_graph.objects,
        microdata_graph=microdata_graph,
        generators=tuple(head.generators),
        links=links,
        assets=tuple(anchors.assets + anchors.stylesheets),
        text=seen.text,
        noscript="".join(seen.noscripts),
        cfemail=(
            *anchors.cfemails,
            *(link.href.partition("#")[2] for link in links if _CLOUDFLARE_PATH in link.href),
        ),
        head_links=tuple(head.links),
        scripts="".join(seen.scripts),
        data_blocks="".join(seen.data_blocks),
        comments=tuple(seen.comments),
        classes=frozenset(layout.classes),
        marks=layout.marks,
        body_ids=frozenset(layout.body_ids),
        forms=layout.forms,
        form_actions=tuple(layout.form_actions),
        has_password_field=layout.has_password_field,
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
        self.twitter: dict[str, str] = {}
        self.manifest_url: str | None = None
        self.generators: list[str] = []
        self.json_ld: list[dict[str, Any]] = []
        self.links: list[tuple[str, str]] = []
        self.icons: list[Icon] = []
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

    def _meta(self, tag: Tag) -> None:
        content = one_line(_attribute(tag, "content"))
        if not content:
            return
        # A tag may be both: <meta name="description" property="og:description">.
        names = [_attribute(tag, "name"), _attribute(tag, "property")]
        if not any(names):
            names = [_attribute(tag, "http-equiv")]
        for name in dict.fromkeys(name.strip().lower() for name in names if name):
            self._named(name, content)

    def _named(self, name: str, content: str) -> None:
        if name == "generator":
            self.generators.append(content)
        elif name.startswith("og:"):
            if len(self.open_graph) < MAX_OPEN_GRAPH:
                self.open_graph.setdefault(name, content)
        elif name.startswith("twitter:"):
            if len(self.twitter) < MAX_OPEN_GRAPH:
                self.twitter.setdefault(name, content)
        elif len(self.named) < MAX_METAS:
            self.named.setdefault(name, content)

    def _link(self, tag: Tag) -> None:
        rel, href = _attribute(tag, "rel").lower(), _attribute(tag, "href").strip()
        if not rel or not href:
            return
        words = rel.split()
        self.links.append((rel, href))
        if "canonical" in words:
            self.canonical_url = self.canonical_url or absolute_url(self.base, href)
        elif "manifest" in words:
            self.manifest_url = self.manifest_url or absolute_url(self.base, href)
        else:
            icon_rel, url = (
                next((name for name in icons.ICON_RELS if name in words), None),
                absolute_url(self.base, href),
            )
            if icon_rel and url:
                self.icons.append(Icon(url, icon_rel, _attribute(tag, "sizes"), _attribute(tag, "type")))


def one_line(text: str | None) -> str | None:
    """Text with single blanks, cut at MAX_VALUE_CHARS; None when nothing is left."""
    return " ".join((text or "").split())[:MAX_VALUE_CHARS] or None


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name)
    return value if isinstance(value, str) else ""


def _language(*candidates: str | None) -> str | None:
    """The first that is one language tag: html's `lang`, then the meta pragma, then the header (HTML, "language")."""
    tags = (candidate.strip() for candidate in candidates if candidate)
    return next((tag for tag in tags if _LANGUAGE.fullmatch(tag)), None)
