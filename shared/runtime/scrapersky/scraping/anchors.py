"""Links, images and what else a page points at, gathered while it is parsed."""

from collections.abc import Mapping
from functools import partial

from scrapersky.scraping.gathered import (
    BREAK,
    MAX_ASSETS,
    MAX_LINK_TEXT_CHARS,
    MAX_PICTURES,
    MAX_UNNAMED_PICTURES,
    Asset,
    Ends,
    Link,
    Picture,
)
from scrapersky.scraping.layout import Layout

# A page's links are hundreds, and a NamedTuple's own way of being made is a function of Python's.
_new_link = partial(tuple.__new__, Link)

# Where lazy loaders and consent managers keep the address of what they load later.
_LATER = ("data-src", "data-lazy-src", "data-rocket-src", "data-cookieblock-src")


class AnchorReader:
    """Writes no text but the blanks around links, into `pieces`, the page's text so far."""

    def __init__(self, pieces: list[str], layout: Layout) -> None:
        self.assets: list[Asset] = []
        self.stylesheets: list[Asset] = []
        self.pictures: list[Picture] = []
        self.unnamed_pictures: list[Picture] = []
        self.muted_from: int | None = None
        """Where in the pieces the text begins that is not visible, while an element of such text is open."""
        self._links: Ends[Link] = Ends()
        self._cfemails: Ends[str] = Ends()
        self._pieces = pieces
        self._layout = layout
        self._open: tuple[str, Mapping[str, str], int] | None = None  # href, attributes, where its text begins
        self._alt: str | None = None
        self._has_heading = False

    @property
    def links(self) -> list[Link]:
        return self._links.all()

    @property
    def cfemails(self) -> list[str]:
        """Cloudflare's tokens, as written."""
        return self._cfemails.all()

    @property
    def truncated(self) -> bool:
        return self._links.truncated or self._cfemails.truncated

    def start_anchor(self, _tag: str, attrib: Mapping[str, str]) -> None:
        if self._open:
            self.end_anchor()
        if "data-cfemail" in attrib:
            self.cfemail(attrib)
        if "href" in attrib and (href := attrib["href"].strip()):
            pieces = self._pieces
            pieces.append(" ")
            self._open = href, attrib, len(pieces)

    def end_anchor(self) -> None:
        if self._open is None:
            return
        href, attrib, start = self._open
        pieces = self._pieces
        visible = pieces[start : self.muted_from]
        text = visible[0] if len(visible) == 1 else "".join(visible).replace(BREAK, " ")
        text = " ".join(text.split())[:MAX_LINK_TEXT_CHARS]
        rel, label = None, self._alt
        if len(attrib) > 1:
            rel = attrib.get("rel")
            label = attrib.get("aria-label") or attrib.get("title") or label
        if label:
            label = " ".join(label.split())[:MAX_LINK_TEXT_CHARS]
        self._links.append(_new_link((href, rel, text or None, self._layout.place, label or None)))
        pieces.append(" ")
        self._open = self._alt = None

    def area(self, tag: str, attrib: Mapping[str, str]) -> None:
        """A link of an image map, which has no text."""
        self.start_anchor(tag, attrib)
        self.end_anchor()

    def image(self, _tag: str, attrib: Mapping[str, str]) -> None:
        src = attrib.get("src", "")
        if not src or src.startswith("data:"):  # a placeholder until a script loads the image
            src = later(attrib) or ""
        if self._open:
            self._alt = self._alt or attrib.get("alt")
        if not src or src.startswith("data:"):
            return
        self.asset("img", src)
        in_header = self._layout.is_header
        if not (in_header or self._open):
            return
        names = f"{src} {attrib.get('class')} {attrib.get('id')} {attrib.get('alt')}"
        if self._open:
            names += f" {self._open[1].get('class')} {self._open[1].get('id')}"
        if "logo" in names.lower():
            if len(self.pictures) < MAX_PICTURES:
                self.pictures.append(Picture(src, in_header, self._open[0] if self._open else None))
        elif self._open and self._may_be_brand(attrib):
            self.unnamed_pictures.append(Picture(src, in_header, self._open[0]))

    def _may_be_brand(self, attrib: Mapping[str, str]) -> bool:
        """Whether an image has the place for it, and is not there to count visits or to fill a gap."""
        if len(self.unnamed_pictures) >= MAX_UNNAMED_PICTURES or (self._has_heading and not self._layout.is_header):
            return False
        return attrib.get("width") not in ("0", "1") and attrib.get("height") not in ("0", "1")

    def heading(self, _tag: str, _attrib: Mapping[str, str]) -> None:
        """What follows is the page's content, unless it is in a header."""
        self._has_heading = True

    def asset(self, kind: str, url: str) -> None:
        url = url.strip()
        if url and len(self.assets) < MAX_ASSETS and not url.startswith("data:"):
            self.assets.append(Asset(kind, url))

    def stylesheet(self, url: str) -> None:
        url = url.strip()
        if url and len(self.stylesheets) < MAX_ASSETS:
            self.stylesheets.append(Asset("stylesheet", url))

    def cfemail(self, attrib: Mapping[str, str]) -> None:
        self._cfemails.append(attrib["data-cfemail"])


def later(attrib: Mapping[str, str]) -> str | None:
    """The address that a script will put into `src`, if the element names one."""
    return next((attrib[name] for name in _LATER if attrib.get(name)), None)
