"""What a batch costs the database, for each of its domains, as batches grow: a line of figures for every size.

Everything is real but the scans, which bring the same facts of one page at once, and the queue, which takes all.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from bench.fetching.pages import make_page
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.db.migrate import apply
from scrapersky.domain.batches import Execution
from scrapersky.domain.facts import PageRecord, SiteScan
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import JobKind
from scrapersky.queues import Sender
from scrapersky.scraping import findings
from scrapersky.scraping.fetch import Fetched
from scrapersky.scraping.page import parse_page
from scrapersky.services import batch, batch_rounds, domain_scan, work
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import PgBouncer, Postgres

ROLE, PASSWORD = "scrapersky_app", "of a database that lives for minutes"
MAX_CONCURRENT, CHUNK_SIZE, MAX_LANES = 50, 25, 40
SITES_PER_WORKER = {JobKind.DOMAIN_SCAN: 10}
LEASE = timedelta(seconds=150)
WORKER_SECONDS = 120.0
PAGE_BYTES = 165_000


class AllTakingQueue:
    """The one call of the SQS client that a sender makes."""

    def send_message_batch(self, *, Entries: list[dict[str, str]], **_: str) -> dict[str, Any]:  # noqa: N803
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries], "Failed": []}


@dataclass(frozen=True, slots=True)
class Counters:
    """What a database has done so far. Bytes over the wire are the pooler's count, from and to its clients."""

    statements: int
    wire_bytes: int
    wal_bytes: int
    stored_bytes: int
    rows: int


class Bench:
    """A running cluster and the connections that watch it."""

    def __init__(self, postgres: Postgres, pooler: PgBouncer) -> None:
        self._postgres = postgres
        self._pooler = pooler

    def measure(self, size: int) -> dict[str, float]:
        """Start a batch of `size` domains in a database of its own and work it off; what that took."""
        name = f"growth_{size}"
        with psycopg.connect(self._postgres.admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        owner = psycopg.conninfo.make_conninfo(self._postgres.admin_dsn, dbname=name)
        apply(owner)
        with psycopg.connect(self._postgres.admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(ROLE), sql.Literal(PASSWORD)))
        dsn = self._pooler.dsn(ROLE, name)
        before = self._counters(owner, name)
        begun, cpu = time.perf_counter(), time.process_time()
        caller, batch_id = _start(dsn, size)
        started, started_at = self._counters(owner, name), time.perf_counter()
        _work_off(dsn, owner, batch_id)
        ended, ended_at = self._counters(owner, name), time.perf_counter()
        cpu = time.process_time() - cpu
        status_ms = _status_ms(dsn, caller, batch_id, size)
        return {
            "domains": size,
            "start statements": started.statements - before.statements,
            "start s": started_at - begun,
            "domains/s": size / (ended_at - started_at),
            "statements": (ended.statements - before.statements) / size,
            "rows": (ended.rows - before.rows) / size,
            "stored B": (ended.stored_bytes - before.stored_bytes) / size,
            "WAL B": (ended.wal_bytes - before.wal_bytes) / size,
            "wire B": (ended.wire_bytes - before.wire_bytes) / size,
            "CPU ms": 1000 * cpu / size,
            "status ms": status_ms,
        }

    def _counters(self, owner: str, name: str) -> Counters:
        with psycopg.connect(
            self._pooler.console_dsn, autocommit=True, cursor_factory=psycopg.ClientCursor, row_factory=dict_row
        ) as console:
            every = console.execute("show stats").fetchall()
        pooled: Mapping[str, Any] = next((row for row in every if row["database"] == name), {})
        with psycopg.connect(owner, autocommit=True) as connection:
            row = connection.execute(
                """
                select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),
                       (select sum(pg_total_relation_size(oid)) from pg_class
                        where relkind = 'r' and relnamespace = 'scrapersky'::regnamespace)
                """
            ).fetchone()
            assert row is not None
            return Counters(  # both servers tell their counts as decimals
                statements=int(pooled.get("total_query_count", 0)),
                wire_bytes=int(pooled.get("total_received", 0)) + int(pooled.get("total_sent", 0)),
                wal_bytes=int(row[0]),
                stored_bytes=int(row[1]),
                rows=sum(_row_counts(connection)),
            )


def _row_counts(connection: psycopg.Connection[Any]) -> list[int]:
    tables = connection.execute("select tablename from pg_tables where schemaname = 'scrapersky'").fetchall()
    counted = [
        connection.execute(sql.SQL("select count(*) from scrapersky.{}").format(sql.Identifier(table))).fetchone()
        for (table,) in tables
    ]
    return [row[0] for row in counted if row is not None]


def _start(dsn: str, size: int) -> tuple[Caller, UUID]:
    caller = Caller(tenant_id=uuid4(), user_id="bench", correlation_id="bench")
    sender = Sender(lambda: cast(Any, AllTakingQueue()), {"batch": "https://queue.example/batch"})
    with Database(dsn) as db:
        started = batch.start(
            db,
            sender,
            caller,
            kind=JobKind.DOMAIN_SCAN,
            domains=[f"site{number}.example" for number in range(size)],
            max_pages=1,
            max_concurrent=MAX_CONCURRENT,
            batch_id=None,
            idempotency=None,
        )
    return caller, started.batch_id


def _work_off(dsn: str, owner: str, batch_id: UUID) -> None:
    """One round, chunk after chunk, each with a connection of its own as a worker has it."""
    with psycopg.connect(owner, autocommit=True) as connection:
        row = connection.execute("select run from scrapersky.batches where id = %s", (batch_id,)).fetchone()
    assert row is not None
    execution = Execution(row[0], 1)
    with Database(dsn) as db:
        planned = batch_rounds.plan(
            db, execution, round=1, chunk_size=CHUNK_SIZE, sites_per_worker=SITES_PER_WORKER, max_lanes=MAX_LANES
        )
    for chunk in planned.chunks:
        with Database(dsn) as db:
            work.work_off(
                db,
                chunk.job_ids,
                scan,
                lease=LEASE,
                concurrency=chunk.window,
                deadline=time.monotonic() + WORKER_SECONDS,
                patient=True,
            )
    with Database(dsn) as db:
        finished = batch_rounds.finish(db, execution, round=1)
    if finished.open:
        raise RuntimeError(f"{finished.open} jobs are still open")


def _status_ms(dsn: str, caller: Caller, batch_id: UUID, size: int) -> float:
    """The best of five looks at the figures, once the tables' statistics are true."""
    times = []
    with Database(dsn) as db:
        for _ in range(5):
            begun = time.perf_counter()
            figures = batch.get(db, caller.tenant_id, batch_id).figures
            times.append(1000 * (time.perf_counter() - begun))
    if figures.completed != size:
        raise RuntimeError(f"{figures.completed} of {size} domains are complete")
    return min(times)


def _found() -> SiteScan:
    body, url, now = make_page("harbour", PAGE_BYTES, Random(1)), "https://www.harbour.de/", datetime.now(UTC)
    headers = {"content-type": "text/html; charset=utf-8"}
    answer = Fetched(url, 200, headers, body, len(body), 120, now)
    facts = findings.site_data([findings.read(parse_page(body, url, headers), answer)], "harbour.de")
    return SiteScan((PageRecord(url, 200, facts.title, now, len(body), 120),), site_data=facts)


FOUND = _found()


def scan(job: Claim, _control: work.Control) -> tuple[SiteScan, dict[str, Any] | None]:
    """Brings the same facts for every site."""
    now = datetime.now(UTC)
    return FOUND, domain_scan.result(job.domain, job.request, FOUND, now, now)


def main(sizes: list[int]) -> None:
    logging.disable(logging.INFO)  # a line for each job
    with (
        throwaway_directory() as folder,
        Postgres(folder, durable=False) as postgres,
        PgBouncer(postgres, users={ROLE: PASSWORD}) as pooler,
    ):
        bench = Bench(postgres, pooler)
        for size in sizes:
            print(json.dumps(bench.measure(size)), flush=True)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]])
