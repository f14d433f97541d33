"""The SQL of deliveries to webhooks: claimed, stored, owed again. Every write after the claim carries its token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg import errors
from psycopg.rows import DictRow

from scrapersky.db.connection import Database
from scrapersky.db.migrate import outdated
from scrapersky.db.outbox import HOLD
from scrapersky.db.values import jsonb, storable_text
from scrapersky.domain.webhooks import DISABLED_MESSAGES, FAILING_FOR, MAX_CLAIMS, WEBHOOK_DISABLED, Decision
from scrapersky.queues import DELAY_LIMIT_SECONDS, Message

RESPONSE_CHARS: Final = 1024  # of an answer in the log, as its column has it
MESSAGE_CHARS: Final = 500  # of an error; those of a fetch are a line

FIRST_WAITING: Final = 10
"""Of what waits for an endpoint that is well, so many are owed at a time: what one worker takes."""


class ClaimOutcome(StrEnum):
    """What became of a claim; the migration says what each means."""

    CLAIMED = "claimed"
    SPENT = "spent"
    WAITING = "waiting"
    DISABLED = "disabled"
    LEASED = "leased"
    EARLY = "early"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery as its worker gets it: what to say, to whom, and how it went so far."""

    outcome: ClaimOutcome
    id: UUID
    tenant_id: UUID
    webhook_id: UUID
    event_id: UUID
    type: str
    occurred_at: datetime
    data: dict[str, Any]
    correlation_id: str
    url: str
    secret_version: int
    has_previous_secret: bool
    tries: int
    attempts: int
    failing_for: timedelta


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: when it began (worker's clock), how long it took, and what came of it."""

    started_at: datetime
    ms: int
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    response: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store came to: whether it was still the worker's, the message to send, whether others wait."""

    is_held: bool
    message: Message | None
    others_wait: bool


# A deployment's functions are there before its migrations, as for jobs.
_CLAIM = """
select claim.* from scrapersky.claim_deliveries(
  %(ids)s::uuid[], %(token)s, %(lease)s, %(workers)s, %(code)s, %(reasons)s, %(max_claims)s) as claim
"""

# Those that another worker takes up right now are passed over.
_CLAIM_WAITING = """
select claim.* from scrapersky.claim_deliveries(
  array(
    select d.id from scrapersky.webhook_deliveries as d
    where d.tenant_id = %(tenant_id)s and d.webhook_id = %(webhook_id)s and d.is_waiting and d.status = 'pending'
    order by d.next_attempt_at
    limit %(limit)s
    for update skip locked),
  %(token)s, %(lease)s, %(workers)s, %(code)s, %(reasons)s, %(max_claims)s) as claim
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """How deliveries are claimed: whose they are, for how long, and how many workers an endpoint may have at once."""

    token: UUID
    length: timedelta
    workers: int

    def parameters(self) -> dict[str, Any]:
        return {
            "token": self.token,
            "lease": self.length,
            "workers": self.workers,
            "code": WEBHOOK_DISABLED,
            "reasons": jsonb(dict(DISABLED_MESSAGES)),
            "max_claims": MAX_CLAIMS,
        }


def claim(db: Database, ids: Sequence[UUID], lease: Lease) -> list[Claim]:
    """Claim what can be claimed of `ids`; one that is no delivery has no row in the answer.

    Raises:
        Unavailable: the database is of an older version than this one; nothing was claimed.
    """
    try:
        rows = db.query(_CLAIM, {"ids": list(ids), **lease.parameters()})
    except errors.UndefinedFunction as error:
        raise outdated() from error
    return [_claim(row) for row in rows]


def claim_waiting(db: Database, tenant_id: UUID, webhook_id: UUID, lease: Lease, *, limit: int) -> list[Claim]:
    """Claim what waits for an endpoint that is well again, the longest wait first."""
    parameters = {"tenant_id": tenant_id, "webhook_id": webhook_id, "limit": limit, **lease.parameters()}
    return [_claim(row) for row in db.query(_CLAIM_WAITING, parameters, tenant_id=tenant_id)]


# Each of these comes to the same when it is carried out twice: the lease ends with the first.
_STORE = """
with tried as (
  update scrapersky.webhook_deliveries as d
  set status = %(status)s, tries = d.tries + 1, attempts = d.attempts + 1, claims = 0, lease_until = null,
      next_attempt_at = case when %(status)s = 'pending' then now() + %(delay)s else d.next_attempt_at end,
      status_code = %(status_code)s, error_code = %(error_code)s, error_message = %(error_message)s,
      finished_at = case when %(status)s <> 'pending' then now() end, updated_at = now()
  where d.tenant_id = %(tenant_id)s and d.id = %(id)s
    and d.lease_token = %(token)s and d.lease_until is not null and d.status = 'pending'
  returning d.tenant_id, d.id, d.webhook_id, d.attempts, d.next_attempt_at
), logged as (
  insert into scrapersky.webhook_attempts
    (tenant_id, delivery_id, number, url, started_at, ms, status_code, error_code, error_message, response)
  select tenant_id, id, attempts, %(url)s, %(started_at)s, %(ms)s, %(status_code)s, %(error_code)s, %(error_message)s,
         %(response)s
  from tried
), well as (
  update scrapersky.webhooks as w set failing_since = null, paused_until = null
  from tried
  where %(outcome)s = 'delivered' and w.tenant_id = tried.tenant_id and w.id = tried.webhook_id
    and (w.failing_since is not null or w.paused_until is not null)
), unwell as (
  update scrapersky.webhooks as w
  set failing_since = coalesce(w.failing_since, now()),
      paused_until = greatest(w.paused_until, now() + %(pause)s),
      is_enabled = w.is_enabled and verdict is null and not coalesce(w.failing_since <= now() - %(failing_for)s, false),
      disabled_reason = case when not w.is_enabled then w.disabled_reason
                             when w.failing_since <= now() - %(failing_for)s then coalesce(verdict, 'failing')
                             else verdict end,
      disabled_at = case when not w.is_enabled then w.disabled_at
                         when verdict is not null or w.failing_since <= now() - %(failing_for)s then now() end
  from tried, (select case when %(outcome)s = 'gone' then 'gone' end) as told (verdict)
  where %(outcome)s <> 'delivered' and w.tenant_id = tried.tenant_id and w.id = tried.webhook_id
), met as (
  -- A message from before may not be marked yet. What its sender says of it must not be taken for this one.
  update scrapersky.outbox as o set sent_at = now() from tried
  where o.tenant_id = tried.tenant_id and o.delivery_id = tried.id and o.sent_at is null
  returning o.id
), owed as (
  insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, due_at, held_until)
  select tried.tenant_id, tried.id, 'webhook', scrapersky.delivery_message(tried.id, %(correlation_id)s),
         tried.next_attempt_at, greatest(tried.next_attempt_at, now() + %(hold)s)
  from tried
  where %(status)s = 'pending' and (select count(*) from met) >= 0 -- after it
  returning id, queue, body, due_at
)
select exists (select from tried) as is_new,
       -- Ours already: the commit was carried out and its answer lost.
       exists (
         select from scrapersky.webhook_deliveries
         where tenant_id = %(tenant_id)s and id = %(id)s and lease_token = %(token)s and lease_until is null
           and attempts = %(attempts)s + 1) as is_done,
       exists (
         select from scrapersky.webhook_deliveries
         where tenant_id = %(tenant_id)s and webhook_id = %(webhook_id)s and is_waiting and status = 'pending')
         as others_wait,
       owed.id as message_id, owed.queue, owed.body,
       greatest(ceil(extract(epoch from owed.due_at - now())), 0)::integer as delay_seconds
from (select) as one left join owed on true
"""


def store(db: Database, claimed: Claim, token: UUID, decision: Decision, tried: Tried) -> Stored:
    """Write one attempt and what follows from it, for the delivery and its endpoint, in one statement.

    Nothing is written when the token is void. The message of a retry is in the answer when a queue can delay it for as
    long as it has to wait; the sweep sends the others when they are due.
    """
    rows = db.query(
        _STORE,
        {
            "tenant_id": claimed.tenant_id,
            "id": claimed.id,
            "webhook_id": claimed.webhook_id,
            "attempts": claimed.attempts,
            "correlation_id": claimed.correlation_id,
            "url": claimed.url,
            "token": token,
            "outcome": decision.outcome.value,
            "status": decision.status.value,
            "delay": decision.delay or timedelta(0),
            "pause": decision.pause or timedelta(0),
            "failing_for": FAILING_FOR,
            "hold": HOLD,
            "started_at": tried.started_at,
            "ms": tried.ms,
            "status_code": tried.status_code,
            "error_code": tried.error_code,
            "error_message": _cut(tried.error_message, MESSAGE_CHARS),
            "response": _cut(tried.response, RESPONSE_CHARS),
        },
        tenant_id=claimed.tenant_id,
    )
    row = rows[0]
    return Stored(row["is_new"] or row["is_done"], _message(row), row["others_wait"])


_OWE_WAITING = """
with called as (
  update scrapersky.webhook_deliveries as d set is_waiting = false, next_attempt_at = now(), updated_at = now()
  from (
    select tenant_id, id from scrapersky.webhook_deliveries
    where tenant_id = %(tenant_id)s and webhook_id = %(webhook_id)s and is_waiting and status = 'pending'
    order by next_attempt_at
    limit %(limit)s
    for update skip locked
  ) as first
  where d.tenant_id = first.tenant_id and d.id = first.id
  returning d.tenant_id, d.id, d.event_id
)
insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, held_until)
select called.tenant_id, called.id, 'webhook', scrapersky.delivery_message(called.id, e.correlation_id),
       now() + %(hold)s
from called join scrapersky.events as e on e.tenant_id = called.tenant_id and e.id = called.event_id
on conflict do nothing
returning id as message_id, queue, body, 0 as delay_seconds
"""


def owe_waiting(db: Database, tenant_id: UUID, webhook_id: UUID, *, limit: int = FIRST_WAITING) -> list[Message]:
    """Owe the first of what waits for an endpoint, which the caller has no time left for; the messages to send."""
    parameters = {"tenant_id": tenant_id, "webhook_id": webhook_id, "limit": limit, "hold": HOLD}
    rows = db.query(_OWE_WAITING, parameters, tenant_id=tenant_id)
    return [message for row in rows if (message := _message(row)) is not None]


def _claim(row: DictRow) -> Claim:
    return Claim(**{**row, "outcome": ClaimOutcome(row["outcome"])})


def _message(row: Mapping[str, Any]) -> Message | None:
    """What is to be sent now: nothing, when no queue could delay it for as long as it has to wait."""
    if row["message_id"] is None or row["delay_seconds"] > DELAY_LIMIT_SECONDS:
        return None
    return Message(row["message_id"], row["queue"], row["body"], row["delay_seconds"])


def _cut(text: str | None, most: int) -> str | None:
    return None if text is None else storable_text(text)[:most]
