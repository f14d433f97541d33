"""Webhooks over HTTP: changed, disabled and enabled, deleted."""

import time
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from conftest import TestDatabase
from integration.api.conftest import DELIVERIES, WEBHOOKS, Client, refused
from integration.conftest import ScanQueue
from scrapersky.db.connection import Database
from scrapersky.domain.webhook_views import MAX_WEBHOOKS
from scrapersky.services import sweep
from support.http_events import Answered

ALL = ["job.complete", "job.failed", "job.cancelled", "batch.complete", "batch.failed", "batch.cancelled"]


def change(client: Client, webhook_id: str, **fields: Any) -> Answered:
    return client.call("PATCH", f"{WEBHOOKS}/{webhook_id}", json_body=fields)


def rotate(client: Client, webhook_id: str, key: str | None = None) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    return client.call("POST", f"{WEBHOOKS}/{webhook_id}/rotate-secret", headers=headers)


def urls_of(client: Client) -> list[str]:
    return [item["url"] for item in client.get(WEBHOOKS).json["items"]]


# --- changed ---


def test_a_change_leaves_everything_else_as_it_is(client: Client) -> None:
    before = client.make_webhook(events=["job.complete"], description="d").json
    del before["secret"]
    for fields, becomes in (
        ({"description": "e"}, {"description": "e"}),
        ({"description": None}, {"description": None}),
        ({"url": "https://b.example:80/x"}, {"url": "https://b.example:80/x"}),
        ({"events": ["batch.failed", "job.failed"]}, {"events": ["job.failed", "batch.failed"]}),
        ({"events": None}, {"events": ALL}),
        ({}, {}),
        ({"tenant_id": str(client.tenant_id)}, {}),
    ):
        answer = change(client, before["id"], **fields)
        after = answer.json
        assert (answer.status, after) == (200, {**before, **becomes, "updated_at": after["updated_at"]})
        assert (after["updated_at"] == before["updated_at"]) == (not becomes)
        assert client.get(f"{WEBHOOKS}/{before['id']}").json == after
        before = after


def test_it_is_disabled_and_enabled_by_request(client: Client, postgres: TestDatabase) -> None:
    webhook_id = client.made_webhook()
    off = change(client, webhook_id, enabled=False).json
    assert (off["enabled"], off["disabled_reason"]) == (False, "by_request")
    assert off["disabled_at"] == off["updated_at"]
    again = change(client, webhook_id, enabled=False).json
    assert again["disabled_at"] == off["disabled_at"]
    on = change(client, webhook_id, enabled=True).json
    assert (on["enabled"], on["disabled_reason"], on["disabled_at"]) == (True, None, None)

    postgres.rows(
        "update scrapersky.webhooks set is_enabled = false, disabled_reason = 'failing', disabled_at = now(),"
        " failing_since = now() - interval '3 days', paused_until = now() + interval '30 minutes'"
    )
    failing = client.get(f"{WEBHOOKS}/{webhook_id}").json
    assert (failing["disabled_reason"], failing["failing_since"] is None) == ("failing", False)
    assert change(client, webhook_id, enabled=False).json["disabled_reason"] == "failing"
    well = change(client, webhook_id, enabled=True).json
    assert (well["enabled"], well["disabled_reason"], well["failing_since"], well["paused_until"]) == (
        *(True, None),
        *(None, None),
    )


def test_what_was_held_against_an_address_is_not_held_against_the_next(client: Client, postgres: TestDatabase) -> None:
    webhook_id = client.made_webhook()
    postgres.rows("update scrapersky.webhooks set failing_since = now(), paused_until = now() + interval '1 hour'")
    same = change(client, webhook_id, url="https://hooks.example/in", description="the same address").json
    assert None not in (same["failing_since"], same["paused_until"])
    other = change(client, webhook_id, url="https://hooks.example/new").json
    assert (other["failing_since"], other["paused_until"]) == (None, None)


UNCHANGEABLE: list[tuple[dict[str, Any], list[str | int]]] = [
    ({"url": None}, ["body", "url"]),
    ({"url": "https://[::1]/"}, ["body", "url"]),
    ({"enabled": None}, ["body", "enabled"]),
    ({"enabled": "yes"}, ["body", "enabled"]),
    ({"enabled": 1}, ["body", "enabled"]),
    ({"events": []}, ["body", "events"]),
    ({"events": ["webhook.test"]}, ["body", "events", 0]),
    ({"disabled_reason": None}, ["body", "disabled_reason"]),
    ({"secret_version": 1}, ["body", "secret_version"]),
]


def test_what_cannot_be_changed_so_is_refused_whole(client: Client) -> None:
    webhook_id = client.made_webhook()
    before = client.get(f"{WEBHOOKS}/{webhook_id}").body
    for fields, loc in UNCHANGEABLE:
        answer = change(client, webhook_id, **{"description": "never", **fields})
        assert (answer.status, answer.json["errors"][0]["loc"]) == (422, loc)
    for body in (None, "null", "[]", '"x"'):
        assert client.call("PATCH", f"{WEBHOOKS}/{webhook_id}", body=body).status == 422
    assert client.get(f"{WEBHOOKS}/{webhook_id}").body == before


# --- deleted ---


def test_a_webhook_that_is_deleted_takes_its_deliveries_and_their_messages_along(
    client: Client, postgres: TestDatabase, db: Database, queue: ScanQueue
) -> None:
    kept, gone = client.made_webhook(), client.made_webhook()
    for webhook_id in (kept, gone):
        postgres.rows(
            """
            with e as (
              insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id)
              values (%s, 'webhook.test', %s, %s, '') returning tenant_id, webhook_id, id
            ), d as (
              insert into scrapersky.webhook_deliveries (tenant_id, webhook_id, event_id, tries, attempts)
              select tenant_id, webhook_id, id, 1, 1 from e returning tenant_id, id
            ), a as (
              insert into scrapersky.webhook_attempts (tenant_id, delivery_id, number, url, started_at, ms)
              select tenant_id, id, 1, 'https://a', now(), 1 from d
            )
            insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, held_until)
            select tenant_id, id, 'webhook', scrapersky.delivery_message(id, ''), now() from d
            """,
            client.tenant_id,
            UUID(webhook_id),
            Jsonb({}),
        )
    (delivery,) = client.get(f"{WEBHOOKS}/{gone}/deliveries").json["items"]
    answer = client.call("DELETE", f"{WEBHOOKS}/{gone}")
    assert (answer.status, answer.body) == (204, "")
    assert urls_of(client) == ["https://hooks.example/in"]
    for method, path in (
        *(("GET", f"{WEBHOOKS}/{gone}"), ("PATCH", f"{WEBHOOKS}/{gone}"), ("DELETE", f"{WEBHOOKS}/{gone}")),
        *(("POST", f"{WEBHOOKS}/{gone}/rotate-secret"), ("POST", f"{WEBHOOKS}/{gone}/test")),
        *(("GET", f"{WEBHOOKS}/{gone}/deliveries"), ("GET", f"{DELIVERIES}/{delivery['id']}")),
        ("POST", f"{DELIVERIES}/{delivery['id']}/replay"),
    ):
        body = {"enabled": True} if method == "PATCH" else None
        refused(client.call(method, path, json_body=body), 404, "not_found")
    replay_of = {"since": "2026-01-01T00:00:00Z"}
    refused(client.call("POST", f"{WEBHOOKS}/{gone}/replay", json_body=replay_of), 404, "not_found")

    of_gone = "where webhook_id = (select id from scrapersky.webhooks where deleted_at is not null)"
    lease = "update scrapersky.webhook_deliveries set lease_token = id, lease_until = now() + interval '1 minute'"
    postgres.rows(f"{lease} {of_gone}")
    sweep.run(db, queue.sender, deadline=time.monotonic() + 10)
    assert postgres.rows("select count(*) from scrapersky.webhooks") == [(2,)]  # a worker is at it
    postgres.rows(f"update scrapersky.webhook_deliveries set lease_until = now() - interval '1 second' {of_gone}")
    sweep.run(db, queue.sender, deadline=time.monotonic() + 10)
    for table in ("webhooks", "webhook_deliveries", "webhook_attempts", "outbox"):
        assert postgres.rows(f"select count(*) from scrapersky.{table}") == [(1,)], table
    assert postgres.rows("select id::text from scrapersky.webhooks") == [(kept,)]


def test_one_that_was_deleted_makes_room_at_once(client: Client) -> None:
    made = [client.made_webhook() for _ in range(MAX_WEBHOOKS)]
    assert client.call("DELETE", f"{WEBHOOKS}/{made[3]}").status == 204
    assert client.make_webhook().status == 201
    refused(client.make_webhook(), 409, "webhook_limit")
