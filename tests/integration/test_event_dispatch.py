"""The dispatcher: each event is handed on once, to whom it is for; a batch is told of when its last job has ended."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import failing, job_ids, start
from integration.test_work import run
from scrapersky import metrics
from scrapersky.db import events as rows
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import batch, domain_scan, events, jobs
from support import emf
from support.event_rows import Bus, complete_events, endpoint, release
from support.log_lines import recorded


def dispatch(db: Database, queue: ScanQueue, bus: Bus | None = None, *, seconds: float = 60) -> events.Tally:
    """One invocation of a dispatcher."""
    in_time = time.monotonic() + seconds
    return events.dispatch(db, queue.sender, bus.of_an_invocation() if bus else None, deadline=in_time)


def undispatched(postgres: TestDatabase) -> int:
    ((number,),) = postgres.rows("select count(*) from scrapersky.events where dispatched_at is null")
    assert isinstance(number, int)
    return number


def scan(db: Database, queue: ScanQueue, caller: Caller, domain: str = "a.example") -> UUID:
    return domain_scan.start(db, queue.sender, caller, base_url=domain, max_pages=1, idempotency=None).job_id


def test_an_end_is_told_to_the_bus_and_to_the_endpoints_that_asked_for_it(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    wanted = endpoint(postgres, caller.tenant_id, "job.complete", "job.failed")
    endpoint(postgres, caller.tenant_id, "job.failed", "batch.complete")
    endpoint(postgres, uuid4(), "job.complete")
    job_id = scan(db, queue, caller)
    run(db, job_id)
    bus = Bus()
    tally = dispatch(db, queue, bus)
    assert (tally.dispatched, tally.sent, tally.delayed) == (1, 1, 0)
    ((event_id, delivery_id),) = postgres.rows(
        "select event_id, id from scrapersky.webhook_deliveries where webhook_id = %s and status = 'pending'", wanted
    )
    assert postgres.rows("select count(*) from scrapersky.webhook_deliveries") == [(1,)]
    message = {"version": 1, "delivery_id": str(delivery_id), "correlation_id": "request-1"}
    assert queue.drain_webhooks() == [message]
    assert postgres.rows("select count(*) from scrapersky.outbox where sent_at is null and queue = 'webhook'") == [(0,)]
    (entry,) = bus.entries
    told = json.loads(entry["Detail"])
    assert (entry["DetailType"], entry["Source"]) == ("job.complete", "scrapersky")
    assert (told["id"], told["tenant_id"]) == (str(event_id), str(caller.tenant_id))
    assert told["data"]["job_id"] == str(job_id)
    assert (dispatch(db, queue, bus).dispatched, bus.calls) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ("updated_at = now()", 1),
        ("is_enabled = false, disabled_reason = 'by_request', disabled_at = now()", 0),
        ("created_at = now() + interval '1 minute'", 0),
    ],
    ids=["enabled", "disabled", "made after the event"],
)
def test_an_endpoint_is_told_while_it_is_enabled_of_what_happens_from_then_on(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, changes: str, messages: int
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete", changes=changes)
    run(db, scan(db, queue, caller))
    assert dispatch(db, queue).sent == messages
    assert postgres.rows("select count(*) from scrapersky.webhook_deliveries") == [(messages,)]


def test_a_paused_endpoint_is_owed_its_delivery_for_when_the_pause_is_over(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete", changes="paused_until = now() + interval '5 minutes'")
    run(db, scan(db, queue, caller))
    assert dispatch(db, queue).sent == 0
    assert postgres.rows("""
        select d.next_attempt_at = w.paused_until, o.due_at = w.paused_until, o.held_until = w.paused_until
        from scrapersky.outbox o join scrapersky.webhook_deliveries d on d.id = o.delivery_id
        join scrapersky.webhooks w on w.id = d.webhook_id where o.sent_at is null
    """) == [(True, True, True)]


def test_a_test_is_for_its_own_endpoint_whatever_that_asked_for(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    asked, _other = (endpoint(postgres, caller.tenant_id, "job.failed", "webhook.test") for _ in range(2))
    postgres.rows(
        "insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id)"
        " values (%s, 'webhook.test', %s, '{}', '')",
        caller.tenant_id,
        asked,
    )
    assert dispatch(db, queue).sent == 1
    assert postgres.rows("select webhook_id from scrapersky.webhook_deliveries") == [(asked,)]


def test_a_queue_that_takes_nothing_leaves_the_messages_owed(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    run(db, scan(db, queue, caller))
    tally = events.dispatch(db, queue.broken_sender, None, deadline=time.monotonic() + 60)
    assert (tally.dispatched, tally.sent) == (1, 0)
    assert postgres.rows("select queue from scrapersky.outbox where sent_at is null and delivery_id is not null") == [
        ("webhook",)
    ]


# --- batches ---


def test_each_event_of_thousands_is_told_under_its_id(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the story that is found by an id has no end, when it ended among many."""
    complete_events(postgres, caller.tenant_id, 1_500)
    with recorded(capsys) as written:
        assert dispatch(db, queue).dispatched == 1_500
        told = [event["event_id"] for event in written.events() if event.get("message") == "event dispatched"]
    assert sorted(told) == sorted(str(row[0]) for row in postgres.rows("select id from scrapersky.events"))


def test_a_batch_that_closes_is_told_of_once_and_again_when_it_closes_again(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["a.example", "b.example", "no domain"]).batch_id
    ids = job_ids(db, caller, batch_id)
    bus = Bus()
    run(db, ids["a.example"], scan=failing)
    assert dispatch(db, queue, bus).dispatched == 2
    run(db, ids["b.example"], scan=failing)
    assert dispatch(db, queue, bus).dispatched == 2
    batch.retry(db, queue.sender, caller, batch_id, error_codes=None, idempotency=None)
    run(db, ids["a.example"])
    run(db, ids["b.example"], scan=failing)
    assert dispatch(db, queue, bus).dispatched == 3
    told = [json.loads(entry["Detail"]) for entry in bus.entries if entry["DetailType"].startswith("batch")]
    assert [(one["type"], one["data"]["failed_domains"], one["data"]["total_domains"]) for one in told] == [
        ("batch.failed", 3, 3),
        ("batch.complete", 2, 3),
    ]
    figures = batch.get(db, caller.tenant_id, batch_id).figures
    assert figures.finished_at is not None
    assert told[-1]["timestamp"] == figures.finished_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert {one["data"]["batch_id"] for one in told} == {str(batch_id)}


def test_a_batch_of_nothing_but_refused_inputs_is_told_of(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    start(db, queue, caller, ["no domain", "none either"])
    assert dispatch(db, queue).dispatched == 3
    assert len(queue.drain_events()) == 1
    assert postgres.rows("select type from scrapersky.events where job_id is null") == [("batch.failed",)]


def test_a_cancelled_batch_is_told_of_as_cancelled(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller).batch_id
    batch.cancel(db, caller.tenant_id, batch_id)
    dispatch(db, queue)
    ((data,),) = postgres.rows("select data from scrapersky.events where type = 'batch.cancelled'")
    assert isinstance(data, dict)
    assert (data["status"], data["cancelled_domains"], data["start_time"]) == ("cancelled", 3, None)


def test_two_dispatchers_of_the_last_two_jobs_tell_of_the_batch_once(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    """The jobs end at the same moment, and each of their workers has a dispatcher called at once."""
    rounds = 12
    both = Barrier(2)
    batches = [
        list(job_ids(db, caller, start(db, queue, caller, [f"a{n}.example", f"b{n}.example"]).batch_id).values())
        for n in range(rounds)
    ]

    def worker(which: int) -> None:
        with Database(postgres.direct_app_dsn) as own:
            for ids in batches:
                both.wait(10)
                run(own, ids[which])
                dispatch(own, queue)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(worker, which) for which in range(2)]:
            done.result(60)
    dispatch(db, queue)
    assert undispatched(postgres) == 0
    assert postgres.rows("select type, count(*) from scrapersky.events group by type order by type") == [
        ("batch.complete", rounds),
        ("job.complete", 2 * rounds),
    ]


# --- metrics, and what is past its time ---


def test_metrics_of_ended_jobs_are_those_of_the_rows(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "_buffer", metrics._Buffer())
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "ScraperSky/test")
    batch_id = start(db, queue, caller, ["a.example", "b.example", "c.example", "no domain"]).batch_id
    first, second, third = list(job_ids(db, caller, batch_id).values())[:3]
    run(db, first)
    run(db, second, scan=failing)
    jobs.cancel(db, caller.tenant_id, third)
    dispatch(db, queue, Bus(lambda _: "InternalFailure"))  # each is counted once, though it is handed on later
    release(postgres)
    capsys.readouterr()
    dispatch(db, queue)
    metrics.flush()
    found = emf.documents(capsys.readouterr().out)
    ended = {
        str(outcome): emf.values(found, kind="domain_scan", outcome=str(outcome))["JobsEnded"]
        for (outcome,) in postgres.rows("select distinct coalesce(error_code, status) from scrapersky.jobs")
    }
    assert ended == {"complete": [1], "timeout": [1], "cancelled": [1], "invalid_domain": [1]}
    whole, of_kind = emf.values(found), emf.values(found, kind="domain_scan")
    for name, number in {"JobsComplete": 1, "JobsFailed": 2, "JobsCancelled": 1}.items():
        assert whole[name] == of_kind[name] == [number]
    assert whole["EventsDispatched"] == [5]
    exact = postgres.rows("select extract(epoch from finished_at - created_at)::float8 from scrapersky.jobs order by 1")
    assert sorted(of_kind["JobSeconds"]) == [round(float(str(seconds)), 3) for (seconds,) in exact]


def test_events_past_their_time_go_with_their_deliveries_unless_they_are_still_to_be_told(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    complete_events(postgres, caller.tenant_id, 4)
    dispatch(db, queue)
    complete_events(postgres, caller.tenant_id, 1)  # not dispatched
    ids = [id_ for (id_,) in postgres.rows("select event_id from scrapersky.webhook_deliveries order by event_id")]
    postgres.rows(
        "update scrapersky.webhook_deliveries set status = 'delivered', finished_at = now() where event_id <> %s",
        ids[0],
    )
    postgres.rows("update scrapersky.events set occurred_at = now() - interval '31 days' where id <> %s", ids[1])
    assert rows.purge(db, limit=1) == 1
    assert events.purge(db, deadline=time.monotonic() + 60) == 1
    left = postgres.rows("select id, dispatched_at is null from scrapersky.events")
    assert {id_ for id_, is_open in left if not is_open} == {ids[0], ids[1]}
    assert [is_open for _, is_open in left].count(True) == 1
    assert {id_ for (id_,) in postgres.rows("select event_id from scrapersky.webhook_deliveries")} == {ids[0], ids[1]}
    assert rows.purge(db, kept=timedelta(days=32)) == 0
