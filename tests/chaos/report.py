"""The table of a run: each kind of fault, how often it took place, and what became of it."""

from bisect import bisect
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from chaos.faults import Fault, Injected
from chaos.harness import Report

# What a fault of a process without jobs of its own comes to: whoever comes next does the work.
_OF_A_KIND = {
    Fault.KILL_SWEEPER: "done by the next sweep",
    Fault.PLAN_KILLED: "step tried again",
    Fault.FINISH_KILLED: "step tried again",
    Fault.KILL_PUBLISHER: "asked again by the client, sent by the sweeper",
    Fault.KILL_SENT: "asked again by the client, sent twice",
    Fault.PUBLISHER_LOSES_COMMIT: "absorbed by a retry",
    Fault.PUBLISHER_LOSES_ANSWER: "absorbed by a retry",
    Fault.CANCEL_UNHEARD: "absorbed by a retry",
    Fault.RETRY_UNHEARD: "absorbed by a retry",
    Fault.DUPLICATE: "second delivery changed nothing",
    Fault.LOST_ACK: "second delivery changed nothing",
    Fault.DELAY: "worked off late",
}
_MACHINERY_SECONDS = {Fault.TERMINATE_BACKENDS: 2.0, Fault.RESTART_POOLER: 3.0, Fault.FREEZE_POOLER: 25.0}


def table(report: Report) -> str:
    """The run's faults by kind, each with its outcomes, the commonest first."""
    moves: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for move in report.moves:
        moves[move["job_id"]].append({**move, "seconds": datetime.fromisoformat(move["at"]).timestamp()})
    outcomes: dict[Fault, Counter[str]] = defaultdict(Counter)
    for injected in report.injected:
        outcomes[injected.fault][_outcome(injected, moves, report)] += 1
    lines = []
    for fault in Fault:
        became = ", ".join(f"{what} {count}" for what, count in outcomes[fault].most_common())
        lines.append(f"{fault.value:<52} {outcomes[fault].total():>5}  {became}")
    return "\n".join(lines)


def summary(report: Report) -> str:
    """The run in one line, and each violation in one."""
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(report.statuses.items()))
    head = (
        f"seed {report.seed}: {report.jobs} jobs ({statuses}), {len(report.injected)} faults,"
        f" {len(report.violations)} violations, {report.seconds:.0f} s"
    )
    return "\n".join([head, *(f"VIOLATION {violation}" for violation in report.violations)])


def _outcome(injected: Injected, moves: dict[str, list[dict[str, Any]]], report: Report) -> str:
    if injected.note:
        return injected.note
    if injected.fault in _OF_A_KIND:
        return _OF_A_KIND[injected.fault]
    if injected.fault in _MACHINERY_SECONDS:
        until = injected.at + _MACHINERY_SECONDS[injected.fault]
        seen = any(injected.at <= at <= until for at, _ in report.failures)
        return "an invocation failed, its messages redelivered" if seen else "absorbed by retries"
    after = [
        each[bisect([move["seconds"] for move in each], injected.at) :]
        for each in (moves[str(job_id)] for job_id in injected.job_ids)
    ]
    firsts = sorted((each[0] for each in after if each), key=lambda move: move["seconds"])
    return _became(firsts[0]) if firsts else "stored already: the second delivery changed nothing"


def _became(move: dict[str, Any]) -> str:
    """What the first thing that happened to a job afterwards says."""
    was, now = move["was"], move["now"]
    if now == "cancelled":
        return "cancelled by its client"
    if move["error_code"] == "worker_lost":
        return "given up after three workers" if was == "running" else "dead-lettered"
    if was == "running" and now == "pending":
        return "recovered by the sweeper"
    if was == "running" and now == "running":
        return "taken over when redelivered"
    if was == "pending":
        return "worked off when redelivered"
    return "stored by its own worker" if now in ("complete", "failed") else "begun anew by its client"
