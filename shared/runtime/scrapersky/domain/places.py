"""The words for places, the same in SQL, Python, OpenAPI and CLI."""

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
