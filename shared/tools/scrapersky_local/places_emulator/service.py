"""What the emulator answers, without a socket: a request in, a reply out, and a record of both."""

import json
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from scrapersky_local.places_emulator import bodies, masks
from scrapersky_local.places_emulator.businesses import Business, businesses, find_town
from scrapersky_local.places_emulator.errors import RefusedError, Reply, error, invalid

TEXT_SEARCH_PATH: Final = "/v1/places:searchText"
GEOCODING_PATH: Final = "/v4/geocode/address/"

PAGE_SIZE: Final = 20
RESULTS_CAP: Final = 60
TOKEN_SECONDS: Final = 300.0
"""How long a page token is good for. Google says that they expire, and not when."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request that came, and the status that it was answered with. `sku` is None of what Google could not bill."""

    sku: str | None
    status: int


@dataclass(slots=True)
class _Token:
    fingerprint: str
    offset: int
    until: float


@dataclass(slots=True)
class Emulator:
    """The state of the emulated services. `quota` is how many requests they take before 429, None for any number.

    `faults` are given as answers in the place of the next ones, in turn; None among them is an ordinary answer.
    `on_request` is called before each request is answered.
    """

    key: str
    quota: int | None = None
    token_seconds: float = TOKEN_SECONDS
    faults: deque[Reply | None] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    on_request: Callable[[], None] | None = None
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[str, _Token] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counts(self) -> Counter[str]:
        """Requests by SKU, whatever they were answered."""
        with self._lock:
            return Counter(one.sku for one in self.received if one.sku is not None)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request. `headers` has lower-case names; `path` may have a query."""
        place, _, query = path.partition("?")
        if self.on_request is not None:
            self.on_request()
        with self._lock:
            sku = _sku(place, headers)
            reply = self._reply(method, place, query, headers, body)
            self.received.append(Received(sku, reply.status))
        return reply

    def _reply(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            return fault
        try:
            self._require_key(headers, query)
            if self.quota is not None and len(self.received) >= self.quota:
                raise RefusedError(
                    429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric.", reason="RATE_LIMIT_EXCEEDED"
                )
            if path == TEXT_SEARCH_PATH:
                return self._text_search(method, headers, body)
            if path.startswith(GEOCODING_PATH):
                return _geocode(method, path, headers)
            return Reply(404, error(404, "NOT_FOUND", "Method not found."))
        except RefusedError as refused:
            return refused.reply

    def _require_key(self, headers: Mapping[str, str], query: str) -> None:
        if "key=" in query:
            # Google takes a key there as well. This system must not send one: URLs end up in logs.
            raise invalid("The emulator takes no key in a URL.")
        key = headers.get("x-goog-api-key")
        if not key:
            raise RefusedError(
                403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers (callers without identity)."
            )
        if key != self.key:
            raise RefusedError(
                400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID"
            )

    def _text_search(self, method: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if method != "POST":
            return Reply(405, error(405, "UNIMPLEMENTED", "A text search is a POST."))
        paths, _ = masks.text_search(headers.get("x-goog-fieldmask"))
        asked = bodies.text_search(body)
        same = {name: value for name, value in asked.items() if name not in ("pageToken", "pageSize")}
        fingerprint = json.dumps(same, sort_keys=True)
        offset = self._offset(asked.get("pageToken"), fingerprint)
        found = [business.place for business in _matches(asked)][:RESULTS_CAP]
        size = min(asked.get("pageSize") or PAGE_SIZE, PAGE_SIZE)
        page: dict[str, Any] = {"places": found[offset : offset + size]} if found[offset : offset + size] else {}
        if offset + size < len(found):
            token = secrets.token_urlsafe(96)
            self._tokens[token] = _Token(fingerprint, offset + size, self.clock() + self.token_seconds)
            page["nextPageToken"] = token
        return Reply(200, masks.cut(page, paths, "places"))

    def _offset(self, token: str | None, fingerprint: str) -> int:
        if not token:
            return 0
        known = self._tokens.get(token)
        if known is None or known.until <= self.clock():
            raise invalid("Request contains an invalid argument: the page token is invalid or has expired.")
        if known.fingerprint != fingerprint:
            raise invalid("Request parameters for paging requests must match the initial request.")
        return known.offset


def _geocode(method: str, path: str, headers: Mapping[str, str]) -> Reply:
    if method != "GET":
        return Reply(405, error(405, "UNIMPLEMENTED", "A geocoding is a GET."))
    paths = masks.geocoding(headers.get("x-goog-fieldmask"))
    town = find_town(unquote(path.removeprefix(GEOCODING_PATH)).replace("+", " "))
    if town is None:
        return Reply(200, {})
    result = {
        "placeId": "ChIJ-emulated-town",
        "location": {"latitude": town.latitude, "longitude": town.longitude},
        "granularity": "APPROXIMATE",
        "formattedAddress": town.address,
    }
    return Reply(200, masks.cut({"results": [result]}, paths, "results"))


def _sku(path: str, headers: Mapping[str, str]) -> str | None:
    """What the request is billed as, were it answered."""
    if path.startswith(GEOCODING_PATH):
        return masks.GEOCODING
    if path != TEXT_SEARCH_PATH:
        return None
    try:
        return masks.text_search(headers.get("x-goog-fieldmask"))[1]
    except RefusedError:
        return None


def _matches(asked: Mapping[str, Any]) -> list[Business]:
    """The businesses that a text search is about: of the type, in the town, and in the rectangle if there is one."""
    what, _, where = asked["textQuery"].casefold().partition(" in ")
    kind = what.strip().removesuffix("s")
    town = find_town(where)
    matching = [
        business
        for business in businesses()
        if business.kind == kind and (town is None or town.address in business.place["formattedAddress"])
    ]
    area = asked.get("locationRestriction", {}).get("rectangle")
    if town is None and area is None:
        return []
    return [business for business in matching if area is None or _is_inside(business.place["location"], area)]


def _is_inside(point: Mapping[str, float], area: Mapping[str, Any]) -> bool:
    low, high = area["low"], area["high"]
    if not low["latitude"] <= point["latitude"] <= high["latitude"]:
        return False
    if low["longitude"] <= high["longitude"]:
        return bool(low["longitude"] <= point["longitude"] <= high["longitude"])
    return bool(point["longitude"] >= low["longitude"] or point["longitude"] <= high["longitude"])
