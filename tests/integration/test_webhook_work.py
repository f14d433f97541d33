"""Deliveries in the database: claimed, tried, stored, tried again; and what a lost worker leaves behind."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from standardwebhooks import WebhookVerificationError

from scrapersky.db import sweep, webhook_deliveries
from scrapersky.domain.status import ErrorCode
from scrapersky.domain.webhooks import MAX_TRIES, RETRY_DELAYS, Outcome
from scrapersky.queues import DELAY_LIMIT_SECONDS
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.post import Posted
from scrapersky.services import sweep as sweeping
from support.webhooks import ERROR, TOLD, URL, Outgoing, Receiver, Webhooks, answered, failing, verified

AT = datetime(2026, 1, 31, tzinfo=UTC)


def test_an_event_is_told_and_its_attempt_logged(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    receiver = Receiver(lambda _url: answered(200, "thanks"))
    assert webhooks.work([delivery_id], receiver).tried == {delivery_id: Outcome.DELIVERED}
    ((url, body, headers),) = receiver.heard
    assert url == URL
    told = verified(webhook_id, 1, body, headers)
    assert set(told) == {"type", "timestamp", "data"}
    assert (told["type"], told["data"]) == ("job.complete", {**TOLD, "n": 1})
    (event_id,) = webhooks.delivery(delivery_id, "event_id")
    assert headers["webhook-id"] == str(event_id)
    assert headers["Content-Type"] == "application/json"
    assert webhooks.delivery(
        delivery_id, "status, tries, attempts, status_code, error_code, lease_until, finished_at is not null"
    ) == ("delivered", 1, 1, 200, None, None, True)
    assert webhooks.postgres.rows(
        "select number, url, status_code, error_code, response, ms from scrapersky.webhook_attempts"
    ) == [(1, URL, 200, None, "thanks", 3)]


def test_a_second_message_of_the_same_delivery_changes_nothing(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    ids = webhooks.happen()
    receiver = Receiver()
    webhooks.work(ids, receiver)
    assert webhooks.work(ids, receiver).ignored == ids
    assert len(receiver.heard) == 1


def test_a_message_of_nothing_is_taken_off(webhooks: Webhooks) -> None:
    nothing = uuid4()
    assert webhooks.work([nothing], Receiver()).ignored == [nothing]


def test_a_failure_is_tried_again_by_a_message_that_the_queue_delays(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    webhooks.queue.sent.clear()
    assert webhooks.work([delivery_id], failing()).tried == {delivery_id: Outcome.RETRIED}
    ((delay, body),) = webhooks.queue.sent
    assert delay == 5
    assert json.loads(body) == {"version": 1, "delivery_id": str(delivery_id), "correlation_id": "request-1"}
    assert webhooks.delivery(
        delivery_id, "status, tries, status_code, error_code, error_message, next_attempt_at - updated_at"
    ) == ("pending", 1, 500, "http_error", "the receiver answered 500", RETRY_DELAYS[0])
    assert webhooks.postgres.rows("select count(*) from scrapersky.outbox where sent_at is null") == [(0,)]


def test_a_message_before_its_time_is_not_a_try(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    ids = webhooks.happen()
    receiver = failing()
    webhooks.work(ids, receiver)
    assert webhooks.work(ids, receiver).ignored == ids
    assert len(receiver.heard) == 1


def test_a_queue_that_is_early_by_less_than_a_second_calls_no_worker_in_vain(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    ids = webhooks.happen()
    for ahead, outcomes in (("10 seconds", []), ("0.9 seconds", [Outcome.DELIVERED])):
        webhooks.postgres.rows(f"update scrapersky.webhook_deliveries set next_attempt_at = now() + interval '{ahead}'")
        assert list(webhooks.work(ids, Receiver()).tried.values()) == outcomes


def test_the_schedule_is_followed_to_its_end(webhooks: Webhooks) -> None:
    """By the database's clock, whose rows are moved. What no queue can delay for so long is sent when it is due."""
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    receiver = failing()
    for number in range(1, MAX_TRIES + 1):
        webhooks.queue.sent.clear()
        webhooks.work([delivery_id], receiver)
        if number == MAX_TRIES:
            break
        delay = RETRY_DELAYS[number - 1]
        assert webhooks.delivery(delivery_id, "status, tries, next_attempt_at - updated_at") == (
            "pending", number, delay,
        )  # fmt: skip
        by_queue = delay.total_seconds() <= DELAY_LIMIT_SECONDS
        assert [seconds for seconds, _ in webhooks.queue.sent] == ([delay.total_seconds()] if by_queue else [])
        assert webhooks.postgres.rows(
            "select due_at - created_at, held_until >= due_at from scrapersky.outbox where sent_at is null"
        ) == ([] if by_queue else [(delay, True)])
        sweeping.run(webhooks.db, webhooks.queue.sender(), deadline=float("inf"))
        assert len(webhooks.queue.sent) == by_queue  # it is not due
        webhooks.make_due()
        webhooks.change(webhook_id, "failing_since = now()")
        sweeping.run(webhooks.db, webhooks.queue.sender(), deadline=float("inf"))
        assert len(webhooks.queue.sent) == 1
    assert len(receiver.heard) == MAX_TRIES
    assert len({headers["webhook-id"] for _, _, headers in receiver.heard}) == 1
    assert len({body for _, body, _ in receiver.heard}) == 1
    assert webhooks.delivery(delivery_id, "status, tries, attempts, error_code, finished_at is not null") == (
        "failed", MAX_TRIES, MAX_TRIES, "http_error", True,
    )  # fmt: skip
    numbers = webhooks.postgres.rows("select number from scrapersky.webhook_attempts order by number")
    assert numbers == [(number,) for number in range(1, MAX_TRIES + 1)]


@pytest.mark.parametrize(
    ("answer", "code", "status_code", "message"),
    [
        (answered(302), "http_error", 302, "the receiver answered 302, and redirects are not followed"),
        (answered(404), "http_error", 404, "the receiver answered 404"),
        (
            FetchFailure(URL, ErrorCode.BLOCKED_ADDRESS, "hook.example leads to a private address", 1, AT),
            "blocked_address",
            None,
            "hook.example leads to a private address",
        ),
        (FetchFailure(URL, ErrorCode.TIMEOUT, "too slow", 15_000, AT), "timeout", None, "too slow"),
    ],
    ids=["redirect", "not found", "private", "slow"],
)
def test_why_it_failed_is_told(
    webhooks: Webhooks, answer: Posted | FetchFailure, code: str, status_code: int | None, message: str
) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    assert webhooks.work([delivery_id], Receiver(lambda _url: answer)).tried == {delivery_id: Outcome.RETRIED}
    told = (status_code, code, message)
    assert webhooks.delivery(delivery_id, "status_code, error_code, error_message") == told
    assert webhooks.postgres.rows("select status_code, error_code, error_message from scrapersky.webhook_attempts") == [
        told
    ]


def test_what_a_receiver_says_is_cut_and_shown_without_secrets(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    said = "Authorization: Bearer abcdefghijklmnop\x00 \ud800 " + "x" * 5000
    webhooks.work(webhooks.happen(), Receiver(lambda _url: answered(200, said)))
    ((response,),) = webhooks.postgres.rows("select response from scrapersky.webhook_attempts")
    assert isinstance(response, str)
    assert len(response) == 1024 - 1  # and the NUL
    assert response.startswith("Authorization: Bearer *** ? xxx")


def test_during_a_rotation_both_secrets_sign(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    webhooks.change(webhook_id, "secret_version = 2, previous_secret_until = now() + interval '1 hour'")
    receiver = Receiver()
    webhooks.work(webhooks.happen(), receiver)
    webhooks.change(webhook_id, "previous_secret_until = now()")
    webhooks.work(webhooks.happen(), receiver)
    (_, first, during), (_, second, afterwards) = receiver.heard
    for version in (1, 2):
        verified(webhook_id, version, first, during)
    verified(webhook_id, 2, second, afterwards)
    with pytest.raises(WebhookVerificationError):
        verified(webhook_id, 1, second, afterwards)


# --- workers that are lost ---


def test_what_another_worker_is_at_is_left_to_it_until_its_lease_is_over(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    webhooks.postgres.rows(
        "update scrapersky.webhook_deliveries"
        " set lease_token = gen_random_uuid(), lease_until = now() + interval '1 minute'"
    )
    assert webhooks.work([delivery_id], Receiver()).later == [delivery_id]
    assert sweep.deliveries(webhooks.db) == (0, 0)
    webhooks.postgres.rows("update scrapersky.webhook_deliveries set lease_until = now() - interval '1 second'")
    assert sweep.deliveries(webhooks.db) == (1, 0)
    assert sweep.deliveries(webhooks.db) == (0, 0)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}


def test_a_worker_whose_delivery_was_taken_over_writes_nothing(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    other = uuid4()

    def lose(_url: str) -> Posted:
        webhooks.postgres.rows("update scrapersky.webhook_deliveries set lease_token = %s", other)
        return ERROR

    assert webhooks.work([delivery_id], Receiver(lose)).fenced == [delivery_id]
    assert webhooks.delivery(delivery_id, "status, tries, lease_token, lease_until is not null") == (
        "pending", 0, other, True,
    )  # fmt: skip
    assert webhooks.webhook(webhook_id, "failing_since") == (None,)
    assert webhooks.postgres.rows("select * from scrapersky.webhook_attempts") == []


def test_a_message_that_got_lost_is_owed_again(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    assert sweep.deliveries(webhooks.db) == (0, 0)
    webhooks.postgres.rows("update scrapersky.webhook_deliveries set next_attempt_at = now() - interval '31 minutes'")
    assert sweep.deliveries(webhooks.db) == (1, 0)
    assert sweep.deliveries(webhooks.db) == (0, 0)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}


def test_with_too_little_time_nothing_is_claimed(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    ids = webhooks.happen()
    receiver = Receiver()
    assert webhooks.work(ids, receiver, seconds=20).later == ids
    assert receiver.heard == []


def test_a_fault_of_ours_is_told_and_tried_again(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()

    def broken(_url: str) -> Posted:
        raise RuntimeError("ours")

    assert webhooks.work([delivery_id], Receiver(broken)).tried == {delivery_id: Outcome.RETRIED}
    assert webhooks.delivery(delivery_id, "error_code, error_message") == ("internal", "the delivery broke")


def test_control_without_a_message_owed_a_retry_never_comes(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the outbox row is for: the same failure with a worker that forgets it."""

    def comes(forget: Callable[[str], str]) -> int:
        monkeypatch.setattr(webhook_deliveries, "_STORE", forget(store))
        queue = Outgoing()
        own = Webhooks(webhooks.db, webhooks.postgres, queue)
        own.endpoint()
        ids = own.happen()
        queue.sent.clear()
        own.work(ids, failing())
        own.make_due()
        sweeping.run(own.db, queue.sender(), deadline=float("inf"))
        return len(queue.sent)

    store = webhook_deliveries._STORE
    assert comes(lambda text: text) == 1
    assert comes(lambda text: text.replace("where %(status)s = 'pending' and", "where false and")) == 0


def test_the_key_must_be_one(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.webhooks.KEY", "")
        with pytest.raises(ValueError, match="empty"):
            webhooks.work([delivery_id], Receiver())
    assert webhooks.delivery(delivery_id, "tries") == (0,)
