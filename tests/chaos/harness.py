"""One run: everything at work at once, everything going wrong, and then the checks."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from chaos import clock, sabotage
from chaos.checks import Violation, check_all, check_quiet
from chaos.clients import BATCH_DOMAINS, Clients
from chaos.executions import Machine
from chaos.faults import SENDING, SWEEPER, WORKER, Fault, Injected, Plan
from chaos.hits import invoke
from chaos.ledger import Ledger
from chaos.machinery import break_something
from chaos.messages import Message, Queue
from chaos.processes import Outcome, Processes
from conftest import APP_ROLE, TestDatabase
from support.crowd import serve_crowd

WORKERS, PUBLISHERS = 8, 2
PAGE_SECONDS = 0.05  # that a real site takes for its page: a scan is killed within
BACKLOG = 60  # messages that publishers let wait, so that faults meet a system in work and not a heap
BATCH_SHARE = 5  # one job of so many is a batch's
MOST_AT_ONCE = 4  # messages that a worker gets
WORKER_CHANCE, SWEEPER_CHANCE, SENDING_CHANCE = 0.55, 0.25, 0.12
IDLE_SECONDS = 0.02
MACHINERY_PAUSE_SECONDS = 0.5
QUIET_SECONDS = 90.0  # what is under way ends by itself within this: the longest waits are for a dead connection
STALLED_SECONDS = 45.0  # nothing has moved for so long: nothing will

AUDIT = Path(__file__).with_name("audit.sql").read_text("utf-8")


@dataclass(slots=True)
class Report:
    """What a run came to."""

    seed: int
    jobs: int
    seconds: float
    injected: list[Injected]
    moves: list[dict[str, Any]]  # the audit's
    violations: list[Violation]
    statuses: dict[str, int]
    failures: list[tuple[float, str]] = field(default_factory=list)


def run(
    database: TestDatabase,
    *,
    seed: int,
    jobs: int,
    faults: int,
    without: Collection[Fault] = (),
    sabotaged: str = "none",
) -> Report:
    """At least so many jobs and so many faults, but those `without`, as `seed` draws them, in a fresh database.

    Jobs are added, up to twice as many, until every fault has had its occasion.
    """
    begun = time.monotonic()
    with psycopg.connect(database.direct_dsn, autocommit=True) as owner:
        owner.execute(AUDIT.encode())
    sabotage.of_the_database(sabotaged, database.direct_dsn)
    with ExitStack() as stack:
        web = stack.enter_context(serve_crowd())
        web.latency = PAGE_SECONDS
        chaos = _Run(database, Plan(seed, faults, without), jobs)
        stack.callback(chaos.machine.close)
        pooler = database.cluster.pooler
        processes = Processes(
            pooler.port,
            lambda port: make_conninfo(pooler.dsn(APP_ROLE, database.name), port=port),
            chaos.edge,
            web.port,
            sabotaged,
        )
        stack.enter_context(processes)
        violations = chaos.go(processes)
    moves = database.rows("select * from (select to_jsonb(m) from chaos.moves as m order by n) as all_moves")
    return Report(
        seed=seed,
        jobs=len(chaos.ledger.tenants) + sum(batch.domains for batch in chaos.ledger.batches),
        seconds=time.monotonic() - begun,
        injected=chaos.plan.injected,
        moves=[move for (move,) in moves if isinstance(move, dict)],
        violations=violations,
        statuses={
            str(s): int(str(n)) for s, n in database.rows("select status, count(*) from scrapersky.jobs group by 1")
        },
        failures=chaos.ledger.failures,
    )


class _Run:
    """The state of a run, and the loops that its threads are in."""

    def __init__(self, database: TestDatabase, plan: Plan, jobs: int) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self.machine = Machine(plan)
        self._database = database
        self._scans, self._starts = Queue(plan), Queue(plan)
        self._batches = jobs // BATCH_SHARE // BATCH_DOMAINS
        self._scans_wanted = jobs - self._batches * BATCH_DOMAINS
        self._asked = 0
        self._paused, self._over = threading.Event(), threading.Event()
        self._broken: list[BaseException] = []
        self._busy = 0
        self._lock = threading.Lock()
        self._processes: Processes

    def go(self, processes: Processes) -> list[Violation]:
        """Chaos, quiet, the rest of the work, and what the checks find."""
        self._processes = processes
        self.machine.serve(processes)
        self._clients = Clients(processes, self.plan, self.ledger, self._scans, self._database)
        loops: list[Callable[[], bool]] = [self._work] * WORKERS + [self._publish] * PUBLISHERS
        loops += [self._sweep, self._bury, self._begin_batches, self._publish_batches, self._interfere, self._watch]
        threads = [threading.Thread(target=self._loop, args=(loop,)) for loop in loops]
        for thread in threads:
            thread.start()
        try:
            while not self._is_done():
                break_something(self._database, self.plan)
                time.sleep(MACHINERY_PAUSE_SECONDS)
            self.plan.close()
            violations = self._quiet()
            self._until_all_is_final()
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        if self._broken:
            raise self._broken[0]
        return violations + check_all(self._database, self.ledger, self._clients)

    def edge(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What AWS does for a process."""
        if asked["ask"] == "send":
            return self._send(asked["queue"], asked["entries"])
        if asked["ask"] == "put":
            self.machine.put(asked["key"], asked["body"])
            return {}
        return {} if self.machine.start(asked["name"], asked["input"]) else {"error": "exists"}

    def _send(self, name: str, entries: list[dict[str, str]]) -> dict[str, Any]:
        if name == "event":  # nobody dispatches here: events are rows, which the audit looks at
            return {"Successful": [{"Id": entry["Id"]} for entry in entries]}
        fault = self.plan.draw(SENDING, SENDING_CHANCE)
        queue = self._scans if name == "scan" else self._starts
        refused = entries[len(entries) // 2 :] if fault is Fault.REFUSE_ENTRY else []
        for entry in entries:
            if entry not in refused:
                queue.send(entry["MessageBody"], delay_seconds=int(entry.get("DelaySeconds", 0)))
        if fault is not None:
            job_ids = [job_id for entry in refused or entries for job_id in Message(entry["MessageBody"], 0).job_ids]
            note = "sent by the sweeper" if fault is Fault.REFUSE_ENTRY else "sent twice, worked off once"
            self.plan.done(fault, job_ids, note)
        if fault is Fault.SENT_UNHEARD:
            return {"error": "ServiceUnavailable"}
        return {
            "Successful": [{"Id": entry["Id"]} for entry in entries if entry not in refused],
            "Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused],
        }

    # The loops. Each call is one act; False means that there was nothing to do.

    def _work(self) -> bool:
        messages = self._scans.receive(self.plan.whole(1, MOST_AT_ONCE))
        if messages:
            job_ids = [job_id for message in messages for job_id in message.job_ids]
            fault = self.plan.draw(WORKER, WORKER_CHANCE)
            outcome = invoke(self._processes, self.plan, fault, "domain_scan_worker", _event(messages), job_ids)
            self._acknowledge(self._scans, messages, outcome)
        return bool(messages)

    def _begin_batches(self) -> bool:
        messages = self._starts.receive(2)
        if messages:
            self._acknowledge(self._starts, messages, self._processes.invoke("batch_start", _event(messages)))
        return bool(messages)

    def _acknowledge(self, queue: Queue, messages: Sequence[Message], outcome: Outcome) -> None:
        """As Lambda's event source does: all but what is named, or none when there is no answer."""
        if outcome.error:
            with self.ledger.lock:
                self.ledger.failures.append((time.time(), outcome.error))
        if isinstance(outcome.answer, dict):
            again = {failure["itemIdentifier"] for failure in outcome.answer["batchItemFailures"]}
            queue.acknowledge([message for message in messages if message.id not in again])

    def _bury(self) -> bool:
        dead = self._scans.take_dead()
        if dead:
            outcome = self._processes.invoke("dead_letter", _event(dead))
            if outcome.answer is None:
                self._scans.redrive(dead)
        return bool(dead)

    def _sweep(self) -> bool:
        invoke(self._processes, self.plan, self.plan.draw(SWEEPER, SWEEPER_CHANCE), "sweeper", {})
        time.sleep(clock.SWEEP_PAUSE_SECONDS)
        return True

    def _publish(self) -> bool:
        with self._lock:
            # As long as faults are left there is more to do, but not for ever.
            more = self._asked < self._scans_wanted or (not self.plan.is_done and self._asked < 2 * self._scans_wanted)
            if not more or len(self._scans) > BACKLOG:
                return False
            self._asked += 1
            number = self._asked
        self._clients.start_scan(number)
        return True

    def _publish_batches(self) -> bool:
        made = len(self.ledger.batches)
        most = self._batches if self.plan.is_done else 2 * self._batches
        if made >= most or made * self._scans_wanted > self._asked * self._batches:
            return False
        self._clients.start_batch(made)
        return True

    def _interfere(self) -> bool:
        self._clients.interfere()
        time.sleep(0.1)
        return True

    def _watch(self) -> bool:
        self._clients.watch()
        time.sleep(0.5)
        return True

    def _loop(self, act: Callable[[], bool]) -> None:
        try:
            while not self._over.is_set():
                with self._working() as may:
                    did = may and act()
                if not did:
                    time.sleep(IDLE_SECONDS)
        except BaseException as error:
            self._broken.append(error)
            self._over.set()

    @contextmanager
    def _working(self) -> Iterator[bool]:
        with self._lock:
            may = not self._paused.is_set()
            self._busy += may
        try:
            yield may
        finally:
            with self._lock:
                self._busy -= may

    # What the main thread does.

    def _is_done(self) -> bool:
        everything = self._asked >= self._scans_wanted and len(self.ledger.batches) >= self._batches
        enough = self.plan.is_done or (self._asked >= 2 * self._scans_wanted and not self.plan.under_way)
        return bool(self._broken) or (everything and enough)

    def _quiet(self) -> list[Violation]:
        """Let what is under way end, sweep twice, and look whether anything is still owed or forgotten."""
        self._paused.set()
        deadline = time.monotonic() + QUIET_SECONDS
        while (self._busy or self.machine.running) and time.monotonic() < deadline and not self._broken:
            time.sleep(IDLE_SECONDS)
        for _ in range(2):
            time.sleep((clock.HOLD + clock.POSTPONE).total_seconds())  # till then what is owed is somebody's to send
            self._processes.invoke("sweeper", {})
        violations = check_quiet(self._database, self._scans.job_ids())
        self._paused.clear()
        return violations

    def _until_all_is_final(self) -> None:
        """Until every job is, and every message is gone; or until nothing moves any more."""
        moved, since = -1, time.monotonic()
        while not self._broken and time.monotonic() - since < STALLED_SECONDS:
            open_jobs, moves = self._database.one(
                "select (select count(*) from scrapersky.jobs where finished_at is null),"
                " (select count(*) from chaos.moves)"
            )
            if open_jobs == 0 and not len(self._scans) and not len(self._starts) and not self.machine.running:
                return
            if moves != moved:
                moved, since = int(str(moves)), time.monotonic()
            time.sleep(10 * IDLE_SECONDS)


def _event(messages: Sequence[Message]) -> dict[str, Any]:
    return {"Records": [{"messageId": message.id, "body": message.body} for message in messages]}
