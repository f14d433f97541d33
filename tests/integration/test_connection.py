"""The one connection factory behind a real transaction pooler: what holds, and what breaks without it."""

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from scrapersky.db import connection as factory
from scrapersky.db.connection import Cursor, Database, connect
from scrapersky.errors import Unavailable
from support import emf

CLIENTS = 10
STATEMENTS = 10_000


def insert_domain(tenant_id: UUID, domain: str) -> tuple[str, dict[str, object]]:
    return (
        "insert into scrapersky.domains (tenant_id, domain) values (%(tenant_id)s, %(domain)s)",
        {"tenant_id": tenant_id, "domain": domain},
    )


def add_domain(db: Database, tenant_id: UUID, domain: str) -> None:
    db.run(lambda cursor: cursor.execute(*insert_domain(tenant_id, domain)), tenant_id=tenant_id)


def test_ten_clients_on_two_server_connections_run_ten_thousand_statements_without_an_error(
    postgres: TestDatabase,
) -> None:
    def client(number: int) -> int:
        ran = 0
        with Database(postgres.app_dsn) as db:
            for step in range(STATEMENTS // CLIENTS):
                (row,) = db.query("select %(n)s::int * 2 as twice", {"n": number + step})
                assert row["twice"] == (number + step) * 2
                ran += 1
        return ran

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(pool.map(client, range(CLIENTS))) == STATEMENTS


def test_control_the_default_prepare_threshold_breaks_behind_the_pooler(postgres: TestDatabase) -> None:
    def client(_: int) -> None:
        with psycopg.connect(postgres.app_dsn, autocommit=True) as connection:
            for step in range(50):
                connection.execute("select %s::int * 2", (step,))

    # The name of a prepared statement outlives its client on the server connection, and the next one meets it.
    with ThreadPoolExecutor(CLIENTS) as pool:
        outcomes = [future.exception() for future in [pool.submit(client, n) for n in range(CLIENTS)]]
    assert any(isinstance(outcome, psycopg.errors.DuplicatePreparedStatement) for outcome in outcomes)


def test_eight_tenants_interleaved_see_no_foreign_row(postgres: TestDatabase) -> None:
    tenants = [uuid4() for _ in range(8)]
    for tenant in tenants:
        with Database(postgres.app_dsn) as db:
            add_domain(db, tenant, "mine.example")

    def client(seed: int) -> int:
        chance = random.Random(seed)
        seen = 0
        with Database(postgres.app_dsn) as db:
            for step in range(STATEMENTS // CLIENTS):
                tenant = chance.choice(tenants)
                if step % 100 == 0:
                    add_domain(db, tenant, f"d{seed}-{step}.example")
                rows = db.query("select distinct tenant_id from scrapersky.domains", {}, tenant_id=tenant)
                assert [row["tenant_id"] for row in rows] == [tenant]
                seen += 1
        return seen

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(pool.map(client, range(CLIENTS))) == STATEMENTS


def test_control_a_tenant_set_for_the_session_leaks_to_the_next_client(postgres: TestDatabase, tenant_id: UUID) -> None:
    with Database(postgres.app_dsn) as db:
        add_domain(db, tenant_id, "mine.example")
    with connect(postgres.app_dsn) as careless:
        careless.execute("select set_config('app.tenant_id', %s, false)", (str(tenant_id),))
    with connect(postgres.app_dsn) as stranger:
        leaked = stranger.execute("select domain from scrapersky.domains").fetchall()
    assert leaked == [{"domain": "mine.example"}]


def test_without_a_tenant_no_row_is_read_and_none_is_written(postgres: TestDatabase, tenant_id: UUID) -> None:
    with Database(postgres.app_dsn) as db:
        add_domain(db, tenant_id, "mine.example")
        assert db.query("select * from scrapersky.domains", {}) == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.run(lambda cursor: cursor.execute(*insert_domain(tenant_id, "other.example")))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.run(lambda cursor: cursor.execute(*insert_domain(tenant_id, "other.example")), tenant_id=uuid4())
    assert postgres.rows("select domain from scrapersky.domains") == [("mine.example",)]


def test_nothing_of_a_transaction_with_an_error_stays(db: Database, postgres: TestDatabase, tenant_id: UUID) -> None:
    def work(cursor: Cursor) -> None:
        cursor.execute(*insert_domain(tenant_id, "first.example"))
        cursor.execute("select 1/0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        db.run(work, tenant_id=tenant_id)
    assert postgres.rows("select * from scrapersky.domains") == []
    assert db.query("select 1 as one", {}) == [{"one": 1}]


def test_an_error_swallowed_inside_a_transaction_is_told_and_not_committed(
    db: Database, postgres: TestDatabase, tenant_id: UUID
) -> None:
    def work(cursor: Cursor) -> None:
        cursor.execute(*insert_domain(tenant_id, "first.example"))
        with contextlib.suppress(psycopg.Error):
            cursor.execute("select 1/0").fetchone()

    with pytest.raises(psycopg.errors.PipelineAborted):
        db.run(work, tenant_id=tenant_id)
    assert postgres.rows("select * from scrapersky.domains") == []


def test_a_lost_backend_is_answered_by_the_whole_transaction_on_a_fresh_connection(
    db: Database, postgres: TestDatabase, tenant_id: UUID
) -> None:
    runs = []

    def work(cursor: Cursor) -> None:
        runs.append(1)
        cursor.execute(*insert_domain(tenant_id, "once.example"))
        backend = cursor.execute("select pg_backend_pid() as pid").fetchone()
        if len(runs) == 1:
            assert backend is not None
            postgres.rows("select pg_terminate_backend(%s, 5000)", backend["pid"])

    db.run(work, tenant_id=tenant_id)
    assert len(runs) == 2
    assert postgres.rows("select domain from scrapersky.domains") == [("once.example",)]


def test_timeouts_hold_inside_a_transaction_and_are_gone_after_it(postgres: TestDatabase) -> None:
    settings = "select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock"
    with Database(postgres.app_dsn) as db:
        assert db.query(settings, {}) == [{"statement": "8s", "lock": "4s"}]
    with connect(postgres.app_dsn) as connection:
        assert connection.execute(settings).fetchall() == [{"statement": "0", "lock": "0"}]


@contextmanager
def mute_server() -> Iterator[int]:
    """A server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def test_a_database_that_accepts_and_never_answers_is_given_up_and_measured(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[], emf.Values]
) -> None:
    monkeypatch.setattr(factory, "CONNECT_SECONDS", 2)  # libpq's own least
    monkeypatch.setattr(factory, "RETRY_SECONDS", 1.0)
    with mute_server() as port:
        db = Database(f"host=127.0.0.1 port={port} user=u dbname=d")
        with pytest.raises(Unavailable):
            db.query("select 1", {})
    # Else a pooler that keeps everybody waiting for nothing would look like one that nobody asked.
    assert told()["DatabaseConnectMilliseconds"][0] > 1_500


def test_a_statement_that_is_never_answered_is_given_up(
    postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory.BoundedConnection, "answer_seconds", 0.5)
    monkeypatch.setattr(factory, "RETRY_SECONDS", 0.5)
    with Database(postgres.app_dsn) as db:
        db._connection = connect(postgres.app_dsn, answer_seconds=0.5)
        with pytest.raises(Unavailable):
            db.query("select pg_sleep(5)", {})


def test_nothing_answers_is_told_without_the_dsn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "RETRY_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Database(f"postgresql://someone:hidden@127.0.0.1:{port}/d") as db, pytest.raises(Unavailable) as caught:
        db.query("select 1", {})
    assert "hidden" not in caught.value.detail
