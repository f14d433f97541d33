"""Google's Places API (New) and geocoder over httpx: one request a call, each answer a value.

The key goes in a header, never in a URL. It stands in no message, no exception and no repr.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import httpx

from scrapersky.domain.status import ErrorCode
from scrapersky.places.answers import MalformedAnswerError, geocoded, page
from scrapersky.places.asks import Answer, Ask, GeocodeAsk, PlacesFailure
from scrapersky.places.presets import field_mask
from scrapersky.places.refusals import refusal

PLACES_URL: Final = "https://places.googleapis.com"
GEOCODING_URL: Final = "https://geocode.googleapis.com"

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 20.0
"""From the request to the last byte: Google answers within a second or two."""

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Twenty places with every field that is asked for have some 60 KB."""


_KEY: Final = re.compile(r"[\x21-\x7e]+")
"""Visible ASCII: of what a header can hold (RFC 9110, 5.5), what a key can be."""


class UnusableKeyError(Exception):
    """A text that is no key, which is never told."""


@dataclass(frozen=True, slots=True)
class PlacesUrls:
    """Where the two services are. Google's own, but on a local stack."""

    places: str = PLACES_URL
    geocoding: str = GEOCODING_URL


class PlacesClient:
    """A client for one search, to be used as a context; for one thread."""

    def __init__(
        self, key: str, *, urls: PlacesUrls | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`transport` is for tests of this class alone.

        Raises:
            UnusableKeyError: the key is none that a header can hold.
        """
        if not _KEY.fullmatch(key):
            raise UnusableKeyError("the key is none")
        self._key = key
        self._urls = urls or PlacesUrls()
        self._http = httpx.Client(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, ask: Ask) -> Answer | PlacesFailure:
        """Make the request, once."""
        try:
            status_code, headers, body = self._exchange(self._request(ask))
        except httpx.TimeoutException:
            return PlacesFailure(ErrorCode.TIMEOUT, "Google did not answer in time", is_passing=True)
        except (httpx.ConnectError, httpx.UnsupportedProtocol):
            return PlacesFailure(ErrorCode.CONNECT_FAILURE, "Google could not be reached", is_passing=True)
        except (httpx.RequestError, _TooLargeError):
            return PlacesFailure(ErrorCode.UPSTREAM_ERROR, "Google's answer could not be read", is_passing=True)
        if status_code != httpx.codes.OK:
            return refusal(ask, status_code, headers, body)
        try:
            return geocoded(body) if isinstance(ask, GeocodeAsk) else page(body)
        except MalformedAnswerError:
            return PlacesFailure(
                ErrorCode.UPSTREAM_ERROR, "Google's answer is not of the documented form", True, status_code
            )

    def _request(self, ask: Ask) -> httpx.Request:
        if isinstance(ask, GeocodeAsk):
            parameters = {"languageCode": ask.language, "regionCode": ask.region}
            return self._http.build_request(
                "GET",
                f"{self._urls.geocoding}/v4/geocode/address/{quote(ask.address, safe='')}",
                params={name: value for name, value in parameters.items() if value},
                headers=self._headers("results.location"),
            )
        return self._http.build_request(
            "POST",
            f"{self._urls.places}/v1/places:searchText",
            json=ask.body,
            headers=self._headers(field_mask(ask.preset)),
        )

    def _headers(self, mask: str) -> dict[str, str]:
        return {"X-Goog-Api-Key": self._key, "X-Goog-FieldMask": mask, "Accept": "application/json"}

    def _exchange(self, request: httpx.Request) -> tuple[int, Mapping[str, str], bytes]:
        deadline = time.monotonic() + ANSWER_SECONDS
        response = self._http.send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise _TooLargeError
                # httpx counts the time of each read, not of the whole answer.
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long")
            return response.status_code, response.headers, bytes(body)
        finally:
            response.close()


class _TooLargeError(Exception):
    """An answer that is none of Google's."""
