"""Fetching an issuer's keys over a real socket: what is taken, and what counts as no answer."""

import json
import zlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from scrapersky.api import jwks
from scrapersky.api.jwks import MAX_DOCUMENT_BYTES, KeySet, KeysUnreachable, fetch_document
from scrapersky.api.tokens import TokenConfig, verify
from support.jwts import TENANT, claims
from support.loopback import Listener, redirect, response, serving


def test_a_published_key_verifies_a_token() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    published = {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one", "use": "sig"}
    token = jwt.encode(claims(), key, "RS256", headers={"kid": "one"})
    with serving(response(json.dumps({"keys": [published]}).encode())) as issuer:
        config = TokenConfig("RS256", KeySet(f"http://127.0.0.1:{issuer.port}/keys", "RS256"), "authenticated")
        assert [verify(token, config).tenant_id for _ in range(3)] == [TENANT] * 3
    assert issuer.paths == ["/keys"]


@pytest.mark.parametrize(
    "answer",
    [
        response(status="404 Not Found"),
        response(status="500 Internal Server Error"),
        redirect("http://127.0.0.1/elsewhere"),
        response(b" " * (MAX_DOCUMENT_BYTES + 1)),
        response(zlib.compress(b" " * (MAX_DOCUMENT_BYTES + 1)), headers=["Content-Encoding: deflate"]),
        b"not http\r\n\r\n",
        b"",
    ],
)
def test_anything_but_a_small_document_is_no_answer(answer: bytes) -> None:
    with serving(answer) as issuer, pytest.raises(KeysUnreachable):
        fetch_document(f"http://127.0.0.1:{issuer.port}/keys")


def test_an_issuer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.2)
    with Listener() as issuer, pytest.raises(KeysUnreachable):
        fetch_document(f"http://127.0.0.1:{issuer.port}/keys")
