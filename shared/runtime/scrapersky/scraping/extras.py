"""What a scan fetches beside a site's pages: a first sitemap, the web app manifest, security.txt, /favicon.ico.

None of it counts as a page, each is asked for once at the most, and a site that has none of it loses nothing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scrapersky.scraping import first_sitemap, icons, security_txt
from scrapersky.scraping.fetch import Fetched, FetchFailure
from scrapersky.scraping.gathered import Icon
from scrapersky.scraping.html_type import media_type
from scrapersky.scraping.page import PageFacts
from scrapersky.scraping.page_urls import SiteUrls
from scrapersky.scraping.security_txt import SecurityTxt


class ExtraKind(StrEnum):
    """The files, by the word that a scan's metadata has for them."""

    SITEMAP = "sitemap"
    MANIFEST = "manifest"
    SECURITY_TXT = "security_txt"
    FAVICON = "favicon"


@dataclass(frozen=True, slots=True)
class Extra:
    """One file to be fetched."""

    kind: ExtraKind
    url: str


@dataclass(slots=True)
class ExtraFetches:
    """The extra files of one site: what is still to be fetched, and what was found."""

    site: SiteUrls
    manifest_icons: Sequence[Icon] = ()
    favicon_ico_url: str | None = None
    security_txt: SecurityTxt | None = None
    done: list[dict[str, Any]] = field(default_factory=list)
    """`{kind, url, status_code, bytes, ms, error}` of each, for the scan's metadata."""
    _sitemaps: deque[Extra] = field(default_factory=deque)
    _files: deque[Extra] = field(default_factory=deque)
    _is_child: bool = False

    def want_sitemap(self, url: str) -> None:
        self._sitemaps.append(Extra(ExtraKind.SITEMAP, url))

    def want_files_of(self, home: PageFacts) -> None:
        """Those that may add to what the home page says."""
        if home.manifest_url and self.site.holds(home.manifest_url):
            self._files.append(Extra(ExtraKind.MANIFEST, home.manifest_url))
        self._files.append(Extra(ExtraKind.SECURITY_TXT, self.site.origin + security_txt.WELL_KNOWN_PATH))
        if not home.icons:
            self._files.append(Extra(ExtraKind.FAVICON, f"{self.site.origin}/favicon.ico"))

    def sitemap(self) -> Extra | None:
        """The sitemap that is to be fetched next: before pages, since it names them."""
        return self._sitemaps.popleft() if self._sitemaps else None

    def next(self) -> Extra | None:
        """The file that is to be fetched next: when no page is."""
        return self._files.popleft() if self._files else None

    def end(self, extra: Extra, answer: Fetched | FetchFailure) -> list[str]:
        """Take what came of a file. Returns the addresses of pages that it names."""
        self.done.append(told(extra.kind, answer))
        if isinstance(answer, FetchFailure) or not 200 <= answer.status_code < 300:
            return []
        if extra.kind is ExtraKind.SITEMAP:
            return self._read_sitemap(answer)
        if extra.kind is ExtraKind.MANIFEST:
            self.manifest_icons = icons.manifest_icons(answer.body, answer.url)
        elif extra.kind is ExtraKind.SECURITY_TXT:
            self.security_txt = security_txt.parse(answer.body, answer.url, answer.headers)
        elif media_type(answer.headers.get("content-type", "")).startswith("image/") and answer.body:
            self.favicon_ico_url = answer.url
        return []

    def _read_sitemap(self, answer: Fetched) -> list[str]:
        urls, is_index = first_sitemap.read(answer.body)
        if not is_index:
            return urls
        child = first_sitemap.child(urls, self.site)
        if child and not self._is_child:
            self._is_child = True
            self.want_sitemap(child)
        return []


def told(kind: str, answer: Fetched | FetchFailure) -> dict[str, Any]:
    """What a scan's metadata says of a fetch that is no page."""
    return {
        "kind": str(kind),
        "url": answer.url,
        "status_code": answer.status_code,
        "bytes": answer.wire_bytes,
        "ms": answer.ms,
        "error": answer.code.value if isinstance(answer, FetchFailure) else None,
    }
