"""Reads Google's answers. What is not of the documented form is an error; nothing is made up for what is missing."""

import json
import math
from typing import Any, Final

from scrapersky.domain.places import FoundPlace, LatLng
from scrapersky.places.asks import Geocoded, Page

MAX_PLACE_ID_CHARS: Final = 500
"""Google names no longest one, and says that some are long: those seen have 27 to some 200 characters."""


class MalformedAnswerError(Exception):
    """An answer that is not as the documentation says."""


def page(body: bytes) -> Page:
    """A page of a text search. An answer without `places` is one without results.

    Raises:
        MalformedAnswerError: it is no JSON, or a field is of another type than documented.
    """
    data = _object(_json(body))
    token = _text(data, "nextPageToken")
    return Page(tuple(_place(_object(item)) for item in _list(data, "places")), token or None)


def geocoded(body: bytes) -> Geocoded:
    """The location of the first result; None without one.

    Raises:
        MalformedAnswerError: it is no JSON, or a field is of another type than documented.
    """
    results = _list(_object(_json(body)), "results")
    location = _location(_object(results[0])) if results else None
    if results and location is None:
        raise MalformedAnswerError
    return Geocoded(location)


def _place(item: dict[str, Any]) -> FoundPlace:
    place_id = _text(item, "id")
    if not place_id or len(place_id) > MAX_PLACE_ID_CHARS:
        raise MalformedAnswerError
    name = item.get("displayName")
    types = _list(item, "types")
    if not all(isinstance(word, str) for word in types):
        raise MalformedAnswerError
    return FoundPlace(
        place_id=place_id,
        name=_text(_object(name), "text") if name is not None else None,
        primary_type=_text(item, "primaryType"),
        types=tuple(types) if "types" in item else None,
        formatted_address=_text(item, "formattedAddress"),
        location=_location(item),
        rating=_number(item, "rating"),
        user_ratings_total=_count(item, "userRatingCount"),
        phone=_text(item, "internationalPhoneNumber") or _text(item, "nationalPhoneNumber"),
        website=_text(item, "websiteUri"),
        business_status=_text(item, "businessStatus"),
    )


def _location(item: dict[str, Any]) -> LatLng | None:
    if item.get("location") is None:
        return None
    point = _object(item["location"])
    # Zero is the default of both, and defaults are left out of JSON by protocol buffers.
    latitude, longitude = _number(point, "latitude") or 0.0, _number(point, "longitude") or 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise MalformedAnswerError
    return LatLng(latitude, longitude)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswerError from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedAnswerError
    return value


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name, [])
    if not isinstance(value, list):
        raise MalformedAnswerError
    return value


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedAnswerError
    return value


def _number(data: dict[str, Any], name: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MalformedAnswerError
    return float(value)


def _count(data: dict[str, Any], name: str) -> int | None:
    value = _number(data, name)
    if value is not None and (value < 0 or value != int(value)):
        raise MalformedAnswerError
    return None if value is None else int(value)
