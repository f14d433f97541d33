"""Works claimed places searches off: reserve, ask, store, one request after the other.

Nothing is open in the database while Google is asked, and Google is asked nothing that is not in the ledger.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from scrapersky.db import leases, places, places_ledger, places_store
from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim, ClaimOutcome
from scrapersky.db.places_ledger import Outcome, Reservation, Search
from scrapersky.domain.facts import ScanError
from scrapersky.domain.places import FieldPreset, FoundPlace, Stop, WebsiteClass
from scrapersky.domain.status import ErrorCode, JobKind
from scrapersky.errors import Unavailable
from scrapersky.observability import logger
from scrapersky.places.asks import Answer, Ask, Page, PlacesFailure
from scrapersky.places.client import ANSWER_SECONDS, PlacesClient, UnusableKeyError
from scrapersky.places.retrying import RetryPolicy
from scrapersky.places.search import LocationNotFoundError, PlacesSearch, SearchRequest
from scrapersky.places.websites import classify
from scrapersky.queues import Sender
from scrapersky.services import measured, places_search
from scrapersky.services.putting_off import put_off

STORE_SECONDS: Final = 5.0
"""Kept back at the end of an invocation, for storing or giving back."""

OK: Final = 200
"""The only status that comes with an answer (a client makes any other a failure)."""


@dataclass(frozen=True, slots=True)
class PlacesTerms:
    """How long Google's content is kept, and for how long a search stands for the same one again."""

    content_kept: timedelta
    reuse_within: timedelta


@dataclass(slots=True)
class Tally:
    """What became of the jobs of one invocation."""

    ended: list[UUID] = field(default_factory=list)
    fenced: list[UUID] = field(default_factory=list)  # cancelled or taken over meanwhile
    released: list[UUID] = field(default_factory=list)  # no time left: pending again, with a message
    postponed: list[UUID] = field(default_factory=list)
    ignored: list[UUID] = field(default_factory=list)
    later: list[UUID] = field(default_factory=list)  # another worker's: to be seen again


def work_off(
    db: Database,
    job_ids: Sequence[UUID],
    connect: Callable[[], PlacesClient],
    sender: Sender | None = None,
    *,
    terms: PlacesTerms,
    lease: timedelta,
    deadline: float,
    wait: Callable[[float], None] = time.sleep,
) -> Tally:
    """Claim `job_ids` and make each search within `deadline` (monotonic), one after the other.

    A search that another job is making is put off: `sender` sends its message, and without one the sweep.

    Raises:
        Unavailable: the database could not be reached for the claim; nothing was begun.
    """
    token = uuid4()
    tally = Tally()
    claims = leases.claim(db, job_ids, kind=JobKind.PLACES_SEARCH, token=token, lease=lease)
    for job_id in set(job_ids) - {claim.id for claim in claims}:
        logger().warning("message of no job", extra={"job_id": str(job_id)})
        tally.ignored.append(job_id)
    for claim in claims:
        if claim.outcome is ClaimOutcome.CLAIMED:
            logger().info("job claimed", extra={**claim.keys(has_site=False), "attempt": claim.attempt})
            _one(db, claim, token, connect, terms, lease, deadline - STORE_SECONDS, wait, tally)
        elif claim.outcome is ClaimOutcome.BUSY:
            reason = "the same search is being made"
            tally.postponed.extend(put_off(db, sender, [claim], reason=reason, has_site=False))
        elif claim.outcome is ClaimOutcome.LEASED:
            tally.later.append(claim.id)
        else:
            tally.ignored.append(claim.id)
    return tally


class _End(StrEnum):
    ENDED = "ended"
    FENCED = "fenced"
    RELEASED = "released"


class _LeftError(Exception):
    """The job is not this worker's any more, or was given back."""

    def __init__(self, end: _End) -> None:
        super().__init__(end.value)
        self.end = end


class _FailedError(Exception):
    """The search cannot be made."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.error = ScanError(code, message)


class _OutOfMoneyError(Exception):
    """The budget has no room for the next request."""


class _OutOfTimeError(Exception):
    """The invocation has no time for the next request."""


def _one(
    db: Database,
    claim: Claim,
    token: UUID,
    connect: Callable[[], PlacesClient],
    terms: PlacesTerms,
    lease: timedelta,
    deadline: float,
    wait: Callable[[float], None],
    tally: Tally,
) -> None:
    keys = claim.keys(has_site=False)
    budget = claim.request["budget_usd"]
    search = Search(claim.tenant_id, claim.id, token, Decimal(budget) if budget is not None else None, lease)
    run = _Run(db, claim, search, terms, deadline, wait)
    try:
        end = run.reuse() or run.ask(connect)
    except Unavailable:
        logger().error("search not stored", extra=keys)
        tally.later.append(claim.id)
        return
    except Exception:
        # A fault of ours must not leave the job running until its lease is over; it is told in the job and in the log.
        logger().exception("search broke", extra=keys)
        end = run.end(error=ScanError(ErrorCode.INTERNAL, "the search broke"))
    if end is _End.FENCED:
        measured.fence_hit()
        measured.claim_lost()
        # Nobody is to wait for a search that nobody makes any more.
        leases.leave_alone(db, claim.id, token=token, pause=timedelta(0))
    {_End.ENDED: tally.ended, _End.FENCED: tally.fenced, _End.RELEASED: tally.released}[end].append(claim.id)
    if end is _End.ENDED and run.outcome == "complete":
        measured.complete(JobKind.PLACES_SEARCH, run.found)
    logger().info("search ended", extra={**keys, "outcome": run.outcome if end is _End.ENDED else end.value})


@dataclass(slots=True)
class _Run:
    """One claimed search."""

    db: Database
    claim: Claim
    search: Search
    terms: PlacesTerms
    deadline: float
    wait: Callable[[float], None]
    outcome: str = ""
    found: int = 0
    has_asked: bool = False
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def reuse(self) -> _End | None:
        """Answer with the list of the same search of a while ago; None when there is none, or it is not wanted."""
        request = self.claim.request
        if request["refresh"]:
            return None
        earlier = places_store.reuse(
            self.db,
            self.search,
            request["search"],
            within=self.terms.reuse_within,
            preset=FieldPreset(request["fields"]),
        )
        if earlier is None:
            return None
        job_id, result = earlier
        self.found = result["total_places"]
        told = {"total_places": self.found, "stopped": result["stopped"], "reused_from": str(job_id)}
        return self.end(result=told)

    def ask(self, connect: Callable[[], PlacesClient]) -> _End:
        """Make the search. What was stored of it stays, however it ends."""
        request = places_search.of_json(self.claim.request)
        steps = PlacesSearch(request)
        try:
            with connect() as client:
                while (ask := steps.next()) is not None:
                    request_id, answer = self._answer(client, ask, steps.progress)
                    self._take(steps, request, request_id, answer)
        except _LeftError as left:
            return left.end
        except _FailedError as failed:
            return self.end(error=failed.error)
        except UnusableKeyError:
            return self.end(error=ScanError(ErrorCode.INVALID_KEY, "the key for Google is none"))
        except _OutOfMoneyError:
            message = "budget_usd is less than the search costs up to its first page"
            return self._stop(Stop.BUDGET, ScanError(ErrorCode.BUDGET_EXCEEDED, message))
        except _OutOfTimeError:
            return self._stop(Stop.TIME, ScanError(ErrorCode.TIMEOUT, "its time was over before its first page came"))
        return self.end(result=self._told(steps.stopped))

    def _take(self, steps: PlacesSearch, request: SearchRequest, request_id: UUID, answer: Answer) -> None:
        try:
            found = steps.take(answer)
        except LocationNotFoundError as error:
            self._settle(request_id, Outcome.ANSWERED, OK)
            raise _FailedError(ErrorCode.LOCATION_NOT_FOUND, "Google knows no such location") from error
        if not isinstance(answer, Page):
            self._settle(request_id, Outcome.ANSWERED, OK)
            return
        self.found += len(found)
        is_held = places_store.store_page(
            self.db,
            self.search,
            [(place, *_website(place, request.preset)) for place in found],
            preset=request.preset,
            business_type=request.business_type,
            max_results=request.max_results,
            content_kept=self.terms.content_kept,
            request_id=request_id,
            status_code=OK,
        )
        if not is_held:
            raise _LeftError(_End.FENCED)

    def _answer(self, client: PlacesClient, ask: Ask, progress: float) -> tuple[UUID, Answer]:
        """Ask until there is an answer, or it is no use. Each try is a request of its own in the ledger."""
        while True:
            self._require_time(ANSWER_SECONDS)
            request_id = uuid4()
            reserved = places_ledger.reserve(self.db, self.search, request_id, ask.price, progress=progress)
            if reserved is Reservation.LOST:
                raise _LeftError(_End.FENCED)
            if reserved is Reservation.OVER_BUDGET:
                raise _OutOfMoneyError
            self.has_asked = True
            answer = client.send(ask)
            measured.google_asked(answer.code if isinstance(answer, PlacesFailure) else None)
            if not isinstance(answer, PlacesFailure):
                self.policy.succeeded()
                return request_id, answer
            outcome = Outcome.REFUSED if answer.status_code is not None else Outcome.NO_ANSWER
            self._settle(request_id, outcome, answer.status_code)
            seconds = self.policy.wait(answer)
            told = {**self.claim.keys(has_site=False), "status_code": answer.status_code, "again_in": seconds}
            logger().warning("request to Google failed", extra={**told, "code": answer.code.value})
            if seconds is None:
                raise _FailedError(answer.code, answer.message)
            self._require_time(seconds + ANSWER_SECONDS)
            self.wait(seconds)

    def _require_time(self, seconds: float) -> None:
        """With less left, give the job back while that costs nothing; later another would pay for all of it again."""
        if time.monotonic() + seconds <= self.deadline:
            return
        if self.has_asked:
            raise _OutOfTimeError
        leases.release(self.db, [self.claim.id], token=self.search.token)
        raise _LeftError(_End.RELEASED)

    def _stop(self, why: Stop, otherwise: ScanError) -> _End:
        """End early with what was found, also by a worker that was lost; with nothing it is the error."""
        self.found = max(self.found, places.count(self.db, self.claim.tenant_id, self.claim.id))
        return self.end(result=self._told(why)) if self.found else self.end(error=otherwise)

    def _settle(self, request_id: UUID, outcome: Outcome, status_code: int | None) -> None:
        places_ledger.settle(self.db, self.claim.tenant_id, request_id, outcome, status_code)

    def _told(self, stopped: Stop | None) -> dict[str, Any]:
        return {"total_places": self.found, "stopped": stopped and stopped.value, "reused_from": None}

    def end(self, *, result: dict[str, Any] | None = None, error: ScanError | None = None) -> _End:
        self.outcome = error.code.value if error else "complete"
        return _End.ENDED if places_store.end(self.db, self.search, result=result, error=error) else _End.FENCED


def _website(place: FoundPlace, preset: FieldPreset) -> tuple[WebsiteClass | None, str | None]:
    """Class and domain; without the field, a place's lack of a website means nothing."""
    return classify(place.website) if preset is FieldPreset.CONTACT else (None, None)
