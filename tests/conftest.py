"""Real parts for every suite that wants them: Postgres, PgBouncer in transaction mode, one fresh database a test."""

import os
import secrets
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from scrapersky.db.connection import Database
from scrapersky.db.migrate import apply
from scrapersky.domain.jobs import Caller
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import PgBouncer, Postgres

TESTS = Path(__file__).parent
SUITES = ("e2e", "integration", "contract", "unit")  # the slowest first
APP_ROLE = "scrapersky_app"
TEMPLATE = "scrapersky_template"
EMPTY = "template1"  # as Postgres brings it
POOL_SIZE = 2  # fewer server connections than clients, so that sharing shows


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running Postgres with its pooler, and the password of the application's role."""

    postgres: Postgres
    pooler: PgBouncer
    password: str

    def admin(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.postgres.admin_dsn, autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """A migrated database that nothing else uses."""

    __test__ = False

    cluster: Cluster
    name: str
    app_dsn: str  # the application's role, through PgBouncer: what the Lambdas use
    direct_app_dsn: str  # the same role past the pooler
    direct_dsn: str  # the schema's owner, past the pooler: sees every row

    def rows(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """What is really stored, whoever's it is."""
        with psycopg.connect(self.direct_dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *parameters: object) -> tuple[object, ...]:
        (row,) = self.rows(statement, *parameters)
        return row


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: tests wait for leases, pauses and servers a third of their time."""
    return len(os.sched_getaffinity(0)) * 3 // 2


def pytest_configure() -> None:
    """What a busy machine takes for a generated example says nothing; else all is as Hypothesis has it, CI or not."""
    from hypothesis import HealthCheck, settings  # here: the workers that tests start import this file, too

    settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """What tests are run in is none of what they look at, and would reach the programs that they start."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest first, so that in the end no process is left alone with them. Their order is random otherwise."""
    items.sort(key=lambda item: SUITES.index(item.path.relative_to(TESTS).parts[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test wrote goes from process to process as UTF-8, which has no half of a surrogate pair."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    password = secrets.token_urlsafe(16)
    with throwaway_directory() as folder, Postgres(folder, durable=False) as postgres:
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        apply(psycopg.conninfo.make_conninfo(postgres.admin_dsn, dbname=TEMPLATE))
        with PgBouncer(postgres, users={APP_ROLE: password}, pool_size=POOL_SIZE, auth_type="md5") as pooler:
            running = Cluster(postgres, pooler, password)
            running.admin(sql.SQL("alter role {} password {}").format(sql.Identifier(APP_ROLE), sql.Literal(password)))
            yield running


@contextmanager
def migrated_database(cluster: Cluster, template: str = TEMPLATE) -> Iterator[TestDatabase]:
    """A fresh database, for one test or for a module whose tests each keep to a tenant of their own.

    As far as its `template` is: `EMPTY` is not migrated at all.
    """
    name = f"test_{uuid4().hex}"
    cluster.admin(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template)))
    yield TestDatabase(
        cluster=cluster,
        name=name,
        app_dsn=cluster.pooler.dsn(APP_ROLE, name),
        direct_app_dsn=cluster.postgres.dsn(APP_ROLE, cluster.password, name),
        direct_dsn=psycopg.conninfo.make_conninfo(cluster.postgres.admin_dsn, dbname=name),
    )
    cluster.admin(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def postgres(cluster: Cluster) -> Iterator[TestDatabase]:
    with migrated_database(cluster) as database:
        yield database


@pytest.fixture
def db(postgres: TestDatabase) -> Iterator[Database]:
    with Database(postgres.app_dsn) as database:
        yield database


@pytest.fixture
def caller() -> Caller:
    """Somebody of a tenant that nobody else has."""
    return Caller(tenant_id=uuid4(), user_id="user-1", correlation_id="request-1")


@pytest.fixture
def tenant_id(caller: Caller) -> UUID:
    return caller.tenant_id
