"""Bearer tokens: who is let in, and that nothing but configuration decides how a token is checked."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from scrapersky.api.denials import DenialCode
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
from support.jwts import SECRET, SHARED, TENANT, claims, denial, forged, signed


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
        ({"sub": "\ud800"}, DenialCode.CLAIM_MISSING),
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
