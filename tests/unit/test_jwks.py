"""Key sets: which published keys verify a token."""

import base64
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapersky.api.denials import DenialCode
from scrapersky.api.tokens import TokenDenied, verify
from scrapersky.errors import ConfigurationError
from support.issuer import OTHER_KEY, Issuer
from support.jwts import ANY_JSON, EC_KEY, RSA_KEY, SECRET, TENANT, PrivateKey, by_key, denial, public


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


MEMBERS = st.dictionaries(
    st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "d"]), ANY_JSON
)


@settings(max_examples=100)
@given(st.sampled_from(["RS256", "ES256"]), MEMBERS)
def test_whatever_stands_in_a_key_it_is_taken_or_passed_over(algorithm: str, changes: dict[str, Any]) -> None:
    good = public("one", RSA_KEY if algorithm == "RS256" else EC_KEY)
    issuer = Issuer({**good, **changes})
    with suppress(TokenDenied):
        issuer.config(algorithm).keys.find("one")
    assert issuer.fetched == 1
