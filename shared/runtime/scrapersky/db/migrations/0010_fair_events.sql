-- Each tenant has its turn. What had waited longest went first, over all tenants: one whose ten thousand jobs ended held
-- up the events, and the owed messages, of everybody else. And a delivery that killed its worker each time was tried for
-- ever, since a try was counted when its outcome was stored.

-- Work goes on meanwhile: whoever ends jobs, hands events on or stores deliveries locks these in this order.
lock table scrapersky.jobs in share row exclusive mode;
lock table scrapersky.events in share mode;
lock table scrapersky.webhook_deliveries in access exclusive mode;
lock table scrapersky.outbox in share mode;

-- --- turns ---
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

-- --- lost workers of deliveries ---
alter table scrapersky.webhook_deliveries
  add column claims integer not null default 0; -- in a row, since an outcome was stored: all but the last were lost

-- As it was (0008), and an outcome more:
--   spent     this token holds the lease now, but p_max_claims before it were lost: to be stored as a try that failed
create function scrapersky.claim_deliveries(
  p_ids uuid[], p_token uuid, p_lease interval, p_workers integer, p_code text, p_reasons jsonb,
  p_max_claims integer)
returns table (
  outcome text, id uuid, tenant_id uuid, webhook_id uuid, event_id uuid, type text, occurred_at timestamptz, data jsonb,
  correlation_id text, url text, secret_version integer, has_previous_secret boolean, tries integer, attempts integer,
  failing_for interval)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  -- One claim of an endpoint at a time, or each would count without the others. The next statement sees what those
  -- before it did.
  perform from scrapersky.webhooks as w
  where (w.tenant_id, w.id) in (
    select d.tenant_id, d.webhook_id from scrapersky.webhook_deliveries as d where d.id = any (p_ids))
  order by w.id
  for no key update;

  return query
  with locked as materialized (
    select d.* from scrapersky.webhook_deliveries as d where d.id = any (p_ids)
    for update skip locked -- who stores holds a delivery and may wait for its endpoint, which is held here
  ), state as (
    select d.id, d.tenant_id, d.webhook_id, d.created_at, w.failing_since, w.disabled_reason,
           case when d.status <> 'pending' then 'final'
                when d.lease_until > now() and d.lease_token <> p_token then 'leased'
                when not w.is_enabled then 'disabled'
                when d.next_attempt_at > now() + interval '1 second' then 'early' -- queues count in seconds
                when w.paused_until > now() then 'waiting'
                else 'free' end as state,
           -- This claim is one more, unless it is made again since its answer was lost. A replay has no token.
           case when d.lease_token is null then 0 else d.claims end
             + case when p_max_claims is null or (d.lease_token = p_token and d.lease_until is not null) then 0
                    else 1 end as claims
    from locked as d
    join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
  ), busy as materialized ( -- once an endpoint
    select endpoint.webhook_id, count(distinct d.lease_token) as workers
    from (select distinct state.tenant_id, state.webhook_id from state where state.state = 'free') as endpoint
    join scrapersky.webhook_deliveries as d on d.tenant_id = endpoint.tenant_id and d.webhook_id = endpoint.webhook_id
    where d.lease_until > now() and d.lease_token <> p_token
    group by endpoint.webhook_id
  ), ranked as (
    select state.*, row_number() over (partition by state.webhook_id order by state.created_at, state.id) as place,
           coalesce(busy.workers, 0) as workers
    from state left join busy on busy.webhook_id = state.webhook_id
    where state.state = 'free'
  ), admitted as (
    select ranked.id from ranked
    where case when ranked.failing_since is null then ranked.workers < p_workers
               else ranked.workers = 0 and ranked.place = 1 end
  ), changed as (
    update scrapersky.webhook_deliveries as d
    set lease_token = case when state.state = 'free' and admitted.id is not null then p_token else d.lease_token end,
        lease_until = case when state.state = 'free' and admitted.id is not null then now() + p_lease end,
        claims = case when state.state = 'free' and admitted.id is not null then state.claims else d.claims end,
        is_waiting = state.state <> 'disabled' and admitted.id is null,
        status = case when state.state = 'disabled' then 'failed' else d.status end,
        error_code = case when state.state = 'disabled' then p_code else d.error_code end,
        error_message = case when state.state = 'disabled' then p_reasons ->> state.disabled_reason
                             else d.error_message end,
        finished_at = case when state.state = 'disabled' then now() end,
        updated_at = now()
    from state left join admitted on admitted.id = state.id
    where d.id = state.id and state.state in ('free', 'waiting', 'disabled')
    returning d.id, case when state.state = 'disabled' then 'disabled'
                         when admitted.id is null then 'waiting'
                         when state.claims > p_max_claims then 'spent'
                         else 'claimed' end as outcome
  )
  select coalesce(changed.outcome, state.state), d.id, d.tenant_id, d.webhook_id, d.event_id, e.type, e.occurred_at,
         e.data, e.correlation_id, w.url, w.secret_version, coalesce(w.previous_secret_until > now(), false), d.tries,
         d.attempts, coalesce(now() - w.failing_since, interval '0')
  from locked as d
  join state on state.id = d.id
  join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
  join scrapersky.events as e on e.tenant_id = d.tenant_id and e.id = d.event_id
  left join changed on changed.id = d.id
  union all
  select 'leased', d.id, d.tenant_id, d.webhook_id, d.event_id, e.type, e.occurred_at, e.data, e.correlation_id, w.url,
         w.secret_version, false, d.tries, d.attempts, interval '0'
  from scrapersky.webhook_deliveries as d
  join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
  join scrapersky.events as e on e.tenant_id = d.tenant_id and e.id = d.event_id
  where d.id = any (p_ids) and not exists (select from locked where locked.id = d.id);
end $$;

-- For workers of the version before, which know none that are spent, and do not set the count back.
create or replace function scrapersky.claim_deliveries(
  p_ids uuid[], p_token uuid, p_lease interval, p_workers integer, p_code text, p_reasons jsonb)
returns table (
  outcome text, id uuid, tenant_id uuid, webhook_id uuid, event_id uuid, type text, occurred_at timestamptz, data jsonb,
  correlation_id text, url text, secret_version integer, has_previous_secret boolean, tries integer, attempts integer,
  failing_for interval)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  select * from scrapersky.claim_deliveries(p_ids, p_token, p_lease, p_workers, p_code, p_reasons, null)
$$;

do $$
declare
  door constant regprocedure :=
    'scrapersky.claim_deliveries(uuid[], uuid, interval, integer, text, jsonb, integer)';
begin
  grant create on schema scrapersky to scrapersky_system; -- an owner of a function must be allowed to make one
  execute format('revoke all on function %s from public', door);
  execute format('grant execute on function %s to scrapersky_app', door);
  execute format('alter function %s owner to scrapersky_system', door);
  revoke create on schema scrapersky from scrapersky_system;
end $$;
