-- Everybody locks in one order: jobs by id, then hosts by name. Claims took hosts first. One that met a cancel leased the
-- host to nobody, for as long as a lease lasts, and told of a job put off that had ended; and statements about many rows
-- waited for each other until the server ended one. And each end of a job is counted when it is first handed on,
-- whatever the bus says: with the bus away the metrics stood still for a day.

-- Work goes on meanwhile: whoever ends jobs locks these in this order.
lock table scrapersky.jobs in share row exclusive mode;
lock table scrapersky.events in access exclusive mode;

-- --- claims ---
-- As of 0004 and 0007, in the order. What is claimed is decided when the jobs are locked, so that nobody else's end of one
-- is overlooked. For a job that another transaction holds it waits for a second and no longer, since it keeps the other
-- jobs waiting: whoever holds one for longer ends ten thousand at once, or is gone. Such a job is told as it still stands,
-- a pending one as busy, and is asked for again.
create or replace function scrapersky.claim_jobs(p_ids uuid[], p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  patience constant text := current_setting('lock_timeout');
  waits boolean;
  is_locked boolean := false;
  locked_ids uuid[];
  claimed_ids uuid[];
begin
  foreach waits in array array[true, false] loop
    begin
      if waits then
        perform set_config('lock_timeout', '1s', true);
      end if;
      -- The rows are looked at again when they are locked.
      if waits then
        locked_ids := array(
          select l.id from (
            select j.id from scrapersky.jobs as j
            where j.id = any (p_ids)
              and (
                (j.status = 'pending' and j.attempt < p_max_attempts)
                or (j.status = 'running' and j.lease_token = p_token)
                or (j.status = 'running' and j.lease_until < now() and j.attempt < p_max_attempts))
            order by j.id
            for no key update) as l);
      else
        locked_ids := array(
          select l.id from (
            select j.id from scrapersky.jobs as j
            where j.id = any (p_ids)
              and (
                (j.status = 'pending' and j.attempt < p_max_attempts)
                or (j.status = 'running' and j.lease_token = p_token)
                or (j.status = 'running' and j.lease_until < now() and j.attempt < p_max_attempts))
            order by j.id
            for no key update skip locked) as l);
      end if;
      perform set_config('lock_timeout', patience, true);
      is_locked := true;

      with hosts as (
        insert into scrapersky.host_leases as h (host, job_id, token, until)
        select first.host, first.id, p_token, now() + p_lease
        from (
          -- What a search leases in the place of a host is the very search, which is its tenant's own.
          select distinct on (subject.host) subject.host, j.id
          from scrapersky.jobs as j, lateral (
            select case j.kind when 'places_search' then j.tenant_id || ' ' || md5(j.request ->> 'search')
                   else j.domain end
          ) as subject (host)
          where j.id = any (locked_ids)
          order by subject.host, j.created_at, j.id
        ) as first
        order by first.host
        on conflict (host) do update
          set job_id = excluded.job_id, token = excluded.token, until = excluded.until, is_pause = false
          -- Not by the job alone: a second delivery at the same moment must not take the host from under its worker.
          where h.until < now() or (h.job_id = excluded.job_id and h.token = excluded.token and not h.is_pause)
        returning h.job_id
      )
      select coalesce(array_agg(hosts.job_id), '{}') into claimed_ids from hosts;

      update scrapersky.jobs as j
      set status = 'running',
          attempt = j.attempt + (j.lease_token is distinct from p_token)::integer,
          lease_token = p_token,
          lease_until = now() + p_lease,
          started_at = coalesce(j.started_at, now()),
          updated_at = now()
      where j.id = any (claimed_ids);
      exit;
    exception when lock_not_available then
      if is_locked then -- it was a host, which is not held for long: the whole is tried again
        raise;
      end if;
    end;
  end loop;

  return query
  select
    case
      when j.id = any (claimed_ids) then 'claimed'
      when j.status in ('complete', 'failed', 'cancelled') then 'final'
      when j.status = 'running' and j.lease_until >= now() then 'leased'
      when j.attempt >= p_max_attempts then 'spent'
      else 'busy'
    end,
    j.id, j.tenant_id, j.kind, j.domain, j.request, j.attempt, j.correlation_id
  from scrapersky.jobs as j
  where j.id = any (p_ids);
end $$;

-- As of 0007, in the order.
create or replace function scrapersky.renew_leases(
  p_ids uuid[], p_progress double precision[], p_token uuid, p_lease interval)
returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  held_ids constant uuid[] := array(
    select l.id from (
      select j.id from scrapersky.jobs as j
      where j.id = any (p_ids) and j.lease_token = p_token and j.status = 'running'
      order by j.id
      for no key update) as l);
begin
  update scrapersky.jobs as j
  set lease_until = now() + p_lease,
      progress = greatest(j.progress, held.progress),
      -- A renewed lease is no news to those who wait for some.
      updated_at = case when held.progress > j.progress then now() else j.updated_at end
  from unnest(p_ids, p_progress) as held (id, progress)
  where j.id = held.id and j.id = any (held_ids);

  perform from scrapersky.host_leases as h
  where h.job_id = any (held_ids) and h.token = p_token
  order by h.host
  for no key update;
  update scrapersky.host_leases as h set until = now() + p_lease
  where h.job_id = any (held_ids) and h.token = p_token;

  return query select unnest(held_ids);
end $$;

-- As of 0004, in the order. The hosts are free whether or not the jobs were still the token's.
create or replace function scrapersky.release_jobs(p_ids uuid[], p_token uuid)
returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  held_ids constant uuid[] := array(
    select l.id from (
      select j.id from scrapersky.jobs as j
      where j.id = any (p_ids) and j.lease_token = p_token and j.status = 'running'
      order by j.id
      for no key update) as l);
begin
  update scrapersky.jobs as j
  set status = 'pending', attempt = greatest(j.attempt - 1, 0), lease_token = null, lease_until = null,
      progress = 0, enqueued_at = now(), updated_at = now()
  where j.id = any (held_ids);

  perform from scrapersky.host_leases as h
  where h.job_id = any (p_ids) and h.token = p_token
  order by h.host
  for no key update;
  update scrapersky.host_leases as h set until = now() where h.job_id = any (p_ids) and h.token = p_token;

  -- Its message is here before its sender has said so. What the sender says then must not be taken for the next one.
  update scrapersky.outbox as o set sent_at = now() where o.job_id = any (held_ids) and o.sent_at is null;
  insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
  select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now()
  from scrapersky.jobs as j
  where j.id = any (held_ids) and j.batch_id is null
  on conflict do nothing;

  return cardinality(held_ids);
end $$;

-- As of 0002, in the order, here and below.
create or replace function scrapersky.free_hosts(p_ids uuid[], p_token uuid, p_pause interval) returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with held as materialized (
    select h.host from scrapersky.host_leases as h
    where h.job_id = any (p_ids) and h.token = p_token
    order by h.host
    for no key update
  ), freed as (
    update scrapersky.host_leases as h set until = now() + p_pause, is_pause = true
    from held where h.host = held.host
    returning 1
  )
  select count(*)::integer from freed
$$;

create or replace function scrapersky.fail_dead_letters(p_ids uuid[])
returns table (id uuid, batch_id uuid)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with given_up as materialized (
    select j.id from scrapersky.jobs as j
    where j.id = any (p_ids)
      and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
    order by j.id
    for no key update
  )
  update scrapersky.jobs as j
  set status = 'failed', error_code = 'worker_lost',
      error_message = 'its message was given up after repeated deliveries',
      lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
  from given_up
  where j.id = given_up.id
  returning j.id, j.batch_id
$$;

-- Of the hosts it takes what nobody holds: it waits for none, and the sweep comes back.
create or replace function scrapersky.purge_expired(p_sent_before interval, p_limit integer)
returns table (idempotency_keys integer, outbox integer, host_leases integer)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with old_keys as (
    delete from scrapersky.idempotency_keys
    where (tenant_id, key) in (
      select tenant_id, key from scrapersky.idempotency_keys where expires_at < now()
      order by expires_at limit p_limit)
      and expires_at < now() -- looked at again: a request may have taken the key over meanwhile
    returning 1
  ), old_messages as (
    delete from scrapersky.outbox
    where id in (
      select id from scrapersky.outbox where sent_at < now() - p_sent_before
      order by sent_at limit p_limit)
    returning 1
  ), over as materialized (
    select host from scrapersky.host_leases where until < now() - interval '1 minute'
    order by until
    limit p_limit
    for update skip locked
  ), old_hosts as (
    delete from scrapersky.host_leases as h using over where h.host = over.host
    returning 1
  )
  select (select count(*) from old_keys)::integer, (select count(*) from old_messages)::integer,
         (select count(*) from old_hosts)::integer
$$;

-- As of 0008, in the order.
create or replace function scrapersky.sweep_batches(p_after interval, p_max_restarts integer, p_limit integer)
returns table (restarted integer, failed integer, batches jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with stuck as (
    select b.tenant_id, b.id, b.correlation_id,
           -- A round that ended something was not in vain.
           case when exists (
             select from scrapersky.jobs as j
             where j.tenant_id = b.tenant_id and j.batch_id = b.id and j.finished_at > b.begun_at)
           then 0 else b.restarts end as restarts
    from (
      -- By what is open, so that the cost does not grow with the batches that are over.
      select distinct j.tenant_id, j.batch_id from scrapersky.jobs as j
      where j.batch_id is not null and j.status in ('pending', 'running')
    ) as open
    join scrapersky.batches as b on b.tenant_id = open.tenant_id and b.id = open.batch_id
    where b.begun_at < now() - p_after
      and not exists (
        select from scrapersky.jobs as j
        where j.tenant_id = b.tenant_id and j.batch_id = b.id and j.updated_at >= now() - p_after)
      and not exists (
        select from scrapersky.outbox as o
        where o.tenant_id = b.tenant_id and o.batch_id = b.id and o.sent_at is null)
    order by b.begun_at
    limit p_limit
    for update of b skip locked
  ), restarted as (
    update scrapersky.batches as b
    set round = b.round + 1, restarts = stuck.restarts + 1, begun_at = now()
    from stuck
    where b.tenant_id = stuck.tenant_id and b.id = stuck.id and stuck.restarts < p_max_restarts
    returning b.*
  ), owed as (
    insert into scrapersky.outbox (tenant_id, batch_id, queue, body, held_until)
    select tenant_id, id, 'batch', scrapersky.batch_message(run, round, correlation_id), now()
    from restarted
    on conflict do nothing
  ), left_open as materialized (
    select j.id
    from stuck
    join scrapersky.jobs as j on j.tenant_id = stuck.tenant_id and j.batch_id = stuck.id
    where stuck.restarts >= p_max_restarts
      and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
    order by j.id
    for no key update of j
  ), ended as (
    update scrapersky.jobs as j
    set status = 'failed', error_code = 'worker_lost', error_message = 'its batch was restarted in vain',
        lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
    from left_open
    where j.id = left_open.id
    returning 1
  ), told as (
    select id, correlation_id, restarts < p_max_restarts as is_restarted from stuck limit 100
  )
  select (select count(*) from restarted)::integer, (select count(*) from ended)::integer,
         (select coalesce(jsonb_agg(jsonb_build_object(
            'batch_id', told.id, 'correlation_id', told.correlation_id, 'restarted', told.is_restarted)), '[]')
          from told)
$$;

-- --- events are counted once ---
alter table scrapersky.events
  add column counted_by uuid; -- the token of the dispatcher that counted it; null before, and of what was before 0011

-- As of 0008, and what the dispatcher is to count: of `p_counted` what no other has. Done twice by one token, as after an
-- answer that was lost, it says so twice. A row an event of which something is to be said, and a row a message that is
-- owed at once.
create function scrapersky.dispatch_events(
  p_token uuid, p_tenant_ids uuid[], p_ids uuid[], p_done uuid[], p_counted uuid[], p_closed jsonb, p_hold interval)
returns table (
  event_id uuid, is_dispatched boolean, is_counted boolean, message_id bigint, queue text, body jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with held as (
    select e.* from unnest(p_tenant_ids, p_ids) as asked (tenant_id, id)
    join scrapersky.events as e on e.tenant_id = asked.tenant_id and e.id = asked.id
    where e.held_by = p_token
    order by e.tenant_id, e.id -- two dispatchers lock the same events in the same order
    for update of e
  ), wanted as (
    select w.tenant_id, w.id as webhook_id, held.id as event_id, held.correlation_id,
           greatest(now(), w.paused_until) as due_at
    from held join scrapersky.webhooks as w on w.tenant_id = held.tenant_id
    where held.dispatched_at is null and w.is_enabled
      and case when held.type = 'webhook.test' then w.id = held.webhook_id else held.type = any (w.events) end
      and w.created_at <= held.occurred_at -- nobody is told of what was before
    for key share of w -- one that is deleted meanwhile must not take the other events along
  ), told as (
    insert into scrapersky.webhook_deliveries as d (tenant_id, webhook_id, event_id, next_attempt_at)
    select wanted.tenant_id, wanted.webhook_id, wanted.event_id, wanted.due_at from wanted
    on conflict (tenant_id, webhook_id, event_id) do nothing
    returning d.tenant_id, d.id, d.event_id, d.next_attempt_at
  ), owed as (
    insert into scrapersky.outbox as o (tenant_id, delivery_id, queue, body, held_until, due_at)
    select told.tenant_id, told.id, 'webhook', scrapersky.delivery_message(told.id, held.correlation_id),
           greatest(now() + p_hold, told.next_attempt_at), told.next_attempt_at
    from told join held on held.tenant_id = told.tenant_id and held.id = told.event_id
    on conflict do nothing
    returning o.id, o.queue, o.body, o.due_at
  ), closed as (
    insert into scrapersky.events (tenant_id, type, batch_id, data, correlation_id, occurred_at)
    select c.tenant_id, c.type, c.batch_id, c.data, c.correlation_id, c.occurred_at
    from jsonb_to_recordset(p_closed) as c (
      tenant_id uuid, batch_id uuid, type text, data jsonb, correlation_id text, occurred_at timestamptz)
    on conflict (tenant_id, batch_id, occurred_at) where type like 'batch.%' do nothing
  ), handled as (
    update scrapersky.events as e
    set dispatched_at = case when held.id = any (p_done) then coalesce(e.dispatched_at, now()) else e.dispatched_at end,
        counted_by = case when held.id = any (p_counted) then coalesce(e.counted_by, p_token) else e.counted_by end
    from held
    where e.tenant_id = held.tenant_id and e.id = held.id
      and (held.id = any (p_done) or (held.id = any (p_counted) and coalesce(held.counted_by, p_token) = p_token))
    returning e.id, e.id = any (p_done) as is_dispatched, coalesce(e.counted_by = p_token, false) as is_counted
  )
  select handled.id, handled.is_dispatched, handled.is_counted, null::bigint, null::text, null::jsonb from handled
  union all
  select null, null, null, owed.id, owed.queue, owed.body from owed where owed.due_at <= now()
$$;

-- For dispatchers of the version before, which count what they are told is dispatched, when it is: of what another has
-- counted they are told nothing.
create or replace function scrapersky.dispatch_events(
  p_token uuid, p_tenant_ids uuid[], p_ids uuid[], p_done uuid[], p_closed jsonb, p_hold interval)
returns table (event_id uuid, message_id bigint, queue text, body jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  select d.event_id, d.message_id, d.queue, d.body
  from scrapersky.dispatch_events(p_token, p_tenant_ids, p_ids, p_done, p_done, p_closed, p_hold) as d
  where d.message_id is not null or (d.is_dispatched and d.is_counted)
$$;

do $$
declare
  door constant regprocedure :=
    'scrapersky.dispatch_events(uuid, uuid[], uuid[], uuid[], uuid[], jsonb, interval)';
begin
  grant create on schema scrapersky to scrapersky_system; -- an owner of a function must be allowed to make one
  execute format('revoke all on function %s from public', door);
  execute format('grant execute on function %s to scrapersky_app', door);
  execute format('alter function %s owner to scrapersky_system', door);
  revoke create on schema scrapersky from scrapersky_system;
end $$;
