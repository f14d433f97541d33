"""What becomes of deliveries with their endpoint: it fails, is paused, has enough workers, is disabled or deleted."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from scrapersky.db import sweep, webhook_deliveries
from scrapersky.db.connection import Database
from scrapersky.db.webhook_deliveries import ClaimOutcome, Lease
from scrapersky.domain.webhooks import FAILING_FOR, Outcome
from scrapersky.scraping.post import Posted
from support.webhooks import OK, Receiver, Webhooks, answered, failing

AT = datetime(2026, 1, 31, tzinfo=UTC)


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


def waits_for_a_lock(postgres: TestDatabase) -> bool:
    """Whether somebody in this database waits for what somebody else holds."""
    return bool(
        postgres.rows("select 1 from pg_stat_activity where datname = %s and wait_event_type = 'Lock'", postgres.name)
    )


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
        until = time.monotonic() + 30
        while not (beside.done() or waits_for_a_lock(webhooks.postgres)):
            assert time.monotonic() < until, "the second claim neither ends nor waits"
        open_one.commit()
        return beside.result(30)


def test_workers_that_claim_at_the_same_moment_are_no_more_than_they_may(webhooks: Webhooks) -> None:
    assert claims_beside_an_open_claim(webhooks) is ClaimOutcome.WAITING


DOOR = "scrapersky.claim_deliveries(uuid[], uuid, interval, integer, text, jsonb, integer)"


def test_control_without_its_lock_a_claim_does_not_count_the_one_beside_it(webhooks: Webhooks) -> None:
    (written,) = webhooks.postgres.one("select pg_get_functiondef(%s::regprocedure)", DOOR)
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
