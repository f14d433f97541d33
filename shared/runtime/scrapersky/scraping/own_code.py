"""Whose a page's scripts and stylesheets are: a widget is made with its maker's software, not with the site's."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from scrapersky.scraping.page import PageFacts

# A host that serves this many of the page's scripts and stylesheets, and half of them, is the site's own network.
MIN_OWN_CODE: Final = 3

_HOST = re.compile(r"//([A-Za-z0-9.-]{4,80})")


def own_code(page: PageFacts) -> Sequence[str]:
    """Scripts and stylesheets that are the site's: from its host and those under it, or from the network it uses."""
    host = bare_host(page.url)
    by_host: dict[str, list[str]] = {}
    total = 0
    for asset in page.assets:
        if asset.kind in ("script", "stylesheet"):
            total += 1
            by_host.setdefault(written_host(asset.url), []).append(asset.url)
    own: list[str] = []
    for name, urls in by_host.items():
        if is_of(name.lower().removeprefix("www."), host) or (len(urls) >= MIN_OWN_CODE and 2 * len(urls) >= total):
            own += urls
    return own


def is_of(other: str, host: str) -> bool:
    """Whether a host is `host`, under it or above it; "" is the one of a relative URL."""
    return not other or other == host or other.endswith("." + host) or host.endswith("." + other)


def written_host(url: str) -> str:
    """The host as it stands in `url`, "" for a relative one. Cheap: it only sorts a page's assets."""
    if "//" not in url[:8]:
        return ""
    match = _HOST.match(url, url.find("//"))
    return match[1] if match else ""


def bare_host(url: str) -> str:
    """The host of `url`, lower case and without `www.`; "" for a relative one."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # e.g. a bracketed host that is no IPv6 address
        return "invalid."
