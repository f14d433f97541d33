"""The state machine of batches, as its definition says it: Plan, the chunks, Finish, and round again.

It stands in for Step Functions: an execution's name is good for one execution, a step that failed is tried again, a
chunk that failed fails nothing else, and what cannot be gone on with is aborted.
"""

import json
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

from chaos.faults import EXECUTION, WORKER, Fault, Plan
from chaos.hits import invoke
from chaos.processes import Outcome, Processes

AT_ONCE = 2
STEP_TRIES, CHUNK_TRIES = 7, 5  # as in the definition: the first one and its retries
STEP_PAUSE_SECONDS = 0.5
FAULT_CHANCE, WORKER_CHANCE = 0.6, 0.4


class ExecutionFailed(Exception):
    """A step failed as often as it may."""


class Machine:
    """Runs executions in threads of its own, each thread with a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._processes: Processes | None = None
        self._objects: dict[str, Any] = {}
        self._names: set[str] = set()
        self._executions = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="execution")
        self._steps = ThreadPoolExecutor(2 * AT_ONCE, thread_name_prefix="step")
        self._running = 0
        self._lock = threading.Lock()

    def serve(self, processes: Processes) -> None:
        self._processes = processes

    def close(self) -> None:
        self._executions.shutdown(cancel_futures=True)
        self._steps.shutdown(cancel_futures=True)

    @property
    def running(self) -> int:
        with self._lock:
            return self._running

    def put(self, key: str, body: str) -> None:
        self._objects[key] = json.loads(body)

    def start(self, name: str, state: str) -> bool:
        """Begin an execution; False when there was one of this name."""
        with self._lock:
            if name in self._names:
                return False
            self._names.add(name)
        fault = self._plan.draw({Fault.EXECUTION_LOST: EXECUTION[Fault.EXECUTION_LOST]}, FAULT_CHANCE)
        if fault is not None:
            self._plan.done(fault, note="begun anew by the sweeper")
        else:
            with self._lock:
                self._running += 1
            self._executions.submit(self._run, name, json.loads(state))
        return True

    def _run(self, name: str, state: dict[str, Any]) -> None:
        try:
            again = True
            while again:
                planned = self._step("batch_plan", {"execution": name, **state}, Fault.PLAN_KILLED)
                if planned["chunks"]:
                    chunks = [self._steps.submit(self._chunk, chunk) for chunk in self._objects[planned["key"]]]
                    for chunk in chunks:
                        chunk.result()
                state = self._finish(planned)
                again = state["again"]
                if again:
                    time.sleep(state["wait_seconds"])
        except ExecutionFailed as error:
            self._step("batch_finish", {**state, "execution": name, "abort": True, "error": str(error)}, None)
        finally:
            with self._lock:
                self._running -= 1

    def _chunk(self, chunk: dict[str, Any]) -> None:
        assert self._processes is not None
        job_ids = [UUID(job_id) for job_id in chunk["job_ids"]]
        for _ in range(CHUNK_TRIES):
            fault = self._plan.draw(WORKER, WORKER_CHANCE)
            outcome = invoke(self._processes, self._plan, fault, "domain_scan_worker", chunk, job_ids)
            if outcome.error != "Unavailable":
                return
            time.sleep(STEP_PAUSE_SECONDS)

    def _finish(self, planned: dict[str, Any]) -> dict[str, Any]:
        fault = self._plan.draw({f: EXECUTION[f] for f in (Fault.FINISH_TWICE, Fault.FINISH_KILLED)}, FAULT_CHANCE)
        if fault is not Fault.FINISH_TWICE:
            return self._step("batch_finish", planned, fault)
        both: list[Future[dict[str, Any]]] = [
            self._steps.submit(self._step, "batch_finish", planned, None) for _ in range(2)
        ]
        answers = [each.result() for each in both]
        self._plan.done(fault, note="second one changed nothing")
        return answers[0]

    def _step(self, function: str, event: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        assert self._processes is not None
        if fault is Fault.PLAN_KILLED:
            fault = self._plan.draw({fault: EXECUTION[fault]}, FAULT_CHANCE)
        outcome = Outcome()
        for _ in range(STEP_TRIES):
            outcome = invoke(self._processes, self._plan, fault, function, event)
            if isinstance(outcome.answer, dict):
                return outcome.answer
            fault = None
            time.sleep(STEP_PAUSE_SECONDS)
        raise ExecutionFailed(f"{function}: {outcome.error}")
