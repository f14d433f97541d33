"""What a page's structured data says about the organisation behind the site, from JSON-LD or microdata.

Vocabulary: https://schema.org/Organization, /LocalBusiness, /PostalAddress, /OpeningHoursSpecification. Values are the
page's own, trimmed; e-mails, phones and URLs are in the form that they have among a site's other facts. A field that
the page does not give is None, or an empty list where there may be several.
"""

import re
from typing import Any, Final

from scrapersky.scraping import emails, phones
from scrapersky.scraping.jsonld import MAX_LIST, MAX_VALUE_CHARS, Graph, strings, types, walk
from scrapersky.scraping.urls import absolute_url

# Ours -> schema.org's.
_ADDRESS_PARTS: Final = {
    "street_address": "streetAddress",
    "postal_code": "postalCode",
    "locality": "addressLocality",
    "region": "addressRegion",
    "country": "addressCountry",
}
_TEXTS: Final = {
    "name": "name",
    "legal_name": "legalName",
    "alternate_name": "alternateName",
    "description": "description",
    "vat_id": "vatID",
    "tax_id": "taxID",
    "lei_code": "leiCode",
    "duns": "duns",
    "founding_date": "foundingDate",
    "price_range": "priceRange",
}
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS = re.compile(r"([A-Za-z,\s-]{2,60}?)\s*(\d{1,2}:\d{2})\s*[-\u2013]\s*(\d{1,2}:\d{2})")


def organizations(graph: Graph, base_url: str) -> list[dict[str, Any]]:
    """Every organisation that the page speaks for and names, in the page's order, in the HTTP contract's words.

    `base_url` is what its URLs start from.
    """
    summaries = [_summary(graph, thing, base_url) for thing in graph.organizations()[:MAX_LIST]]
    return [summary for summary in summaries if summary["name"]]


def fullness(summary: dict[str, Any]) -> int:
    """How many of the fields are given."""
    return sum(value not in (None, []) for value in summary.values())


def addresses(graph: Graph, page_url: str, method: str = "json-ld") -> list[dict[str, Any]]:
    """Postal addresses of the page's organisations and their departments and places, without repeats."""
    found: list[dict[str, Any]] = []
    for thing in walk(tuple(graph.organizations())):
        for item in graph.values(thing, "address"):
            address = _address(item)
            if address and all(known["text"] != address["text"] for known in found):
                found.append({**address, "page_url": page_url, "method": method})
                if len(found) == MAX_LIST:
                    return found
    return found


def logo(graph: Graph) -> str | None:
    """The `logo` of the page's organisations, as written: a URL, or an ImageObject with one."""
    return next((url for thing in graph.organizations() if (url := _url_of(graph.values(thing, "logo")))), None)


def _summary(graph: Graph, thing: dict[str, Any], base_url: str) -> dict[str, Any]:
    contacts = graph.things(thing, "contactPoint", "contactPoints")
    texts = {ours: _first(thing.get(theirs)) for ours, theirs in _TEXTS.items()}
    addresses_given = [_email(owner.get("email")) for owner in [thing, *contacts]]
    numbers = [number for owner in [thing, *contacts] for number in _telephones(owner.get("telephone"))]
    return {
        "type": next(iter(types(thing)), None),
        **texts,
        "url": next(iter(_links(thing.get("url"), base_url)), None),
        "logo_url": absolute_url(base_url, _url_of(graph.values(thing, "logo"))),
        "email": next((address for address in addresses_given if address), None),
        "telephone": next(iter(numbers), None),
        "telephones": list(dict.fromkeys(numbers))[:MAX_LIST],
        "fax": next(iter(_telephones(thing.get("faxNumber"))), None),
        "opening_hours": _opening_hours(graph, thing),
        "geo": _geo(graph, thing),
        "parent": _name_of(graph.values(thing, "parentOrganization")),
        "founder": _name_of(graph.values(thing, "founder") + graph.values(thing, "founders")),
        "same_as": _links(thing.get("sameAs"), base_url),
    }


def _first(value: Any) -> str | None:
    return next(iter(strings(value)), None)


def _name_of(values: list[Any]) -> str | None:
    names = [_first(value.get("name") if isinstance(value, dict) else value) for value in values]
    return next((name for name in names if name), None)


def _url_of(values: list[Any]) -> str | None:
    for item in values:
        url = _first(item.get("url") or item.get("contentUrl")) if isinstance(item, dict) else _first(item)
        if url:
            return url
    return None


def _email(value: Any) -> str | None:
    return next((address for text in strings(value) for address in emails.addresses_of_mailto(text)), None)


def _telephones(value: Any) -> list[str]:
    return [phones.number_as_given(text) or text for text in strings(value)]


def _links(value: Any, base_url: str) -> list[str]:
    """The URLs of a property. A bare word is none: `shop.example` is meant as a host but reads as a file."""
    texts = [text for text in strings(value) if text.startswith("/") or "//" in text]
    return list(dict.fromkeys(url for text in texts if (url := absolute_url(base_url, text))))


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
    return _first(value.get("name")) if isinstance(value, dict) and "name" in value else _first(value)


def _geo(graph: Graph, thing: dict[str, Any]) -> dict[str, float] | None:
    """WGS 84 degrees, of the organisation or of its place."""
    for owner in [thing, *graph.things(thing, "location")]:
        for point in graph.things(owner, "geo"):
            latitude, longitude = _degrees(point.get("latitude"), 90), _degrees(point.get("longitude"), 180)
            # 0, 0 is what forms send that nobody filled in.
            if latitude is not None and longitude is not None and (latitude or longitude):
                return {"latitude": latitude, "longitude": longitude}
    return None


def _degrees(value: Any, limit: int) -> float | None:
    try:
        number = float((_first(value) or "").replace(",", ".", 1))
    except ValueError:
        return None
    return number if abs(number) <= limit else None


def _opening_hours(graph: Graph, thing: dict[str, Any]) -> list[dict[str, Any]]:
    """`days` are English names, `opens` and `closes` HH:MM as given; None where a text is in a form of its own."""
    found = [hours for text in strings(thing.get("openingHours")) for hours in _hours_of_text(text)]
    for entry in graph.things(thing, "openingHoursSpecification"):
        given = graph.values(entry, "dayOfWeek")
        named = [day.get("name") or day.get("@id") if isinstance(day, dict) else day for day in given]
        days = [day for text in strings(named) for word in re.split(r"[\s,]+", text) for day in _days(word)]
        opens, closes = _first(entry.get("opens")), _first(entry.get("closes"))
        if days or opens or closes:
            valid = {"valid_from": _first(entry.get("validFrom")), "valid_through": _first(entry.get("validThrough"))}
            text = f"{', '.join(days)} {opens or '?'}-{closes or '?'}".strip()
            found.append({"days": days, "opens": opens, "closes": closes, **valid, "text": text})
    return found[:MAX_LIST]


def _hours_of_text(text: str) -> list[dict[str, Any]]:
    """schema.org's own notation, "Mo-Fr 09:00-17:00", also several in one text; else the text alone."""
    unknown = {"opens": None, "closes": None, "valid_from": None, "valid_through": None, "text": text}
    found = []
    for match in _HOURS.finditer(text[:MAX_VALUE_CHARS]):
        days = [day for part in match[1].split(",") for day in _days(part)]
        if not days:
            return [{"days": [], **unknown}]
        found.append({**unknown, "days": days, "opens": match[2], "closes": match[3], "text": match[0].strip(" ,")})
    return found or [{"days": [], **unknown}]


def _days(text: str) -> list[str]:
    """The days of "Monday", "Mo", "https://schema.org/Monday" or "Mo-Fr"; of anything else none."""
    ends = [_day(part) for part in re.split(r"\s*-\s*", text.strip())]
    if len(ends) == 1:
        return [_DAYS[ends[0]]] if ends[0] is not None else []
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return []
    return [_DAYS[(ends[0] + step) % 7] for step in range((ends[1] - ends[0]) % 7 + 1)]


def _day(text: str) -> int | None:
    name = re.split(r"[/:#]", text)[-1].strip().lower()
    return next((n for n, day in enumerate(_DAYS) if len(name) >= 2 and day.lower().startswith(name)), None)
