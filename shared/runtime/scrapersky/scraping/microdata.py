"""Microdata of a page (HTML Standard, 5) as it is parsed: its items in the shape that JSON-LD has, and plain pairs."""

from collections.abc import Mapping
from typing import Any

from scrapersky.scraping.gathered import MAX_MICRODATA

# An item within an item within an item: an offer's seller's address. Deeper ones are made up.
MAX_ITEM_DEPTH = 10
MAX_VALUE_CHARS = 2_000

# Where an element keeps its value (HTML Standard, 5.2.4); `content` comes first on any, as search engines read it.
_VALUE_ATTRIBUTES = {
    **dict.fromkeys(("a", "area", "link"), "href"),
    **dict.fromkeys(("audio", "embed", "iframe", "img", "source", "track", "video"), "src"),
    "object": "data",
    "data": "value",
    "meter": "value",
    "time": "datetime",
}


class MicrodataReader:
    """Takes the elements that have `itemprop` or `itemscope`, in document order. Bounded; never raises.

    `items` are the top items, `{"@type": "LocalBusiness", "name": ..., "address": {...}}`; a repeated property is a
    list. `pairs` are all (property, text), also of those that stand in no item.
    """

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.pairs: list[tuple[str, str]] = []
        self._open: list[dict[str, Any]] = []
        self._begun = 0

    def begin_item(self, attrib: Mapping[str, str]) -> bool:
        """An element with `itemscope`; whether it opened an item, for which `end_item` is then due."""
        if len(self._open) >= MAX_ITEM_DEPTH or self._begun >= MAX_MICRODATA:
            return False
        self._begun += 1
        item: dict[str, Any] = {}
        if types := attrib.get("itemtype", "").split():
            item["@type"] = types[0] if len(types) == 1 else types
        names = attrib.get("itemprop", "").split()
        if names and self._open:
            for name in names:
                _add(self._open[-1], name, item)
        else:
            self.items.append(item)
        self._open.append(item)
        return True

    def end_item(self) -> None:
        self._open.pop()

    def value_of(self, tag: str, attrib: Mapping[str, str]) -> str | None:
        """The value that the element's attributes hold, or None if its text is the value."""
        if (content := attrib.get("content")) is not None:
            return content
        return attrib.get(_VALUE_ATTRIBUTES.get(tag, ""))

    def add(self, names: str, value: str) -> None:
        """A value of all the properties in `names`, an `itemprop` as written."""
        text = " ".join(value[: 2 * MAX_VALUE_CHARS].split())[:MAX_VALUE_CHARS]
        for name in names.split() if text else ():
            if len(self.pairs) >= MAX_MICRODATA:
                return
            self.pairs.append((name, text))
            if self._open:
                _add(self._open[-1], name, text)


def _add(item: dict[str, Any], name: str, value: str | dict[str, Any]) -> None:
    if name not in item:
        item[name] = value
    elif isinstance(item[name], list):
        item[name].append(value)
    else:
        item[name] = [item[name], value]
