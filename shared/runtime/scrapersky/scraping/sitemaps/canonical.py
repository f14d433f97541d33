"""The short way through a sitemap that is written as most are: entries of the four plain elements, and nothing else.

A regular expression takes such entries many at a time, in a third of what calls from expat for each tag cost. It takes
what is well-formed and means the same to expat, and only right one after the other from the root's first on; from the
first text that is anything else (comments, CDATA, attributes, extensions, other entities than `&amp;`), expat reads.
"""

import re
from functools import lru_cache
from itertools import repeat
from typing import Final

from scrapersky.scraping.sitemaps.dates import lastmod_time
from scrapersky.scraping.sitemaps.entry import (
    MAX_URL_CHARS,
    Entry,
    Remembered,
    Totals,
    changefreq_text,
    priority_text,
)

MAX_ENTRY_CHARS: Final = 8192
"""What is kept of an entry whose end has not come: four times the longest URL."""

_FIELDS: Final = ("loc", "lastmod", "changefreq", "priority")
_END: Final = "</url>"

# Instructions and comments, then the root: expat has to agree that it is one. What was taken is not tried in another
# way (`++`, `*+`): blanks can be parted in as many ways as two to the power of their number.
_PROLOG = re.compile(r"(?:[ \t\r\n]++|<!--(?:[^-]|-[^-])*+-->|<\?[^?]*+\?>)*+<urlset(?:[ \t\r\n][^<>]*+)?(?<!/)>")
_NAMES = re.compile("<(" + "|".join(_FIELDS) + ")>")

# Printable ASCII but `&`, `<` and `>`; a host begins with none of `/?#[`. White space is XML's, not `str.strip`'s.
_CHARS: Final = "[!-%'-;=?-~]"
_SPACE: Final = r"[ \t\r\n]"
_AROUND: Final = _SPACE + "{0,64}"
_TEXTS: Final = {
    "loc": f"https?://[!-\"$%'-.0-;=@-Z\\\\-~]{_CHARS}*(?:&amp;{_CHARS}*)*",
    "lastmod": f"{_CHARS}*(?: {_CHARS}+)*",
    "changefreq": "[A-Za-z]*",
    "priority": r"[0-9.]*",
}


def end_of_prolog(text: str) -> int:
    """Where the entries begin; 0 when that is not to be seen."""
    match = _PROLOG.match(text)
    return match.end() if match else 0


@lru_cache(24)
def _pattern(order: tuple[str, ...]) -> re.Pattern[str]:
    """One entry, its elements in this order, all but `loc` optional; or else all that is left."""
    elements = (
        f"(?:<{name}>{_AROUND}({_TEXTS[name]}){_AROUND}</{name}>{_SPACE}*){'' if name == 'loc' else '?'}"
        for name in order
    )
    return re.compile(f"{_SPACE}*<url>{_SPACE}*{''.join(elements)}{_END}|((?s:.)+)")


class Canonical:
    """Takes entries as long as they are as said above. The first tells the order of the elements in all of them."""

    def __init__(self, entries: list[Entry], totals: Totals) -> None:
        self._entries = entries
        self._totals = totals
        self._order: tuple[str, ...] = ()
        self._changefreqs = Remembered(changefreq_text)
        self._priorities = Remembered(priority_text)
        self.rest = ""
        """What was not taken: the begin of an entry, the end of the file, or what expat is to read."""

    def feed(self, text: str) -> bool:
        """Take what is complete. Returns whether to go on like this: else the rest is for expat."""
        text = self.rest + text
        end = text.find(_END)
        if end < 0:
            self.rest = text
            return len(text) <= MAX_ENTRY_CHARS
        if not self._order:
            self._order = tuple(dict.fromkeys([*_NAMES.findall(text[:end]), *_FIELDS]))
        found = _pattern(self._order).findall(text)
        self.rest = found[-1][-1]
        if self.rest:
            found.pop()
        if found:
            self._take(found)
        return _END not in self.rest and len(self.rest) <= MAX_ENTRY_CHARS

    def _take(self, found: list[tuple[str, ...]]) -> None:
        columns = dict(zip(self._order, zip(*found, strict=True), strict=False))  # the last is of the rest: empty
        urls = columns["loc"]
        if any("&" in url for url in urls):
            urls = tuple(url.replace("&amp;", "&") for url in urls)
        modified = [text if lastmod_time(text) else None for text in columns["lastmod"]]
        often = list(map(self._changefreqs.__getitem__, columns["changefreq"]))
        ranks = list(map(self._priorities.__getitem__, columns["priority"]))
        none = repeat(0)
        entries: list[Entry] = list(zip(urls, modified, often, ranks, none, none, none, none, strict=False))
        if max(map(len, urls)) > MAX_URL_CHARS:
            entries = [entry for entry in entries if len(entry[0]) <= MAX_URL_CHARS]
            self._totals.skipped += len(urls) - len(entries)
        self._entries += entries
