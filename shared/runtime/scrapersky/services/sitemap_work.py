"""Works sitemap scans off: one lane a job in a thread, all of them over the caller's one database connection.

A lane claims files of its job one after the other, reads and stores each, and ends when nothing is left to claim or its
time is over. Whatever it leaves is in the database: what it did not begin waits there for the next lane.

claimed   the job is this invocation's: its lane finds the sitemaps, if nobody has yet, and begins
leased    another invocation is at it: the lane joins, under that one's token
busy      another job fetches the host: tried again for a while, then put off
"""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Final
from uuid import UUID, uuid4

from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim, ClaimOutcome
from scrapersky.domain.status import JobKind
from scrapersky.errors import Unavailable
from scrapersky.observability import logger
from scrapersky.queues import Sender
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.limits import SITEMAP_LIMITS
from scrapersky.services import measured
from scrapersky.services.nudges import Calling
from scrapersky.services.putting_off import owe_again, put_off
from scrapersky.services.shared_database import SharedDatabase
from scrapersky.services.sitemap_lane import MIN_FILE_SECONDS, SITE_SECONDS, Lane, LaneEnd
from scrapersky.services.sitemap_reading import Terms

STORE_SECONDS: Final = 15.0  # kept back at the end of an invocation, for storing and giving back
ASK_SECONDS = 3.0  # how often a busy host is asked for


@dataclass(slots=True)
class Tally:
    """What became of the jobs of one invocation."""

    stored: list[UUID] = field(default_factory=list)  # final by what a lane here did last
    left: list[UUID] = field(default_factory=list)  # nothing to claim: other lanes have what is open, or ended it
    fenced: list[UUID] = field(default_factory=list)  # cancelled or taken over meanwhile
    released: list[UUID] = field(default_factory=list)  # no time left: pending again, with a message
    postponed: list[UUID] = field(default_factory=list)  # their host is busy: pending, for after a while
    ignored: list[UUID] = field(default_factory=list)  # final already, or left to the sweep
    later: list[UUID] = field(default_factory=list)  # another worker's, or not storable now: to be seen again


def work_off(
    db: Database,
    job_ids: Sequence[UUID],
    fetcher: Fetcher,
    sender: Sender | None = None,
    *,
    lease: timedelta,
    concurrency: int,
    deadline: float,
    in_batch: bool,
) -> Tally:
    """Claim `job_ids` and run a lane of each, `concurrency` at a time, until `deadline` (monotonic).

    A batch's job has nobody who brings it on before the next round: it is ended after SITE_SECONDS with what there is,
    and its host is waited for. Other jobs go on in another invocation, by a message that they are owed. `sender` sends
    it, what calls further lanes, and what calls for the telling of ends; without one that is left to the sweep.

    Raises:
        Unavailable: the database could not be reached for the claim; nothing was begun.
    """
    tally = Tally()
    end = deadline - STORE_SECONDS
    file_seconds = min(SITEMAP_LIMITS.seconds, end - time.monotonic() - MIN_FILE_SECONDS)
    with SharedDatabase(db) as shared:
        window = _Window(
            shared, fetcher, sender, lease, end, file_seconds, concurrency, in_batch, tally, Calling(sender)
        )
        window.todo.extend(dict.fromkeys(job_ids))
        window.run()
    return tally


@dataclass(slots=True)
class _Window:
    """The jobs of one invocation: `todo` are to be claimed, `busy` wait for their host, `running` have a lane."""

    db: SharedDatabase
    fetcher: Fetcher
    sender: Sender | None
    lease: timedelta
    deadline: float
    file_seconds: float
    concurrency: int
    in_batch: bool
    tally: Tally
    calling: Calling
    token: UUID = field(default_factory=uuid4)
    stopped: Event = field(default_factory=Event)
    todo: deque[UUID] = field(default_factory=deque)
    busy: list[Claim] = field(default_factory=list)
    running: dict[Future[LaneEnd], Claim] = field(default_factory=dict)

    def run(self) -> None:
        asked = time.monotonic()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="lane") as pool:
            try:
                while self.running or ((self.todo or self._may_wait()) and self._is_time()):
                    if self.todo and self._is_time():
                        self._claim(pool)
                    if self.running:
                        done, _ = wait(self.running, timeout=ASK_SECONDS, return_when=FIRST_COMPLETED)
                        for future in done:
                            self._end(future)
                    elif self._may_wait():
                        time.sleep(ASK_SECONDS)
                    if (self.running or self._may_wait()) and time.monotonic() - asked >= ASK_SECONDS:
                        self.todo.extend(job.id for job in self.busy)
                        self.busy.clear()
                        self.calling.call(len(self.tally.stored))
                        asked = time.monotonic()
            finally:
                self.stopped.set()  # left early: leaving the pool waits for the lanes
        self.calling.call(len(self.tally.stored))
        self._give_back()

    def _may_wait(self) -> bool:
        return bool(self.busy) and self.in_batch

    def _is_time(self) -> bool:
        return self.deadline - time.monotonic() >= MIN_FILE_SECONDS

    def _claim(self, pool: ThreadPoolExecutor) -> None:
        """Claim as many as may run: what waits for its turn here could be claimed by another worker."""
        wanted = [self.todo.popleft() for _ in range(min(self.concurrency - len(self.running), len(self.todo)))]
        if not wanted:
            return
        try:
            claims = leases.claim(self.db, wanted, kind=JobKind.SITEMAP_SCAN, token=self.token, lease=self.lease)
        except Unavailable:
            if not self.running:
                raise
            logger().error("no claim", extra={"jobs": len(wanted)})
            self.tally.later.extend(wanted)
            return
        for job in claims:
            if job.outcome is ClaimOutcome.CLAIMED:
                self._begin(pool, job, self.token)
            elif job.outcome is ClaimOutcome.LEASED and not self.in_batch:
                self._begin(pool, job, None)
            elif job.outcome is ClaimOutcome.LEASED:
                self.tally.later.append(job.id)
            elif job.outcome is ClaimOutcome.BUSY:
                self.busy.append(job)
            else:
                self.tally.ignored.append(job.id)
        for job_id in set(wanted) - {job.id for job in claims}:
            logger().warning("message of no job", extra={"job_id": str(job_id)})
            self.tally.ignored.append(job_id)

    def _begin(self, pool: ThreadPoolExecutor, job: Claim, claimed: UUID | None) -> None:
        site_end = time.monotonic() + SITE_SECONDS
        is_last = self.in_batch and site_end <= self.deadline
        terms = Terms(self.lease, site_end if is_last else self.deadline, self.file_seconds, is_last)
        lane = Lane(self.db, job, self.fetcher, self.sender, terms, claimed=claimed, stopped=self.stopped)
        self.running[pool.submit(lane.run)] = job
        step = "job claimed" if claimed else "job joined"
        logger().info(step, extra={**job.keys(), "attempt": job.attempt})

    def _end(self, future: Future[LaneEnd]) -> None:
        job = self.running.pop(future)
        keys = job.keys()
        try:
            end = future.result()
        except Unavailable:
            logger().error("lane lost the database", extra=keys)
            self.tally.later.append(job.id)
        except Exception:
            # A fault of ours in one lane must not take the others along. Its leases run out, and the sweep counts it.
            logger().exception("lane broke", extra=keys)
            self.tally.ignored.append(job.id)
        else:
            by_end = {
                LaneEnd.ENDED: self.tally.stored,
                LaneEnd.OVER: self.tally.left,
                LaneEnd.LEFT: self.tally.left,
                LaneEnd.LOST: self.tally.fenced,
                LaneEnd.RELEASED: self.tally.released,
            }
            by_end[end].append(job.id)
            if end is LaneEnd.LOST:
                measured.claim_lost()
            if end is not LaneEnd.ENDED:  # how it ended is told by the lane, with its figures
                logger().info("lane ended", extra={**keys, "outcome": end.value})

    def _give_back(self) -> None:
        """What no time was left for, or whose host is busy, stays pending: its message is owed once more."""
        if self.todo:
            owe_again(self.db, self.sender, list(self.todo), pause=timedelta())
            self.tally.released.extend(self.todo)
        if self.busy:
            self.tally.postponed.extend(put_off(self.db, self.sender, self.busy))
