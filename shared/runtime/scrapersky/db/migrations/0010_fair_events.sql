-- Each tenant has its turn. What had waited longest went first, over all tenants: one whose ten thousand jobs ended held
-- up the events, and the owed messages, of everybody else.

-- The tenants stand in a circle, in the order of a hash of their ids: whatever the ids are like, each is as likely as
-- another to be met from a point that is chosen at random. These indexes lead from tenant to tenant of those that have
-- something waiting, and in each to what has waited longest, however much there is.
create index events_by_turn on scrapersky.events (uuid_hash_extended(tenant_id, 0), tenant_id, held_until)
  where dispatched_at is null;

-- Events that nobody is handing on, held for one dispatcher: what was refused before comes after what is new.
-- They are of the tenants next to a point in the circle that the token says, p_limit at the most, in equal shares, and
-- of the tenant whose event has waited longest, so that none depends on luck. What the shares leave over is filled up
-- with the oldest of all.
create or replace function scrapersky.take_events(p_token uuid, p_hold interval, p_limit integer)
returns table (
  id uuid, tenant_id uuid, type text, job_id uuid, batch_id uuid, webhook_id uuid, data jsonb, correlation_id text,
  occurred_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with recursive circle (turn, tenant_id, place, first) as (
    select uuid_hash_extended(p_token, 0), '00000000-0000-0000-0000-000000000000'::uuid, 0, null::uuid
    union all
    select next.turn, next.tenant_id, circle.place + 1, coalesce(circle.first, next.tenant_id)
    from circle cross join lateral (
      (select uuid_hash_extended(e.tenant_id, 0) as turn, e.tenant_id from scrapersky.events as e
       where e.dispatched_at is null
         and (uuid_hash_extended(e.tenant_id, 0), e.tenant_id) > (circle.turn, circle.tenant_id)
       order by uuid_hash_extended(e.tenant_id, 0), e.tenant_id limit 1)
      union all -- after the last comes the first
      (select uuid_hash_extended(e.tenant_id, 0), e.tenant_id from scrapersky.events as e
       where e.dispatched_at is null
       order by uuid_hash_extended(e.tenant_id, 0), e.tenant_id limit 1)
      limit 1
    ) as next
    where circle.place < p_limit - 1 and next.tenant_id is distinct from circle.first
  ), oldest as (
    select e.tenant_id from scrapersky.events as e
    where e.dispatched_at is null and e.held_until <= now()
    order by e.held_until
    limit 1
  ), tenants as materialized (
    select circle.tenant_id from circle
    where circle.place > 0 and exists (
      select from scrapersky.events as e
      where uuid_hash_extended(e.tenant_id, 0) = circle.turn and e.tenant_id = circle.tenant_id
        and e.dispatched_at is null and e.held_until <= now())
    union
    select oldest.tenant_id from oldest
  ), shares as materialized (
    select share.tenant_id, share.id from tenants cross join lateral (
      select e.tenant_id, e.id from scrapersky.events as e
      where uuid_hash_extended(e.tenant_id, 0) = uuid_hash_extended(tenants.tenant_id, 0)
        and e.tenant_id = tenants.tenant_id and e.dispatched_at is null and e.held_until <= now()
      order by uuid_hash_extended(e.tenant_id, 0), e.held_until -- as the index has them
      limit p_limit / (select count(*) from tenants)
      for update skip locked
    ) as share
  ), rest as (
    select e.tenant_id, e.id from scrapersky.events as e
    where e.dispatched_at is null and e.held_until <= now() and e.id not in (select shares.id from shares)
    order by e.held_until
    limit p_limit - (select count(*) from shares)
    for update skip locked
  ), taken as (
    select array_agg(found.tenant_id) as tenant_ids, array_agg(found.id) as ids
    from (select * from shares union all select * from rest) as found
  )
  update scrapersky.events as e
  set held_until = now() + p_hold, held_by = p_token
  -- An array is taken to be short. Of a limit that it does not know the planner thinks that a tenth of all rows comes.
  from taken, unnest(taken.tenant_ids, taken.ids) as due (tenant_id, id)
  where e.tenant_id = due.tenant_id and e.id = due.id
  returning e.id, e.tenant_id, e.type, e.job_id, e.batch_id, e.webhook_id, e.data, e.correlation_id, e.occurred_at
$$;

-- Messages owed, for one sender to send, held so that no other takes them in the meantime: from a point in the circle at
-- random, in shares as of events.
create index outbox_by_turn on scrapersky.outbox (uuid_hash_extended(tenant_id, 0), tenant_id, held_until)
  where sent_at is null;

create or replace function scrapersky.take_outbox(p_hold interval, p_limit integer)
returns table (id bigint, queue text, body jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with recursive circle (turn, tenant_id, place, first) as (
    select uuid_hash_extended(gen_random_uuid(), 0), '00000000-0000-0000-0000-000000000000'::uuid, 0, null::uuid
    union all
    select next.turn, next.tenant_id, circle.place + 1, coalesce(circle.first, next.tenant_id)
    from circle cross join lateral (
      (select uuid_hash_extended(o.tenant_id, 0) as turn, o.tenant_id from scrapersky.outbox as o
       where o.sent_at is null
         and (uuid_hash_extended(o.tenant_id, 0), o.tenant_id) > (circle.turn, circle.tenant_id)
       order by uuid_hash_extended(o.tenant_id, 0), o.tenant_id limit 1)
      union all
      (select uuid_hash_extended(o.tenant_id, 0), o.tenant_id from scrapersky.outbox as o
       where o.sent_at is null
       order by uuid_hash_extended(o.tenant_id, 0), o.tenant_id limit 1)
      limit 1
    ) as next
    where circle.place < p_limit - 1 and next.tenant_id is distinct from circle.first
  ), oldest as (
    select o.tenant_id from scrapersky.outbox as o
    where o.sent_at is null and o.held_until <= now()
    order by o.held_until
    limit 1
  ), tenants as materialized (
    select circle.tenant_id from circle
    where circle.place > 0 and exists (
      select from scrapersky.outbox as o
      where uuid_hash_extended(o.tenant_id, 0) = circle.turn and o.tenant_id = circle.tenant_id
        and o.sent_at is null and o.held_until <= now())
    union
    select oldest.tenant_id from oldest
  ), shares as materialized (
    select share.id from tenants cross join lateral (
      select o.id from scrapersky.outbox as o
      where uuid_hash_extended(o.tenant_id, 0) = uuid_hash_extended(tenants.tenant_id, 0)
        and o.tenant_id = tenants.tenant_id and o.sent_at is null and o.held_until <= now()
      order by uuid_hash_extended(o.tenant_id, 0), o.held_until
      limit p_limit / (select count(*) from tenants)
      for update skip locked
    ) as share
  ), rest as (
    select o.id from scrapersky.outbox as o
    where o.sent_at is null and o.held_until <= now() and o.id not in (select shares.id from shares)
    order by o.held_until
    limit p_limit - (select count(*) from shares)
    for update skip locked
  )
  update scrapersky.outbox as o
  set held_until = now() + p_hold, tries = o.tries + 1
  where o.id = any (array(select shares.id from shares union all select rest.id from rest))
  returning o.id, o.queue, o.body
$$;
