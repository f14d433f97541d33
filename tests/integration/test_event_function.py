"""The dispatcher as a function, and who calls it: whoever ended a job, once, and the sweeper for whoever could not."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import boto3
import pytest

from conftest import TestDatabase
from integration.conftest import REGION, ScanQueue
from integration.test_batch import job_ids, run_of, start
from integration.test_functions import Worker, message, records, secret
from integration.test_work import run
from scrapersky import event_bus, wiring
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import batch_rounds, sitemap_scan
from support.event_rows import endpoint
from support.http_events import Context, event, function
from support.stopwatch import Stopwatch

NUDGE = {"version": 1, "correlation_id": "request-1"}
CACHED = (wiring.sender, wiring.sqs, wiring.fetcher, wiring.eventbridge)


@pytest.fixture(autouse=True)
def environment(postgres: TestDatabase, queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for cache in CACHED:
        cache.cache_clear()
    for name, value in {
        "DATABASE_SECRET_ARN": secret(postgres.app_dsn),
        "SCAN_QUEUE_URL": queue.url,
        "SITEMAP_QUEUE_URL": queue.sitemap_url,
        "PLACES_QUEUE_URL": queue.places_url,
        "BATCH_QUEUE_URL": queue.batch_url,
        "EVENT_QUEUE_URL": queue.event_url,
        "WEBHOOK_QUEUE_URL": queue.webhook_url,
        "BATCH_DEAD_LETTER_QUEUE_URL": queue.batch_url,
        "BATCH_STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:123456789012:stateMachine:none",
        "BATCH_BUCKET": "none",
        "SCAN_LEASE_SECONDS": "150",
        "SITEMAP_LEASE_SECONDS": "60",
        "MAX_CONCURRENT_SITES": "10",
        "CONTACT_URL": "https://bot.example/",
    }.items():
        monkeypatch.setenv(name, value)
    yield
    for cache in CACHED:
        cache.cache_clear()


def dispatched(*bodies: object) -> list[str]:
    """Let the dispatcher work messages off; the ids (m1, m2, …) of those that are to come again."""
    answer = function("event_dispatcher").lambda_handler(records(*(bodies or (NUDGE,))), Worker())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


# --- the function ---


@pytest.fixture
def subscribed(queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """A bus with a rule that sends what failed to a queue; what came there."""
    monkeypatch.setenv("EVENT_BUS_NAME", "jobs")
    bridge = boto3.client("events", region_name=REGION)
    bridge.create_event_bus(Name="jobs")
    url = queue.client.create_queue(QueueName="failures")["QueueUrl"]
    arn = queue.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["scrapersky"], "detail-type": ["job.failed"]}
    bridge.put_rule(Name="failures", EventBusName="jobs", EventPattern=json.dumps(pattern))
    bridge.put_targets(Rule="failures", EventBusName="jobs", Targets=[{"Id": "queue", "Arn": arn}])
    return lambda: queue._take(url)


def test_a_rule_on_the_bus_gets_the_event_with_the_time_at_which_it_happened(
    db: Database,
    postgres: TestDatabase,
    caller: Caller,
    make_job: Callable[..., UUID],
    subscribed: Callable[[], list[dict[str, Any]]],
) -> None:
    failed, done = make_job("no-such-name.example"), make_job("b.example")
    function("domain_scan_worker").lambda_handler(records(message(failed)), Worker())
    run(db, done)
    assert dispatched("unreadable", NUDGE, {**NUDGE, "version": 2}, NUDGE) == ["m1", "m3"]
    (told,) = subscribed()
    assert (told["source"], told["detail-type"]) == ("scrapersky", "job.failed")
    detail = told["detail"]
    assert (detail["type"], detail["tenant_id"]) == ("job.failed", str(caller.tenant_id))
    assert detail["data"]["job_id"] == str(failed)
    assert detail["data"]["error"]["retryable"] is True
    assert postgres.rows("select count(*) from scrapersky.events where dispatched_at is null") == [(0,)]


def test_messages_that_are_none_call_for_nothing(db: Database, postgres: TestDatabase, make_job: Any) -> None:
    run(db, make_job())
    assert dispatched("unreadable") == ["m1"]
    assert postgres.rows("select count(*) from scrapersky.events where dispatched_at is null") == [(1,)]


def test_without_a_bus_endpoints_are_told_all_the_same(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    run(db, make_job())
    assert dispatched() == []
    assert len(queue.drain_webhooks()) == 1


def test_a_bus_that_does_not_answer_costs_its_two_tries_and_keeps_nobody_waiting(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    make_job: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    for number in range(2):
        run(db, make_job(f"s{number}.example"))
    monkeypatch.setattr(event_bus, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("EVENT_BUS_NAME", "jobs")
    with socket.create_server(("127.0.0.1", 0)) as mute, Stopwatch() as watch:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTS", f"http://127.0.0.1:{mute.getsockname()[1]}")
        assert dispatched() == []
        assert watch.seconds < 5
    assert len(queue.drain_webhooks()) == 2
    assert postgres.rows("select count(*) from scrapersky.events where dispatched_at is null") == [(2,)]


# --- who calls it ---


def worked_off(queue: ScanQueue, make_job: Callable[..., UUID], _: Any) -> None:
    jobs = [make_job(f"no-such-name-{number}.example") for number in range(3)]
    function("domain_scan_worker").lambda_handler(records(*map(message, jobs)), Worker())


def worked_off_in_a_batch(queue: ScanQueue, make_job: Callable[..., UUID], _: Any) -> None:
    chunk = {"job_ids": [str(make_job("no-such-name.example"))], "window": 1}
    function("domain_scan_worker").lambda_handler(chunk, Worker())


def sitemaps_worked_off(queue: ScanQueue, _: Any, system: tuple[Database, TestDatabase, Caller]) -> None:
    db, _postgres, caller = system
    sitemap_scan.start(db, queue.sender, caller, base_url="no-such-name.example", max_pages=1, idempotency=None)
    function("sitemap_worker").lambda_handler(records(*queue.drain_sitemaps()), Worker())


def given_up(queue: ScanQueue, make_job: Callable[..., UUID], _: Any) -> None:
    function("dead_letter").lambda_handler(records(message(make_job())), Context())


def round_after_the_last(queue: ScanQueue, _: Any, system: tuple[Database, TestDatabase, Caller]) -> None:
    finish(queue, *system, round=batch_rounds.MAX_ROUNDS)


def batch_aborted(queue: ScanQueue, _: Any, system: tuple[Database, TestDatabase, Caller]) -> None:
    finish(queue, *system, round=1, abort=True, error={"Error": "x"})


def finish(queue: ScanQueue, db: Database, postgres: TestDatabase, caller: Caller, **more: object) -> None:
    run_id = run_of(postgres, start(db, queue, caller, ["a.example"]).batch_id)
    body = {"run": str(run_id), "correlation_id": "request-1", "execution": "e", **more}
    function("batch_finish").lambda_handler(body, Context())


def batch_with_refused_inputs(queue: ScanQueue, _: Any, system: tuple[Database, TestDatabase, Caller]) -> None:
    _db, _postgres, caller = system
    body = {
        "version": 1,
        "tenant_id": str(caller.tenant_id),
        "batch_id": str(UUID(int=1)),
        "domains": ["a.example", "no domain"],
    }
    source = {"eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:batch"}
    asked = [{**record, **source} for record in records(body)["Records"]]
    assert function("batch_start").lambda_handler({"Records": asked}, Context()) == {"batchItemFailures": []}


def job_cancelled(
    queue: ScanQueue, make_job: Callable[..., UUID], system: tuple[Database, TestDatabase, Caller]
) -> None:
    path = f"/api/v3/jobs/{make_job()}/cancel"
    request = event("POST", path, tenant_id=system[2].tenant_id, route_key="POST /api/v3/jobs/{job_id}/cancel")
    assert function("jobs_api").lambda_handler(request, Context())["statusCode"] == 200


def batch_cancelled(queue: ScanQueue, _: Any, system: tuple[Database, TestDatabase, Caller]) -> None:
    db, _postgres, caller = system
    path = f"/api/v3/batch_page_scraper/batch/{start(db, queue, caller).batch_id}/cancel"
    request = event("POST", path, tenant_id=caller.tenant_id)
    assert function("batch_scan_api").lambda_handler(request, Context())["statusCode"] == 200


CALLERS = (
    worked_off,
    worked_off_in_a_batch,
    sitemaps_worked_off,
    given_up,
    round_after_the_last,
    batch_aborted,
    batch_with_refused_inputs,
    job_cancelled,
    batch_cancelled,
)


@pytest.mark.parametrize("ended", CALLERS, ids=lambda ended: ended.__name__)
def test_an_invocation_that_ended_jobs_calls_a_dispatcher_once(
    ended: Callable[..., None],
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    make_job: Callable[..., UUID],
) -> None:
    ended(queue, make_job, (db, postgres, caller))
    ((waiting,),) = postgres.rows("select count(*) > 0 from scrapersky.events where dispatched_at is null")
    assert waiting is True
    (nudge,) = queue.drain_events()
    assert nudge["version"] == 1


@pytest.mark.parametrize("ended", CALLERS, ids=lambda ended: ended.__name__)
def test_a_dispatcher_that_cannot_be_called_is_no_fault_of_the_invocation_and_the_sweeper_calls_one(
    ended: Callable[..., None],
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    make_job: Callable[..., UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("EVENT_QUEUE_URL", f"{queue.event_url}-gone")
        ended(queue, make_job, (db, postgres, caller))
    assert queue.drain_events() == []
    wiring.sender.cache_clear()
    assert function("sweeper").lambda_handler({}, Worker())["called_dispatcher"] is True
    assert len(queue.drain_events()) == 1


def test_who_ended_nothing_calls_nobody(
    db: Database, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    run(db, job_id)
    assert dispatched() == []
    queue.drain_events()
    function("domain_scan_worker").lambda_handler(records(message(job_id)), Worker())
    function("dead_letter").lambda_handler(records(message(job_id)), Context())
    batch_id = start(db, queue, caller).batch_id
    assert len(job_ids(db, caller, batch_id)) == 3
    assert function("sweeper").lambda_handler({}, Worker())["called_dispatcher"] is False
    assert queue.drain_events() == []
