"""Circles and rectangles on the earth."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.places import LatLng
from scrapersky.places.geometry import EARTH_KM, Rectangle, around, distance_km, normal_longitude

LATITUDES = st.floats(-80, 80)
LONGITUDES = st.floats(-180, 180)


def is_inside(point: LatLng, area: Rectangle) -> bool:
    slack = 1e-9
    if not area.low.latitude - slack <= point.latitude <= area.high.latitude + slack:
        return False
    if area.low.longitude <= area.high.longitude:
        return area.low.longitude - slack <= point.longitude <= area.high.longitude + slack
    return point.longitude >= area.low.longitude - slack or point.longitude <= area.high.longitude + slack


def at(centre: LatLng, km: float, bearing: float) -> LatLng:
    """The point that lies so far away in a direction (radians from north)."""
    angle = km / EARTH_KM
    latitude = math.radians(centre.latitude)
    there = math.asin(math.sin(latitude) * math.cos(angle) + math.cos(latitude) * math.sin(angle) * math.cos(bearing))
    east = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(latitude),
        math.cos(angle) - math.sin(latitude) * math.sin(there),
    )
    return LatLng(math.degrees(there), normal_longitude(centre.longitude + math.degrees(east)))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (LatLng(0, 0), LatLng(0, 0), 0),
        (LatLng(0, 0), LatLng(0, 1), 111.195),
        (LatLng(52.5200, 13.4050), LatLng(48.1372, 11.5756), 504.4),  # Berlin to Munich
        (LatLng(0, 179.9), LatLng(0, -179.9), 22.239),
        (LatLng(90, 0), LatLng(-90, 0), math.pi * EARTH_KM),
    ],
)
def test_distances(one: LatLng, other: LatLng, km: float) -> None:
    assert distance_km(one, other) == pytest.approx(km, rel=1e-3, abs=1e-9)


@given(LATITUDES, LONGITUDES, st.floats(1, 50), st.floats(0, 2 * math.pi))
def test_the_rectangle_holds_the_circle(latitude: float, longitude: float, radius: float, bearing: float) -> None:
    centre = LatLng(latitude, longitude)
    rim = at(centre, radius, bearing)
    assert distance_km(centre, rim) == pytest.approx(radius, rel=1e-6)
    assert is_inside(rim, around(centre, radius))


@given(LATITUDES, LONGITUDES, st.floats(1, 50))
def test_and_is_not_much_larger(latitude: float, longitude: float, radius: float) -> None:
    centre = LatLng(latitude, longitude)
    area = around(centre, radius)
    for corner in (area.low, area.high):
        assert distance_km(centre, corner) < 2 * radius


@given(LATITUDES, LONGITUDES, st.floats(1, 50), st.floats(0, 1), st.floats(0, 2 * math.pi))
def test_the_quarters_are_the_whole(
    latitude: float, longitude: float, radius: float, part: float, bearing: float
) -> None:
    centre = LatLng(latitude, longitude)
    point = at(centre, radius * part, bearing)
    assert any(is_inside(point, quarter) for quarter in around(centre, radius).quarters())


def test_over_the_pole_it_goes_all_around() -> None:
    area = around(LatLng(89.9, 10), 50)
    assert (area.low, area.high) == (LatLng(area.low.latitude, -180), LatLng(90, 180))
    assert area.width == 360
    assert [quarter.width for quarter in area.quarters()] == [180, 180, 180, 180]


def test_over_the_date_line_it_is_one_rectangle() -> None:
    area = around(LatLng(0, 179.95), 20)
    assert area.low.longitude > 179
    assert area.high.longitude < -179
    assert area.width == pytest.approx(0.3597, abs=1e-3)
