"""Which links of a site lead to pages that can be read, and which of them are the same page.

A site is its domain and where its home page redirected to: with and without `www.`, by http and by https. Other
subdomains are sites of their own.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from scrapersky.scraping.urls import absolute_url

MAX_URL_CHARS: Final = 500
"""People's pages have shorter addresses; longer ones are searches, states and traps."""

MAX_SEGMENTS: Final = 7
"""Of a path. Deeper pages are listings and archives, or a relative link that grows with every page."""

MAX_REPEATS: Final = 2
"""How often a segment may stand in one path: `/en/en/en/` is a relative link that leads nowhere new."""

MAX_PARAMETERS: Final = 3
"""Of a query: more are the facets of a shop's filters, whose combinations have no end."""

MAX_FIELDS: Final = 50
"""Of a query, with those that do not count."""

# What counts visits and clicks, and changes nothing of the page. Names of Google, Meta, Microsoft, HubSpot, Matomo, ...
_TRACKING = re.compile(
    r"utm_.*|hsa_.*|mtm_.*|pk_.*|piwik_.*|matomo_.*|mc_[ce]id|_hs.*|__hs.*|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|"
    r"msclkid|yclid|twclid|ttclid|igshid|li_fat_id|srsltid|_gl|_ga|mkt_tok|trk|cmpid|ref|referrer|source|campaign",
    re.IGNORECASE,
)
# Whose visit it is: a new value for each visitor, so that every page would be new for ever.
_SESSION = re.compile(
    r"phpsessid|jsessionid|aspsessionid.*|sid|sess(?:ion)?_?id|session|cfid|cftoken|oscsid|zenid|xtcsid|s_id",
    re.IGNORECASE,
)
# A path that is the same however it is parsed: no dots, no escapes, no empty segments.
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-]+)+/?|/", re.ASCII)
_PATH_SESSION = re.compile(r";jsessionid=[^/?]*|/\((?:S|X)\([^)]*\)\)", re.IGNORECASE)
# The same things in another order or selection, a day of a calendar, a search, or something that is done by asking.
_ENDLESS = re.compile(
    r"sort.*|order.*|dir|limit|per_?page|page_?size|view|display|layout|filters?|filter[_\[].*|f\[.*|facets?|"
    r"colou?r|size|price|(?:min|max)_?price|rating|tags?|q|s|query|search|keywords?|"
    r"date|day|month|year|week|calendar|tribe.*|eventdisplay|ical|outlook-ical|"
    r"replytocom|share|print|format|output|amp|feed|attachment_id|"
    r"add[-_]to[-_](?:cart|wishlist)|remove_item|action|do|task|redirect.*|return.*|next|url|goto|login|logout|token",
    re.IGNORECASE,
)
# What cannot be an HTML page: documents, pictures, sound, films, archives, programs, data.
_FILE_ENDINGS: Final = (
    "pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt csv epub vcf ics xml rss atom json js mjs css map wasm "
    "jpg jpeg png gif webp svg ico bmp tif tiff avif heic psd ai eps mp3 mp4 m4a m4v webm avi mov mkv wmv wav ogg flac "
    "zip rar 7z gz tgz bz2 xz tar dmg exe msi apk deb rpm iso woff woff2 ttf otf eot swf"
)
_FILES: Final = frozenset(_FILE_ENDINGS.split())
INDEX: Final = re.compile(r"/(?:index|default|home)\.(?:html?|php|aspx?|jsp|cfm|shtml)$", re.IGNORECASE)
"""The file at the end of a path that servers send for its folder."""

_DIGITS = re.compile(r"\d+")

# What is counted on and on: the pages of a listing, and the days of a calendar, in the languages that write them so.
_COUNTERS: Final = (
    "page paged pg pagenum seite pagina strona sida sivu stranka oldal sayfa start offset skip cursor "
    "calendar kalender calendrier calendario kalendarz calendari kalenteri "
    "date datum fecha data day days week weeks month months year years tag tage woche monat jahr "
    "jour semaine mois annee dia semana mes giorno settimana mese anno dag maand jaar"
)
_COUNTER: Final = frozenset(_COUNTERS.split())
_COUNT = re.compile(rf"(?:{'|'.join(_COUNTERS.split())})[-_.]?\d+|[\d._-]*\d", re.IGNORECASE)
_YEAR: Final = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf".*/{_YEAR}(?:(?:[-_./]w?\d{{1,2}}){{1,2}}|/[a-z]{{3,9}}/\d{{1,2}}|(?:0[1-9]|1[0-2])[0-3]\d)", re.IGNORECASE
)


class PageUrl(NamedTuple):
    """A page of the site. `key` is the same for all its spellings; `segments` are those of its path."""

    url: str
    key: str
    path: str
    segments: tuple[str, ...]
    query: str

    @property
    def template(self) -> str:
        """The same for all pages that are made alike: the path without its last segment and with all numbers alike, or
        all of it with the names of a query's fields.

        Of the last segment it counts whether there is a number in it: an article has a name, a day or item a number.
        """
        if self.query:
            names = "&".join(pair.partition("=")[0] for pair in self.query.split("&"))
            return _DIGITS.sub("0", f"/{'/'.join(self.segments)}?{names}")
        if not self.segments:
            return ""
        last = "0" if _DIGITS.search(self.segments[-1]) else "*"
        return _DIGITS.sub("0", "/".join([*self.segments[:-1], last]))

    @property
    def is_counted(self) -> bool:
        """Whether there may be a next one for ever: a page of a listing, a day or month of a calendar."""
        if not _DIGITS.search(self.path) and not _DIGITS.search(self.query):
            return False
        has_counter = not _COUNTER.isdisjoint(segment.lower() for segment in self.segments)
        if self.query:
            pairs = (pair.partition("=")[::2] for pair in self.query.split("&"))
            return any(_COUNT.fullmatch(value) and (has_counter or name.lower() in _COUNTER) for name, value in pairs)
        last = self.segments[-1]
        if _COUNT.fullmatch(last) and (has_counter or not last[0].isdigit()):
            return True
        return bool(_DATE.fullmatch(f"/{'/'.join(self.segments)}"))


@dataclass(slots=True)
class SiteUrls:
    """The addresses of one site, whose home page is `home_url` (after redirects)."""

    domain: str
    home_url: str
    _hosts: frozenset[str] = field(init=False)
    _home_host: str = field(init=False)
    origin: str = field(init=False)
    _home: str = field(init=False)
    _bare: dict[str, str] = field(default_factory=dict)
    """Hosts without their `www.`, since a page names the same ones again and again."""

    def __post_init__(self) -> None:
        home = urlsplit(self.home_url)
        self._home_host = _bare(home.hostname or "")
        self._hosts = frozenset({_bare(self.domain), self._home_host})
        self.origin = f"{home.scheme}://{home.netloc}"
        self._home = f"{self.origin}/"

    def holds(self, url: str) -> bool:
        """Whether an absolute http(s) URL is of this site."""
        return _bare(urlsplit(url).hostname or "") in self._hosts

    def page(self, base_url: str, href: str) -> PageUrl | None:
        """The page that a link leads to; None when it is not of this site, or none that is to be read."""
        if href.startswith("#") or len(href) > MAX_URL_CHARS:
            return None
        path = href[len(self.origin) :] if href.startswith(self._home) else href
        if _PLAIN_PATH.fullmatch(path) and (path is not href or base_url.startswith(self._home)):
            return self._page(self.origin, self._home_host, path, "")  # as most links are: nothing to resolve
        url = absolute_url(base_url, href)
        if url is None or len(url) > MAX_URL_CHARS:
            return None
        scheme, _, rest = url.partition("://")
        authority, slash, rest = rest.partition("#")[0].partition("/")  # ada writes a slash after every host
        # Neither a port nor a user: the first is not fetched, the second not a link for everybody.
        host = self._bare.get(authority) or self._bare.setdefault(authority, _bare(authority))
        if host not in self._hosts:
            return None
        path, _, query = rest.partition("?")
        # One page by either scheme, with and without www: asked for where the home page is, it needs no redirect.
        origin = self.origin if host == self._home_host else f"{scheme}://{authority}"
        return self._page(origin, host, _PATH_SESSION.sub("", slash + path), query)

    def _page(self, origin: str, host: str, path: str, query: str) -> PageUrl | None:
        segments = [segment for segment in path.split("/") if segment]
        if len(segments) > MAX_REPEATS and (len(segments) > MAX_SEGMENTS or _repeats(segments)):
            return None
        if segments and "." in segments[-1] and segments[-1].rpartition(".")[2].lower() in _FILES:
            return None
        kept = _query(query) if query else ""
        if kept is None:
            return None
        url = f"{origin}{path}?{kept}" if kept else f"{origin}{path}"
        return PageUrl(url, _key(host, path, kept), path, tuple(segments), kept)

    def key(self, url: str) -> str:
        """The key of an absolute URL that was read."""
        parts = urlsplit(url)
        return _key(_bare(parts.hostname or ""), _PATH_SESSION.sub("", parts.path), _query(parts.query) or parts.query)


def _repeats(segments: list[str]) -> bool:
    return len(set(segments)) < len(segments) and any(segments.count(name) > MAX_REPEATS for name in set(segments))


def _bare(host: str) -> str:
    host = host.lower().rstrip(".")
    while host.startswith("www.") and host.count(".") > 1:
        host = host[4:]
    return host


def _query(text: str) -> str | None:
    """What is left of a query that says which page is meant, in order; None when it says something else.

    Each pair stays as it stands: what is decoded and encoded anew is another address where it was no UTF-8, and to
    servers that tell `?a` from `?a=`.
    """
    pairs = text.split("&", MAX_FIELDS)
    if len(pairs) > MAX_FIELDS:
        return None
    kept: list[str] = []
    for pair in pairs:
        name = unquote_plus(pair.partition("=")[0])
        if not pair or _TRACKING.fullmatch(name) or _SESSION.fullmatch(name):
            continue
        if _ENDLESS.fullmatch(name) or len(kept) == MAX_PARAMETERS:
            return None
        kept.append(pair)
    return "&".join(sorted(kept))


def _key(host: str, path: str, query: str) -> str:
    if "." in path:
        path = INDEX.sub("/", path)
    return f"{host}{path.rstrip('/')}?{query}"
