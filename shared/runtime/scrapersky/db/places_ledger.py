"""The SQL of money: a request to Google is written down before it is made, and only made when it was.

A row whose `outcome` is null is of a worker that was lost before it heard the answer. It counts like any other: whether
Google got the request, nobody knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.domain.place_views import Spent
from scrapersky.domain.places import Price


class Outcome(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"


class Reservation(StrEnum):
    """Whether a request may be made."""

    GRANTED = "granted"
    OVER_BUDGET = "over_budget"
    LOST = "lost"  # the job was cancelled or taken over


@dataclass(frozen=True, slots=True)
class Search:
    """A claimed search, and what its worker holds it by."""

    tenant_id: UUID
    job_id: UUID
    token: UUID
    budget_usd: Decimal | None
    lease: timedelta


_RESERVE = """
with held as materialized (
  select scrapersky.renew_leases(
    array[%(job_id)s::uuid], array[%(progress)s::double precision], %(token)s, %(lease)s) as id
), before as (
  select coalesce(sum(price_usd), 0) as usd
  from scrapersky.places_ledger
  where tenant_id = %(tenant_id)s and job_id = %(job_id)s and id <> %(id)s
), entry as (
  insert into scrapersky.places_ledger (id, tenant_id, job_id, sku, price_usd, prices_of)
  select %(id)s, %(tenant_id)s, %(job_id)s, %(sku)s, %(price_usd)s, %(prices_of)s
  from held, before
  where %(budget_usd)s::numeric is null or before.usd + %(price_usd)s <= %(budget_usd)s::numeric
  on conflict (id) do nothing -- this very statement ran before and its answer was lost
  returning id
)
select (select count(*) from held) = 1 as held,
  exists (select from entry)
  or exists (select from scrapersky.places_ledger where tenant_id = %(tenant_id)s and id = %(id)s) as granted
"""


def reserve(db: Database, search: Search, request_id: UUID, price: Price, *, progress: float) -> Reservation:
    """Write a request down, if the job is still this worker's and its budget has room; renews the job's lease."""
    row = db.query(
        _RESERVE,
        {
            "tenant_id": search.tenant_id,
            "job_id": search.job_id,
            "token": search.token,
            "lease": search.lease,
            "budget_usd": search.budget_usd,
            "id": request_id,
            "sku": price.sku,
            "price_usd": price.usd,
            "prices_of": price.as_of,
            "progress": progress,
        },
        tenant_id=search.tenant_id,
    )[0]
    if not row["held"]:
        return Reservation.LOST
    return Reservation.GRANTED if row["granted"] else Reservation.OVER_BUDGET


# Whoever asked is told the truth, also of a job that is another worker's by now. So there is no fence here.
SETTLE = """
update scrapersky.places_ledger
set outcome = %(outcome)s, status_code = %(status_code)s
where tenant_id = %(tenant_id)s and id = %(request_id)s
"""


def settle(db: Database, tenant_id: UUID, request_id: UUID, outcome: Outcome, status_code: int | None) -> None:
    """Write down what became of a request."""
    db.query(
        SETTLE + " returning id",
        {"tenant_id": tenant_id, "request_id": request_id, "outcome": outcome.value, "status_code": status_code},
        tenant_id=tenant_id,
    )


_SPENT = """
select (requested_at at time zone 'UTC')::date as day, sku, count(*) as requests, sum(price_usd) as cost_usd,
       count(*) filter (where outcome is null) as unanswered
from scrapersky.places_ledger
where tenant_id = %(tenant_id)s
  and requested_at >= %(first)s::date::timestamp at time zone 'UTC'
  and requested_at < (%(last)s::date + 1)::timestamp at time zone 'UTC'
group by day, sku
order by day, sku
"""


def spent(db: Database, tenant_id: UUID, *, first: date, last: date) -> Sequence[Spent]:
    """What the tenant's requests came to, by day and SKU, from `first` to `last` (UTC days, both included)."""
    rows: list[dict[str, Any]] = db.query(
        _SPENT, {"tenant_id": tenant_id, "first": first, "last": last}, tenant_id=tenant_id
    )
    return [Spent(**row) for row in rows]
