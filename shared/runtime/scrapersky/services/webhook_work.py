"""Tells webhooks' receivers of events: a rolling window of POSTs in threads, one database connection in the caller's.

Three phases a delivery, as of a scan: claim, POST, store. Nothing is open in the database while a receiver is waited
for. A delivery that was lost with each of its workers is not POSTed: that is stored as an attempt that failed. What
gets through to an endpoint makes room for what waits for it, which the same worker takes up at once.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import psycopg

from scrapersky.db import webhook_deliveries as deliveries
from scrapersky.db.connection import Database
from scrapersky.db.webhook_deliveries import RESPONSE_CHARS, Claim, ClaimOutcome, Lease, Stored, Tried
from scrapersky.domain.events import told_data
from scrapersky.domain.status import ErrorCode
from scrapersky.domain.webhooks import (
    GONE,
    MAX_CLAIMS,
    Decision,
    Outcome,
    decide,
    payload,
    require_key,
    signed_headers,
    signing_keys,
)
from scrapersky.errors import Unavailable
from scrapersky.metrics import Metric, count, observe
from scrapersky.observability import logger, shown
from scrapersky.queues import Message, Sender
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.limits import POST_LIMITS
from scrapersky.scraping.post import Posted
from scrapersky.services import outbox

STORE_SECONDS: Final = 10.0
"""Kept back at the end of an invocation, for storing what came of the last deliveries."""

Post = Callable[[str, bytes, Mapping[str, str], float], Posted | FetchFailure]
"""(url, body, headers, deadline of the monotonic clock) -> what came of it. Called in threads."""


@dataclass(slots=True)
class Tally:
    """What became of the deliveries of one invocation."""

    tried: dict[UUID, Outcome] = field(default_factory=dict)
    fenced: list[UUID] = field(default_factory=list)  # taken over, replayed or gone meanwhile: nothing was written
    waiting: list[UUID] = field(default_factory=list)  # for their endpoint
    ignored: list[UUID] = field(default_factory=list)  # final, disabled, not due yet, or deleted
    later: list[UUID] = field(default_factory=list)  # another worker's, or not storable now: to be seen again


def work_off(
    db: Database,
    sender: Sender,
    delivery_ids: Sequence[UUID],
    post: Post,
    *,
    key: str,
    lease: timedelta,
    workers: int,
    concurrency: int,
    deadline: float,
    draw: Callable[[], float] = random.random,
) -> Tally:
    """Claim `delivery_ids`, POST each and store what came of it, within `deadline` (monotonic).

    `concurrency` of them run at a time, and as many more as there are ids: a claimed one is begun at once. `workers`
    bounds the invocations that an endpoint has at a time. With too little time left for a try nothing is claimed.

    Raises:
        Unavailable: the database could not be reached for the claim; nothing was begun.
        ValueError: the key is empty.
    """
    require_key(key)  # before anything is claimed that could not be signed
    tally = Tally()
    claim = Lease(uuid4(), lease, workers)
    at_once = max(concurrency, len(delivery_ids))
    _Window(db, sender, post, claim, key, deadline - STORE_SECONDS, at_once, draw, tally).run(delivery_ids)
    return tally


Answer = tuple[Tried, float | None]
"""One attempt, and the seconds that its answer asks to be left alone for."""


@dataclass(slots=True)
class _Window:
    """The deliveries of one invocation. `well` are endpoints that something got through to, while others wait."""

    db: Database
    sender: Sender
    post: Post
    lease: Lease
    key: str
    deadline: float
    concurrency: int
    draw: Callable[[], float]
    tally: Tally
    running: dict[Future[Answer], Claim] = field(default_factory=dict)
    well: dict[UUID, UUID] = field(default_factory=dict)

    def run(self, delivery_ids: Sequence[UUID]) -> None:
        if not self._time_for_one_more():
            self.tally.later.extend(delivery_ids)
            return
        claims = deliveries.claim(self.db, delivery_ids, self.lease)
        for delivery_id in set(delivery_ids) - {claim.id for claim in claims}:
            logger().info("message of no delivery", extra={"delivery_id": str(delivery_id)})  # its endpoint is deleted
            self.tally.ignored.append(delivery_id)
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="webhook") as pool:
            self._begin(pool, claims)
            while self.running:
                done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                messages = [message for future in done if (message := self._end(future)) is not None]
                outbox.deliver(self.db, self.sender, messages)
                self._take_up(pool)

    def _time_for_one_more(self) -> bool:
        return self.deadline - time.monotonic() >= POST_LIMITS.seconds

    def _begin(self, pool: ThreadPoolExecutor, claims: Sequence[Claim]) -> int:
        begun = 0
        # First, so that nothing of this invocation can take along what is known of those before it.
        lost = [self._settle(claim, _lost(), None) for claim in claims if claim.outcome is ClaimOutcome.SPENT]
        outbox.deliver(self.db, self.sender, [message for message in lost if message is not None])
        for claim in claims:
            if claim.outcome is ClaimOutcome.SPENT:
                continue
            if claim.outcome is ClaimOutcome.CLAIMED:
                self.running[pool.submit(self._try, claim)] = claim
                begun += 1
            elif claim.outcome is ClaimOutcome.LEASED:
                self.tally.later.append(claim.id)
            elif claim.outcome is ClaimOutcome.WAITING:
                self.tally.waiting.append(claim.id)
            else:
                self.tally.ignored.append(claim.id)
        return begun

    def _take_up(self, pool: ThreadPoolExecutor) -> None:
        """Go on with what waits for endpoints that are well; without the time for it, others are called to."""
        for webhook_id, tenant_id in list(self.well.items()):
            room = self.concurrency - len(self.running)
            try:
                if not self._time_for_one_more():
                    owed = deliveries.owe_waiting(self.db, tenant_id, webhook_id)
                    outbox.deliver(self.db, self.sender, owed)
                elif not room:
                    return
                elif self._begin(
                    pool, deliveries.claim_waiting(self.db, tenant_id, webhook_id, self.lease, limit=room)
                ):
                    continue
            except Unavailable:
                logger().warning("waiting deliveries not taken up", extra={"webhook_id": str(webhook_id)})
            del self.well[webhook_id]  # nothing is left for this worker, or the sweep comes to it

    def _try(self, claim: Claim) -> Answer:
        """Say it once. Run in a thread: nothing here touches the window."""
        body = payload(claim.type, claim.occurred_at, told_data(claim.data))
        keys = signing_keys(self.key, claim.webhook_id, claim.secret_version, with_previous=claim.has_previous_secret)
        started_at = datetime.now(UTC)
        headers = signed_headers(keys, event_id=claim.event_id, timestamp=int(started_at.timestamp()), body=body)
        answer = self.post(claim.url, body, {"Content-Type": "application/json", **headers}, self.deadline)
        if isinstance(answer, FetchFailure):
            failed = Tried(started_at, answer.ms, answer.status_code, answer.code.value, answer.message)
            return failed, None
        return _tried(answer, started_at), answer.retry_after

    def _end(self, future: Future[Answer]) -> Message | None:
        """Store what came of a delivery; the message that it owes now, if any."""
        claim = self.running.pop(future)
        try:
            tried, asked = future.result()
        except Exception:
            # A fault of ours in one delivery must not take the others along; it is told in its log, and tried again.
            logger().exception("delivery broke", extra=_keys(claim))
            tried, asked = _broken(), None
        observe(Metric.WEBHOOK_SECONDS, tried.ms / 1000)
        return self._settle(claim, tried, asked)

    def _settle(self, claim: Claim, tried: Tried, asked: float | None) -> Message | None:
        keys = _keys(claim)
        decision = decide(
            tried.status_code,
            tries=claim.tries + 1,
            retry_after=asked,
            failing_for=claim.failing_for,
            draw=self.draw,
        )
        try:
            stored = self._store(claim, decision, tried, keys)
        except Unavailable:
            logger().error("delivery not stored", extra=keys)
            self.tally.later.append(claim.id)
            return None
        outcome = decision.outcome if stored.is_held else None
        logger().info(
            "delivery tried",
            extra={
                **keys,
                "outcome": outcome.value if outcome else "fenced",
                "tries": claim.tries + 1,
                "status_code": tried.status_code,
                "error_code": tried.error_code,
                "ms": tried.ms,
            },
        )
        if outcome is None:
            count(Metric.FENCES_HIT)
            self.tally.fenced.append(claim.id)
            return None
        count(Metric.WEBHOOK_DELIVERIES, outcome="failed" if outcome is Outcome.GONE else outcome.value)
        self.tally.tried[claim.id] = outcome
        if outcome is Outcome.DELIVERED and stored.others_wait:
            self.well[claim.webhook_id] = claim.tenant_id
        return stored.message

    def _store(self, claim: Claim, decision: Decision, tried: Tried, keys: Mapping[str, str]) -> Stored:
        try:
            return deliveries.store(self.db, claim, self.lease.token, decision, tried)
        except psycopg.Error:
            # Whatever the receiver said that no row can hold: what it did is stored all the same.
            logger().exception("attempt refused by the database", extra=dict(keys))
            return deliveries.store(self.db, claim, self.lease.token, decision, replace(tried, response=None))


def _tried(answer: Posted, started_at: datetime) -> Tried:
    """An answer as the log has it. What it says is the receiver's text, and shown without what looks like a secret."""
    said = shown(answer.text)[:RESPONSE_CHARS]
    if 200 <= answer.status_code <= 299:
        return Tried(started_at, answer.ms, answer.status_code, response=said)
    message = f"the receiver answered {answer.status_code}"
    if 300 <= answer.status_code <= 399:
        message += ", and redirects are not followed"
    elif answer.status_code == GONE:
        message += ": it wants no more"
    return Tried(started_at, answer.ms, answer.status_code, ErrorCode.HTTP_ERROR.value, message, said)


def _keys(claim: Claim) -> dict[str, str]:
    """What the log lines of a delivery are found by."""
    return {
        "delivery_id": str(claim.id),
        "webhook_id": str(claim.webhook_id),
        "event_id": str(claim.event_id),
        "tenant_id": str(claim.tenant_id),
        "correlation_id": claim.correlation_id,
    }


def _lost() -> Tried:
    message = f"the workers that tried it were lost, {MAX_CLAIMS} in a row"
    return Tried(datetime.now(UTC), 0, None, ErrorCode.WORKER_LOST.value, message)


def _broken() -> Tried:
    return Tried(datetime.now(UTC), 0, None, ErrorCode.INTERNAL.value, "the delivery broke")
