"""Works claimed jobs off: a rolling window of scans in threads, one database connection in the caller's.

Three phases a job: claim, scan, store. Nothing is open in the database while a scan waits for the network.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
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
from scrapersky.queues import Sender
from scrapersky.services import measured
from scrapersky.services.nudges import Calling
from scrapersky.services.putting_off import put_off

JOB_SECONDS = 60.0  # for one site: what takes longer would hold up the invocation's other sites
MIN_JOB_SECONDS = 10.0  # with less time left a job is given back rather than begun
STORE_SECONDS = 15.0  # kept back at the end of an invocation, for storing and giving back
RENEW_SECONDS = 3.0  # how soon a cancelled job's scan is stopped; one statement for all jobs in work


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
    postponed: list[UUID] = field(default_factory=list)  # their host is busy: pending, for after a while
    ignored: list[UUID] = field(default_factory=list)  # final already, or left to the sweep
    later: list[UUID] = field(default_factory=list)  # another worker's, or not storable now: to be seen again


Scan = Callable[[Claim, Control], tuple[SiteScan, Mapping[str, Any] | None]]


def work_off(
    db: Database,
    job_ids: Sequence[UUID],
    scan: Scan,
    sender: Sender | None = None,
    *,
    lease: timedelta,
    concurrency: int,
    deadline: float,
    patient: bool = False,
) -> Tally:
    """Claim `job_ids`, run `scan` for each within `deadline` (monotonic), store each in its own transaction.

    Jobs whose host another job is fetching are tried again while there is other work, and when `patient` until the
    deadline; after that they stay pending, with a message owed to those that live by messages. `sender` sends it, to
    come when the host may be free, and calls for the telling of what has ended; without one both are left to the sweep.

    Raises:
        Unavailable: the database could not be reached for the claim; nothing was begun.
    """
    token = uuid4()
    tally = Tally()
    window = _Window(
        db, token, scan, sender, lease, deadline - STORE_SECONDS, concurrency, patient, tally, Calling(sender)
    )
    for job_id in set(job_ids) - window.claim(job_ids):
        logger().warning("message of no job", extra={"job_id": str(job_id)})
        tally.ignored.append(job_id)
    window.run()
    return tally


Running = Future[tuple[SiteScan, Mapping[str, Any] | None]]


@dataclass(slots=True)
class _Window:
    """The jobs of one invocation: `waiting` and `running` are claimed, `busy` wait for their host."""

    db: Database
    token: UUID
    scan: Scan
    sender: Sender | None
    lease: timedelta
    deadline: float
    concurrency: int
    patient: bool
    tally: Tally
    calling: Calling
    waiting: deque[Claim] = field(default_factory=deque)
    running: dict[Running, tuple[Claim, Control]] = field(default_factory=dict)
    begun: dict[UUID, float] = field(default_factory=dict)  # when a scan that runs began
    busy: list[Claim] = field(default_factory=list)

    def claim(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Claim what can be claimed; return the jobs that exist."""
        claims = leases.claim(self.db, job_ids, token=self.token, lease=self.lease)
        for claim in claims:
            if claim.outcome is ClaimOutcome.CLAIMED:
                self.waiting.append(claim)
                logger().info("job claimed", extra={**claim.keys(), "attempt": claim.attempt})
            elif claim.outcome is ClaimOutcome.BUSY:
                self.busy.append(claim)
            elif claim.outcome is ClaimOutcome.LEASED:
                self.tally.later.append(claim.id)
            else:
                self.tally.ignored.append(claim.id)
        return {claim.id for claim in claims}

    def run(self) -> None:
        renewed = time.monotonic()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="scan") as pool:
            try:
                while self.waiting or self.running or (self.busy and self.patient and self._time_for_one_more()):
                    while self.waiting and len(self.running) < self.concurrency and self._time_for_one_more():
                        self._begin(pool, self.waiting.popleft())
                    if self.waiting and not self._time_for_one_more():
                        self._release()
                    if self.running:
                        done, _ = wait(self.running, timeout=RENEW_SECONDS, return_when=FIRST_COMPLETED)
                        for future in done:
                            self._end(future)
                    elif self.busy and not self.waiting:
                        time.sleep(RENEW_SECONDS)
                    if time.monotonic() - renewed >= RENEW_SECONDS:
                        self._renew()
                        self.calling.call(len(self.tally.stored))
                        renewed = time.monotonic()
            finally:
                # Left early: the scans in the threads must end too, or leaving the pool would wait for them.
                for _, control in self.running.values():
                    control.stopped.set()
        self.calling.call(len(self.tally.stored))
        if self.busy:
            self._put_off()

    def _time_for_one_more(self) -> bool:
        return self.deadline - time.monotonic() >= MIN_JOB_SECONDS

    def _begin(self, pool: ThreadPoolExecutor, job: Claim) -> None:
        control = Control(deadline=min(self.deadline, time.monotonic() + JOB_SECONDS))
        self.begun[job.id] = time.monotonic()
        self.running[pool.submit(self.scan, job, control)] = (job, control)

    def _end(self, future: Running) -> None:
        job, _ = self.running.pop(future)
        keys = job.keys()
        milliseconds = round((time.monotonic() - self.begun.pop(job.id)) * 1000)
        try:
            scan, result = future.result()
        except Exception:
            # A fault of ours in one scan must not take the others along; it is told in the job and in the log.
            logger().exception("scan broke", extra=keys)
            scan, result = _broken("the scan broke"), None
        measured.site_scanned(scan)
        try:
            scan, stored = self._store(job, scan, result)
        except Unavailable:
            logger().error("result not stored", extra=keys)
            self.tally.later.append(job.id)
            return
        if stored:
            self.tally.stored.append((job, scan))
            measured.site_stored(scan)
        else:
            self.tally.fenced.append(job.id)
            measured.fence_hit()
            measured.claim_lost()
        outcome = (scan.error.code.value if scan.error else "complete") if stored else "fenced"
        told = {"outcome": outcome, "attempt": job.attempt, "pages": scan.pages_fetched, "ms": milliseconds}
        logger().info("scan ended", extra={**keys, **told})

    def _store(self, job: Claim, scan: SiteScan, result: Mapping[str, Any] | None) -> tuple[SiteScan, bool]:
        """Store a scan, or in its place that the database refuses it; tell what was stored, if the job is still ours.

        Raises:
            Unavailable: the database could not be reached.
        """
        try:
            return scan, leases.store(self.db, job, token=self.token, scan=scan, result=result)
        except psycopg.Error:
            logger().exception("result refused by the database", extra=job.keys())
        scan = _broken("the result could not be stored")
        return scan, leases.store(self.db, job, token=self.token, scan=scan, result=None)

    def _release(self) -> None:
        jobs = list(self.waiting)
        self.waiting.clear()
        try:
            leases.release(self.db, [job.id for job in jobs], token=self.token)
        except Unavailable:
            self._leave("jobs not released", jobs)
            return
        for job in jobs:
            self.tally.released.append(job.id)
            logger().info("job released", extra={**job.keys(), "reason": "no time is left for it"})

    def _put_off(self) -> None:
        try:
            self.tally.postponed.extend(put_off(self.db, self.sender, self.busy))
        except Unavailable:
            self._leave("jobs not postponed", self.busy)

    def _leave(self, message: str, jobs: Sequence[Claim]) -> None:
        """Leave jobs as they are, for their messages to come again: the database could not be reached."""
        logger().warning(message, extra={"job_ids": [str(job.id) for job in jobs]})
        self.tally.later.extend(job.id for job in jobs)

    def _renew(self) -> None:
        """Keep what is ours, drop what is not any more, and ask for the hosts that were busy.

        A lease outlives many renewals that the database cannot be reached for: its scans go on.
        """
        progress = {job.id: control.progress for job, control in self.running.values()}
        progress.update((job.id, 0.0) for job in self.waiting)
        try:
            self._keep(leases.renew(self.db, progress, token=self.token, lease=self.lease) if progress else set())
        except Unavailable:
            logger().warning("leases not renewed", extra={"job_ids": [str(job_id) for job_id in progress]})
        if self.busy and self._time_for_one_more():
            asked, self.busy = self.busy, []
            try:
                self.claim([job.id for job in asked])
            except Unavailable:
                self.busy = asked
                logger().warning("jobs not asked for again", extra={"job_ids": [str(job.id) for job in asked]})

    def _keep(self, held: Set[UUID]) -> None:
        """Drop what is not among `held`: it was cancelled, or is another's by now."""
        for job, control in self.running.values():
            if job.id not in held:
                control.stopped.set()
        lost = [job for job in self.waiting if job.id not in held]
        if lost:
            leases.release(self.db, [job.id for job in lost], token=self.token)  # their hosts, which nobody is at
            for job in lost:
                self.waiting.remove(job)
                self.tally.fenced.append(job.id)
                measured.claim_lost()
                logger().info("claim lost", extra=job.keys())


def _broken(message: str) -> SiteScan:
    return SiteScan(pages=(), error=ScanError(ErrorCode.INTERNAL, message))
