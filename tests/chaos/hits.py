"""How each fault of a process comes about: a point in its own work, or a break of its way to the pooler."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from chaos.faults import Fault, Plan
from chaos.processes import Outcome, Processes
from chaos.wire import Break

POINTS: Mapping[Fault, tuple[str, str]] = {
    Fault.KILL_BEFORE_CLAIM: ("claim due", "kill"),
    Fault.KILL_CLAIMED: ("claim done", "kill"),
    Fault.KILL_SCANNING: ("scan", "kill"),
    Fault.KILL_STORING: ("store open", "kill"),
    Fault.KILL_BEFORE_ACK: ("before the answer", "kill"),
    Fault.FREEZE_SCANNING: ("scan", "freeze"),
    Fault.FREEZE_STORING: ("store open", "freeze"),
    Fault.KILL_PUBLISHER: ("write done", "kill"),
    Fault.KILL_SENT: ("sent", "kill"),
    Fault.PLAN_KILLED: ("step done", "kill"),
    Fault.FINISH_KILLED: ("step open", "kill"),
}
# (where it breaks, whether the process dies of it, commits that pass before: a worker's first is its claim's)
BREAKS: Mapping[Fault, tuple[Break, bool, int]] = {
    Fault.KILL_IN_COMMIT: (Break.BEFORE_COMMIT, True, 1),
    Fault.KILL_COMMITTED: (Break.AFTER_COMMIT, True, 1),
    Fault.LOSE_COMMIT: (Break.BEFORE_COMMIT, False, 1),
    Fault.LOSE_ANSWER: (Break.AFTER_COMMIT, False, 1),
    Fault.HALF_OPEN: (Break.HALF_OPEN, False, 1),
    Fault.MUTE_POOLER: (Break.MUTE, False, 1),
    Fault.PUBLISHER_LOSES_COMMIT: (Break.BEFORE_COMMIT, False, 0),
    Fault.PUBLISHER_LOSES_ANSWER: (Break.AFTER_COMMIT, False, 0),
    Fault.CANCEL_UNHEARD: (Break.AFTER_COMMIT, False, 0),
    Fault.RETRY_UNHEARD: (Break.AFTER_COMMIT, False, 0),
}
SWEEPER_POINTS = ("step open", "step done", "before sending", "sent")
MUTE_SECONDS = (2.0, 12.0)  # both sides of what a client waits for an answer


def invoke(
    processes: Processes, plan: Plan, fault: Fault | None, function: str, event: Any, job_ids: Sequence[UUID] = ()
) -> Outcome:
    """Run a function with the fault in it, and write the fault down if it took place."""
    if fault is None:
        return processes.invoke(function, event)
    if fault in BREAKS:
        return _with_break(processes, plan, fault, function, event, job_ids)
    if fault is Fault.KILL_SWEEPER:
        point, act = SWEEPER_POINTS[plan.whole(0, len(SWEEPER_POINTS) - 1)], "kill"
    else:
        point, act = POINTS[fault]
    delay = plan.uniform(0, 0.05) if fault is Fault.KILL_SCANNING else 0.0
    outcome = processes.invoke(function, event, point=point, act=act, delay=delay)
    if outcome.died or outcome.froze:
        plan.done(fault, job_ids, _note(outcome) if outcome.froze and not outcome.died else None)
    else:
        plan.undone(fault)
    return outcome


def _with_break(
    processes: Processes, plan: Plan, fault: Fault, function: str, event: Any, job_ids: Sequence[UUID]
) -> Outcome:
    environment = processes.mine()
    kind, is_deadly, after = BREAKS[fault]
    took_place = threading.Event()

    def then() -> None:
        took_place.set()
        if kind is Break.MUTE:
            environment.wire.mute(plan.uniform(*MUTE_SECONDS))
        if is_deadly:
            environment.kill()

    environment.wire.arm(kind, after_commits=after, then=then)
    outcome = processes.invoke(function, event)
    environment.wire.disarm()
    if took_place.is_set():
        plan.done(fault, job_ids, None if is_deadly else _note(outcome))
    else:
        plan.undone(fault)
    return outcome


def _note(outcome: Outcome) -> str | None:
    """What an invocation that lived through its fault says of it."""
    if outcome.error:
        return None  # its message comes again: the rows tell the rest
    if outcome.tally.get("fenced"):
        return "fenced: nothing written"
    if outcome.tally.get("later"):
        return None
    if outcome.froze:
        return "stored: nobody had taken over"
    return "absorbed by a retry"
