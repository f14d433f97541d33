"""Every job that ends has one event of its end, whoever ended it, and a job whose end was undone has none."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import execution_of, failing, job_ids, start
from integration.test_work import run
from scrapersky.db import leases, sitemap_add
from scrapersky.db import sweep as doors
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode
from scrapersky.queues import JobMessage
from scrapersky.services import batch, batch_rounds, domain_scan, jobs, sweep
from support.places import searching
from support.sitemap_lines import fail, finish, lead, line_of, make_scan, pages, read_all, scan_of

FOREVER = float("inf")
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class System:
    """The parts that end jobs, and a tenant whose jobs they are."""

    postgres: TestDatabase
    db: Database
    queue: ScanQueue
    caller: Caller

    def scan(self) -> UUID:
        started = domain_scan.start(
            self.db, self.queue.sender, self.caller, base_url="a.example", max_pages=1, idempotency=None
        )
        return started.job_id

    def batch(self, *domains: str) -> UUID:
        return start(self.db, self.queue, self.caller, domains or ("a.example", "b.example")).batch_id

    def lose(self, job_id: UUID, *, times: int) -> None:
        """Let workers claim the job and never be heard of again, each after a sweep."""
        for _ in range(times):
            leases.claim(self.db, [job_id], token=uuid4(), lease=timedelta(seconds=-1))
            self.postgres.rows("update scrapersky.host_leases set until = now() - interval '1 s'")
            sweep.run(self.db, self.queue.sender, deadline=FOREVER)


@pytest.fixture
def system(postgres: TestDatabase, db: Database, queue: ScanQueue, caller: Caller) -> System:
    return System(postgres, db, queue, caller)


def complete(system: System) -> None:
    run(system.db, system.scan())


def failed(system: System) -> None:
    run(system.db, system.scan(), scan=failing)


def cancelled(system: System) -> None:
    jobs.cancel(system.db, system.caller.tenant_id, system.scan())


def cancelled_in_work(system: System) -> None:
    job_id = system.scan()
    leases.claim(system.db, [job_id], token=uuid4(), lease=LEASE)
    jobs.cancel(system.db, system.caller.tenant_id, job_id)


def batch_cancelled(system: System) -> None:
    batch.cancel(system.db, system.caller.tenant_id, system.batch())


def inputs_refused(system: System) -> None:
    system.batch("not a domain", "neither is this")


def workers_lost(system: System) -> None:
    system.lose(system.scan(), times=leases.MAX_ATTEMPTS)


def given_up(system: System) -> None:
    job_id = system.scan()
    assert jobs.give_up(system.db, [JobMessage(job_id, "")]) == 1
    assert jobs.give_up(system.db, [JobMessage(job_id, "")]) == 0  # a message that comes twice


def batch_aborted(system: System) -> None:
    batch_rounds.abort(system.db, execution_of(system.postgres, system.batch()))


def batch_given_up(system: System) -> None:
    execution = execution_of(system.postgres, system.batch())
    batch_rounds.finish(system.db, execution, round=batch_rounds.MAX_ROUNDS)


def batch_stuck(system: System) -> None:
    system.batch()
    system.postgres.rows(
        "update scrapersky.batches set restarts = %s, begun_at = now() - interval '1 hour'", doors.MAX_BATCH_RESTARTS
    )
    system.postgres.rows("update scrapersky.jobs set updated_at = now() - interval '1 hour'")
    system.postgres.rows("update scrapersky.outbox set sent_at = now()")
    assert sweep.run(system.db, system.queue.sender, deadline=FOREVER).lost == 2


def sitemaps_read(system: System) -> None:
    read_all(system.db, system.caller, pages(1))


def sitemaps_unreadable(system: System) -> None:
    site = scan_of(system.db, system.caller, "a", "b")
    fail(system.db, line_of(system.db, site))
    fail(system.db, line_of(system.db, site))


def no_sitemap(system: System) -> None:
    site = lead(system.db, system.caller, make_scan(system.db, system.caller))
    sitemap_add.add(system.db, site, [], discovery={}, lanes=1, failure=(ErrorCode.DNS_FAILURE, "no such name"))


def places_found(system: System) -> None:
    with searching(system.postgres, system.db, system.queue.sender, system.caller) as google:
        google.search()


def places_refused(system: System) -> None:
    with searching(system.postgres, system.db, system.queue.sender, system.caller) as google:
        google.key = "another"
        google.search()


Ender = Callable[[System], None]
# Each with the statements that it ends jobs by, and the events that there are then.
ENDERS: dict[Ender, tuple[str, list[tuple[str, str | None]]]] = {
    complete: ("leases", [("job.complete", None)]),
    failed: ("leases", [("job.failed", "timeout")]),
    cancelled: ("jobs", [("job.cancelled", "cancelled")]),
    cancelled_in_work: ("jobs", [("job.cancelled", "cancelled")]),
    batch_cancelled: ("batches", [("job.cancelled", "cancelled")] * 2),
    inputs_refused: ("batches", [("job.failed", "invalid_domain")] * 2),
    workers_lost: ("sweep_leases", [("job.failed", "worker_lost")]),
    given_up: ("fail_dead_letters", [("job.failed", "worker_lost")]),
    batch_aborted: ("rounds", [("job.failed", "worker_lost")] * 2),
    batch_given_up: ("rounds", [("job.failed", "timeout")] * 2),
    batch_stuck: ("sweep_batches", [("job.failed", "worker_lost")] * 2),
    sitemaps_read: ("sitemap_settle", [("job.complete", None)]),
    sitemaps_unreadable: ("sitemap_settle", [("job.failed", "http_error")]),
    no_sitemap: ("sitemap_settle", [("job.failed", "dns_failure")]),
    places_found: ("places_store", [("job.complete", None)]),
    places_refused: ("places_store", [("job.failed", "invalid_key")]),
}


def told(postgres: TestDatabase) -> list[tuple[str, str | None]]:
    """The events' types with their errors, oldest first."""
    rows = postgres.rows("select type, data -> 'error' ->> 'code' from scrapersky.events order by occurred_at, id")
    return [(str(type_), None if code is None else str(code)) for type_, code in rows]


@pytest.mark.parametrize("ender", ENDERS, ids=lambda ender: ender.__name__)
def test_whoever_ends_a_job_its_end_is_one_event(system: System, ender: Ender) -> None:
    ender(system)
    assert told(system.postgres) == ENDERS[ender][1]
    rows = system.postgres.rows("""
        select e.tenant_id = j.tenant_id, e.batch_id is not distinct from j.batch_id, e.occurred_at = j.finished_at,
               e.correlation_id = j.correlation_id, e.type = 'job.' || j.status, e.data ->> 'job_id' = j.id::text,
               e.data ->> 'kind' = j.kind, e.data ->> 'domain' = j.domain, e.data ->> 'status' = j.status
        from scrapersky.events as e left join scrapersky.jobs as j on j.id = e.job_id
    """)
    assert set(rows) == {(True,) * 9}


def test_control_without_the_triggers_no_end_is_told(system: System) -> None:
    for name in ("jobs_write_event", "jobs_write_event_of_a_new_one"):
        system.postgres.rows(f"drop trigger {name} on scrapersky.jobs")
    for ender in (complete, inputs_refused):
        ender(system)
    assert told(system.postgres) == []


def statements_that_end_jobs(postgres: TestDatabase) -> set[str]:
    """Modules and doors whose SQL writes the end of a job's row."""
    doors_ = postgres.rows("select proname, prosrc from pg_proc where pronamespace = 'scrapersky'::regnamespace")
    found = {str(name) for name, source in doors_ if ends_jobs(str(source))}
    folder = Path(leases.__file__).parent
    return found | {path.stem for path in folder.glob("*.py") if ends_jobs(path.read_text("utf-8"))}


def ends_jobs(source: str) -> bool:
    """Whether one of its statements sets when a job was finished, or inserts a job that is."""
    updates = re.findall(r"update scrapersky\.jobs\b.*?\bwhere\b", source, re.DOTALL)
    inserts = re.findall(r"insert into scrapersky\.jobs \((.*?)\)", source, re.DOTALL)
    ended = [text for text in updates if re.search(r"\bfinished_at = (?!null)", text)]
    return bool(ended) or any("finished_at" in columns for columns in inserts)


def test_every_statement_that_ends_jobs_is_among_these(postgres: TestDatabase) -> None:
    assert statements_that_end_jobs(postgres) == {statement for statement, _ in ENDERS.values()}


def test_an_end_that_is_undone_was_none(system: System) -> None:
    job_id = system.scan()
    with psycopg.connect(system.postgres.direct_dsn) as connection:
        connection.execute(
            "update scrapersky.jobs set status = 'cancelled', error_code = 'cancelled', error_message = 'x',"
            " finished_at = now() where id = %s",
            (job_id,),
        )
        (seen,) = connection.execute("select count(*) from scrapersky.events").fetchone() or (None,)
        assert seen == 1
        connection.rollback()
    assert told(system.postgres) == []


def test_a_late_worker_whose_job_was_cancelled_tells_nothing(system: System) -> None:
    job_id = system.scan()

    def slow(*arguments: Any) -> Any:
        jobs.cancel(system.db, system.caller.tenant_id, job_id)
        return failing(*arguments)

    with Database(system.postgres.app_dsn) as other:
        assert len(run(other, job_id, scan=slow).fenced) == 1
    assert told(system.postgres) == [("job.cancelled", "cancelled")]


def test_a_job_that_is_retried_ends_again_and_is_told_of_again(system: System) -> None:
    job_id = system.scan()
    run(system.db, job_id, scan=failing)
    jobs.retry(system.db, system.queue.sender, system.caller, job_id, None)
    assert told(system.postgres) == [("job.failed", "timeout")]
    run(system.db, job_id)
    assert told(system.postgres) == [("job.failed", "timeout"), ("job.complete", None)]


def test_a_batch_that_is_retried_tells_of_the_jobs_that_end_again(system: System) -> None:
    batch_id = system.batch()
    first, second = job_ids(system.db, system.caller, batch_id).values()
    run(system.db, first)
    run(system.db, second, scan=failing)
    batch.retry(system.db, system.queue.sender, system.caller, batch_id, error_codes=None, idempotency=None)
    run(system.db, second)
    assert told(system.postgres) == [("job.complete", None), ("job.failed", "timeout"), ("job.complete", None)]


def test_two_files_that_end_together_end_their_job_once(system: System) -> None:
    site = scan_of(system.db, system.caller, "a", "b")
    lines = [line_of(system.db, site, lanes=2) for _ in range(2)]
    for line in lines:
        finish(system.db, line)
        finish(system.db, line)  # whose answer was lost
    assert told(system.postgres) == [("job.complete", None)]
