"""Many events: ten thousand ends are dispatched a hundred at a time, and what is kept costs the sweep nothing."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import start
from scrapersky.db import events as rows
from scrapersky.db import webhook_log
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.queues import Sender
from scrapersky.services import events
from support.event_rows import Bus, complete_events, endpoint
from support.sitemap_workers import peak_kib
from support.webhooks import Outgoing

EVENTS = 10_000
SWEEP: Final = "select scrapersky.purge_events('30 days', 1000)"


def end_all(postgres: TestDatabase, batch_id: UUID) -> None:
    """The jobs of a batch end, all in one moment."""
    postgres.rows(
        "update scrapersky.jobs set status = 'cancelled', error_code = 'cancelled', error_message = 'x',"
        " finished_at = now() where batch_id = %s",
        batch_id,
    )


def test_ten_thousand_ends_take_seconds_and_no_more_memory_than_a_hundred(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch_id = start(db, queue, caller, [f"s{number}.example" for number in range(EVENTS)]).batch_id
    for _ in range(2):
        endpoint(postgres, caller.tenant_id, "job.cancelled", "batch.cancelled")
    bus, webhooks, take = Bus(), Outgoing(), rows.take
    sender = Sender(lambda: webhooks, {"webhook": "webhook"})  # type: ignore[arg-type, return-value]

    def take_anew(database: Database, token: UUID) -> object:
        bus.entries.clear()  # what the test keeps is not the dispatcher's
        webhooks.sent.clear()
        return take(database, token)

    monkeypatch.setattr(rows, "take", take_anew)
    complete_events(postgres, caller.tenant_id, rows.TAKE_LIMIT)
    assert events.dispatch(db, sender, bus.of_an_invocation(), deadline=time.monotonic() + 30).dispatched == 100
    end_all(postgres, batch_id)

    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak is counted from now on
    before, cpu, began = peak_kib(), time.process_time(), time.monotonic()
    tally = events.dispatch(db, sender, bus.of_an_invocation(), deadline=time.monotonic() + 90)
    seconds, cpu, grown = time.monotonic() - began, time.process_time() - cpu, peak_kib() - before
    with capsys.disabled():
        print(
            f"\n{tally.dispatched} events, {tally.sent} messages: {seconds:.1f} s, {cpu:.1f} of CPU, {grown} KiB more"
        )
    counted = "select type, count(*), count(dispatched_at) from scrapersky.events where job_id is null or batch_id = %s"
    assert postgres.rows(f"{counted} group by type order by type", batch_id) == [
        ("batch.cancelled", 1, 1),
        ("job.cancelled", EVENTS, EVENTS),
    ]
    assert postgres.rows("select count(*) from scrapersky.webhook_deliveries") == [(2 * (EVENTS + 1),)]
    assert grown < 4096
    assert cpu < 10


def pages_read(
    connection: psycopg.Connection, statement: LiteralString, parameters: Mapping[str, object] | None = None
) -> int:
    """Pages that a statement looks at, once its session knows the catalogue."""
    connection.execute(statement, parameters)
    explained = b"explain (analyze, buffers, format json) " + statement.encode()
    ((plans,),) = connection.execute(explained, parameters).fetchall()
    plan = plans[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_a_sweep_does_not_look_through_the_events_that_are_kept(postgres: TestDatabase, caller: Caller) -> None:
    complete_events(postgres, caller.tenant_id, EVENTS // 2)
    postgres.rows("update scrapersky.events set dispatched_at = now()")
    postgres.rows("vacuum (analyze) scrapersky.events")
    with psycopg.connect(postgres.direct_dsn, autocommit=True) as connection:
        # Postgres 18 goes through the tenants' index, skipping from tenant to tenant. Those before it cannot.
        connection.execute("drop index scrapersky.events_by_time")
        through_all = pages_read(connection, "select sum(length(correlation_id)) from scrapersky.events")
        assert pages_read(connection, SWEEP) < through_all / 10
        connection.execute("drop index scrapersky.events_old")  # a control
        assert pages_read(connection, SWEEP) >= through_all


def test_the_events_of_a_batch_are_found_among_those_of_weeks(postgres: TestDatabase, caller: Caller) -> None:
    batch_id = uuid4()
    complete_events(postgres, caller.tenant_id, 5)
    postgres.rows("update scrapersky.events set batch_id = %s, occurred_at = now() - interval '1 hour'", batch_id)
    complete_events(postgres, caller.tenant_id, EVENTS // 2)
    postgres.rows("vacuum (analyze) scrapersky.events")
    asked = {"tenant_id": caller.tenant_id, "batch_id": batch_id, "limit": 51}
    asked |= dict.fromkeys(("type", "job_id", "before", "before_id"))
    with psycopg.connect(postgres.direct_dsn, autocommit=True, prepare_threshold=None) as connection:
        assert pages_read(connection, webhook_log._EVENTS, asked) < 20
        connection.execute("drop index scrapersky.events_in_batch")  # a control
        assert pages_read(connection, webhook_log._EVENTS, asked) > 100
