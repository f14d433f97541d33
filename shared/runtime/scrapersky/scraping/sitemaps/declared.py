"""The `Sitemap` lines of a robots.txt: what is an address there, as people write it."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.urls import absolute_url, parse_web_url

_AROUND: Final = "<>[]()\"'`,;"
"""What people put addresses into; the format knows none of it (https://www.sitemaps.org/protocol.html#submit_robots)."""

MAX_ELSEWHERE: Final = 100
"""Of a scan's files, those that a robots.txt may name on hosts that are none of the site's, and the first ones that may
lead there: a site that keeps its sitemaps elsewhere needs a few. With more, it could have us ask somebody else's host
for ten thousand files."""

_ABSOLUTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)


def declared(values: Iterable[str], robots_url: str) -> tuple[str, ...]:
    """The http(s) URLs that the values of a file's `Sitemap` lines name, each once and in their order.

    The format wants absolute ones; a relative one, and one that leaves out the scheme before the site's own name, say
    what they mean just as well. Of several in one line each counts. A word that can be no file's name is none.
    """
    found: dict[str, None] = {}
    for value in values:
        for place, written in enumerate(value.split()):
            word = written.strip(_AROUND)
            if _ABSOLUTE.match(word) or (place == 0 and ("." in word or word.startswith("/"))):
                url = _url(word, robots_url)
                if url is not None:
                    found[url] = None
    return tuple(found)


def _url(word: str, robots_url: str) -> str | None:
    if not _ABSOLUTE.match(word) and bare_host(f"//{word}") == bare_host(robots_url):
        word = f"//{word}"
    url = absolute_url(robots_url, word)
    try:
        return parse_web_url(url).href if url else None
    except FetchError:
        return None


def bare_host(url: str) -> str:
    """The host of an absolute URL in lower case, without `www.`; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:  # half an IPv6 address
        return ""


def place_of(url: str) -> str:
    """The same for all addresses that sites answer with the same file: http or https, with `www.` or without."""
    parts = urlsplit(url)
    return f"{bare_host(url)}:{parts.port or ''}{parts.path or '/'}?{parts.query}"


def is_of_site(url: str, domain: str, hosts: Iterable[str] = ()) -> bool:
    """Whether a sitemap at `url` is one of the site `domain` (a domain key): on it, on one below it, or on `hosts`.

    Those are others that count, such as the host that names it. `www.` makes no difference. What lies beside a
    subdomain is not its own: `a.example.com` has no say over `b.example.com`, since without a list of public suffixes
    nobody can tell that from `a.co.uk` and `b.co.uk`.
    """
    host = bare_host(url)
    return bool(host) and (host == domain or host.endswith(f".{domain}") or host in map(_bare, hosts))


def _bare(host: str) -> str:
    return host.removeprefix("www.")
