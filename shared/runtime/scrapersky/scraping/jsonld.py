"""JSON-LD of a page: read leniently, and looked at as the graph of things that it is.

Syntax: https://www.w3.org/TR/json-ld11/, of which schema.org's users use `@graph`, `@id`, `@type` and arrays.
What the things say of an organisation is in `organization`.
"""

import html
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from scrapersky.domain.texts import UNSTORABLE

# Bound the work on, and the rows made of, a hostile or generated page.
MAX_SCRIPT_CHARS: Final = 512 * 1024
MAX_OBJECTS: Final = 500
MAX_DEPTH: Final = 20
MAX_VALUE_CHARS: Final = 2_000
MAX_LIST: Final = 50

_WRAPPERS = re.compile(
    r"^\s*(?:<!--|//<!\[CDATA\[|/\*<!\[CDATA\[\*/|<!\[CDATA\[)|(?:-->|//\]\]>|/\*\]\]>\*/|\]\]>|;)\s*$"
)
# Strings first, so that nothing in them is taken for one of the faults. A string without an end goes to the text's end:
# were it no match, each quote in it would be tried in turn.
_FAULTS = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"?)"""
    r"|(?P<comment>/\*.*?\*/|/\*.*|//[^\n]*)"
    r"|(?P<commas>,\s*(?=[,}\]]))",
    re.DOTALL,
)
# With its semicolon: "&copy=2" is a part of a URL. Plugins escape names for HTML before they put them into JSON.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_BAD_ESCAPE = re.compile(r'\\(u[0-9A-Fa-f]{4}|["\\/bfnrt])|\\')
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)

# Types that are the organisation itself. schema.org has hundreds of LocalBusiness subtypes: what is not listed
# counts when it ends in one of _ORGANIZATION_ENDINGS, or when it has both a name and a postal address or phone
# and is none of _OTHER_THINGS.
_ORGANIZATIONS = frozenset({"Organization", "Corporation", "LocalBusiness", "NGO", "Airline", "SportsTeam"})
_ORGANIZATION_ENDINGS = ("Organization", "Business", "Store", "Service", "Agency", "Agent", "Shop", "Company")
_OTHER_THING_NAMES = (
    "Person Product Event Offer Place Residence House Apartment SingleFamilyResidence Accommodation Room JobPosting "
    "Article NewsArticle BlogPosting WebSite WebPage ContactPage AboutPage ContactPoint PostalAddress Review Recipe "
    "Course Service GovernmentService TaxiService BroadcastService LandmarksOrHistoricalBuildings TouristAttraction"
)
_OTHER_THINGS = frozenset(_OTHER_THING_NAMES.split())
_SITE_TYPES = frozenset({"WebSite", "WebPage", "ContactPage", "AboutPage", "CollectionPage", "ItemPage", "FAQPage"})
_SPEAKS_FOR_SITE = ("publisher", "about", "mainEntity", "copyrightHolder")


def read(script: str) -> list[dict[str, Any]]:
    """The objects at the top of one JSON-LD script, `@graph` opened. What is no JSON even so is an empty list.

    Tolerated are comments and CDATA marks around the script, JavaScript comments, trailing and doubled commas, line
    ends within texts, backslashes that escape nothing, quotes written as HTML entities, and several objects in a row.
    """
    if len(script) > MAX_SCRIPT_CHARS:
        return []
    text = _WRAPPERS.sub("", script).strip()
    try:
        values = _values(text)
    except (ValueError, RecursionError):
        try:
            values = _values(_mended(text))
        except (ValueError, RecursionError):
            return []
    return [thing for value in values for thing in _top(clean(value))][:MAX_OBJECTS]


def clean(value: Any, depth: int = 0) -> Any:
    """The value as it can be stored: texts without what Postgres cannot hold, no deeper than MAX_DEPTH, no NaN."""
    if isinstance(value, str):
        return UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {clean(k): clean(v, depth + 1) for k, v in value.items()} if depth < MAX_DEPTH else None
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value] if depth < MAX_DEPTH else None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def walk(objects: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    """Every object, parents first, up to MAX_OBJECTS of them."""
    waiting: list[Any] = list(reversed(objects))
    seen = 0
    while waiting and seen < MAX_OBJECTS:
        value = waiting.pop()
        if isinstance(value, dict):
            seen += 1
            yield value
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def strings(value: Any) -> list[str]:
    """A property that may be one text or a list of them, as trimmed texts; of `{"@value": ...}`, that value."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            item = item.get("@value")
        if isinstance(item, str) and item.strip():
            text = item.strip()[:MAX_VALUE_CHARS]
            found.append(_ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            found.append(str(item))
    return found[:MAX_LIST]


def types(thing: dict[str, Any]) -> list[str]:
    """The names of an object's types: `Organization`, `schema:Organization` and `http://schema.org/Organization`."""
    return [name.replace("#", "/").replace(":", "/").rpartition("/")[2] for name in strings(thing.get("@type"))]


def is_organization(thing: dict[str, Any]) -> bool:
    """Whether an object is about a business or another organisation, by its `@type` and what it says."""
    names = types(thing)
    if any(name in _ORGANIZATIONS for name in names):
        return True
    if not names or any(name in _OTHER_THINGS for name in names):
        return False
    if any(name.endswith(_ORGANIZATION_ENDINGS) for name in names):
        return True
    return bool(thing.get("name")) and bool(thing.get("address") or thing.get("telephone"))


class Graph:
    """The things of one page, with references by `@id` followed wherever they are looked up."""

    def __init__(self, objects: tuple[dict[str, Any], ...]) -> None:
        self.objects = objects
        self._organizations: list[dict[str, Any]] | None = None
        self._named: dict[str, dict[str, Any]] = {}
        for thing in walk(objects):
            name = thing.get("@id")
            if isinstance(name, str) and (name not in self._named or len(thing) > len(self._named[name])):
                self._named[name] = thing

    def values(self, thing: dict[str, Any], name: str) -> list[Any]:
        """The values of a property, each reference replaced by the thing that it names."""
        value = thing.get(name)
        return [self._follow(item) for item in (value if isinstance(value, list) else [value]) if item is not None]

    def things(self, thing: dict[str, Any], *names: str) -> list[dict[str, Any]]:
        """The values of these properties that are objects."""
        return [value for name in names for value in self.values(thing, name) if isinstance(value, dict)]

    def organizations(self) -> list[dict[str, Any]]:
        """The organisations that the page speaks for: top objects first, then publishers of its site and pages."""
        if self._organizations is None:
            found = [thing for thing in self.objects if is_organization(thing)]
            for thing in self.objects:
                if not _SITE_TYPES.isdisjoint(types(thing)):
                    found += [linked for linked in self.things(thing, *_SPEAKS_FOR_SITE) if is_organization(linked)]
            self._organizations = list({id(thing): thing for thing in found}.values())
        return self._organizations

    def _follow(self, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("@id"), str):
            named = self._named.get(value["@id"], value)
            return named if len(named) > len(value) else value
        return value


def _values(text: str) -> list[Any]:
    """The JSON values in `text`, one after the other. Raises ValueError when there is anything else, or nothing."""
    values: list[Any] = []
    position = 0
    while position < len(text) and len(values) < MAX_OBJECTS:
        value, position = _DECODER.raw_decode(text, position)
        values.append(value)
        while position < len(text) and text[position] in " \t\r\n;,":
            position += 1
    if not values:
        raise ValueError("no JSON value")
    return values


def _mended(text: str) -> str:
    if "&quot;" in text and text.find("&quot;") < text.find('"') % (len(text) + 1):
        text = html.unescape(text)
    return _FAULTS.sub(_mend, _FAULTS.sub(_mend, text))  # a comma may stand before a comment that stands before a brace


def _mend(match: re.Match[str]) -> str:
    if match["string"]:
        text = match["string"]
        return _BAD_ESCAPE.sub(lambda escape: escape[0] if escape[1] else "", text) if "\\" in text else text
    return ""


def _top(value: Any) -> Iterable[dict[str, Any]]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            graph = item.get("@graph")
            if isinstance(graph, dict):
                yield graph
            elif isinstance(graph, list):
                yield from (node for node in graph if isinstance(node, dict))
            else:
                yield item
