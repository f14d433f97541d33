"""The emulator on a socket: for clients that leave, that send too much, and that come at the same time."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from scrapersky_local.places_emulator.errors import Reply
from scrapersky_local.places_emulator.server import MAX_BODY_BYTES, serve
from scrapersky_local.places_emulator.service import TEXT_SEARCH_PATH, Emulator
from support.emulated_google import DENTISTS, KEY, MASK

HEADERS = {"X-Goog-Api-Key": KEY, "X-Goog-FieldMask": MASK}


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(KEY)


@pytest.fixture
def url(emulator: Emulator) -> Iterator[str]:
    with serve(emulator) as address:
        yield address


def search(url: str) -> httpx.Response:
    return httpx.post(url + TEXT_SEARCH_PATH, json=DENTISTS, headers=HEADERS, trust_env=False)


def raw(url: str, request: bytes) -> socket.socket:
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    connection.sendall(request)
    return connection


def test_requests_at_the_same_time_are_each_answered_and_counted(url: str, emulator: Emulator) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: search(url), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["nextPageToken"] for answer in answers}) == 24
    assert emulator.counts().total() == 24


def test_a_client_that_leaves_before_its_answer_is_no_error(
    url: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    emulator.faults.append(Reply(200, raw=b"x" * 10_000_000, delay=0.1))
    body = json.dumps(DENTISTS).encode()
    head = f"POST {TEXT_SEARCH_PATH} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    raw(url, head + body).close()
    deadline = time.monotonic() + 5
    while not emulator.received and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    assert search(url).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_fault_of_the_emulator_s_own_is_told(url: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("a fault of its own")

    emulator.on_request = fail
    with pytest.raises(httpx.RemoteProtocolError):
        search(url)
    deadline = time.monotonic() + 5
    told = ""
    while "a fault of its own" not in told and time.monotonic() < deadline:
        told += capfd.readouterr().err
    assert "a fault of its own" in told


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "-1", "many"])
def test_a_body_that_is_too_large_or_of_no_length_is_refused_and_the_connection_ends(url: str, length: str) -> None:
    key = f"X-Goog-Api-Key: {KEY}\r\nX-Goog-FieldMask: {MASK}"
    head = f"POST {TEXT_SEARCH_PATH} HTTP/1.1\r\n{key}\r\nContent-Length: {length}\r\n\r\n"
    with raw(url, head.encode()) as connection, connection.makefile("rb") as answer:
        text = answer.read()
    assert text.startswith(b"HTTP/1.1 400 ")
    assert b"INVALID_ARGUMENT" in text
