"""Which elements of which format mean what.

A sitemap's own elements have the root's prefix, none, or one that the root binds to a namespace of sitemaps; wrong and
missing namespaces are common, so that beside these any is taken. Elements of extensions are told by their local names.
"""

from typing import Final

from scrapersky.domain.sitemaps import SitemapType

LOC, LASTMOD, CHANGEFREQ, PRIORITY, GUID, PUBLISHED = range(1, 7)
TEXTS: Final = PUBLISHED
"""The largest of the kinds whose text is read."""
COUNTED: Final = range(7, 11)
IMAGE, VIDEO, NEWS, ALTERNATE = COUNTED
ATOM_LINK, ENTRY = 11, 12

ROOTS: Final = {
    "urlset": SitemapType.URLSET,
    "sitemapindex": SitemapType.INDEX,
    "rss": SitemapType.RSS,
    "rdf": SitemapType.RSS,  # RSS 1.0
    "feed": SitemapType.ATOM,
}

_SITEMAP: Final = {
    "url": ENTRY,
    "sitemap": ENTRY,
    "loc": LOC,
    "lastmod": LASTMOD,
    "changefreq": CHANGEFREQ,
    "priority": PRIORITY,
}
_OWN: Final = {
    SitemapType.URLSET: _SITEMAP,
    SitemapType.INDEX: _SITEMAP,
    SitemapType.RSS: {"item": ENTRY, "link": LOC, "guid": GUID, "pubdate": LASTMOD},
    SitemapType.ATOM: {"entry": ENTRY, "link": ATOM_LINK, "updated": LASTMOD, "published": PUBLISHED},
}
_EXTENSIONS: Final = {"image": IMAGE, "video": VIDEO, "news": NEWS, "link": ALTERNATE}
_DUBLIN_CORE_DATE: Final = "dc:date"  # RSS 1.0 has no date of its own
_MAX_REMEMBERED: Final = 256  # names of one file; formats have some twenty


class Kinds(dict[str, int]):
    """The kind of an element by its name as written, 0 for one that means nothing here."""

    def __init__(self, sitemap_type: SitemapType, root: str, attributes: dict[str, str]) -> None:
        super().__init__()
        self._type = sitemap_type
        self._prefixes = {"", root.rpartition(":")[0]} | {
            name[6:] for name, uri in attributes.items() if name.startswith("xmlns:") and _is_own(uri)
        }

    def __missing__(self, name: str) -> int:
        kind = self._kind(name)
        if len(self) < _MAX_REMEMBERED:
            self[name] = kind
        return kind

    def redeclared(self, name: str, attributes: dict[str, str]) -> bool:
        """Whether the element says that it is of another namespace than its name lets one think."""
        prefix = name.rpartition(":")[0]
        uri = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns")
        return uri is not None and _is_extension(uri)

    def _kind(self, name: str) -> int:
        prefix, _, local = name.rpartition(":")
        local = local.lower()  # `lastMod` and `changeFreq` are often seen
        if prefix in self._prefixes and (kind := _OWN[self._type].get(local)):
            return kind
        if self._type is SitemapType.URLSET:
            return _EXTENSIONS.get(local, 0)
        return PUBLISHED if name == _DUBLIN_CORE_DATE and self._type is SitemapType.RSS else 0


def _is_extension(uri: str) -> bool:
    return any(word in uri for word in ("sitemap-", "xhtml", "mobile", "pagemap"))


def _is_own(uri: str) -> bool:
    return "schemas/sitemap/" in uri
