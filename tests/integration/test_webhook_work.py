"""Deliveries in the database: claimed, tried, stored, tried again; and what becomes of them with their endpoint."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from standardwebhooks import WebhookVerificationError

from conftest import Cluster, TestDatabase, migrated_database
from scrapersky.db import sweep, webhook_deliveries
from scrapersky.db.connection import Database
from scrapersky.db.webhook_deliveries import ClaimOutcome, Lease
from scrapersky.domain.status import ErrorCode
from scrapersky.domain.webhooks import FAILING_FOR, MAX_TRIES, RETRY_DELAYS, Outcome
from scrapersky.queues import DELAY_LIMIT_SECONDS
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.post import Posted
from scrapersky.services import sweep as sweeping
from support.webhooks import OK, TOLD, URL, Outgoing, Receiver, Webhooks, answered, verified

AT = datetime(2026, 1, 31, tzinfo=UTC)
ERROR = answered(500, "no")


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[TestDatabase]:
    with migrated_database(cluster) as database:
        yield database


@pytest.fixture
def webhooks(database: TestDatabase) -> Iterator[Webhooks]:
    """Those of an empty database."""
    database.rows("truncate scrapersky.events, scrapersky.webhooks, scrapersky.outbox cascade")
    with Database(database.app_dsn) as db:
        yield Webhooks(db, database)


def failing() -> Receiver:
    return Receiver(lambda _url: ERROR)


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


# --- an endpoint that does not do well ---


def test_what_else_is_for_an_endpoint_that_failed_waits_and_uses_up_no_try(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    first, *others = webhooks.happen(30)
    receiver = failing()
    webhooks.work([first], receiver)
    assert webhooks.webhook(webhook_id, "failing_since is not null, paused_until > now()") == (True, True)
    assert sorted(webhooks.work(others, receiver).waiting) == sorted(others)
    assert len(receiver.heard) == 1
    assert webhooks.postgres.rows(
        "select count(*), sum(tries) from scrapersky.webhook_deliveries where is_waiting and status = 'pending'"
    ) == [(29, 0)]


def test_one_of_them_finds_out_that_it_is_well_and_takes_the_others_along(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    first, *others = webhooks.happen(30)
    webhooks.work([first], failing())
    webhooks.work(others, failing())
    assert sweep.deliveries(webhooks.db) == (0, 0)  # it is paused
    webhooks.make_due()
    webhooks.queue.sent.clear()
    assert sweep.deliveries(webhooks.db) == (1, 0)
    assert sweep.deliveries(webhooks.db) == (1, 0)  # a message that gets lost stops nothing
    (scout, second) = (
        row[0]
        for row in webhooks.postgres.rows("select delivery_id from scrapersky.outbox where sent_at is null order by id")
    )
    receiver = Receiver()
    assert isinstance(scout, UUID)
    assert isinstance(second, UUID)
    tried = webhooks.work([scout], receiver).tried
    assert set(tried.values()) == {Outcome.DELIVERED}
    assert set(tried) == set(others) - {second}
    assert webhooks.webhook(webhook_id, "failing_since, paused_until") == (None, None)


def test_a_worker_without_time_calls_another(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    webhooks.endpoint()
    first, *others = webhooks.happen(30)
    webhooks.work([first], failing())
    webhooks.work(others, failing())
    webhooks.make_due()
    webhooks.queue.sent.clear()
    from scrapersky.services.webhook_work import _Window

    times = iter([True, *[False] * 99])
    monkeypatch.setattr(_Window, "_time_for_one_more", lambda _self: next(times))
    assert len(webhooks.work([others[0]], Receiver()).tried) == 1
    assert len(webhooks.queue.sent) == 10
    assert {delay for delay, _ in webhooks.queue.sent} == {0}


def test_an_endpoint_that_failed_is_tried_with_one_delivery_at_a_time(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    ids = webhooks.happen(10)
    webhooks.change(webhook_id, "failing_since = now()")
    receiver = failing()
    tally = webhooks.work(ids, receiver)
    assert (len(tally.tried), len(tally.waiting), len(receiver.heard)) == (1, 9, 1)


def test_an_endpoint_has_no_more_workers_than_it_may(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    ids = webhooks.happen(4)
    for delivery_id in ids[:2]:
        webhooks.postgres.rows(
            "update scrapersky.webhook_deliveries"
            " set lease_token = gen_random_uuid(), lease_until = now() + interval '1 minute' where id = %s",
            delivery_id,
        )
    assert webhooks.work([ids[2]], Receiver(), workers=2).waiting == [ids[2]]
    tried = webhooks.work([ids[3]], Receiver(), workers=3).tried
    assert set(tried) == {ids[3], ids[2]}  # and what waited


def claims_beside_an_open_claim(webhooks: Webhooks) -> ClaimOutcome:
    """What comes of a second claim of an endpoint that may have one worker, begun before the first is committed."""
    webhooks.endpoint()
    first, second = webhooks.happen(2)

    def claim() -> ClaimOutcome:
        with Database(webhooks.postgres.direct_app_dsn) as db:
            (claimed,) = webhook_deliveries.claim(db, [second], Lease(uuid4(), timedelta(minutes=1), 1))
            return claimed.outcome

    with ThreadPoolExecutor(1) as pool, psycopg.connect(webhooks.postgres.direct_app_dsn) as open_one:
        claimed = open_one.execute(
            "select outcome from scrapersky.claim_deliveries(%s, %s, interval '1 minute', 1, 'x', '{}')",
            ([first], uuid4()),
        )
        assert claimed.fetchall() == [("claimed",)]
        beside = pool.submit(claim)
        wait([beside], timeout=0.3)
        open_one.commit()
        return beside.result(30)


def test_workers_that_claim_at_the_same_moment_are_no_more_than_they_may(webhooks: Webhooks) -> None:
    assert claims_beside_an_open_claim(webhooks) is ClaimOutcome.WAITING


def test_control_without_its_lock_a_claim_does_not_count_the_one_beside_it(webhooks: Webhooks) -> None:
    (written,) = webhooks.postgres.one("select pg_get_functiondef('scrapersky.claim_deliveries'::regproc)")
    assert isinstance(written, str)
    unlocked = written.replace("  for no key update;", "  ;")
    assert unlocked != written
    webhooks.postgres.rows(unlocked)
    try:
        assert claims_beside_an_open_claim(webhooks) is ClaimOutcome.CLAIMED
    finally:
        webhooks.postgres.rows(written)


def test_gone_disables_the_endpoint_and_ends_what_else_is_for_it(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    first, second, third = webhooks.happen(3)
    assert webhooks.work([first], Receiver(lambda _url: answered(410))).tried == {first: Outcome.GONE}
    assert webhooks.webhook(webhook_id, "is_enabled, disabled_reason, disabled_at is not null") == (False, "gone", True)
    assert webhooks.delivery(first, "status, error_code, error_message") == (
        "failed", "http_error", "the receiver answered 410: it wants no more",
    )  # fmt: skip
    receiver = Receiver()
    assert webhooks.work([second], receiver).ignored == [second]
    assert sweep.deliveries(webhooks.db) == (0, 1)
    for delivery_id in (second, third):
        assert webhooks.delivery(delivery_id, "status, tries, error_code, error_message, finished_at is not null") == (
            "failed", 0, "webhook_disabled",
            "the webhook was disabled before this was delivered: its receiver had answered 410 Gone", True,
        )  # fmt: skip
    assert receiver.heard == []
    assert webhooks.happen() == []


@pytest.mark.parametrize(("days", "is_enabled"), [(2.9, True), (3.1, False)], ids=["not yet", "three days"])
def test_an_endpoint_that_nothing_gets_through_to_is_disabled(
    webhooks: Webhooks, days: float, is_enabled: bool
) -> None:
    assert timedelta(days=3) == FAILING_FOR
    webhook_id = webhooks.endpoint()
    ids = webhooks.happen()
    webhooks.change(webhook_id, f"failing_since = now() - interval '{days} days'")
    webhooks.work(ids, failing())
    reason = None if is_enabled else "failing"
    assert webhooks.webhook(webhook_id, "is_enabled, disabled_reason") == (is_enabled, reason)
    webhooks.make_due()
    sweep.deliveries(webhooks.db)
    assert webhooks.delivery(ids[0], "status") == ("pending" if is_enabled else "failed",)


def test_one_success_makes_an_endpoint_well(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    ids = webhooks.happen()
    webhooks.change(webhook_id, "failing_since = now() - interval '10 days'")
    webhooks.work(ids, Receiver())
    assert webhooks.webhook(webhook_id, "is_enabled, failing_since") == (True, None)


def test_what_a_receiver_asks_for_pauses_its_others_too(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    webhooks.queue.sent.clear()
    webhooks.work([delivery_id], Receiver(lambda _url: answered(429, retry_after=120.0)))
    assert [delay for delay, _ in webhooks.queue.sent] == [120]
    ((pause,),) = webhooks.postgres.rows(
        "select w.paused_until - d.updated_at from scrapersky.webhooks w, scrapersky.webhook_deliveries d"
    )
    assert pause == timedelta(seconds=120)
    assert webhooks.webhook(webhook_id, "is_enabled") == (True,)


def test_deliveries_to_an_endpoint_that_is_deleted_are_gone_with_it(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    first, second = webhooks.happen(2)

    def delete(_url: str) -> Posted:
        webhooks.postgres.rows("delete from scrapersky.webhooks where id = %s", webhook_id)
        return OK

    assert webhooks.work([first], Receiver(delete)).fenced == [first]
    assert webhooks.work([second], Receiver()).ignored == [second]
    for table in ("webhook_deliveries", "webhook_attempts"):
        assert webhooks.postgres.rows(f"select count(*) from scrapersky.{table}") == [(0,)]
    assert webhooks.postgres.rows("select count(*) from scrapersky.outbox where delivery_id is not null") == [(0,)]


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
