"""How fast a sitemap's URLs are stored, beside what the server itself needs for the same rows.

    python tests/bench/bench_sitemap_store.py [--rows 50000 500000] [--rounds 3] [--chunk 10000]

floor        inside the server, rows that are there already: INSERT … SELECT from a filled temporary table into the very
             same table with both its indexes, one transaction for 50,000 rows
merge floor  the same with ON CONFLICT DO NOTHING: what the server needs where a row may be there already
store_chunk  what a worker does, with hashing, encoding and fences, for each chunk of a file that nobody knows yet
again        the same chunks a second time: every row is stored already
rescan       the same chunks by the next scan: every row is updated
unnest       INSERT … SELECT unnest(arrays) … ON CONFLICT, 5,000 rows a statement
executemany  INSERT … ON CONFLICT for each row, pipelined by psycopg

store_chunk, again and rescan go directly and through PgBouncer in transaction mode; the server syncs every commit. Ways
take turns, and the fastest round counts. `x floor` and `x merge` are time over the floors' times. CPU is in ms for
50,000 rows: the client's, and that of the server's processes with its ratio to the floor's, which stays the same on a
busy machine.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))

from psycopg import sql

from scrapersky.db import sitemap_ends, sitemap_store
from scrapersky.db.connection import Database
from scrapersky.db.migrate import apply
from scrapersky.db.sitemap_lines import Entry, Line
from scrapersky.db.sitemap_rows import as_json, hashed
from scrapersky.domain.jobs import Caller
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import PgBouncer, Postgres
from support.sitemap_lines import LEASE, line_of, scan_of, time_of, whole

ROLE, PASSWORD = "scrapersky_app", "of-a-bench"
SLICE = 50_000
COLUMNS = "url_hash, url, lastmod, lastmod_at, priority, changefreq"
TYPES = "url_hash uuid, url text, lastmod text, lastmod_at timestamptz, priority real, changefreq text"
CASTS = "%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::real[], %s::text[]"


@dataclass(frozen=True, slots=True)
class Bench:
    """A database of its own, and the ways to it."""

    owner: str
    direct: str
    pooled: str
    caller: Caller

    def empty(self) -> None:
        with psycopg.connect(self.owner, autocommit=True) as connection:
            connection.execute("truncate scrapersky.sitemap_urls")
            connection.execute("checkpoint")

    def line(self, rows: int) -> Line:
        """A file that nobody has read, of a scan with room for it."""
        with Database(self.direct) as db:
            return line_of(db, scan_of(db, self.caller, domain=f"{uuid4().hex}.example", max_pages=2 * rows))


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the wall, and of CPU."""

    wall: float
    cpu: float
    server: float  # CPU of its processes


def server_seconds(bench: Bench) -> float:
    """CPU that the server's processes for the application have used so far."""
    with psycopg.connect(bench.owner, autocommit=True) as connection:
        pids = connection.execute("select pid from pg_stat_activity where usename = %s", (ROLE,)).fetchall()
    ticks = 0
    for (pid,) in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime, see proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(bench: Bench, work: Callable[[], None]) -> Taken:
    server = server_seconds(bench)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Taken(wall, cpu, server_seconds(bench) - server)


def entries_of(rows: int) -> list[Entry]:
    """Addresses of some 60 characters, each with its own time, as a shop's catalogue has them."""
    return [
        (
            f"https://www.site.example/catalogue/section-{n % 97}/product-{n}.html",
            f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}T{n % 24:02}:{n % 60:02}:00+00:00", "weekly", "0.5", 0, 0, 0, 0,
        )
        for n in range(rows)
    ]  # fmt: skip


def tuples_of(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    names = COLUMNS.split(", ")
    return [tuple(row[name] for name in names) for row in as_json(hashed(entries), time_of)]


def connected(bench: Bench) -> psycopg.Connection:
    connection = psycopg.connect(bench.direct, autocommit=True, prepare_threshold=None)
    connection.execute("select set_config('app.tenant_id', %s, false)", (str(bench.caller.tenant_id),))
    return connection


def floor(bench: Bench, entries: Sequence[Entry], *, merging: bool = False) -> Taken:
    end = sql.SQL(" on conflict do nothing" if merging else "")
    tenant, sitemap = bench.caller.tenant_id, bench.line(len(entries)).sitemap_id
    with connected(bench) as connection:
        for start in range(0, len(entries), SLICE):
            name = sql.Identifier(f"filled_{start}")
            connection.execute(sql.SQL("create temp table {} (" + TYPES + ")").format(name))
            copy = sql.SQL("copy {} from stdin").format(name)
            with connection.cursor().copy(copy) as rows:
                for row in tuples_of(entries[start : start + SLICE]):
                    rows.write_row(row)

        def work() -> None:
            for start in range(0, len(entries), SLICE):
                connection.execute(
                    sql.SQL(
                        "insert into scrapersky.sitemap_urls (tenant_id, sitemap_id, first_seen, last_seen, "
                        + COLUMNS + ") select %s, %s, now(), now(), " + COLUMNS + " from {}{}"
                    ).format(sql.Identifier(f"filled_{start}"), end),
                    (tenant, sitemap),
                )  # fmt: skip

        return timed(bench, work)


def stored(bench: Bench, db: Database, line: Line, entries: Sequence[Entry], chunk: int) -> Taken:
    db.ping()

    def work() -> None:
        for start in range(0, len(entries), chunk):
            part = entries[start : start + chunk]
            assert sitemap_store.store_chunk(db, line, part, time_of=time_of, lease=LEASE).held

    return timed(bench, work)


def chunks(bench: Bench, dsn: str, entries: Sequence[Entry], chunk: int) -> dict[str, Taken]:
    line = bench.line(len(entries))
    with Database(dsn) as db:
        taken = {
            "store_chunk": stored(bench, db, line, entries, chunk),
            "again": stored(bench, db, line, entries, chunk),
        }
        sitemap_ends.finish(db, line, whole(), lanes=1)
        rescan = line_of(db, scan_of(db, bench.caller, domain=line.domain, max_pages=2 * len(entries)))
        assert rescan.sitemap_id == line.sitemap_id
        taken["rescan"] = stored(bench, db, rescan, entries, chunk)
    return taken


INSERT = f"insert into scrapersky.sitemap_urls (tenant_id, sitemap_id, first_seen, last_seen, {COLUMNS}) "
CONFLICT = " on conflict (tenant_id, sitemap_id, url_hash) do update set last_seen = excluded.last_seen"


def unnest(bench: Bench, entries: Sequence[Entry]) -> Taken:
    tenant, sitemap = bench.caller.tenant_id, bench.line(len(entries)).sitemap_id
    with connected(bench) as connection:

        def work() -> None:
            with connection.transaction():
                for start in range(0, len(entries), 5_000):
                    columns = [list(column) for column in zip(*tuples_of(entries[start : start + 5_000]), strict=True)]
                    connection.execute(
                        (INSERT + f"select %s, %s, now(), now(), * from unnest({CASTS})" + CONFLICT).encode(),
                        (tenant, sitemap, *columns),
                    )

        return timed(bench, work)


def executemany(bench: Bench, entries: Sequence[Entry]) -> Taken:
    tenant, sitemap = bench.caller.tenant_id, bench.line(len(entries)).sitemap_id
    values = "values (%s, %s, now(), now(), %s, %s, %s, %s, %s, %s)"
    with connected(bench) as connection:

        def work() -> None:
            rows = [(tenant, sitemap, *row) for row in tuples_of(entries)]
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany((INSERT + values + CONFLICT).encode(), rows)

        return timed(bench, work)


def measured(bench: Bench, entries: Sequence[Entry], rounds: int, chunk: int) -> dict[str, Taken]:
    """The fastest round of each way."""
    found: dict[str, list[Taken]] = {}

    def note(name: str, taken: Taken) -> None:
        found.setdefault(name, []).append(taken)

    for _ in range(rounds):
        bench.empty()
        note("floor", floor(bench, entries))
        bench.empty()
        note("merge floor", floor(bench, entries, merging=True))
        for label, dsn in (("direct", bench.direct), ("pooled", bench.pooled)):
            bench.empty()
            for name, taken in chunks(bench, dsn, entries, chunk).items():
                note(f"{name}, {label}", taken)
        if len(entries) <= SLICE:
            for name, way in (("unnest", unnest), ("executemany", executemany)):
                bench.empty()
                note(name, way(bench, entries))
    return {name: min(takes, key=lambda taken: taken.wall) for name, takes in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chunk", type=int, default=10_000, help="rows that a worker stores at a time")
    options = parser.parse_args()
    with throwaway_directory() as folder, Postgres(folder) as postgres:
        apply(postgres.admin_dsn)
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(ROLE), sql.Literal(PASSWORD)))
        with PgBouncer(postgres, users={ROLE: PASSWORD}, pool_size=4) as pooler:
            bench = Bench(
                postgres.admin_dsn,
                postgres.dsn(ROLE, PASSWORD, name),
                pooler.dsn(ROLE, name),
                Caller(UUID(int=1), "bench"),
            )
            for rows in options.rows:
                print(f"{rows:,} rows, {options.chunk:,} a chunk, fastest of {options.rounds} rounds")
                print(
                    f"{'':24}{'rows/s':>12}{'ms':>12}{'x floor':>9}{'x merge':>9}{'client CPU':>12}{'server CPU':>12}"
                    f"{'x floor':>12}"
                )
                taken = measured(bench, entries_of(rows), options.rounds, options.chunk)
                base, merging = taken["floor"], taken["merge floor"]
                for name, one in taken.items():
                    print(
                        f"{name:24}{rows / one.wall:12,.0f}{one.wall * 1000:12,.0f}{one.wall / base.wall:9.2f}"
                        f"{one.wall / merging.wall:9.2f}"
                        f"{one.cpu * 1000 * SLICE / rows:12.0f}{one.server * 1000 * SLICE / rows:12.0f}"
                        f"{one.server / base.server:12.2f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
