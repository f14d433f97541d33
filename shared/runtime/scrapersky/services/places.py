"""What a tenant can do with its searches and places: read them, judge them, have their sites scanned."""

from collections.abc import Callable, Sequence
from datetime import date
from uuid import UUID, uuid4

from scrapersky.db import places, places_ledger
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.place_views import ListedPlace, NotScanned, SearchState, SitesBatch, Spent
from scrapersky.domain.places import PlaceStatus, WebsiteClass
from scrapersky.domain.status import JobKind, JobStatus
from scrapersky.errors import Conflict, FieldError, Invalid, NotFound
from scrapersky.queues import Sender
from scrapersky.services import batch, paging
from scrapersky.services.waiting import wait_for

LISTED_AT_MOST = 1_000  # of a search: the most that one finds
LEDGER_DAYS = 366  # of one answer: a year by day and SKU is some thousand lines


def get(db: Database, tenant_id: UUID, job_id: UUID) -> SearchState:
    """The search with its figures.

    Raises:
        NotFound: this tenant has no such search.
    """
    found = places.state(db, tenant_id, job_id)
    if found is None:
        raise NotFound(f"There is no places search {job_id}.")
    return found


def wait(
    db: Database, tenant_id: UUID, job_id: UUID, *, seconds: float, changed: Callable[[SearchState], bool]
) -> SearchState:
    """The search as soon as `changed` says so of it, it is final, or `seconds` have passed.

    Raises:
        NotFound: this tenant has no such search.
    """
    return wait_for(
        lambda: get(db, tenant_id, job_id),
        seconds=seconds,
        is_enough=lambda search: search.job.status.is_final or changed(search),
    )


def history(
    db: Database, tenant_id: UUID, *, status: JobStatus | None = None, cursor: str | None = None, limit: int = 50
) -> tuple[list[SearchState], str | None]:
    """A page of searches, newest first, and the cursor of the next one.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    before, before_id = paging.decode_time(cursor)
    found = places.history(
        db,
        tenant_id,
        {"status": status and status.value, "before": before, "before_id": before_id, "limit": limit + 1},
    )
    page = found[:limit]
    return page, paging.encode_time(page[-1].job.created_at, page[-1].job.id) if len(found) > limit else None


def listing(
    db: Database,
    tenant_id: UUID,
    job_id: UUID,
    *,
    status: PlaceStatus | None = None,
    website_class: WebsiteClass | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[ListedPlace], str | None]:
    """A page of a search's places by rank, and the cursor of the next one.

    Raises:
        Invalid: the cursor is none of this list's.
    """
    after = _rank(cursor)
    found = places.listing(
        db, tenant_id, job_id, status=status, website_class=website_class, after=after, limit=limit + 1
    )
    page = found[:limit]
    return page, paging.encode([str(page[-1].rank)]) if len(found) > limit else None


def set_status(db: Database, tenant_id: UUID, place_ids: Sequence[str], status: PlaceStatus) -> tuple[int, list[str]]:
    """Set what the tenant thinks of its places: (how many there are, ids that are none of its places)."""
    found = places.set_status(db, tenant_id, place_ids, status)
    return len(found), _unknown(place_ids, found)


def scan_sites(
    db: Database,
    sender: Sender,
    caller: Caller,
    job_id: UUID,
    *,
    place_ids: Sequence[str] | None,
    max_pages: int,
    max_concurrent: int,
    idempotency: Idempotency | None,
) -> SitesBatch:
    """Make a batch of the own sites of the search's places, or of those that `place_ids` name.

    The list may change between a request and its repetition, so what was left out is kept with the key.

    Raises:
        NotFound: this tenant has no such search.
        Conflict: none of the places has a site of its own (`no_sites`).
        IdempotencyKeyReused: the key stands for another request.
    """
    before = _scanned_before(db, caller, idempotency)
    if before is not None:
        return before
    get(db, caller.tenant_id, job_id)
    listed = places.listing(db, caller.tenant_id, job_id, place_ids=place_ids, limit=LISTED_AT_MOST)
    domains = list(dict.fromkeys(place.domain for place in listed if place.domain))
    if not domains:
        raise Conflict("None of the places has a site of its own to scan.", code="no_sites")
    skipped = [(place.place_id, _reason(place)) for place in listed if not place.domain]
    found = [(str(place.id), place.place_id) for place in listed]
    skipped += [(name, NotScanned.UNKNOWN) for name in _unknown(place_ids or (), found)]
    batch_id = uuid4()
    started = batch.start(
        db,
        sender,
        caller,
        kind=JobKind.DOMAIN_SCAN,
        domains=domains,
        max_pages=max_pages,
        max_concurrent=max_concurrent,
        batch_id=batch_id,
        idempotency=idempotency,
        aside=[[name, reason.value] for name, reason in skipped],
    )
    if started.batch_id != batch_id:  # the same request at the same time was first
        return _scanned_before(db, caller, idempotency) or SitesBatch(started, tuple(skipped))
    return SitesBatch(started, tuple(skipped))


def count(
    db: Database,
    tenant_id: UUID,
    job_id: UUID,
    *,
    status: PlaceStatus | None = None,
    website_class: WebsiteClass | None = None,
) -> int:
    """How many places of a search's list the filters let through."""
    return places.count(db, tenant_id, job_id, status=status, website_class=website_class)


def spent(db: Database, tenant_id: UUID, *, first: date, last: date) -> Sequence[Spent]:
    """What the tenant's requests to Google came to, by UTC day and SKU.

    Raises:
        Invalid: `first` is after `last`, or more than LEDGER_DAYS before it.
    """
    if not 0 <= (last - first).days < LEDGER_DAYS:
        reason = f"from is after to, or more than {LEDGER_DAYS} days before it"
        raise Invalid(f"There is no such span: {reason}.", errors=[FieldError(("query", "from"), reason)])
    return places_ledger.spent(db, tenant_id, first=first, last=last)


def _unknown(names: Sequence[str], found: Sequence[tuple[str, str]]) -> list[str]:
    """The names that are none of the places found: (our id, Google's id) of each. Case counts in Google's alone."""
    ours, googles = ({pair[at] for pair in found} for at in (0, 1))
    return [name for name in dict.fromkeys(names) if name not in googles and name.lower() not in ours]


def _scanned_before(db: Database, caller: Caller, idempotency: Idempotency | None) -> SitesBatch | None:
    """The first answer to a request that came before under its key."""
    before = batch.made_before(db, caller, idempotency) if idempotency is not None else None
    if before is None:
        return None
    started, aside = before
    return SitesBatch(started, tuple((name, NotScanned(reason)) for name, reason in aside))


def _reason(place: ListedPlace) -> NotScanned:
    return NotScanned(place.website_class.value) if place.website_class else NotScanned.NOT_ASKED_FOR


def _rank(cursor: str | None) -> int:
    if cursor is None:
        return 0
    (text,) = paging.decode(cursor, 1)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise paging.invalid()
    return int(text)
