"""The SQL of events on their way: taken by a dispatcher, handed on, and removed when they are past their time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from scrapersky.db.batches import batch_of
from scrapersky.db.connection import Cursor, Database
from scrapersky.db.migrate import newest, outdated
from scrapersky.db.outbox import HOLD, owed
from scrapersky.domain import events as told
from scrapersky.domain.events import ClosedBatch, Event, EventType
from scrapersky.queues import Message

TAKE_LIMIT = 100  # ten calls of PutEvents, and at most a thousand deliveries a transaction
# Longer than a dispatcher takes for what it took, below the sweeper's minute: what it leaves is taken up by the next.
TAKE_HOLD = timedelta(seconds=45)
KEPT = timedelta(days=30)
PURGE_LIMIT = 1000  # rows a statement, as of every sweep


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a transaction handed on: the ids of events that need not be taken again, and messages owed at once.

    `counted` are the ids of those that this dispatcher is to count: the first that had them to hand on, whether or not
    it could. Nobody else is told of one.
    """

    ids: frozenset[UUID]
    counted: frozenset[UUID]
    messages: tuple[Message, ...]


def event_of(row: Mapping[str, Any]) -> Event:
    """The event of a row of `scrapersky.events`."""
    return Event(
        id=row["id"],
        tenant_id=row["tenant_id"],
        type=EventType(row["type"]),
        job_id=row["job_id"],
        batch_id=row["batch_id"],
        webhook_id=row["webhook_id"],
        data=row["data"],
        correlation_id=row["correlation_id"],
        occurred_at=row["occurred_at"],
    )


# What was taken of a database of an older version could not be counted.
_TAKE = """
select schema.version >= %(needed)s collate "C" as fits, taken.*
from (select scrapersky.schema_version() as version) as schema
left join lateral scrapersky.take_events(
  %(token)s, %(hold)s, case when schema.version >= %(needed)s collate "C" then %(limit)s else 0 end) as taken on true
"""


def take(db: Database, token: UUID, *, hold: timedelta = TAKE_HOLD, limit: int = TAKE_LIMIT) -> list[Event]:
    """Events that nobody is handing on, held for this `token`, which says whose turn it is: a new one each call.

    They are of up to `limit` tenants in equal shares, the oldest of each first. Migration 0010 says how they are found.

    Raises:
        Unavailable: the database is of an older version than this one; nothing was taken.
    """
    rows = db.query(_TAKE, {"token": token, "hold": hold, "limit": limit, "needed": newest()})
    if not rows[0]["fits"]:
        raise outdated()
    return [event_of(row) for row in rows if row["id"] is not None]


_DISPATCH = """
select event_id, is_dispatched, is_counted, message_id, queue, body
from scrapersky.dispatch_events(%(token)s, %(tenant_ids)s, %(ids)s, %(done)s, %(ids)s, %(closed)s, %(hold)s)
"""


def dispatch(db: Database, token: UUID, taken: Sequence[Event], *, done: Collection[UUID]) -> Dispatched:
    """Owe the deliveries of `taken` to the endpoints that want them, and write the events of batches that closed.

    Those in `done` are dispatched then; the others are taken again. What `token` holds no longer is left alone.
    """
    parameters = {
        "token": token,
        "tenant_ids": [event.tenant_id for event in taken],
        "ids": [event.id for event in taken],
        "done": list(done),
        "hold": HOLD,
    }
    batches = {(e.tenant_id, e.batch_id) for e in taken if e.type.is_of_a_job and e.batch_id is not None}

    def work(cursor: Cursor) -> Cursor:
        ended = _closed_batches(cursor, sorted(batches)) if batches else []
        return cursor.execute(_DISPATCH, {**parameters, "closed": Jsonb(ended)})

    rows = db.run(work).fetchall()
    return Dispatched(
        frozenset(row["event_id"] for row in rows if row["is_dispatched"]),
        frozenset(row["event_id"] for row in rows if row["is_counted"]),
        tuple(owed(row) for row in rows if row["message_id"] is not None),
    )


def are_waiting(db: Database) -> bool:
    """Whether there is an event that nobody is handing on."""
    return bool(db.query("select scrapersky.has_events_to_dispatch() as found", {})[0]["found"])


def purge(db: Database, *, kept: timedelta = KEPT, limit: int = PURGE_LIMIT) -> int:
    """Remove events that are past their time, with their deliveries, unless one is still to be made; tell how many."""
    row = db.query("select scrapersky.purge_events(%(kept)s, %(limit)s) as gone", {"kept": kept, "limit": limit})[0]
    return int(row["gone"])


def _closed_batches(cursor: Cursor, batches: Sequence[tuple[UUID, UUID | None]]) -> list[dict[str, Any]]:
    rows = cursor.execute(
        "select * from scrapersky.closed_batches(%s, %s)",
        ([tenant_id for tenant_id, _ in batches], [batch_id for _, batch_id in batches]),
    ).fetchall()
    return [_row_of(told.closed(batch_of(row), row["correlation_id"])) for row in rows]


def _row_of(closed: ClosedBatch) -> dict[str, Any]:
    return {
        "tenant_id": str(closed.tenant_id),
        "batch_id": str(closed.batch_id),
        "type": closed.type.value,
        "data": closed.data,
        "correlation_id": closed.correlation_id,
        "occurred_at": closed.occurred_at.isoformat(),
    }
