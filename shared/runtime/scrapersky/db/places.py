"""The SQL of places as their tenant sees them: a search's list, what it has come to, what the tenant thinks of them."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.db.jobs import COLUMNS, job_of
from scrapersky.domain.place_views import ListedPlace, SearchFigures, SearchState
from scrapersky.domain.places import PlaceStatus, WebsiteClass

# UUID() takes braces and what else surrounds one; a name is one of ours only where it is written as we write it.
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# What is past its time is not shown, also when the sweep (expire_places) has not come to it yet; what that leaves is.
_LISTED = """
from scrapersky.place_results as r
join scrapersky.places as p on p.tenant_id = r.tenant_id and p.id = r.place_id
left join lateral (
  select p.name, p.primary_type, p.types, p.formatted_address, p.latitude, p.longitude, p.rating, p.user_ratings_total,
         p.phone, p.website, p.business_status, p.content_at, p.expires_at
  where p.expires_at > now()
) as content on true
left join lateral (
  select p.website_class, p.domain
  where p.expires_at is null or p.expires_at > now() or exists (
    select from scrapersky.domains as d
    where d.tenant_id = p.tenant_id and d.domain = p.domain and d.site_data is not null)
) as site on true
where r.tenant_id = %(tenant_id)s and r.job_id = %(job_id)s
  and (%(status)s::text is null or p.status = %(status)s)
  and (%(website_class)s::text is null or site.website_class = %(website_class)s)
"""

_LIST = (
    """
select p.id, p.place_id, r.rank, p.business_type, p.status, p.status_changed_at, r.found_at as search_time,
       r.job_id as search_job_id, site.*, content.*
"""
    + _LISTED
    + """
  and r.rank > %(after)s
  and (%(place_ids)s::text[] is null or p.place_id = any (%(place_ids)s) or p.id = any (%(own_ids)s::uuid[]))
order by r.rank
limit %(limit)s
"""
)
_COUNT = "select count(*) as total" + _LISTED

# The page is cut first: a history is long, and what a search has come to is counted row by row.
_SEARCHES = (
    "with j as materialized (select result, "  # noqa: S608 - constants alone
    + COLUMNS
    + " from scrapersky.jobs where tenant_id = %(tenant_id)s and kind = 'places_search'"
)
_WITH_FIGURES = """
)
select j.*, listed.*, spent.*
from j, lateral (
  select count(*) as stored_places, count(*) filter (where p.found_by = r.job_id) as new_places
  from scrapersky.place_results as r
  join scrapersky.places as p on p.tenant_id = r.tenant_id and p.id = r.place_id
  where r.tenant_id = j.tenant_id and r.job_id = j.id
) as listed, lateral (
  select count(*) as requests, coalesce(sum(l.price_usd), 0) as cost_usd
  from scrapersky.places_ledger as l
  where l.tenant_id = j.tenant_id and l.job_id = j.id
) as spent
order by j.created_at desc, j.id desc
"""
_STATE = _SEARCHES + " and id = %(job_id)s" + _WITH_FIGURES
_HISTORY = (
    _SEARCHES
    + """
  and (%(status)s::text is null or status = %(status)s)
  and (%(before)s::timestamptz is null or (created_at, id) < (%(before)s, %(before_id)s::uuid))
order by created_at desc, id desc
limit %(limit)s
"""
    + _WITH_FIGURES
)

_SET_STATUS = """
update scrapersky.places
set status = %(status)s,
    status_changed_at = case when status = %(status)s then status_changed_at else now() end,
    updated_at = now()
where tenant_id = %(tenant_id)s and (place_id = any (%(place_ids)s) or id = any (%(own_ids)s::uuid[]))
returning id::text as id, place_id
"""


def state(db: Database, tenant_id: UUID, job_id: UUID) -> SearchState | None:
    """The search with its figures, None when this tenant has no such search."""
    rows = db.query(_STATE, {"tenant_id": tenant_id, "job_id": job_id}, tenant_id=tenant_id)
    return _state(rows[0]) if rows else None


def history(db: Database, tenant_id: UUID, filters: dict[str, Any]) -> list[SearchState]:
    """Newest first. `filters`: status, before, before_id, limit."""
    return [_state(row) for row in db.query(_HISTORY, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def listing(
    db: Database,
    tenant_id: UUID,
    job_id: UUID,
    *,
    status: PlaceStatus | None = None,
    website_class: WebsiteClass | None = None,
    place_ids: Sequence[str] | None = None,
    after: int = 0,
    limit: int,
) -> list[ListedPlace]:
    """The search's list by rank, from after the rank `after`. `place_ids` are ours or Google's."""
    rows = db.query(
        _LIST,
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "status": status and status.value,
            "website_class": website_class and website_class.value,
            "place_ids": list(place_ids) if place_ids is not None else None,
            "own_ids": own_ids(place_ids or ()),
            "after": after,
            "limit": limit,
        },
        tenant_id=tenant_id,
    )
    return [_place(row) for row in rows]


def count(
    db: Database,
    tenant_id: UUID,
    job_id: UUID,
    *,
    status: PlaceStatus | None = None,
    website_class: WebsiteClass | None = None,
) -> int:
    """How many places of the list the filters let through."""
    rows = db.query(
        _COUNT,
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "status": status and status.value,
            "website_class": website_class and website_class.value,
        },
        tenant_id=tenant_id,
    )
    return int(rows[0]["total"])


def own_ids(names: Sequence[str]) -> list[UUID]:
    """Those of the names that are ids of ours, as UUIDs are written."""
    return [UUID(name) for name in names if _UUID.fullmatch(name)]


def set_status(db: Database, tenant_id: UUID, place_ids: Sequence[str], status: PlaceStatus) -> list[tuple[str, str]]:
    """Set what the tenant thinks of its places. Returns (our id, Google's id) of those that there are."""
    rows = db.query(
        _SET_STATUS,
        {
            "tenant_id": tenant_id,
            "place_ids": list(place_ids),
            "own_ids": own_ids(place_ids),
            "status": status.value,
        },
        tenant_id=tenant_id,
    )
    return [(row["id"], row["place_id"]) for row in rows]


def _state(row: dict[str, Any]) -> SearchState:
    return SearchState(
        job_of(row), SearchFigures(row["stored_places"], row["new_places"], row["requests"], row["cost_usd"])
    )


def _place(row: dict[str, Any]) -> ListedPlace:
    found = row["website_class"]
    return ListedPlace(
        **{**row, "website_class": WebsiteClass(found) if found else None, "status": PlaceStatus(row["status"])}
    )
