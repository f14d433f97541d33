"""Workers of places searches that are killed all the time: each place once, and no request that is not written down."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest

from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.places import FieldPreset
from scrapersky.domain.status import JobStatus
from scrapersky.places.presets import SKUS, price
from scrapersky.services import jobs
from scrapersky_local.places_emulator.server import serve
from scrapersky_local.places_emulator.service import Emulator
from support.places import ENTERPRISE, KEY, Searching, asked
from support.places_workers import PlacesWorkers

LEASE_SECONDS = 2  # the least that a worker takes
ANSWER_SECONDS = 0.25  # most of a search is a request in flight then
KILL_EVERY = 0.3
PRO = SKUS[FieldPreset.BASIC]
BUDGET = "0.130"  # four requests of the preset that is asked for with it; three are a whole search
SAME_SEARCHES = [f"{what} in {where}" for where, what in product(("Austin TX", "Austin"), ("dentist", "dentists"))]


@dataclass
class SlowGoogle:
    """The emulator as a service that takes its time, and how many requests have come to it."""

    emulator: Emulator
    url: str
    came: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_time(self) -> None:
        with self.lock:
            self.came += 1
        time.sleep(ANSWER_SECONDS)

    def counts(self) -> Counter[str]:
        """Requests by SKU, when none is in flight any more."""
        deadline = time.monotonic() + 10
        while len(self.emulator.received) < self.came and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.emulator.counts()


@pytest.fixture
def google() -> Iterator[SlowGoogle]:
    emulator = Emulator(KEY)
    with serve(emulator) as url:
        slow = SlowGoogle(emulator, url)
        emulator.on_request = slow.take_time
        yield slow


def search_under_fire(
    google: SlowGoogle, postgres: TestDatabase, db: Database, caller: Caller, *, kills: int, sabotage: str = "none"
) -> list[UUID]:
    """Searches by three workers at a time, one of which is killed over and over; the last one has a budget."""
    workers = PlacesWorkers(
        postgres.app_dsn, google.url, lease_seconds=LEASE_SECONDS, invocation_seconds=60, sabotage=sabotage
    )
    with workers:
        searching = Searching(postgres, db, workers.sender, caller, google.emulator, google.url)
        words = [text.partition(" in ") for text in SAME_SEARCHES]
        job_ids = [searching.start(asked(what, location=where), refresh=True) for what, _, where in words]
        job_ids.append(searching.start(asked(location="Austin Texas", preset=FieldPreset.BASIC), budget=BUDGET))
        is_over = workers.run(
            lambda: all(jobs.get(db, caller.tenant_id, job_id).status.is_final for job_id in job_ids),
            at_once=3,
            seconds=40,
            kill_every=KILL_EVERY,
            most_kills=kills,
            progress=lambda: google.came,
            draw=random.Random(3),
        )
        workers.settle()
    assert is_over
    assert workers.figures.killed >= min(kills, 4)
    assert [told for told in workers.figures.failures if "batchItemFailures" not in told] == []
    return job_ids


def ledger(postgres: TestDatabase) -> tuple[Counter[str], Counter[str]]:
    """Requests by SKU: all that were written down, and those of which it is known what became of them."""
    rows = postgres.rows("select sku, count(*), count(outcome) from scrapersky.places_ledger group by sku")
    return (
        Counter({str(sku): int(str(count)) for sku, count, _ in rows}),
        Counter({str(sku): int(str(settled)) for sku, _, settled in rows}),
    )


def test_each_place_is_there_once_and_every_request_is_in_the_ledger(
    google: SlowGoogle, postgres: TestDatabase, db: Database, caller: Caller
) -> None:
    job_ids = search_under_fire(google, postgres, db, caller, kills=8)
    searching = Searching(postgres, db, None, caller, google.emulator, google.url)  # type: ignore[arg-type]
    for job_id in job_ids:
        listed = searching.listed(job_id)
        assert len(listed) == len(set(listed)) <= 60
        job = jobs.get(db, caller.tenant_id, job_id)
        if job.status is JobStatus.COMPLETE and (job.result or {})["stopped"] == "max_results":
            assert len(listed) == 60
        elif job.error:
            assert job.error.code in ("worker_lost", "budget_exceeded")
    assert postgres.one("select count(*), count(distinct place_id) from scrapersky.places") == (60, 60)
    counts = google.counts()
    written, settled = ledger(postgres)
    for sku in (ENTERPRISE, PRO):
        assert settled[sku] <= counts[sku] <= written[sku]
    assert settled.total() < written.total()  # a worker was killed while Google had its request
    assert counts[PRO] * price(PRO).usd <= Decimal(BUDGET)


def test_control_a_request_that_is_written_down_afterwards_is_lost_with_its_worker(
    google: SlowGoogle, postgres: TestDatabase, db: Database, caller: Caller
) -> None:
    search_under_fire(google, postgres, db, caller, kills=4, sabotage="late")
    written, _ = ledger(postgres)
    assert google.counts().total() > written.total()
