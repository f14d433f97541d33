"""Webhook workers that are killed all the time: each event is told, none that never was, and all of it signed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from conftest import TestDatabase
from scrapersky.db import sweep
from scrapersky.db.connection import Database
from support.loopback import Listener
from support.webhook_receivers import ERROR, OK, HttpReceiver, end_jobs
from support.webhook_workers import WebhookWorkers
from support.webhooks import Webhooks

EVENTS, ROLLED_BACK = 150, 30
LEASE_SECONDS = 2  # the least that a worker takes
KILLS = 4


@dataclass
class Run:
    """What one run came to."""

    receiver: HttpReceiver
    expected: set[UUID]
    webhook_id: UUID
    killed: int
    is_over: bool

    @property
    def missing(self) -> set[UUID]:
        return self.expected - set(self.receiver.times())


def under_fire(db: Database, postgres: TestDatabase, *, recovers: bool, rotates: bool = False) -> Run:
    """All events to one endpoint, by two workers at a time, one of which is killed again and again."""
    receiver = HttpReceiver(answer=lambda number: ERROR if number == EVENTS // 2 else OK, seconds=0.1)
    webhooks = Webhooks(db, postgres)
    with receiver.listening() as port:
        webhook_id = webhooks.endpoint("http://hook.example/in")
        run = Run(receiver, set(), webhook_id, 0, False)
        run.expected = end_jobs(postgres, webhooks.tenant_id, EVENTS, rolled_back=ROLLED_BACK)

        def is_over() -> bool:
            if rotates and len(receiver.heard) > EVENTS // 3:
                webhooks.change(webhook_id, "secret_version = 2, previous_secret_until = now() + interval '24 hours'")
            return postgres.one("select count(*) from scrapersky.webhook_deliveries where status = 'pending'") == (0,)

        with WebhookWorkers(
            postgres.app_dsn, {"hook.example": port}, lease_seconds=LEASE_SECONDS, redelivers=recovers
        ) as workers:
            webhooks.dispatch(workers.sender)
            run.is_over = workers.run(
                is_over,
                at_once=2,
                at_a_time=10,
                seconds=60 if recovers else 6,
                kill_every=0.4,
                most_kills=KILLS,
                progress=lambda: len(receiver.heard),
                draw=random.Random(1),
            )
            workers.settle(5)
            run.killed = workers.figures.killed
            # A message that comes again while its delivery is still leased is handed back. Nothing else is answered.
            assert [told for told in workers.figures.failures if "batchItemFailures" not in told] == []
    return run


def test_each_event_is_told_and_none_that_was_undone(db: Database, postgres: TestDatabase) -> None:
    run = under_fire(db, postgres, recovers=True, rotates=True)
    assert run.is_over
    assert run.killed == KILLS
    assert len(run.expected) == EVENTS
    assert set(run.receiver.times()) == run.expected  # nothing is missing, and nothing is told that never was
    assert postgres.rows("select distinct status from scrapersky.webhook_deliveries") == [("delivered",)]
    bodies: dict[UUID, bytes] = {}
    for request in run.receiver.heard:
        assert bodies.setdefault(request.event_id, request.body) == request.body
        assert request.is_signed(run.webhook_id, 1)
        if request.is_signed_twice:
            assert request.is_signed(run.webhook_id, 2)
    assert {request.is_signed_twice for request in run.receiver.heard} == {False, True}


def test_control_without_leases_that_end_and_messages_that_come_again_events_are_lost(
    db: Database, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "deliveries", lambda _db: (0, 0))
    run = under_fire(db, postgres, recovers=False)
    assert run.killed >= 2
    assert not run.is_over
    assert run.missing


# --- one dead receiver and everybody else ---

DEAD, LIVING = 400, 20
DEAD_AT_ONCE = 20
POST_SECONDS = 1.0  # in place of 15


@pytest.fixture
def silent() -> Iterator[Listener]:
    """Takes every connection and says nothing."""
    with Listener() as listener:
        yield listener


def test_a_dead_receiver_holds_up_nobody_else(db: Database, postgres: TestDatabase, silent: Listener) -> None:
    """Its messages are all before the others', and each try of it takes as long as a try may."""
    living = HttpReceiver()
    webhooks, others = Webhooks(db, postgres), Webhooks(db, postgres)
    with living.listening() as port:
        webhooks.endpoint("http://dead.example/")
        others.endpoint("http://living.example/")
        end_jobs(postgres, webhooks.tenant_id, DEAD)
        rules = {"dead.example": silent.port, "living.example": port}
        with WebhookWorkers(postgres.app_dsn, rules, lease_seconds=20, post_seconds=POST_SECONDS) as workers:
            webhooks.dispatch(workers.sender)
            expected = end_jobs(postgres, others.tenant_id, LIVING)
            others.dispatch(workers.sender)
            is_over = workers.drain(lambda: len(living.times()) == LIVING, at_once=4, at_a_time=10, seconds=60)
            asked = silent.connections
            workers.settle(5)
    assert is_over
    assert set(living.times()) == expected
    # Half of the workers with ten each, once; it is known to be dead from then on, and asked now and then.
    assert asked <= DEAD_AT_ONCE + 10
    tries, waiting = postgres.one(
        "select sum(tries), count(*) filter (where is_waiting) from scrapersky.webhook_deliveries where tenant_id = %s",
        webhooks.tenant_id,
    )
    assert int(str(tries)) <= silent.connections
    assert int(str(waiting)) > DEAD / 2  # what is still in the queue has yet to find out
