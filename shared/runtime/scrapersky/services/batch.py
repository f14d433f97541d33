"""Batches: many domains under one name. Their rounds are in `services.batch_rounds`."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from scrapersky.db import batch_retry, batches
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.outbox import HOLD
from scrapersky.db.values import storable_text
from scrapersky.domain.batches import RETRYABLE, Batch, DomainStatus, StartedBatch
from scrapersky.domain.jobs import Caller, Idempotency, Job
from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Conflict, NotFound
from scrapersky.metrics import Metric, count
from scrapersky.observability import logger
from scrapersky.queues import Message, Sender
from scrapersky.services import outbox, paging
from scrapersky.services.idempotency import first_holder, own_key
from scrapersky.services.idempotency import made_before as what_was_made
from scrapersky.services.nudges import nudge
from scrapersky.services.waiting import wait_for

STATUSES_SHOWN = 1_000  # domains in a status: about 200 kB
RESULTS_AT_ONCE = 200  # jobs with results a statement: a few megabytes
INPUT_KEPT = 500  # characters of an input that names no domain; it stands for one, and an index row is 2,704 bytes


def start(
    db: Database,
    sender: Sender,
    caller: Caller,
    *,
    kind: JobKind,
    domains: Sequence[str],
    max_pages: int,
    max_concurrent: int,
    batch_id: UUID | None,
    idempotency: Idempotency | None,
    aside: object = None,
) -> StartedBatch:
    """Make a batch of scans: one job a domain, whatever its spelling and however often it stands there.

    `max_pages` is what a job of this kind reads at the most: pages, or a sitemap scan's URLs.

    What names no domain is a failed job of its own and told in `rejected`. The same `batch_id` with the same request
    answers as the first time. `aside` is kept with the key, for `made_before`.

    Raises:
        Conflict: `batch_id` stands for another request (`batch_exists`).
        IdempotencyKeyReused: the key stands for another request.
    """
    wanted, refused = _sorted(domains)
    identity = batch_id or uuid4()
    # Domain scans were there first: their request says no kind, and batches made before must be known again.
    named = [] if kind is JobKind.DOMAIN_SCAN else [kind.value]
    asked = [*named, str(max_pages), str(max_concurrent), *sorted([*wanted, *refused])]
    fingerprint = sha256("\n".join(asked).encode())
    run = uuid4()
    parameters = {
        "tenant_id": caller.tenant_id,
        "id": identity,
        "kind": kind.value,
        "request": {"max_pages": max_pages, "max_concurrent": max_concurrent},
        "max_pages": max_pages,
        "created_by": caller.user_id,
        "run": run,
        "fingerprint": fingerprint.digest(),
        "correlation_id": caller.correlation_id,
        "hold": HOLD,
        "jobs": [
            {"id": str(uuid4()), "domain": domain, "base_url": text, "reason": None} for domain, text in wanted.items()
        ]
        + [
            {"id": str(uuid4()), "domain": text, "base_url": text, "reason": reason} for text, reason in refused.items()
        ],
    }

    def work(cursor: Cursor) -> tuple[StartedBatch, UUID, list[Message]]:
        first = first_holder(cursor, caller, identity, idempotency, aside)
        if first is not None:
            return *_origin(cursor, caller, first, None), []
        made = batches.create(cursor, parameters)
        if made is None:
            return *_origin(cursor, caller, identity, fingerprint.digest()), []
        created_at, messages = made
        rejected = batches.rejected(cursor, caller.tenant_id, identity) if refused else ()
        return StartedBatch(identity, len(wanted) + len(refused), created_at, rejected), run, messages

    started, its_run, messages = db.run(work, tenant_id=caller.tenant_id)
    if its_run == run:  # made by this request, be it by a try whose answer was lost
        count(Metric.JOBS_CREATED, started.job_count, kind=kind.value)
        keys = {**_keys(caller.tenant_id, identity, caller.correlation_id), "run": str(run)}
        logger().info("batch started", extra={**keys, "kind": kind.value, "jobs": started.job_count})
    outbox.deliver(db, sender, messages)
    if refused:
        nudge(sender, caller.correlation_id)  # jobs that have ended before they began
    return started


def made_before(db: Database, caller: Caller, idempotency: Idempotency) -> tuple[StartedBatch, Any] | None:
    """(the batch that the same request made before under its key, what was told aside); None when the key is free.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """

    def work(cursor: Cursor) -> tuple[StartedBatch, Any] | None:
        before = what_was_made(cursor, caller, idempotency)
        return (_existing(cursor, caller, before[0]), before[1]) if before is not None else None

    return db.run(work, tenant_id=caller.tenant_id)


def get(db: Database, tenant_id: UUID, batch_id: UUID, *, kind: JobKind | None = None) -> Batch:
    """The batch with its figures.

    Raises:
        NotFound: this tenant has no such batch, or none of this `kind`; another's is none either.
    """
    batch = batches.get(db, tenant_id, batch_id)
    if batch is None or kind not in (None, batch.kind):
        raise _unknown(batch_id)
    return batch


def snapshot(
    db: Database, tenant_id: UUID, batch_id: UUID, *, limit: int = STATUSES_SHOWN
) -> tuple[Batch, list[DomainStatus]]:
    """The batch and its first domains by name, as of one moment, so that they agree.

    Raises:
        NotFound: this tenant has no such batch.
    """
    found = batches.snapshot(db, tenant_id, batch_id, limit=limit)
    if found is None:
        raise _unknown(batch_id)
    return found


def wait(
    db: Database,
    tenant_id: UUID,
    batch_id: UUID,
    *,
    seconds: float,
    changed: Callable[[Batch], bool],
    kind: JobKind | None = None,
) -> Batch:
    """The batch as soon as `changed` says so of it, it is final, or `seconds` have passed.

    Raises:
        NotFound: as `get`.
    """
    return wait_for(
        lambda: get(db, tenant_id, batch_id, kind=kind),
        seconds=seconds,
        is_enough=lambda batch: batch.status.is_final or changed(batch),
    )


def listing(
    db: Database, tenant_id: UUID, *, cursor: str | None = None, limit: int = 50
) -> tuple[list[Batch], str | None]:
    """A page of batches, newest first, and the cursor of the next one.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    found = batches.listing(db, tenant_id, {"before": before, "before_id": before_id, "limit": limit + 1})
    page = found[:limit]
    return page, paging.encode_time(page[-1].created_at, page[-1].id) if len(found) > limit else None


def cancel(db: Database, tenant_id: UUID, batch_id: UUID) -> Batch:
    """End every job that is not final; a cancelled batch stays as it is.

    Raises:
        NotFound: this tenant has no such batch.
        Conflict: it is final already.
    """
    ended, correlation_id = batches.cancel(db, tenant_id, batch_id)
    batch = get(db, tenant_id, batch_id)
    if ended:
        logger().info("batch cancelled", extra={**_keys(tenant_id, batch_id, correlation_id), "ended": ended})
    if not ended and batch.status is not JobStatus.CANCELLED:
        raise Conflict(f"The batch is {batch.status.value} already.", code="batch_is_final")
    return batch


def retry(
    db: Database,
    sender: Sender,
    caller: Caller,
    batch_id: UUID,
    *,
    error_codes: Sequence[ErrorCode] | None,
    idempotency: Idempotency | None,
) -> StartedBatch:
    """Start the batch's failed and cancelled jobs anew, or those that ended by one of `error_codes`.

    What names no domain stays failed. The answer is the batch's, with all its jobs counted.

    Raises:
        NotFound: this tenant has no such batch.
        Conflict: it has no such job (`batch_not_retryable`).
        IdempotencyKeyReused: the key stands for another request.
    """
    codes = [code for code in RETRYABLE if error_codes is None or code in error_codes]
    once = idempotency or own_key()

    def work(cursor: Cursor) -> tuple[StartedBatch, list[Message]]:
        first = first_holder(cursor, caller, batch_id, once)
        if first is not None:
            return _existing(cursor, caller, first), []
        existing = _existing(cursor, caller, batch_id)
        message = batch_retry.retry(cursor, caller.tenant_id, batch_id, codes=codes, hold=HOLD)
        if message is None:
            raise Conflict("The batch has no failed or cancelled job to retry.", code="batch_not_retryable")
        return existing, [message]

    started, messages = db.run(work, tenant_id=caller.tenant_id)
    for message in messages:
        keys = _keys(caller.tenant_id, batch_id, message.body["correlation_id"])
        logger().info("batch retried", extra={**keys, "request_id": caller.correlation_id})
    outbox.deliver(db, sender, messages)
    return started


def results(db: Database, tenant_id: UUID, batch_id: UUID) -> Iterator[Job]:
    """The batch's jobs with their results, by domain; each page is a short transaction of its own.

    Of a sitemap scan's result it is the figures, without the files.
    """
    after: str | None = None
    while page := batches.results(db, tenant_id, batch_id, after=after, limit=RESULTS_AT_ONCE):
        yield from page
        after = page[-1].domain


def _sorted(domains: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """(domain key to the first text that names it, text that names none to the reason)."""
    wanted: dict[str, str] = {}
    refused: dict[str, str] = {}
    for text in domains:
        try:
            wanted.setdefault(domain_key(text), text)
        except InvalidDomain as error:
            refused.setdefault(storable_text(text.strip())[:INPUT_KEPT] or "(empty)", error.reason)
    return wanted, refused


def _existing(cursor: Cursor, caller: Caller, batch_id: UUID) -> StartedBatch:
    return _origin(cursor, caller, batch_id, None)[0]


def _origin(cursor: Cursor, caller: Caller, batch_id: UUID, fingerprint: bytes | None) -> tuple[StartedBatch, UUID]:
    """(the first answer of a batch that is there already, its run).

    `fingerprint` is what this request asks for, if it counts.
    """
    origin = batches.origin(cursor, caller.tenant_id, batch_id)
    if origin is None:
        raise _unknown(batch_id)
    if fingerprint is not None and bytes(origin["fingerprint"]) != fingerprint:
        raise Conflict("There is a batch with this batch_id already, made from another request.", code="batch_exists")
    rejected = batches.rejected(cursor, caller.tenant_id, batch_id)
    return StartedBatch(batch_id, origin["job_count"], origin["created_at"], rejected), origin["run"]


def _keys(tenant_id: UUID, batch_id: UUID, correlation_id: str | None) -> dict[str, str | None]:
    """What every log line about a batch says of it."""
    return {"batch_id": str(batch_id), "tenant_id": str(tenant_id), "correlation_id": correlation_id}


def _unknown(batch_id: UUID) -> NotFound:
    return NotFound(f"There is no batch {batch_id}.")
