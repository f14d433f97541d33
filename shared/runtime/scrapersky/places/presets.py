"""What a search can ask Google for, which SKU that is billed as, and what a request of it costs.

A request is billed as the highest SKU that a field of its mask belongs to
(https://developers.google.com/maps/documentation/places/web-service/usage-and-billing).
"""

import tomllib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Final

from scrapersky.domain.places import FieldPreset, Price

_IDS: Final = ("id",)
_PRO: Final = (*_IDS, "displayName", "formattedAddress", "location", "primaryType", "types", "businessStatus")
_ENTERPRISE: Final = (
    *_PRO,
    "websiteUri",
    "nationalPhoneNumber",
    "internationalPhoneNumber",
    "rating",
    "userRatingCount",
)

FIELDS: Final = {FieldPreset.IDS: _IDS, FieldPreset.BASIC: _PRO, FieldPreset.CONTACT: _ENTERPRISE}
"""Fields of a place by preset (https://developers.google.com/maps/documentation/places/web-service/data-fields)."""

SKUS: Final = {
    FieldPreset.IDS: "Text Search Essentials (IDs Only)",
    FieldPreset.BASIC: "Text Search Pro",
    FieldPreset.CONTACT: "Text Search Enterprise",
}

GEOCODING_SKU: Final = "Geocoding"


def field_mask(preset: FieldPreset) -> str:
    """The X-Goog-FieldMask of a text search. It may hold no space, and names the token of the next page itself."""
    return ",".join([*(f"places.{field}" for field in FIELDS[preset]), "nextPageToken"])


@cache
def price(sku: str) -> Price:
    """The price of one request.

    Raises:
        KeyError: the table has no such SKU.
    """
    table = tomllib.loads(files(__package__).joinpath("prices.toml").read_text(encoding="utf-8"))
    return Price(sku, Decimal(table["usd_per_1000"][sku]) / 1000, table["as_of"])
