"""The words for places, the same in SQL, Python, OpenAPI and CLI."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class FieldPreset(StrEnum):
    """How much a search asks Google for, and so what each of its requests costs."""

    IDS = "ids"
    BASIC = "basic"
    CONTACT = "contact"


class WebsiteClass(StrEnum):
    """What a place gives as its website."""

    OWN_SITE = "own_site"
    SOCIAL = "social"
    DIRECTORY = "directory"
    NONE = "none"


class PlaceStatus(StrEnum):
    """What the tenant thinks of a place. Only the tenant changes it."""

    NEW = "New"
    SELECTED = "Selected"
    MAYBE = "Maybe"
    NOT_A_FIT = "Not a Fit"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class LatLng:
    """A point on the earth, in degrees (WGS 84)."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A place as a search brought it. None is what the search did not ask for, or what Google does not have."""

    place_id: str
    name: str | None = None
    primary_type: str | None = None
    types: tuple[str, ...] | None = None
    formatted_address: str | None = None
    location: LatLng | None = None
    rating: float | None = None
    user_ratings_total: int | None = None
    phone: str | None = None
    website: str | None = None
    business_status: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What one request of a SKU costs, in USD, by the price table of a day."""

    sku: str
    usd: Decimal
    as_of: date


class Stop(StrEnum):
    """Why a search asked for nothing more."""

    ALL_FOUND = "all_found"
    MAX_RESULTS = "max_results"
    CAP = "cap"  # Google tells 60 places of a query, and there may be more
    MAX_REQUESTS = "max_requests"
    BUDGET = "budget"
    TIME = "time"  # its worker had none left
