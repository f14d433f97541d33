"""Field masks: which fields there are, which SKU they belong to, and an answer cut down to those that were asked for.

https://developers.google.com/maps/documentation/places/web-service/text-search (FieldMask)
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from scrapersky_local.places_emulator.errors import RefusedError, invalid

IDS_ONLY: Final = "Text Search Essentials (IDs Only)"
PRO: Final = "Text Search Pro"
ENTERPRISE: Final = "Text Search Enterprise"
ATMOSPHERE: Final = "Text Search Enterprise + Atmosphere"
GEOCODING: Final = "Geocoding"

_SKUS: Final = (IDS_ONLY, PRO, ENTERPRISE, ATMOSPHERE)
"""The cheapest first."""

_FIELDS: Final = {
    IDS_ONLY: "attributions id name",
    PRO: """accessibilityOptions addressComponents addressDescriptor adrFormatAddress businessStatus containingPlaces
        displayName formattedAddress googleMapsLinks googleMapsUri iconBackgroundColor iconMaskBaseUri location photos
        plusCode postalAddress primaryType primaryTypeDisplayName pureServiceAreaBusiness shortFormattedAddress
        subDestinations timeZone types utcOffsetMinutes viewport""",
    ENTERPRISE: """currentOpeningHours currentSecondaryOpeningHours internationalPhoneNumber nationalPhoneNumber
        priceLevel priceRange rating regularOpeningHours regularSecondaryOpeningHours userRatingCount websiteUri""",
    ATMOSPHERE: """allowsDogs curbsidePickup delivery dineIn editorialSummary goodForChildren goodForGroups liveMusic
        menuForChildren outdoorSeating parkingOptions paymentOptions reservable restroom reviews servesBeer
        servesBreakfast servesCocktails servesCoffee servesDessert servesDinner servesLunch servesWine takeout""",
}
SKU_OF: Final = {field: sku for sku, fields in _FIELDS.items() for field in fields.split()}
_TOP_LEVEL: Final = frozenset({"places", "nextPageToken", "routingSummaries", "contextualContents", "searchUri"})
_PARTS: Final = {
    "displayName": frozenset({"text", "languageCode"}),
    "location": frozenset({"latitude", "longitude"}),
}
"""What a path may go on with below the fields that the emulator's places have."""
_GEOCODING: Final = frozenset(
    {
        "place", "placeId", "location", "granularity", "viewport", "bounds", "formattedAddress", "postalAddress",
        "addressComponents", "types", "plusCode",
    }
)  # fmt: skip


def text_search(mask: str | None) -> tuple[frozenset[str], str]:
    """(paths of the mask, the SKU that it is billed as).

    Raises:
        RefusedError: it is missing, holds a space, or names a field that there is none of.
    """
    paths = _paths(mask)
    sku = IDS_ONLY
    for path in paths - {"*"}:
        sku = max(sku, _sku_of(path), key=_SKUS.index)
    return paths, ATMOSPHERE if "*" in paths else sku


def geocoding(mask: str | None) -> frozenset[str]:
    """The paths of the mask; without one the answer has every field.

    Raises:
        RefusedError: it holds a space, or names a field that there is none of.
    """
    if mask is None:
        return frozenset({"*"})
    paths = _paths(mask)
    for path in paths - {"*"}:
        top, *rest = path.split(".")
        if top != "results" or (rest and not _is_field(rest, _GEOCODING)):
            raise _unknown(path)
    return paths


def cut(answer: Mapping[str, Any], paths: frozenset[str], top: str) -> dict[str, Any]:
    """The answer with what the mask names, of the items under `top` as of the whole."""
    if "*" in paths:
        return dict(answer)
    kept = {name: value for name, value in answer.items() if name != top and name in paths}
    below = [path.split(".")[1:] for path in paths if path.partition(".")[0] == top]
    if top in answer and below:
        kept[top] = [_cut_item(item, below) for item in answer[top]]
    return kept


def _cut_item(item: Mapping[str, Any], paths: Iterable[list[str]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for path in paths:
        if not path:
            return dict(item)
        name, *part = path
        if name in item:
            whole = item[name]
            kept[name] = kept.get(name, {}) | {key: whole[key] for key in part} if part else whole
    return kept


def _sku_of(path: str) -> str:
    """Which SKU a path of a text search belongs to. Raises RefusedError for one that there is none of."""
    top, *rest = path.split(".")
    if top not in _TOP_LEVEL or (rest and not (top == "places" and _is_field(rest, SKU_OF))):
        raise _unknown(path)
    if rest:
        return SKU_OF[rest[0]]
    return ATMOSPHERE if top == "places" else IDS_ONLY


def _is_field(names: list[str], fields: Container[str]) -> bool:
    """Whether a path's names are those of a field, or of one of the parts that are known of it."""
    name, *part = names
    return name in fields and (not part or (len(part) == 1 and part[0] in _PARTS.get(name, ())))


def _unknown(path: str) -> RefusedError:
    return invalid(f"Error expanding 'fields' parameter. Cannot find matching fields for path '{path}'.")


def _paths(mask: str | None) -> frozenset[str]:
    if not mask:
        raise invalid(
            "FieldMask is a required parameter. See https://cloud.google.com/apis/docs/system-parameters on how to"
            " provide it."
        )
    if any(letter.isspace() for letter in mask):
        raise invalid("Request contains an invalid argument: the field mask holds a space.")
    return frozenset(mask.split(","))
