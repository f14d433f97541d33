"""Circles and rectangles on the earth, near enough for finding shops: the earth is a sphere here."""

import math
from dataclasses import dataclass
from typing import Final

from scrapersky.domain.places import LatLng

EARTH_KM: Final = 6371.0088
"""The mean radius (IUGG)."""

_KM_PER_DEGREE: Final = EARTH_KM * math.pi / 180
_NEAR_POLE: Final = 85.0
"""Degrees of latitude beyond which a rectangle in degrees is no rectangle on the ground: it goes all around."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A viewport as Google has it: from `low` (south-west) to `high` (north-east).

    `low.longitude` above `high.longitude` means that it crosses the 180th meridian.
    """

    low: LatLng
    high: LatLng

    @property
    def width(self) -> float:
        """Degrees of longitude, 0 to 360."""
        return (self.high.longitude - self.low.longitude) % 360 if not self._is_all_around else 360.0

    @property
    def _is_all_around(self) -> bool:
        return self.low.longitude == -180.0 and self.high.longitude == 180.0

    def quarters(self) -> "tuple[Rectangle, Rectangle, Rectangle, Rectangle]":
        """The four that it is cut into."""
        south, north = self.low.latitude, self.high.latitude
        west, east = self.low.longitude, self.high.longitude
        middle_latitude = (south + north) / 2
        middle_longitude = normal_longitude(west + self.width / 2)
        return (
            Rectangle(LatLng(south, west), LatLng(middle_latitude, middle_longitude)),
            Rectangle(LatLng(south, middle_longitude), LatLng(middle_latitude, east)),
            Rectangle(LatLng(middle_latitude, west), LatLng(north, middle_longitude)),
            Rectangle(LatLng(middle_latitude, middle_longitude), LatLng(north, east)),
        )


def around(centre: LatLng, radius_km: float) -> Rectangle:
    """The smallest rectangle in degrees that holds the circle."""
    latitude_degrees = radius_km / _KM_PER_DEGREE
    south = max(centre.latitude - latitude_degrees, -90.0)
    north = min(centre.latitude + latitude_degrees, 90.0)
    if max(abs(south), abs(north)) > _NEAR_POLE:
        return Rectangle(LatLng(south, -180.0), LatLng(north, 180.0))
    # A circle is widest in degrees a little towards the pole from its centre.
    longitude_degrees = math.degrees(
        math.asin(math.sin(radius_km / EARTH_KM) / math.cos(math.radians(centre.latitude)))
    )
    return Rectangle(
        LatLng(south, normal_longitude(centre.longitude - longitude_degrees)),
        LatLng(north, normal_longitude(centre.longitude + longitude_degrees)),
    )


def distance_km(one: LatLng, other: LatLng) -> float:
    """The way over the ground, by the haversine formula."""
    latitude, other_latitude = math.radians(one.latitude), math.radians(other.latitude)
    half = (
        math.sin((other_latitude - latitude) / 2) ** 2
        + math.cos(latitude)
        * math.cos(other_latitude)
        * math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(math.sqrt(min(half, 1.0)))


def normal_longitude(degrees: float) -> float:
    """The same meridian from -180 to 180."""
    return (degrees + 180.0) % 360.0 - 180.0 if not -180.0 <= degrees <= 180.0 else degrees
