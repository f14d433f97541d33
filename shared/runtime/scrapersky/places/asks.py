"""What is asked of Google, and what comes of it: requests and answers as values, without a network.

Text Search (New): https://developers.google.com/maps/documentation/places/web-service/text-search
Geocoding v4, generally available since 30 March 2026 (v4beta is its preview):
https://developers.google.com/maps/documentation/geocoding/geocoding-v4-overview
"""

from dataclasses import dataclass
from typing import Any, Final

from scrapersky.domain.places import FieldPreset, FoundPlace, LatLng, Price
from scrapersky.domain.status import ErrorCode
from scrapersky.places.presets import GEOCODING_SKU, SKUS, price

PAGE_SIZE: Final = 20
"""The most that Google puts on one page. A request costs the same with fewer."""

RESULTS_CAP: Final = 60
"""The most that Google tells of one query, whatever it has."""


@dataclass(frozen=True, slots=True)
class GeocodeAsk:
    """Where is this?"""

    address: str
    language: str | None = None
    region: str | None = None

    @property
    def price(self) -> Price:
        return price(GEOCODING_SKU)


@dataclass(frozen=True, slots=True)
class TextSearchAsk:
    """A page of what matches a text. `body` is the request's JSON."""

    preset: FieldPreset
    body: dict[str, Any]

    @property
    def price(self) -> Price:
        return price(SKUS[self.preset])

    @property
    def has_token(self) -> bool:
        """Whether it goes on with an earlier one, and so may come too late."""
        return "pageToken" in self.body


Ask = GeocodeAsk | TextSearchAsk


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a text search."""

    places: tuple[FoundPlace, ...]
    next_page_token: str | None


@dataclass(frozen=True, slots=True)
class Geocoded:
    """An answer to a geocoding: the best match, None when there is no such place."""

    location: LatLng | None


@dataclass(frozen=True, slots=True)
class PlacesFailure:
    """Why there is no answer. `message` is for people and repeats nothing that Google wrote but its own short words.

    `status_code` is None when no answer came at all; `retry_after` is what the answer asks for, in seconds.
    """

    code: ErrorCode
    message: str
    is_passing: bool
    """Whether the same request may well succeed a little later."""
    status_code: int | None = None
    retry_after: float | None = None


Answer = Page | Geocoded
