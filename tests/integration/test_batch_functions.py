"""The functions around the state machine of batches: what each makes of its event, with AWS and database at hand."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest

from conftest import TestDatabase
from integration.conftest import REGION, ScanQueue
from integration.test_batch import run_of, start
from integration.test_functions import secret
from scrapersky import wiring
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.services import batch, batch_rounds
from support import emf
from support.http_events import Context, function
from support.log_lines import recorded

ROLE = "arn:aws:iam::123456789012:role/flow"
SOURCE = f"arn:aws:sqs:{REGION}:123456789012:batch"
BUCKET = "batches"


class Aws:
    """What the functions of batches use besides their queue."""

    def __init__(self, queue: ScanQueue) -> None:
        self.sqs = queue.client
        self.dead_url = self.sqs.create_queue(QueueName="batch-dead")["QueueUrl"]
        self.s3 = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        self.flow = boto3.client("stepfunctions", region_name=REGION)
        machine = self.flow.create_state_machine(name="flow", definition="{}", roleArn=ROLE)
        self.machine_arn = machine["stateMachineArn"]

    def executions(self) -> list[tuple[str, dict[str, Any]]]:
        """(name, input) of every execution."""
        found = self.flow.list_executions(stateMachineArn=self.machine_arn)["executions"]
        return [
            (one["name"], json.loads(self.flow.describe_execution(executionArn=one["executionArn"])["input"]))
            for one in found
        ]

    def dead(self) -> list[dict[str, Any]]:
        """The messages that were set aside."""
        received = self.sqs.receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [dict(message) for message in received.get("Messages", ())]


@pytest.fixture
def aws(postgres: TestDatabase, queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    cached = (wiring.sender, wiring.sqs, wiring.s3, wiring.step_functions)
    for function_ in cached:
        function_.cache_clear()
    services = Aws(queue)
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret(postgres.app_dsn))
    monkeypatch.setenv("BATCH_QUEUE_URL", queue.batch_url)
    monkeypatch.setenv("EVENT_QUEUE_URL", queue.event_url)
    monkeypatch.setenv("WEBHOOK_QUEUE_URL", queue.webhook_url)
    monkeypatch.setenv("BATCH_DEAD_LETTER_QUEUE_URL", services.dead_url)
    monkeypatch.setenv("BATCH_STATE_MACHINE_ARN", services.machine_arn)
    monkeypatch.setenv("BATCH_BUCKET", BUCKET)
    monkeypatch.setenv("BATCH_CHUNK_SIZE", "2")
    monkeypatch.setenv("BATCH_MAX_LANES", "20")
    monkeypatch.setenv("MAX_CONCURRENT_SITES", "10")
    monkeypatch.setenv("MAX_CONCURRENT_SITEMAP_SITES", "4")
    yield services
    for function_ in cached:
        function_.cache_clear()


def deliver(*bodies: object) -> list[str]:
    """Let batch_start work messages off; the ids (m1, m2, …) of those that are to come again."""
    records = [
        {
            "messageId": f"m{number}",
            "body": body if isinstance(body, str) else json.dumps(body),
            "eventSourceARN": SOURCE,
        }
        for number, body in enumerate(bodies, 1)
    ]
    answer = function("batch_start").lambda_handler({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def begin(run: UUID, round_: int = 1) -> dict[str, object]:
    return {"version": 1, "run": str(run), "round": round_, "correlation_id": "request-1"}


def asking(tenant_id: UUID, batch_id: UUID, *domains: str) -> dict[str, object]:
    return {"version": 1, "tenant_id": str(tenant_id), "batch_id": str(batch_id), "domains": list(domains)}


def planned(run: UUID) -> dict[str, Any]:
    event = {"run": str(run), "round": 1, "correlation_id": "request-1", "execution": f"{run}-1"}
    answer: dict[str, Any] = function("batch_plan").lambda_handler(event, Context())
    return answer


def finished(run: UUID, **more: object) -> dict[str, Any]:
    event = {"run": str(run), "round": 1, "correlation_id": "request-1", **more}
    answer: dict[str, Any] = function("batch_finish").lambda_handler(event, Context())
    return answer


# --- batch_start ---


def test_a_start_begins_one_execution_however_often_it_comes(aws: Aws) -> None:
    run = uuid4()
    assert deliver(begin(run), begin(run), begin(run, 2)) == []
    assert deliver(begin(run)) == []
    expected = {"run": str(run), "round": 1, "correlation_id": "request-1"}
    assert sorted(aws.executions()) == [(f"{run}-1", expected), (f"{run}-2", expected)]


def test_a_request_with_another_tenants_batch_id_makes_a_batch_of_its_own(
    aws: Aws, queue: ScanQueue, postgres: TestDatabase, db: Database, caller: Caller
) -> None:
    theirs, other = start(db, queue, caller, ["a.example"]), uuid4()
    run = run_of(postgres, theirs.batch_id)
    assert (
        deliver(asking(other, theirs.batch_id, "b.example", "c.example"), {**begin(run), "tenant_id": str(other)}) == []
    )
    assert batch.get(db, caller.tenant_id, theirs.batch_id).figures.total == 1
    assert batch.get(db, other, theirs.batch_id).figures.total == 2
    # A start names its run, and the run its tenant: the batch of the same id is not begun by it.
    assert [name for name, _ in aws.executions()] == [f"{run}-1"]
    assert aws.dead() == []


def test_a_whole_request_makes_one_batch_however_often_it_comes(
    aws: Aws, queue: ScanQueue, postgres: TestDatabase, db: Database
) -> None:
    tenant_id, batch_id = uuid4(), uuid4()
    asked = asking(tenant_id, batch_id, "a.example", "b.example", "A.example.")
    assert deliver(asked, asked) == []
    assert deliver(asked) == []
    made = batch.get(db, tenant_id, batch_id)
    assert (made.figures.total, made.figures.pending) == (2, 2)
    (message,) = queue.drain_batches()
    assert message["run"] == str(run_of(postgres, batch_id))
    assert deliver(message) == []
    assert [name for name, _ in aws.executions()] == [f"{message['run']}-1"]


def test_a_message_may_ask_for_a_batch_of_sitemap_scans(aws: Aws, queue: ScanQueue, db: Database) -> None:
    tenant_id, batch_id = uuid4(), uuid4()
    asked = asking(tenant_id, batch_id, "a.example", "b.example")
    assert deliver({**asked, "kind": "sitemap_scan", "max_pages": 50_000}) == []
    made = batch.get(db, tenant_id, batch_id)
    assert (made.kind, made.figures.total) == (JobKind.SITEMAP_SCAN, 2)
    assert made.request["max_pages"] == 50_000
    assert len(queue.drain_batches()) == 1
    # The same id stands for one kind alone.
    assert deliver({**asked, "max_pages": 100}) == []
    assert len(aws.dead()) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no JSON at all", "the body is no JSON"),
        ({"version": 2}, "`version` is not 1"),
        (asking(uuid4(), uuid4()), "`domains` holds 0, not 1 to 10000"),
        ({**asking(uuid4(), uuid4(), "a.example"), "batch_id": None}, "`batch_id` is no UUID"),
        ({**asking(uuid4(), uuid4(), "a.example"), "max_concurrent": 5000}, "`max_concurrent`"),
        ({**asking(uuid4(), uuid4(), "a.example"), "kind": "page_scan"}, "`kind` is none of domain_scan, sitemap_scan"),
    ],
)
def test_a_malformed_message_is_set_aside_with_its_reason_and_counted(
    aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, body: object, reason: str
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "ScraperSky/test")
    run = uuid4()
    assert deliver(body, begin(run)) == []
    (message,) = aws.dead()
    assert message["Body"] == (body if isinstance(body, str) else json.dumps(body))
    assert reason in message["MessageAttributes"]["reason"]["StringValue"]
    assert message["MessageAttributes"]["source"]["StringValue"] == SOURCE
    assert emf.values(emf.documents(capsys.readouterr().out))["MalformedMessages"] == [1]
    assert [name for name, _ in aws.executions()] == [f"{run}-1"]


def test_a_request_whose_id_stands_for_another_one_is_set_aside(aws: Aws) -> None:
    tenant_id, batch_id = uuid4(), uuid4()
    assert deliver(asking(tenant_id, batch_id, "a.example"), asking(tenant_id, batch_id, "b.example")) == []
    (message,) = aws.dead()
    assert "batch_id" in message["MessageAttributes"]["reason"]["StringValue"]


def test_what_cannot_be_done_now_comes_again_and_holds_up_nothing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    run = uuid4()
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret("postgresql://nobody@127.0.0.1:1/none"))
    monkeypatch.setattr("scrapersky.db.connection.RETRY_SECONDS", 0.1)
    assert deliver(asking(uuid4(), uuid4(), "a.example"), begin(run)) == ["m1"]
    assert [name for name, _ in aws.executions()] == [f"{run}-1"]
    assert aws.dead() == []


# --- batch_plan ---


def test_a_plan_puts_every_pending_job_into_one_chunk(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    made = start(db, queue, caller, ["a.example", "b.example", "c.example", "no domain"])
    run = run_of(postgres, made.batch_id)
    plan = planned(run)
    assert plan == {
        "run": str(run),
        "execution": f"{run}-1",
        "batch_id": str(made.batch_id),
        "round": 1,
        "correlation_id": "request-1",
        "kind": "domain_scan",
        "lanes": 1,
        "bucket": BUCKET,
        "key": f"batches/{run}-1/1.json",
        "chunks": 2,
    }
    chunks = json.loads(aws.s3.get_object(Bucket=BUCKET, Key=plan["key"])["Body"].read())
    assert [set(chunk) for chunk in chunks] == [{"job_ids", "window", "correlation_id"}] * 2
    statuses = batch.snapshot(db, caller.tenant_id, made.batch_id)[1]
    pending = {str(one.job_id) for one in statuses if one.status is JobStatus.PENDING}
    assert {job_id for chunk in chunks for job_id in chunk["job_ids"]} == pending
    assert len(pending) == 3


def test_a_plan_of_a_sitemap_batch_names_the_kind_whose_workers_it_is_for(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    made = start(db, queue, caller, [f"s{n}.example" for n in range(5)], kind=JobKind.SITEMAP_SCAN, max_concurrent=100)
    plan = planned(run_of(postgres, made.batch_id))
    assert (plan["kind"], plan["lanes"], plan["chunks"]) == ("sitemap_scan", 20, 5)
    chunks = json.loads(aws.s3.get_object(Bucket=BUCKET, Key=plan["key"])["Body"].read())
    assert {chunk["window"] for chunk in chunks} == {4}


def test_a_plan_without_a_pending_job_writes_nothing(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    made = start(db, queue, caller, ["no domain"])
    assert planned(run_of(postgres, made.batch_id))["chunks"] == 0
    assert aws.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


# --- batch_finish ---


def test_a_round_with_open_jobs_asks_for_another_one(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    made = start(db, queue, caller)
    run = run_of(postgres, made.batch_id)
    answer = finished(run)
    assert (answer["again"], answer["round"], answer["run"]) == (True, 2, str(run))
    assert answer["wait_seconds"] > 0
    batch.cancel(db, caller.tenant_id, made.batch_id)
    assert finished(run)["again"] is False


def test_what_a_batch_gives_up_is_logged_under_the_id_of_its_request(
    aws: Aws,
    db: Database,
    queue: ScanQueue,
    postgres: TestDatabase,
    caller: Caller,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = run_of(postgres, start(db, queue, caller).batch_id)
    with recorded(capsys) as written:
        assert finished(run, round=batch_rounds.MAX_ROUNDS)["again"] is False
    (line,) = [event for event in written.events() if event["message"] == "batch gave up"]
    assert (line["run"], line["lost"], line["correlation_id"]) == (str(run), 3, "request-1")


def test_an_abort_leaves_every_job_final(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    made = start(db, queue, caller)
    answer = finished(run_of(postgres, made.batch_id), abort=True, error={"Error": "States.Timeout", "Cause": ""})
    assert answer["ended"] == 3
    ended, statuses = batch.snapshot(db, caller.tenant_id, made.batch_id)
    assert ended.status is JobStatus.FAILED
    assert {one.error.code for one in statuses if one.error} == {ErrorCode.WORKER_LOST}


# --- an execution that another one has followed ---


def superseded(db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller) -> UUID:
    """The run of a batch whose three jobs wait for its second execution."""
    made = start(db, queue, caller)
    batch.cancel(db, caller.tenant_id, made.batch_id)
    batch.retry(db, queue.sender, caller, made.batch_id, error_codes=None, idempotency=None)
    return run_of(postgres, made.batch_id)


def test_the_steps_of_an_execution_go_by_its_name(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    run = superseded(db, queue, postgres, caller)
    answer = planned(run)
    assert answer["chunks"] == 0
    answer = function("batch_finish").lambda_handler({**answer, "round": batch_rounds.MAX_ROUNDS}, Context())
    assert (answer["again"], answer["wait_seconds"]) == (False, 0)
    failure = {"abort": True, "error": {"Error": "States.Timeout", "Cause": ""}}
    assert finished(run, execution=f"{run}-1", **failure)["ended"] == 0
    assert finished(run, execution=f"{run}-2", **failure)["ended"] == 3  # control: the newest one's


def test_an_event_of_an_execution_from_before_names_had_to_come_along_is_the_first_ones(
    aws: Aws, db: Database, queue: ScanQueue, postgres: TestDatabase, caller: Caller
) -> None:
    failure = {"abort": True, "error": {"Error": "States.Timeout", "Cause": ""}}
    first = run_of(postgres, start(db, queue, caller).batch_id)
    assert finished(first)["again"] is True
    assert finished(first, **failure)["ended"] == 3
    later = superseded(db, queue, postgres, caller)
    assert finished(later, round=batch_rounds.MAX_ROUNDS)["again"] is False
    assert finished(later, **failure)["ended"] == 0
    assert postgres.one("select count(*) from scrapersky.jobs where status = 'pending'") == (3,)
