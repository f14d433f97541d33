"""The faults of a run: their kinds, how many of each, and the order that a seed gives them."""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Fault(StrEnum):
    """What is done to the system. Each stands for one thing that happens to such systems in production."""

    # A worker's process gets SIGKILL.
    KILL_BEFORE_CLAIM = "worker killed before its claim"
    KILL_CLAIMED = "worker killed after its claim"
    KILL_SCANNING = "worker killed in the middle of a scan"
    KILL_STORING = "worker killed between the result and its commit"
    KILL_IN_COMMIT = "worker killed, COMMIT lost on the wire"
    KILL_COMMITTED = "worker killed, answer to COMMIT lost"
    KILL_BEFORE_ACK = "worker killed after the commit, before the ack"
    # A worker's process gets SIGSTOP, and SIGCONT when its lease is long over.
    FREEZE_SCANNING = "worker frozen beyond its lease, scanning"
    FREEZE_STORING = "worker frozen beyond its lease, storing"
    # The way from one process to the pooler.
    LOSE_COMMIT = "connection lost before COMMIT arrived"
    LOSE_ANSWER = "connection lost before COMMIT was answered"
    HALF_OPEN = "connection half open in the middle of a transaction"
    MUTE_POOLER = "pooler accepts and answers nothing for a while"
    # Pooler and server themselves.
    TERMINATE_BACKENDS = "server processes terminated"
    RESTART_POOLER = "pooler restarted"
    FREEZE_POOLER = "pooler frozen, then answering late"
    # The queue.
    DUPLICATE = "message delivered twice"
    DELAY = "message delivered late, after later ones"
    LOST_ACK = "message acknowledged in vain"
    LOST_MESSAGE = "message lost by the queue"
    REFUSE_ENTRY = "entries refused by SendMessageBatch"
    SENT_UNHEARD = "SendMessageBatch carried out, answer lost"
    # Who sends messages.
    KILL_PUBLISHER = "publisher killed between commit and send"
    KILL_SENT = "publisher killed between send and mark"
    PUBLISHER_LOSES_COMMIT = "publisher's connection lost before COMMIT"
    PUBLISHER_LOSES_ANSWER = "publisher's answer to COMMIT lost"
    KILL_SWEEPER = "sweeper killed in its work"
    # Jobs and batches.
    CANCEL = "cancel racing the worker"
    CANCEL_BATCH = "cancel of a batch at work"
    CANCEL_UNHEARD = "cancel racing the worker, its answer lost"
    RETRY_UNHEARD = "retry of a job, its answer lost"
    REDRIVE = "dead letter of a final job redriven"
    PLAN_KILLED = "batch's plan killed"
    FINISH_TWICE = "batch's finish run twice at once"
    FINISH_KILLED = "batch's finish killed"
    EXECUTION_LOST = "batch's execution lost"


WORKER = {
    Fault.KILL_BEFORE_CLAIM: 30,
    Fault.KILL_CLAIMED: 50,
    Fault.KILL_SCANNING: 70,
    Fault.KILL_STORING: 45,
    Fault.KILL_IN_COMMIT: 35,
    Fault.KILL_COMMITTED: 35,
    Fault.KILL_BEFORE_ACK: 50,
    Fault.FREEZE_SCANNING: 35,
    Fault.FREEZE_STORING: 20,
    Fault.LOSE_COMMIT: 40,
    Fault.LOSE_ANSWER: 40,
    Fault.HALF_OPEN: 20,
    Fault.MUTE_POOLER: 20,
}
PUBLISHER = {
    Fault.KILL_PUBLISHER: 50,
    Fault.KILL_SENT: 20,
    Fault.PUBLISHER_LOSES_COMMIT: 30,
    Fault.PUBLISHER_LOSES_ANSWER: 40,
}
SENDING = {Fault.REFUSE_ENTRY: 50, Fault.SENT_UNHEARD: 25}
QUEUE = {Fault.DUPLICATE: 110, Fault.DELAY: 60, Fault.LOST_ACK: 40, Fault.LOST_MESSAGE: 25}
SWEEPER = {Fault.KILL_SWEEPER: 25}
CLIENT = {Fault.CANCEL: 40, Fault.CANCEL_UNHEARD: 20, Fault.CANCEL_BATCH: 5, Fault.RETRY_UNHEARD: 25, Fault.REDRIVE: 30}
EXECUTION = {Fault.PLAN_KILLED: 8, Fault.FINISH_TWICE: 12, Fault.FINISH_KILLED: 8, Fault.EXECUTION_LOST: 5}
MACHINERY = {Fault.TERMINATE_BACKENDS: 40, Fault.RESTART_POOLER: 8, Fault.FREEZE_POOLER: 3}
GROUPS = (WORKER, PUBLISHER, SENDING, QUEUE, SWEEPER, CLIENT, EXECUTION, MACHINERY)


@dataclass(slots=True)
class Injected:
    """A fault that took place: when, on the server's clock of this machine, and to which jobs if to any."""

    fault: Fault
    job_ids: Sequence[UUID] = ()
    at: float = field(default_factory=time.time)
    note: str | None = None  # what became of it, where whoever did it saw that


class Plan:
    """Which faults are left, drawn at random by those who can do them. Safe between threads."""

    def __init__(self, seed: int, faults: int, without: Collection[Fault] = ()) -> None:
        counts = {fault: count for group in GROUPS for fault, count in group.items() if fault not in without}
        share = faults / sum(counts.values())
        self.random = random.Random(seed)
        self.injected: list[Injected] = []
        self._left = Counter({fault: math.ceil(count * share) for fault, count in counts.items()})
        self._under_way = 0
        self._open = True
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        """Whether all of them have taken place."""
        with self._lock:
            return not self._left.total() and not self._under_way

    @property
    def under_way(self) -> bool:
        """Whether a fault is about to take place, or still lasts."""
        with self._lock:
            return self._under_way > 0

    @property
    def left(self) -> dict[Fault, int]:
        with self._lock:
            return {fault: count for fault, count in self._left.items() if count}

    def draw(self, group: dict[Fault, int], chance: float) -> Fault | None:
        """One of the group's faults with this chance, None when there is to be none. It counts once it is `done`."""
        with self._lock:
            left = {fault: self._left[fault] for fault in group if self._left[fault]}
            if not self._open or not left or self.random.random() >= chance:
                return None
            (fault,) = self.random.choices(list(left), list(left.values()))
            self._left[fault] -= 1
            self._under_way += 1
            return fault

    def done(self, fault: Fault, job_ids: Sequence[UUID] = (), note: str | None = None) -> None:
        """The fault took place."""
        with self._lock:
            self._under_way -= 1
            self.injected.append(Injected(fault, tuple(job_ids), note=note))

    def undone(self, fault: Fault) -> None:
        """It could not take place after all: somebody else may have it."""
        with self._lock:
            self._under_way -= 1
            self._left[fault] += 1

    def close(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._open = False

    def chance(self, probability: float) -> bool:
        with self._lock:
            return self.random.random() < probability

    def uniform(self, least: float, most: float) -> float:
        with self._lock:
            return self.random.uniform(least, most)

    def whole(self, least: int, most: int) -> int:
        with self._lock:
            return self.random.randint(least, most)
