"""The SQL of what was told to whom: events, deliveries with their attempts, and replays of them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from scrapersky.db.connection import Cursor, Database
from scrapersky.db.events import event_of
from scrapersky.db.outbox import owed
from scrapersky.domain.events import Event
from scrapersky.domain.webhook_views import (
    MAX_SHOWN_ATTEMPTS,
    Attempt,
    Delivery,
    LoggedDelivery,
    Replayed,
)
from scrapersky.domain.webhooks import DeliveryStatus
from scrapersky.queues import Message

_DELIVERY = """
d.id, d.webhook_id, d.event_id, e.type as event_type, d.status, d.tries, d.attempts, d.next_attempt_at, d.status_code,
d.error_code, d.error_message, d.created_at, d.updated_at, d.finished_at
"""

_DELIVERIES = (
    "select "
    + _DELIVERY
    + """
from scrapersky.webhook_deliveries as d
join scrapersky.events as e on e.tenant_id = d.tenant_id and e.id = d.event_id
where d.tenant_id = %(tenant_id)s and d.webhook_id = %(webhook_id)s
  and (%(status)s::text is null or d.status = %(status)s)
  and (%(event_id)s::uuid is null or d.event_id = %(event_id)s)
  and (%(before)s::timestamptz is null or (d.created_at, d.id) < (%(before)s, %(before_id)s::uuid))
order by d.created_at desc, d.id desc
limit %(limit)s
"""
)

_ONE_DELIVERY = (
    "select "
    + _DELIVERY
    + """
from scrapersky.webhook_deliveries as d
join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id and w.deleted_at is null
join scrapersky.events as e on e.tenant_id = d.tenant_id and e.id = d.event_id
where d.tenant_id = %(tenant_id)s and d.id = %(id)s
"""
)

_ITS_EVENT = """
select e.id, e.tenant_id, e.type, e.job_id, e.batch_id, e.webhook_id, e.data, e.correlation_id, e.occurred_at
from scrapersky.webhook_deliveries as d
join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id and w.deleted_at is null
join scrapersky.events as e on e.tenant_id = d.tenant_id and e.id = d.event_id
where d.tenant_id = %(tenant_id)s and d.id = %(id)s
"""

_ATTEMPTS = """
select number, url, started_at, ms, status_code, error_code, error_message, response
from scrapersky.webhook_attempts
where tenant_id = %(tenant_id)s and delivery_id = %(id)s
order by number desc
limit %(limit)s
"""

_EVENTS = """
select id, tenant_id, type, job_id, batch_id, webhook_id, data, correlation_id, occurred_at
from scrapersky.events
where tenant_id = %(tenant_id)s
  and (%(type)s::text is null or type = %(type)s)
  and (%(job_id)s::uuid is null or job_id = %(job_id)s)
  and (%(batch_id)s::uuid is null or batch_id = %(batch_id)s)
  and (%(before)s::timestamptz is null or (occurred_at, id) < (%(before)s, %(before_id)s::uuid))
order by occurred_at desc, id desc
limit %(limit)s
"""

_REPLAY = """
with chosen as (
  select d.tenant_id, d.id from scrapersky.webhook_deliveries as d
  where d.tenant_id = %(tenant_id)s and d.webhook_id = %(webhook_id)s
    and (%(id)s::uuid is null or d.id = %(id)s)
    and (%(since)s::timestamptz is null or d.created_at >= %(since)s)
    and (%(until)s::timestamptz is null or d.created_at < %(until)s)
    and (%(status)s::text is null or d.status = %(status)s)
    and (%(id)s::uuid is not null or d.status <> 'pending' or d.is_waiting or d.next_attempt_at > now())
    -- What is being tried right now is left to its worker, which would find its fence gone and the log without it.
    and (d.lease_until is null or d.lease_until <= now())
  order by d.created_at, d.id
  limit %(limit)s
  for update skip locked
), again as (
  update scrapersky.webhook_deliveries as d
  set status = 'pending', tries = 0, next_attempt_at = now(), lease_token = null, lease_until = null,
      is_waiting = false, finished_at = null, updated_at = now()
  from chosen where d.tenant_id = chosen.tenant_id and d.id = chosen.id
  returning d.tenant_id, d.id, d.created_at
), well as (
  -- Who asks for it says that the receiver is well: nothing waits for the end of its pause.
  update scrapersky.webhooks as w set paused_until = null
  where w.tenant_id = %(tenant_id)s and w.id = %(webhook_id)s and w.paused_until is not null
), met as (
  -- A message from before may be on its way right now. What its sender says of it must not be taken for this one.
  update scrapersky.outbox as o set sent_at = now() from again
  where o.tenant_id = again.tenant_id and o.delivery_id = again.id and o.sent_at is null
  returning o.delivery_id
), message as (
  insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, held_until)
  select again.tenant_id, again.id, 'webhook', scrapersky.delivery_message(again.id, %(correlation_id)s),
         case when row_number() over (order by again.created_at, again.id) <= %(sent_at_once)s
           then now() + %(hold)s else now() end
  from again where (select count(*) from met) >= 0 -- after it; a join that changes nothing would be planned away
  on conflict (delivery_id) where sent_at is null and delivery_id is not null
    do update set held_until = excluded.held_until, due_at = now()
  returning id, queue, body, held_until
)
select id as message_id, queue, body, held_until > now() as is_held, (select max(created_at) from again) as latest
from message
"""


def deliveries(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[Delivery]:
    """Newest first. `filters`: webhook_id, status, event_id, before, before_id, limit."""
    return [_delivery(row) for row in db.query(_DELIVERIES, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)]


def delivery(db: Database, tenant_id: UUID, delivery_id: UUID) -> LoggedDelivery | None:
    """The delivery with its latest attempts, or None when this tenant has no such."""
    asked = {"tenant_id": tenant_id, "id": delivery_id, "limit": MAX_SHOWN_ATTEMPTS}

    # Sent together, so that all of it is one round trip.
    def work(cursor: Cursor) -> tuple[Cursor, Cursor, Cursor]:
        of_delivery, of_event, of_attempts = (cursor.connection.cursor() for _ in range(3))
        of_delivery.execute(_ONE_DELIVERY, asked)
        of_event.execute(_ITS_EVENT, asked)
        of_attempts.execute(_ATTEMPTS, asked)
        return of_delivery, of_event, of_attempts

    found, told, tried = (each.fetchall() for each in db.run(work, tenant_id=tenant_id))
    if not found or not told:
        return None
    return LoggedDelivery(_delivery(found[0]), [Attempt(**row) for row in tried], event_of(told[0]))


def events(db: Database, tenant_id: UUID, filters: Mapping[str, Any]) -> list[Event]:
    """Newest first. `filters`: type, job_id, batch_id, before, before_id, limit."""
    rows = db.query(_EVENTS, {**filters, "tenant_id": tenant_id}, tenant_id=tenant_id)
    return [event_of(row) for row in rows]


def target(cursor: Cursor, tenant_id: UUID, delivery_id: UUID) -> UUID | None:
    """Which webhook a delivery is for, None when this tenant has no such delivery."""
    row = cursor.execute(
        "select d.webhook_id from scrapersky.webhook_deliveries as d"
        " join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id"
        " where d.tenant_id = %s and d.id = %s and w.deleted_at is null",
        (tenant_id, delivery_id),
    ).fetchone()
    return row["webhook_id"] if row else None


def replay(cursor: Cursor, parameters: Mapping[str, Any]) -> tuple[Replayed, list[Message]]:
    """Set deliveries of an endpoint pending anew, with their messages.

    `parameters`: webhook_id, id (of one alone), since, until, status, limit, correlation_id, hold and sent_at_once, how
    many of the messages are held for the caller to send; the sweep sends the others.

    Returns:
        How many there are and when the latest was made, and the messages to send.
    """
    rows = cursor.execute(_REPLAY, parameters).fetchall()
    return Replayed(len(rows), rows[0]["latest"] if rows else None), [owed(row) for row in rows if row["is_held"]]


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(**{**row, "status": DeliveryStatus(row["status"])})
