"""Tokens for tests: good ones, forged ones, and why one is refused."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import UUID

import jwt
import pytest

from scrapersky.api.denials import DenialCode
from scrapersky.api.tokens import SharedSecret, TokenConfig, TokenDenied, verify

SECRET = "a-secret-of-more-than-thirty-two-bytes"
TENANT = UUID("11111111-1111-4111-8111-111111111111")
SHARED = TokenConfig("HS256", SharedSecret(SECRET), audience="authenticated")


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
