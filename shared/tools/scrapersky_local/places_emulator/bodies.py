"""The body of a text search: which fields there are and what they may hold.

https://developers.google.com/maps/documentation/places/web-service/text-search (required and optional parameters)
"""

import json
from collections.abc import Container, Mapping
from typing import Any, Final

from scrapersky_local.places_emulator.errors import RefusedError, invalid

MAX_RADIUS_METRES: Final = 50_000.0

_TEXTS: Final = ("languageCode", "regionCode", "pageToken", "includedType")
_FIELDS: Final = frozenset(
    {
        "textQuery", "languageCode", "regionCode", "rankPreference", "includedType", "openNow", "minRating",
        "maxResultCount", "pageSize", "pageToken", "priceLevels", "strictTypeFiltering", "locationBias",
        "locationRestriction", "evOptions", "routingParameters", "searchAlongRouteParameters",
        "includePureServiceAreaBusinesses", "includeFutureOpeningBusinesses",
    }
)  # fmt: skip


def text_search(body: bytes) -> dict[str, Any]:
    """The parameters.

    Raises:
        RefusedError: it is no JSON object, or a field is unknown, missing or out of bounds.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise RefusedError(400, "INVALID_ARGUMENT", "Invalid JSON payload received.") from broken
    if not isinstance(asked, dict):
        raise invalid("Invalid JSON payload received. Root element must be a message.")
    _require_known(asked, _FIELDS)
    for name in _TEXTS:
        if not isinstance(asked.get(name, ""), str):
            raise invalid(f"Invalid value at '{name}' (TYPE_STRING).")
    if not isinstance(asked.get("textQuery"), str) or not asked["textQuery"].strip():
        raise invalid("Empty text_query. Text query is required.")
    size = asked.get("pageSize", 0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise invalid("Invalid page_size: must be between 0 and 20.")
    if "locationBias" in asked and "locationRestriction" in asked:
        raise invalid("Only one of location_bias and location_restriction may be set.")
    if "locationBias" in asked:
        _require_area(asked["locationBias"], ("circle", "rectangle"))
    if "locationRestriction" in asked:
        _require_area(asked["locationRestriction"], ("rectangle",))
    return asked


def _require_area(area: Any, kinds: tuple[str, ...]) -> None:
    if not isinstance(area, dict) or len(area) != 1 or next(iter(area)) not in kinds:
        raise invalid(f"Invalid location: must be one of {', '.join(kinds)}.")
    (kind, value), *_ = area.items()
    if not isinstance(value, dict):
        raise invalid("Invalid location: must be a message.")
    _require_known(value, ("center", "radius") if kind == "circle" else ("low", "high"))
    if kind == "circle":
        _require_point(value.get("center"))
        radius = value.get("radius", 0.0)
        if not _is_number(radius) or not 0.0 <= radius <= MAX_RADIUS_METRES:
            raise invalid("Invalid circle.radius: must be between 0.0 and 50000.0.")
        return
    for corner in ("low", "high"):
        _require_point(value.get(corner))
    if value["low"].get("latitude", 0.0) > value["high"].get("latitude", 0.0):
        raise invalid("Invalid rectangle: low.latitude is above high.latitude.")


def _require_point(point: Any) -> None:
    if not isinstance(point, Mapping):
        raise invalid("Invalid location: a point is missing.")
    _require_known(point, ("latitude", "longitude"))
    for name, most in (("latitude", 90.0), ("longitude", 180.0)):
        value = point.get(name, 0.0)
        if not _is_number(value) or not -most <= value <= most:
            raise invalid(f"Invalid {name}: must be between {-most} and {most}.")


def _require_known(message: Mapping[str, Any], fields: Container[str]) -> None:
    for name in message:
        if name not in fields:
            raise invalid(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
