"""Deliveries that are made again over HTTP: one, or all since a time."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import DELIVERIES, WEBHOOKS, Client, refused
from integration.api.webhook_log import BEGIN, MINUTE, named, owed, replay, replay_many, told, try_out
from integration.conftest import ScanQueue
from scrapersky import wiring
from scrapersky.db.connection import Database
from scrapersky.domain import webhook_views
from scrapersky.domain.webhooks import WEBHOOK_DISABLED
from scrapersky.services import sweep, webhook_log

# --- one again ---


@pytest.mark.parametrize("status", ["delivered", "failed"])
def test_a_delivery_that_ended_is_made_again(
    client: Client, postgres: TestDatabase, queue: ScanQueue, status: str
) -> None:
    webhook_id = client.made_webhook()
    postgres.rows("update scrapersky.webhooks set paused_until = now() + interval '1 hour'")
    (delivery_id,) = told(client, webhook_id, status=status, tries=10, attempts=10)
    answer = replay(client, delivery_id, "r")
    path = f"{DELIVERIES}/{delivery_id}"
    assert (answer.status, answer.headers["location"]) == (202, f"https://api.example{path}")
    assert answer.json == {"delivery_id": delivery_id, "status_url": answer.headers["location"]}
    shown = client.get(path).json
    assert (shown["status"], shown["tries"], shown["attempts"], shown["finished_at"]) == ("pending", 0, 10, None)
    assert client.get(f"{WEBHOOKS}/{webhook_id}").json["paused_until"] is None
    assert named(queue) == [delivery_id]
    again = replay(client, delivery_id, "r")
    assert (again.status, again.body) == (202, answer.body)
    assert (named(queue), owed(postgres)) == ([], [])
    assert replay(client, delivery_id).status == 202  # another request of the same thing
    assert named(queue) == [delivery_id]


def test_a_delivery_that_waits_for_its_next_try_is_tried_at_once_and_has_one_message(
    client: Client, postgres: TestDatabase, queue: ScanQueue
) -> None:
    webhook_id = client.made_webhook()
    later = datetime.now(UTC) + timedelta(hours=5)
    (delivery_id,) = told(client, webhook_id, status="pending", tries=5, attempts=5, next_attempt_at=later)
    postgres.rows(
        "insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, due_at, held_until)"
        " select tenant_id, id, 'webhook', scrapersky.delivery_message(id, ''), next_attempt_at, next_attempt_at"
        " from scrapersky.webhook_deliveries"
    )
    assert replay(client, delivery_id).status == 202
    assert named(queue) == [delivery_id]
    shown = client.get(f"{DELIVERIES}/{delivery_id}").json
    assert (shown["tries"], datetime.fromisoformat(shown["next_attempt_at"]) < later) == (0, True)
    assert postgres.rows("select 1 from scrapersky.outbox where sent_at is null") == []


def test_a_delivery_that_is_being_tried_is_left_to_its_worker(
    client: Client, postgres: TestDatabase, queue: ScanQueue
) -> None:
    webhook_id = client.made_webhook()
    leased: dict[str, Any] = {"status": "pending", "lease_token": uuid4(), "lease_until": datetime.now(UTC) + MINUTE}
    (delivery_id,) = told(client, webhook_id, **leased)
    refused(replay(client, delivery_id, "r"), 409, "delivery_under_way")
    assert replay_many(client, webhook_id, status="pending").json["replayed"] == 0
    assert named(queue) == []
    postgres.rows("update scrapersky.webhook_deliveries set lease_until = now() - interval '1 second'")
    assert replay(client, delivery_id, "r").status == 202  # its worker was lost; the key was left free
    assert postgres.rows("select lease_token, lease_until from scrapersky.webhook_deliveries") == [(None, None)]


def test_a_message_that_cannot_be_sent_stays_owed(
    client: Client, postgres: TestDatabase, queue: ScanQueue, db: Database
) -> None:
    webhook_id = client.made_webhook()
    (delivery_id,) = told(client, webhook_id, status="failed")
    with pytest.MonkeyPatch.context() as patch:
        wiring.sender.cache_clear()
        patch.setenv("WEBHOOK_QUEUE_URL", queue.webhook_url + "-gone")
        assert replay(client, delivery_id).status == 202
    wiring.sender.cache_clear()
    assert owed(postgres) == [delivery_id]
    postgres.rows("update scrapersky.outbox set held_until = now()")
    sweep.run(db, queue.sender, deadline=time.monotonic() + 10)
    assert named(queue) == [delivery_id]


def test_nothing_is_sent_to_a_disabled_webhook(client: Client, postgres: TestDatabase, queue: ScanQueue) -> None:
    webhook_id = client.made_webhook()
    (delivery_id,) = told(client, webhook_id, status="failed")
    client.call("PATCH", f"{WEBHOOKS}/{webhook_id}", json_body={"enabled": False})
    for answer in (try_out(client, webhook_id), replay(client, delivery_id), replay_many(client, webhook_id)):
        assert "enable it" in refused(answer, 409, WEBHOOK_DISABLED)["detail"]
    assert (queue.drain_events(), named(queue), owed(postgres)) == ([], [], [])


# --- many again ---


def test_what_failed_since_a_time_is_made_again_the_oldest_first(
    client: Client, postgres: TestDatabase, queue: ScanQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_log, "SENT_AT_ONCE", 2)
    webhook_id, other = client.made_webhook(), client.made_webhook()
    failed = told(client, webhook_id, 6, status="failed")
    delivered = told(client, webhook_id, 6)
    told(client, other, 6, status="failed")
    since, until = (BEGIN + MINUTE).isoformat(), (BEGIN + 5 * MINUTE).isoformat()
    answer = replay_many(client, webhook_id, since=since, until=until, key="m")
    assert (answer.status, answer.json["replayed"], answer.json["replayed_truncated"]) == (202, 4, False)
    assert answer.headers["location"] == answer.json["status_url"]
    pending = client.get(answer.json["status_url"]).json["items"]
    assert [item["id"] for item in pending] == failed[4:0:-1]
    assert named(queue) == failed[1:3]
    assert owed(postgres) == failed[3:5]  # the sweep's
    assert postgres.rows("select count(*) from scrapersky.outbox where held_until > now()") == [(2,)]
    again = replay_many(client, webhook_id, since=since, until=until, key="m")
    assert (again.status, again.body) == (202, answer.body)
    assert replay_many(client, webhook_id, since=since, until=until).json["replayed"] == 0
    assert replay_many(client, webhook_id, status="delivered").json["replayed"] == len(delivered)
    waits = replay_many(client, webhook_id, status="pending").json
    assert waits["replayed"] == 0  # all of it is due
    postgres.rows("update scrapersky.webhook_deliveries set next_attempt_at = now() + interval '1 h' where tries = 0")
    assert replay_many(client, webhook_id, status="pending").json["replayed"] == 10
    assert len(client.get(f"{WEBHOOKS}/{other}/deliveries?status=failed").json["items"]) == 6


def test_no_more_are_made_again_than_one_request_may_and_that_is_told(
    client: Client, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_log, "MAX_REPLAYED", 2)
    monkeypatch.setattr(webhook_views, "MAX_REPLAYED", 2)
    webhook_id = client.made_webhook()
    told(client, webhook_id, 5, status="failed")
    told_of = [replay_many(client, webhook_id).json for _ in range(4)]
    assert [(item["replayed"], item["replayed_truncated"]) for item in told_of] == [
        *((2, True), (2, True)),
        *((1, False), (0, False)),
    ]
    assert [item["next_since"] is None for item in told_of] == [False, False, True, True]


def test_a_replay_that_was_cut_goes_on_where_it_says_whatever_became_of_the_first_of_them(
    client: Client, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is replayed and delivered again stands as it stood: the same request would choose the same ones for ever."""
    monkeypatch.setattr(webhook_log, "MAX_REPLAYED", 2)
    monkeypatch.setattr(webhook_views, "MAX_REPLAYED", 2)
    webhook_id = client.made_webhook()
    deliveries = told(client, webhook_id, 4)

    def replayed(**asked: str) -> tuple[list[str], str | None]:
        answer = replay_many(client, webhook_id, status="delivered", key="k" + asked.get("since", ""), **asked)
        again = replay_many(client, webhook_id, status="delivered", key="k" + asked.get("since", ""), **asked)
        assert again.body == answer.body
        rows = postgres.rows(
            "update scrapersky.webhook_deliveries set status = 'delivered', finished_at = now()"
            " where status = 'pending' returning id::text"
        )
        return [identity for identity in deliveries if (identity,) in rows], answer.json["next_since"]

    first, since = replayed()
    assert (first, since) == (deliveries[:2], (BEGIN + MINUTE).isoformat().replace("+00:00", "Z"))
    second, since = replayed(since=since or "")
    # The last one's time may be that of others too, so it is among the next: a receiver knows it by its `webhook-id`.
    assert second == deliveries[1:3]
    third, since = replayed(since=since or "")
    assert third == deliveries[2:]
    assert since == (BEGIN + 3 * MINUTE).isoformat().replace("+00:00", "Z")
    assert replayed(since=since) == (deliveries[3:], None)


def test_ten_thousand_are_made_again_within_a_request(client: Client, postgres: TestDatabase, queue: ScanQueue) -> None:
    webhook_id = client.made_webhook()
    told(client, webhook_id, webhook_views.MAX_REPLAYED, status="failed")
    begin = time.monotonic()
    assert replay_many(client, webhook_id).json["replayed"] == webhook_views.MAX_REPLAYED
    assert time.monotonic() - begin < 8
    assert postgres.rows("select count(*) from scrapersky.outbox where delivery_id is not null") == [(10_000,)]
    assert len(named(queue)) == webhook_log.SENT_AT_ONCE
    begin = time.monotonic()
    assert client.call("DELETE", f"{WEBHOOKS}/{webhook_id}").status == 204
    assert time.monotonic() - begin < 8


BAD: list[tuple[dict[str, Any], list[str | int]]] = [
    ({"since": None}, ["body", "since"]),
    ({"since": "yesterday"}, ["body", "since"]),
    ({"since": 0}, ["body", "since"]),
    ({"since": "1772442000"}, ["body", "since"]),
    ({"since": "2026-03-02"}, ["body", "since"]),
    ({"since": "2026-03-02T09:00:00"}, ["body", "since"]),
    ({"since": "2026-13-02T09:00:00Z"}, ["body", "since"]),
    ({"until": "now"}, ["body", "until"]),
    ({"until": "2026-01-01T00:00:00Z"}, ["body", "until"]),
    ({"until": "2025-12-31T00:00:00Z"}, ["body", "until"]),
    ({"status": "done"}, ["body", "status"]),
    ({"status": None}, ["body", "status"]),
    ({"limit": 5}, ["body", "limit"]),
]


def test_what_is_wrong_with_a_replay_is_told_with_its_field(client: Client, postgres: TestDatabase) -> None:
    webhook_id = client.made_webhook()
    told(client, webhook_id, status="failed")
    for body, loc in BAD:
        problem = refused(replay_many(client, webhook_id, **body), 422, "invalid")
        assert [error["loc"] for error in problem["errors"]] == [loc], (body, problem)
    assert client.call("POST", f"{WEBHOOKS}/{webhook_id}/replay").status == 422
    for since in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert replay_many(client, webhook_id, since=since).status == 202, since
