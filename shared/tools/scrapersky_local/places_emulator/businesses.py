"""The businesses that the emulator knows, in the form that Google's answers have."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

_GOLDEN_ANGLE: Final = math.pi * (3 - math.sqrt(5))
_KM_PER_DEGREE: Final = 111.2
_STEP_KM: Final = 0.9
"""How far apart the businesses of a town lie: sixty of them are some seven kilometres across."""


@dataclass(frozen=True, slots=True)
class Town:
    """A place that the geocoder knows."""

    names: frozenset[str]
    latitude: float
    longitude: float
    address: str


@dataclass(frozen=True, slots=True)
class Business:
    """A place of a type in a town. `place` is what Google would answer with every field."""

    town: str
    kind: str
    place: Mapping[str, Any]


@cache
def towns() -> dict[str, Town]:
    return {
        key: Town(frozenset(town["names"].split("|")), town["latitude"], town["longitude"], town["address"])
        for key, town in _table()["towns"].items()
    }


@cache
def businesses() -> tuple[Business, ...]:
    """All of them: around their town on a spiral, in the order of the file."""
    placed: dict[tuple[str, str], int] = {}
    made: list[Business] = []
    for entry in _entries():
        key = (entry["town"], entry["type"])
        number = placed[key] = placed.get(key, 0) + 1
        made.append(Business(entry["town"], entry["type"], _place(entry, number)))
    return tuple(made)


def find_town(text: str) -> Town | None:
    """The town that a text names."""
    name = " ".join(text.casefold().split())
    return next((town for town in towns().values() if name in town.names), None)


def _entries() -> Iterator[dict[str, Any]]:
    yield from _table()["business"]
    for crowd in _table()["crowd"]:
        for number in range(1, crowd["count"] + 1):
            name = f"{crowd['type'].title()} No. {number}"
            social = {"website": f"https://www.instagram.com/{crowd['type']}{number}/"} if number % 3 == 0 else {}
            yield {"town": crowd["town"], "type": crowd["type"], "name": name, **social}


def _place(entry: Mapping[str, Any], number: int) -> dict[str, Any]:
    town = towns()[entry["town"]]
    away = _STEP_KM * math.sqrt(number - 1) / _KM_PER_DEGREE
    angle = number * _GOLDEN_ANGLE
    place_id = f"ChIJ-emulated-{entry['town']}-{entry['type']}-{number:04}"
    place: dict[str, Any] = {
        "id": place_id,
        "name": f"places/{place_id}",
        "displayName": {"text": entry["name"], "languageCode": "en"},
        "formattedAddress": f"{number} Main Street, {town.address}",
        "location": {
            "latitude": round(town.latitude + away * math.sin(angle), 6),
            "longitude": round(town.longitude + away * math.cos(angle) / math.cos(math.radians(town.latitude)), 6),
        },
        "types": [entry["type"], "point_of_interest", "establishment"],
        "primaryType": entry["type"],
        "businessStatus": "OPERATIONAL",
    }
    # Most places have a rating, and some have none: Google leaves the field out.
    if number % 5:
        place |= {"rating": 3 + number % 21 / 10, "userRatingCount": number * 7}
    if "phone" in entry:
        place |= {"internationalPhoneNumber": entry["phone"], "nationalPhoneNumber": entry["phone"].partition(" ")[2]}
    if "website" in entry:
        place["websiteUri"] = entry["website"]
    return place


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("businesses.toml").read_text(encoding="utf-8"))
