"""JSON-LD of a page: read leniently, and what it says about the organisation behind the site.

Vocabulary: https://schema.org/Organization, https://schema.org/PostalAddress. Values are the page's own, trimmed;
e-mails, phones and URLs are in the form that they have among a site's other facts. A field that the page does not give
is None.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from scrapersky.domain.texts import UNSTORABLE
from scrapersky.scraping import emails, phones
from scrapersky.scraping.urls import absolute_url

# Bound the work on, and the rows made of, a hostile or generated page.
MAX_SCRIPT_CHARS = 512 * 1024
MAX_OBJECTS = 500
MAX_DEPTH = 20
MAX_VALUE_CHARS = 2_000
MAX_LIST = 50

_WRAPPERS = re.compile(
    r"^\s*(?:<!--|//<!\[CDATA\[|/\*<!\[CDATA\[\*/|<!\[CDATA\[)|(?:-->|//\]\]>|/\*\]\]>\*/|\]\]>|;)\s*$"
)
_TRAILING_COMMA = re.compile(r",(\s{0,100}[}\]])")

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

# Ours -> schema.org's.
_ADDRESS_PARTS = {
    "street_address": "streetAddress",
    "postal_code": "postalCode",
    "locality": "addressLocality",
    "region": "addressRegion",
    "country": "addressCountry",
}


def read(script: str) -> list[dict[str, Any]]:
    """The objects at the top of one JSON-LD script, `@graph` opened. What is no JSON even so is an empty list."""
    if len(script) > MAX_SCRIPT_CHARS:
        return []
    text = _WRAPPERS.sub("", script).strip()
    try:
        value = _loads(text)
    except (ValueError, RecursionError):
        try:
            value = _loads(_TRAILING_COMMA.sub(r"\1", text))
        except (ValueError, RecursionError):
            return []
    return list(_top(clean(value)))[:MAX_OBJECTS]


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
    """A property that may be one text or a list of them, as trimmed texts."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip():
            found.append(item.strip()[:MAX_VALUE_CHARS])
        elif isinstance(item, int | float) and not isinstance(item, bool):
            found.append(str(item))
    return found[:MAX_LIST]


def is_organization(thing: dict[str, Any]) -> bool:
    """Whether an object is about a business or another organisation, by its `@type` and what it says."""
    types = _types(thing)
    if any(name in _ORGANIZATIONS for name in types):
        return True
    if not types or any(name in _OTHER_THINGS for name in types):
        return False
    if any(name.endswith(_ORGANIZATION_ENDINGS) for name in types):
        return True
    return bool(thing.get("name")) and bool(thing.get("address") or thing.get("telephone"))


def organizations(objects: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """The organisations that the page speaks for: top objects first, then publishers of its site and pages."""
    found = [thing for thing in objects if is_organization(thing)]
    for thing in objects:
        if {"WebSite", "WebPage", "ContactPage", "AboutPage"} & set(_types(thing)):
            for name in ("publisher", "about", "mainEntity", "copyrightHolder"):
                linked = thing.get(name)
                if isinstance(linked, dict) and is_organization(linked):
                    found.append(linked)
    return found


def organization(objects: tuple[dict[str, Any], ...], base_url: str) -> dict[str, Any] | None:
    """The fullest of the page's organisations, in the HTTP contract's words. `base_url` is what its URLs start from."""
    candidates = [summary for thing in organizations(objects) if (summary := _summary(thing, base_url))["name"]]
    return max(candidates, key=lambda summary: sum(value not in (None, []) for value in summary.values()), default=None)


def addresses(objects: tuple[dict[str, Any], ...], page_url: str) -> list[dict[str, Any]]:
    """Postal addresses of the page's organisations and their departments and places, without repeats."""
    found: list[dict[str, Any]] = []
    for thing in walk(tuple(organizations(objects))):
        value = thing.get("address")
        for item in value if isinstance(value, list) else [value]:
            address = _address(item)
            if address and all(known["text"] != address["text"] for known in found):
                found.append({**address, "page_url": page_url, "method": "json-ld"})
    return found[:MAX_LIST]


def logo(objects: tuple[dict[str, Any], ...]) -> str | None:
    """The `logo` of the page's organisations, as written: a URL, or an ImageObject with one."""
    for thing in organizations(objects):
        if url := _url_of(thing.get("logo")):
            return url
    return None


def _loads(text: str) -> Any:
    return json.loads(text, strict=False, parse_constant=lambda _: None)


def _top(value: Any) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            graph = item.get("@graph")
            if isinstance(graph, list):
                yield from (node for node in graph if isinstance(node, dict))
            else:
                yield item


def _types(thing: dict[str, Any]) -> list[str]:
    # "Organization", "schema:Organization" and "http://schema.org/Organization" are the same type.
    return [re.split(r"[/:#]", name)[-1] for name in strings(thing.get("@type"))]


def _first(value: Any) -> str | None:
    return next(iter(strings(value)), None)


def _url_of(value: Any) -> str | None:
    for item in value if isinstance(value, list) else [value]:
        url = _first(item.get("url") or item.get("contentUrl")) if isinstance(item, dict) else _first(item)
        if url:
            return url
    return None


def _email(value: Any) -> str | None:
    return next((address for text in strings(value) for address in emails.addresses_of_mailto(text)), None)


def _telephone(value: Any) -> str | None:
    text = _first(value)
    return text and (phones.number_as_given(text) or text)


def _links(value: Any, base_url: str) -> list[str]:
    """The URLs of a property. A bare word is none: `shop.example` is meant as a host but reads as a file."""
    texts = [text for text in strings(value) if text.startswith("/") or "//" in text]
    return list(dict.fromkeys(url for text in texts if (url := absolute_url(base_url, text))))


def _summary(thing: dict[str, Any], base_url: str) -> dict[str, Any]:
    return {
        "type": next(iter(_types(thing)), None),
        "name": _first(thing.get("name")),
        "legal_name": _first(thing.get("legalName")),
        "url": next(iter(_links(thing.get("url"), base_url)), None),
        "logo_url": absolute_url(base_url, _url_of(thing.get("logo"))),
        "description": _first(thing.get("description")),
        "email": _email(thing.get("email")),
        "telephone": _telephone(thing.get("telephone")),
        "vat_id": _first(thing.get("vatID")),
        "tax_id": _first(thing.get("taxID")),
        "founding_date": _first(thing.get("foundingDate")),
        "same_as": _links(thing.get("sameAs"), base_url),
    }


def _address(value: Any) -> dict[str, Any] | None:
    if isinstance(value, str) and value.strip():
        parts: dict[str, str | None] = dict.fromkeys(_ADDRESS_PARTS)
        return {**parts, "text": value.strip()[:MAX_VALUE_CHARS]}
    if not isinstance(value, dict):
        return None
    parts = {name: _address_part(value.get(key)) for name, key in _ADDRESS_PARTS.items()}
    text = ", ".join(part for part in parts.values() if part)
    return {**parts, "text": text} if text else None


def _address_part(value: Any) -> str | None:
    return _first(value.get("name")) if isinstance(value, dict) else _first(value)
