"""A queue that keeps SQS's promises and no more: at least once, in any order, dead after so many receives.

It lives in the run's own process, so that it survives whatever becomes of senders and receivers.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from chaos.clock import VISIBILITY_SECONDS
from chaos.faults import QUEUE, Fault, Plan
from scrapersky.queues import JobMessage, MalformedMessage

MAX_RECEIVES = 5  # as in the template
FAULT_CHANCE = 0.25


@dataclass(eq=False, slots=True)
class Message:
    """A message in the queue; a copy of it is a message of its own, as a redelivery is."""

    body: str
    visible_at: float
    id: str = field(default_factory=lambda: uuid4().hex)
    receives: int = 0

    @property
    def job_ids(self) -> list[UUID]:
        try:
            return [JobMessage.parse(self.body).job_id]
        except MalformedMessage:  # a batch's: it names a run
            return []


class Queue:
    """What waits, what is in somebody's hands, and what was given up. Safe between threads."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._messages: list[Message] = []
        self._dead: list[Message] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._messages)

    def job_ids(self) -> set[UUID]:
        """The jobs that a message is there for, given up or not."""
        with self._lock:
            return {job_id for message in (*self._messages, *self._dead) for job_id in message.job_ids}

    def send(self, body: str, *, delay_seconds: int = 0) -> None:
        fault = self._plan.draw({f: QUEUE[f] for f in QUEUE if f is not Fault.LOST_ACK}, FAULT_CHANCE)
        now = time.monotonic() + delay_seconds
        message = Message(body, now)
        if fault is Fault.LOST_MESSAGE and not message.job_ids:
            self._plan.undone(fault)
            fault = None
        copies = [message]
        if fault is Fault.DUPLICATE:
            copies.append(Message(body, now + self._plan.uniform(0, 1)))
        elif fault is Fault.DELAY:
            message.visible_at = now + self._plan.uniform(0.5, 3)
        elif fault is Fault.LOST_MESSAGE:
            copies = []
        if fault is not None:
            self._plan.done(fault, message.job_ids)
        with self._lock:
            self._messages.extend(copies)

    def receive(self, most: int) -> list[Message]:
        """Up to `most` messages, any of them; nobody else gets them until VISIBILITY_SECONDS are over."""
        now = time.monotonic()
        with self._lock:
            spent = [m for m in self._messages if m.visible_at <= now and m.receives >= MAX_RECEIVES]
            for message in spent:
                self._messages.remove(message)
                self._dead.append(message)
            visible = [message for message in self._messages if message.visible_at <= now]
            self._plan.random.shuffle(visible)
            taken = visible[:most]
            for message in taken:
                message.receives += 1
                message.visible_at = now + VISIBILITY_SECONDS
            return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Delete what was worked off, unless the acknowledgement is lost on its way."""
        for message in messages:
            fault = self._plan.draw({Fault.LOST_ACK: QUEUE[Fault.LOST_ACK]}, FAULT_CHANCE / 3)
            if fault is not None:
                self._plan.done(fault, message.job_ids)
                continue
            with self._lock:
                if message in self._messages:
                    self._messages.remove(message)

    def take_dead(self) -> list[Message]:
        with self._lock:
            dead, self._dead = self._dead, []
            return dead

    def redrive(self, messages: Sequence[Message]) -> None:
        """Put messages that were given up back into the queue, as an operator does."""
        with self._lock:
            self._messages.extend(Message(message.body, time.monotonic()) for message in messages)
