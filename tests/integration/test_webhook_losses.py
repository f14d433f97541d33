"""A delivery whose workers are lost each time is not tried for ever: three of them are a failed try."""

import threading
from collections.abc import Iterable
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.test_turns import define
from scrapersky.db import sweep
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.webhooks import MAX_CLAIMS, MAX_TRIES, Outcome
from scrapersky.scraping.limits import POST_LIMITS
from scrapersky.scraping.post import Posted
from scrapersky.services import webhook_log
from support.webhook_receivers import OK, HttpReceiver, end_jobs
from support.webhook_workers import WebhookWorkers
from support.webhooks import Receiver, Webhooks, answered

LOST = ("worker_lost", "the workers that tried it were lost, 3 in a row")


def expire(postgres: TestDatabase) -> None:
    """The time of lost workers is over."""
    postgres.rows("update scrapersky.webhook_deliveries set lease_until = now() - interval '1 second'"
                  " where lease_until is not null")  # fmt: skip


def lose(webhooks: Webhooks, ids: Iterable[UUID], times: int = 1) -> None:
    """So many workers, one after the other, die while they try these deliveries."""

    def die(_url: str) -> Posted:
        raise SystemExit

    for _ in range(times):
        with pytest.raises(SystemExit):
            webhooks.work(list(ids), Receiver(die))
        expire(webhooks.postgres)


def log(webhooks: Webhooks, delivery_id: UUID) -> list[tuple[object, ...]]:
    return webhooks.postgres.rows(
        "select number, status_code, error_code, error_message from scrapersky.webhook_attempts"
        " where delivery_id = %s order by number",
        delivery_id,
    )


# --- workers that are really killed ---


def kill_each(db: Database, postgres: TestDatabase, *, most: int) -> tuple[int, Webhooks, UUID]:
    """Kill each worker when its receiver has heard of the delivery; how many died before one came to an end, or `most`.

    Their messages are lost with them, so that it is the sweep that finds the delivery, when its lease is over.
    """
    is_over = threading.Event()

    def answer_too_late(_number: int) -> bytes:
        is_over.wait(POST_LIMITS.seconds - 1)
        return OK

    receiver = HttpReceiver(answer_too_late)
    webhooks = Webhooks(db, postgres)
    with receiver.listening() as port:
        webhooks.endpoint("http://hook.example/in")
        end_jobs(postgres, webhooks.tenant_id, 1)
        with WebhookWorkers(
            postgres.app_dsn, {"hook.example": port}, lease_seconds=2, invocation_seconds=60, redelivers=False
        ) as workers:
            webhooks.dispatch(workers.sender)
            (delivery_id,) = postgres.one("select id from scrapersky.webhook_deliveries")
            assert isinstance(delivery_id, UUID)
            for number in range(1, most + 1):
                workers.run(
                    lambda: workers.figures.killed == number or bool(log(webhooks, delivery_id)),  # noqa: B023
                    at_once=1,
                    seconds=20,
                    kill_every=0.001,
                    progress=lambda: len(receiver.heard) - workers.figures.killed,
                )
                if workers.figures.killed < number:
                    break
                expire(postgres)
            killed = workers.figures.killed
            workers.settle(5)
            is_over.set()
        assert len(receiver.heard) == killed  # what counts as a failed try asks nobody
    return killed, webhooks, delivery_id


def test_what_kills_each_of_its_workers_is_a_failed_try_after_three(db: Database, postgres: TestDatabase) -> None:
    killed, webhooks, delivery_id = kill_each(db, postgres, most=MAX_CLAIMS + 2)
    assert killed == MAX_CLAIMS
    assert log(webhooks, delivery_id) == [(1, None, *LOST)]
    assert webhooks.delivery(
        delivery_id, "status, tries, attempts, error_code, next_attempt_at > updated_at + interval '1 second'"
    ) == ("pending", 1, 1, "worker_lost", True)
    webhooks.make_due()
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}


def test_control_without_the_count_it_is_tried_for_ever(db: Database, postgres: TestDatabase) -> None:
    define(postgres, 10, "claim_deliveries", lambda text: text.replace("'spent'", "'claimed'"))
    killed, webhooks, delivery_id = kill_each(db, postgres, most=MAX_CLAIMS + 2)
    assert killed == MAX_CLAIMS + 2
    assert log(webhooks, delivery_id) == []


# --- workers that die in their own process ---


def test_it_follows_the_schedule_to_its_end_as_any_failure(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    outcomes: list[Outcome] = []
    for _ in range(MAX_TRIES):
        lose(webhooks, [delivery_id], MAX_CLAIMS)
        outcomes += webhooks.work([delivery_id], Receiver()).tried.values()
        webhooks.make_due()
    assert outcomes == [Outcome.RETRIED] * (MAX_TRIES - 1) + [Outcome.FAILED]
    assert log(webhooks, delivery_id) == [(number, None, *LOST) for number in range(1, MAX_TRIES + 1)]
    assert webhooks.delivery(delivery_id, "status, error_code, error_message") == ("failed", *LOST)
    assert webhooks.webhook(webhook_id, "failing_since is not null") == (True,)


def test_an_endpoint_to_which_nothing_got_through_for_days_is_disabled(webhooks: Webhooks) -> None:
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    webhooks.change(webhook_id, "failing_since = now() - interval '4 days'")
    lose(webhooks, [delivery_id], MAX_CLAIMS)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.RETRIED}
    assert webhooks.webhook(webhook_id, "is_enabled, disabled_reason") == (False, "failing")


def test_what_was_lost_less_often_is_tried(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    lose(webhooks, [delivery_id], MAX_CLAIMS - 1)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}
    assert log(webhooks, delivery_id) == [(1, 204, None, None)]


def test_an_outcome_begins_the_count_anew(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    for _ in range(2):
        lose(webhooks, [delivery_id], MAX_CLAIMS - 1)
        assert webhooks.work([delivery_id], Receiver(lambda _: answered(500))).tried == {delivery_id: Outcome.RETRIED}
        webhooks.make_due()
    assert [line[2] for line in log(webhooks, delivery_id)] == ["http_error"] * 2


def test_a_replay_begins_the_count_anew(webhooks: Webhooks, caller: Caller) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    lose(webhooks, [delivery_id], MAX_CLAIMS)
    webhooks.postgres.rows("update scrapersky.webhook_deliveries set next_attempt_at = now() + interval '1 minute'")
    told = Caller(webhooks.tenant_id, caller.user_id, caller.correlation_id)
    webhook_log.replay(webhooks.db, webhooks.queue.sender(), told, delivery_id, None)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}


def test_who_gives_a_delivery_back_has_not_lost_it(webhooks: Webhooks) -> None:
    """Without the time for a try; while another worker is at it; and while its endpoint is paused."""
    webhook_id = webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    lose(webhooks, [delivery_id], MAX_CLAIMS - 1)
    for _ in range(MAX_CLAIMS):
        assert webhooks.work([delivery_id], Receiver(), seconds=20).later == [delivery_id]
    webhooks.postgres.rows("update scrapersky.webhook_deliveries set lease_until = now() + interval '1 minute'")
    for _ in range(MAX_CLAIMS):
        assert webhooks.work([delivery_id], Receiver()).later == [delivery_id]
    expire(webhooks.postgres)
    webhooks.change(webhook_id, "paused_until = now() + interval '1 minute'")
    for _ in range(MAX_CLAIMS):
        assert webhooks.work([delivery_id], Receiver()).waiting == [delivery_id]
    webhooks.make_due()
    assert sweep.deliveries(webhooks.db) == (1, 0)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}


def test_beside_it_the_others_are_tried(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (lost,) = webhooks.happen()
    lose(webhooks, [lost], MAX_CLAIMS)
    other = Webhooks(webhooks.db, webhooks.postgres, webhooks.queue)
    other.endpoint()
    (well,) = other.happen()
    webhooks.queue.sent.clear()
    tally = webhooks.work([lost, well], receiver := Receiver())
    assert tally.tried == {lost: Outcome.RETRIED, well: Outcome.DELIVERED}
    assert len(receiver.heard) == 1
    ((delay, _),) = webhooks.queue.sent  # the message of its next try
    assert delay == 5


def test_workers_of_the_version_before_claim_as_before_and_count_nothing(webhooks: Webhooks) -> None:
    webhooks.endpoint()
    (delivery_id,) = webhooks.happen()
    for _ in range(MAX_CLAIMS + 1):
        (row,) = webhooks.db.query(
            "select claim.* from scrapersky.claim_deliveries("
            " %(ids)s::uuid[], %(token)s, interval '1 minute', 5, 'webhook_disabled', '{}') as claim",
            {"ids": [delivery_id], "token": uuid4()},
        )
        assert (row["outcome"], len(row)) == ("claimed", 15)
        expire(webhooks.postgres)
    assert webhooks.work([delivery_id], Receiver()).tried == {delivery_id: Outcome.DELIVERED}
