"""Webhooks over HTTP: made, read, changed, listed; their secrets, and how many there may be."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import WEBHOOK_KEY, WEBHOOKS, Client, refused
from scrapersky.api import webhook_schemas
from scrapersky.db.connection import Cursor, Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.webhook_views import MAX_WEBHOOKS, WebhookRequest
from scrapersky.domain.webhooks import endpoint_secret
from scrapersky.errors import Conflict
from scrapersky.services import webhooks
from support.http_events import Answered
from support.log_lines import recorded

ALL = ["job.complete", "job.failed", "job.cancelled", "batch.complete", "batch.failed", "batch.cancelled"]


def change(client: Client, webhook_id: str, **fields: Any) -> Answered:
    return client.call("PATCH", f"{WEBHOOKS}/{webhook_id}", json_body=fields)


def rotate(client: Client, webhook_id: str, key: str | None = None) -> Answered:
    headers = {"idempotency-key": key} if key is not None else {}
    return client.call("POST", f"{WEBHOOKS}/{webhook_id}/rotate-secret", headers=headers)


def urls_of(client: Client) -> list[str]:
    return [item["url"] for item in client.get(WEBHOOKS).json["items"]]


# --- made ---


def test_a_webhook_that_is_made_tells_its_secret_and_its_address(client: Client) -> None:
    answer = client.make_webhook("https://Hooks.Example:443/in?a=b", events=["batch.failed", "job.complete"])
    made = answer.json
    assert (answer.status, answer.headers["location"]) == (201, f"https://api.example{WEBHOOKS}/{made['id']}")
    assert set(made) == set(webhook_schemas.WebhookCreated.model_fields)
    assert made["secret"] == endpoint_secret(WEBHOOK_KEY, UUID(made["id"]), 1)
    assert (made["url"], made["events"]) == ("https://hooks.example/in?a=b", ["job.complete", "batch.failed"])
    shown = client.get(answer.headers["location"]).json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert client.get(WEBHOOKS).json == {"items": [shown], "next_cursor": None}
    assert shown["enabled"] is True
    assert [name for name, value in shown.items() if value is None] == [
        *("description", "disabled_reason", "disabled_at", "failing_since", "paused_until"),
        "previous_secret_expires_at",
    ]


def test_the_types_are_kept_each_once(client: Client) -> None:
    for events, kept in ((None, ALL), (["job.failed", "job.failed"], ["job.failed"]), (ALL[::-1], ALL)):
        assert client.make_webhook(events=events).json["events"] == kept
    assert client.make_webhook().json["events"] == ALL


def test_no_two_webhooks_and_no_two_versions_have_the_same_secret(client: Client) -> None:
    made = [client.make_webhook().json for _ in range(2)]
    secrets = {webhook["secret"] for webhook in made}
    for webhook in made:
        secrets |= {rotate(client, webhook["id"]).json["secret"] for _ in range(2)}
    assert len(secrets) == 6


def test_a_secret_is_told_once_and_stands_nowhere(
    client: Client, postgres: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(capsys) as written:
        made = client.make_webhook(key="k").json
        secret = rotate(client, made["id"], key="r").json["secret"]
        for path in (WEBHOOKS, f"{WEBHOOKS}/{made['id']}"):
            assert "whsec_" not in client.get(path).body
        logged = written.text
    tables = postgres.rows("select to_jsonb(w) from scrapersky.webhooks as w")
    tables += postgres.rows("select to_jsonb(k) from scrapersky.idempotency_keys as k")
    assert len(tables) == 3
    assert made["id"] in logged
    for told in (made["secret"][6:], secret[6:], WEBHOOK_KEY):
        assert not [place for place in (*map(str, tables), logged) if told in place]


BAD: list[tuple[dict[str, Any], list[str | int], str]] = [
    ({}, ["body", "url"], "Field required"),
    ({"url": None}, ["body", "url"], "valid string"),
    ({"url": 5}, ["body", "url"], "valid string"),
    ({"url": ""}, ["body", "url"], "at least 1"),
    ({"url": "https://hooks.example/" + "a" * 2048}, ["body", "url"], "2048"),
    ({"url": "hooks.example"}, ["body", "url"], "https://"),
    ({"url": "https://10.0.0.7/in"}, ["body", "url"], "IP address"),
    ({"url": "https://printer.local/in"}, ["body", "url"], ".local"),
    ({"url": "https://u:p@hooks.example/"}, ["body", "url"], "user information"),
    ({"url": "https://hooks.example:6379/"}, ["body", "url"], "port"),
    ({"events": []}, ["body", "events"], "at least 1"),
    ({"events": ["job.complete"] * 101}, ["body", "events"], "100"),
    ({"events": "job.complete"}, ["body", "events"], "list"),
    ({"events": ["job.done"]}, ["body", "events", 0], "'job.complete', 'job.failed', 'job.cancelled'"),
    ({"events": ["webhook.test"]}, ["body", "events", 0], "'batch.cancelled'"),
    ({"events": ["job.complete", 5]}, ["body", "events", 1], "'batch.cancelled'"),
    ({"description": "x" * 501}, ["body", "description"], "500"),
    ({"description": "\x00"}, ["body", "description"], "U+0000"),
    ({"secret": "mine"}, ["body", "secret"], "not permitted"),
    ({"id": str(uuid4())}, ["body", "id"], "not permitted"),
]


def test_what_is_wrong_with_a_new_webhook_is_told_with_its_field(client: Client) -> None:
    for body, loc, told in BAD:
        whole = {"url": "https://hooks.example/in", **body} if body else {}
        answer = client.call("POST", WEBHOOKS, json_body=whole)
        assert answer.status == 422, body
        (error,) = answer.json["errors"]
        assert (error["loc"], told in error["msg"]) == (loc, True), error
    assert client.get(WEBHOOKS).json["items"] == []


def test_an_address_that_is_refused_has_a_code_of_its_own(client: Client) -> None:
    problem = refused(client.make_webhook("https://127.0.0.1/"), 422, "invalid_url")
    assert problem["detail"] == "url names an IP address and no host."


# --- how many ---


def test_one_more_than_there_may_be_is_refused_until_one_is_deleted(client: Client) -> None:
    made = [client.made_webhook() for _ in range(MAX_WEBHOOKS)]
    problem = refused(client.make_webhook(key="k"), 409, "webhook_limit")
    assert str(MAX_WEBHOOKS) in problem["detail"]
    assert client.someone_else().make_webhook().status == 201
    assert client.call("DELETE", f"{WEBHOOKS}/{made[0]}").status == 204
    assert client.make_webhook(key="k").status == 201  # the key was left free
    assert client.make_webhook(key="k").status == 201  # and is answered although there is no room any more
    refused(client.make_webhook(), 409, "webhook_limit")


def test_however_many_come_at_once_there_are_no_more_than_may_be(client: Client, postgres: TestDatabase) -> None:
    """Past the handlers: what they make of a request is equal for all, and this is the services' to hold."""
    together = threading.Barrier(20)

    def make(number: int) -> bool:
        with Database(postgres.app_dsn) as db:
            request = WebhookRequest(f"https://hooks.example/{number}", ("job.complete",), None)
            together.wait(60)
            try:
                webhooks.create(db, Caller(client.tenant_id, "user-1"), request, None)
            except Conflict:
                return False
            return True

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(make, range(20)))
    assert made.count(True) == MAX_WEBHOOKS
    assert len(client.get(WEBHOOKS).json["items"]) == MAX_WEBHOOKS


def test_control_without_the_lock_there_would_be_more(
    client: Client, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scrapersky.db import webhooks as sql

    create, begun = sql.create, []

    def create_beside_the_other(cursor: Cursor, parameters: Mapping[str, Any]) -> datetime | None:
        made_at = create(cursor, parameters)
        begun.append(made_at)
        while len(begun) < 2:  # neither is committed before both have counted
            cursor.execute("select pg_sleep(0.01)").fetchall()
        return made_at

    monkeypatch.setattr(sql, "_LOCK", "select %(tenant_id)s::uuid")
    monkeypatch.setattr(sql, "create", create_beside_the_other)
    for _ in range(MAX_WEBHOOKS - 1):
        postgres.rows(
            "insert into scrapersky.webhooks (tenant_id, url, events, created_by) values (%s, 'https://a', '{x}', 'u')",
            client.tenant_id,
        )
    clients, together = [client.another_process() for _ in range(2)], threading.Barrier(2)

    def make(client: Client) -> int:
        together.wait(60)
        return client.make_webhook().status

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(make, clients)) == [201, 201]


# --- the same request again ---


def test_a_repeated_request_is_answered_as_the_first_time_whatever_became_of_its_webhook(client: Client) -> None:
    first = client.make_webhook(key="k", description="d")
    webhook_id = first.json["id"]
    assert change(client, webhook_id, url="https://other.example/", enabled=False).status == 200
    rotate(client, webhook_id)
    again = client.make_webhook(key="k", description="d")
    assert (again.status, again.headers, again.body) == (first.status, first.headers, first.body)
    refused(client.make_webhook(key="k"), 422, "idempotency_key_reused")
    assert client.call("DELETE", f"{WEBHOOKS}/{webhook_id}").status == 204
    refused(client.make_webhook(key="k", description="d"), 404, "not_found")


def test_a_rotation_is_repeated_under_its_key_and_only_then(client: Client) -> None:
    webhook_id = client.made_webhook()
    first, again = rotate(client, webhook_id, "r"), rotate(client, webhook_id, "r")
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    assert first.json["secret"] == endpoint_secret(WEBHOOK_KEY, UUID(webhook_id), 2)
    later = rotate(client, webhook_id)
    assert later.json["secret"] == endpoint_secret(WEBHOOK_KEY, UUID(webhook_id), 3)
    assert rotate(client, webhook_id, "r").body == first.body
    refused(rotate(client, client.made_webhook(), "r"), 422, "idempotency_key_reused")


def test_after_a_rotation_the_secret_before_signs_for_a_day(client: Client, postgres: TestDatabase) -> None:
    webhook_id = client.made_webhook()
    rotated = rotate(client, webhook_id).json
    assert (
        client.get(f"{WEBHOOKS}/{webhook_id}").json["previous_secret_expires_at"]
        == (rotated["previous_secret_expires_at"])
    )
    (hours,) = postgres.one(
        "select extract(epoch from previous_secret_until - updated_at) / 3600 from scrapersky.webhooks"
    )
    assert hours == 24


# --- listed ---


def test_a_walk_meets_each_once_while_others_are_made_and_deleted(client: Client) -> None:
    made = [client.made_webhook(f"https://hooks.example/{number}") for number in range(6)]
    seen: list[str] = []
    cursor, target = None, f"{WEBHOOKS}?limit=2"
    for page in range(10):
        answer = client.get(target + (f"&cursor={cursor}" if cursor else "")).json
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if page == 0:
            client.made_webhook()
            client.call("DELETE", f"{WEBHOOKS}/{made[4]}")  # the last one that was seen
        if not cursor:
            break
    assert seen == made[::-1]
    refused(client.get(f"{WEBHOOKS}?cursor=WyJhIl0"), 422, "invalid_cursor")
