"""One lane of a sitemap scan: claims the job's files one after the other, reads each and writes down what it came to.

The lane that leads the job finds the site's sitemaps first, unless that was done before. One that joins, under the
leading one's token, only helps with what there is. Every file ends by a transaction of its own, and whoever ends the
last one ends the job.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from enum import Enum
from threading import Event
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg

from scrapersky.db import leases, sitemap_add, sitemap_ends, sitemap_work
from scrapersky.db.leases import Claim
from scrapersky.db.sitemap_lines import Failure, Line, Read, Site, Turn
from scrapersky.domain.sitemaps import MAX_LANES, Truncation
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Unavailable
from scrapersky.observability import logger
from scrapersky.queues import Sender
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.politeness import MAX_PAUSE_SECONDS
from scrapersky.scraping.sitemaps.discovery import Discovery, discover
from scrapersky.scraping.visit import Visit
from scrapersky.services import measured, outbox
from scrapersky.services.shared_database import SharedDatabase
from scrapersky.services.sitemap_reading import Left, NotModified, Outcome, Reading, Terms, Watch

DISCOVERY_SECONDS: Final = 60.0
"""For robots.txt, the home page and some twenty paths: what a domain scan gives a whole site."""

MIN_FILE_SECONDS: Final = 15.0
"""With less time left a file is left for the next invocation rather than begun: most are read in five."""

SITE_SECONDS: Final = 240.0
"""For one site of a batch in one invocation: nobody goes on with it when its round is over."""


class LaneEnd(Enum):
    """Why a lane ended."""

    ENDED = "ended"  # it ended the job
    OVER = "over"  # another lane has ended the job
    LEFT = "left"  # there is nothing to claim: other lanes have what is open
    LOST = "lost"  # cancelled or taken over
    RELEASED = "released"  # no time left, and nobody else at it: the job is pending again


class Lane:
    """One lane, to be run once, in a thread of its own. `stopped` ends it early, with nothing given back.

    `claimed` is the token that the lane leads the job under; without one it joins whoever leads it.
    """

    def __init__(
        self,
        db: SharedDatabase,
        job: Claim,
        fetcher: Fetcher,
        sender: Sender | None,
        terms: Terms,
        *,
        claimed: UUID | None,
        stopped: Event,
    ) -> None:
        self._db = db
        self._job = job
        self._fetcher = fetcher
        self._sender = sender
        self._terms = terms
        self._claimed = claimed
        self._stopped = stopped
        self._should_stop: Callable[[], bool] = stopped.is_set
        self._keys: dict[str, Any] = dict(job.keys())

    def run(self) -> LaneEnd:
        """Work until there is nothing to claim, or no time left.

        Raises:
            Unavailable: the database did not answer; the leases run out, and then somebody else goes on.
        """
        site = sitemap_work.site(self._db, self._job.tenant_id, self._job.id)
        if site is None or site.run_token is None:
            if self._claimed is None:
                return LaneEnd.OVER
            self._leave_host(LaneEnd.LOST, self._claimed)
            return LaneEnd.LOST
        if self._claimed is None and (site.discovery is None or site.discovery.get("pause_seconds")):
            # Whoever leads is still looking, and owes a message for what it finds. Or the host has a delay, which only
            # one lane at a time can keep to: the one that knows when the last file ended.
            return LaneEnd.LEFT
        with Visit(self._fetcher, self._terms.deadline, lambda: self._should_stop()) as visit:
            end = self._lead(site, visit) if site.discovery is None else self._work_off(site, visit)
            self._leave_host(end, site.run_token, visit.times.pause_seconds)
            if end is LaneEnd.RELEASED:  # not before the host is left alone: whom this calls would ask it at once
                self._send_owed()
            return end

    def _leave_host(self, end: LaneEnd, token: UUID, seconds: float = 0.0) -> None:
        """Keep everybody from the host for as long as it asked, or from a job that was lost free it."""
        if end is LaneEnd.LOST:
            now = sitemap_work.site(self._db, self._job.tenant_id, self._job.id)
            if now is not None and now.run_token == token:
                return  # not the job, only this lane's file: whoever has it is at the host
        elif end is LaneEnd.LEFT or not seconds:
            return  # others are at it still, or it was freed with the end of the job
        leases.leave_alone(self._db, self._job.id, token=token, pause=timedelta(seconds=seconds))

    def _lead(self, site: Site, visit: Visit) -> LaneEnd:
        found = self._discover(site, visit)
        return found if isinstance(found, LaneEnd) else self._work_off(found, visit)

    def _work_off(self, site: Site, visit: Visit) -> LaneEnd:
        discovery = site.discovery or {}
        lanes = 1 if discovery.get("pause_seconds") else MAX_LANES
        while self._left() >= MIN_FILE_SECONDS + visit.times.pause_seconds:
            turn = sitemap_work.claim(self._db, site, token=uuid4(), lease=self._terms.lease, lanes=lanes)
            if turn.line is None:
                return LaneEnd.LEFT if turn.given_back else self._end_of(turn) or LaneEnd.LEFT
            reading = Reading(self._db, turn.line, self._terms)
            outcome = self._read(reading, visit)
            if self._stopped.is_set():
                return LaneEnd.LOST
            settled = None
            if not isinstance(outcome, Left):
                outcome, settled = self._settle(turn.line, outcome, lanes)
            self._log(reading, outcome, is_held=settled is None or settled.held)
            if outcome is Left.LOST:
                measured.fence_hit()
                return LaneEnd.LOST
            if outcome is Left.UNDONE:
                return self._leave(site, turn.line)
            if settled is not None and (end := self._end_of(settled)):
                return end
        return self._leave(site)

    def _discover(self, site: Site, visit: Visit) -> Site | LaneEnd:
        """Find the site's sitemaps and write them down: the site as it is then, or how the lane ended."""
        watch = Watch(self._renewal(site))
        self._should_stop = lambda: self._stopped.is_set() or watch.should_stop()
        try:
            found = discover(
                site.domain, visit, deadline=min(self._terms.deadline, time.monotonic() + DISCOVERY_SECONDS)
            )
        except Exception:
            logger().exception("discovery broke", extra=self._keys)
            found = None
        finally:
            self._should_stop = self._stopped.is_set
        watch.close()
        if watch.is_lost or self._stopped.is_set():
            return LaneEnd.LOST
        if self._left() <= 0 and not self._terms.is_last:
            return self._leave(site)
        failure: tuple[ErrorCode, str] | None = None
        if found is None:
            failure = (ErrorCode.INTERNAL, "the search for its sitemaps broke")
        elif found.failure is not None:
            failure = (found.failure.code, found.failure.message)
        files = [(candidate.url, candidate.method) for candidate in found.candidates] if found else []
        told = _told(found) if found else {}
        lanes = 1 if told.get("pause_seconds") else MAX_LANES
        turn = sitemap_add.add(self._db, site, files, discovery=told, lanes=lanes, failure=failure)
        self._send_owed()
        return self._end_of(turn) or replace(site, discovery=told)

    def _renewal(self, site: Site) -> Callable[[], bool]:
        """Renews the job's lease when it is due, and says whether it is still this lane's."""
        due = time.monotonic() + self._terms.renew_seconds

        def renew() -> bool:
            nonlocal due
            if time.monotonic() < due:
                return True
            due = time.monotonic() + self._terms.renew_seconds
            token = site.run_token or uuid4()
            return bool(leases.renew(self._db, {site.job_id: 0.0}, token=token, lease=self._terms.lease))

        return renew

    def _read(self, reading: Reading, visit: Visit) -> Outcome:
        self._should_stop = lambda: self._stopped.is_set() or reading.watch.should_stop()
        try:
            return reading.run(visit)
        except Unavailable:
            raise
        except Exception:
            # A fault of ours in one file must not take the others along; it is told in its line and in the log.
            logger().exception("sitemap broke", extra={**self._keys, "sitemap": reading.line.url})
            return Failure(ErrorCode.INTERNAL, "its reading broke")
        finally:
            self._should_stop = self._stopped.is_set

    def _settle(
        self, line: Line, outcome: Read | NotModified | Failure, lanes: int
    ) -> tuple[Read | NotModified | Failure, Turn]:
        """Write down what a file came to, and return what was written."""
        try:
            if isinstance(outcome, Read):
                turn = sitemap_ends.finish(self._db, line, outcome, lanes=lanes)
                if outcome.children:
                    self._send_owed()
                return outcome, turn
            if isinstance(outcome, NotModified):
                return outcome, sitemap_ends.not_modified(self._db, line, **asdict(outcome), lanes=lanes)
        except psycopg.Error:
            logger().exception("result refused by the database", extra={**self._keys, "sitemap": line.url})
            outcome = Failure(ErrorCode.INTERNAL, "its result could not be stored")
        return outcome, sitemap_ends.fail(self._db, line, outcome)

    def _send_owed(self) -> None:
        """Call further lanes, or whoever goes on with the job."""
        if self._sender is not None:
            outbox.deliver_of_job(self._db, self._sender, self._job.tenant_id, self._job.id)

    def _leave(self, site: Site, line: Line | None = None) -> LaneEnd:
        """The time is over: leave the rest to whoever comes next or, where nobody does, end the job as it is."""
        if self._terms.is_last:
            seconds = f"{SITE_SECONDS:.0f} seconds"
            turn = sitemap_ends.cut(
                self._db,
                site,
                message=f"the site's {seconds} were over before it was its turn",
                detail=f"after {seconds}",
            )
            return self._end_of(turn) or LaneEnd.LOST
        is_released = sitemap_work.release(self._db, site) if line is None else sitemap_work.give_back(self._db, line)
        return LaneEnd.RELEASED if is_released else LaneEnd.LEFT

    def _end_of(self, turn: Turn) -> LaneEnd | None:
        """How the job ended, by what a transaction on it says; None when it goes on."""
        if not turn.held:
            measured.fence_hit()
        if not turn.held or turn.ended is JobStatus.CANCELLED:
            return LaneEnd.LOST
        if turn.ended is None:
            return None
        if not turn.ended_here:
            return LaneEnd.OVER
        figures = sitemap_work.figures(self._db, self._job.tenant_id, self._job.id)
        if turn.ended is JobStatus.COMPLETE:
            measured.complete(JobKind.SITEMAP_SCAN, figures.urls)
        logger().info(
            "scan ended",
            extra={
                **self._keys,
                "outcome": turn.ended.value,
                "attempt": self._job.attempt,
                "sitemaps": figures.found,
                "failed": figures.failed,
                "urls": figures.urls,
            },
        )
        return LaneEnd.ENDED

    def _log(self, reading: Reading, outcome: Outcome, *, is_held: bool) -> None:
        """One line a file, once it is written down; `is_held`: it was."""
        by_kind = {Read: "complete", NotModified: "unchanged"}
        told = outcome.code if isinstance(outcome, Failure) else outcome if isinstance(outcome, Left) else None
        word = told.value if told else by_kind[type(outcome)]
        line = reading.line
        if not isinstance(outcome, Left):
            measured.sitemap_fetched(measured.OK if isinstance(outcome, Read) else word, outcome.wire_bytes)
        logger().info(
            "sitemap ended",
            extra={
                **self._keys,
                "sitemap": line.url,
                "outcome": word if is_held else Left.LOST.value,
                "attempt": line.attempt,
                "urls": reading.stored,
                "wire_bytes": getattr(outcome, "wire_bytes", None),
                "ms": getattr(outcome, "ms", None),
            },
        )

    def _left(self) -> float:
        return self._terms.deadline - time.monotonic()


def _told(found: Discovery) -> dict[str, Any]:
    """What is kept of a discovery: for people, and for the lanes that come later."""
    cut = f"{found.left_out} files on hosts of others are left out"
    return {
        "cms": found.cms,
        "home": found.home,
        "probed": found.probed,
        "pause_seconds": min(found.crawl_delay, MAX_PAUSE_SECONDS),
        **({"truncated_by": Truncation.FILES.value, "truncated_at": cut} if found.left_out else {}),
    }
