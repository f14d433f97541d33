"""Batches: one transaction makes them, their jobs tell how they stand, and every one of them ends."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_work import found, run
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.domain.batches import Execution, StartedBatch
from scrapersky.domain.facts import ScanError, SiteScan
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Conflict, NotFound
from scrapersky.services import batch, batch_rounds, jobs, sweep
from scrapersky.services.work import Control

FOREVER = float("inf")
SITES = {JobKind.DOMAIN_SCAN: 10, JobKind.SITEMAP_SCAN: 4}  # that a worker of each kind takes at once


def start(
    db: Database,
    queue: ScanQueue,
    caller: Caller,
    domains: Sequence[str] = ("a.example", "b.example", "c.example"),
    *,
    kind: JobKind = JobKind.DOMAIN_SCAN,
    batch_id: UUID | None = None,
    idempotency: Idempotency | None = None,
    max_concurrent: int = 5,
) -> StartedBatch:
    return batch.start(
        db,
        queue.sender,
        caller,
        kind=kind,
        domains=domains,
        max_pages=2,
        max_concurrent=max_concurrent,
        batch_id=batch_id,
        idempotency=idempotency,
    )


def run_of(postgres: TestDatabase, batch_id: UUID) -> UUID:
    (run_id,) = postgres.one("select run from scrapersky.batches where id = %s", batch_id)
    assert isinstance(run_id, UUID)
    return run_id


def execution_of(postgres: TestDatabase, batch_id: UUID, number: int = 1) -> Execution:
    return Execution(run_of(postgres, batch_id), number)


def job_ids(db: Database, caller: Caller, batch_id: UUID) -> dict[str, UUID]:
    return {domain.domain: domain.job_id for domain in batch.snapshot(db, caller.tenant_id, batch_id)[1]}


def failing(_job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
    return SiteScan((), error=ScanError(ErrorCode.TIMEOUT, "no answer in time")), None


def test_a_batch_is_one_job_a_domain_one_message_and_what_names_no_domain_is_told(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(
        db, queue, caller, ["a.example", "https://www.A.example/x", "b.example", "127.0.0.1", "", "127.0.0.1"]
    )
    assert started.job_count == 4
    assert [rejected.input for rejected in started.rejected] == ["(empty)", "127.0.0.1"]
    assert all(rejected.reason for rejected in started.rejected)
    whole, domains = batch.snapshot(db, caller.tenant_id, started.batch_id)
    assert (whole.status, whole.progress, whole.figures.total, whole.figures.failed) == (JobStatus.PENDING, 50.0, 4, 2)
    assert [(each.domain, each.status) for each in domains] == [
        ("(empty)", JobStatus.FAILED),
        ("127.0.0.1", JobStatus.FAILED),
        ("a.example", JobStatus.PENDING),
        ("b.example", JobStatus.PENDING),
    ]
    run_id = run_of(postgres, started.batch_id)
    assert queue.drain_batches() == [{"version": 1, "run": str(run_id), "round": 1, "correlation_id": "request-1"}]
    assert queue.drain() == []  # no job has a message of its own


def test_a_batch_of_nothing_but_refused_inputs_is_failed_at_once_and_starts_nothing(
    db: Database, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, ["localhost", "10.0.0.1"])
    assert batch.get(db, caller.tenant_id, started.batch_id).status is JobStatus.FAILED
    assert queue.drain_batches() == []


def test_ten_thousand_domains_are_one_statement_and_their_status_touches_no_other_batch(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    for number in range(3):
        start(db, queue, caller, [f"other{number}-{n}.example" for n in range(500)])
    started = start(db, queue, caller, [f"s{n}.example" for n in range(10_000)])
    figures = batch.get(db, caller.tenant_id, started.batch_id).figures
    assert (figures.total, figures.pending) == (10_000, 10_000)
    assert len(batch.snapshot(db, caller.tenant_id, started.batch_id)[1]) == batch.STATUSES_SHOWN
    postgres.rows("analyze scrapersky.jobs")
    small = start(db, queue, caller, ["only.example"])
    plan = "\n".join(
        str(row)
        for row in postgres.rows(
            "explain (analyze, timing off) select count(*) from scrapersky.jobs where tenant_id = %s and batch_id = %s",
            caller.tenant_id,
            small.batch_id,
        )
    )
    assert "Index" in plan
    assert "Rows Removed by Filter" not in plan


def test_figures_add_up_and_say_complete_only_when_nothing_is_open(
    db: Database, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller)
    ids = job_ids(db, caller, started.batch_id)
    seen = [batch.get(db, caller.tenant_id, started.batch_id)]
    run(db, ids["a.example"])
    seen.append(batch.get(db, caller.tenant_id, started.batch_id))
    run(db, ids["b.example"], scan=failing)
    run(db, ids["c.example"], scan=failing)
    seen.append(batch.get(db, caller.tenant_id, started.batch_id))
    assert [each.status for each in seen] == [JobStatus.PENDING, JobStatus.RUNNING, JobStatus.COMPLETE]
    assert [each.progress for each in seen] == [0.0, 33.3, 100.0]
    end = seen[-1].figures
    assert (end.completed, end.failed, end.cancelled, end.total) == (1, 2, 0, 3)
    assert end.started_at is not None
    assert end.finished_at is not None


def test_a_batch_none_of_whose_domains_completed_is_failed(db: Database, queue: ScanQueue, caller: Caller) -> None:
    started = start(db, queue, caller)
    run(db, *job_ids(db, caller, started.batch_id).values(), scan=failing)
    assert batch.get(db, caller.tenant_id, started.batch_id).status is JobStatus.FAILED


def test_the_same_batch_id_and_request_is_one_batch_and_another_request_a_conflict(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = uuid4()
    first = start(db, queue, caller, ["a.example", "nonsense"], batch_id=batch_id)
    assert start(db, queue, caller, ["A.example", "nonsense"], batch_id=batch_id) == first
    with pytest.raises(Conflict) as caught:
        start(db, queue, caller, ["b.example"], batch_id=batch_id)
    assert caught.value.code == "batch_exists"
    assert postgres.one("select count(*) from scrapersky.jobs") == (2,)
    stranger = Caller(uuid4(), "stranger")
    start(db, queue, stranger, ["b.example"], batch_id=batch_id)  # ids are each tenant's own
    assert batch.get(db, caller.tenant_id, batch_id).figures.total == 2


def test_a_batch_is_of_its_kind_and_another_kind_is_another_request(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = uuid4()
    first = start(db, queue, caller, ["a.example", "nonsense"], kind=JobKind.SITEMAP_SCAN, batch_id=batch_id)
    assert start(db, queue, caller, ["A.example", "nonsense"], kind=JobKind.SITEMAP_SCAN, batch_id=batch_id) == first
    with pytest.raises(Conflict) as caught:
        start(db, queue, caller, ["a.example", "nonsense"], batch_id=batch_id)
    assert caught.value.code == "batch_exists"
    assert postgres.rows("select distinct kind from scrapersky.jobs") == [("sitemap_scan",)]
    domains = start(db, queue, caller, ["a.example"])
    listed, _ = batch.listing(db, caller.tenant_id)
    assert [(one.id, one.kind) for one in listed] == [
        (domains.batch_id, JobKind.DOMAIN_SCAN),
        (batch_id, JobKind.SITEMAP_SCAN),
    ]
    assert batch.snapshot(db, caller.tenant_id, batch_id)[0].kind is JobKind.SITEMAP_SCAN


def test_a_batch_of_domain_scans_is_known_by_what_it_was_always_known_by(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    """A client that tries again while a new version is deployed gets its first batch."""
    start(db, queue, caller, ["b.example", "a.example", "nonsense"])
    (kept,) = postgres.one("select fingerprint from scrapersky.batches")
    assert kept == sha256(b"2\n5\na.example\nb.example\nnonsense").digest()


def test_a_cancel_ends_what_is_open_and_a_retry_does_the_rest(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, ["a.example", "b.example", "c.example", "nonsense"])
    ids = job_ids(db, caller, started.batch_id)
    run(db, ids["a.example"])
    cancelled = batch.cancel(db, caller.tenant_id, started.batch_id)
    assert (cancelled.status, cancelled.figures.completed, cancelled.figures.cancelled) == (JobStatus.CANCELLED, 1, 2)
    assert batch.cancel(db, caller.tenant_id, started.batch_id) == cancelled
    queue.drain_batches()

    again = batch.retry(db, queue.sender, caller, started.batch_id, error_codes=None, idempotency=None)
    assert (again.batch_id, again.job_count, again.created_at) == (started.batch_id, 4, started.created_at)
    assert [message["round"] for message in queue.drain_batches()] == [2]
    figures = batch.get(db, caller.tenant_id, started.batch_id).figures
    assert (figures.completed, figures.pending, figures.failed) == (1, 2, 1)  # what names no domain stays failed
    run(db, ids["b.example"], ids["c.example"])
    assert batch.get(db, caller.tenant_id, started.batch_id).status is JobStatus.COMPLETE
    with pytest.raises(Conflict) as caught:
        batch.retry(db, queue.sender, caller, started.batch_id, error_codes=None, idempotency=None)
    assert caught.value.code == "batch_not_retryable"
    with pytest.raises(Conflict) as caught:
        batch.cancel(db, caller.tenant_id, started.batch_id)
    assert caught.value.code == "batch_is_final"


def test_a_retry_by_error_code_leaves_the_others(db: Database, queue: ScanQueue, caller: Caller) -> None:
    started = start(db, queue, caller)
    ids = job_ids(db, caller, started.batch_id)
    run(db, ids["a.example"], scan=failing)
    batch.cancel(db, caller.tenant_id, started.batch_id)
    batch.retry(db, queue.sender, caller, started.batch_id, error_codes=[ErrorCode.TIMEOUT], idempotency=None)
    figures = batch.get(db, caller.tenant_id, started.batch_id).figures
    assert (figures.pending, figures.cancelled) == (1, 2)


def test_a_plan_covers_what_waits_once_and_keeps_to_the_concurrency_asked_for(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, [f"s{n}.example" for n in range(60)], max_concurrent=15)
    ids = job_ids(db, caller, started.batch_id)
    run(db, ids["s0.example"])
    plan = batch_rounds.plan(
        db, execution_of(postgres, started.batch_id), round=1, chunk_size=25, sites_per_worker=SITES, max_lanes=50
    )
    assert [len(chunk.job_ids) for chunk in plan.chunks] == [25, 25, 9]
    assert {job for chunk in plan.chunks for job in chunk.job_ids} == set(ids.values()) - {ids["s0.example"]}
    assert plan.lanes * plan.chunks[0].window <= 15
    assert {chunk.window for chunk in plan.chunks} == {7}  # two workers
    with pytest.raises(NotFound):
        batch_rounds.plan(db, Execution(uuid4(), 1), round=1, chunk_size=25, sites_per_worker=SITES, max_lanes=50)


def test_a_small_batch_has_work_for_all_its_workers(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, [f"s{n}.example" for n in range(19)], max_concurrent=30)
    plan = batch_rounds.plan(
        db, execution_of(postgres, started.batch_id), round=1, chunk_size=25, sites_per_worker=SITES, max_lanes=50
    )
    assert (plan.lanes, [len(chunk.job_ids) for chunk in plan.chunks]) == (3, [7, 7, 5])


def test_a_plan_is_for_the_workers_of_the_batchs_kind(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    hosts = [f"s{n}.example" for n in range(16)]
    planned = []
    for kind in SITES:
        started = start(db, queue, caller, hosts, kind=kind, max_concurrent=8)
        execution = execution_of(postgres, started.batch_id)
        plan = batch_rounds.plan(db, execution, round=1, chunk_size=25, sites_per_worker=SITES, max_lanes=50)
        planned.append((plan.kind, plan.lanes, {chunk.window for chunk in plan.chunks}))
    assert planned == [(JobKind.DOMAIN_SCAN, 1, {8}), (JobKind.SITEMAP_SCAN, 2, {4})]


def test_the_last_round_gives_each_site_a_worker_of_its_own_however_large_the_chunks(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    execution = execution_of(postgres, start(db, queue, caller, [f"s{n}.example" for n in range(30)]).batch_id)
    plan = batch_rounds.plan(
        db, execution, round=batch_rounds.MAX_ROUNDS, chunk_size=100, sites_per_worker=SITES, max_lanes=50
    )
    assert [len(chunk.job_ids) for chunk in plan.chunks] == [1] * 30


def test_later_rounds_have_smaller_chunks_so_that_a_deadly_site_is_alone_at_last(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    execution = execution_of(postgres, start(db, queue, caller, [f"s{n}.example" for n in range(30)]).batch_id)
    sizes = [
        max(
            len(chunk.job_ids)
            for chunk in batch_rounds.plan(
                db, execution, round=n, chunk_size=25, sites_per_worker=SITES, max_lanes=50
            ).chunks
        )
        for n in (1, 2, 3, 4)
    ]
    assert sizes == [25, 5, 1, 1]


def test_a_site_that_kills_its_worker_costs_its_neighbours_nothing(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, [f"s{n}.example" for n in range(6)] + ["deadly.example"], max_concurrent=1)
    execution = execution_of(postgres, started.batch_id)
    deadly = job_ids(db, caller, started.batch_id)["deadly.example"]
    for number in range(1, batch_rounds.MAX_ROUNDS + 1):
        plan = batch_rounds.plan(db, execution, round=number, chunk_size=25, sites_per_worker=SITES, max_lanes=50)
        for chunk in plan.chunks:
            if deadly in chunk.job_ids:  # claimed with its neighbours, and nothing is ever heard of them again
                leases.claim(db, chunk.job_ids, token=uuid4(), lease=timedelta(seconds=-1))
                postgres.rows("update scrapersky.host_leases set until = now() - interval '1 s'")
            else:
                run(db, *chunk.job_ids)
        finished = batch_rounds.finish(db, execution, round=number)
        assert finished.again == (number < batch_rounds.MAX_ROUNDS)
    whole, domains = batch.snapshot(db, caller.tenant_id, started.batch_id)
    assert (whole.status, whole.figures.completed, whole.figures.failed) == (JobStatus.COMPLETE, 6, 1)
    (lost,) = (each for each in domains if each.error is not None)
    assert lost.error is not None
    assert (lost.domain, lost.error.code) == ("deadly.example", ErrorCode.WORKER_LOST)


def test_a_round_that_leaves_jobs_asks_for_another_and_the_third_gives_them_up(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller)
    ids = job_ids(db, caller, started.batch_id)
    execution = execution_of(postgres, started.batch_id)
    leases.claim(db, [ids["a.example"]], token=uuid4(), lease=timedelta(seconds=60))
    first = batch_rounds.finish(db, execution, round=1)
    assert (first.open, first.again) == (3, True)
    assert 50 <= first.wait_seconds <= 62  # not before the living lease is over
    last = batch_rounds.finish(db, execution, round=batch_rounds.MAX_ROUNDS)
    assert (last.open, last.again) == (1, True)
    run(db, ids["a.example"])
    postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 s' where status = 'running'")
    over = batch_rounds.finish(db, execution, round=batch_rounds.MAX_ROUNDS + 1)
    assert (over.open, over.again, over.wait_seconds) == (0, False, 0)
    assert postgres.rows("select domain, status, error_code from scrapersky.jobs order by domain") == [
        ("a.example", "failed", "worker_lost"),
        ("b.example", "failed", "timeout"),  # no worker ever was at it
        ("c.example", "failed", "timeout"),
    ]


def test_an_abort_leaves_nothing_open_but_what_a_worker_holds(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller)
    held = job_ids(db, caller, started.batch_id)["b.example"]
    leases.claim(db, [held], token=uuid4(), lease=timedelta(seconds=60))
    assert batch_rounds.abort(db, execution_of(postgres, started.batch_id)) == 2
    figures = batch.get(db, caller.tenant_id, started.batch_id).figures
    assert (figures.running, figures.failed) == (1, 2)


def test_a_batch_whose_execution_is_gone_gets_another_round_and_ends_after_the_last(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller)
    queue.drain_batches()
    assert sweep.run(db, queue.sender, deadline=FOREVER).restarted == 0
    for restart in range(1, 4):
        postgres.rows("update scrapersky.batches set begun_at = now() - interval '1 hour'")
        postgres.rows("update scrapersky.jobs set updated_at = now() - interval '1 hour'")
        assert sweep.run(db, queue.sender, deadline=FOREVER).restarted == 1
        assert [message["round"] for message in queue.drain_batches()] == [1 + restart]
    postgres.rows("update scrapersky.batches set begun_at = now() - interval '1 hour'")
    postgres.rows("update scrapersky.jobs set updated_at = now() - interval '1 hour'")
    swept = sweep.run(db, queue.sender, deadline=FOREVER)
    assert (swept.restarted, swept.lost) == (0, 3)
    assert batch.get(db, caller.tenant_id, started.batch_id).status is JobStatus.FAILED


def test_a_restart_after_which_something_was_done_is_not_counted(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, [f"s{n}.example" for n in range(6)])
    for number, job_id in enumerate(job_ids(db, caller, started.batch_id).values()):
        postgres.rows("update scrapersky.batches set begun_at = now() - interval '1 hour'")
        if number:
            run(db, job_id)
        postgres.rows("update scrapersky.jobs set updated_at = now() - interval '1 hour' where status = 'pending'")
        postgres.rows("alter table scrapersky.jobs disable trigger jobs_transition")
        postgres.rows("update scrapersky.jobs set updated_at = now() - interval '30 minutes' where status = 'complete'")
        postgres.rows("alter table scrapersky.jobs enable trigger jobs_transition")
        swept = sweep.run(db, queue.sender, deadline=FOREVER)
        assert (swept.restarted, swept.lost) == (1, 0)
    assert postgres.one("select restarts, round from scrapersky.batches") == (1, 7)


def test_a_lost_worker_of_a_batch_leaves_its_job_to_the_next_round(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    started = start(db, queue, caller, ["a.example"])
    (job_id,) = job_ids(db, caller, started.batch_id).values()
    leases.claim(db, [job_id], token=uuid4(), lease=timedelta(seconds=-1))
    assert sweep.run(db, queue.sender, deadline=FOREVER).reopened == 1
    assert queue.drain() == []
    plan = batch_rounds.plan(
        db, execution_of(postgres, started.batch_id), round=1, chunk_size=25, sites_per_worker=SITES, max_lanes=50
    )
    assert [chunk.job_ids for chunk in plan.chunks] == [(job_id,)]


def test_results_are_one_job_a_domain_by_name_at_any_time(db: Database, queue: ScanQueue, caller: Caller) -> None:
    domains = sorted(f"s{n}.example" for n in range(batch.RESULTS_AT_ONCE + 5))
    started = start(db, queue, caller, domains)
    run(db, job_ids(db, caller, started.batch_id)["s0.example"])
    rows = list(batch.results(db, caller.tenant_id, started.batch_id))
    assert [job.domain for job in rows] == domains
    assert [job.domain for job in rows if job.result is not None] == ["s0.example"]


def test_batches_are_listed_newest_first_page_by_page(db: Database, queue: ScanQueue, caller: Caller) -> None:
    made = [start(db, queue, caller, [f"s{n}.example"]).batch_id for n in range(5)]
    first, cursor = batch.listing(db, caller.tenant_id, limit=3)
    rest, end = batch.listing(db, caller.tenant_id, cursor=cursor, limit=3)
    assert [each.id for each in first + rest] == made[::-1]
    assert end is None


def test_two_jobs_of_one_host_are_never_in_work_together(
    postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    other = Caller(uuid4(), "somebody else")
    at_once, most = [0], [0]

    def scan(_job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any]]:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.3)
        at_once[0] -= 1
        return found()

    def worker(job_id: UUID) -> None:
        with Database(postgres.app_dsn) as db:
            run(db, job_id, scan=scan, patient=True)

    with Database(postgres.app_dsn) as db:
        ids = [
            job_ids(db, owner, start(db, queue, owner, ["one.example"]).batch_id)["one.example"]
            for owner in (caller, other, caller)
        ]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(worker, ids))
    assert most == [1]
    assert postgres.rows("select distinct status from scrapersky.jobs") == [("complete",)]


def test_a_job_whose_host_is_busy_is_brought_again_by_a_message(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Any
) -> None:
    first, second = make_job("one.example"), make_job("one.example")
    queue.drain()
    leases.claim(db, [first], token=uuid4(), lease=timedelta(seconds=60))
    tally = run(db, second)
    assert tally.postponed == [second]
    assert jobs.get(db, caller.tenant_id, second).status is JobStatus.PENDING
    assert postgres.one("select body ->> 'job_id' from scrapersky.outbox where sent_at is null") == (str(second),)


def test_a_host_that_asked_for_a_pause_is_left_alone_for_it(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Any
) -> None:
    first, second = make_job("one.example"), make_job("one.example")

    def scan(_job: Claim, _control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        reason = ScanError(ErrorCode.HTTP_ERROR, "too many requests")
        return SiteScan((), error=reason, metadata={"pause_seconds": 60.0}), None

    run(db, first, scan=scan)
    assert run(db, second).postponed == [second]
    jobs.retry(db, queue.sender, caller, first, None)
    assert run(db, first).postponed == [first]  # nor may the same job come back too early
    postgres.rows("update scrapersky.host_leases set until = now() - interval '1 s'")
    assert [job.id for job, _ in run(db, second).stored] == [second]
