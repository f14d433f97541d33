"""Key sets: how seldom one is fetched, what counts as one, and where it may be."""

from collections.abc import Callable

import pytest

from scrapersky.api.denials import DenialCode
from scrapersky.api.jwks import KEPT_SECONDS, REFETCH_SECONDS, RETRY_SECONDS, KeySet
from scrapersky.api.tokens import TokenConfig, verify
from scrapersky.errors import ConfigurationError
from support.issuer import OTHER_KEY, URL, Issuer
from support.jwts import EC_KEY, TENANT, by_key, denial, public


def config_for(fetch: Callable[[str], bytes]) -> TokenConfig:
    return TokenConfig("RS256", KeySet(URL, "RS256", fetch=fetch), "authenticated")


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


def test_a_thousand_invented_key_ids_are_one_fetch_a_minute() -> None:
    issuer = Issuer(public("one"))
    config = issuer.config()
    for minute in (1, 2):
        for number in range(500):
            assert denial(by_key(f"invented-{number}"), config) is DenialCode.UNKNOWN_KEY
        assert issuer.fetched == minute
        issuer.now += REFETCH_SECONDS


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
    for _ in range(3):
        issuer.now += KEPT_SECONDS
        assert verify(by_key(), config).tenant_id == TENANT
        assert denial(by_key("new"), config) is DenialCode.KEYS_UNAVAILABLE
    assert issuer.fetched == 4


def test_a_rotation_during_an_outage_is_seen_when_it_is_over() -> None:
    issuer = Issuer(public("one"))
    config = issuer.config()
    assert verify(by_key(), config).tenant_id == TENANT
    issuer.down = True
    issuer.now += KEPT_SECONDS
    assert denial(by_key("two", OTHER_KEY), config) is DenialCode.KEYS_UNAVAILABLE
    issuer.down, issuer.keys = False, [public("two", OTHER_KEY)]
    issuer.now += RETRY_SECONDS
    assert verify(by_key("two", OTHER_KEY), config).tenant_id == TENANT
    assert denial(by_key(), config) is DenialCode.UNKNOWN_KEY


def test_a_fetch_that_failed_slowly_does_not_follow_on_itself() -> None:
    issuer = Issuer(public("one"))
    issuer.down, issuer.seconds = True, RETRY_SECONDS + 1
    config = issuer.config()
    for _ in range(3):
        assert denial(by_key(), config) is DenialCode.KEYS_UNAVAILABLE
    assert issuer.fetched == 1


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


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b"<html>", b"[" * 100_000])
def test_what_is_no_key_set_is_as_good_as_none(body: bytes) -> None:
    assert denial(by_key(), config_for(lambda _: body)) is DenialCode.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks",
        "http://10.0.0.1/jwks",
        "http://127.0.0.1@issuer.example/jwks",
        "http://localhost.issuer.example/jwks",
        "http://127.0.0.1.issuer.example/jwks",
        "http:///jwks",
        "https:///jwks",
        "ftp://127.0.0.1/jwks",
        "file:///etc/passwd",
        "//issuer.example/jwks",
        "",
    ],
)
def test_keys_are_fetched_over_https_alone(url: str) -> None:
    with pytest.raises(ConfigurationError):
        KeySet(url, "RS256")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:8000"])
def test_a_key_set_on_this_machine_needs_no_tls(host: str) -> None:
    KeySet(f"http://{host}/jwks", "RS256")
