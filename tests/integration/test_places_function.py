"""The worker function of places searches: its key out of Secrets Manager, its URLs, and where the key never is."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest

from conftest import TestDatabase
from integration.conftest import REGION, ScanQueue
from scrapersky import wiring
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.errors import ConfigurationError
from scrapersky.observability import logger
from scrapersky.services import domain_scan, jobs, places_search
from scrapersky_local.places_emulator.errors import Reply, error
from scrapersky_local.places_emulator.server import serve
from scrapersky_local.places_emulator.service import Emulator
from support.http_events import Context, function
from support.log_lines import Written, recorded
from support.places import asked

OTHER_KEY = "planted-key-of-nobody-0123456789"


@dataclass
class Worker(Context):
    """A worker's context: it has five minutes."""

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


@pytest.fixture
def key() -> str:
    return f"planted-key-{uuid4().hex}"


@pytest.fixture
def emulator(key: str) -> Emulator:
    return Emulator(key)


def secret(text: str) -> str:
    manager = boto3.client("secretsmanager", region_name=REGION)
    return str(manager.create_secret(Name=uuid4().hex, SecretString=text)["ARN"])


@pytest.fixture(autouse=True)
def environment(
    postgres: TestDatabase, queue: ScanQueue, key: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The function's environment on a local stack, of which the emulator is a part."""
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret(postgres.app_dsn))
    monkeypatch.setenv("PLACES_KEY_SECRET_ARN", secret(f"{key}\n"))  # as a file has it
    for name, value in {"LEASE_SECONDS": 90, "CONTENT_DAYS": 30, "REUSE_HOURS": 24}.items():
        monkeypatch.setenv(f"PLACES_{name}", str(value))
    # What says that this is a local stack; the emulated Secrets Manager is found under its usual name all the same.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"https://secretsmanager.{REGION}.amazonaws.com")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"https://sqs.{REGION}.amazonaws.com")
    monkeypatch.setenv("EVENT_QUEUE_URL", queue.event_url)
    monkeypatch.setenv("PLACES_QUEUE_URL", queue.places_url)
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", queue.webhook_url)
    with serve(emulator) as url:
        monkeypatch.setenv("PLACES_API_URL", url)
        monkeypatch.setenv("GEOCODING_API_URL", url)
        for cache in (wiring.sender, wiring.sqs):
            cache.cache_clear()
        yield
        for cache in (wiring.sender, wiring.sqs):
            cache.cache_clear()


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """All that is said, of libraries too; of those that ask Google down to what they say for debugging."""
    root, handler = logging.getLogger(), logger().registered_handler
    levels = {
        root: logging.INFO,
        logging.getLogger("httpx"): logging.DEBUG,
        logging.getLogger("httpcore"): logging.DEBUG,
    }
    with pytest.MonkeyPatch.context() as patch, recorded(capsys) as written:
        for one, level in levels.items():
            patch.setattr(one, "level", level)
        patch.setattr(root, "handlers", [handler])
        root.manager._clear_cache()  # type: ignore[attr-defined]
        yield written
    root.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.fixture
def start(db: Database, queue: ScanQueue, caller: Caller) -> Callable[..., UUID]:
    def started(business_type: str = "dentist", **given: Any) -> UUID:
        request = asked(business_type, **given)
        return places_search.start(
            db, queue.sender, caller, request, budget_usd=Decimal(1), refresh=False, idempotency=None
        ).job_id

    return started


def work(*job_ids: UUID) -> Any:
    bodies = [f'{{"version": 1, "job_id": "{job_id}", "correlation_id": "request-1"}}' for job_id in job_ids]
    event = {"Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies, 1)]}
    return function("places_search_worker").lambda_handler(event, Worker())


def rows_with(postgres: TestDatabase, text: str) -> list[object]:
    """The tables that have a row with the text."""
    tables = postgres.rows(
        "select relname from pg_class where relnamespace = 'scrapersky'::regnamespace and relkind = 'r'"
    )
    return [
        table
        for (table,) in tables
        if postgres.rows(f"select 1 from scrapersky.{table} as t where strpos(t::text, %s) > 0", text)
    ]


def test_it_asks_with_the_key_of_its_secret_and_shows_it_nowhere(
    db: Database, postgres: TestDatabase, caller: Caller, key: str, emulator: Emulator, start: Callable[..., UUID],
    log: Written,
) -> None:  # fmt: skip
    emulator.faults.append(Reply(429, error(429, "RESOURCE_EXHAUSTED", f"quota of {key}"), {"Retry-After": "1"}))
    job_id = start("cafe", centre=None)
    assert work(job_id) == {"batchItemFailures": []}
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.COMPLETE, job.error
    assert [one.status for one in emulator.received] == [429, 200, 200]

    said = log.text
    assert key not in said
    assert rows_with(postgres, key) == []
    # The controls: both were looked at where something is to be found.
    assert str(job_id) in said
    assert "searchText" in said
    assert "places" in rows_with(postgres, ".example")
    logging.getLogger("httpx").info("a line with %s", key[::-1])
    assert key[::-1] in log.text


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_that_names_the_key_is_told_without_it(
    db: Database, postgres: TestDatabase, caller: Caller, key: str, emulator: Emulator, start: Callable[..., UUID],
    log: Written, status: int,
) -> None:  # fmt: skip
    refusal = error(status, "INVALID_ARGUMENT", f"API key {key} not valid.", "API_KEY_INVALID")
    emulator.faults.append(Reply(status, refusal))
    job_id = start()
    assert work(job_id) == {"batchItemFailures": []}
    failed = jobs.get(db, caller.tenant_id, job_id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (JobStatus.FAILED, ErrorCode.INVALID_KEY)
    assert key not in log.text
    assert rows_with(postgres, key) == []


def test_a_key_that_is_none_ends_the_search_as_such(
    db: Database, caller: Caller, emulator: Emulator, start: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch,
    log: Written,
) -> None:  # fmt: skip
    monkeypatch.setenv("PLACES_KEY_SECRET_ARN", secret(OTHER_KEY))
    job_id = start()
    work(job_id)
    failed = jobs.get(db, caller.tenant_id, job_id)
    assert failed.error is not None
    assert (failed.error.code, failed.error.retryable) == (ErrorCode.INVALID_KEY, False)
    assert OTHER_KEY not in log.text
    assert len(emulator.received) == 1


@pytest.mark.parametrize("text", ["two\nlines-of-a-key", "schlüssel-mit-ü"])
def test_a_secret_that_no_header_can_hold_is_an_error_that_does_not_show_it(
    db: Database, caller: Caller, emulator: Emulator, start: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch,
    log: Written, text: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("PLACES_KEY_SECRET_ARN", secret(text))
    job_id = start()
    assert work(job_id) == {"batchItemFailures": []}
    failed = jobs.get(db, caller.tenant_id, job_id)
    assert failed.error is not None
    assert failed.error.code is ErrorCode.INVALID_KEY
    assert emulator.received == []
    for part in (text, "lines-of-a-key", "schlüssel", "schl\\u00fcssel"):
        assert part not in log.text
        assert part not in failed.error.message


@pytest.mark.parametrize("variable", ["PLACES_API_URL", "GEOCODING_API_URL"])
def test_a_deployed_worker_asks_nobody_but_google(
    variable: str, emulator: Emulator, start: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for other in {"PLACES_API_URL", "GEOCODING_API_URL"} - {variable}:
        monkeypatch.delenv(other)
    with pytest.raises(ConfigurationError, match=variable):
        work(job_id)
    assert emulator.received == []


def test_without_a_key_the_message_comes_again(
    db: Database, caller: Caller, start: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = start()
    monkeypatch.delenv("PLACES_KEY_SECRET_ARN")
    with pytest.raises(ConfigurationError, match="PLACES_KEY_SECRET_ARN"):
        work(job_id)
    assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.PENDING


def test_a_message_of_another_kind_does_nothing(
    db: Database, queue: ScanQueue, caller: Caller, emulator: Emulator, start: Callable[..., UUID]
) -> None:
    scan = domain_scan.start(db, queue.sender, caller, base_url="site.example", max_pages=1, idempotency=None).job_id
    assert work(scan, uuid4()) == {"batchItemFailures": []}
    assert jobs.get(db, caller.tenant_id, scan).status is JobStatus.PENDING
    assert emulator.received == []


def test_a_dead_letter_ends_a_search_as_any_other_job(
    db: Database, queue: ScanQueue, caller: Caller, start: Callable[..., UUID]
) -> None:
    job_id = start()
    (body,) = queue.drain_places()
    event = {"Records": [{"messageId": "m1", "body": json.dumps(body)}]}
    assert function("dead_letter").lambda_handler(event, Context())["ended"] == 1
    failed = jobs.get(db, caller.tenant_id, job_id)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (JobStatus.FAILED, ErrorCode.WORKER_LOST)
