"""Forged tokens: nothing but configuration decides how a token is checked, and a token has one shape."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KeySet
from scrapersky.api.tokens import MAX_TOKEN_CHARACTERS, SharedSecret, TokenConfig, TokenDenied, verify
from scrapersky.errors import ConfigurationError
from support.jwts import (
    ANY_JSON,
    EC_KEY,
    HEADER,
    RSA_KEY,
    SHARED,
    TENANT,
    by_key,
    claims,
    denial,
    forged,
    part,
    public,
    signed,
)

PUBLIC_KEY = RSA_KEY.public_key()
PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

KEYS = json.dumps({"keys": [public("one"), public("two", EC_KEY)]}).encode()
BY_KEY_SET = {
    algorithm: TokenConfig(
        algorithm, KeySet("https://issuer.example/keys", algorithm, fetch=lambda _: KEYS), "authenticated"
    )
    for algorithm in ("RS256", "ES256")
}
CONFIGS = {"HS256": SHARED, **BY_KEY_SET}
ALGORITHMS = list(CONFIGS)


def token_of(algorithm: str) -> str:
    """A good token under any of the configurations."""
    if algorithm == "HS256":
        return signed()
    return by_key("one") if algorithm == "RS256" else by_key("two", EC_KEY, "ES256")


# --- algorithm and key ---


@pytest.mark.parametrize("configured", ALGORITHMS)
@pytest.mark.parametrize("used", ALGORITHMS)
def test_only_the_configured_algorithm_is_taken(configured: str, used: str) -> None:
    if configured == used:
        assert verify(token_of(used), CONFIGS[configured]).tenant_id == TENANT
    else:
        assert denial(token_of(used), CONFIGS[configured]) is DenialCode.WRONG_ALGORITHM


@pytest.mark.parametrize("configured", ALGORITHMS)
@pytest.mark.parametrize(
    "algorithm",
    ["none", "None", "NONE", "nOnE", "none ", "none\x00", "", None, 0, [], ["HS256"], {}, "HS384", "hs256", "PS256"],
)
def test_the_token_does_not_choose_its_algorithm(configured: str, algorithm: Any) -> None:
    config = CONFIGS[configured]
    header = {"alg": algorithm, "typ": "JWT", "kid": "one"}
    assert denial(forged(header, claims()), config) is DenialCode.WRONG_ALGORITHM
    unsigned = forged(header, claims()).rpartition(".")[0] + "."
    assert denial(unsigned, config) is DenialCode.WRONG_ALGORITHM


def test_a_token_without_algorithm_is_refused() -> None:
    assert denial(forged({"typ": "JWT"}, claims())) is DenialCode.WRONG_ALGORITHM


@pytest.mark.parametrize(
    "secret",
    [
        PEM,
        PEM.strip(),
        PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        PUBLIC_KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        PUBLIC_KEY.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        json.dumps(public("one")).encode(),
        public("one")["n"].encode(),
        base64.urlsafe_b64decode(public("one")["n"] + "=="),
        KEYS,
        b"",
    ],
)
def test_a_public_key_is_no_shared_secret(secret: bytes) -> None:
    config = BY_KEY_SET["RS256"]
    assert denial(forged({"alg": "HS256", "kid": "one"}, claims(), secret), config) is DenialCode.WRONG_ALGORITHM
    assert denial(forged({"alg": "RS256", "kid": "one"}, claims(), secret), config) is DenialCode.BAD_SIGNATURE


def test_a_published_key_that_was_configured_as_the_secret_lets_nobody_in() -> None:
    config = TokenConfig("HS256", SharedSecret(PEM.decode()), "authenticated")
    assert denial(forged(HEADER, claims(), PEM), config) is DenialCode.UNKNOWN_KEY


def test_a_short_secret_is_a_fault_of_configuration() -> None:
    with pytest.raises(ConfigurationError):
        SharedSecret("x" * 31)


def test_another_secret_does_not_fit() -> None:
    token = jwt.encode(claims(), "another-secret-of-more-than-thirty-two-bytes", "HS256")
    assert denial(token) is DenialCode.BAD_SIGNATURE


@pytest.mark.parametrize("used", ALGORITHMS)
def test_a_changed_claim_breaks_the_signature(used: str) -> None:
    header, _, signature = token_of(used).split(".")
    payload = part(json.dumps(claims(sub="admin")).encode())
    assert denial(f"{header}.{payload}.{signature}", CONFIGS[used]) is DenialCode.BAD_SIGNATURE
    assert denial(f"{header}.{payload}.", CONFIGS[used]) is DenialCode.BAD_SIGNATURE


# --- header ---


@pytest.mark.parametrize("header", [{"crit": ["exp2"], "exp2": 1}, {"crit": []}, {"crit": "b64"}, {"crit": None}])
def test_a_critical_header_that_nobody_knows_is_refused(header: dict[str, Any]) -> None:
    assert denial(forged({**HEADER, **header}, claims())) is DenialCode.MALFORMED


@pytest.mark.parametrize("header", [{"b64": False}, {"b64": False, "crit": ["b64"]}])
def test_a_payload_that_is_somewhere_else_is_refused(header: dict[str, Any]) -> None:
    """RFC 7797."""
    token = forged({**HEADER, **header}, claims())
    start, _, signature = token.split(".")
    for text in (token, f"{start}..{signature}"):
        assert denial(text) is DenialCode.MALFORMED


@pytest.mark.parametrize("kid", [None, 1, True, 1.5, [], ["one"], {"one": 1}])
@pytest.mark.parametrize("configured", ALGORITHMS)
def test_a_key_id_is_a_text(configured: str, kid: Any) -> None:
    token = forged({"alg": configured, "kid": kid}, claims())
    assert denial(token, CONFIGS[configured]) is DenialCode.MALFORMED


@pytest.mark.parametrize("text", ["[]", "1", '"HS256"', "null", "{", "", "{'alg': 'HS256'}", "[" * 3000, '{"alg": 1e}'])
def test_what_is_no_json_object_is_malformed(text: str) -> None:
    assert denial(forged(text, claims())) is DenialCode.MALFORMED
    assert denial(forged(HEADER, text)) is DenialCode.MALFORMED


# --- shape ---


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "x",
        "a.b.c",
        "ä.b.c",
        "a" * (MAX_TOKEN_CHARACTERS + 1),
        ".".join(["eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ", "a", "b", "c", "d"]),  # JWE
        json.dumps({"payload": "a", "protected": "b", "signature": "c"}),  # JWS in JSON, flattened
        json.dumps({"payload": "a", "signatures": [{"protected": "b", "signature": "c"}]}),
    ],
)
def test_what_is_no_token_is_malformed(token: str) -> None:
    assert denial(token) is DenialCode.MALFORMED


def test_a_huge_token_is_refused_unread() -> None:
    assert verify(signed(note="x" * 5500), SHARED).tenant_id == TENANT
    assert denial(signed(note="x" * 6500)) is DenialCode.MALFORMED


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=",
        lambda token: token + "\n",
        lambda token: token + "A",  # 44 characters of base64 hold another byte
        lambda token: token + "AA",
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token.replace(".", "=.", 1),
        lambda token: token.replace(".", "\r\n .", 1),
        lambda token: token.replace(".", "\u2024"),  # ONE DOT LEADER
        lambda token: token[:-3] + "!" + token[-3:],  # decoders pass over what they do not know
        lambda token: "\ufeff" + token,
        lambda token: token.replace("e", "\uff45", 1),
    ],
)
def test_a_token_has_one_spelling(change: Callable[[str], str]) -> None:
    token = signed()
    assert verify(token, SHARED).tenant_id == TENANT
    assert denial(change(token)) in (DenialCode.MALFORMED, DenialCode.BAD_SIGNATURE)


def test_the_other_alphabet_of_base64_is_refused() -> None:
    note = next(note for note in map(str, range(10_000)) if "-" in signed(note=note) and "_" in signed(note=note))
    token = signed(note=note)
    assert denial(token.replace("-", "+").replace("_", "/")) is DenialCode.MALFORMED


CLAIMS = st.dictionaries(
    st.sampled_from(["aud", "exp", "sub", "nbf", "iat", "jti", "iss", "tenant_id", "app_metadata"]), ANY_JSON
)
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ", "cty", "jwk", "x5c"]), ANY_JSON)


@settings(max_examples=150)
@given(CLAIMS, HEADERS, st.booleans())
def test_whatever_an_issuer_signs_is_taken_or_refused(
    changes: dict[str, Any], header: dict[str, Any], is_ours: bool
) -> None:
    """Another exception would reach the caller as a 503."""
    token = forged({**HEADER, **header} if is_ours else header, {**claims(), **changes})
    with suppress(TokenDenied):
        verify(token, SHARED)
