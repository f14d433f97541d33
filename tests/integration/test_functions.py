"""The functions without a client: what each makes of its event, with its secrets, queue and database at hand."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import boto3
import psycopg
import pytest
from psycopg import sql

from conftest import Cluster, TestDatabase
from integration.conftest import REGION, ScanQueue
from scrapersky import wiring
from scrapersky.db.connection import Database
from scrapersky.db.migrate import shipped
from scrapersky.domain.jobs import Caller, Started
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import ConfigurationError
from scrapersky.services import batch, domain_scan, jobs, places_search, sitemap_scan
from support.http_events import Context, function
from support.places import asked


@dataclass
class Worker(Context):
    """A worker's context: it has two minutes."""

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


def secret(value: str) -> str:
    name = uuid4().hex
    return boto3.client("secretsmanager", region_name=REGION).create_secret(Name=name, SecretString=value)["ARN"]


@pytest.fixture(autouse=True)
def environment(postgres: TestDatabase, queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cached = (wiring.sender, wiring.sqs, wiring.fetcher)
    for function_ in cached:
        function_.cache_clear()
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret(postgres.app_dsn))
    monkeypatch.setenv("SCAN_QUEUE_URL", queue.url)
    monkeypatch.setenv("SITEMAP_QUEUE_URL", queue.sitemap_url)
    monkeypatch.setenv("PLACES_QUEUE_URL", queue.places_url)
    monkeypatch.setenv("BATCH_QUEUE_URL", queue.batch_url)
    monkeypatch.setenv("EVENT_QUEUE_URL", queue.event_url)
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", queue.webhook_url)
    monkeypatch.setenv("SCAN_LEASE_SECONDS", "150")
    monkeypatch.setenv("SITEMAP_LEASE_SECONDS", "60")
    monkeypatch.setenv("MAX_CONCURRENT_SITES", "10")
    monkeypatch.setenv("CONTACT_URL", "https://bot.example/")
    yield
    for function_ in cached:
        function_.cache_clear()


def records(*bodies: object) -> dict[str, Any]:
    """An SQS event; a text is a body as it is, anything else is JSON. The message ids count from m1."""
    return {
        "Records": [
            {"messageId": f"m{n}", "body": body if isinstance(body, str) else json.dumps(body)}
            for n, body in enumerate(bodies, 1)
        ]
    }


def message(job_id: UUID) -> dict[str, object]:
    return {"version": 1, "job_id": str(job_id), "correlation_id": "request-1"}


STARTS = pytest.mark.parametrize(
    ("worker", "start"), [("domain_scan_worker", domain_scan.start), ("sitemap_worker", sitemap_scan.start)]
)


@STARTS
def test_the_worker_ends_every_job_it_can_and_hands_back_what_it_cannot_read(
    worker: str, start: Callable[..., Started], db: Database, queue: ScanQueue, caller: Caller
) -> None:
    # RFC 6761: the name exists nowhere.
    job_id = start(db, queue.sender, caller, base_url="no-such-name.example", max_pages=10, idempotency=None).job_id
    answer = function(worker).lambda_handler(
        records("not a message", message(job_id), message(uuid4()), {**message(job_id), "version": 9}), Worker()
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m4"}]}
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.DNS_FAILURE


def test_what_a_message_says_of_a_tenant_counts_for_nothing(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id, other = make_job("no-such-name.example"), uuid4()
    swapped = {**message(job_id), "tenant_id": str(other), "domain": "other.example", "batch_id": str(uuid4())}
    assert function("domain_scan_worker").lambda_handler(records(swapped), Worker()) == {"batchItemFailures": []}
    job = jobs.get(db, caller.tenant_id, job_id)
    assert (job.status, job.domain, job.batch_id) == (JobStatus.FAILED, "no-such-name.example", None)
    assert postgres.rows("select distinct tenant_id from scrapersky.jobs") == [(caller.tenant_id,)]
    assert jobs.listing(db, other) == ([], None)


@STARTS
def test_jobs_of_two_tenants_in_one_chunk_stay_each_its_tenants(
    worker: str, start: Callable[..., Started], db: Database, queue: ScanQueue, caller: Caller
) -> None:
    stranger = Caller(uuid4(), "stranger")
    mine, theirs = (
        start(db, queue.sender, who, base_url=domain, max_pages=1, idempotency=None).job_id
        for who, domain in ((caller, "no-such-name.example"), (stranger, "nor-this-one.example"))
    )
    chunk = {"job_ids": [str(mine), str(theirs)], "window": 2}
    assert function(worker).lambda_handler(chunk, Worker())["stored"] == 2
    for tenant_id, job_id in ((caller.tenant_id, mine), (stranger.tenant_id, theirs)):
        listed, _ = jobs.listing(db, tenant_id)
        assert [(job.id, job.status) for job in listed] == [(job_id, JobStatus.FAILED)]


@pytest.mark.parametrize("worker", ["domain_scan_worker", "sitemap_worker"])
def test_a_deployed_worker_does_not_reach_loopback(
    worker: str, make_job: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FETCH_ALLOW_NETWORKS", "127.0.0.0/8")
    with pytest.raises(ConfigurationError, match="FETCH_ALLOW_NETWORKS"):
        function(worker).lambda_handler(records(message(make_job())), Worker())


def test_a_message_on_the_queue_of_another_kind_does_nothing(
    db: Database, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    domain = make_job("no-such-name.example")
    sitemap = sitemap_scan.start(
        db, queue.sender, caller, base_url="no-such-name.example", max_pages=10, idempotency=None
    ).job_id
    for worker, job_id in (("domain_scan_worker", sitemap), ("sitemap_worker", domain)):
        assert function(worker).lambda_handler(records(message(job_id)), Worker()) == {"batchItemFailures": []}
        assert jobs.get(db, caller.tenant_id, job_id).status is JobStatus.PENDING


def test_a_dead_letter_ends_the_job_that_still_waits_and_no_other(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    waiting, cancelled, in_work = make_job("a.example"), make_job("b.example"), make_job("c.example")
    jobs.cancel(db, caller.tenant_id, cancelled)
    postgres.rows(
        "update scrapersky.jobs set status = 'running', lease_token = gen_random_uuid(),"
        " lease_until = now() + interval '1 minute' where id = %s",
        in_work,
    )
    answer = function("dead_letter").lambda_handler(
        records(message(waiting), message(cancelled), message(in_work), message(uuid4()), "unreadable"), Context()
    )
    assert answer == {"messages": 4, "ended": 1, "malformed": 1}
    failed = jobs.get(db, caller.tenant_id, waiting)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (JobStatus.FAILED, ErrorCode.WORKER_LOST)
    assert jobs.get(db, caller.tenant_id, cancelled).status is JobStatus.CANCELLED
    assert jobs.get(db, caller.tenant_id, in_work).status is JobStatus.RUNNING


def test_a_dead_letter_ends_a_sitemap_job_as_any_other(db: Database, queue: ScanQueue, caller: Caller) -> None:
    waiting = sitemap_scan.start(
        db, queue.sender, caller, base_url="site.example", max_pages=10, idempotency=None
    ).job_id
    (body,) = queue.drain_sitemaps()
    assert function("dead_letter").lambda_handler(records(body), Context())["ended"] == 1
    failed = jobs.get(db, caller.tenant_id, waiting)
    assert failed.error is not None
    assert (failed.kind, failed.status, failed.error.code) == (
        JobKind.SITEMAP_SCAN,
        JobStatus.FAILED,
        ErrorCode.WORKER_LOST,
    )


def test_the_sweeper_sends_what_is_owed_and_tells_how_the_whole_stands(
    postgres: TestDatabase, queue: ScanQueue, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job(sender=queue.broken_sender)
    postgres.rows("update scrapersky.outbox set held_until = now()")
    answer = function("sweeper").lambda_handler({}, Worker())
    assert (answer["sent"], answer["pending"], answer["running"], answer["outbox_owed"]) == (1, 1, 0, 0)
    assert [body["job_id"] for body in queue.drain()] == [str(job_id)]


def test_the_sweeper_sends_each_kind_to_its_own_queue(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    domain = make_job(sender=queue.broken_sender)
    sitemap = sitemap_scan.start(
        db, queue.broken_sender, caller, base_url="site.example", max_pages=10, idempotency=None
    ).job_id
    search = places_search.start(
        db, queue.broken_sender, caller, asked(), budget_usd=None, refresh=False, idempotency=None
    ).job_id
    batches = {
        batch.start(
            db,
            queue.broken_sender,
            caller,
            kind=kind,
            domains=["site.example"],
            max_pages=1,
            max_concurrent=1,
            batch_id=None,
            idempotency=None,
        ).batch_id
        for kind in (JobKind.DOMAIN_SCAN, JobKind.SITEMAP_SCAN)
    }
    postgres.rows("update scrapersky.outbox set held_until = now()")
    assert function("sweeper").lambda_handler({}, Worker())["sent"] == 5
    assert [body["job_id"] for body in queue.drain()] == [str(domain)]
    assert [body["job_id"] for body in queue.drain_sitemaps()] == [str(sitemap)]
    assert [body["job_id"] for body in queue.drain_places()] == [str(search)]
    runs = postgres.rows("select run from scrapersky.batches where id = any (%s)", list(batches))
    assert {body["run"] for body in queue.drain_batches()} == {str(run) for (run,) in runs}


def test_migrate_brings_an_empty_database_to_the_schema_and_then_finds_nothing_to_do(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"test_{uuid4().hex}"
    cluster.admin(sql.SQL("create database {}").format(sql.Identifier(name)))
    dsn = psycopg.conninfo.make_conninfo(cluster.postgres.admin_dsn, dbname=name)
    monkeypatch.setenv("MIGRATION_DATABASE_SECRET_ARN", secret(dsn))
    migrate = function("migrate").lambda_handler
    assert migrate({}, Context()) == {"applied": [migration.name for migration in shipped()]}
    assert migrate({}, Context()) == {"applied": []}


def test_a_secret_that_cannot_be_read_is_named_and_its_content_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:nowhere"
    monkeypatch.setenv("DATABASE_SECRET_ARN", arn)
    with pytest.raises(ConfigurationError, match=f"secret {arn} cannot be read"):
        function("sweeper").lambda_handler({}, Worker())
