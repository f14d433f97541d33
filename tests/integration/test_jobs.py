"""Jobs and their messages: written together, sent or owed, answered the same way twice, each tenant for itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.domain.status import ErrorCode, JobStatus
from scrapersky.errors import Conflict, Invalid
from scrapersky.services import domain_scan, domains, jobs, sweep

FOREVER = float("inf")


def key(name: str, body: str = "body") -> Idempotency:
    return Idempotency(name, sha256(body.encode()).digest())


def start(
    db: Database, queue: ScanQueue, caller: Caller, idempotency: Idempotency | None, domain: str = "site.example"
) -> Started:
    return domain_scan.start(db, queue.sender, caller, base_url=domain, max_pages=3, idempotency=idempotency)


def test_a_started_scan_has_a_job_a_domain_and_a_sent_message(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    accepted = start(db, queue, caller, None, "https://WWW.Site.example/about")
    job = jobs.get(db, caller.tenant_id, accepted.job_id)
    assert (job.status, job.domain, job.progress, job.created_at) == (
        JobStatus.PENDING,
        "site.example",
        0.0,
        accepted.created_at,
    )
    assert queue.drain() == [{"version": 1, "job_id": str(job.id), "correlation_id": "request-1"}]
    assert postgres.one("select count(*) from scrapersky.outbox where sent_at is not null") == (1,)
    assert postgres.one("select domain, site_data from scrapersky.domains") == ("site.example", None)


def test_what_names_no_domain_is_refused_and_leaves_nothing(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    with pytest.raises(Invalid) as caught:
        start(db, queue, caller, key("k"), "http://127.1/")
    assert caught.value.code == "invalid_domain"
    assert caught.value.errors[0].loc == ("body", "base_url")
    assert postgres.rows("select * from scrapersky.jobs") == []
    assert postgres.rows("select * from scrapersky.idempotency_keys") == []


def test_a_send_that_fails_after_the_commit_is_made_good_by_the_sweep(
    db: Database, postgres: TestDatabase, queue: ScanQueue, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job(sender=queue.broken_sender)
    assert queue.drain() == []
    assert postgres.one("select sent_at from scrapersky.outbox") == (None,)

    assert sweep.run(db, queue.sender, deadline=FOREVER).sent == 0  # still held for the writer
    postgres.rows("update scrapersky.outbox set held_until = now()")
    swept = sweep.run(db, queue.sender, deadline=FOREVER)
    assert (swept.sent, swept.gauges.outbox_owed) == (1, 0)
    assert [body["job_id"] for body in queue.drain()] == [str(job_id)]


def test_two_sweeps_at_once_send_a_message_once(
    postgres: TestDatabase, queue: ScanQueue, make_job: Callable[..., UUID]
) -> None:
    wanted = {str(make_job(f"s{n}.example", sender=queue.broken_sender)) for n in range(40)}
    postgres.rows("update scrapersky.outbox set held_until = now()")

    def one_sweep(_: int) -> int:
        with Database(postgres.app_dsn) as db:
            return sweep.run(db, queue.sender, deadline=FOREVER).sent

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one_sweep, range(4))) == 40
    bodies = [body["job_id"] for body in queue.drain()]
    assert sorted(bodies) == sorted(wanted)


def test_a_cancelled_job_stays_cancelled_and_a_final_one_cannot_be(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    assert jobs.cancel(db, caller.tenant_id, job_id) == jobs.cancel(db, caller.tenant_id, job_id)
    failed = make_job()
    postgres.rows(
        "update scrapersky.jobs set status = 'failed', error_code = 'timeout', error_message = 'm',"
        " finished_at = now() where id = %s",
        failed,
    )
    with pytest.raises(Conflict) as caught:
        jobs.cancel(db, caller.tenant_id, failed)
    assert caught.value.code == "job_is_final"


def test_a_retry_starts_the_same_job_anew_with_a_message(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    jobs.cancel(db, caller.tenant_id, job_id)
    postgres.rows(
        "update scrapersky.jobs set metadata = metadata || '{\"robots\": \"allowed\"}', status = 'pending',"
        " error_code = null, error_message = null, finished_at = null"
    )
    jobs.cancel(db, caller.tenant_id, job_id)
    queue.drain()

    accepted = jobs.retry(db, queue.sender, caller, job_id, key("again"))
    assert accepted.job_id == job_id
    assert jobs.retry(db, queue.sender, caller, job_id, key("again")) == accepted
    assert [body["job_id"] for body in queue.drain()] == [str(job_id)]
    job = jobs.get(db, caller.tenant_id, job_id)
    assert (job.status, job.error) == (JobStatus.PENDING, None)
    # Nothing of the former run: what it told of itself is not this one's.
    assert job.metadata == {"base_url": "site.example", "max_pages": 10, "retries": 1}
    with pytest.raises(Conflict) as caught:
        jobs.retry(db, queue.sender, caller, job_id, None)
    assert caught.value.code == "job_not_retryable"


def test_a_job_whose_worker_was_lost_is_tried_again_and_fails_after_the_third(
    db: Database, queue: ScanQueue, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    for attempt in (1, 2, 3):
        queue.drain()
        (claim,) = leases.claim(db, [job_id], token=uuid4(), lease=timedelta(seconds=-1))
        assert claim.attempt == attempt
        swept = sweep.run(db, queue.sender, deadline=FOREVER)
        assert (swept.reopened, swept.lost) == ((1, 0) if attempt < 3 else (0, 1))
        assert len(queue.drain()) == (1 if attempt < 3 else 0)
    job = jobs.get(db, caller.tenant_id, job_id)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.WORKER_LOST


def test_a_pending_job_whose_message_never_came_gets_another_one(
    db: Database, postgres: TestDatabase, queue: ScanQueue, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    queue.drain()  # lost
    assert sweep.run(db, queue.sender, deadline=FOREVER).resent == 0
    postgres.rows("update scrapersky.jobs set enqueued_at = now() - interval '1 hour'")
    assert sweep.run(db, queue.sender, deadline=FOREVER).resent == 1
    assert sweep.run(db, queue.sender, deadline=FOREVER).resent == 0
    assert [body["job_id"] for body in queue.drain()] == [str(job_id)]


def test_lists_go_page_by_page_without_gap_or_repetition(
    db: Database, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    made = [make_job(f"s{n}.example") for n in range(7)]
    seen: list[UUID] = []
    cursor = None
    while True:
        page, cursor = jobs.listing(db, caller.tenant_id, cursor=cursor, limit=3)
        assert len(page) <= 3
        seen.extend(job.id for job in page)
        if cursor is None:
            break
    assert seen == made[::-1]
    (only,), _ = jobs.listing(db, caller.tenant_id, domain="https://www.S3.example/")
    assert only.id == made[3]
    assert jobs.listing(db, caller.tenant_id, status=JobStatus.RUNNING) == ([], None)

    names, cursor = domains.listing(db, caller.tenant_id, limit=5)
    rest, end = domains.listing(db, caller.tenant_id, cursor=cursor, limit=5)
    assert [known.domain for known in names + rest] == [f"s{n}.example" for n in range(7)]
    assert end is None


@pytest.mark.parametrize("cursor", ["WyJcdTAwMDAiXQ", "WyJcdWQ4MDAiXQ"])  # ["\\u0000"], ["\\ud800"]
def test_a_cursor_that_holds_what_postgres_cannot_is_refused(db: Database, caller: Caller, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        domains.listing(db, caller.tenant_id, cursor=cursor)
    assert caught.value.code == "invalid_cursor"


@pytest.mark.parametrize("cursor", ["", "x", "e30", "WyJ4Il0", "a" * 5000, "WyJhIiwgImIiXQ", "\u00e4"])
def test_a_cursor_of_nobodys_is_refused(db: Database, caller: Caller, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        jobs.listing(db, caller.tenant_id, cursor=cursor)
    assert caught.value.code == "invalid_cursor"


def test_old_keys_and_old_sent_messages_are_removed(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    start(db, queue, caller, key("old"))
    start(db, queue, caller, key("new"))
    postgres.rows("update scrapersky.idempotency_keys set expires_at = now() - interval '1 s' where key = 'old'")
    postgres.rows(
        "update scrapersky.outbox set sent_at = now() - interval '2 days'"
        " where id = (select min(id) from scrapersky.outbox)"
    )
    sweep.run(db, queue.sender, deadline=FOREVER)
    assert postgres.rows("select key from scrapersky.idempotency_keys") == [("new",)]
    assert postgres.one("select count(*) from scrapersky.outbox") == (1,)


def test_a_waiting_client_hears_of_a_change_when_it_comes(
    db: Database, postgres: TestDatabase, caller: Caller, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            jobs.wait, db, caller.tenant_id, job_id, seconds=15, changed=lambda job: job.status is JobStatus.RUNNING
        )
        with Database(postgres.app_dsn) as other:
            leases.claim(other, [job_id], token=uuid4(), lease=timedelta(seconds=60))
        assert waiting.result(timeout=10).status is JobStatus.RUNNING
    still = jobs.wait(db, caller.tenant_id, job_id, seconds=0.1, changed=lambda _: False)
    assert still.status is JobStatus.RUNNING


def test_statements_whose_answer_was_lost_come_to_the_same_when_they_run_again(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    """The commit went through, the connection broke, and the whole transaction ran a second time."""
    real = db.run

    def twice(work: Callable[..., object], *, tenant_id: UUID | None = None) -> object:
        real(work, tenant_id=tenant_id)
        return real(work, tenant_id=tenant_id)

    def run_twice(act: Callable[[], Started]) -> Started:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(db, "run", twice)
            return act()

    started = run_twice(lambda: start(db, queue, caller, None))
    keyed = run_twice(lambda: start(db, queue, caller, key("k"), "other.example"))
    assert postgres.one("select count(*), count(distinct id) from scrapersky.jobs") == (2, 2)
    jobs.cancel(db, caller.tenant_id, started.job_id)
    assert run_twice(lambda: jobs.retry(db, queue.sender, caller, started.job_id, None)) == started
    assert jobs.get(db, caller.tenant_id, started.job_id).metadata["retries"] == 1
    assert start(db, queue, caller, key("k"), "other.example") == keyed
