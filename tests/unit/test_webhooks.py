"""Webhooks by the rules: signatures that the reference library verifies, and what becomes of a delivery."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from scrapersky.domain import webhooks
from scrapersky.domain.webhooks import (
    FAILING_FOR,
    JITTER,
    MAX_PAUSE_ASKED,
    MAX_TRIES,
    PAUSE_LEAST,
    PAUSE_MOST,
    RETRY_DELAYS,
    Decision,
    Outcome,
    decide,
    endpoint_secret,
    payload,
    signed_headers,
    signing_keys,
)

KEY = "the installation's key"
WEBHOOK = UUID("0b7f5a1e-0000-4000-8000-000000000001")
EVENT = UUID("0b7f5a1e-0000-4000-8000-00000000000e")
TIME = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)


def sign(version: int, *, with_previous: bool, body: bytes, timestamp: int) -> dict[str, str]:
    keys = signing_keys(KEY, WEBHOOK, version, with_previous=with_previous)
    return signed_headers(keys, event_id=EVENT, timestamp=timestamp, body=body)


def is_verified(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """By the reference library, which also looks at the time."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def test_a_signature_is_the_one_that_the_reference_library_makes() -> None:
    library = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    told = datetime.fromtimestamp(1614265330, UTC)
    expected = library.sign("0b7f5a1e-0000-4000-8000-00000000000e", told, body.decode())
    headers = signed_headers([library._whsecret], event_id=EVENT, timestamp=1614265330, body=body)
    assert headers == {
        "webhook-id": str(EVENT),
        "webhook-timestamp": "1614265330",
        "webhook-signature": expected,
    }


@given(data=st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.booleans()))
def test_whatever_is_told_the_receiver_verifies_it(data: dict[str, object]) -> None:
    body = payload("job.complete", TIME, data)
    assert is_verified(endpoint_secret(KEY, WEBHOOK, 1), body, sign(1, with_previous=False, body=body, timestamp=now()))


def test_during_a_rotation_the_old_and_the_new_secret_verify_and_afterwards_the_new_one_alone() -> None:
    body = payload("job.complete", TIME, {})
    old, new = endpoint_secret(KEY, WEBHOOK, 1), endpoint_secret(KEY, WEBHOOK, 2)
    during = sign(2, with_previous=True, body=body, timestamp=now())
    assert [is_verified(secret, body, during) for secret in (old, new)] == [True, True]
    afterwards = sign(2, with_previous=False, body=body, timestamp=now())
    assert [is_verified(secret, body, afterwards) for secret in (old, new)] == [False, True]


def test_the_first_secret_has_none_before_it() -> None:
    assert len(signing_keys(KEY, WEBHOOK, 1, with_previous=True)) == 1


@pytest.mark.parametrize("changed", ["body", "id", "timestamp"])
def test_control_nothing_that_was_signed_can_be_changed(changed: str) -> None:
    body = payload("job.complete", TIME, {"n": 1})
    headers = sign(1, with_previous=False, body=body, timestamp=now())
    secret = endpoint_secret(KEY, WEBHOOK, 1)
    assert is_verified(secret, body, headers)
    if changed == "body":
        body = body.replace(b"1", b"2")
    else:
        headers[f"webhook-{changed}"] = str(now() - 1)
    assert not is_verified(secret, body, headers)


def test_a_secret_is_of_its_form_and_of_one_endpoint_version_and_key_alone() -> None:
    secret = endpoint_secret(KEY, WEBHOOK, 1)
    assert secret.startswith("whsec_")
    assert len(secret) == len("whsec_") + 44
    assert secret == endpoint_secret(KEY, WEBHOOK, 1)
    others = {
        endpoint_secret(KEY, WEBHOOK, 2),
        endpoint_secret(KEY, EVENT, 1),
        endpoint_secret(KEY + "x", WEBHOOK, 1),
    }
    assert len(others - {secret}) == 3


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty"):
        endpoint_secret("", WEBHOOK, 1)
    with pytest.raises(ValueError, match="empty"):
        signing_keys("", WEBHOOK, 1, with_previous=False)


def test_a_payload_is_the_same_bytes_in_whatever_order_the_database_gives_it() -> None:
    one = payload("job.failed", TIME, {"b": {"d": 1, "c": "é"}, "a": None})
    assert one == payload("job.failed", TIME, {"a": None, "b": {"c": "é", "d": 1}})
    assert one == (
        rb'{"data":{"a":null,"b":{"c":"\u00e9","d":1}},"timestamp":"2026-01-31T12:00:00.000005Z","type":"job.failed"}'
    )


def fail(tries: int, *, code: int | None = 500, after: float | None = None, draw: float = 0.5) -> Decision:
    return decide(code, tries=tries, retry_after=after, failing_for=timedelta(0), draw=lambda: draw)


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(code: int) -> None:
    assert fail(1, code=code) == Decision(Outcome.DELIVERED)


@pytest.mark.parametrize("code", [None, 100, 199, 300, 301, 302, 307, 400, 401, 404, 408, 429, 500, 502, 503, 504, 999])
def test_all_else_is_tried_again(code: int | None) -> None:
    assert fail(1, code=code).outcome is Outcome.RETRIED


@pytest.mark.parametrize("tries", [1, MAX_TRIES])
def test_gone_is_the_end_at_once(tries: int) -> None:
    assert fail(tries, code=410) == Decision(Outcome.GONE)


def test_tries_follow_the_schedule_of_the_specification_and_end() -> None:
    decisions = [fail(tries) for tries in range(1, MAX_TRIES + 1)]
    assert [decision.delay for decision in decisions] == [*RETRY_DELAYS, None]
    assert [decision.outcome for decision in decisions] == [Outcome.RETRIED] * 9 + [Outcome.FAILED]
    assert sum(RETRY_DELAYS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert timedelta(0) < sum(RETRY_DELAYS, timedelta()) - FAILING_FOR < RETRY_DELAYS[-1]


@pytest.mark.parametrize("tries", range(1, MAX_TRIES))
def test_delays_are_spread_by_a_fifth(tries: int) -> None:
    step = RETRY_DELAYS[tries - 1]
    assert fail(tries, draw=0.0).delay == step * (1 - JITTER)
    assert fail(tries, draw=1.0).delay == step * (1 + JITTER)


def test_what_the_receiver_asks_for_is_obeyed_up_to_the_length_of_the_next_step() -> None:
    assert fail(1, code=429, after=60.0).delay == timedelta(seconds=60)
    assert fail(1, code=429, after=1.0).delay == RETRY_DELAYS[0]
    assert fail(1, code=429, after=1e9).delay == RETRY_DELAYS[1]
    assert fail(1, code=429, after=float("inf")).delay == RETRY_DELAYS[1]
    assert fail(MAX_TRIES - 1, code=429, after=1e9).delay == RETRY_DELAYS[-1]


def test_an_endpoints_others_wait_longer_the_longer_it_fails() -> None:
    pauses = [webhooks.pause_after(timedelta(seconds=4**n)) for n in range(9)]
    assert pauses[0] == PAUSE_LEAST
    assert pauses[-1] == PAUSE_MOST
    assert all(first <= second for first, second in pairwise(pauses))


def test_an_endpoints_others_wait_as_it_asks_within_bounds() -> None:
    assert fail(1, code=429, after=60.0).pause == timedelta(seconds=60)
    assert fail(1, code=429, after=1e9).pause == MAX_PAUSE_ASKED


@given(
    tries=st.integers(1, MAX_TRIES - 1),
    after=st.none() | st.floats(0, allow_nan=False),
    failing=st.integers(0, 10**6),
    draw=st.floats(0, 1),
)
def test_a_first_retry_is_never_before_the_pause_of_a_first_failure(
    tries: int, after: float | None, failing: int, draw: float
) -> None:
    told = decide(503, tries=tries, retry_after=after, failing_for=timedelta(0), draw=lambda: draw)
    assert told.delay is not None
    assert PAUSE_LEAST <= told.delay <= RETRY_DELAYS[-1] * (1 + JITTER)
    longer = decide(503, tries=tries, retry_after=after, failing_for=timedelta(seconds=failing), draw=lambda: draw)
    assert longer.pause is not None
    assert longer.pause <= MAX_PAUSE_ASKED
