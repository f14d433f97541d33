"""One lean push parse: a BeautifulSoup of what stands in a page's head, the rest gathered on the way.

The usual soup spends nine tenths of its time on making a Tag of every element. Here libxml2's events go to a target of
our own, through bs4's public `builder=`: meta, link, base, title and JSON-LD become Tags, links, assets and visible
text go to plain lists (`events.PageReader`), and nothing is kept of any other element.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup
from lxml import etree  # type: ignore[import-untyped]

from scrapersky.scraping.events import PageReader, TooDeepError

# bs4 puts the name into its public module while it runs, where a type checker does not see it.
if TYPE_CHECKING:
    from bs4.builder._lxml import LXMLTreeBuilder
else:
    from bs4.builder import LXMLTreeBuilder

# An error in an event stops libxml2 only at the end of the slice it was given, so slices are small.
SLICE_BYTES = 64 * 1024


class LeanBuilder(LXMLTreeBuilder):
    """Gives one page's events to a PageReader. Use a new one for each page, through `parse`."""

    def __init__(self) -> None:
        super().__init__(multi_valued_attributes=None)
        self.reader: PageReader | None = None

    def prepare_markup(self, markup: Any, *_args: Any, **_kwargs: Any) -> Iterator[tuple[bytes, None, None, bool]]:
        """One try, with markup whose charset is already decided."""
        yield markup, None, None, False

    def feed(self, markup: Any) -> None:
        if self.soup is None:
            raise RuntimeError("a builder is fed by the soup that it builds")
        self.reader = PageReader(self.soup)
        # In UTF-8, libxml2's own: text would be put into it once more.
        self.parser = etree.HTMLParser(target=self.reader, recover=True, huge_tree=True, encoding="utf-8")
        try:
            for start in range(0, len(markup) or 1, SLICE_BYTES):
                self.parser.feed(markup[start : start + SLICE_BYTES])
            self.parser.close()
        except TooDeepError:
            self.reader.truncated = True
            self.reader.close()


def parse(markup: bytes) -> tuple[BeautifulSoup, PageReader]:
    """The head's Tags as a flat soup, and the reader that holds the rest. `markup` is UTF-8; never raises on any."""
    builder = LeanBuilder()
    # As a file, because the soup warns of short texts that could have been meant as a file name or URL.
    soup = BeautifulSoup(BytesIO(markup), builder=builder)
    reader = builder.reader
    if reader is None:
        raise RuntimeError("a soup feeds its builder when it is made")
    vars(builder).clear()
    return soup, reader


def release(soup: BeautifulSoup, reader: PageReader) -> None:
    """Take both apart when the page's facts are read. Neither is to be used again.

    Tags point at each other, the parser at its target: whole pages would lie about until the garbage collector runs.
    """
    soup.clear(decompose=True)
    soup.decompose()
    vars(reader).clear()
