"""What is kept of a page while it is parsed: small plain shapes, and how much of each."""

from collections import deque
from typing import Final, Generic, NamedTuple, TypeVar

_Kept = TypeVar("_Kept")

# Stands for the border of a block in the pieces of a page's text.
BREAK: Final = "\x1e"

# Bound the memory of a page made of nothing but these; more than any page that people read.
MAX_HEAD_TAGS: Final = 1_000
MAX_LINKS: Final = 10_000
# Of these the page's last ones, if it has more: its footer, where contact and imprint are linked, comes last.
LAST_LINKS: Final = 1_000
MAX_ASSETS: Final = 5_000
MAX_COMMENTS: Final = 200
MAX_COMMENT_CHARS: Final = 300
MAX_SCRIPT_CHARS: Final = 512 * 1024
MAX_DATA_BLOCK_CHARS: Final = 4_096
MAX_NOSCRIPT_CHARS: Final = 20_000
MAX_LINK_TEXT_CHARS: Final = 200
MAX_PICTURES: Final = 100
MAX_UNNAMED_PICTURES: Final = 20
MAX_FORM_ACTIONS: Final = 100
MAX_SHALLOW: Final = 200
MAX_MICRODATA: Final = 500

# Elements this near to the document's root are what frameworks mount on, and where they leave their attributes.
SHALLOW_DEPTH: Final = 5

_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q rp rt ruby s samp "
    "small span strike strong sub sup time tt u var wbr"
)
INLINE: Final = frozenset(_INLINE_NAMES.split())
"""Elements that do not end a line of text."""

PLACE_NAMES: Final = {
    **dict.fromkeys(("header", "masthead", "site-header", "page-header", "banner"), "header"),
    **dict.fromkeys(("nav", "navigation", "navbar", "menu", "main-menu", "main-nav", "site-navigation"), "nav"),
    **dict.fromkeys(("footer", "colophon", "site-footer", "page-footer", "contentinfo"), "footer"),
}
"""ids, roles (WAI-ARIA landmarks) and class names that make an element a place of the page; the value is Link.place."""


class Ends(Generic[_Kept]):
    """The first and the last of what may come without end, MAX_LINKS together, in the order in which they came."""

    def __init__(self) -> None:
        self.truncated = False
        self._first: list[_Kept] = []
        self._last: deque[_Kept] = deque(maxlen=LAST_LINKS)

    def append(self, one: _Kept) -> None:
        if len(self._first) < MAX_LINKS - LAST_LINKS:
            self._first.append(one)
            return
        self.truncated = self.truncated or len(self._last) == LAST_LINKS
        self._last.append(one)

    def all(self) -> list[_Kept]:
        return [*self._first, *self._last]


class Link(NamedTuple):
    """An anchor as written: `href` is not resolved, `text` is its visible text with single blanks.

    `place` is `nav`, `header` or `footer`, the innermost that it stands in; those of an article are the article's own.
    `label` is the anchor's `aria-label` or `title`, or the `alt` of an image in it.
    """

    href: str
    rel: str | None
    text: str | None
    place: str | None = None
    label: str | None = None


class Asset(NamedTuple):
    """Something that the page loads, as written. `kind` is `script`, `stylesheet`, `img` or `iframe`."""

    kind: str
    url: str


class Picture(NamedTuple):
    """An image that may be the site's logo: named so, or inside an anchor named so.

    One that is not named so is kept when it stands in a link, in a header or before all headings.
    """

    src: str
    in_header: bool
    anchor_href: str | None


class Icon(NamedTuple):
    """A `<link>` to an icon: an absolute URL, the `rel` that makes it one, `sizes` and `type` as written or ""."""

    url: str
    rel: str
    sizes: str
    type: str
