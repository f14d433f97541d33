"""Each end of a job is counted once, when a dispatcher first meets it: whatever the bus says, whoever is at work."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import EMPTY, Cluster, TestDatabase, migrated_database
from integration.conftest import ScanQueue
from integration.test_batch import failing
from integration.test_event_dispatch import dispatch, scan
from integration.test_turns import define
from integration.test_work import run
from scrapersky.db import events as rows
from scrapersky.db.connection import Database
from scrapersky.db.migrate import apply, newest, shipped
from scrapersky.domain.jobs import Caller
from scrapersky.errors import Unavailable
from support import emf
from support.event_rows import Bus, complete_events, release
from support.lost_answers import LosesAnswers

TENANT: Final = uuid4()
BEFORE: Final = next(n for n, migration in enumerate(shipped()) if migration.name.startswith("0011"))
Told = Callable[..., emf.Values]


def denied(_: object) -> str:
    return "AccessDeniedException"


def counts(told: Told) -> tuple[Any, ...]:
    """What is told so far: ends by outcome, the same by status, their times, and what was handed on."""
    whole, of_kind = told(), told(kind="domain_scan")
    by_outcome = [told(kind="domain_scan", outcome=outcome).get("JobsEnded", []) for outcome in ("complete", "timeout")]
    names = ("JobsComplete", "JobsFailed", "EventsDispatched")
    return (*by_outcome, *(whole.get(name, []) for name in names), len(of_kind.get("JobSeconds", [])))


def test_what_the_bus_refuses_is_counted_at_once_and_not_again(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, told: Told
) -> None:
    run(db, scan(db, queue, caller))
    run(db, scan(db, queue, caller, "b.example"), scan=failing)
    bus = Bus(denied)
    for _ in range(3):
        assert dispatch(db, queue, bus).dispatched == 0
        assert counts(told) == ([1], [1], [1], [1], [], 2)
        release(postgres)
    bus.answer = lambda _: None
    assert dispatch(db, queue, bus).dispatched == 2
    assert counts(told) == ([1], [1], [1], [1], [2], 2)


def test_control_asking_nobody_who_counted_it_each_try_counts_it(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, told: Told
) -> None:
    mine = ("coalesce(held.counted_by, p_token) = p_token", "coalesce(e.counted_by = p_token, false)")
    define(postgres, 11, "dispatch_events", lambda text: text.replace(mine[0], "true").replace(mine[1], "true"))
    run(db, scan(db, queue, caller))
    for _ in range(2):
        dispatch(db, queue, Bus(denied))
        release(postgres)
    assert sum(told()["JobsComplete"]) == 2


def test_what_is_to_be_counted_is_told_again_when_the_answer_was_lost(db: Database, postgres: TestDatabase) -> None:
    complete_events(postgres, TENANT, 2)
    token = uuid4()
    taken = rows.take(db, token)
    delayed, handed_on = [event.id for event in taken]
    with LosesAnswers(postgres.app_dsn) as forgetful:
        told = rows.dispatch(forgetful, token, taken, done=[handed_on])
    assert (told.ids, told.counted) == (frozenset({handed_on}), frozenset({delayed, handed_on}))


def test_an_event_that_another_dispatcher_has_by_now_is_its_to_count(db: Database, postgres: TestDatabase) -> None:
    complete_events(postgres, TENANT, 1)
    late, token = uuid4(), uuid4()
    taken = rows.take(db, late)
    release(postgres)
    assert rows.take(db, token) == taken
    assert rows.dispatch(db, late, taken, done=[]).counted == frozenset()
    assert rows.dispatch(db, token, taken, done=[]).counted == {event.id for event in taken}


# --- while the migration is applied ---
class OldDispatcher:
    """One of the version before: what it took it hands on when it is told to, and counts what is dispatched then."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.token = uuid4()
        with psycopg.connect(dsn) as connection:
            self.taken = [
                id
                for (id,) in connection.execute(
                    "select id from scrapersky.take_events(%s, interval '45 s', 100)", (self.token,)
                )
            ]

    def counts(self, *done: UUID) -> set[UUID]:
        with psycopg.connect(self.dsn) as connection:
            found = connection.execute(
                "select event_id from scrapersky.dispatch_events(%s, %s, %s, %s, '[]', interval '15 s')",
                (self.token, [TENANT] * len(self.taken), self.taken, list(done)),
            ).fetchall()
        return {event_id for (event_id,) in found if event_id is not None}


@pytest.fixture
def older(cluster: Cluster) -> Iterator[TestDatabase]:
    """A database of the version before events were counted by whom."""
    with migrated_database(cluster, EMPTY) as database:
        apply(database.direct_dsn, shipped()[:BEFORE])
        yield database


def counted_now(db: Database, *, done: bool) -> set[UUID]:
    """What a dispatcher of this version counts, whether the bus takes everything or nothing."""
    token = uuid4()
    taken = rows.take(db, token)
    return set(rows.dispatch(db, token, taken, done={event.id for event in taken} if done else ()).counted)


def test_dispatchers_of_two_versions_count_each_end_once(older: TestDatabase) -> None:
    complete_events(older, TENANT, 1)
    long_ago = OldDispatcher(older.direct_app_dsn)
    assert long_ago.counts(*long_ago.taken) == set(long_ago.taken)
    complete_events(older, TENANT, 2)
    at_work = OldDispatcher(older.direct_app_dsn)
    complete_events(older, TENANT, 1)
    with Database(older.app_dsn) as db:
        with pytest.raises(Unavailable, match=newest()):  # or it would hand on what it could not count
            rows.take(db, uuid4())
        apply(older.direct_dsn)
        first, second = at_work.taken
        assert at_work.counts(first) == {first}  # the bus did not take the second
        waiting = counted_now(db, done=False)
        assert len(waiting) == 1
        assert not waiting & {first, second, *long_ago.taken}
        release(older)
        assert counted_now(db, done=False) == {second}
        release(older)
        too_late = OldDispatcher(older.direct_app_dsn)  # one that was begun before, or a deployment that is undone
        assert set(too_late.taken) == {second, *waiting}
        assert too_late.counts(second) == set()
        release(older)
        assert counted_now(db, done=True) == set()
    assert older.rows("select count(*) from scrapersky.events where dispatched_at is null") == [(0,)]


def test_control_told_as_before_an_older_dispatcher_counts_it_again(db: Database, postgres: TestDatabase) -> None:
    define(postgres, 8, "dispatch_events")
    complete_events(postgres, TENANT, 1)
    (event_id,) = counted_now(db, done=False)
    release(postgres)
    assert OldDispatcher(postgres.direct_app_dsn).counts(event_id) == {event_id}
