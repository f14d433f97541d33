"""What a tenant asks of its webhooks comes to the same when the answer to a commit is lost and all of it runs again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.webhook_views import MAX_WEBHOOKS, WebhookRequest
from scrapersky.domain.webhooks import DeliveryStatus
from scrapersky.services import webhook_log, webhooks
from support.log_lines import recorded
from support.lost_answers import LosesAnswers

T = TypeVar("T")
REQUEST = WebhookRequest("https://hooks.example/in", ("job.complete",), None)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def forgetful(postgres: TestDatabase) -> Iterator[LosesAnswers]:
    with LosesAnswers(postgres.app_dsn) as database:
        yield database


def failed_delivery(postgres: TestDatabase, caller: Caller, webhook_id: UUID) -> UUID:
    (delivery_id,) = postgres.one(
        """
        with e as (
          insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id)
          values (%s, 'webhook.test', %s, '{}', '') returning tenant_id, webhook_id, id
        )
        insert into scrapersky.webhook_deliveries (tenant_id, webhook_id, event_id, status, finished_at)
        select tenant_id, webhook_id, id, 'failed', now() from e returning id
        """,
        *(caller.tenant_id, webhook_id),
    )
    assert isinstance(delivery_id, UUID)
    return delivery_id


def test_the_last_webhook_that_there_may_be_is_made_once(
    forgetful: LosesAnswers, db: Database, caller: Caller, postgres: TestDatabase
) -> None:
    for _ in range(MAX_WEBHOOKS - 1):
        webhooks.create(db, caller, REQUEST, None)
    made = webhooks.create(forgetful, caller, REQUEST, None)
    assert forgetful.lost == 1
    assert postgres.rows("select count(*) from scrapersky.webhooks") == [(MAX_WEBHOOKS,)]
    assert webhooks.get(db, caller.tenant_id, made.id).created_at == made.created_at


def test_a_rotation_is_one_rotation(forgetful: LosesAnswers, db: Database, caller: Caller) -> None:
    made = webhooks.create(db, caller, REQUEST, None)
    rotated = webhooks.rotate(forgetful, caller, made.id, None)
    now = webhooks.get(db, caller.tenant_id, made.id)
    assert (forgetful.lost, rotated.secret_version, now.secret_version) == (1, 2, 2)
    assert rotated.previous_secret_until == now.previous_secret_until


def test_a_test_is_one_event(forgetful: LosesAnswers, db: Database, caller: Caller, queue: ScanQueue) -> None:
    made = webhooks.create(db, caller, REQUEST, None)
    happened = webhooks.test(forgetful, queue.sender, caller, made.id, None)
    (event,), _ = webhook_log.events(db, caller.tenant_id)
    assert (forgetful.lost, event.id, event.occurred_at) == (1, happened.event_id, happened.at)
    assert len(queue.drain_events()) == 1


def test_what_was_deleted_is_deleted_and_not_unknown(forgetful: LosesAnswers, db: Database, caller: Caller) -> None:
    made = webhooks.create(db, caller, REQUEST, None)
    webhooks.delete(forgetful, caller.tenant_id, made.id)
    assert forgetful.lost == 1
    assert webhooks.listing(db, caller.tenant_id) == ([], None)


def test_a_webhook_is_told_of_when_it_is_made(
    db: Database, forgetful: LosesAnswers, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    key = Idempotency("k", b"1" * 32)
    with recorded(capsys) as written:
        made = [webhooks.create(forgetful, caller, REQUEST, key), webhooks.create(db, caller, REQUEST, key)]
        told = [event["webhook_id"] for event in written.events() if event["message"] == "webhook made"]
    assert ({webhook.id for webhook in made}, told) == ({made[0].id}, [str(made[0].id)])


def test_a_replay_counts_what_it_has_set_back_itself(
    forgetful: LosesAnswers, db: Database, caller: Caller, queue: ScanQueue, postgres: TestDatabase
) -> None:
    made = webhooks.create(db, caller, REQUEST, None)
    deliveries = [failed_delivery(postgres, caller, made.id) for _ in range(3)]
    webhook_log.replay(forgetful, queue.sender, caller, deliveries[0], None)
    replayed = webhook_log.replay_many(
        forgetful,
        queue.sender,
        caller,
        made.id,
        since=SINCE,
        until=None,
        status=DeliveryStatus.FAILED,
        idempotency=None,
    )
    assert (forgetful.lost >= 2, replayed.count) == (True, 2)
    # Their messages were lost with the answer, and are owed: once each.
    assert postgres.rows("select count(*), count(distinct delivery_id) from scrapersky.outbox") == [(3, 3)]


def test_control_what_runs_again_without_a_key_rotates_twice(
    forgetful: LosesAnswers, db: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "first_holder", lambda *_: None)
    made = webhooks.create(db, caller, REQUEST, None)
    assert webhooks.rotate(forgetful, caller, made.id, None).secret_version == 3
