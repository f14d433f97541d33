"""Sorts the events of one page's push parse: head elements to a soup, text and everything else to plain lists.

Every element of a page passes here, so `start`, `end` and `data` do little more than ask whether the element matters.
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


class TooDeepError(Exception):
    """The document nests beyond MAX_DEPTH; what was gathered before stands."""


class PageReader:
    """The target of one parse (lxml's parser target interface). Use a new one for each page."""

    def __init__(self, soup: BeautifulSoup, *, has_microdata: bool) -> None:
        self.comments: list[str] = []
        self.scripts: list[str] = []
        self.data_blocks: list[str] = []
        self.noscripts: list[str] = []
        self.truncated = False
        self._pieces: list[str] = [BREAK]
        self.layout = Layout()
        self.anchors = AnchorReader(self._pieces, self.layout)
        self.microdata = MicrodataReader()
        self._soup = soup
        self._has_microdata = has_microdata
        self._depth = 0
        self._svg = 0
        self._muted = 0
        self._sink: Callable[[str], None] | None = None  # takes the text of muted elements, or nothing does
        self._head_tags = 0
        self._script_chars = 0
        self._data_chars = 0
        self._noscript_chars = 0
        self._open_tag: str | None = None
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
        if tag in self._starts:
            self._starts[tag](tag, attrib)
        if depth <= SHALLOW_DEPTH:
            if attrib and (place := self.layout.shallow(tag, attrib)):
                self._start_place(place, attrib)
        elif depth > MAX_DEPTH:
            raise TooDeepError
        if self._has_microdata and ("itemprop" in attrib or "itemscope" in attrib):
            self._start_microdata(tag, attrib)

    def end(self, tag: str) -> None:
        if self._depth <= self._scope_depth:
            self._end_scopes()
        self._depth -= 1
        if tag in INLINE:
            if tag == "a":
                self.anchors.end_anchor()
        elif self._pieces[-1] is not BREAK:
            self._pieces.append(BREAK)

    def data(self, data: str) -> None:
        if self._open_tag:
            self._soup.handle_data(data)
        elif not self._muted:
            self._pieces.append(data)
        elif self._sink:
            self._sink(data)

    def comment(self, text: str) -> None:
        if len(self.comments) < MAX_COMMENTS:
            self.comments.append(text[:MAX_COMMENT_CHARS])

    def close(self) -> None:
        """The document's end, or where reading it ended."""
        self.anchors.end_anchor()
        self.truncated = self.truncated or self.anchors.truncated

    def _at_end(self, action: Callable[[], object]) -> None:
        """Have `action` done when the element that has just started ends."""
        self._scopes.append((self._depth, action))
        self._scope_depth = self._depth

    def _end_scopes(self) -> None:
        while self._scopes and self._depth <= self._scopes[-1][0]:
            self._scopes.pop()[1]()
        self._scope_depth = self._scopes[-1][0] if self._scopes else 0

    def _start_place(self, tag: str, _attrib: Mapping[str, str]) -> None:
        if self.layout.enter(tag):
            self._at_end(self.layout.leave)

    def _start_muted(self, tag: str, attrib: Mapping[str, str]) -> None:
        if tag == "iframe" and (src := attrib.get("src") or later(attrib)):
            self.anchors.asset("iframe", src)
        self._mute(self._noscript_data if tag == "noscript" else None)

    def _start_script(self, tag: str, attrib: Mapping[str, str]) -> None:
        # Most have no attributes, and asking lxml's empty mapping for a key costs twenty times a dict's.
        if attrib and (src := attrib.get("src") or later(attrib)):
            self.anchors.asset("script", src)
            self._mute(None)
            return
        kind = attrib.get("type", "").strip().lower() if attrib else ""
        if kind.startswith("application/ld+json") and not self._muted:
            self.layout.classes.update(attrib.get("class", "").split())
            self._open(tag, attrib)
        elif any(word in kind for word in _DATA_KINDS):
            self._data_chars = 0
            self._mute(self._block_data)
        else:  # also of types that a consent manager gives to code that is to wait
            self._mute(self._script_data)

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
        self.microdata.add(names, "".join(self._pieces[start:]).replace(BREAK, " "))

    def _mute(self, sink: Callable[[str], None] | None) -> None:
        self._at_end(partial(self._unmute, self._sink))
        self._muted += 1
        self._sink = sink

    def _unmute(self, sink: Callable[[str], None] | None) -> None:
        self._muted -= 1
        self._sink = sink

    def _script_data(self, data: str) -> None:
        if self._script_chars < MAX_SCRIPT_CHARS:
            self._script_chars += len(data)
            self.scripts.append(data)

    def _block_data(self, data: str) -> None:
        room = MAX_DATA_BLOCK_CHARS - self._data_chars
        if room > 0:
            self._data_chars += len(data)
            if self._script_chars < MAX_SCRIPT_CHARS:
                self._script_chars += len(data)
                self.data_blocks.append(data[:room])

    def _noscript_data(self, data: str) -> None:
        room = MAX_NOSCRIPT_CHARS - self._noscript_chars
        if room > 0:
            self._noscript_chars += len(data)
            self.noscripts.append(data[:room])

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
            self._open_tag = tag
            self._at_end(partial(self._close_tag, tag))

    def _close_tag(self, tag: str) -> None:
        self._soup.handle_endtag(tag)
        self._open_tag = None
