"""Sorts the events of one page's push parse: head elements to a soup, text and everything else to plain lists.

Every element of a page passes here, so `start` and `end` do little more than ask whether the element matters, and
`data` is a list's `append`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from bs4 import BeautifulSoup

from scrapersky.scraping.anchors import AnchorReader, later
from scrapersky.scraping.gathered import (
    BREAK,
    INLINE,
    MAX_COMMENT_CHARS,
    MAX_COMMENTS,
    MAX_DATA_BLOCK_CHARS,
    MAX_HEAD_TAGS,
    MAX_NOSCRIPT_CHARS,
    MAX_SCRIPT_CHARS,
    SHALLOW_DEPTH,
)
from scrapersky.scraping.layout import Layout
from scrapersky.scraping.microdata import MicrodataReader

# libxml2 walks its stack of open elements on a stray end tag, so that time grows with depth times length.
# Browsers stop nesting at 512; pages with unclosed <font> and <b> go deeper, none of them this deep.
MAX_DEPTH: Final = 1_000

# Soft hyphens, zero-width and direction marks: they part nothing that a reader sees, and hide addresses from programs.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"


# Types of script elements that are an application's state and the like: the beginning of it can be settings.
_DATA_KINDS = ("json", "html", "template", "importmap", "speculationrules", "x-magento-init")


# Of the text of a muted element. A piece is a character at least, and every second one may be a break: this holds all
# that is kept of any, without a copy of a whole page of pieces.
_MAX_TAKEN_PIECES: Final = 2 * MAX_SCRIPT_CHARS


class TooDeepError(Exception):
    """The document nests beyond MAX_DEPTH; what was gathered before stands."""


class PageReader:
    """The target of one parse (lxml's parser target interface). Use a new one for each page."""

    def __init__(self, soup: BeautifulSoup) -> None:
        self.comments: list[str] = []
        self.scripts: list[str] = []
        self.data_blocks: list[str] = []
        self.noscripts: list[str] = []
        self.truncated = False
        self._pieces: list[str] = [BREAK]
        # Any text at first: that of muted elements is taken out at their end. A list's own method is the cheapest call.
        self.data = self._pieces.append
        self.layout = Layout()
        self.anchors = AnchorReader(self._pieces, self.layout)
        self.microdata = MicrodataReader()
        self._soup = soup
        self._depth = 0
        self._shallow_depth = SHALLOW_DEPTH
        self._svg = 0
        self._muted = 0
        self._head_tags = 0
        self._script_chars = 0
        self._noscript_chars = 0
        # What is to be done when the element at a depth ends, innermost last.
        self._scopes: list[tuple[int, Callable[[], object]]] = []
        self._scope_depth = 0
        self._starts: dict[str, Callable[[str, Mapping[str, str]], None]] = {
            "a": self.anchors.start_anchor,
            "area": self.anchors.area,
            **dict.fromkeys(("meta", "base"), self._head_tag),
            **dict.fromkeys(("style", "noscript", "template", "iframe", "noembed", "noframes"), self._start_muted),
            **dict.fromkeys(("header", "nav", "footer", "article"), self._start_place),
            **dict.fromkeys(("html", "body"), self.layout.root),
            "link": self._link,
            "img": self.anchors.image,
            **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), self.anchors.heading),
            "script": self._start_script,
            "span": self._start_span,
            "svg": self._start_svg,
            "title": self._start_title,
            "form": self.layout.form,
            "input": self.layout.input,
        }

    @property
    def text(self) -> str:
        """The visible text, one line for each block, blanks as written; a link stands apart from its neighbours."""
        text = "".join(self._pieces).replace("\n", " ").replace(BREAK, "\n")
        if not text.isascii():
            for mark in _INVISIBLE:
                if mark in text:
                    text = text.replace(mark, "")
        return text

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        self._depth = depth = self._depth + 1
        if tag not in INLINE and self._pieces[-1] is not BREAK:
            self._pieces.append(BREAK)
        if start := self._starts.get(tag):
            start(tag, attrib)
        if attrib:  # asking lxml's empty mapping for a key costs twenty times a dict's
            if depth <= self._shallow_depth:
                self._start_shallow(tag, attrib)
            if "itemprop" in attrib or "itemscope" in attrib:
                self._start_microdata(tag, attrib)
        if depth > MAX_DEPTH:
            raise TooDeepError

    def end(self, tag: str) -> None:
        if self._depth == self._scope_depth:
            self._end_scopes()
        self._depth -= 1
        if tag in INLINE:
            if tag == "a":
                self.anchors.end_anchor()
        elif self._pieces[-1] is not BREAK:
            self._pieces.append(BREAK)

    def comment(self, text: str) -> None:
        if len(self.comments) < MAX_COMMENTS:
            self.comments.append(text[:MAX_COMMENT_CHARS])

    def close(self) -> None:
        """The document's end, or where reading it ended, with elements still open."""
        self.anchors.end_anchor()
        self._depth = 0
        self._end_scopes()
        self.truncated = self.truncated or self.anchors.truncated

    def _at_end(self, action: Callable[[], object]) -> None:
        """Have `action` done when the element that has just started ends."""
        self._scopes.append((self._depth, action))
        self._scope_depth = self._depth

    def _end_scopes(self) -> None:
        while self._scopes and self._depth <= self._scopes[-1][0]:
            self._scopes.pop()[1]()
        self._scope_depth = self._scopes[-1][0] if self._scopes else 0

    def _start_shallow(self, tag: str, attrib: Mapping[str, str]) -> None:
        if place := self.layout.shallow(tag, attrib):
            self._start_place(place, attrib)
        if self.layout.has_seen_enough:
            self._shallow_depth = 0

    def _start_place(self, tag: str, _attrib: Mapping[str, str]) -> None:
        if self.layout.enter(tag):
            self._at_end(self.layout.leave)

    def _start_muted(self, tag: str, attrib: Mapping[str, str]) -> None:
        if tag == "iframe" and (src := attrib.get("src") or later(attrib)):
            self.anchors.asset("iframe", src)
        self._mute(self._take_noscript if tag == "noscript" else None)

    def _start_script(self, tag: str, attrib: Mapping[str, str]) -> None:
        if attrib and (src := attrib.get("src") or later(attrib)):
            self.anchors.asset("script", src)
            self._mute(None)
            return
        kind = attrib.get("type", "").strip().lower() if attrib else ""
        if kind.startswith("application/ld+json") and not self._muted:
            self.layout.classes.update(attrib.get("class", "").split())
            self._open(tag, attrib)
        elif any(word in kind for word in _DATA_KINDS):
            self._mute(self._take_data_block)
        else:  # also of types that a consent manager gives to code that is to wait
            self._mute(self._take_script)

    def _start_span(self, _tag: str, attrib: Mapping[str, str]) -> None:
        if attrib:
            if "data-cfemail" in attrib:
                self.anchors.cfemail(attrib)
            # "info<span style="display:none">null</span>@shop.example": only a program would read the null.
            if "style" in attrib and "display:none" in attrib["style"].replace(" ", "").lower():
                self._mute(None)

    def _start_svg(self, _tag: str, _attrib: Mapping[str, str]) -> None:
        self._svg += 1
        self._at_end(self._end_svg)

    def _end_svg(self) -> None:
        self._svg -= 1

    def _start_title(self, tag: str, attrib: Mapping[str, str]) -> None:
        if not (self._svg or self._muted):
            self._open(tag, attrib)

    def _start_microdata(self, tag: str, attrib: Mapping[str, str]) -> None:
        names = attrib.get("itemprop", "")
        if "itemscope" in attrib:
            if self.microdata.begin_item(attrib):
                self._at_end(self.microdata.end_item)
        elif (value := self.microdata.value_of(tag, attrib)) is not None:
            self.microdata.add(names, value)
        else:
            self._at_end(partial(self._end_property, names, len(self._pieces)))

    def _end_property(self, names: str, start: int) -> None:
        visible = self._pieces[start : self.anchors.muted_from]
        self.microdata.add(names, "".join(visible).replace(BREAK, " "))

    def _mute(self, take: Callable[[str], None] | None) -> None:
        """Keep the text of the element that has just started out of the page's; `take` gets it when that ends."""
        start = len(self._pieces)
        if not self._muted:
            self.anchors.muted_from = start
        self._muted += 1
        self._at_end(partial(self._unmute, start, take))

    def _unmute(self, start: int, take: Callable[[str], None] | None) -> None:
        self._muted -= 1
        if not self._muted:
            self.anchors.muted_from = None
        pieces = self._pieces
        if take and len(pieces) > start:
            take("".join(pieces[start : start + _MAX_TAKEN_PIECES]))
        # Only an element within a line has none before it.
        has_break = pieces[start - 1] is not BREAK and BREAK in pieces[start:]
        del pieces[start:]
        if has_break:
            pieces.append(BREAK)

    def _take_script(self, text: str) -> None:
        room = MAX_SCRIPT_CHARS - self._script_chars
        if room > 0:
            self.scripts.append(text[:room])
            self._script_chars += len(text)

    def _take_data_block(self, text: str) -> None:
        text = text[:MAX_DATA_BLOCK_CHARS]
        if self._script_chars < MAX_SCRIPT_CHARS:
            self._script_chars += len(text)
            self.data_blocks.append(text)

    def _take_noscript(self, text: str) -> None:
        room = MAX_NOSCRIPT_CHARS - self._noscript_chars
        if room > 0:
            text = text.replace(BREAK, "")
            self.noscripts.append(text[:room])
            self._noscript_chars += len(text)

    def _link(self, tag: str, attrib: Mapping[str, str]) -> None:
        """Most of a head's links are stylesheets, which need no Tag."""
        words = attrib.get("rel", "").lower().split()
        if "stylesheet" in words or "preload" in words or "modulepreload" in words:
            self.anchors.stylesheet(attrib.get("href", ""))
        elif words and "preconnect" not in words and "dns-prefetch" not in words:
            self._head_tag(tag, attrib)

    def _head_tag(self, tag: str, attrib: Mapping[str, str]) -> None:
        if self._head_tags < MAX_HEAD_TAGS:
            self._head_tags += 1
            self._soup.handle_starttag(tag, None, None, dict(attrib))
            self._soup.handle_endtag(tag)

    def _open(self, tag: str, attrib: Mapping[str, str]) -> None:
        """Starts a Tag of the soup that takes the text up to the element's end."""
        if self._head_tags < MAX_HEAD_TAGS:
            self._head_tags += 1
            self._soup.handle_starttag(tag, None, None, dict(attrib))
            self._at_end(partial(self._soup.handle_endtag, tag))
            self._mute(self._soup.handle_data)
        else:
            self._mute(None)
