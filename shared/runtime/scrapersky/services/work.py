"""Works claimed jobs off: a rolling window of scans in threads, one database connection in the caller's.

Three phases a job: claim, scan, store. Nothing is open in the database while a scan waits for the network.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg

from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim, ClaimOutcome
from scrapersky.domain.facts import ScanError, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.errors import Unavailable
from scrapersky.observability import logger

JOB_SECONDS = 60.0  # for one site: what takes longer would hold up the invocation's other sites
MIN_JOB_SECONDS = 10.0  # with less time left a job is given back rather than begun
STORE_SECONDS = 15.0  # kept back at the end of an invocation, for storing and giving back
RENEW_SECONDS = 2.0  # how soon a cancelled job's scan is stopped; one statement for all jobs in work


@dataclass(slots=True)
class Control:
    """What a running scan and its invocation tell each other. `deadline` is on the monotonic clock."""

    deadline: float
    stopped: Event = field(default_factory=Event)
    progress: float = 0.0

    def report(self, progress: float) -> None:
        self.progress = progress


@dataclass(slots=True)
class Tally:
    """What became of the jobs of one invocation."""

    stored: list[tuple[Claim, SiteScan]] = field(default_factory=list)
    fenced: list[UUID] = field(default_factory=list)  # cancelled or taken over meanwhile: nothing was written
    released: list[UUID] = field(default_factory=list)  # no time left: pending again, with a message
    ignored: list[UUID] = field(default_factory=list)  # final already, or left to the sweep
    later: list[UUID] = field(default_factory=list)  # another worker's, or not storable now: to be seen again


Scan = Callable[[Claim, Control], tuple[SiteScan, Mapping[str, Any] | None]]


def work_off(
    db: Database, job_ids: Sequence[UUID], scan: Scan, *, lease: timedelta, concurrency: int, deadline: float
) -> Tally:
    """Claim `job_ids`, run `scan` for each within `deadline` (monotonic), store each in its own transaction.

    Raises:
        Unavailable: the database could not be reached for the claim; nothing was begun.
    """
    token = uuid4()
    tally = Tally()
    waiting: deque[Claim] = deque()
    known: set[UUID] = set()
    for claim in leases.claim(db, job_ids, token=token, lease=lease):
        known.add(claim.id)
        if claim.outcome is ClaimOutcome.CLAIMED:
            waiting.append(claim)
        elif claim.outcome is ClaimOutcome.LEASED:
            tally.later.append(claim.id)
        else:
            tally.ignored.append(claim.id)
    for job_id in set(job_ids) - known:
        logger().warning("message of no job", extra={"job_id": str(job_id)})
        tally.ignored.append(job_id)
    if waiting:
        _Window(db, token, scan, lease, deadline - STORE_SECONDS, tally).run(waiting, concurrency)
    return tally


@dataclass(slots=True)
class _Window:
    db: Database
    token: UUID
    scan: Scan
    lease: timedelta
    deadline: float
    tally: Tally
    running: dict[Future[tuple[SiteScan, Mapping[str, Any] | None]], tuple[Claim, Control]] = field(
        default_factory=dict
    )

    def run(self, waiting: deque[Claim], concurrency: int) -> None:
        renewed = time.monotonic()
        with ThreadPoolExecutor(min(concurrency, len(waiting)), thread_name_prefix="scan") as pool:
            try:
                while waiting or self.running:
                    while waiting and len(self.running) < concurrency and self._time_for_one_more():
                        self._begin(pool, waiting.popleft())
                    if waiting and not self._time_for_one_more():
                        self._release(waiting)
                    if not self.running:
                        continue
                    done, _ = wait(self.running, timeout=RENEW_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(future)
                    if time.monotonic() - renewed >= RENEW_SECONDS and (waiting or self.running):
                        self._renew(waiting)
                        renewed = time.monotonic()
            finally:
                # Left early: the scans in the threads must end too, or leaving the pool would wait for them.
                for _, control in self.running.values():
                    control.stopped.set()

    def _time_for_one_more(self) -> bool:
        return self.deadline - time.monotonic() >= MIN_JOB_SECONDS

    def _begin(self, pool: ThreadPoolExecutor, job: Claim) -> None:
        control = Control(deadline=min(self.deadline, time.monotonic() + JOB_SECONDS))
        self.running[pool.submit(self.scan, job, control)] = (job, control)

    def _end(self, future: Future[tuple[SiteScan, Mapping[str, Any] | None]]) -> None:
        job, _ = self.running.pop(future)
        keys = {"job_id": str(job.id), "tenant_id": str(job.tenant_id), "domain": job.domain}
        try:
            scan, result = future.result()
        except Exception:
            # A fault of ours in one scan must not take the others along; it is told in the job and in the log.
            logger().exception("scan broke", extra=keys)
            scan, result = _broken("the scan broke"), None
        try:
            stored = leases.store(self.db, job, token=self.token, scan=scan, result=result)
        except Unavailable:
            logger().error("result not stored", extra=keys)
            self.tally.later.append(job.id)
            return
        except psycopg.Error:
            logger().exception("result refused by the database", extra=keys)
            scan = _broken("the result could not be stored")
            stored = leases.store(self.db, job, token=self.token, scan=scan, result=None)
        if stored:
            self.tally.stored.append((job, scan))
        else:
            self.tally.fenced.append(job.id)
        outcome = (scan.error.code.value if scan.error else "complete") if stored else "fenced"
        logger().info(
            "scan ended",
            extra={**keys, "outcome": outcome, "attempt": job.attempt, "correlation_id": job.correlation_id},
        )

    def _release(self, waiting: deque[Claim]) -> None:
        ids = [job.id for job in waiting]
        waiting.clear()
        leases.release(self.db, ids, token=self.token)
        self.tally.released.extend(ids)

    def _renew(self, waiting: deque[Claim]) -> None:
        progress = {job.id: control.progress for job, control in self.running.values()}
        progress.update((job.id, 0.0) for job in waiting)
        held = leases.renew(self.db, progress, token=self.token, lease=self.lease)
        for job, control in self.running.values():
            if job.id not in held:
                control.stopped.set()
        for job in [job for job in waiting if job.id not in held]:
            waiting.remove(job)
            self.tally.fenced.append(job.id)


def _broken(message: str) -> SiteScan:
    return SiteScan(pages=(), error=ScanError(ErrorCode.INTERNAL, message))
