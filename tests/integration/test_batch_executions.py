"""One execution of a batch after another: the newest alone plans and ends jobs, whatever an older one still does."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.test_batch import FOREVER, SITES, execution_of, failing, job_ids, start
from integration.test_work import run
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.batches import Execution, Plan
from scrapersky.domain.jobs import Caller
from scrapersky.services import batch, batch_rounds, sweep
from support.log_lines import recorded

LAST = batch_rounds.MAX_ROUNDS
WAIT_SECONDS = 10.0


def planned(db: Database, execution: Execution, *, round_: int = 1) -> Plan:
    return batch_rounds.plan(db, execution, round=round_, chunk_size=25, sites_per_worker=SITES, max_lanes=50)


def statuses(postgres: TestDatabase) -> list[str]:
    return [str(status) for (status,) in postgres.rows("select status from scrapersky.jobs order by domain")]


def retried_in_its_middle(db: Database, queue: ScanQueue, caller: Caller, batch_id: UUID) -> None:
    """One job has failed and is set back while a worker is at the other one."""
    ids = job_ids(db, caller, batch_id)
    run(db, ids["a.example"], scan=failing)
    leases.claim(db, [ids["b.example"]], token=uuid4(), lease=timedelta(seconds=60))
    batch.retry(db, queue.sender, caller, batch_id, error_codes=None, idempotency=None)


def test_an_execution_does_not_give_up_what_a_retry_has_set_back_for_the_next_one(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["a.example", "b.example"]).batch_id
    retried_in_its_middle(db, queue, caller, batch_id)
    older, newer = (execution_of(postgres, batch_id, number) for number in (1, 2))
    over = batch_rounds.finish(db, older, round=LAST)
    assert (over.given_up, over.open, over.again, over.wait_seconds) == (0, 2, False, 0)
    assert statuses(postgres) == ["pending", "running"]
    # Control: the same step of the execution that the job waits for.
    last = batch_rounds.finish(db, newer, round=LAST)
    assert (last.given_up, last.open, last.again) == (1, 1, True)
    assert statuses(postgres) == ["failed", "running"]


def test_an_execution_does_not_go_round_beside_the_next_one(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["a.example", "b.example"]).batch_id
    older, newer = (execution_of(postgres, batch_id, number) for number in (1, 2))
    assert batch_rounds.finish(db, older, round=1).again  # control: there is no other yet
    retried_in_its_middle(db, queue, caller, batch_id)
    assert planned(db, older, round_=2).chunks == ()
    assert not batch_rounds.finish(db, older, round=2).again
    waiting = job_ids(db, caller, batch_id)["a.example"]
    assert [chunk.job_ids for chunk in planned(db, newer).chunks] == [(waiting,)]
    assert batch_rounds.finish(db, newer, round=1).again


def test_an_abort_that_gets_through_late_ends_nothing_of_the_execution_that_the_sweeper_began(
    db: Database, postgres: TestDatabase, queue: ScanQueue, caller: Caller
) -> None:
    batch_id = start(db, queue, caller, ["a.example", "b.example"]).batch_id
    postgres.rows("update scrapersky.batches set begun_at = now() - interval '16 minutes'")
    postgres.rows("update scrapersky.jobs set updated_at = now() - interval '16 minutes'")
    assert sweep.run(db, queue.sender, deadline=FOREVER).restarted == 1
    assert batch_rounds.abort(db, execution_of(postgres, batch_id, 1)) == 0
    assert statuses(postgres) == ["pending"] * 2
    assert batch_rounds.abort(db, execution_of(postgres, batch_id, 2)) == 2  # control: the newest one's
    assert statuses(postgres) == ["failed"] * 2


def aborted(db: Database, execution: Execution) -> int:
    return batch_rounds.abort(db, execution)


def given_up(db: Database, execution: Execution) -> int:
    return batch_rounds.finish(db, execution, round=LAST).given_up


@pytest.mark.parametrize("end", [aborted, given_up])
@pytest.mark.parametrize("begins", [True, False], ids=["begun", "undone"])
def test_an_end_waits_for_who_asks_for_the_next_execution_at_that_moment(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    end: Callable[[Database, Execution], int],
    begins: bool,
) -> None:
    """The restart that is undone is the control: the jobs are the older execution's then, which ends them."""
    execution = execution_of(postgres, start(db, queue, caller).batch_id)
    ended: list[int] = []
    ending = threading.Thread(target=lambda: ended.append(end(db, execution)))
    with psycopg.connect(postgres.direct_dsn) as other:
        other.execute("update scrapersky.batches set round = round + 1")
        ending.start()
        waits = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
        deadline = time.monotonic() + WAIT_SECONDS
        while postgres.one(waits, postgres.name) != (1,) and time.monotonic() < deadline:
            assert ending.is_alive(), "it did not wait"
            time.sleep(0.01)
        if begins:
            other.commit()
        else:
            other.rollback()
    ending.join()
    assert ended == [0 if begins else 3]
    assert set(statuses(postgres)) == {"pending" if begins else "failed"}


@pytest.mark.parametrize("last_step", [aborted, given_up])
def test_that_it_is_superseded_an_execution_tells_once_and_calls_it_no_fault(
    db: Database,
    postgres: TestDatabase,
    queue: ScanQueue,
    caller: Caller,
    capsys: pytest.CaptureFixture[str],
    last_step: Callable[[Database, Execution], int],
) -> None:
    batch_id = start(db, queue, caller, ["a.example", "b.example"]).batch_id
    retried_in_its_middle(db, queue, caller, batch_id)
    execution = execution_of(postgres, batch_id)
    with recorded(capsys) as written:
        planned(db, execution, round_=LAST)
        last_step(db, execution)
        (line,) = written.events()
    assert (line["message"], line["level"], line["execution"]) == ("execution superseded", "INFO", execution.name)
    assert (line["run"], line["batch_id"]) == (str(execution.run), str(batch_id))


def test_an_executions_name_tells_its_number_and_one_of_another_kind_is_the_first_ones() -> None:
    execution = Execution(uuid4(), 12)
    assert Execution.named(execution.name, execution.run) == execution
    for name in (None, "", "by-hand", str(execution.run), f"{execution.run}-", f"{execution.run}-x", f"{uuid4()}-7"):
        assert Execution.named(name, execution.run) == Execution(execution.run, 1), name
