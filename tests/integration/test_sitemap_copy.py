"""What the way of storing rests on: COPY, temporary tables, commits whose answer is lost, round trips."""

from collections.abc import Callable

import psycopg
import pytest

from conftest import TestDatabase
from integration.relay import relay
from scrapersky.db.connection import Copy, Cursor, Database
from scrapersky.db.sitemap_store import COPY_FROM
from scrapersky.domain.jobs import Caller
from support.lost_answers import LosesAnswers
from support.sitemap_lines import (
    line_of,
    pages,
    scan_of,
    store,
)


def test_a_lost_answer_to_the_commit_stores_nothing_twice(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    line = line_of(db, scan_of(db, caller))
    for size in (50, COPY_FROM + 50):
        with LosesAnswers(postgres.app_dsn) as forgetful:
            result = store(forgetful, line, pages(*range(size)))
        # The second time finds it stored: that is nobody's business but the counts'.
        assert (result.held, result.stored, result.url_count) == (True, 0, size)
        assert postgres.one("select count(*), sum(url_count) from scrapersky.sitemap_urls, scrapersky.sitemap_files"
                            ) == (size, size * size)  # fmt: skip


def test_a_connection_that_is_lost_before_the_commit_costs_nothing_but_time(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    line = line_of(db, scan_of(db, caller))
    with Database(postgres.direct_app_dsn) as own:
        own.query("select 1", {})
        postgres.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid() and usename = 'scrapersky_app'"
        )
        assert store(own, line, pages(*range(COPY_FROM))).stored == COPY_FROM


def test_control_copy_into_a_table_with_row_security_is_refused(postgres: TestDatabase, caller: Caller) -> None:
    with psycopg.connect(postgres.direct_app_dsn) as connection:
        connection.execute("select set_config('app.tenant_id', %s, true)", (str(caller.tenant_id),))
        with (
            pytest.raises(psycopg.errors.FeatureNotSupported, match="row-level security"),
            connection.cursor().copy("copy scrapersky.sitemap_urls (url) from stdin"),
        ):
            pass
        connection.rollback()


def temporary_tables(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        row = connection.execute(
            "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_no_table_outlives_its_transaction(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    line = line_of(db, scan_of(db, caller))
    store(db, line, pages(*range(COPY_FROM)))
    assert temporary_tables(postgres.app_dsn) == 0


def test_control_a_table_of_the_session_would_reach_the_poolers_next_client(postgres: TestDatabase) -> None:
    with psycopg.connect(postgres.app_dsn, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("create temp table incoming (url text)")
    assert temporary_tables(postgres.app_dsn) == 1


def test_a_transaction_with_a_copy_is_undone_as_a_whole(db: Database, postgres: TestDatabase, caller: Caller) -> None:
    def opening(cursor: Cursor) -> Callable[[], Copy | None]:
        cursor.execute("create temp table incoming (n integer) on commit drop")
        return lambda: Copy("copy pg_temp.incoming from stdin", b"1\n2\nthree\n")

    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        db.run_copy(opening, lambda cursor: cursor.execute("select 1"), tenant_id=caller.tenant_id)
    assert db.query("select 1 as one", {}) == [{"one": 1}]
    assert temporary_tables(postgres.app_dsn) == 0


def test_a_chunk_costs_four_round_trips_and_a_small_one_one(
    db: Database, postgres: TestDatabase, caller: Caller
) -> None:
    line = line_of(db, scan_of(db, caller))
    with relay(postgres.cluster.pooler.port) as counted:
        dsn = psycopg.conninfo.make_conninfo(postgres.app_dsn, port=counted.port)
        with Database(dsn) as own:
            own.query("select 1", {})
            start = counted.round_trips
            store(own, line, pages(1, 2))
            assert counted.round_trips - start == 1
            store(own, line, pages(*range(10, 10 + COPY_FROM)))
            assert counted.round_trips - start <= 1 + 4
