"""Bearer tokens: what a token must say for its bearer to be let in."""

import json
import time
from typing import Any

import pytest

from scrapersky.api.denials import DenialCode
from scrapersky.api.tokens import (
    LAST_SECOND,
    LEEWAY_SECONDS,
    SharedSecret,
    TokenConfig,
    TokenDenied,
    bearer_token,
    verify,
)
from support.jwts import HEADER, SECRET, SHARED, TENANT, claims, denial, forged, signed

OTHER = "22222222-2222-4222-8222-222222222222"


def now() -> int:
    return int(time.time())


# --- claims ---


def test_a_good_token_names_tenant_user_and_end() -> None:
    until = now() + 60
    identity = verify(signed(exp=until), SHARED)
    assert (identity.tenant_id, identity.subject, identity.expires_at) == (TENANT, "user-1", until)


def test_the_tenant_may_stand_in_the_app_metadata() -> None:
    token = signed(tenant_id=None, app_metadata={"tenant_id": str(TENANT).upper()})
    assert verify(token, SHARED).tenant_id == TENANT
    assert verify(signed(app_metadata={"tenant_id": str(TENANT)}), SHARED).tenant_id == TENANT


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": now() - LEEWAY_SECONDS - 1}, DenialCode.EXPIRED),
        ({"exp": 0}, DenialCode.EXPIRED),
        ({"exp": -1}, DenialCode.EXPIRED),
        ({"exp": None}, DenialCode.CLAIM_MISSING),
        ({"aud": None}, DenialCode.CLAIM_MISSING),
        ({"aud": ""}, DenialCode.CLAIM_MISSING),
        ({"aud": []}, DenialCode.CLAIM_MISSING),
        ({"sub": None}, DenialCode.CLAIM_MISSING),
        ({"sub": ""}, DenialCode.BAD_SUBJECT),
        ({"sub": " "}, DenialCode.BAD_SUBJECT),
        ({"sub": 7}, DenialCode.BAD_SUBJECT),
        ({"sub": "a\x00b"}, DenialCode.BAD_SUBJECT),
        ({"sub": "\ud800"}, DenialCode.BAD_SUBJECT),
        ({"aud": "anon"}, DenialCode.WRONG_AUDIENCE),
        ({"aud": "Authenticated"}, DenialCode.WRONG_AUDIENCE),
        ({"aud": "authenticated,anon"}, DenialCode.WRONG_AUDIENCE),
        ({"aud": ["anon", "authenticated "]}, DenialCode.WRONG_AUDIENCE),
        ({"aud": ["authenticated", 1]}, DenialCode.WRONG_AUDIENCE),
        ({"aud": {"authenticated": True}}, DenialCode.WRONG_AUDIENCE),
        ({"tenant_id": None}, DenialCode.NO_TENANT),
        ({"tenant_id": ""}, DenialCode.NO_TENANT),
        ({"tenant_id": False}, DenialCode.NO_TENANT),
        ({"tenant_id": "acme"}, DenialCode.NO_TENANT),
        ({"tenant_id": TENANT.int}, DenialCode.NO_TENANT),
        ({"tenant_id": [str(TENANT)]}, DenialCode.NO_TENANT),
        ({"tenant_id": f"{{{TENANT}}}"}, DenialCode.NO_TENANT),
        ({"tenant_id": TENANT.hex}, DenialCode.NO_TENANT),
        ({"tenant_id": str(TENANT).replace("1", "\uff11")}, DenialCode.NO_TENANT),  # full-width digits
        ({"tenant_id": None, "user_metadata": {"tenant_id": str(TENANT)}}, DenialCode.NO_TENANT),
        ({"tenant_id": None, "app_metadata": [str(TENANT)]}, DenialCode.NO_TENANT),
        ({"app_metadata": {"tenant_id": OTHER}}, DenialCode.TENANTS_DIFFER),
        ({"app_metadata": {"tenant_id": ""}}, DenialCode.NO_TENANT),
    ],
)
def test_a_wrong_claim_is_refused_with_its_reason(changes: dict[str, Any], code: DenialCode) -> None:
    assert denial(forged(HEADER, claims(**changes))) is code


def test_one_of_several_audiences_is_enough() -> None:
    """RFC 7519, 4.1.3: each principal looks for itself among them."""
    assert verify(signed(aud=["anon", "authenticated"]), SHARED).tenant_id == TENANT


def test_the_issuer_counts_when_it_is_configured() -> None:
    config = TokenConfig("HS256", SharedSecret(SECRET), "authenticated", issuer="https://issuer.example")
    assert verify(signed(iss="https://issuer.example"), config).tenant_id == TENANT
    for other in ("https://other.example", "https://issuer.example/", "issuer", ["https://issuer.example"]):
        assert denial(forged(HEADER, claims(iss=other)), config) is DenialCode.WRONG_ISSUER
    assert denial(signed(), config) is DenialCode.CLAIM_MISSING


def test_the_last_of_two_claims_of_one_name_counts() -> None:
    """RFC 7519, 4. Header and claims are each read once, so that no two readers can disagree."""
    good = json.dumps(claims())
    twice = good.replace('{"aud"', f'{{"tenant_id": "{OTHER}", "aud"')
    assert verify(forged(HEADER, twice), SHARED).tenant_id == TENANT
    assert denial(forged('{"alg": "HS256", "alg": "none"}', good)) is DenialCode.WRONG_ALGORITHM


# --- times ---


def test_a_clock_that_is_a_little_off_is_forgiven() -> None:
    assert verify(signed(exp=now() - LEEWAY_SECONDS + 6), SHARED).tenant_id == TENANT


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused_beyond_the_same_bound(name: str) -> None:
    assert verify(signed(**{name: now() + LEEWAY_SECONDS - 2}), SHARED).tenant_id == TENANT
    for ahead in (LEEWAY_SECONDS + 60, 10**300):
        assert denial(forged(HEADER, claims(**{name: now() + ahead}))) is DenialCode.NOT_YET_VALID


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    ['"soon"', '"NOW"', "true", "[1]", '{"a": 1}', "NaN", "Infinity", "-Infinity", "1e400", "9" * 5000],
)
def test_a_time_is_a_number(name: str, value: str) -> None:
    text = json.dumps(claims(**{name: 0})).replace(f'"{name}": 0', f'"{name}": {value}')
    code = denial(forged(HEADER, text.replace("NOW", str(now()))))
    # A truth reads as the first second of 1970.
    assert code is (DenialCode.EXPIRED if (name, value) == ("exp", "true") else DenialCode.MALFORMED)


def test_a_time_may_have_a_fraction_and_ends_with_the_calendar() -> None:
    assert verify(signed(exp=now() + 60.5), SHARED).expires_at == now() + 60
    assert verify(signed(exp=LAST_SECOND), SHARED).expires_at == LAST_SECOND
    assert denial(signed(exp=LAST_SECOND + 1)) is DenialCode.MALFORMED


# --- the Authorization header ---


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bEaReR a.b.c", "Bearer   a.b.c", " Bearer a.b.c  "])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token(header) == "a.b.c"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, DenialCode.MISSING),
        ("", DenialCode.MISSING),
        ("  ", DenialCode.MISSING),
        ("a.b.c", DenialCode.MISSING),
        ("Basic dXNlcjpwYXNz", DenialCode.MISSING),
        ("Bearer\u00a0a.b.c", DenialCode.MISSING),  # NO-BREAK SPACE
        ("Bearer\u2003a.b.c", DenialCode.MISSING),  # EM SPACE
        ("Bearer\ta.b.c", DenialCode.MISSING),
        ("B\u0435arer a.b.c", DenialCode.MISSING),  # CYRILLIC SMALL LETTER IE
        ("\uff22earer a.b.c", DenialCode.MISSING),  # FULLWIDTH LATIN CAPITAL LETTER B
        ("\u200bBearer a.b.c", DenialCode.MISSING),  # ZERO WIDTH SPACE
        ("Bearer", DenialCode.MALFORMED),
        ("Bearer ", DenialCode.MALFORMED),
        ("Bearer a b", DenialCode.MALFORMED),
        ("Bearer a.b.c,Bearer d.e.f", DenialCode.MALFORMED),  # two headers, as the gateway joins them
    ],
)
def test_a_header_without_a_bearer_token_is_told_apart(header: str | None, code: DenialCode) -> None:
    with pytest.raises(TokenDenied) as caught:
        bearer_token(header)
    assert caught.value.code is code
