"""Verification keys from an issuer's JSON Web Key Set (RFC 7517), fetched rarely and kept per process."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from scrapersky.api.denials import DenialCode
from scrapersky.api.tokens import TokenDenied
from scrapersky.domain.loopback import is_loopback
from scrapersky.errors import ConfigurationError

if TYPE_CHECKING:
    import httpx

KEPT_SECONDS = 600.0  # a key that the issuer withdraws is refused after this at the latest
REFETCH_SECONDS = 60.0  # a token with an invented key id must not turn into one request each to the issuer
RETRY_SECONDS = 5.0  # after a failed fetch; callers in between are answered at once
WAIT_SECONDS = 3.0  # for each step of a fetch
FETCH_SECONDS = 5.0  # for a whole one, from the look-up to the last byte: the gateway gives the authorizer 10 s in all
MAX_DOCUMENT_BYTES = 256 * 1024  # a set holds a handful of keys of about 1 KB

# What a key must say of itself to verify with the algorithm. Symmetric keys (`oct`) fit none of them.
_KEY_TYPE: Mapping[str, Mapping[str, str]] = {"RS256": {"kty": "RSA"}, "ES256": {"kty": "EC", "crv": "P-256"}}

Fetch = Callable[[str], bytes]


class KeysUnreachable(Exception):
    """The key set could not be fetched or read."""


class KeySet:
    """The keys behind `url` that fit `algorithm`. `clock` is monotonic seconds."""

    def __init__(
        self,
        url: str,
        algorithm: str,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if algorithm not in _KEY_TYPE:
            raise ConfigurationError(f"{algorithm} has no key set")
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
            raise ConfigurationError("the key set's address must be https")
        self._url = url
        self._algorithm = algorithm
        self._fetch = fetch or fetch_document
        self._clock = clock
        self._keys: dict[str | None, list[jwt.PyJWK]] = {}
        self._fresh_until = -1.0
        self._next_fetch = -1.0
        self._up_to_date = False

    def find(self, kid: str | None) -> jwt.PyJWK:
        """The key with this id; without an id, the only key there is.

        Keys that were fetched once stay good while the issuer cannot be reached.

        Raises:
            TokenDenied: no key fits, or none could be fetched.
        """
        if self._clock() >= self._fresh_until:
            self._refresh()
        key = self._pick(kid)
        if key is None:
            self._refresh()
            key = self._pick(kid)
        if key is None:
            raise TokenDenied(DenialCode.UNKNOWN_KEY if self._up_to_date else DenialCode.KEYS_UNAVAILABLE)
        return key

    def _pick(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is not None:
            candidates = self._keys.get(kid, [])
        else:
            candidates = [key for keys in self._keys.values() for key in keys]
        return candidates[0] if len(candidates) == 1 else None

    def _refresh(self) -> None:
        if self._clock() < self._next_fetch:
            return
        try:
            keys = _usable(self._fetch(self._url), self._algorithm)
        except KeysUnreachable:
            # From when it failed: a fetch may take longer than the pause, and would follow on itself.
            self._next_fetch = self._clock() + RETRY_SECONDS
            self._up_to_date = False
            return
        now = self._clock()
        self._keys = keys
        self._up_to_date = True
        self._next_fetch = now + REFETCH_SECONDS
        self._fresh_until = now + KEPT_SECONDS


def fetch_document(url: str) -> bytes:
    """Fetch the key set, following no redirect.

    A look-up knows no time limit, and of a head that comes byte by byte only each byte has one. So it is done by a
    thread, which is left to itself when the time is over; with its connection closed, it ends at the next byte.

    Raises:
        KeysUnreachable: there is no document of a reasonable size within a reasonable time.
    """
    import httpx  # with a shared secret nothing is ever fetched

    document: Future[bytes] = Future()
    client = httpx.Client(timeout=WAIT_SECONDS, headers={"Accept": "application/json"})

    def fetch() -> None:
        try:
            document.set_result(_read(client, url))
        except Exception as error:  # handed over to the thread that waits
            document.set_exception(error)

    threading.Thread(target=fetch, name="fetch keys", daemon=True).start()
    try:
        return document.result(FETCH_SECONDS)
    except TimeoutError:
        raise KeysUnreachable("too slow") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise KeysUnreachable(type(error).__name__) from error
    finally:
        client.close()


def _read(client: "httpx.Client", url: str) -> bytes:
    body = bytearray()
    with client.stream("GET", url) as response:
        if response.status_code != HTTPStatus.OK:
            raise KeysUnreachable(f"status {response.status_code}")
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise KeysUnreachable("too large")
    return bytes(body)


def _usable(document: bytes, algorithm: str) -> dict[str | None, list[jwt.PyJWK]]:
    """The keys of a set that may verify tokens, by id. Others are passed over: sets mix purposes (RFC 7517, 5)."""
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysUnreachable("not a key set") from error
    if not isinstance(entries, list):
        raise KeysUnreachable("not a key set")
    keys: dict[str | None, list[jwt.PyJWK]] = {}
    for entry in entries:
        if isinstance(entry, dict) and _fits(entry, algorithm):
            try:
                key = jwt.PyJWK(entry, algorithm)
            except jwt.PyJWTError:
                continue
            keys.setdefault(key.key_id, []).append(key)
    return keys


def _fits(entry: Mapping[str, Any], algorithm: str) -> bool:
    """Whether the key is a public one, of the algorithm's type, and meant for verifying with it (RFC 7517, 4)."""
    operations = entry.get("key_ops", ["verify"])
    return (
        all(entry.get(name) == value for name, value in _KEY_TYPE[algorithm].items())
        and "d" not in entry  # a published private key proves nothing
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and entry.get("alg", algorithm) == algorithm
        and isinstance(entry.get("kid", ""), str)
    )
