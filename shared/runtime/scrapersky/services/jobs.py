"""What a tenant can do with its jobs, whatever their kind."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from scrapersky.db import batch_retry, jobs, sweep
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.outbox import HOLD
from scrapersky.domain.batches import RETRYABLE
from scrapersky.domain.jobs import Caller, Idempotency, Job, Started
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus
from scrapersky.errors import Conflict, NotFound, PlacesNotConfigured
from scrapersky.metrics import Metric, count
from scrapersky.observability import logger
from scrapersky.queues import JobMessage, Message, Sender
from scrapersky.services import outbox, paging
from scrapersky.services.idempotency import first_holder, own_key
from scrapersky.services.waiting import wait_for

NOT_RETRYABLE = "job_not_retryable"


class _Told(NamedTuple):
    """The message that brings a job to its worker, and what the log says of the job besides its id."""

    message: Message
    of_the_job: dict[str, str]


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

    def work(cursor: Cursor) -> tuple[Started, list[_Told]]:
        first = first_holder(cursor, caller, job_id, idempotency)
        if first is not None:
            return _existing(cursor, caller, first), []
        made = jobs.create(cursor, parameters)
        if made is None:
            return _existing(cursor, caller, job_id), []
        return Started(job_id, made[0], metadata), [_Told(made[1], {"kind": kind.value})]

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

    One of a batch is taken up by an execution of its batch, as if the batch were retried and no other had failed.

    Raises:
        NotFound: this tenant has no such job.
        Conflict: it is neither failed nor cancelled, or its batch's input named no domain (`job_not_retryable`).
        PlacesNotConfigured: it is a places search, and there is no key to make it with.
        IdempotencyKeyReused: the key stands for another request.
    """
    parameters = {"tenant_id": caller.tenant_id, "id": job_id, "hold": HOLD}
    once = idempotency or own_key()

    def work(cursor: Cursor) -> tuple[Started, list[_Told]]:
        first = first_holder(cursor, caller, job_id, once)
        if first is not None:
            return _existing(cursor, caller, first), []
        made = jobs.retry(cursor, parameters)
        if made is None:
            in_batch = _retried_in_batch(cursor, caller, job_id)
            if in_batch is not None:
                return in_batch[0], [in_batch[1]]
            _existing(cursor, caller, job_id)
            raise Conflict("Only a failed or cancelled job can be retried.", code=NOT_RETRYABLE)
        if made[1].queue == JobKind.PLACES_SEARCH and not has_places:
            raise PlacesNotConfigured
        return Started(job_id, made[0]), [_Told(made[1], {"kind": made[1].queue})]

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


def _retried_in_batch(cursor: Cursor, caller: Caller, job_id: UUID) -> tuple[Started, _Told] | None:
    """Have a batch's job taken up by its batch; None when it is none, or neither failed nor cancelled.

    Raises:
        Conflict: the batch's input named no domain.
    """
    job = jobs.in_batch(cursor, caller.tenant_id, job_id)
    if job is None:
        return None
    if job["error_code"] == ErrorCode.INVALID_DOMAIN:
        raise Conflict(f"{job['domain']} names no domain to scan: {job['error_message']}.", code=NOT_RETRYABLE)
    message = batch_retry.retry(cursor, caller.tenant_id, job["batch_id"], codes=RETRYABLE, hold=HOLD, job_id=job_id)
    if message is None:
        return None
    told = _Told(message, {"kind": job["kind"], "batch_id": str(job["batch_id"])})
    return Started(job_id, job["created_at"]), told


def _started(
    db: Database, sender: Sender, caller: Caller, work: Callable[[Cursor], tuple[Started, list[_Told]]]
) -> Started:
    answer, messages = db.run(work, tenant_id=caller.tenant_id)
    for message, of_the_job in messages:
        keys = {"job_id": str(answer.job_id), "tenant_id": str(caller.tenant_id), **of_the_job}
        # A job that is retried goes on under the id of the request that made it.
        ids = {"correlation_id": message.body["correlation_id"], "request_id": caller.correlation_id}
        logger().info("job started", extra={**keys, **ids})
    outbox.deliver(db, sender, [message for message, _ in messages])
    return answer


def _unknown(job_id: UUID) -> NotFound:
    return NotFound(f"There is no job {job_id}.")
