"""The commands of webhooks and events: what they ask for, show, and how they end."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from scrapersky.api import webhook_examples as examples
from scrapersky.api.webhook_schemas import SUBSCRIBED as SUBSCRIBED_TYPES
from scrapersky_cli.webhook_commands import TEST_LOOKS
from scrapersky_cli.webhook_render import Subscribed
from support.cli_runs import FakeApi, problem

WEBHOOKS = "/api/v3/webhooks"
WEBHOOK_ID, DELIVERY_ID, EVENT_ID = (examples.WEBHOOK["id"], examples.DELIVERY["id"], examples.EVENT["id"])
ONE = f"{WEBHOOKS}/{WEBHOOK_ID}"
DELIVERY = f"{WEBHOOKS}/deliveries/{DELIVERY_ID}"
SECRET = examples.CREATED["secret"]
SUBSCRIBED = "'job.complete', 'job.failed', 'job.cancelled', 'batch.complete', 'batch.failed', 'batch.cancelled'"


CUT = examples.REPLAYED_MANY | {"replayed_truncated": True, "next_since": "2026-03-02T09:15:06.123456Z"}


def answers(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=document, headers=headers)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def body(fake: FakeApi) -> Any:
    return json.loads(fake.requests[-1].content)


def asked(fake: FakeApi) -> dict[str, str]:
    return dict(fake.requests[-1].url.params)


def counted(first: httpx.Response, *others: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """One answer after the other, the last of them for ever."""
    waiting = [first, *others]
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def test_a_new_webhook_is_shown_with_its_secret_and_how_to_verify() -> None:
    fake = FakeApi({f"POST {WEBHOOKS}": answers(examples.CREATED, 201, Location=ONE)})
    ran = fake.run("webhooks", "add", "https://hooks.shop.example/scrapersky", "--event", "job.failed")
    assert (ran.exit_code, SECRET in ran.stdout, SECRET in ran.stderr) == (0, True, False)
    assert "https://hooks.shop.example/scrapersky enabled" in words(ran.stdout)
    assert "events job.complete, job.failed" in words(ran.stdout)
    assert "told only now" in ran.stderr
    assert "standardwebhooks" in ran.stderr
    assert body(fake) == {"url": "https://hooks.shop.example/scrapersky", "events": ["job.failed"]}
    assert fake.requests[-1].headers["idempotency-key"]

    ran = fake.run("webhooks", "add", "https://h.example", "--description", "d", "--json")
    assert (json.loads(ran.stdout), ran.stderr) == (examples.CREATED, "")
    assert body(fake) == {"url": "https://h.example", "description": "d"}


def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    fake = FakeApi({f"POST {WEBHOOKS}": counted(answers({}, 503), answers(examples.CREATED, 201))})
    assert fake.run("webhooks", "add", "https://h.example").exit_code == 0
    assert len({request.headers["idempotency-key"] for request in fake.requests}) == 1
    assert len(fake.requests) == 2


@pytest.mark.parametrize("command", [["add", "https://h.example"], ["update", WEBHOOK_ID]], ids=["add", "update"])
@pytest.mark.parametrize("event", ["job.done", "webhook.test", ""])
def test_a_type_that_there_is_not_is_refused_with_its_option(command: list[str], event: str) -> None:
    fake = FakeApi({})
    ran = fake.run("webhooks", *command, "--event", event)
    assert (ran.exit_code, fake.requests) == (2, [])
    assert "--event" in ran.output
    assert SUBSCRIBED.split(",")[0] in ran.output


def test_the_types_are_those_that_the_api_takes() -> None:
    assert list(Subscribed) == list(SUBSCRIBED_TYPES)


def test_a_refusal_of_the_api_is_one_line() -> None:
    fields = [{"loc": ["body", "url"], "msg": "names an IP address and no host"}]
    refused = problem(422, "invalid_url", "url names an IP address and no host.", errors=fields)
    ran = FakeApi({f"POST {WEBHOOKS}": refused}).run("webhooks", "add", "https://10.0.0.1")
    assert ran.exit_code == 1
    assert ran.stderr == "error: 422 invalid_url: url names an IP address and no host.\n"


def test_webhooks_are_listed_with_their_state() -> None:
    every = list(SUBSCRIBED.replace("'", "").split(", "))
    items = [
        examples.WEBHOOK | {"events": every},
        examples.WEBHOOK | {"failing_since": examples.WEBHOOK["created_at"], "description": "a\x1b[31mb"},
        examples.WEBHOOK | {"enabled": False, "disabled_reason": "gone"},
    ]
    fake = FakeApi({f"GET {WEBHOOKS}": answers({"items": items, "next_cursor": "more"})})
    ran = fake.run("webhooks", "list", "--limit", "3")
    lines = words(ran.stdout)
    assert f"{WEBHOOK_ID} https://hooks.shop.example/scrapersky all enabled Orders 2026-03-02 08:00:00" == lines[1]
    assert "failing a[31mb" in lines[2]
    assert "disabled (gone)" in lines[3]
    assert "--cursor more goes on" in ran.stderr
    assert asked(fake) == {"limit": "3"}
    assert json.loads(fake.run("webhooks", "list", "--json").stdout)["items"] == items


def test_show_is_of_a_webhook_or_of_a_delivery_with_its_attempts() -> None:
    fake = FakeApi({f"GET {ONE}": answers(examples.WEBHOOK), f"GET {DELIVERY}": answers(examples.DELIVERY_DETAIL)})
    assert f"id {WEBHOOK_ID}" in words(fake.run("webhooks", "show", WEBHOOK_ID).stdout)
    ran = fake.run("webhooks", "show", DELIVERY_ID)
    lines = words(ran.stdout)
    assert lines[0] == f"job.complete pending 1 attempt {DELIVERY_ID}"
    assert "http_error: the receiver answered 503" in lines
    assert "Next try at 2026-03-02 09:15:12 UTC." in lines
    assert lines[-1] == "1 2026-03-02 09:15:06 231 503 the receiver answered 503 Service Unavailable"
    assert json.loads(fake.run("webhooks", "show", DELIVERY_ID, "--json").stdout) == examples.DELIVERY_DETAIL
    ran = fake.run("webhooks", "show", EVENT_ID)
    assert (ran.exit_code, "neither a webhook nor a delivery" in ran.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["--enable"], {"enabled": True}),
        (["--disable"], {"enabled": False}),
        (["--url", "https://b.example", "--all-events"], {"url": "https://b.example", "events": None}),
        (["--event", "job.failed", "--event", "batch.failed"], {"events": ["job.failed", "batch.failed"]}),
        (["--description", "d"], {"description": "d"}),
        (["--description", ""], {"description": None}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_update_sends_what_is_named_and_nothing_else(options: list[str], changes: dict[str, Any]) -> None:
    fake = FakeApi({f"PATCH {ONE}": answers(examples.CHANGED)})
    ran = fake.run("webhooks", "update", WEBHOOK_ID, *options)
    assert (ran.exit_code, body(fake)) == (0, changes)
    assert "enabled" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["update", WEBHOOK_ID], "--url"),
        (["update", WEBHOOK_ID, "--event", "job.failed", "--all-events"], "--all-events"),
        (["update", "not-an-id", "--enable"], "WEBHOOK_ID"),
        (["replay", DELIVERY_ID, "--until", "2026-03-02"], "--since"),
        (["replay", DELIVERY_ID, "--status", "failed"], "--since"),
        (["replay", WEBHOOK_ID, "--since", "yesterday"], "--since"),
        (["replay", WEBHOOK_ID, "--since", "2d", "--until", "1w"], "--until"),
        (["replay", WEBHOOK_ID, "--since", "2026-03-02", "--status", "done"], "--status"),
        (["deliveries", WEBHOOK_ID, "--status", "done"], "--status"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_wrong_command_line_names_the_option_and_sends_nothing(arguments: list[str], told: str) -> None:
    fake = FakeApi({})
    ran = fake.run("webhooks", *arguments)
    assert (ran.exit_code, fake.requests) == (2, [])
    assert told in ran.output


def test_a_webhook_is_removed() -> None:
    there = {f"GET {ONE}": answers(examples.WEBHOOK)}
    fake = FakeApi({**there, f"DELETE {ONE}": httpx.Response(204)})
    ran = fake.run("webhooks", "remove", WEBHOOK_ID)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", f"webhook {WEBHOOK_ID} is deleted\n")
    lost = counted(answers({}, 504), problem(404, "not_found", "There is no webhook."))
    assert FakeApi({**there, f"DELETE {ONE}": lost}).run("webhooks", "remove", WEBHOOK_ID).exit_code == 0
    ran = fake.run("webhooks", "remove", EVENT_ID)
    assert (ran.exit_code, "404 not_found" in ran.stderr) == (1, True)
    assert (
        FakeApi({**there, f"DELETE {ONE}": problem(403, "forbidden", "no")})
        .run("webhooks", "remove", WEBHOOK_ID)
        .exit_code
        == 1
    )


def test_a_new_secret_is_the_output_and_the_rest_a_remark() -> None:
    fake = FakeApi({f"POST {ONE}/rotate-secret": counted(answers({}, 502), answers(examples.SECRET))})
    ran = fake.run("webhooks", "rotate", WEBHOOK_ID)
    assert (ran.exit_code, ran.stdout) == (0, f"{SECRET}\n")
    assert "until 2026-03-03T08:00:00" in ran.stderr
    assert len({request.headers["idempotency-key"] for request in fake.requests}) == 1
    assert json.loads(fake.run("webhooks", "rotate", WEBHOOK_ID, "--json").stdout) == examples.SECRET


def to_test(*deliveries: dict[str, Any], detail: dict[str, Any] = examples.DELIVERY_DETAIL) -> FakeApi:
    """An API where a test is asked for, whose delivery stands so each time that it is looked at."""
    looks = [answers({"items": [delivery] if delivery else [], "next_cursor": None}) for delivery in deliveries]
    return FakeApi(
        {
            f"POST {ONE}/test": answers(examples.TESTED, 202),
            f"GET {ONE}/deliveries": counted(*looks),
            f"GET {DELIVERY}": answers(detail),
        }
    )


def test_a_test_says_what_the_receiver_answered() -> None:
    delivered = {"status": "delivered", "status_code": 200, "error": None, "next_attempt_at": None}
    untried = examples.DELIVERY | {"attempts": 0}
    fake = to_test({}, untried, examples.DELIVERY | delivered, detail=examples.DELIVERY_DETAIL | delivered)
    ran = fake.run("webhooks", "test", WEBHOOK_ID)
    assert (ran.exit_code, words(ran.stdout)[0]) == (0, f"job.complete delivered 1 attempt {DELIVERY_ID}")
    assert [dict(request.url.params) for request in fake.requests[1:4]] == [{"event_id": EVENT_ID}] * 3

    ran = to_test(examples.DELIVERY).run("webhooks", "test", WEBHOOK_ID)
    assert (ran.exit_code, "http_error: the receiver answered 503" in ran.stdout) == (1, True)
    ran = to_test(examples.DELIVERY).run("webhooks", "test", WEBHOOK_ID, "--json")
    assert (ran.exit_code, json.loads(ran.stdout)) == (1, examples.DELIVERY_DETAIL)


def test_a_test_is_not_waited_for_for_ever_or_not_at_all() -> None:
    fake = to_test({})
    ran = fake.run("webhooks", "test", WEBHOOK_ID)
    assert (ran.exit_code, len(fake.requests)) == (1, 1 + TEST_LOOKS)
    assert "not tried within a minute" in ran.stderr
    fake = to_test({})
    ran = fake.run("webhooks", "test", WEBHOOK_ID, "--no-wait")
    assert (ran.exit_code, len(fake.requests), EVENT_ID in ran.stderr) == (0, 1, True)
    ran = to_test({}).run("webhooks", "test", WEBHOOK_ID, "--no-wait", "--json")
    assert json.loads(ran.stdout) == examples.TESTED


def test_deliveries_are_listed_and_filtered() -> None:
    fake = FakeApi({f"GET {ONE}/deliveries": answers(examples.DELIVERIES)})
    ran = fake.run("webhooks", "deliveries", WEBHOOK_ID, "--status", "pending", "--event-id", EVENT_ID)
    assert words(ran.stdout)[1] == (
        f"{DELIVERY_ID} job.complete pending 1 503 2026-03-02 09:15:12 2026-03-02 09:15:06 http_error"
    )
    assert asked(fake) == {"status": "pending", "event_id": EVENT_ID, "limit": "50"}
    assert json.loads(fake.run("webhooks", "deliveries", WEBHOOK_ID, "--json").stdout) == examples.DELIVERIES


def test_one_delivery_or_all_since_a_time_are_made_again() -> None:
    fake = FakeApi(
        {
            f"POST {DELIVERY}/replay": answers(examples.REPLAYED, 202),
            f"POST {ONE}/replay": answers(CUT, 202),
        }
    )
    ran = fake.run("webhooks", "replay", DELIVERY_ID)
    assert (ran.exit_code, ran.stdout, DELIVERY_ID in ran.stderr) == (0, "", True)
    ran = fake.run("webhooks", "replay", WEBHOOK_ID, "--since", "2026-03-02", "--until", "2026-03-03T01:02:03.5Z")
    assert body(fake) == {"since": "2026-03-02T00:00:00Z", "until": "2026-03-03T01:02:03.500000Z"}
    assert ran.stderr.splitlines() == [
        "42 deliveries are made again",
        "There may be more: go on with --since 2026-03-02T09:15:06.123456Z instead.",
    ]
    ran = fake.run(
        "webhooks", "replay", WEBHOOK_ID, "--since", "2026-03-02T01:02:03", "--status", "delivered", "--json"
    )
    assert body(fake) == {"since": "2026-03-02T01:02:03Z", "status": "delivered"}
    assert json.loads(ran.stdout)["replayed"] == 42
    fake.run("webhooks", "replay", WEBHOOK_ID, "--since", "2h", "--until", "90m")
    since, until = (datetime.fromisoformat(body(fake)[name]) for name in ("since", "until"))
    assert timedelta(minutes=29) < until - since < timedelta(minutes=31)
    assert timedelta(minutes=89) < datetime.now(UTC) - until < timedelta(minutes=91)


def test_events_are_listed_and_filtered() -> None:
    batch = {"id": EVENT_ID, "job_id": None, "batch_id": WEBHOOK_ID, **examples.PAYLOADS["batch.failed"]}  # type: ignore[index]
    page = {"items": [examples.EVENT, batch], "next_cursor": None}
    fake = FakeApi({"GET /api/v3/events": answers(page)})
    ran = fake.run("events", "--type", "job.complete", "--job", EVENT_ID, "--batch", WEBHOOK_ID)
    assert words(ran.stdout)[1:] == [
        f"{EVENT_ID} job.complete 2026-03-02 09:15:06 shop.example {examples.EVENT['job_id']}",
        f"{EVENT_ID} batch.failed 2026-03-02 09:15:06 3 domains: 0 complete, 3 failed {WEBHOOK_ID}",
    ]
    assert asked(fake) == {"type": "job.complete", "job_id": EVENT_ID, "batch_id": WEBHOOK_ID, "limit": "50"}
    assert json.loads(fake.run("events", "--json").stdout) == page
    assert fake.run("events", "--type", "job.done").exit_code == 2
