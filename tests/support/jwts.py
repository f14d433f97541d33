"""Tokens and keys for tests: good ones, forged ones, and why one is refused."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from scrapersky.api.denials import DenialCode
from scrapersky.api.tokens import SharedSecret, TokenConfig, TokenDenied, verify

SECRET = "a-secret-of-more-than-thirty-two-bytes"
TENANT = UUID("11111111-1111-4111-8111-111111111111")
HEADER = {"alg": "HS256", "typ": "JWT"}
SHARED = TokenConfig("HS256", SharedSecret(SECRET), audience="authenticated")
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


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


def by_key(kid: str | None = "one", key: PrivateKey = RSA_KEY, algorithm: str = "RS256", **header: Any) -> str:
    """A token signed with a private key."""
    return jwt.encode(claims(), key, algorithm, headers={**header, **({"kid": kid} if kid is not None else {})})


def public(kid: str | None, key: PrivateKey = RSA_KEY, **changes: Any) -> dict[str, Any]:
    """A public JWK, with changes; a member of None is left out."""
    jwk = (
        RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        if isinstance(key, rsa.RSAPrivateKey)
        else ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    )
    return {name: value for name, value in {**jwk, "kid": kid, "use": "sig", **changes}.items() if value is not None}


def part(value: bytes) -> str:
    """A part of a token: base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def forged(header: dict[str, Any] | str, payload: dict[str, Any] | str, secret: bytes = SECRET.encode()) -> str:
    """A token signed with HMAC whatever its header says, as no library would make one; a text is JSON as it is."""
    texts = (value if isinstance(value, str) else json.dumps(value) for value in (header, payload))
    text = ".".join(part(value.encode()) for value in texts)
    return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def denial(token: str, config: TokenConfig = SHARED) -> DenialCode:
    with pytest.raises(TokenDenied) as caught:
        verify(token, config)
    return caught.value.code
