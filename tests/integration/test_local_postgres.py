"""The local Postgres and PgBouncer: they start, keep what was stored, hold to their pool, and leave no process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import PgBouncer, Postgres, find_pgbouncer
from scrapersky_local.processes import PortInUse, StackError
from support.processes import left_of, processes_of

POOL_SIZE = 2


@pytest.fixture
def folder() -> Iterator[Path]:
    with throwaway_directory() as path:
        yield path


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    with Postgres(folder / "pg", durable=False) as running:
        yield running


def run(dsn: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_second_start_keeps_rows_and_password(folder: Path) -> None:
    with Postgres(folder / "pg", durable=False) as first:
        run(first.admin_dsn, "create table kept as select 42 as answer")
        password = psycopg.conninfo.conninfo_to_dict(first.admin_dsn)["password"]
    with Postgres(folder / "pg", durable=False) as second:
        assert run(second.admin_dsn, "select answer from kept") == [(42,)]
        assert psycopg.conninfo.conninfo_to_dict(second.admin_dsn)["password"] == password


def test_no_process_is_left_after_a_stop(folder: Path) -> None:
    with Postgres(folder / "pg", durable=False) as postgres, PgBouncer(postgres, users={}):
        assert len(processes_of(folder)) >= 2
    assert processes_of(folder) == []


def test_no_process_is_left_when_the_supervisor_is_killed(folder: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from scrapersky_local.postgres import PgBouncer, Postgres\n"
        "with Postgres(pathlib.Path(sys.argv[1]), durable=False) as postgres, PgBouncer(postgres, users={}):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", script, folder / "pg"], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    with supervisor.stdout:
        assert supervisor.stdout.readline() == "up\n"
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
    assert left_of(folder) == []
    with Postgres(folder / "pg", durable=False) as again:
        assert run(again.admin_dsn, "select 1") == [(1,)]


def test_everybody_needs_a_password(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        run(postgres.dsn(Postgres.SUPERUSER, "wrong"), "select 1")


def test_secrets_are_for_their_owner_alone(postgres: Postgres) -> None:
    assert (postgres.home / "superuser.password").stat().st_mode & 0o077 == 0
    assert postgres.home.stat().st_mode & 0o077 == 0


def test_a_taken_port_is_named(postgres: Postgres, folder: Path) -> None:
    with pytest.raises(PortInUse, match=rf"Postgres can not listen on 127\.0\.0\.1:{postgres.port}"):
        Postgres(folder / "other", durable=False, port=postgres.port).start()


def test_a_data_directory_in_use_is_refused_with_the_servers_reason(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrapersky_local.postgres.PREDECESSOR_SECONDS", 0)
    with pytest.raises(StackError, match="already exists"):
        Postgres(postgres.home, durable=False).start()
    assert run(postgres.admin_dsn, "select 1") == [(1,)]


def test_the_pooler_is_installed() -> None:
    assert find_pgbouncer() is not None, "apt-get install pgbouncer"


def test_more_clients_than_the_pool_share_its_connections(postgres: Postgres) -> None:
    run(postgres.admin_dsn, "create role app login password 'a password'")
    pids: list[object] = []

    def work(dsn: str) -> None:
        pids.extend(run(dsn, "select pg_backend_pid() from pg_sleep(0.05)")[0])

    with PgBouncer(postgres, users={"app": "a password"}, pool_size=POOL_SIZE) as pooler:
        threads = [threading.Thread(target=work, args=(pooler.dsn("app"),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(pids) == 8
    assert len(set(pids)) <= POOL_SIZE


def test_the_pooler_is_in_transaction_mode(postgres: Postgres) -> None:
    run(postgres.admin_dsn, "create role app login password 'a password'")
    with PgBouncer(postgres, users={"app": "a password"}, pool_size=1) as pooler:
        first = psycopg.connect(pooler.dsn("app"), autocommit=True)
        second = psycopg.connect(pooler.dsn("app"), autocommit=True)
        with first, second:
            assert (
                first.execute("select pg_backend_pid()").fetchone()
                == second.execute("select pg_backend_pid()").fetchone()
            )
