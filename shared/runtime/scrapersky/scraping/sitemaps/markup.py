"""Sitemaps, indexes and feeds in XML, read by expat while they come.

expat never opens a file or an address; a document type, which is where entities are declared, ends the reading.
"""

import re
from typing import Final
from urllib.parse import urljoin
from xml.parsers import expat

from scrapersky.domain.sitemaps import SitemapType
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.sitemaps import names, sniff
from scrapersky.scraping.sitemaps.canonical import Canonical, end_of_prolog
from scrapersky.scraping.sitemaps.dates import feed_date, lastmod_text
from scrapersky.scraping.sitemaps.entry import (
    MAX_COUNT,
    MAX_URL_CHARS,
    Entry,
    Remembered,
    Totals,
    changefreq_text,
    is_usable_url,
    priority_text,
)

MAX_NESTING: Final = 256
"""Elements inside each other. Sitemaps have five; an Atom entry may hold a page."""

MAX_TEXT_CHARS: Final = 4 * MAX_URL_CHARS
"""The text of one element, white space included. No field of an entry has more that is of use."""

MAX_TOKEN_CHARS: Final = 1024 * 1024
"""One tag, comment or instruction: expat keeps it until it ends."""

HELD_CHARS: Final = 4096
"""A token longer than this is given to expat in doubling pieces: it begins each try at the token's begin."""

MAX_FAULTS: Final = 100
"""Places of one document that are not well-formed: each costs a new parser."""

_ENTRY_TAG = re.compile(r"<(?:[\w.-]{1,32}:)?(?:url|sitemap)[\s>]", re.IGNORECASE)
_ENTRY_TAG_CHARS: Final = 48  # no such tag's name is longer
_DECLARATION = re.compile(r"<\?xml\s[^<>]{0,400}\?>")
_TOO_LONG: Final = "\0"  # is neither URL nor date nor any other word
_NO_TEXTS: Final = ("",) * (names.TEXTS + 1)
_NO_COUNTS: Final = (0,) * len(names.COUNTED)


class _StopError(Exception):
    """What was read is no sitemap, or is none that is read on."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = (code, message)


class Markup:
    """Reads one document. `type` is set when its root was seen, `is_broken` once it was not well-formed.

    What is not well-formed, an unescaped `&` for the most part, costs the entry that it stands in: reading goes on with
    the next that begins, until there were too many of them (`is_over`).
    """

    def __init__(self, entries: list[Entry], totals: Totals, head: str, url: str) -> None:
        self.type: SitemapType | None = None
        self.error: tuple[ErrorCode, str] | None = None
        self.is_broken = False
        self.is_over = False
        self._entries = entries
        self._totals = totals
        self._head = head
        self._url = url
        self._is_begun = False
        self._short: Canonical | None = None
        self._stuck = 0
        self._index = -1
        self._held: list[str] = []
        self._held_chars = 0
        self._given = 0  # bytes that this parser had, as it counts them
        self._faults = 0
        self._lost: str | None = None  # the end of what was passed over, while the next entry is looked for
        self._root = ("", names.Kinds(SitemapType.URLSET, "", {}))
        self._text: list[str] = []  # of the element that is open
        self._parser = _new_parser()
        self._parser.StartElementHandler = self._begin_root

    def feed(self, text: str) -> None:
        if not self._is_begun:
            self._is_begun = True
            # It speaks of bytes, and these are decoded; many are not quite as they should be.
            text = self._begin(_DECLARATION.sub("", text, count=1) if _DECLARATION.match(text) else text)
        if self._short:
            if self._short.feed(text):
                return
            text, self._short = self._short.rest, None
        if self._stuck > HELD_CHARS:
            self._held.append(text)
            self._held_chars += len(text)
            if self._held_chars < self._stuck:
                return
            text, self._held_chars = "".join(self._held), 0
            self._held.clear()
        self._parse(text, False)

    def close(self, is_whole: bool) -> None:
        if not (self.is_over or self.error):
            self._parse(self._short.rest if self._short else "".join(self._held), is_whole)
            self.is_broken |= not is_whole

    def _begin(self, text: str) -> str:
        """Read up to the first entry. Returns what follows, to be read by the short way if expat sees it as well."""
        end = end_of_prolog(text)
        if not end:
            return text
        self._parse(text[:end], False)
        if self.type is SitemapType.URLSET:
            self._short = Canonical(self._entries, self._totals)
        return text[end:]

    def _parse(self, text: str, is_final: bool) -> None:
        rest: str | None = text
        while rest is not None:
            rest = self._parse_to_fault(rest, is_final)
        if len(self._text) > 1:  # no more of an endless text is kept than tells that it is too long
            self._text[:] = ["".join(self._text)[: MAX_TEXT_CHARS + 1]]

    def _parse_to_fault(self, text: str, is_final: bool) -> str | None:
        """Returns what follows a fault, None when all was taken or nothing more is to be."""
        if self._lost is not None:
            text = self._lost + text
            begin = _ENTRY_TAG.search(text)
            self._lost = None if begin else text[-_ENTRY_TAG_CHARS:]
            if not begin:
                return None
            text = text[begin.start() :]
            self._begin_again()
        try:
            self._parser.Parse(text, is_final)
        except _StopError as stop:
            self.error = stop.error
        except (expat.ExpatError, ValueError):
            return self._after_fault(text)
        index = self._parser.CurrentByteIndex
        self._stuck = self._stuck + len(text) if index == self._index else 0
        self._index = index
        self._given += _bytes(text)
        if self._stuck > MAX_TOKEN_CHARS:
            self._faults = MAX_FAULTS
            self._after_fault("")
        return None

    def _after_fault(self, text: str) -> str | None:
        self.is_broken = True
        self._faults += 1
        if self.type is None:
            self.error = (ErrorCode.INVALID_SITEMAP, sniff.text_kind(self._head))
        if self.type in (None, SitemapType.RSS, SitemapType.ATOM) or self._faults > MAX_FAULTS:
            self.is_over = True
            return None
        self._lost, self._stuck = "", 0
        position = max(self._parser.ErrorByteIndex - self._given, 1)
        return text[position:] if text.isascii() else text.encode()[position:].decode(errors="ignore")

    def _begin_again(self) -> None:
        """Go on as if the root had just begun."""
        self._parser = _new_parser()
        root = f"<{self._root[0]}>"
        self._parser.Parse(root, False)
        self._given, self._stuck, self._index = _bytes(root), 0, -1
        if self.type:
            self._read_on(self.type, self._root[1])

    def _begin_root(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        self.type = names.ROOTS.get(local)
        if self.type is None:
            raise _StopError(ErrorCode.INVALID_SITEMAP, sniff.root_kind(local))
        self._root = (name, names.Kinds(self.type, name, attributes))
        self._read_on(self.type, self._root[1])

    def _read_on(self, sitemap_type: SitemapType, kinds: names.Kinds) -> None:
        """Set the handlers of what stands in the root. Closures over plain names: they are called for every tag."""
        is_index = sitemap_type is SitemapType.INDEX
        is_feed = sitemap_type in (SitemapType.RSS, SitemapType.ATOM)
        resolves = is_index or sitemap_type is SitemapType.ATOM
        date = feed_date if is_feed else lastmod_text
        changefreqs, priorities = Remembered(changefreq_text), Remembered(priority_text)
        entries, totals, pieces = self._entries, self._totals, self._text
        clear, join = pieces.clear, "".join
        last_text, entry_kind, too_deep, too_long = names.TEXTS, names.ENTRY, MAX_NESTING, MAX_TEXT_CHARS
        texts = list(_NO_TEXTS)  # of the open entry, by kind
        counts = list(_NO_COUNTS)
        # The depths of the open element, of the open entry and of its fields (0: none is open), and the open field.
        depth, entry_depth, field_depth, field = 1, 0, 0, 0

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth, entry_depth, field_depth, field
            depth += 1
            if depth == field_depth:
                field = kinds[name]
                if attributes or field > last_text:
                    field = special(field, name, attributes)
                clear()
            elif not entry_depth and kinds[name] == entry_kind:
                entry_depth, field_depth = depth, depth + 1
            elif depth > too_deep:
                raise _StopError(ErrorCode.INVALID_SITEMAP, "its elements are nested too deep")

        def end(_: str) -> None:
            nonlocal depth, entry_depth, field_depth, field
            if depth == field_depth:
                if field:
                    if not texts[field]:
                        text = join(pieces)
                        texts[field] = text.strip() if len(text) <= too_long else _TOO_LONG
                    field = 0
            elif depth == entry_depth:
                _, url, lastmod, changefreq, priority, guid, published = texts
                texts[:] = _NO_TEXTS
                entry_depth = field_depth = 0
                url = url or guid
                if is_usable_url(url) or (resolves and (url := self._absolute(url))):
                    modified = date(lastmod) or date(published)
                    if is_index:
                        entries.append((url, modified, None, None, 0, 0, 0, 0))
                    else:
                        often, rank = changefreqs[changefreq], priorities[priority]
                        images, videos, news, alternates = counts
                        entries.append((url, modified, often, rank, images, videos, news, alternates))
                else:
                    totals.skipped += 1
                if any(counts):
                    counts[:] = _NO_COUNTS
            depth -= 1

        def special(kind: int, name: str, attributes: dict[str, str]) -> int:
            """The field that an element with attributes, or without text of its own, opens; 0 for none."""
            if kind <= last_text:
                is_other = kinds.redeclared(name, attributes) or (
                    kind == names.GUID and attributes.get("isPermaLink", "").strip().lower() == "false"
                )
                return 0 if is_other else kind
            if kind == names.ATOM_LINK:
                if attributes.get("rel", "alternate") == "alternate" and not texts[names.LOC]:
                    texts[names.LOC] = attributes.get("href", "").strip()
            elif kind in names.COUNTED and (kind != names.ALTERNATE or "hreflang" in attributes):
                totals.extras[kind - names.IMAGE] += 1
                counts[kind - names.IMAGE] = min(counts[kind - names.IMAGE] + 1, MAX_COUNT)
            return 0

        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = pieces.append

    def _absolute(self, url: str) -> str:
        """A relative address against the file's own, as RFC 3986 5.1.3 has it; empty when that makes none."""
        if not (url and self._url) or len(url) > MAX_URL_CHARS:
            return ""
        try:
            joined = urljoin(self._url, url)
        except ValueError:
            return ""
        return joined if is_usable_url(joined) else ""


def _new_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _refuse_doctype(name: str, *_: object) -> None:
    if name.lower() == "html":
        raise _StopError(ErrorCode.INVALID_SITEMAP, sniff.HTML)
    raise _StopError(ErrorCode.FORBIDDEN_XML, "it has a document type, which may declare entities: it is not read")
