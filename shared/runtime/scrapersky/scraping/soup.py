"""One lean push parse: a BeautifulSoup of what stands in a page's head, the rest gathered on the way.

The usual soup spends nine tenths of its time on making a Tag of every element. Here libxml2's events come straight
to the tree builder (bs4's public `builder=`): meta, link, base, title and JSON-LD become Tags, links, assets and
visible text go to plain lists, and nothing is kept of any other element.
"""

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from bs4 import BeautifulSoup

# bs4 puts the name into its public module while it runs, where a type checker does not see it.
if TYPE_CHECKING:
    from bs4.builder._lxml import LXMLTreeBuilder
else:
    from bs4.builder import LXMLTreeBuilder

# libxml2 walks its stack of open elements on a stray end tag, so that time grows with depth times length.
# Browsers stop nesting at 512; pages with unclosed <font> and <b> go deeper, none of them this deep.
MAX_DEPTH = 1_000
# An error in an event stops libxml2 only at the end of the slice it was given, so slices are small.
SLICE_CHARS = 64 * 1024
# Bound the memory of a page made of nothing but these; more than any page that people read.
MAX_HEAD_TAGS = 1_000
MAX_LINKS = 10_000
MAX_ASSETS = 5_000
MAX_COMMENTS = 200
MAX_COMMENT_CHARS = 300
MAX_SCRIPT_CHARS = 512 * 1024
MAX_LINK_TEXT_CHARS = 200

# Stands for the border of a block until the text's own line ends have become blanks.
_BREAK = "\x1e"

_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp "
    "small span strike strong sub sup time tt u var wbr"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_MUTED = frozenset({"script", "style", "noscript", "template", "iframe", "noembed", "noframes"})
_VOID_HEAD = frozenset({"meta", "link", "base"})
_HANDLED = _MUTED | _VOID_HEAD | {"a", "area", "span", "img", "html", "body", "form", "header", "nav", "title", "svg"}
_HANDLED_END = _MUTED | {"a", "area", "header", "nav", "title", "svg"}


class Link(NamedTuple):
    """An anchor as written: `href` is not resolved, `text` is its visible text with single blanks."""

    href: str
    rel: str | None
    text: str | None


class Asset(NamedTuple):
    """Something that the page loads, as written. `kind` is `script`, `stylesheet`, `img` or `iframe`."""

    kind: str
    url: str


class Picture(NamedTuple):
    """An image that may be the site's logo: named so, or inside an anchor named so."""

    src: str
    in_header: bool
    anchor_href: str | None


class _TooDeepError(Exception):
    """The document nests beyond MAX_DEPTH; what was gathered before stands."""


class LeanBuilder(LXMLTreeBuilder):
    """Takes one page's events and sorts them. Use a new one for each page, through `parse`."""

    def __init__(self) -> None:
        super().__init__(multi_valued_attributes=None)
        self.links: list[Link] = []
        self.assets: list[Asset] = []
        self.pictures: list[Picture] = []
        self.comments: list[str] = []
        self.cfemails: list[str] = []
        self.classes: set[str] = set()
        self.scripts: list[str] = []
        self.lang: str | None = None
        self.truncated = False
        self._pieces: list[str] = [_BREAK]
        self._depth = 0
        self._muted = 0
        self._header = 0
        self._svg = 0
        self._head_tags = 0
        self._script_chars = 0
        self._open_tag: str | None = None
        self._in_script = False
        self._anchor: tuple[str, str | None, bool, int] | None = None

    @property
    def text(self) -> str:
        """The visible text, one line for each block, blanks as written; a link stands apart from its neighbours."""
        return "".join(self._pieces).replace("\n", " ").replace(_BREAK, "\n")

    def prepare_markup(self, markup: Any, *_args: Any, **_kwargs: Any) -> Iterator[tuple[str, None, None, bool]]:
        """One try, with text whose charset is already decided."""
        yield markup, None, None, False

    def feed(self, markup: Any) -> None:
        self.parser = self.parser_for(None)
        try:
            for start in range(0, len(markup) or 1, SLICE_CHARS):
                self.parser.feed(markup[start : start + SLICE_CHARS])
            self.parser.close()
        except _TooDeepError:
            self.truncated = True
        self._end_anchor()

    def start(self, tag: Any, attrib: Any, nsmap: Any = None) -> None:  # noqa: ARG002  (libxml2's event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooDeepError
        if tag not in _INLINE and self._pieces[-1] is not _BREAK:
            self._pieces.append(_BREAK)
        if tag in _HANDLED:
            self._start_handled(tag, attrib)

    def end(self, tag: Any) -> None:
        self._depth -= 1
        if tag not in _INLINE and self._pieces[-1] is not _BREAK:
            self._pieces.append(_BREAK)
        if tag in _HANDLED_END:
            self._end_handled(tag)

    def data(self, data: Any) -> None:
        if self._open_tag:
            self._soup.handle_data(data)
        elif not self._muted:
            self._pieces.append(data)
        elif self._in_script and self._script_chars < MAX_SCRIPT_CHARS:
            self._script_chars += len(data)
            self.scripts.append(data)

    def comment(self, text: Any) -> None:
        if len(self.comments) < MAX_COMMENTS:
            self.comments.append(text[:MAX_COMMENT_CHARS])

    def doctype(self, *_: Any) -> None:
        """Says nothing that a page's facts need."""

    def pi(self, *_: Any) -> None:
        """Says nothing that a page's facts need."""

    @property
    def _soup(self) -> BeautifulSoup:
        if self.soup is None:
            raise RuntimeError("the builder takes events only while a soup is being built")
        return self.soup

    def _start_handled(self, tag: str, attrib: dict[str, str]) -> None:
        if tag in ("a", "area"):
            self._start_anchor(attrib)
        elif tag == "img":
            self._picture(attrib)
        elif tag == "span":
            if "data-cfemail" in attrib:
                self._cfemail(attrib)
        elif tag in _MUTED:
            self._start_muted(tag, attrib)
        elif tag in _VOID_HEAD:
            self._head_tag(tag, attrib)
        elif tag in ("header", "nav"):
            self._header += 1
        elif tag == "svg":
            self._svg += 1
        elif tag == "title":
            if not (self._svg or self._muted):
                self._open(tag, attrib)
        else:  # html, body, form: where software leaves its class names
            self.classes.update(attrib.get("class", "").split())
            if tag == "html":
                self.lang = self.lang or attrib.get("lang") or attrib.get("xml:lang")

    def _end_handled(self, tag: str) -> None:
        if tag == self._open_tag:
            self._soup.handle_endtag(tag)
            self._open_tag = None
        if tag in ("a", "area"):
            self._end_anchor()
        elif tag in _MUTED:
            self._muted -= 1
            self._in_script = False
        elif tag == "svg":
            self._svg -= 1
        elif tag != "title":
            self._header -= 1

    def _start_muted(self, tag: str, attrib: dict[str, str]) -> None:
        if tag == "script":
            if "src" in attrib:
                self._asset("script", attrib["src"])
            elif attrib.get("type", "").strip().lower().startswith("application/ld+json") and not self._muted:
                self.classes.update(attrib.get("class", "").split())
                self._open(tag, attrib)
            else:
                self._in_script = True
        elif tag == "iframe" and "src" in attrib:
            self._asset("iframe", attrib["src"])
        self._muted += 1

    def _start_anchor(self, attrib: dict[str, str]) -> None:
        self._end_anchor()
        if "data-cfemail" in attrib:
            self._cfemail(attrib)
        href = attrib.get("href", "").strip()
        if not href:
            return
        if len(self.links) >= MAX_LINKS:
            self.truncated = True
            return
        self._pieces.append(" ")
        names_logo = _names_logo(attrib.get("class", ""), attrib.get("id", ""))
        self._anchor = (href, attrib.get("rel"), names_logo, len(self._pieces))

    def _end_anchor(self) -> None:
        if self._anchor:
            href, rel, _, start = self._anchor
            text = " ".join("".join(self._pieces[start:]).replace(_BREAK, " ").split())
            self.links.append(Link(href, rel, text[:MAX_LINK_TEXT_CHARS] or None))
            self._pieces.append(" ")
            self._anchor = None

    def _picture(self, attrib: dict[str, str]) -> None:
        src = attrib.get("src", "")
        if not src or src.startswith("data:"):  # a placeholder until a script loads the image
            src = attrib.get("data-src") or attrib.get("data-lazy-src") or ""
        if not src or src.startswith("data:"):
            return
        self._asset("img", src)
        if not (self._header or self._anchor):
            return
        in_logo = self._anchor is not None and self._anchor[2]
        if in_logo or _names_logo(src, attrib.get("class", ""), attrib.get("id", ""), attrib.get("alt", "")):
            self.pictures.append(Picture(src, self._header > 0, self._anchor[0] if self._anchor else None))

    def _head_tag(self, tag: str, attrib: dict[str, str]) -> None:
        if self._head_tags < MAX_HEAD_TAGS:
            self._head_tags += 1
            self._soup.handle_starttag(tag, None, None, dict(attrib))
            self._soup.handle_endtag(tag)

    def _open(self, tag: str, attrib: dict[str, str]) -> None:
        if self._head_tags < MAX_HEAD_TAGS:
            self._head_tags += 1
            self._soup.handle_starttag(tag, None, None, dict(attrib))
            self._open_tag = tag

    def _asset(self, kind: str, url: str) -> None:
        url = url.strip()
        if url and len(self.assets) < MAX_ASSETS and not url.startswith("data:"):
            self.assets.append(Asset(kind, url))

    def _cfemail(self, attrib: dict[str, str]) -> None:
        if len(self.cfemails) < MAX_LINKS:
            self.cfemails.append(attrib["data-cfemail"])


def _names_logo(*names: str) -> bool:
    return "logo" in " ".join(names).lower()


class _Markup(StringIO):
    """A page as a file, because the soup warns of short strings that could have been meant as a file name or URL.

    A StringIO of its own content would hold it once more, at four bytes a character.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def read(self, size: int | None = -1, /) -> str:  # noqa: ARG002  the soup asks for all of it
        return self._text


def parse(markup: str) -> tuple[BeautifulSoup, LeanBuilder]:
    """The head's Tags as a flat soup, and the builder that holds the rest. Never raises on any text."""
    builder = LeanBuilder()
    return BeautifulSoup(_Markup(markup), builder=builder), builder


def release(soup: BeautifulSoup, builder: LeanBuilder) -> None:
    """Take both apart when the page's facts are read. Neither is to be used again.

    Tags point at each other, the parser at its target: whole pages would lie about until the garbage collector runs.
    """
    soup.clear(decompose=True)
    soup.decompose()
    vars(builder).clear()
