"""One search, step by step: what to ask next, and what the answer brings. No network and no money in here.

    search = PlacesSearch(request)
    while (ask := search.next()) is not None:
        found = search.take(answer_to(ask))

A plain search pages through one query, biased towards the circle. A split one asks for the circle's rectangle and cuts
into four what holds more than Google tells, the widest first: so a bound on requests is spent where most is hidden.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from scrapersky.domain.places import FieldPreset, FoundPlace, LatLng, Stop
from scrapersky.places.asks import (
    PAGE_SIZE,
    RESULTS_CAP,
    Answer,
    Ask,
    GeocodeAsk,
    Geocoded,
    Page,
    TextSearchAsk,
)
from scrapersky.places.geometry import Rectangle, around, distance_km

MIN_CELL_DEGREES: Final = 0.002
"""About 200 metres. What still holds more than Google tells is one building with sixty of a kind, and stays cut."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is searched for. Without `centre` the location is geocoded first."""

    business_type: str
    location: str
    radius_km: float
    max_results: int
    preset: FieldPreset = FieldPreset.CONTACT
    centre: LatLng | None = None
    split: bool = False
    max_requests: int | None = None
    """Of a split search; a plain one has a bound by itself."""
    language: str | None = None
    region: str | None = None

    @property
    def text_query(self) -> str:
        return f"{self.business_type} in {self.location}"

    @property
    def request_bound(self) -> int:
        """The most requests that the search makes, tries that failed not counted."""
        geocoding = 1 if self.centre is None else 0
        if self.split and self.max_requests is not None:
            return max(self.max_requests, geocoding + 1)
        return geocoding + ceil(min(self.max_results, RESULTS_CAP) / PAGE_SIZE)


class LocationNotFoundError(Exception):
    """The geocoder knows no such place."""


@dataclass(order=True, slots=True)
class _Cell:
    """A query that is being paged through: the whole circle, or a rectangle of it. The widest comes first."""

    order: tuple[float, int]
    area: Rectangle | None = field(compare=False)
    token: str | None = field(default=None, compare=False)
    told: int = field(default=0, compare=False)


class PlacesSearch:
    """The state of one search. `stopped` is None while there is something to ask."""

    def __init__(self, request: SearchRequest) -> None:
        self._request = request
        self._centre = request.centre
        self._cells: list[_Cell] = []
        self._current: _Cell | None = None
        self._begun = 0
        self._seen: set[str] = set()
        self._asked = 0
        self._is_capped = False
        self.stopped: Stop | None = None
        if self._centre is not None:
            self._begin()

    @property
    def progress(self) -> float:
        """Percent of the requests that it may make."""
        return 100.0 * min(self._asked / self._request.request_bound, 1.0)

    def next(self) -> Ask | None:
        """What to ask next; None when the search is over. The same again until it was answered."""
        if self.stopped is not None:
            return None
        if self._centre is not None and self._current is None and not self._cells:
            self.stopped = Stop.CAP if self._is_capped else Stop.ALL_FOUND
            return None
        # A plain search as well: a page may hold fewer than are asked for, and yet lead on to another.
        if self._asked >= self._request.request_bound:
            self.stopped = Stop.MAX_REQUESTS
            return None
        if self._centre is None:
            return GeocodeAsk(self._request.location, self._request.language, self._request.region)
        if self._current is None:
            self._current = heapq.heappop(self._cells)
        return TextSearchAsk(self._request.preset, self._body(self._current))

    def take(self, answer: Answer) -> tuple[FoundPlace, ...]:
        """Take the answer to what `next` asked. Returns the places that are new to this search, in order.

        Raises:
            LocationNotFoundError: the location was to be geocoded and is nowhere.
        """
        self._asked += 1
        if isinstance(answer, Geocoded):
            if answer.location is None:
                raise LocationNotFoundError
            self._centre = answer.location
            self._begin()
            return ()
        return self._take_page(answer)

    def _begin(self) -> None:
        if self._centre is not None:
            self._push(around(self._centre, self._request.radius_km) if self._request.split else None)

    def _push(self, area: Rectangle | None) -> None:
        self._begun += 1
        width = area.high.latitude - area.low.latitude if area else 0.0
        heapq.heappush(self._cells, _Cell((-width, self._begun), area))

    def _body(self, cell: _Cell) -> dict[str, Any]:
        request = self._request
        body: dict[str, Any] = {"textQuery": request.text_query, "pageSize": PAGE_SIZE}
        if cell.area is not None:
            body["locationRestriction"] = {"rectangle": {"low": _point(cell.area.low), "high": _point(cell.area.high)}}
        elif self._centre is not None:
            circle = {"center": _point(self._centre), "radius": request.radius_km * 1000}
            body["locationBias"] = {"circle": circle}
        if request.language:
            body["languageCode"] = request.language
        if request.region:
            body["regionCode"] = request.region
        if cell.token is not None:
            body["pageToken"] = cell.token
        return body

    def _take_page(self, page: Page) -> tuple[FoundPlace, ...]:
        cell = self._current
        if cell is None:
            raise RuntimeError("a page that nobody asked for")
        cell.told += len(page.places)
        cell.token = page.next_page_token
        found = self._new(page.places)
        if len(self._seen) >= self._request.max_results:
            self.stopped = Stop.MAX_RESULTS
        elif cell.token is None or cell.told >= RESULTS_CAP:
            self._current = None
            if cell.told >= RESULTS_CAP:
                self._cut(cell)
        return found

    def _cut(self, cell: _Cell) -> None:
        """A cell of which Google tells no more: look into its quarters, or say that there may be more."""
        if cell.area is None or cell.area.high.latitude - cell.area.low.latitude < MIN_CELL_DEGREES:
            self._is_capped = True
            return
        for quarter in cell.area.quarters():
            self._push(quarter)

    def _new(self, places: Sequence[FoundPlace]) -> tuple[FoundPlace, ...]:
        room = self._request.max_results - len(self._seen)
        new: list[FoundPlace] = []
        for place in places:
            if len(new) < room and place.place_id not in self._seen and self._is_inside(place):
                self._seen.add(place.place_id)
                new.append(place)
        return tuple(new)

    def _is_inside(self, place: FoundPlace) -> bool:
        """A rectangle's corners lie outside the circle. A plain search is only biased: Google's order is the answer."""
        if not self._request.split or place.location is None or self._centre is None:
            return True
        return distance_km(self._centre, place.location) <= self._request.radius_km


def _point(point: LatLng) -> dict[str, float]:
    return {"latitude": point.latitude, "longitude": point.longitude}
