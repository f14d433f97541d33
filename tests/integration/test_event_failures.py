"""What goes wrong around a dispatcher: another at the same time, a kill, a bus that is away, throttles or refuses."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import job_ids, start
from integration.test_event_dispatch import dispatch, scan, undispatched
from integration.test_work import run
from scrapersky.db import events as rows
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import events
from support.event_rows import Bus, complete_events, endpoint, release
from support.log_lines import recorded


def test_two_dispatchers_at_once_hand_each_event_on_once(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    complete_events(postgres, caller.tenant_id, 500)
    bus = Bus()
    both = Barrier(2)

    def worker() -> events.Tally:
        with Database(postgres.direct_app_dsn) as own:
            both.wait(10)
            return dispatch(own, queue, bus)

    with ThreadPoolExecutor(2) as pool:
        tallies = [done.result(60) for done in [pool.submit(worker) for _ in range(2)]]
    assert sum(tally.dispatched for tally in tallies) == 500
    assert sum(tally.sent for tally in tallies) == 500
    assert len(bus.told()) == len(set(bus.told())) == 500
    assert postgres.rows("select count(*), count(distinct event_id) from scrapersky.webhook_deliveries") == [(500, 500)]


def test_a_dispatcher_killed_after_the_bus_took_an_event_has_it_told_again_and_never_lost(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    run(db, scan(db, queue, caller))
    bus = Bus()
    with monkeypatch.context() as patch:
        patch.setattr(rows, "dispatch", lambda *_, **__: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            dispatch(db, queue, bus)
    assert undispatched(postgres) == 1
    assert dispatch(db, queue, bus).dispatched == 0  # it is held as long as its dispatcher may live
    release(postgres)
    assert dispatch(db, queue, bus).dispatched == 1
    first, second = bus.told()
    assert first == second
    assert len(queue.drain_webhooks()) == 1


def test_a_dispatcher_that_comes_too_late_is_fenced_off(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    run(db, scan(db, queue, caller))
    token = uuid4()
    taken = rows.take(db, token)
    release(postgres)
    assert dispatch(db, queue).dispatched == 1
    late = rows.dispatch(db, token, taken, done={event.id for event in taken})
    assert (late.ids, late.messages) == (frozenset(), ())


def test_a_dispatch_whose_answer_was_lost_comes_to_the_same_when_it_is_done_again(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    batch_id = start(db, queue, caller, ["a.example"]).batch_id
    run(db, *job_ids(db, caller, batch_id).values())
    token = uuid4()
    taken = rows.take(db, token)
    done = {event.id for event in taken}
    first, second = (rows.dispatch(db, token, taken, done=done) for _ in range(2))
    assert first.ids == second.ids == done
    assert (len(first.messages), len(second.messages)) == (1, 0)
    assert postgres.rows("select count(*) from scrapersky.events where type = 'batch.complete'") == [(1,)]


def test_a_bus_that_is_away_keeps_no_endpoint_waiting_and_is_told_when_it_is_back(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    def away(_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.example")

    endpoint(postgres, caller.tenant_id, "job.complete")
    run(db, scan(db, queue, caller))
    bus = Bus(away)
    tally = dispatch(db, queue, bus)
    assert (tally.dispatched, tally.delayed, tally.sent) == (0, 1, 1)
    bus.answer = lambda _: None
    assert dispatch(db, queue, bus).dispatched == 0  # not before its hold is over
    release(postgres)
    tally = dispatch(db, queue, bus)
    assert (tally.dispatched, tally.delayed, tally.sent) == (1, 0, 0)
    assert (len(bus.told()), len(queue.drain_webhooks())) == (1, 1)


def test_what_the_bus_throttles_is_put_again_and_what_is_new_goes_before_it(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    complete_events(postgres, caller.tenant_id, 20)
    taken = iter([None, "ThrottlingException"] * 10)
    bus = Bus(lambda _: next(taken))
    assert dispatch(db, queue, bus).delayed == 10
    bus.answer = lambda _: None
    complete_events(postgres, caller.tenant_id, 1)
    release(postgres)
    postgres.rows("update scrapersky.events set held_until = occurred_at where held_by is null")
    (new,) = rows.take(db, uuid4(), limit=1)
    assert str(new.id) not in bus.told()
    release(postgres)
    assert dispatch(db, queue, bus).dispatched == 11
    assert len(bus.told()) == len(set(bus.told())) == 21


def test_what_the_bus_will_never_take_is_told_in_the_log_and_holds_nobody_up(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint(postgres, caller.tenant_id, "job.complete")
    complete_events(postgres, caller.tenant_id, 3)
    codes = iter([None, "MalformedDetail", None])
    with recorded(capsys) as written:
        tally = dispatch(db, queue, Bus(lambda _: next(codes)))
        (line,) = (line for line in written.events() if line["message"] == "event not put on the bus")
    assert (tally.dispatched, tally.delayed, tally.sent) == (3, 0, 3)
    assert (line["level"], line["reason"]) == ("ERROR", "MalformedDetail")


def test_a_bus_that_takes_nothing_for_a_day_is_given_up_event_by_event(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    complete_events(postgres, caller.tenant_id, 2)
    postgres.rows(
        "update scrapersky.events set occurred_at = now() - interval '25 hours'"
        " where id = (select id from scrapersky.events limit 1)"
    )
    tally = dispatch(db, queue, Bus(lambda _: "InternalFailure"))
    assert (tally.dispatched, tally.delayed) == (1, 1)


def test_a_dispatcher_without_time_takes_nothing(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    complete_events(postgres, caller.tenant_id, 1)
    assert dispatch(db, queue, seconds=-1).dispatched == 0
    assert len(rows.take(db, uuid4())) == 1
