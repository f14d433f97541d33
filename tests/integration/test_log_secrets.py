"""What functions write when they fail: nothing of what they were told in confidence, on lines that are objects."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from conftest import TestDatabase
from integration.conftest import REGION, ScanQueue
from scrapersky import observability, secret_store, wiring
from scrapersky.db import connection
from scrapersky.db.connection import Database
from scrapersky.errors import ConfigurationError
from scrapersky.observability import logger
from scrapersky.services import jobs, sweep
from scrapersky_local.processes import free_port
from support.http_events import Context, call, function
from support.jwts import SECRET, by_key, signed
from support.log_lines import Written, recorded

SCAN = "/api/v3/modernized_page_scraper/scan"
JOBS = "/api/v3/jobs"
PLANTED = "pl4nted"  # in every secret that these tests hand out
PASSWORD = f"{PLANTED}-p@ss/wörd%'1"
TOKEN = f"{PLANTED}.opaque-token"
BASE_URL = f"https://shop.example/about?key={PLANTED}#{PLANTED}"
WITH_USER = f"https://{PLANTED}:{PLANTED}@shop.example/"
CONTROLS = "line\nbreak\r\x1b[2J\x9b31m\u2028\u0085"
# Each with the event that it takes; those behind the HTTP API answer, the others raise.
EVENTS: dict[str, dict[str, Any]] = {
    "sweeper": {},
    "dead_letter": {
        "Records": [
            {"messageId": "m1", "body": json.dumps({"version": 1, "job_id": str(uuid4())})},
            {"messageId": "m2", "body": f"{CONTROLS} Bearer {TOKEN} {WITH_USER}"},
        ]
    },
    "domain_scan_worker": {"job_ids": [str(uuid4())], "window": 1},
    "sitemap_worker": {"job_ids": [str(uuid4())], "window": 1},
    "places_search_worker": {
        "Records": [{"messageId": "m1", "body": f'{{"version": 1, "job_id": "{uuid4()}", "correlation_id": ""}}'}]
    },
    "webhook_worker": {
        "Records": [{"messageId": "m1", "body": f'{{"version": 1, "delivery_id": "{uuid4()}", "correlation_id": ""}}'}]
    },
    "batch_plan": {"run": str(uuid4()), "round": 1, "correlation_id": "c", "execution": "e"},
    "batch_finish": {"run": str(uuid4()), "round": 1, "correlation_id": "c"},
    "migrate": {},
}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    monkeypatch.setattr(observability, "_secrets", set())
    monkeypatch.setattr(secret_store, "_secrets", {})
    with recorded(capsys) as written:
        yield written


def safe(written: Written) -> list[dict[str, Any]]:
    """The events that were written, held to be there and to tell nothing that was planted."""
    assert PLANTED not in written.text
    assert SECRET not in written.text
    events = written.events()
    assert events, "nothing was written at all"
    return events


@pytest.fixture
def told(queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Tells the functions a DSN; everything else that they read is there."""
    for name, value in {
        "SCAN_QUEUE_URL": queue.url,
        "SITEMAP_QUEUE_URL": queue.sitemap_url,
        "PLACES_QUEUE_URL": queue.places_url,
        "BATCH_QUEUE_URL": queue.batch_url,
        "EVENT_QUEUE_URL": queue.event_url,
        "WEBHOOK_QUEUE_URL": queue.webhook_url,
        "BATCH_DEAD_LETTER_QUEUE_URL": queue.batch_url,
        "BATCH_STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:123456789012:stateMachine:x",
        "BATCH_BUCKET": "none",
        "BATCH_CHUNK_SIZE": "10",
        "BATCH_MAX_LANES": "2",
        "SCAN_LEASE_SECONDS": "150",
        "SITEMAP_LEASE_SECONDS": "60",
        "MAX_CONCURRENT_SITES": "10",
        "MAX_CONCURRENT_SITEMAP_SITES": "4",
        "PLACES_KEY_SECRET_ARN": "arn:none",
        "PLACES_LEASE_SECONDS": "90",
        "PLACES_CONTENT_DAYS": "30",
        "PLACES_REUSE_HOURS": "24",
        "CONTACT_URL": "https://bot.example/",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.2)
    cached = (wiring.sender, wiring.fetcher, wiring.sqs)

    def tell(dsn: str) -> None:
        arn = boto3.client("secretsmanager", region_name=REGION).create_secret(Name=uuid4().hex, SecretString=dsn)
        monkeypatch.setenv("DATABASE_SECRET_ARN", arn["ARN"])
        monkeypatch.setenv("MIGRATION_DATABASE_SECRET_ARN", arn["ARN"])

    for one in cached:
        one.cache_clear()
    yield tell
    for one in cached:
        one.cache_clear()


def ask(method: str, target: str, **request: Any) -> int:
    """The status that the API answers with; no problem tells what was planted."""
    name = "domain_scan_api" if target.startswith(SCAN) else "jobs_api"
    headers = {"authorization": f"Bearer {TOKEN}", "user-agent": CONTROLS, **request.pop("headers", {})}
    answer = call(function(name).lambda_handler, method, target, headers=headers, **request)
    assert PLANTED not in answer.body
    return answer.status


def failures(dsn: str) -> dict[str, str]:
    """DSNs that lead nowhere, by what is wrong with them."""
    unquoted = "postgresql://app:{}@127.0.0.1:1/app"
    return {
        "the password is wrong": make_conninfo(dsn, password=PASSWORD),
        "nobody listens": make_conninfo(dsn, password=PASSWORD, port=free_port()),
        "the host is unknown": make_conninfo(dsn, password=PASSWORD, host="db.invalid"),
        "the database is unknown": make_conninfo(dsn, password=PASSWORD, dbname="nowhere"),
        "the password has an @": unquoted.format(f"a@{PLANTED}"),
        "the password has a slash": unquoted.format(f"{PLANTED}/{PLANTED}"),
        "the password has a percent sign": unquoted.format(f"{PLANTED}%zz"),
        "the password has a space": unquoted.format(f"{PLANTED} {PLANTED}"),
        "it is no DSN": f"app {PLANTED}",
    }


WRONGS = list(failures("host=127.0.0.1"))


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_database_that_cannot_be_reached_is_told_without_the_dsn(
    postgres: TestDatabase, told: Callable[[str], None], written: Written, wrong: str
) -> None:
    told(failures(postgres.app_dsn)[wrong])
    with pytest.raises(Exception) as raised:
        function("sweeper").lambda_handler(EVENTS["sweeper"], Context())
    assert PLANTED not in str(raised.value)
    assert ask("GET", JOBS) in (500, 503)
    events = safe(written)
    assert {event["level"] for event in events} == {"ERROR"}
    assert any("exception" in event for event in events)


@pytest.mark.parametrize("name", EVENTS)
def test_every_function_keeps_the_dsn_to_itself(
    postgres: TestDatabase, told: Callable[[str], None], written: Written, name: str
) -> None:
    told(failures(postgres.app_dsn)["the password is wrong"])
    with pytest.raises(Exception) as raised:
        function(name).lambda_handler(EVENTS[name], Context())
    assert PLANTED not in str(raised.value)
    assert any(event["message"] == "function failed" for event in safe(written))


@pytest.mark.parametrize("dsn", ["postgresql://app:a@b@db.example/x", "postgresql://app:b/c@db.example/x", "app x"])
def test_a_dsn_that_libpq_would_misread_is_a_fault_of_the_configuration(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encoded"):
        connection.connect(dsn)


def test_a_batch_message_is_told_without_what_it_holds(
    postgres: TestDatabase, told: Callable[[str], None], written: Written
) -> None:
    told(failures(postgres.app_dsn)["the password is wrong"])
    bodies = [
        {"version": 1, "tenant_id": str(uuid4()), "batch_id": str(uuid4()), "domains": [BASE_URL]},
        {"version": 1, "tenant_id": BASE_URL, "batch_id": CONTROLS, "domains": [BASE_URL]},
        {"version": 1, "run": BASE_URL, "round": 1},
        {"version": BASE_URL},
    ]
    records = [
        {"messageId": f"m{n}", "eventSourceARN": "arn", "body": json.dumps(body)} for n, body in enumerate(bodies)
    ]
    answer = function("batch_start").lambda_handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert len(safe(written)) >= len(bodies)


def test_a_row_that_is_refused_is_told_without_its_values(
    postgres: TestDatabase, told: Callable[[str], None], written: Written
) -> None:
    told(postgres.app_dsn)
    postgres.rows("alter table scrapersky.jobs add constraint never check (domain <> 'shop.example') not valid")
    key = {"idempotency-key": PLANTED}
    assert ask("POST", SCAN, json_body={"base_url": BASE_URL}, headers=key) == 500
    (event,) = safe(written)
    assert event["exception_name"] == "CheckViolation"


def test_a_refused_request_and_a_good_one_are_told_without_what_they_hold(
    postgres: TestDatabase, told: Callable[[str], None], written: Written
) -> None:
    told(postgres.app_dsn)
    key = {"idempotency-key": PLANTED}
    assert ask("POST", SCAN, json_body={"base_url": WITH_USER}, headers=key) == 422
    assert ask("POST", SCAN, json_body={"base_url": BASE_URL}, headers=key) == 202
    assert ask("GET", f"{JOBS}?domain={PLANTED}") == 200
    assert [event["message"] for event in safe(written)] == ["request refused", "job started"]


@pytest.mark.parametrize("failing", [jobs, sweep])
def test_a_defect_that_quotes_its_secrets_is_told_without_them(
    postgres: TestDatabase,
    told: Callable[[str], None],
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
    failing: Any,
) -> None:
    dsn = make_conninfo(postgres.app_dsn, password=PASSWORD)
    told(dsn)

    def broken(*arguments: Any, **named: Any) -> Any:
        said = [dsn, PASSWORD, {"authorization": f"Bearer {TOKEN}"}, signed(sub=PLANTED), BASE_URL, WITH_USER, CONTROLS]
        raise RuntimeError(f"cannot go on with {said}: {', '.join(map(str, said))}")

    monkeypatch.setattr(jobs, "listing", broken)
    monkeypatch.setattr(sweep, "run", broken)
    if failing is jobs:
        assert ask("GET", JOBS) == 500
    else:
        with pytest.raises(Exception, match=r"cannot go on with \[.*\*\*\*") as raised:
            function("sweeper").lambda_handler({}, Context())
        assert (raised.type.__name__, PLANTED in str(raised.value)) == ("RuntimeError", False)
    assert any("cannot go on" in event.get("exception", "") for event in safe(written))


def denied(token: str) -> None:
    event = {"headers": {"authorization": f"Bearer {token}", "cookie": PLANTED}, "routeKey": "GET /x"}
    answer = function("authorizer").lambda_handler(event, Context())
    assert "denied" in answer["context"]
    assert PLANTED not in json.dumps(answer)


@pytest.mark.parametrize(
    "token", [TOKEN, signed(sub=PLANTED, exp=1), signed(sub=PLANTED) + "x", f"{CONTROLS}{PLANTED}", PLANTED * 2000]
)
def test_a_refused_token_is_told_without_itself(
    queue: ScanQueue, written: Written, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    arn = boto3.client("secretsmanager", region_name=REGION).create_secret(Name=uuid4().hex, SecretString=SECRET)
    for name, value in {"ALGORITHM": "HS256", "AUDIENCE": "authenticated", "SECRET_ARN": arn["ARN"]}.items():
        monkeypatch.setenv(f"JWT_{name}", value)
    denied(token)
    (event,) = safe(written)
    assert (event["message"], event["level"]) == ("token denied", "INFO")


def test_keys_that_cannot_be_had_are_told_without_the_token(
    queue: ScanQueue, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_ALGORITHM", "RS256")
    monkeypatch.setenv("JWT_AUDIENCE", "authenticated")
    monkeypatch.setenv("JWKS_URL", f"https://{PLANTED}:{PLANTED}@127.0.0.1:{free_port()}/keys?key={PLANTED}")
    denied(by_key(kid=PLANTED))
    assert safe(written)


def test_a_leak_would_be_found(
    postgres: TestDatabase, told: Callable[[str], None], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(failures(postgres.app_dsn)["the password is wrong"])
    monkeypatch.setattr(observability, "shown", lambda text: text)
    monkeypatch.setattr(Database, "run", lambda *_, **__: psycopg.connect(PASSWORD))
    with pytest.raises(psycopg.ProgrammingError):
        function("sweeper").lambda_handler({}, Context())
    with pytest.raises(AssertionError):
        safe(written)


def test_a_line_that_is_no_object_would_be_found(written: Written) -> None:
    logger().info("first")
    print("1 second")
    with pytest.raises(ValueError, match=r"Extra data"):
        safe(written)
