"""The schema keeps the rules by itself: states, rows that do not lie, and migrations that are applied once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from conftest import Cluster, TestDatabase
from scrapersky.db.connection import Database
from scrapersky.db.migrate import Migration, apply, shipped
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import FINAL, TRANSITIONS, ErrorCode, JobStatus
from scrapersky.errors import ConfigurationError
from support.sitemap_lines import line_of, scan_of

# What each state's row must hold besides its status.
COLUMNS = {
    JobStatus.PENDING: "lease_until = null, finished_at = null, error_code = null, error_message = null, result = null",
    JobStatus.RUNNING: (
        "lease_token = gen_random_uuid(), lease_until = now(), finished_at = null, error_code = null,"
        " error_message = null, result = null"
    ),
    JobStatus.COMPLETE: (
        "lease_until = null, finished_at = now(), result = '{}', error_code = null, error_message = null"
    ),
    JobStatus.FAILED: (
        "lease_until = null, finished_at = now(), result = null, error_code = 'timeout', error_message = 'm'"
    ),
    JobStatus.CANCELLED: (
        "lease_until = null, finished_at = now(), result = null, error_code = 'cancelled', error_message = 'm'"
    ),
}
# The way from pending to each state.
WAY = {status: [status] for status in JobStatus} | {JobStatus.COMPLETE: [JobStatus.RUNNING, JobStatus.COMPLETE]}


def set_status(postgres: TestDatabase, job_id: UUID, status: JobStatus) -> None:
    postgres.rows(f"update scrapersky.jobs set status = '{status}', {COLUMNS[status]} where id = %s", job_id)


@pytest.mark.parametrize(("before", "after"), list(product(JobStatus, JobStatus)))
def test_a_job_goes_where_the_table_of_transitions_says_and_nowhere_else(
    postgres: TestDatabase, make_job: Callable[..., UUID], before: JobStatus, after: JobStatus
) -> None:
    job_id = make_job()
    for step in WAY[before]:
        set_status(postgres, job_id, step)
    if after in TRANSITIONS[before]:
        set_status(postgres, job_id, after)
    else:
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            set_status(postgres, job_id, after)
        assert caught.value.diag.constraint_name == "jobs_transition"


def test_a_job_may_fail_for_every_reason_of_the_contract_and_no_other(
    postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    set_status(postgres, job_id, JobStatus.FAILED)
    retry = f"update scrapersky.jobs set status = 'pending', {COLUMNS[JobStatus.PENDING]} where id = %s"
    fail = f"update scrapersky.jobs set status = 'failed', {COLUMNS[JobStatus.FAILED]} where id = %s"
    for code in ErrorCode:
        if code is not ErrorCode.CANCELLED:  # has a status of its own
            postgres.rows(retry, job_id)
            postgres.rows(fail.replace("'timeout'", f"'{code.value}'"), job_id)
    postgres.rows(retry, job_id)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        postgres.rows(fail.replace("'timeout'", "'bored'"), job_id)
    assert caught.value.diag.constraint_name == "jobs_error_code_check"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("status = 'complete', finished_at = now(), lease_until = null", "jobs_complete_has_a_result"),
        ("status = 'failed', finished_at = now(), lease_until = null", "jobs_unsuccessful_has_a_reason"),
        ("status = 'failed', error_code = 'timeout', error_message = 'm', lease_until = null", "jobs_final_has_an_end"),
        ("status = 'failed', error_code = 'timeout', finished_at = now(), lease_until = null", "jobs_reason_is_told"),
        ("status = 'cancelled', error_code = 'timeout', error_message = 'm', finished_at = now(), lease_until = null",
         "jobs_cancelled_says_so"),
        ("lease_token = null", "jobs_running_is_fenced"),
        ("lease_until = null", "jobs_running_is_leased"),
    ],
)  # fmt: skip
def test_a_row_that_would_lie_is_refused(
    postgres: TestDatabase, make_job: Callable[..., UUID], change: str, constraint: str
) -> None:
    job_id = make_job()
    set_status(postgres, job_id, JobStatus.RUNNING)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        postgres.rows(f"update scrapersky.jobs set {change} where id = %s", job_id)
    assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("lease_until = null", "sitemap_files_running_is_leased"),
        ("lease_token = null", "sitemap_files_running_is_fenced"),
        ("read_at = null", "sitemap_files_running_is_fenced"),
        ("status = 'complete', sitemap_type = 'urlset', lease_until = null", "sitemap_files_final_has_an_end"),
        ("status = 'complete', finished_at = now(), lease_until = null", "sitemap_files_complete_has_a_type"),
        ("status = 'failed', finished_at = now(), lease_until = null", "sitemap_files_failed_has_a_reason"),
        ("status = 'failed', finished_at = now(), lease_until = null, error_code = 'timeout'",
         "sitemap_files_reason_is_told"),
        ("depth = 6", "sitemap_files_depth_check"),
        ("discovery_method = 'hearsay'", "sitemap_files_discovery_method_check"),
    ],
)  # fmt: skip
def test_a_line_of_a_work_list_that_would_lie_is_refused(
    postgres: TestDatabase, db: Database, caller: Caller, change: str, constraint: str
) -> None:
    line = line_of(db, scan_of(db, caller))
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        postgres.rows(f"update scrapersky.sitemap_files set {change} where id = %s", line.id)
    assert caught.value.diag.constraint_name == constraint


@pytest.fixture
def empty_dsn(cluster: Cluster) -> str:
    name = f"test_{uuid4().hex}"
    cluster.admin(sql.SQL("create database {}").format(sql.Identifier(name)))
    return psycopg.conninfo.make_conninfo(cluster.postgres.admin_dsn, dbname=name)


def test_migrations_are_applied_once_even_by_two_at_a_time(empty_dsn: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(apply, [empty_dsn, empty_dsn])
    assert sorted(first + second) == [migration.name for migration in shipped()]
    assert apply(empty_dsn) == []


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_dsn: str) -> None:
    good = Migration("0001_good.sql", "create table scrapersky.kept (id integer)")
    bad = Migration("0002_bad.sql", "create table scrapersky.half (id integer); select 1/0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        apply(empty_dsn, [good, bad])
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("select to_regclass('scrapersky.kept')::text, to_regclass('scrapersky.half')::text"
                                  ).fetchone() == ("scrapersky.kept", None)  # fmt: skip
    assert apply(empty_dsn, [good]) == []


def test_a_migration_changed_after_it_was_applied_is_refused(empty_dsn: str) -> None:
    apply(empty_dsn, [Migration("0001_one.sql", "select 1")])
    with pytest.raises(ConfigurationError, match=r"0001_one\.sql was changed"):
        apply(empty_dsn, [Migration("0001_one.sql", "select 2")])


def test_a_database_ahead_of_this_version_is_refused(empty_dsn: str) -> None:
    apply(empty_dsn, [Migration("0009_later.sql", "select 1")])
    with pytest.raises(ConfigurationError, match=r"0009_later\.sql"):
        apply(empty_dsn, [])


def test_final_states_are_the_three_of_the_contract() -> None:
    assert {"complete", "failed", "cancelled"} == FINAL
