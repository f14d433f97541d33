"""A sitemap scan that is ended from outside takes its open files along: none of them waits for somebody for ever."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import execution_of
from scrapersky.db import sitemap_ends, sweep
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Site
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.services import batch, batch_rounds, jobs
from support.sitemap_lines import OVER, address, claim, lead, line_of, pages, scan_of, store, whole
from support.sitemap_lines import add as add_files

Lines = list[tuple[str, str | None, str | None]]


def lines(postgres: TestDatabase, job_id: UUID) -> Lines:
    """(status, error's code, error's message) of the job's files, in order."""
    return [
        tuple(row)  # type: ignore[misc]
        for row in postgres.rows(
            "select status, error_code, error_message from scrapersky.sitemap_files"
            " where job_id = %s order by position",
            job_id,
        )
    ]


def begun(db: Database, site: Site) -> None:
    """One file read, one in work, one that waits."""
    line = line_of(db, site)
    store(db, line, pages(1, 2))
    assert sitemap_ends.finish(db, line, whole(), lanes=1).held
    store(db, line_of(db, site), pages(3))


def test_a_cancelled_scan_cancels_its_open_files_and_no_others(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    site, other = scan_of(db, caller, "a", "b", "c"), scan_of(db, caller, "a", domain="other.example")
    begun(db, site)
    jobs.cancel(db, caller.tenant_id, site.job_id)
    assert lines(postgres, site.job_id) == [("complete", None, None), *[("cancelled", None, None)] * 2]
    assert lines(postgres, other.job_id) == [("pending", None, None)]
    assert claim(db, site).line is None


def lost(db: Database, postgres: TestDatabase, job_id: UUID) -> None:
    """Its workers are lost, again and again."""
    postgres.rows("update scrapersky.jobs set attempt = 9, lease_until = now() - interval '1 s' where id = %s", job_id)
    assert sweep.leases(db)[:2] == (0, 1)


def dead(db: Database, postgres: TestDatabase, job_id: UUID) -> None:
    """Its message was given up."""
    postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 s' where id = %s", job_id)
    assert sweep.dead_letters(db, [job_id]) == {job_id: None}


@pytest.mark.parametrize("give_up", [lost, dead])
def test_a_scan_that_is_given_up_fails_its_open_files_for_its_own_reason(
    db: Database, postgres: TestDatabase, caller: Caller, give_up: Callable[[Database, TestDatabase, UUID], None]
) -> None:
    site = scan_of(db, caller, "a", "b", "c")
    begun(db, site)
    give_up(db, postgres, site.job_id)
    job = jobs.get(db, caller.tenant_id, site.job_id)
    assert job.error is not None
    assert job.status is JobStatus.FAILED
    reason = ("failed", job.error.code.value, job.error.message)
    assert lines(postgres, site.job_id) == [("complete", None, None), reason, reason]


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_batch_that_is_ended_ends_the_files_of_its_scans(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, is_cancelled: bool
) -> None:
    batch_id = batch.start(
        db,
        queue.sender,
        caller,
        kind=JobKind.SITEMAP_SCAN,
        domains=["site.example", "other.example"],
        max_pages=100,
        max_concurrent=5,
        batch_id=None,
        idempotency=None,
    ).batch_id
    job_id = {one.domain: one.job_id for one in batch.snapshot(db, caller.tenant_id, batch_id)[1]}["site.example"]
    site = lead(db, caller, job_id, lease=OVER)
    add_files(db, site, address("a"), address("b"))
    postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 s' where status = 'running'")
    if is_cancelled:
        batch.cancel(db, caller.tenant_id, batch_id)
        assert lines(postgres, job_id) == [("cancelled", None, None)] * 2
    else:
        assert batch_rounds.abort(db, execution_of(postgres, batch_id)) == 2
        assert lines(postgres, job_id) == [("failed", "worker_lost", "its batch was aborted")] * 2
    assert postgres.one("select count(*) from scrapersky.sitemap_files where finished_at is null") == (0,)


def test_a_scan_that_goes_on_leaves_its_files_open(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    """What a lost worker leaves, with attempts to spare, is for the next one."""
    site = scan_of(db, caller, "a", "b")
    store(db, line_of(db, site, lease=timedelta(seconds=60)), pages(1))
    postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 s' where id = %s", site.job_id)
    assert sweep.leases(db)[:2] == (1, 0)
    assert [status for status, _, _ in lines(postgres, site.job_id)] == ["running", "pending"]
