"""Bearer tokens: who is let in, and that nothing but configuration decides how a token is checked."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KEPT_SECONDS, REFETCH_SECONDS, RETRY_SECONDS, KeySet, KeysUnreachable
from scrapersky.api.tokens import (
    LEEWAY_SECONDS,
    MAX_TOKEN_CHARACTERS,
    SharedSecret,
    TokenConfig,
    TokenDenied,
    bearer_token,
    verify,
)
from scrapersky.errors import ConfigurationError

SECRET = "a-secret-of-more-than-thirty-two-bytes"
TENANT = UUID("11111111-1111-4111-8111-111111111111")
SHARED = TokenConfig("HS256", SharedSecret(SECRET), audience="authenticated")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
URL = "https://issuer.example/jwks.json"


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims, with changes; a claim of None is left out."""
    good = {
        "aud": "authenticated",
        "exp": int(time.time()) + 600,
        "sub": "user-1",
        "tenant_id": str(TENANT),
        **changes,
    }
    return {name: value for name, value in good.items() if value is not None}


def signed(**changes: Any) -> str:
    return jwt.encode(claims(**changes), SECRET, "HS256")


def forged(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    """A token signed with HMAC whatever its header says, as no library would make one."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    text = part(json.dumps(header).encode()) + b"." + part(json.dumps(payload).encode())
    return (text + b"." + part(hmac.new(secret, text, hashlib.sha256).digest())).decode()


def denial(token: str, config: TokenConfig = SHARED) -> DenialCode:
    with pytest.raises(TokenDenied) as caught:
        verify(token, config)
    return caught.value.code


def test_a_good_token_names_tenant_user_and_end() -> None:
    until = int(time.time()) + 60
    identity = verify(signed(exp=until), SHARED)
    assert (identity.tenant_id, identity.subject, identity.expires_at) == (TENANT, "user-1", until)


def test_the_tenant_may_stand_in_the_app_metadata() -> None:
    token = signed(tenant_id=None, app_metadata={"tenant_id": str(TENANT).upper()})
    assert verify(token, SHARED).tenant_id == TENANT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": int(time.time()) - LEEWAY_SECONDS - 1}, DenialCode.EXPIRED),
        ({"exp": None}, DenialCode.CLAIM_MISSING),
        ({"aud": None}, DenialCode.CLAIM_MISSING),
        ({"sub": None}, DenialCode.CLAIM_MISSING),
        ({"sub": " "}, DenialCode.CLAIM_MISSING),
        ({"sub": "a\x00b"}, DenialCode.CLAIM_MISSING),
        ({"aud": "anon"}, DenialCode.WRONG_AUDIENCE),
        ({"nbf": int(time.time()) + 600}, DenialCode.NOT_YET_VALID),
        ({"exp": "soon"}, DenialCode.MALFORMED),
        ({"exp": float("inf")}, DenialCode.MALFORMED),
        ({"tenant_id": None}, DenialCode.NO_TENANT),
        ({"tenant_id": "acme"}, DenialCode.NO_TENANT),
        ({"tenant_id": TENANT.int}, DenialCode.NO_TENANT),
        ({"tenant_id": f"{{{TENANT}}}"}, DenialCode.NO_TENANT),
        ({"tenant_id": TENANT.hex}, DenialCode.NO_TENANT),
        ({"tenant_id": None, "user_metadata": {"tenant_id": str(TENANT)}}, DenialCode.NO_TENANT),
        ({"app_metadata": {"tenant_id": "22222222-2222-4222-8222-222222222222"}}, DenialCode.NO_TENANT),
    ],
)
def test_a_wrong_claim_is_refused_with_its_reason(changes: dict[str, Any], code: DenialCode) -> None:
    assert denial(signed(**changes)) is code


def test_a_clock_that_is_a_little_off_is_forgiven() -> None:
    assert verify(signed(exp=int(time.time()) - LEEWAY_SECONDS // 2), SHARED).tenant_id == TENANT


def test_the_issuer_counts_when_it_is_configured() -> None:
    config = TokenConfig("HS256", SharedSecret(SECRET), "authenticated", issuer="https://issuer.example")
    assert verify(signed(iss="https://issuer.example"), config).tenant_id == TENANT
    assert denial(signed(iss="https://other.example"), config) is DenialCode.WRONG_ISSUER
    assert denial(signed(), config) is DenialCode.CLAIM_MISSING


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.b.c", "a" * (MAX_TOKEN_CHARACTERS + 1)])
def test_what_is_no_token_is_malformed(token: str) -> None:
    assert denial(token) is DenialCode.MALFORMED


def test_another_secret_does_not_fit() -> None:
    token = jwt.encode(claims(), "another-secret-of-more-than-thirty-two-bytes", "HS256")
    assert denial(token) is DenialCode.BAD_SIGNATURE


def test_a_changed_claim_breaks_the_signature() -> None:
    header, _, signature = signed().split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(sub="admin")).encode()).rstrip(b"=").decode()
    assert denial(f"{header}.{payload}.{signature}") is DenialCode.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "RS256", "", None])
def test_the_token_does_not_choose_its_algorithm(algorithm: str | None) -> None:
    token = forged({"alg": algorithm, "typ": "JWT"}, claims(), SECRET.encode())
    assert denial(token) in (DenialCode.WRONG_ALGORITHM, DenialCode.MALFORMED)


def test_a_public_key_is_not_taken_for_a_shared_secret() -> None:
    jwk = public("one")
    secret = json.dumps(jwk).encode()
    token = forged({"alg": "HS256", "kid": "one"}, claims(), secret)
    assert denial(token, config_for(lambda _: secret)) is DenialCode.WRONG_ALGORITHM


def test_a_critical_header_that_nobody_knows_is_refused() -> None:
    token = forged({"alg": "HS256", "crit": ["exp2"], "exp2": 1}, claims(), SECRET.encode())
    assert denial(token) is DenialCode.MALFORMED


def test_a_short_secret_is_a_fault_of_configuration() -> None:
    with pytest.raises(ConfigurationError):
        SharedSecret("x" * 31)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, DenialCode.MISSING),
        ("  ", DenialCode.MISSING),
        ("Basic dXNlcjpwYXNz", DenialCode.MISSING),
        ("Bearer", DenialCode.MALFORMED),
        ("Bearer a b", DenialCode.MALFORMED),
    ],
)
def test_a_header_without_a_bearer_token_is_told_apart(header: str | None, code: DenialCode) -> None:
    with pytest.raises(TokenDenied) as caught:
        bearer_token(header)
    assert caught.value.code is code


def test_the_scheme_is_read_in_any_case() -> None:
    assert bearer_token("bEaReR a.b.c") == "a.b.c"


# --- key sets -------------------------------------------------------------------------------------------------------


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
