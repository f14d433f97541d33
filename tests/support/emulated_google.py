"""The emulator of Google's services without a socket, and this system's client of it."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from scrapersky.domain.places import LatLng
from scrapersky.places.client import PlacesClient
from scrapersky_local.places_emulator.errors import Reply
from scrapersky_local.places_emulator.service import GEOCODING_PATH, TEXT_SEARCH_PATH, Emulator

KEY = "AIza-planted-key-0123456789"
MASK = "places.id,nextPageToken"
DENTISTS = {"textQuery": "dentist in Austin TX"}
AUSTIN = LatLng(30.2672, -97.7431)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Google:
    """An emulator, and requests to it without a socket."""

    clock: Clock = field(default_factory=Clock)
    emulator: Emulator = field(init=False)

    def __post_init__(self) -> None:
        self.emulator = Emulator(KEY, clock=self.clock)

    def search(self, body: Any = None, *, mask: str | None = MASK, key: str | None = KEY, **more: Any) -> Reply:
        headers = {"x-goog-fieldmask": mask, "x-goog-api-key": key}
        content = body if isinstance(body, bytes) else json.dumps((body or DENTISTS) | more).encode()
        given = {name: value for name, value in headers.items() if value is not None}
        return self.emulator.answer("POST", TEXT_SEARCH_PATH, given, content)

    def geocode(self, address: str, mask: str | None = None, method: str = "GET") -> Reply:
        headers = {"x-goog-api-key": KEY} | ({"x-goog-fieldmask": mask} if mask is not None else {})
        return self.emulator.answer(method, GEOCODING_PATH + address, headers, b"")

    def client(self) -> PlacesClient:
        """This system's own client, whose requests come here."""

        def answer(request: httpx.Request) -> httpx.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            path = request.url.raw_path.decode("ascii")
            reply = self.emulator.answer(request.method, path, headers, request.content)
            return httpx.Response(reply.status, json=reply.body)

        return PlacesClient(KEY, transport=httpx.MockTransport(answer))
