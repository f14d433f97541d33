"""The folders that WordPress serves a page's parts from: its own, its plugins' and its themes'."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from scrapersky.scraping.own_code import bare_host, is_of, own_code, written_host
from scrapersky.scraping.page import PageFacts

# A page that lists plugins in its assets without end is made up.
MAX_FOLDERS: Final = 100
# Inline scripts name the same few folders again and again.
MAX_IN_SCRIPTS: Final = 1_000
# As much of a URL as is read before its folder.
MAX_URL_CHARS: Final = 200

Paths = dict[tuple[str, str], str]

# WordPress.com keeps its themes one folder deeper, and plugins that its customers share among them.
_PATH = re.compile(
    r"/wp-(?:(includes|content/uploads)/|content/(plugins|themes)/(?!vip/plugins/)(?:(?<=themes/)(?:pub|premium|vip)/(?=[\w.-]+/))?"
    r"([A-Za-z0-9][\w.-]{0,79})/)"
)
_QUOTED_PATH = re.compile(r"/wp-content/(?:plugins|themes)/[A-Za-z0-9][\w.-]{0,79}/(?:[\w.-]{1,80}/)?")
_URL = re.compile(r"(?:https?:)?//[\w.:-]{4,80}[\w./~%-]*\Z|[\"'(]([\w./~%-]*)\Z")


def theme(found: Paths) -> str | None:
    """Of a page's `paths`, the theme's folder; of parent and child theme, the one named first."""
    return next((name for kind, name in found if kind == "themes"), None)


def paths(page: PageFacts) -> Paths:
    """(`plugins`, `themes`, `includes` or `content/uploads`; folder or "") -> the first URL that shows it.

    A script can be the widget of somebody else's site and an image can be hot-linked: these count from the page's
    own host, its subdomains and the network that serves its theme or most of its code. A stylesheet is the page's own
    wherever it is hosted. Plugins also write their folder into the page's scripts, to load more from.
    """
    found: Paths = {}
    host = bare_host(page.url)
    networks: set[str] | None = None
    for kind, url in _named(page):
        if len(found) >= MAX_FOLDERS:
            break
        match = _PATH.search(url)
        if match is None:
            continue
        folder = match[1] or match[2], match[3] or ""
        # Whose an asset is takes longest to tell, and most assets are of a folder that is known already.
        if folder in found:
            continue
        if kind != "stylesheet" and not is_of(bare_host(url), host):
            networks = _networks(page) if networks is None else networks
            if written_host(url) not in networks:
                continue
        found[folder] = url
    return found


def _named(page: PageFacts) -> Iterator[tuple[str, str]]:
    """(kind, URL) of what may show a folder."""
    yield from ((asset.kind, asset.url) for asset in page.assets if "/wp-" in asset.url)
    yield from (("link", href) for _, href in page.head_links if "/wp-content/" in href)
    yield from (("script", url) for url in _in_scripts(page.scripts))


def _in_scripts(scripts: str) -> Iterator[str]:
    if "wp-content" not in scripts:
        return
    if "\\/" in scripts:  # as JSON writes it
        scripts = scripts.replace("\\/", "/")
    seen: set[str] = set()
    for match in islice(_QUOTED_PATH.finditer(scripts), MAX_IN_SCRIPTS):
        start = _URL.search(scripts[max(0, match.start() - MAX_URL_CHARS) : match.start()])
        if start is None:
            continue
        url = (start[0] if start[1] is None else start[1]) + match[0]
        if url not in seen:
            seen.add(url)
            yield url


def _networks(page: PageFacts) -> set[str]:
    themes = (asset.url for asset in page.assets if asset.kind == "stylesheet" and "/wp-content/themes/" in asset.url)
    return {written_host(url) for url in (*own_code(page), *themes)} - {""}
