"""Who a site says that it is: title, description, language, icons, logo, cards and organisation, over several pages.

`read` keeps of each page the little that this needs, `site_identity` brings them together. Every value names the page
that it was read from and where in it; what no page states is None.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from scrapersky.scraping import icons, organization
from scrapersky.scraping.gathered import Icon
from scrapersky.scraping.icons import Logo, manifest_icons
from scrapersky.scraping.jsonld import strings, types
from scrapersky.scraping.page import PageFacts

__all__ = ["PageIdentity", "SiteIdentity", "Stated", "manifest_icons", "manifest_url", "read", "site_identity"]

# A site's offices are some; a page that lists thousands is a directory.
MAX_ADDRESSES: Final = 50
MAX_CANDIDATES: Final = 20


class Stated(NamedTuple):
    """A value as a page states it. `method` is the element, tag or vocabulary that it stood in."""

    value: str
    method: str
    page_url: str


@dataclass(frozen=True, slots=True)
class PageIdentity:
    """What one page says of the site. `organizations` are (method, summary as in `organization.organizations`)."""

    page_url: str
    title: Stated | None
    site_name: Stated | None
    description: Stated | None
    language: Stated | None
    canonical_url: Stated | None
    icons: tuple[Icon, ...]
    logos: tuple[Logo, ...]
    open_graph: dict[str, str]
    twitter: dict[str, str]
    organizations: tuple[tuple[str, dict[str, Any]], ...]
    addresses: tuple[dict[str, Any], ...]


class IconOf(NamedTuple):
    """A ranked icon with the page that names it. `width` is in pixels: None if unknown, 0 for a drawing."""

    url: str
    source: str
    width: int | None
    page_url: str


class LogoOf(NamedTuple):
    """A ranked logo with the page that shows it; `source` as in `icons.Logo`."""

    url: str
    source: str
    page_url: str


@dataclass(frozen=True, slots=True)
class SiteIdentity:
    """What a site's pages say together. `favicon` and `logo` are the best of `icons` and `logos`, if any is one.

    `organization` is a summary whose `evidence` maps each given field to its page and method. The cards are those of
    the first page that has any.
    """

    title: Stated | None = None
    site_name: Stated | None = None
    description: Stated | None = None
    language: Stated | None = None
    canonical_url: Stated | None = None
    favicon: IconOf | None = None
    logo: LogoOf | None = None
    icons: tuple[IconOf, ...] = ()
    logos: tuple[LogoOf, ...] = ()
    open_graph: dict[str, str] = field(default_factory=dict)
    twitter: dict[str, str] = field(default_factory=dict)
    organization: dict[str, Any] | None = None
    addresses: tuple[dict[str, Any], ...] = ()


def manifest_url(page: PageFacts) -> str | None:
    """Where the page's web app manifest is to be fetched, or None if it names none."""
    return page.manifest_url


def read(page: PageFacts) -> PageIdentity:
    """What the page says of its site. The page itself can be dropped afterwards."""

    def first(*candidates: tuple[str, str | None]) -> Stated | None:
        return next((Stated(value, method, page.url) for method, value in candidates if value), None)

    website = next((thing for thing in page.json_ld if "WebSite" in types(thing)), {})
    return PageIdentity(
        page_url=page.url,
        title=first(
            ("title", page.title),
            ("og:title", page.open_graph.get("og:title")),
            ("twitter:title", page.twitter.get("twitter:title")),
        ),
        site_name=first(
            ("og:site_name", page.open_graph.get("og:site_name")),
            ("application-name", page.metas.get("application-name")),
            ("json-ld", next(iter(strings(website.get("name"))), None)),
        ),
        description=first(
            ("meta", page.description),
            ("og:description", page.open_graph.get("og:description")),
            ("twitter:description", page.twitter.get("twitter:description")),
        ),
        language=first(("lang", page.language)),
        canonical_url=first(("canonical", page.canonical_url)),
        icons=page.icons,
        logos=page.logos,
        open_graph=page.open_graph,
        twitter=page.twitter,
        organizations=(
            *(("json-ld", summary) for summary in organization.organizations(page.graph, page.base_url)),
            *(("microdata", summary) for summary in organization.organizations(page.microdata_graph, page.base_url)),
        ),
        addresses=(
            *organization.addresses(page.graph, page.url),
            *organization.addresses(page.microdata_graph, page.url, "microdata"),
        ),
    )


def site_identity(
    pages: Sequence[PageIdentity], *, manifest: Sequence[Icon] = (), favicon_ico_url: str | None = None
) -> SiteIdentity:
    """The site's own words about itself, the home page first in `pages`.

    Title, description and canonical URL are the home page's, whatever others say: theirs are about themselves.
    `manifest` are the icons of the home page's manifest. `favicon_ico_url` is given only when a fetch has shown that an
    image is there: browsers assume it, facts do not.
    """
    if not pages:
        return SiteIdentity()
    home = pages[0]
    found_icons = _icons(pages, manifest, favicon_ico_url)
    found_logos = _logos(pages)
    return SiteIdentity(
        title=home.title,
        site_name=next((page.site_name for page in pages if page.site_name), None),
        description=home.description,
        language=next((page.language for page in pages if page.language), None),
        canonical_url=home.canonical_url,
        favicon=next((icon for icon in found_icons if icon.source != "mask-icon"), None),
        logo=next((logo for logo in found_logos if logo.source != "og:image"), None),
        icons=found_icons[:MAX_CANDIDATES],
        logos=found_logos[:MAX_CANDIDATES],
        open_graph=next((page.open_graph for page in pages if page.open_graph), {}),
        twitter=next((page.twitter for page in pages if page.twitter), {}),
        organization=_organization(pages),
        addresses=tuple(_addresses(pages)),
    )


def _icons(pages: Sequence[PageIdentity], manifest: Sequence[Icon], favicon_ico: str | None) -> tuple[IconOf, ...]:
    """The home page's before those of others, whose own may be of another part of the site."""
    home = pages[0].page_url
    extra = [*manifest, *([Icon(favicon_ico, "/favicon.ico", "", "")] if favicon_ico else [])]
    order = [(home, icon) for icon in icons.ranked([*reversed(pages[0].icons), *extra])]
    order += [(page.page_url, icon) for page in pages[1:] for icon in page.icons]
    found: dict[str, IconOf] = {}
    for page_url, icon in order:
        pixels = icons.width(icon)
        known = None if pixels == 1 else 0 if pixels == icons.SCALABLE else pixels
        found.setdefault(icon.url, IconOf(icon.url, icon.rel, known, page_url))
    return tuple(found.values())


_LOGO_SOURCES: Final = ("json-ld", "microdata", "og:logo", "header", "home-link", "og:image")


def _logos(pages: Sequence[PageIdentity]) -> tuple[LogoOf, ...]:
    found: dict[str, LogoOf] = {}
    for source in _LOGO_SOURCES:
        for page in pages:
            for logo in page.logos:
                if logo.source == source:
                    found.setdefault(logo.url, LogoOf(logo.url, source, page.page_url))
    return tuple(found.values())


def _organization(pages: Sequence[PageIdentity]) -> dict[str, Any] | None:
    """The best organisation, with what pages say elsewhere of one of the same name put into its empty fields."""
    stated = [(page.page_url, method, summary) for page in pages for method, summary in page.organizations]
    if not stated:
        return None
    site = _site(pages[0].page_url)
    best = max(stated, key=lambda entry: (_is_own(entry[2], site), organization.fullness(entry[2])))
    same = [entry for entry in stated if entry[2]["name"].casefold() == best[2]["name"].casefold()]
    merged: dict[str, Any] = dict(best[2])
    evidence: dict[str, dict[str, str]] = {}
    for page_url, method, summary in [best, *same]:
        for name, value in summary.items():
            if value not in (None, []) and name not in evidence:
                merged[name] = value
                evidence[name] = {"page_url": page_url, "method": method}
    return {**merged, "evidence": evidence}


def _is_own(summary: dict[str, Any], site: str) -> int:
    """2 when the organisation's address is this site, 1 when it says none, 0 when it is elsewhere."""
    if summary["url"] is None:
        return 1
    return 2 if _site(summary["url"]) == site else 0


def _site(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _addresses(pages: Iterable[PageIdentity]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for page in pages:
        for address in page.addresses:
            if len(found) < MAX_ADDRESSES:
                found.setdefault(" ".join(address["text"].casefold().split()), address)
    return list(found.values())
