"""The SQL of a search's worker: its page of places, the list of an earlier search, its end. Each write is fenced."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.places_ledger import SETTLE, Outcome, Search
from scrapersky.db.values import jsonb
from scrapersky.domain.facts import ScanError
from scrapersky.domain.places import FieldPreset, FoundPlace, WebsiteClass
from scrapersky.domain.status import JobStatus

MAX_TEXT: Final = 2_000
"""Characters of one field of Google's: names and addresses have some dozens, a website's address up to 2,000."""

_FENCED = """
  select id from scrapersky.jobs
  where tenant_id = %(tenant_id)s and id = %(job_id)s and lease_token = %(token)s and status = 'running'
  for no key update
"""

# What a search did not ask for is left as an earlier one brought it, with the earlier one's end: content is never kept
# longer because a part of it is fresh. What is past its end goes at once, or the fresh part would go with it. Whose
# place it is, and what its tenant thinks of it, no search changes.
_STORE = (
    "with fenced as materialized ("  # noqa: S608 - constants alone
    + _FENCED
    + """
), told as (
  select place.* from jsonb_to_recordset(%(places)s::jsonb) as place (
    position integer, place_id text, name text, primary_type text, types text[], formatted_address text,
    latitude double precision, longitude double precision, rating real, user_ratings_total integer, phone text,
    website text, business_status text, website_class text, domain text)
), kept as (
  insert into scrapersky.places as p (
    tenant_id, place_id, name, primary_type, types, formatted_address, latitude, longitude, rating, user_ratings_total,
    phone, website, business_status, website_class, domain, business_type, found_by, content_at, expires_at)
  select %(tenant_id)s, told.place_id, told.name, told.primary_type, told.types, told.formatted_address, told.latitude,
         told.longitude, told.rating, told.user_ratings_total, told.phone, told.website, told.business_status,
         told.website_class, told.domain, %(business_type)s, %(job_id)s,
         case when %(has_basic)s then now() end, case when %(has_basic)s then now() + %(content_kept)s end
  from told, fenced
  order by told.place_id -- two searches lock the same places in the same order
  on conflict (tenant_id, place_id) do update set
    name = case when %(has_basic)s then excluded.name else p.name end,
    primary_type = case when %(has_basic)s then excluded.primary_type else p.primary_type end,
    types = case when %(has_basic)s then excluded.types else p.types end,
    formatted_address = case when %(has_basic)s then excluded.formatted_address else p.formatted_address end,
    latitude = case when %(has_basic)s then excluded.latitude else p.latitude end,
    longitude = case when %(has_basic)s then excluded.longitude else p.longitude end,
    business_status = case when %(has_basic)s then excluded.business_status else p.business_status end,
    rating = case
      when %(has_contact)s then excluded.rating
      when %(has_basic)s and p.expires_at <= now() then null
      else p.rating end,
    user_ratings_total = case
      when %(has_contact)s then excluded.user_ratings_total
      when %(has_basic)s and p.expires_at <= now() then null
      else p.user_ratings_total end,
    phone = case
      when %(has_contact)s then excluded.phone
      when %(has_basic)s and p.expires_at <= now() then null
      else p.phone end,
    website = case
      when %(has_contact)s then excluded.website
      when %(has_basic)s and p.expires_at <= now() then null
      else p.website end,
    website_class = case
      when %(has_contact)s then excluded.website_class
      when %(has_basic)s and p.expires_at <= now() then null
      else p.website_class end,
    domain = case
      when %(has_contact)s then excluded.domain
      when %(has_basic)s and p.expires_at <= now() then null
      else p.domain end,
    content_at = case when %(has_basic)s then now() else p.content_at end,
    expires_at = case
      when %(has_contact)s or %(has_basic)s and p.expires_at <= now() then excluded.expires_at
      when %(has_basic)s then least(excluded.expires_at, p.expires_at)
      else p.expires_at end,
    updated_at = now()
  returning p.id, p.place_id
), first as (
  select coalesce(max(r.rank), 0) as rank
  from scrapersky.place_results as r
  where r.tenant_id = %(tenant_id)s and r.job_id = %(job_id)s
), linked as (
  insert into scrapersky.place_results (tenant_id, job_id, place_id, rank)
  select %(tenant_id)s, %(job_id)s, found.id, first.rank + row_number() over (order by found.position)
  from first, (
    select kept.id, told.position
    from kept join told on told.place_id = kept.place_id
    where not exists (
      select from scrapersky.place_results as r
      where r.tenant_id = %(tenant_id)s and r.job_id = %(job_id)s and r.place_id = kept.id)
    order by told.position
    -- A search that is resumed may meet others than it met before.
    limit greatest(%(max_results)s - (
      select count(*) from scrapersky.place_results as r
      where r.tenant_id = %(tenant_id)s and r.job_id = %(job_id)s), 0)
  ) as found
)
select exists (select from fenced) as held
"""
)


def store_page(
    db: Database,
    search: Search,
    places: Sequence[tuple[FoundPlace, WebsiteClass | None, str | None]],
    *,
    preset: FieldPreset,
    business_type: str,
    max_results: int,
    content_kept: timedelta,
    request_id: UUID,
    status_code: int,
) -> bool:
    """Store the places of a page, each with its website's class and domain, at the end of the search's list.

    Settles the page's request as well. False when the job is not this worker's any more: no place was stored.
    """
    parameters = {
        **_of(search),
        "places": jsonb([_row(number, *place) for number, place in enumerate(places, 1)]),
        "business_type": business_type,
        "max_results": max_results,
        "content_kept": content_kept,
        "has_basic": preset is not FieldPreset.IDS,
        "has_contact": preset is FieldPreset.CONTACT,
    }
    settled = {
        "tenant_id": search.tenant_id,
        "request_id": request_id,
        "outcome": Outcome.ANSWERED.value,
        "status_code": status_code,
    }

    def work(cursor: Cursor) -> Cursor:
        cursor.execute(SETTLE, settled)
        return cursor.execute(_STORE, parameters)

    row = db.run(work, tenant_id=search.tenant_id).fetchone()
    return bool(row and row["held"])


# Content that has gone, or goes before a client could read it, is no list to take over. Neither is one that was itself
# taken over, or a search could be answered with older and older ones; and a list that was begun is not mixed with one.
_REUSE = (
    "with fenced as materialized ("  # noqa: S608 - constants alone
    + _FENCED
    + """
), earlier as (
  select j.id, j.result from scrapersky.jobs as j
  where j.tenant_id = %(tenant_id)s and j.kind = 'places_search' and j.status = 'complete' and j.id <> %(job_id)s
    and md5(j.request ->> 'search') = md5(%(search)s) and j.request ->> 'search' = %(search)s
    and j.finished_at > now() - %(within)s
    and j.result ->> 'reused_from' is null
    and coalesce(j.result ->> 'stopped', '') not in ('budget', 'time') -- with more of it there may be more
    and not exists (
      select from scrapersky.place_results as r
      join scrapersky.places as p on p.tenant_id = r.tenant_id and p.id = r.place_id
      where r.tenant_id = j.tenant_id and r.job_id = j.id
        and %(has_basic)s and (p.expires_at is null or p.expires_at < now() + interval '1 hour'))
    and not exists (
      select place_id, rank from scrapersky.place_results where tenant_id = %(tenant_id)s and job_id = %(job_id)s
      except
      select place_id, rank from scrapersky.place_results where tenant_id = j.tenant_id and job_id = j.id)
  order by j.finished_at desc
  limit 1
), linked as (
  insert into scrapersky.place_results (tenant_id, job_id, place_id, rank)
  select r.tenant_id, %(job_id)s, r.place_id, r.rank
  from fenced, earlier, scrapersky.place_results as r
  where r.tenant_id = %(tenant_id)s and r.job_id = earlier.id
  on conflict do nothing
)
select earlier.id, earlier.result from fenced, earlier
"""
)


def reuse(
    db: Database, search: Search, text: str, *, within: timedelta, preset: FieldPreset
) -> tuple[UUID, dict[str, Any]] | None:
    """Take over the list of the same search (`text` tells which are the same) that ended not longer ago than `within`.

    Returns that search's job and its result, None when there is none.
    """
    rows = db.query(
        _REUSE,
        {**_of(search), "search": text, "within": within, "has_basic": preset is not FieldPreset.IDS},
        tenant_id=search.tenant_id,
    )
    return (rows[0]["id"], rows[0]["result"]) if rows else None


# What the search came to is counted off its rows here, so that it agrees with them after whatever happened on the way.
_END = """
with listed as (
  select count(*) as stored, count(*) filter (where p.found_by = r.job_id) as new
  from scrapersky.place_results as r
  join scrapersky.places as p on p.tenant_id = r.tenant_id and p.id = r.place_id
  where r.tenant_id = %(tenant_id)s and r.job_id = %(job_id)s
), spent as (
  select count(*) as requests, coalesce(sum(price_usd), 0) as usd
  from scrapersky.places_ledger
  where tenant_id = %(tenant_id)s and job_id = %(job_id)s
), figures as (
  select jsonb_build_object(
    'stored_places', listed.stored, 'new_places', listed.new, 'requests', spent.requests, 'cost_usd', spent.usd) as json
  from listed, spent
), fenced as (
  update scrapersky.jobs
  set status = %(status)s,
      progress = case when %(status)s = 'complete' then 100 else progress end,
      result = case when %(status)s = 'complete' then %(result)s::jsonb || figures.json end,
      error_code = %(error_code)s, error_message = %(error_message)s,
      metadata = metadata || figures.json,
      lease_until = null, finished_at = now(), updated_at = now()
  from figures
  where tenant_id = %(tenant_id)s and id = %(job_id)s and lease_token = %(token)s and status = 'running'
  returning 1
), host as (
  select scrapersky.free_hosts(array[%(job_id)s::uuid], %(token)s, interval '0')
  where (select count(*) from fenced) >= 0 -- after it: jobs are locked before hosts (migration 0011)
)
select (select count(*) from fenced) = 1
  -- Ours already: the commit was carried out and its answer lost.
  or exists (
    select from scrapersky.jobs
    where tenant_id = %(tenant_id)s and id = %(job_id)s and lease_token = %(token)s and finished_at is not null)
  as stored,
  (select * from host) as hosts
"""


def end(db: Database, search: Search, *, result: Mapping[str, Any] | None, error: ScanError | None) -> bool:
    """End the search: complete with `result`, or failed with `error`. False when the job is not this worker's any more.

    `stored_places`, `new_places`, `requests` and `cost_usd` are added to the result, or to the metadata of a failure.
    """
    rows = db.query(
        _END,
        {
            **_of(search),
            "status": (JobStatus.COMPLETE if error is None else JobStatus.FAILED).value,
            "result": jsonb(dict(result or {})),
            "error_code": error.code.value if error else None,
            "error_message": error.message if error else None,
        },
        tenant_id=search.tenant_id,
    )
    return bool(rows[0]["stored"])


def _of(search: Search) -> dict[str, Any]:
    return {"tenant_id": search.tenant_id, "job_id": search.job_id, "token": search.token}


def _row(position: int, place: FoundPlace, website_class: WebsiteClass | None, domain: str | None) -> dict[str, Any]:
    return {
        "position": position,
        "place_id": place.place_id,
        "name": _text(place.name),
        "primary_type": _text(place.primary_type),
        "types": list(place.types) if place.types is not None else None,
        "formatted_address": _text(place.formatted_address),
        "latitude": place.location.latitude if place.location else None,
        "longitude": place.location.longitude if place.location else None,
        "rating": place.rating,
        "user_ratings_total": place.user_ratings_total,
        "phone": _text(place.phone),
        "website": _text(place.website),
        "business_status": _text(place.business_status),
        "website_class": website_class.value if website_class else None,
        "domain": domain,
    }


def _text(value: str | None) -> str | None:
    return value[:MAX_TEXT] if value is not None else None
