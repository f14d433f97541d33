"""Key sets: which published keys verify a token, and how seldom they are fetched."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KEPT_SECONDS, REFETCH_SECONDS, RETRY_SECONDS, KeySet, KeysUnreachable
from scrapersky.api.tokens import (
    TokenConfig,
    verify,
)
from scrapersky.errors import ConfigurationError
from support.jwts import SECRET, TENANT, claims, denial, forged

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
URL = "https://issuer.example/jwks.json"


def public(kid: str | None, key: Any = RSA_KEY, **changes: Any) -> dict[str, Any]:
    """A public JWK, with changes; a member of None is left out."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    jwk = {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **changes}
    return {name: value for name, value in jwk.items() if value is not None}


def document(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Issuer:
    """A key set that is counted, can be changed and can be down; and a clock."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.down = False
        self.now = 1000.0

    def fetch(self, url: str) -> bytes:
        assert url == URL
        self.fetched += 1
        if self.down:
            raise KeysUnreachable("down")
        return document(*self.keys)

    def config(self, algorithm: str = "RS256") -> TokenConfig:
        keys = KeySet(URL, algorithm, fetch=self.fetch, clock=lambda: self.now)
        return TokenConfig(algorithm, keys, "authenticated")


def config_for(fetch: Callable[[str], bytes]) -> TokenConfig:
    return TokenConfig("RS256", KeySet(URL, "RS256", fetch=fetch), "authenticated")


def by_key(kid: str | None = "one", key: Any = RSA_KEY, algorithm: str = "RS256") -> str:
    return jwt.encode(claims(), key, algorithm, headers={"kid": kid} if kid else None)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_published_key_verifies_and_is_fetched_once(key: Any, algorithm: str) -> None:
    issuer = Issuer(public("one", key))
    config = issuer.config(algorithm)
    for _ in range(3):
        assert verify(by_key("one", key, algorithm), config).tenant_id == TENANT
    assert issuer.fetched == 1


def test_a_token_without_key_id_is_verified_by_the_only_key() -> None:
    assert verify(by_key(None), Issuer(public("one")).config()).tenant_id == TENANT
    two = Issuer(public("one"), public("two", rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    assert denial(by_key(None), two.config()) is DenialCode.UNKNOWN_KEY


def test_a_new_key_is_found_by_fetching_again_but_at_most_once_a_minute() -> None:
    issuer = Issuer(public("old"))
    config = issuer.config()
    assert denial(by_key("new"), config) is DenialCode.UNKNOWN_KEY
    issuer.keys = [public("old"), public("new")]
    for _ in range(5):
        assert denial(by_key("new"), config) is DenialCode.UNKNOWN_KEY
    assert issuer.fetched == 1

    issuer.now += REFETCH_SECONDS
    assert verify(by_key("new"), config).tenant_id == TENANT
    assert issuer.fetched == 2


def test_a_withdrawn_key_is_refused_when_the_set_has_aged() -> None:
    issuer = Issuer(public("one"), public("two", EC_KEY))
    config = issuer.config()
    assert verify(by_key(), config).tenant_id == TENANT
    issuer.keys = [public("two", EC_KEY)]
    issuer.now += KEPT_SECONDS
    assert denial(by_key(), config) is DenialCode.UNKNOWN_KEY


def test_known_keys_outlive_an_issuer_that_is_down() -> None:
    issuer = Issuer(public("one"))
    config = issuer.config()
    assert verify(by_key(), config).tenant_id == TENANT
    issuer.down = True
    issuer.now += KEPT_SECONDS
    assert verify(by_key(), config).tenant_id == TENANT
    assert denial(by_key("new"), config) is DenialCode.KEYS_UNAVAILABLE


def test_an_issuer_that_was_down_is_asked_again_after_a_pause() -> None:
    issuer = Issuer(public("one"))
    issuer.down = True
    config = issuer.config()
    for _ in range(3):
        assert denial(by_key(), config) is DenialCode.KEYS_UNAVAILABLE
    assert issuer.fetched == 1

    issuer.down = False
    issuer.now += RETRY_SECONDS
    assert verify(by_key(), config).tenant_id == TENANT


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"key_ops": 1},
        {"alg": "RS512"},
        {"kty": "EC"},
        {"kid": 1},
        {"d": "AQAB"},
        {"n": None},
    ],
)
def test_a_key_that_is_not_for_this_is_passed_over(changes: dict[str, Any]) -> None:
    key = {name: value for name, value in {**public("one"), **changes}.items() if value is not None}
    assert denial(by_key(), Issuer(key).config()) is DenialCode.UNKNOWN_KEY


@pytest.mark.parametrize("changes", [{"use": None}, {"key_ops": ["verify"]}, {"alg": "RS256"}])
def test_a_key_that_says_it_fits_or_says_nothing_is_taken(changes: dict[str, Any]) -> None:
    assert verify(by_key(), Issuer(public("one", **changes)).config()).tenant_id == TENANT


def test_a_symmetric_key_in_a_key_set_is_refused() -> None:
    octets = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    issuer = Issuer({"kty": "oct", "k": octets, "kid": "one", "alg": "RS256"})
    assert denial(by_key(), issuer.config()) is DenialCode.UNKNOWN_KEY
    with pytest.raises(ConfigurationError):
        issuer.config("HS256")


def test_a_weak_key_is_refused() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = by_key("one", weak)
    assert denial(token, Issuer(public("one", weak)).config()) is DenialCode.UNKNOWN_KEY


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b"<html>", b"[" * 100_000])
def test_what_is_no_key_set_is_as_good_as_none(body: bytes) -> None:
    assert denial(by_key(), config_for(lambda _: body)) is DenialCode.KEYS_UNAVAILABLE


@pytest.mark.parametrize("url", ["http://issuer.example/jwks", "ftp://127.0.0.1/jwks", "file:///etc/passwd"])
def test_keys_are_fetched_over_https_alone(url: str) -> None:
    with pytest.raises(ConfigurationError):
        KeySet(url, "RS256")


def test_a_public_key_is_not_taken_for_a_shared_secret() -> None:
    jwk = public("one")
    secret = json.dumps(jwk).encode()
    token = forged({"alg": "HS256", "kid": "one"}, claims(), secret)
    assert denial(token, config_for(lambda _: secret)) is DenialCode.WRONG_ALGORITHM
