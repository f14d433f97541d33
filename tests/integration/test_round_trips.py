"""What a job costs in database round trips: each is a network latency that the customer waits for and pays."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.relay import relay
from integration.test_work import run
from scrapersky.db.connection import Copy, Cursor, Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import domain_scan
from support import emf

CONNECT = 3  # the question for TLS, start-up, the password (SCRAM, which the tests' pooler does not use, takes two)


def through(dsn: str, port: int) -> str:
    return psycopg.conninfo.make_conninfo(dsn, port=port)


def test_a_scan_job_costs_two_round_trips_from_claim_to_final(
    postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        assert len(run(db, job_id).stored) == 1
        assert counted.connections == 1
        assert counted.round_trips == CONNECT + 2


def test_a_batch_of_ten_claims_once_and_stores_each(postgres: TestDatabase, make_job: Callable[..., UUID]) -> None:
    job_ids = [make_job(f"s{n}.example") for n in range(10)]
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        assert len(run(db, *job_ids).stored) == 10
        assert counted.connections == 1
        assert counted.round_trips == CONNECT + 1 + 10


def test_starting_a_scan_costs_three_round_trips(postgres: TestDatabase, queue: ScanQueue, caller: Caller) -> None:
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        domain_scan.start(db, queue.sender, caller, base_url="site.example", max_pages=1, idempotency=None)
        assert counted.round_trips == CONNECT + 3  # write, commit, mark as sent


# --- the metric ---

SPEAK: Any = "select 1 as one"
LARGE: Any = "select repeat('x', 100000) as text from generate_series(1, 20)"
COPIED: Any = "copy copied (n) from stdin"


def copying(db: Database, tenant_id: UUID, rows: int) -> None:
    def opening(cursor: Cursor) -> Callable[[], Copy | None]:
        cursor.execute("create temp table copied (n integer) on commit drop")
        return lambda: Copy(COPIED, b"1\n" * rows) if rows else None

    db.run_copy(opening, lambda cursor: cursor.execute(SPEAK), tenant_id=tenant_id)


def failing(db: Database) -> None:
    with suppress(psycopg.errors.DivisionByZero):
        db.query("select 1 / 0", {})


WORK: dict[str, tuple[int, Callable[[Database, UUID], object]]] = {
    "query": (1, lambda db, _: db.query(SPEAK, {})),
    "thrice": (3, lambda db, _: [db.query(SPEAK, {}) for _ in range(3)]),
    "large": (1, lambda db, _: db.query(LARGE, {})),
    "sent": (1, lambda db, _: db.query("select length(%(text)s) as n", {"text": "x" * 3_000_000})),
    "fetched_within": (3, lambda db, _: db.run(lambda c: [c.execute(SPEAK).fetchone() for _ in range(2)])),
    "many_statements": (1, lambda db, _: db.run(lambda c: [c.execute(SPEAK) for _ in range(50)][-1]).fetchall()),
    "failed": (2, lambda db, _: failing(db)),  # the second is the rollback
    "copy": (4, lambda db, tenant_id: copying(db, tenant_id, 200_000)),
    "no_copy": (2, lambda db, tenant_id: copying(db, tenant_id, 0)),
    "sign_of_life": (1, lambda db, _: db.ping()),
}


@pytest.mark.parametrize("name", WORK)
def test_the_metric_says_what_passed_over_the_wire(
    postgres: TestDatabase, tenant_id: UUID, told: Callable[[], emf.Values], name: str
) -> None:
    trips, work = WORK[name]
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        work(db, tenant_id)
        written = told()
        assert written["RoundTrips"] == [trips]
        assert counted.round_trips == CONNECT + trips
    assert len(written["DatabaseConnectMilliseconds"]) == counted.connections == 1
    assert len(written["TransactionMilliseconds"]) == (3 if name == "thrice" else 1)
    assert all(0 < value < 5_000 for name in written for value in written[name])


def test_a_transaction_that_runs_again_is_counted_again(
    postgres: TestDatabase, told: Callable[[], emf.Values], caller: Caller
) -> None:
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        db.query(SPEAK, {})
        assert db._connection is not None
        db._connection.close()
        db.query(SPEAK, {}, tenant_id=caller.tenant_id)
        written = told()
        assert counted.connections == 2
        assert counted.round_trips == 2 * CONNECT + written["RoundTrips"][0]
    assert len(written["DatabaseConnectMilliseconds"]) == 2
    assert len(written["TransactionMilliseconds"]) == 3  # the one that found its connection closed, too
