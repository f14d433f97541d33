"""A database of any released version comes to the present one in the hands of an owner that is no superuser.

Managed Postgres gives none. Such an owner may make roles, and give functions away to those that it made.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from conftest import APP_ROLE, TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.db.migrate import Migration, apply, newest, shipped
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobStatus
from scrapersky.errors import Unavailable
from scrapersky.services import domain_scan, jobs
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import Postgres

PASSWORD = "of-roles-that-live-for-one-test"
TENANT = uuid4()


@pytest.fixture(scope="module")
def managed() -> Iterator[Postgres]:
    """A cluster of its own, since roles are the whole cluster's: `first_owner` and `second_owner` may make roles."""
    with throwaway_directory() as folder, Postgres(folder, durable=False) as postgres:
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
            for owner in ("first_owner", "second_owner"):
                connection.execute(
                    sql.SQL("create role {} login createrole nosuperuser password {}").format(
                        sql.Identifier(owner), sql.Literal(PASSWORD)
                    )
                )
        yield postgres


def database_of(postgres: Postgres, owner: str) -> str:
    """The name of an empty database that is the owner's."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(name), sql.Identifier(owner)))
    return name


def application_dsn(postgres: Postgres, name: str) -> str:
    """The application's way into a database that has been migrated: the role comes with the first migration."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(APP_ROLE), sql.Literal(PASSWORD)))
    return postgres.dsn(APP_ROLE, PASSWORD, name)


def plant(dsn: str) -> UUID:
    """A pending job with a fact, as every version can store them."""
    job_id = uuid4()
    with psycopg.connect(dsn) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(TENANT),))
        connection.execute(
            "insert into scrapersky.jobs (id, tenant_id, kind, domain, request, correlation_id, created_by)"
            " values (%s, %s, 'domain_scan', 'shop.example', '{}', 'request-1', 'user-1')",
            (job_id, TENANT),
        )
        connection.execute(
            "insert into scrapersky.facts (tenant_id, job_id, position, kind, value, page_url, method)"
            " values (%s, %s, 1, 'email', 'a@shop.example', 'https://shop.example/', 'mailto')",
            (TENANT, job_id),
        )
    return job_id


@pytest.mark.parametrize("released", range(2, len(shipped())))
def test_an_owner_that_is_no_superuser_brings_a_database_with_rows_up_to_date(managed: Postgres, released: int) -> None:
    name = database_of(managed, "first_owner")
    owners_dsn = managed.dsn("first_owner", PASSWORD, name)
    versions = shipped()
    apply(owners_dsn, versions[:released])
    job_id = plant(owners_dsn)
    assert apply(owners_dsn) == [migration.name for migration in versions[released:]]
    with psycopg.connect(application_dsn(managed, name)) as connection:
        claimed = connection.execute(
            "select outcome, id from scrapersky.claim_jobs(%s, %s, interval '1 minute', 3)", ([job_id], uuid4())
        ).fetchall()
    assert claimed == [("claimed", job_id)]


@pytest.mark.parametrize("released", range(2, len(shipped())))
def test_a_worker_claims_nothing_of_a_database_that_is_not_up_to_date_yet(managed: Postgres, released: int) -> None:
    name = database_of(managed, "first_owner")
    owners_dsn = managed.dsn("first_owner", PASSWORD, name)
    apply(owners_dsn, shipped()[:released])
    job_id = plant(owners_dsn)
    with Database(application_dsn(managed, name)) as db:
        with pytest.raises(Unavailable):
            leases.claim(db, [job_id], token=uuid4(), lease=timedelta(minutes=1))
        assert apply(owners_dsn)[-1] == newest()
        (claimed,) = leases.claim(db, [job_id, uuid4()], token=uuid4(), lease=timedelta(minutes=1))
    assert (claimed.outcome, claimed.id, claimed.attempt) == (ClaimOutcome.CLAIMED, job_id, 1)


def test_requests_are_answered_before_the_newest_migration_has_run(managed: Postgres, queue: ScanQueue) -> None:
    name = database_of(managed, "first_owner")
    apply(managed.dsn("first_owner", PASSWORD, name), shipped()[:-1])
    caller = Caller(TENANT, "user-1", "request-1")
    with Database(application_dsn(managed, name)) as db:
        started = domain_scan.start(db, queue.sender, caller, base_url="a.example", max_pages=1, idempotency=None)
        assert [message["job_id"] for message in queue.drain()] == [str(started.job_id)]
        assert jobs.get(db, TENANT, started.job_id).status is JobStatus.PENDING
        assert jobs.cancel(db, TENANT, started.job_id).status is JobStatus.CANCELLED
    with psycopg.connect(managed.dsn("first_owner", PASSWORD, name)) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(TENANT),))
        ((marked,),) = connection.execute("select count(sent_at) from scrapersky.outbox").fetchall()
    assert marked == 1


def test_a_worker_goes_on_when_the_database_is_ahead_of_it(managed: Postgres) -> None:
    name = database_of(managed, "first_owner")
    owners_dsn = managed.dsn("first_owner", PASSWORD, name)
    apply(owners_dsn, [*shipped(), Migration("9999_later.sql", "select 1")])
    job_id = plant(owners_dsn)
    with Database(application_dsn(managed, name)) as db:
        (claimed,) = leases.claim(db, [job_id], token=uuid4(), lease=timedelta(minutes=1))
    assert claimed.outcome is ClaimOutcome.CLAIMED


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (
            "* from scrapersky.gauges()",
            "pending running oldest_pending_seconds expired_leases outbox_owed oldest_owed_seconds",
        ),
        ("reopened, failed from scrapersky.sweep_leases(3, 10)", "reopened failed"),
        ("restarted, failed from scrapersky.sweep_batches(interval '15 minutes', 3, 10)", "restarted failed"),
        ("scrapersky.mark_outbox_sent('{}')", "mark_outbox_sent"),
    ],
    ids=["gauges", "leases", "batches", "outbox"],
)
def test_a_sweeper_of_the_version_before_is_answered_as_before(
    postgres: TestDatabase, asked: LiteralString, columns: str
) -> None:
    with psycopg.connect(postgres.app_dsn, prepare_threshold=None) as connection:
        description = connection.execute("select " + asked).description
    assert description is not None
    assert [column.name for column in description] == columns.split()


def test_control_an_owner_that_did_not_make_the_roles_is_refused(managed: Postgres) -> None:
    apply(managed.dsn("first_owner", PASSWORD, database_of(managed, "first_owner")))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        apply(managed.dsn("second_owner", PASSWORD, database_of(managed, "second_owner")))
