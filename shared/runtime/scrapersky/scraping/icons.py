"""Icons and logos of a site, best first: what its pages and its web app manifest name, and nothing that is assumed.

Sources: HTML Standard 4.6.7.8 (`rel=icon`), Web Application Manifest (https://www.w3.org/TR/appmanifest/), and the
structured data of `organization`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from scrapersky.scraping import organization
from scrapersky.scraping.gathered import Icon, Picture
from scrapersky.scraping.jsonld import Graph
from scrapersky.scraping.page_urls import INDEX
from scrapersky.scraping.urls import absolute_url

# Manifests are a few kB; those with screenshots inlined are no use here.
MAX_MANIFEST_BYTES: Final = 256 * 1024
MAX_MANIFEST_ICONS: Final = 50

# A drawing fits every size.
SCALABLE: Final = 100_000

# The lower the better. A mask icon is one colour, and a manifest's icon is made for a home screen.
_RANKS: Final = {
    **dict.fromkeys(("icon",), 0),
    **dict.fromkeys(("apple-touch-icon", "apple-touch-icon-precomposed"), 1),
    **dict.fromkeys(("fluid-icon",), 2),
    **dict.fromkeys(("manifest",), 3),
    **dict.fromkeys(("/favicon.ico",), 4),
    **dict.fromkeys(("mask-icon",), 5),
}
ICON_RELS: Final = tuple(rel for rel in _RANKS if rel not in ("manifest", "/favicon.ico"))

_SIZE = re.compile(r"([0-9]{1,5})x[0-9]{1,5}", re.IGNORECASE)


# Images that lead home and are no logo, by their file's name: a flag ("de.png", "en-gb.svg"), a house, an arrow.
_SIGN = re.compile(
    r"^[a-z]{2}(?:[-_][a-z]{2})?\.|(?<![a-z])(?:flags?|flagge|lang|language|icon|ico|home|haus|house|arrow|pfeil|back|"
    r"menu|burger|spacer|blank|pixel|transparent|search|cart|avatar|en|de|fr|es|it)(?![a-z])",
    re.IGNORECASE,
)


class Logo(NamedTuple):
    """An image that may be the site's logo, and what makes it so: `json-ld`, `microdata`, `og:logo`, `header` (named
    logo and leading home, or in the header), `home-link` (the first image in a link to the home page, in the header or
    before all headings) or `og:image`, which is a picture to share and seldom the logo.
    """

    url: str
    source: str


def width(icon: Icon) -> int:
    """Pixels by the `sizes` attribute, 1 when it does not say, SCALABLE for a drawing."""
    sizes = icon.sizes.lower()
    if "any" in sizes or icon.type == "image/svg+xml" or icon.url.lower().partition("?")[0].endswith(".svg"):
        return SCALABLE
    return max((int(size) for size in _SIZE.findall(sizes)), default=1)


def ranked(icons: Iterable[Icon]) -> list[Icon]:
    """Best first and each URL once: by kind, then the largest; of equals the last, as the HTML Standard has it."""
    order = sorted(enumerate(icons), key=lambda entry: (_RANKS[entry[1].rel], -width(entry[1]), -entry[0]))
    return list({icon.url: icon for _, icon in reversed(order)}.values())[::-1]


def manifest_icons(body: bytes, url: str) -> tuple[Icon, ...]:
    """The icons of a web app manifest fetched from `url`, which its URLs start from. Never raises on any bytes."""
    if len(body) > MAX_MANIFEST_BYTES:
        return ()
    try:
        manifest = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return ()
    entries = manifest.get("icons") if isinstance(manifest, dict) else None
    found = []
    for entry in entries[:MAX_MANIFEST_ICONS] if isinstance(entries, list) else ():
        texts = (
            {key: value for key, value in entry.items() if isinstance(value, str)} if isinstance(entry, dict) else {}
        )
        address = absolute_url(url, texts.get("src"))
        if address and "monochrome" not in texts.get("purpose", "").split():
            found.append(Icon(address, "manifest", texts.get("sizes", "")[:100], texts.get("type", "")[:100]))
    return tuple(found)


def logos(
    base_url: str,
    json_ld: Graph,
    microdata: Graph,
    open_graph: Mapping[str, str],
    pictures: Iterable[Picture],
    unnamed: Iterable[Picture] = (),
) -> list[Logo]:
    """A page's candidates, best first. Pictures count in its header or in a link to its home page: logos elsewhere are
    mostly those of customers and payment services. `unnamed` are those without the word.
    """
    pictures = list(pictures)
    home = [picture.src for picture in pictures if _leads_home(base_url, picture.anchor_href)]
    stated: list[tuple[str, str | None]] = [
        ("json-ld", organization.logo(json_ld)),
        ("microdata", organization.logo(microdata)),
        ("og:logo", open_graph.get("og:logo")),
        *(("header", src) for src in home),
        *(("header", picture.src) for picture in pictures if picture.in_header),
        ("home-link", next((picture.src for picture in unnamed if _is_brand(base_url, picture)), None)),
        ("og:image", open_graph.get("og:image")),
    ]
    found: dict[str, Logo] = {}
    for source, href in stated:
        if url := absolute_url(base_url, href):
            found.setdefault(url, Logo(url, source))
    return list(found.values())


def _is_brand(base: str, picture: Picture) -> bool:
    """Whether a link to the site's home page, and to no language or place of it, shows an image that is no sign."""
    url, image = absolute_url(base, picture.anchor_href), absolute_url(base, picture.src)
    if url is None or image is None or "#" in (picture.anchor_href or ""):
        return False
    target, path = urlsplit(url), urlsplit(image).path
    is_home = _site(target) == _site(urlsplit(base)) and not target.query and _folder(target) == ""
    return is_home and not _SIGN.search(path.rpartition("/")[2])


def _leads_home(base: str, href: str | None) -> bool:
    url = absolute_url(base, href)
    if url is None:
        return False
    target, here = urlsplit(url), urlsplit(base)
    return _site(target) == _site(here) and _folder(target) in ("", _folder(here))


def _site(url: SplitResult) -> str:
    """The host, which links name with and without `www.`"""
    return (url.hostname or "").removeprefix("www.")


def _folder(url: SplitResult) -> str:
    """The path, of a folder's index file the folder's. With a query that file is any page: `/index.php?id=7`."""
    return (url.path if url.query else INDEX.sub("/", url.path)).strip("/")
