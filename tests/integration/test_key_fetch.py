"""Fetching an issuer's keys over a real socket: what is taken, and what counts as no answer."""

import json
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

from scrapersky.api import jwks
from scrapersky.api.jwks import MAX_DOCUMENT_BYTES, KeySet, KeysUnreachable, fetch_document
from scrapersky.api.tokens import TokenConfig, verify
from support.jwts import TENANT, by_key, public
from support.loopback import Listener, redirect, response, serving


def test_a_published_key_verifies_a_token() -> None:
    with serving(response(json.dumps({"keys": [public("one")]}).encode())) as issuer:
        config = TokenConfig("RS256", KeySet(f"http://127.0.0.1:{issuer.port}/keys", "RS256"), "authenticated")
        assert [verify(by_key(), config).tenant_id for _ in range(3)] == [TENANT] * 3
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


def test_a_redirect_is_not_followed_not_even_to_itself() -> None:
    def to_itself(path: str) -> list[bytes]:
        return [redirect(path)]

    with Listener(to_itself) as issuer, pytest.raises(KeysUnreachable):
        fetch_document(f"http://127.0.0.1:{issuer.port}/keys")
    assert issuer.paths == ["/keys"]


def test_an_issuer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "WAIT_SECONDS", 0.2)
    with Listener() as issuer, pytest.raises(KeysUnreachable):
        fetch_document(f"http://127.0.0.1:{issuer.port}/keys")


def test_an_issuer_that_never_comes_to_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.5)

    def dripping(path: str) -> Iterator[bytes]:
        yield response(length=MAX_DOCUMENT_BYTES)
        while True:
            yield b" "
            time.sleep(0.05)

    with Listener(dripping) as issuer, pytest.raises(KeysUnreachable, match="too slow"):
        fetch_document(f"http://127.0.0.1:{issuer.port}/keys")


def test_an_issuer_whose_head_never_comes_to_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.5)

    def dripping(path: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nX-Long: "
        for _ in range(100):
            yield b"x"
            time.sleep(0.05)

    with Listener(dripping) as issuer:
        begun = time.monotonic()
        with pytest.raises(KeysUnreachable, match="too slow"):
            fetch_document(f"http://127.0.0.1:{issuer.port}/keys")
        assert time.monotonic() - begun < 2.5
        for thread in threading.enumerate():
            if thread.name == "fetch keys":
                thread.join(2.5)  # half as long as the head takes
                assert not thread.is_alive()
