"""What a tenant can do with its jobs, whatever their kind."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from scrapersky.db import idempotency as keys
from scrapersky.db import jobs, sweep
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.outbox import HOLD
from scrapersky.domain.jobs import Caller, Idempotency, Job, Started
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.errors import Conflict, FieldError, IdempotencyKeyReused, NotFound, PlacesNotConfigured
from scrapersky.metrics import Metric, count
from scrapersky.observability import logger
from scrapersky.queues import JobMessage, Message, Sender
from scrapersky.services import outbox, paging
from scrapersky.services.waiting import wait_for


def create(
    db: Database,
    sender: Sender,
    caller: Caller,
    *,
    kind: JobKind,
    domain: str,
    request: Mapping[str, Any],
    metadata: Mapping[str, Any],
    idempotency: Idempotency | None,
) -> Started:
    """Write a job with its message in one transaction, then send; the same key again answers as the first time.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    job_id = uuid4()
    parameters = {
        "tenant_id": caller.tenant_id,
        "id": job_id,
        "kind": kind.value,
        "domain": domain,
        "request": dict(request),
        "metadata": dict(metadata),
        "correlation_id": caller.correlation_id,
        "created_by": caller.user_id,
        "hold": HOLD,
    }

    def work(cursor: Cursor) -> tuple[Started, list[Message]]:
        first = first_holder(cursor, caller, job_id, idempotency)
        if first is not None:
            return _existing(cursor, caller, first), []
        made = jobs.create(cursor, parameters)
        if made is None:
            return _existing(cursor, caller, job_id), []
        return Started(job_id, made[0], metadata), [made[1]]

    started = _started(db, sender, caller, work)
    if started.job_id == job_id:  # made by this request, be it by a try whose answer was lost
        count(Metric.JOBS_CREATED, kind=kind.value)
    return started


def retry(
    db: Database,
    sender: Sender,
    caller: Caller,
    job_id: UUID,
    idempotency: Idempotency | None,
    *,
    has_places: bool = True,
) -> Started:
    """Start a failed or cancelled job anew, as the same job. `has_places`: whether places searches can be made here.

    Raises:
        NotFound: this tenant has no such job.
        Conflict: it is neither failed nor cancelled.
        PlacesNotConfigured: it is a places search, and there is no key to make it with.
        IdempotencyKeyReused: the key stands for another request.
    """
    parameters = {"tenant_id": caller.tenant_id, "id": job_id, "hold": HOLD}
    once = idempotency or own_key()

    def work(cursor: Cursor) -> tuple[Started, list[Message]]:
        first = first_holder(cursor, caller, job_id, once)
        if first is not None:
            return _existing(cursor, caller, first), []
        made = jobs.retry(cursor, parameters)
        if made is None:
            _existing(cursor, caller, job_id)
            raise Conflict("Only a failed or cancelled job can be retried.", code="job_not_retryable")
        if made[1].queue == JobKind.PLACES_SEARCH and not has_places:
            raise PlacesNotConfigured
        return Started(job_id, made[0]), [made[1]]

    return _started(db, sender, caller, work)


def get(db: Database, tenant_id: UUID, job_id: UUID, *, kind: JobKind | None = None) -> Job:
    """The job with its result.

    Raises:
        NotFound: this tenant has no such job, or none of this `kind`; another's is none either.
    """
    job = jobs.get(db, tenant_id, job_id)
    if job is None or kind not in (None, job.kind):
        raise _unknown(job_id)
    return job


def wait(
    db: Database,
    tenant_id: UUID,
    job_id: UUID,
    *,
    seconds: float,
    changed: Callable[[Job], bool],
    kind: JobKind | None = None,
    figures: Callable[[], object] = lambda: None,
) -> Job:
    """The job as soon as `changed` says so of it, it is final, or `seconds` have passed.

    `changed` is asked when the job's row is another, or the `figures` that are shown beside it are.

    Raises:
        NotFound: as `get`.
    """
    known: Job | None = None
    seen: object = None  # a request that does not wait does not ask for them; the first look counts as a change

    def look() -> Job:
        nonlocal known, seen
        if known is None:
            known = get(db, tenant_id, job_id, kind=kind)
            return known
        before, seen = seen, figures()
        if seen != before or jobs.status(db, tenant_id, job_id) != (known.status, known.progress, known.updated_at):
            known = get(db, tenant_id, job_id)
        return known

    return wait_for(look, seconds=seconds, is_enough=lambda job: job.status.is_final or changed(job))


def listing(
    db: Database,
    tenant_id: UUID,
    *,
    kind: JobKind | None = None,
    status: JobStatus | None = None,
    batch_id: UUID | None = None,
    domain: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Job], str | None]:
    """A page of jobs without their results, newest first, and the cursor of the next one.

    `domain` is a domain in any spelling or, as it stands in a batch, a text that names none.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    found = jobs.listing(
        db,
        tenant_id,
        {
            "kind": kind and kind.value,
            "status": status and status.value,
            "batch_id": batch_id,
            "domain": domain and _key(domain),
            "before": before,
            "before_id": before_id,
            "limit": limit + 1,
        },
    )
    page = found[:limit]
    return page, paging.encode_time(page[-1].created_at, page[-1].id) if len(found) > limit else None


def cancel(db: Database, tenant_id: UUID, job_id: UUID) -> Job:
    """End a job that is pending or running; a cancelled one stays as it is.

    Raises:
        NotFound: this tenant has no such job.
        Conflict: it is complete or failed.
    """
    ended = jobs.cancel(db, tenant_id, job_id)
    job = get(db, tenant_id, job_id)
    if ended is not None:
        logger().info("job cancelled", extra={"job_id": str(job_id), "tenant_id": str(tenant_id), **ended})
    if job.status is not JobStatus.CANCELLED:
        raise Conflict(f"The job is {job.status.value} already.", code="job_is_final")
    return job


def give_up(db: Database, messages: list[JobMessage]) -> int:
    """Fail the jobs whose messages ended in the dead-letter queue; return how many were still open."""
    ended = sweep.dead_letters(db, [message.job_id for message in messages]) if messages else {}
    for message in messages:
        keys = {"job_id": str(message.job_id), "correlation_id": message.correlation_id}
        if (batch_id := ended.get(message.job_id)) is not None:
            keys["batch_id"] = str(batch_id)
        logger().error("message given up", extra={**keys, "ended": message.job_id in ended})
    return len(ended)


def first_holder(
    cursor: Cursor, caller: Caller, resource_id: UUID, idempotency: Idempotency | None, aside: object = None
) -> UUID | None:
    """What the same request made before under its key; None when this one is the first, and holds the key from now.

    `aside` is kept with the key, for `made_before`.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    if idempotency is None or keys.take(
        cursor, caller.tenant_id, idempotency.key, idempotency.fingerprint, resource_id, aside
    ):
        return None
    before = made_before(cursor, caller, idempotency)
    return before[0] if before is not None else None


def made_before(cursor: Cursor, caller: Caller, idempotency: Idempotency) -> tuple[UUID, Any] | None:
    """(what the same request made before under its key, what was told aside); None when the key is free.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    holder = keys.holder(cursor, caller.tenant_id, idempotency.key)
    if holder is None:
        return None
    if bytes(holder["fingerprint"]) != idempotency.fingerprint:
        reason = "used for another request within the last 24 hours"
        raise IdempotencyKeyReused(
            f"This Idempotency-Key was {reason}.", errors=[FieldError(("header", "Idempotency-Key"), reason)]
        )
    return holder["resource_id"], holder["aside"]


def own_key() -> Idempotency:
    """A key for a request that brought none, where a lost answer to its commit would else tell it a falsehood.

    When the transaction runs again, what it made may have moved on: a worker is quick to claim a retried job, and then
    nothing in the job's row says who set it back.
    """
    key = uuid4()
    return Idempotency(str(key), sha256(key.bytes).digest())


def _key(text: str) -> str:
    # Loads the URL parser, which functions that list nothing have no use for.
    from scrapersky.domain.names import InvalidDomain, domain_key

    try:
        return domain_key(text)
    except InvalidDomain:
        return text


def _existing(cursor: Cursor, caller: Caller, job_id: UUID) -> Started:
    origin = jobs.origin(cursor, caller.tenant_id, job_id)
    if origin is None:
        raise _unknown(job_id)
    return Started(job_id, *origin)


def _started(
    db: Database, sender: Sender, caller: Caller, work: Callable[[Cursor], tuple[Started, list[Message]]]
) -> Started:
    answer, messages = db.run(work, tenant_id=caller.tenant_id)
    for message in messages:
        keys = {"job_id": str(answer.job_id), "tenant_id": str(caller.tenant_id), "kind": message.queue}
        # A job that is retried goes on under the id of the request that made it.
        ids = {"correlation_id": message.body["correlation_id"], "request_id": caller.correlation_id}
        logger().info("job started", extra={**keys, **ids})
    outbox.deliver(db, sender, messages)
    return answer


def _unknown(job_id: UUID) -> NotFound:
    return NotFound(f"There is no job {job_id}.")
