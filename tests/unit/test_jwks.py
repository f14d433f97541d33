"""Key sets: which published keys verify a token, and how seldom they are fetched."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KEPT_SECONDS, REFETCH_SECONDS, RETRY_SECONDS, KeySet, KeysUnreachable
from scrapersky.api.tokens import TokenConfig, TokenDenied, verify
from scrapersky.errors import ConfigurationError
from support.jwts import EC_KEY, RSA_KEY, SECRET, TENANT, PrivateKey, by_key, denial, public

URL = "https://issuer.example/jwks.json"
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def document(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Issuer:
    """A key set that is counted, can be changed and can be down; and a clock."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.down = False
        self.seconds = 0.0  # that an answer takes
        self.now = 1000.0

    def fetch(self, url: str) -> bytes:
        assert url == URL
        self.fetched += 1
        self.now += self.seconds
        if self.down:
            raise KeysUnreachable("down")
        return document(*self.keys)

    def config(self, algorithm: str = "RS256") -> TokenConfig:
        keys = KeySet(URL, algorithm, fetch=self.fetch, clock=lambda: self.now)
        return TokenConfig(algorithm, keys, "authenticated")


def config_for(fetch: Callable[[str], bytes]) -> TokenConfig:
    return TokenConfig("RS256", KeySet(URL, "RS256", fetch=fetch), "authenticated")


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_a_published_key_verifies_and_is_fetched_once(key: PrivateKey, algorithm: str) -> None:
    issuer = Issuer(public("one", key))
    config = issuer.config(algorithm)
    for _ in range(3):
        assert verify(by_key("one", key, algorithm), config).tenant_id == TENANT
    assert issuer.fetched == 1


def test_a_token_without_key_id_is_verified_by_the_only_key() -> None:
    assert verify(by_key(None), Issuer(public("one")).config()).tenant_id == TENANT
    two = Issuer(public("one"), public("two", OTHER_KEY))
    assert denial(by_key(None), two.config()) is DenialCode.UNKNOWN_KEY


def test_another_key_under_the_same_id_does_not_fit() -> None:
    assert denial(by_key("one", OTHER_KEY), Issuer(public("one")).config()) is DenialCode.BAD_SIGNATURE


def test_two_keys_of_one_id_are_none() -> None:
    """RFC 7517, 4.5: an id is for telling keys apart. Trying both would make the id worth nothing."""
    issuer = Issuer(public("one"), public("one", OTHER_KEY), public("one", EC_KEY))
    assert denial(by_key("one"), issuer.config()) is DenialCode.UNKNOWN_KEY
    assert verify(by_key("one", EC_KEY, "ES256"), issuer.config("ES256")).tenant_id == TENANT


@pytest.mark.parametrize(
    "kid",
    [
        "",
        "../../../../dev/null",
        "/etc/passwd",
        "file:///etc/passwd",
        "https://evil.example/jwks.json",
        "one' or '1'='1",
        "one; drop table keys",
        "one\x00",
        "one\n",
        " one",
        "ONE",
        "*",
        "\ud83d\ude00",
        "x" * 3000,
    ],
)
def test_a_key_id_is_only_compared(kid: str) -> None:
    """It names no file, no address and no row: the one address that is fetched is the configured one."""
    issuer = Issuer(public("one"))
    config = issuer.config()
    assert denial(by_key(kid), config) is DenialCode.UNKNOWN_KEY
    assert issuer.fetched == 1
    assert verify(by_key("one"), config).tenant_id == TENANT


def test_a_key_that_the_token_brings_along_counts_for_nothing() -> None:
    """RFC 8725, 3.10: `jwk`, `jku`, `x5u` and `x5c` are the sender's own words."""
    own = public("one", OTHER_KEY)
    issuer = Issuer(public("one"))
    config = issuer.config()
    for header in (
        {"jwk": own},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA", "x5t#S256": "AAAA"},
    ):
        assert denial(by_key("one", OTHER_KEY, **header), config) is DenialCode.BAD_SIGNATURE
        assert denial(by_key("two", OTHER_KEY, **header), config) is DenialCode.UNKNOWN_KEY
        assert verify(by_key("one", **header), config).tenant_id == TENANT
    assert issuer.fetched == 1


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


def test_a_thousand_invented_key_ids_are_one_fetch_a_minute() -> None:
    issuer = Issuer(public("one"))
    config = issuer.config()
    for minute in (1, 2):
        for number in range(500):
            assert denial(by_key(f"invented-{number}"), config) is DenialCode.UNKNOWN_KEY
        assert issuer.fetched == minute
        issuer.now += REFETCH_SECONDS


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
    for _ in range(3):
        issuer.now += KEPT_SECONDS
        assert verify(by_key(), config).tenant_id == TENANT
        assert denial(by_key("new"), config) is DenialCode.KEYS_UNAVAILABLE
    assert issuer.fetched == 4


def test_a_rotation_during_an_outage_is_seen_when_it_is_over() -> None:
    issuer = Issuer(public("one"))
    config = issuer.config()
    assert verify(by_key(), config).tenant_id == TENANT
    issuer.down = True
    issuer.now += KEPT_SECONDS
    assert denial(by_key("two", OTHER_KEY), config) is DenialCode.KEYS_UNAVAILABLE
    issuer.down, issuer.keys = False, [public("two", OTHER_KEY)]
    issuer.now += RETRY_SECONDS
    assert verify(by_key("two", OTHER_KEY), config).tenant_id == TENANT
    assert denial(by_key(), config) is DenialCode.UNKNOWN_KEY


def test_a_fetch_that_failed_slowly_does_not_follow_on_itself() -> None:
    issuer = Issuer(public("one"))
    issuer.down, issuer.seconds = True, RETRY_SECONDS + 1
    config = issuer.config()
    for _ in range(3):
        assert denial(by_key(), config) is DenialCode.KEYS_UNAVAILABLE
    assert issuer.fetched == 1


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
        {"use": ["sig"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": 1},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": "none"},
        {"kty": "EC"},
        {"kty": "rsa"},
        {"kty": "oct", "k": "AAAA"},
        {"kid": 1},
        {"d": "AQAB"},
        {"n": None},
        {"n": ""},
        {"n": 7},
        {"n": "!"},
        {"e": "AA"},
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


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()])
def test_a_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    other = public("one", ec.generate_private_key(curve))
    for published in (other, {**other, "crv": "P-256"}):
        assert denial(by_key("one", EC_KEY, "ES256"), Issuer(published).config("ES256")) is DenialCode.UNKNOWN_KEY


@pytest.mark.parametrize(
    "broken",
    [
        public("two", RSA_KEY, n="AQ"),
        public("two", RSA_KEY, e="Ag"),  # an even exponent has no inverse
        public("two", EC_KEY, x="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),  # a point that is not on the curve
        {},
        {"kty": "RSA"},
        {"kty": ["RSA"], "kid": {}},
        "key",
        None,
    ],
)
def test_a_broken_key_takes_no_other_along(broken: Any) -> None:
    issuer = Issuer(broken, public("one"), public("three", EC_KEY))
    assert verify(by_key("one"), issuer.config()).tenant_id == TENANT
    assert verify(by_key("three", EC_KEY, "ES256"), issuer.config("ES256")).tenant_id == TENANT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "d"]), JSON
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["RS256", "ES256"]), MEMBERS)
def test_whatever_stands_in_a_key_it_is_taken_or_passed_over(algorithm: str, changes: dict[str, Any]) -> None:
    good = public("one", RSA_KEY if algorithm == "RS256" else EC_KEY)
    issuer = Issuer({**good, **changes})
    with suppress(TokenDenied):
        issuer.config(algorithm).keys.find("one")
    assert issuer.fetched == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b"<html>", b"[" * 100_000])
def test_what_is_no_key_set_is_as_good_as_none(body: bytes) -> None:
    assert denial(by_key(), config_for(lambda _: body)) is DenialCode.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks",
        "http://10.0.0.1/jwks",
        "http://127.0.0.1@issuer.example/jwks",
        "http://localhost.issuer.example/jwks",
        "http://127.0.0.1.issuer.example/jwks",
        "http:///jwks",
        "https:///jwks",
        "ftp://127.0.0.1/jwks",
        "file:///etc/passwd",
        "//issuer.example/jwks",
        "",
    ],
)
def test_keys_are_fetched_over_https_alone(url: str) -> None:
    with pytest.raises(ConfigurationError):
        KeySet(url, "RS256")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:8000"])
def test_a_key_set_on_this_machine_needs_no_tls(host: str) -> None:
    KeySet(f"http://{host}/jwks", "RS256")
