"""What was told to whom over HTTP: events, tests, and deliveries with their attempts."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from conftest import TestDatabase
from integration.api.conftest import BATCHES, DELIVERIES, EVENTS, JOBS, WEBHOOKS, Client, Finish, found, refused
from integration.api.webhook_log import MINUTE, dispatch, named, told, try_out
from integration.conftest import ScanQueue
from scrapersky.api import delivery_schemas, webhook_events
from scrapersky.db.connection import Database
from scrapersky.domain.events import EventType

# --- events ---


def test_the_end_of_each_job_and_batch_is_an_event_as_the_document_describes_it(
    client: Client, finish: Finish, db: Database, queue: ScanQueue
) -> None:
    alone = client.started("shop.example")
    batch = client.started_batch("a.example", "localhost")
    batch_id = batch.rsplit("/", 1)[1]
    finish(alone, found())
    assert client.call("POST", f"{batch}/cancel").status == 200
    dispatch(db, queue)
    webhook_id = client.made_webhook()
    event_id = try_out(client, webhook_id).json["event_id"]

    listed = client.get(EVENTS).json["items"]
    assert (listed[0]["type"], listed[-1]["type"]) == ("webhook.test", "job.failed")
    assert [item["timestamp"] for item in listed] == sorted((item["timestamp"] for item in listed), reverse=True)
    for item in listed:
        payload = {"type": item["type"], "timestamp": item["timestamp"], "data": item["data"]}
        model = webhook_events.payload_model(EventType(item["type"]))
        assert model.model_validate(payload).model_dump(mode="json") == payload
        assert set(item) == set(delivery_schemas.EventItem.model_fields)
    test = listed[0]
    (complete,) = (item for item in listed if item["type"] == "job.complete")
    assert (test["id"], test["webhook_id"], test["job_id"]) == (event_id, webhook_id, None)
    job = client.get(f"{JOBS}/{alone}").json
    assert (complete["job_id"], complete["timestamp"]) == (alone, job["finished_at"])
    assert complete["data"] == {name: job[name] for name in webhook_events.JobEventData.model_fields}

    def types(query: str) -> list[str]:
        return sorted(item["type"] for item in client.get(f"{EVENTS}?{query}").json["items"])

    assert types("type=job.complete") == ["job.complete"]
    assert types(f"job_id={alone}") == ["job.complete"]
    assert types(f"batch_id={batch_id}") == ["batch.cancelled", "job.cancelled", "job.failed"]
    assert types(f"batch_id={batch_id}&type=batch.cancelled") == ["batch.cancelled"]
    assert types(f"job_id={uuid4()}") == []
    assert refused(client.get(f"{EVENTS}?type=job.done"), 422, "invalid")["errors"][0]["loc"] == ["query", "type"]
    status = client.get(f"{BATCHES}/{batch_id}/status").json
    told_of = next(item for item in listed if item["type"] == "batch.cancelled")["data"]
    assert told_of == {name: status[name] for name in webhook_events.BatchEventData.model_fields}


def test_a_walk_meets_each_event_once_while_others_happen(client: Client, finish: Finish) -> None:
    jobs = [client.started(f"site-{number}.example") for number in range(5)]
    for job_id in jobs[:4]:
        finish(job_id, found())
    seen, cursor = [], ""
    for _ in range(10):
        page = client.get(f"{EVENTS}?limit=1{cursor}").json
        seen += [item["job_id"] for item in page["items"]]
        if len(seen) == 2:
            finish(jobs[4], found())
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == jobs[3::-1]
    for bad in ("x", "WyJhIiwiYiJd", "W10"):
        refused(client.get(f"{EVENTS}?cursor={bad}"), 422, "invalid_cursor")


# --- a test ---


def test_a_test_is_an_event_for_this_webhook_alone_and_is_followed_to_its_delivery(
    client: Client, db: Database, queue: ScanQueue
) -> None:
    webhook_id, _other = client.made_webhook(events=["job.failed"]), client.made_webhook()
    answer = try_out(client, webhook_id, "t")
    asked = answer.json
    assert (answer.status, answer.headers["location"]) == (202, asked["status_url"])
    assert int(answer.headers["retry-after"]) > 0
    assert len(queue.drain_events()) == 1
    assert client.get(asked["status_url"]).json == {"items": [], "next_cursor": None}
    dispatch(db, queue)
    (delivery,) = client.get(asked["status_url"]).json["items"]
    assert set(delivery) == set(delivery_schemas.WebhookDelivery.model_fields)
    assert (delivery["webhook_id"], delivery["event_id"]) == (webhook_id, asked["event_id"])
    assert (delivery["status"], delivery["tries"], delivery["event_type"]) == ("pending", 0, "webhook.test")
    assert named(queue) == [delivery["id"]]

    again = try_out(client, webhook_id, "t")
    assert (again.status, again.body) == (202, answer.body)
    assert queue.drain_events() == []
    assert len(client.get(EVENTS).json["items"]) == 1
    refused(try_out(client, _other, "t"), 422, "idempotency_key_reused")


# --- deliveries ---


def test_a_delivery_is_told_with_each_of_its_attempts(client: Client, postgres: TestDatabase) -> None:
    webhook_id = client.made_webhook()
    later = datetime.now(UTC) + MINUTE
    row: dict[str, Any] = {
        "status": "pending",
        "tries": 2,
        "attempts": 12,
        "status_code": 503,
        "next_attempt_at": later,
    }
    row |= {"error_code": "http_error", "error_message": "the receiver answered 503", "next_attempt_at": later}
    (delivery_id,) = told(client, webhook_id, **row)
    postgres.rows(
        "insert into scrapersky.webhook_attempts (tenant_id, delivery_id, number, url, started_at, ms, status_code,"
        " error_code, error_message, response)"
        " select %s, %s, n, 'https://hooks.example/in', now(), n, 503, 'http_error', 'it answered 503', '<b>no</b>'"
        " from generate_series(1, 120) as n",
        *(client.tenant_id, UUID(delivery_id)),
    )
    shown = client.get(f"{DELIVERIES}/{delivery_id}").json
    assert set(shown) == set(delivery_schemas.WebhookDeliveryDetail.model_fields)
    assert (shown["status"], shown["tries"], shown["attempts"], shown["status_code"]) == ("pending", 2, 12, 503)
    assert shown["error"] == {"code": "http_error", "message": "the receiver answered 503"}
    assert datetime.fromisoformat(shown["next_attempt_at"]) == later
    assert shown["event"]["id"] == shown["event_id"]
    assert [line["number"] for line in shown["log"]] == list(range(120, 20, -1))
    assert shown["log"][0] == {
        "number": 120,
        "url": "https://hooks.example/in",
        "started_at": shown["log"][0]["started_at"],
        "ms": 120,
        "status_code": 503,
        "error": {"code": "http_error", "message": "it answered 503"},
        "response": "<b>no</b>",
    }
    (ended,) = told(client, webhook_id)
    assert client.get(f"{DELIVERIES}/{ended}").json["next_attempt_at"] is None


def test_deliveries_are_listed_by_status_and_event_and_each_is_met_once(client: Client, postgres: TestDatabase) -> None:
    webhook_id, other = client.made_webhook(), client.made_webhook()
    made = told(client, webhook_id, 5)
    told(client, other, 3, status="failed")
    target = f"{WEBHOOKS}/{webhook_id}/deliveries"
    seen: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"{target}?limit=2{cursor}").json
        seen += [item["id"] for item in page["items"]]
        if len(seen) == 2:
            told(client, webhook_id)
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [identity for identity in seen if identity in made] == made[::-1]
    assert client.get(f"{target}?status=failed").json["items"] == []
    assert len(client.get(f"{WEBHOOKS}/{other}/deliveries?status=failed").json["items"]) == 3
    event_id = client.get(f"{DELIVERIES}/{made[0]}").json["event_id"]
    assert [item["id"] for item in client.get(f"{target}?event_id={event_id}").json["items"]] == made[:1]
    assert client.get(f"{target}?event_id={event_id}&status=pending").json["items"] == []
    refused(client.get(f"{target}?status=done"), 422, "invalid")
    refused(client.get(f"{target}?cursor=x"), 422, "invalid_cursor")
    refused(client.get(f"{WEBHOOKS}/{uuid4()}/deliveries"), 404, "not_found")
