"""Which addresses a webhook may have: what the guard would refuse at each delivery is refused when it is given."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.webhook_urls import MAX_URL_CHARS, WEB_PORTS, InvalidReceiver, receiver_url
from scrapersky.scraping import guard
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.urls import parse_web_url
from support.vectors import address_verdicts, read

GROUPS = read("spellings.toml")["group"]
# What a scan of it is refused for as it is typed is no webhook's address either.
HOSTILE = [text for group in GROUPS if group["base_url"] == "no domain" for text in group["spellings"]]


def reason(text: str) -> str:
    with pytest.raises(InvalidReceiver) as refused:
        receiver_url(text)
    return refused.value.reason


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hooks.example/in", "https://hooks.example/in"),
        ("http://hooks.example", "http://hooks.example/"),
        ("  HTTPS://Hooks.Example./in?key=a%20b&c=1 ", "https://hooks.example/in?key=a%20b&c=1"),
        ("https://hooks.example:443/in", "https://hooks.example/in"),
        ("http://hooks.example:80", "http://hooks.example/"),
        ("https://hooks.example:80/in", "https://hooks.example:80/in"),
        ("https://bücher.example/ä b", "https://xn--bcher-kva.example/%C3%A4%20b"),
        ("https://hooks.example/a/../b", "https://hooks.example/b"),
        (r"https://hooks.example\in", "https://hooks.example/in"),
        ("https://hooks.example/@at", "https://hooks.example/@at"),
        ("https://hooks.example/?to=a@b.example", "https://hooks.example/?to=a@b.example"),
    ],
)
def test_an_address_is_told_as_it_is_called(text: str, url: str) -> None:
    assert receiver_url(text) == url
    assert receiver_url(url) == url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "https://"),
        ("hooks.example", "https://"),
        ("//hooks.example", "https://"),
        ("https:/hooks.example", "https://"),
        (r"https:\\hooks.example", "https://"),
        ("ftp://hooks.example/", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://hooks.example/#in", "fragment"),
        ("https://hooks.example#", "fragment"),
        ("https://user:secret@hooks.example/", "user information"),
        ("https://@hooks.example/", "user information"),
        (r"https://\user@hooks.example/", "user information"),
        ("https://hooks.example:8443/", "port"),
        ("https://hooks.example:0/", "port"),
        ("https://hooks.example:99999/", "no valid URL"),
        ("https://", "no valid URL"),
        ("https://a b.example/", "no valid URL"),
        ("https://127.0.0.1/", "IP address"),
        ("https://8.8.8.8/", "IP address"),
        ("https://[::1]/", "IP address"),
        ("https://localhost/", "single label"),
        ("https://hooks.localhost/", ".localhost"),
        ("https://hooks.internal/", ".internal"),
        ("https://hooks.test/", ".test"),
        ("https://hooks..example/", "empty label"),
        ("https://hooks.example../", "empty label"),
        ("https://-hooks.example/", "label"),
        ("https://hooks.example/a\tb", "control characters"),
        ("https://hooks.example/\nhttps://b.example", "control characters"),
        ("https://hooks.example/\x00", "control characters"),
        (f"https://hooks.example/{'a' * MAX_URL_CHARS}", "longer"),
        (f"https://hooks.example/{'ü' * 1000}", "encoded"),
        (f"https://{'a' * 64}.example/", "label"),
        (f"https://{'a.' * 150}example/", "longer than 253"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(text: str, told: str) -> None:
    assert told in reason(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_spelling_of_an_inner_address_is_taken(text: str) -> None:
    reason(text.replace("{port}", "80"))


def test_control_there_are_such_spellings_and_others_are_taken() -> None:
    assert len(HOSTILE) > 300
    names = chain.from_iterable(group["spellings"] for group in GROUPS if group["base_url"] == "fetched")
    taken = 0
    for text in names:
        try:
            receiver_url(text.replace("{port}", "80"))
        except InvalidReceiver:
            continue
        taken += 1
    assert taken


def test_no_address_is_taken_public_or_not() -> None:
    for address, _ in address_verdicts():
        host = f"[{address}]" if ":" in address else address
        assert "%" in address or "IP address" in reason(f"https://{host}/")


def test_the_ports_are_those_of_the_guard() -> None:
    assert [int(port) for port in WEB_PORTS] == list(guard.WEB_PORTS)


@given(st.text(max_size=60).map(lambda rest: f"https://{rest}") | st.text(max_size=60))
def test_whatever_is_taken_is_taken_again_as_it_is_and_by_the_fetcher(text: str) -> None:
    try:
        url = receiver_url(text)
    except InvalidReceiver:
        return
    assert receiver_url(url) == url
    assert url.isascii()
    try:
        assert parse_web_url(url).href == url
    except FetchError:
        pytest.fail(f"the fetcher takes no {url!r}")
