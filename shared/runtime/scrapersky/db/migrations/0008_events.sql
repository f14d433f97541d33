-- Events, and the webhooks that are told of them. An event is written in the transaction that makes it true, so that
-- none is invented and none is missed, whoever ended the job.

-- Requests go on meanwhile, and lock these two in this order. In the other one, each would wait for the other.
lock table scrapersky.jobs in share row exclusive mode;
lock table scrapersky.outbox in access exclusive mode;

create table scrapersky.events (
  id uuid not null default gen_random_uuid(),    -- what receivers know it by
  tenant_id uuid not null,
  type text not null check (type in (
    'job.complete', 'job.failed', 'job.cancelled', 'batch.complete', 'batch.failed', 'batch.cancelled',
    'webhook.test')),
  job_id uuid,
  batch_id uuid,
  webhook_id uuid,                               -- of a test: the one endpoint that it is for
  data jsonb not null,                           -- as it is told: each try and each replay says the same
  correlation_id text not null,
  occurred_at timestamptz not null default now(),
  held_until timestamptz not null default now(), -- one dispatcher at a time; after this another may try
  held_by uuid,                                  -- the dispatcher's token: the fence, as of a job
  dispatched_at timestamptz,
  primary key (tenant_id, id),
  constraint events_are_of_something check (
    case when type like 'job.%' then job_id is not null and webhook_id is null
         when type like 'batch.%' then batch_id is not null and job_id is null and webhook_id is null
         else webhook_id is not null and job_id is null and batch_id is null end)
);
create index events_of_job on scrapersky.events (tenant_id, job_id) where job_id is not null;
-- A batch whose jobs are retried closes again: each closing is an event, whoever of its dispatchers sees it first.
create unique index events_of_batch on scrapersky.events (tenant_id, batch_id, occurred_at) where type like 'batch.%';
create index events_by_time on scrapersky.events (tenant_id, occurred_at desc, id desc);
create index events_in_batch on scrapersky.events (tenant_id, batch_id, occurred_at desc, id desc)
  where batch_id is not null;
create index events_undispatched on scrapersky.events (held_until) where dispatched_at is null;
-- No BRIN, though they come in their order: what is removed makes room for new ones, and its ranges stay as wide.
create index events_old on scrapersky.events (occurred_at);

-- A tenant's endpoint. Its secret is derived from its id and version, and stands nowhere.
create table scrapersky.webhooks (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  url text not null check (length(url) between 1 and 2048),
  events text[] not null check (cardinality(events) >= 1),
  description text check (length(description) <= 500),
  is_enabled boolean not null default true,
  disabled_reason text check (disabled_reason in ('by_request', 'gone', 'failing')),
  disabled_at timestamptz,
  secret_version integer not null default 1 check (secret_version >= 1),
  previous_secret_until timestamptz,             -- until then the version before signs as well
  failing_since timestamptz,                     -- the first failure that no success has followed
  paused_until timestamptz,                      -- it failed just now: what else is for it waits
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,                        -- gone for its tenant; the sweep removes it with its many deliveries
  unique (tenant_id, id),
  constraint webhooks_disabled_has_a_reason
    check (is_enabled = (disabled_reason is null) and is_enabled = (disabled_at is null)),
  constraint webhooks_deleted_is_disabled check (deleted_at is null or not is_enabled)
);
create index webhooks_by_time on scrapersky.webhooks (tenant_id, created_at desc, id desc);
create index webhooks_deleted on scrapersky.webhooks (deleted_at) where deleted_at is not null;

-- One event for one endpoint.
create table scrapersky.webhook_deliveries (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  webhook_id uuid not null,
  event_id uuid not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  tries integer not null default 0 check (tries >= 0), -- since it was asked for; a replay begins anew
  attempts integer not null default 0 check (attempts >= tries), -- in all: the number of its last line in the log
  next_attempt_at timestamptz not null default now(),
  lease_token uuid,                              -- the fence, as of a job
  lease_until timestamptz,
  is_waiting boolean not null default false,     -- it is due, but its endpoint is paused: it owes no message meanwhile
  status_code integer,                           -- of the last attempt
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (tenant_id, id),
  unique (tenant_id, webhook_id, event_id),
  foreign key (tenant_id, webhook_id) references scrapersky.webhooks (tenant_id, id) on delete cascade,
  foreign key (tenant_id, event_id) references scrapersky.events (tenant_id, id) on delete cascade,
  constraint webhook_deliveries_final_has_an_end check ((status <> 'pending') = (finished_at is not null)),
  constraint webhook_deliveries_final_is_not_leased check (status = 'pending' or lease_until is null),
  constraint webhook_deliveries_reason_is_told check ((error_code is null) = (error_message is null))
);
create index webhook_deliveries_by_time on scrapersky.webhook_deliveries (tenant_id, webhook_id, created_at desc, id desc);
create index webhook_deliveries_by_event on scrapersky.webhook_deliveries (tenant_id, event_id);
create index webhook_deliveries_open on scrapersky.webhook_deliveries (next_attempt_at) where status = 'pending';
create index webhook_deliveries_leased on scrapersky.webhook_deliveries (tenant_id, webhook_id)
  where lease_until is not null;
create index webhook_deliveries_waiting on scrapersky.webhook_deliveries (tenant_id, webhook_id, next_attempt_at)
  where is_waiting and status = 'pending';

-- The log: a row a try.
create table scrapersky.webhook_attempts (
  tenant_id uuid not null,
  delivery_id uuid not null,
  number integer not null check (number >= 1),
  url text not null,
  started_at timestamptz not null,
  ms integer not null check (ms >= 0),
  status_code integer,
  error_code text,
  error_message text,
  response text check (length(response) <= 1024), -- how the answer began
  primary key (tenant_id, delivery_id, number),
  foreign key (tenant_id, delivery_id) references scrapersky.webhook_deliveries (tenant_id, id) on delete cascade,
  constraint webhook_attempts_reason_is_told check ((error_code is null) = (error_message is null))
);

-- Deliveries are owed through the outbox like everything else, some of them for later.
alter table scrapersky.outbox
  add column delivery_id uuid,
  add column due_at timestamptz not null default now(), -- not before; what is not due yet is no backlog
  add foreign key (tenant_id, delivery_id) references scrapersky.webhook_deliveries (tenant_id, id) on delete cascade,
  drop constraint outbox_queue_check,
  add constraint outbox_queue_check check (
    queue in ('domain_scan', 'sitemap_scan', 'places_search', 'batch', 'webhook')),
  drop constraint outbox_is_of_a_job_or_a_batch,
  add constraint outbox_is_of_one_thing check (num_nonnulls(job_id, batch_id, delivery_id) = 1),
  add constraint outbox_deliveries_have_their_queue check ((queue = 'webhook') = (delivery_id is not null));
create unique index outbox_one_owed_per_delivery on scrapersky.outbox (delivery_id)
  where sent_at is null and delivery_id is not null;
create index outbox_by_delivery on scrapersky.outbox (tenant_id, delivery_id) where delivery_id is not null;

-- The message that tells the worker of a delivery.
create function scrapersky.delivery_message(p_id uuid, p_correlation_id text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp
as $$ select jsonb_build_object('version', 1, 'delivery_id', p_id, 'correlation_id', p_correlation_id) $$;

do $$
declare
  name text;
begin
  foreach name in array array['events', 'webhooks', 'webhook_deliveries', 'webhook_attempts'] loop
    execute format('alter table scrapersky.%I enable row level security', name);
    execute format('alter table scrapersky.%I force row level security', name);
    execute format(
      'create policy of_the_tenant on scrapersky.%I
         using (tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid))
         with check (tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid))',
      name);
    execute format('create policy across_tenants on scrapersky.%I to scrapersky_system using (true) with check (true)', name);
    execute format('grant select, insert, update on scrapersky.%I to scrapersky_app', name);
  end loop;
end $$;
grant select, insert, update, delete on scrapersky.events to scrapersky_system;
grant select, update, delete on scrapersky.webhooks to scrapersky_system;
grant select, insert, update, delete on scrapersky.webhook_deliveries to scrapersky_system;

-- Whichever statement ends a job, its end is an event. A job that is final changes by a retry alone, so this is once an
-- end. Times are told as the HTTP API tells them: UTC, RFC 3339.
create function scrapersky.write_job_event() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  insert into scrapersky.events (tenant_id, type, job_id, batch_id, data, correlation_id, occurred_at)
  values (
    new.tenant_id, 'job.' || new.status, new.id, new.batch_id,
    jsonb_build_object(
      'job_id', new.id, 'kind', new.kind, 'status', new.status, 'domain', new.domain, 'batch_id', new.batch_id,
      'error', case when new.error_code is not null then
        jsonb_build_object('code', new.error_code, 'message', new.error_message) end,
      'created_at', to_char(new.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'started_at', to_char(new.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'finished_at', to_char(new.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
    new.correlation_id, new.finished_at);
  return null;
end $$;
create trigger jobs_write_event after update on scrapersky.jobs for each row
  when (new.status in ('complete', 'failed', 'cancelled') and old.status <> new.status)
  execute function scrapersky.write_job_event();
-- An input of a batch that names no domain is a failed job from the start.
create trigger jobs_write_event_of_a_new_one after insert on scrapersky.jobs for each row
  when (new.status in ('complete', 'failed', 'cancelled'))
  execute function scrapersky.write_job_event();

-- --- doors of events ---
-- Events that nobody is handing on, held for one dispatcher: what was refused before comes after what is new.
create function scrapersky.take_events(p_token uuid, p_hold interval, p_limit integer)
returns table (
  id uuid, tenant_id uuid, type text, job_id uuid, batch_id uuid, webhook_id uuid, data jsonb, correlation_id text,
  occurred_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with due as (
    select e.tenant_id, e.id from scrapersky.events as e
    where e.dispatched_at is null and e.held_until <= now()
    order by e.held_until
    limit p_limit
    for update skip locked
  )
  update scrapersky.events as e
  set held_until = now() + p_hold, held_by = p_token
  from due
  where e.tenant_id = due.tenant_id and e.id = due.id
  returning e.id, e.tenant_id, e.type, e.job_id, e.batch_id, e.webhook_id, e.data, e.correlation_id, e.occurred_at
$$;

-- The batches of these job events that have no open job any more, with their figures. Whoever looks after the last job
-- ended sees that it did: its event can be taken only then.
create function scrapersky.closed_batches(p_tenant_ids uuid[], p_batch_ids uuid[])
returns table (
  id uuid, tenant_id uuid, kind text, request jsonb, created_at timestamptz, correlation_id text,
  total bigint, pending bigint, running bigint, completed bigint, failed bigint, cancelled bigint,
  started_at timestamptz, finished_at timestamptz, updated_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  with closed as materialized ( -- first, so that an open batch is not counted over with each of its jobs that ends
    select b.id, b.tenant_id, b.kind, b.request, b.created_at, b.correlation_id
    from (select distinct * from unnest(p_tenant_ids, p_batch_ids)) as asked (tenant_id, batch_id)
    join scrapersky.batches as b on b.tenant_id = asked.tenant_id and b.id = asked.batch_id
    where not exists (
      select from scrapersky.jobs as j
      where j.tenant_id = b.tenant_id and j.batch_id = b.id and j.status in ('pending', 'running'))
  )
  select closed.*, figures.*
  from closed,
  lateral (
    select count(*) as total,
           count(*) filter (where j.status = 'pending') as pending,
           count(*) filter (where j.status = 'running') as running,
           count(*) filter (where j.status = 'complete') as completed,
           count(*) filter (where j.status = 'failed') as failed,
           count(*) filter (where j.status = 'cancelled') as cancelled,
           min(j.started_at) as started_at,
           max(j.finished_at) as finished_at,
           max(j.updated_at) as updated_at
    from scrapersky.jobs as j
    where j.tenant_id = closed.tenant_id and j.batch_id = closed.id
  ) as figures
$$;

-- Hand events on: a delivery and its message for each endpoint that asked for the type, the events of batches that
-- closed (`p_closed`: tenant_id, batch_id, type, data, correlation_id, occurred_at), and of `p_done` that they need not
-- be taken again. What another token holds by now is left alone; done twice, all of it comes to the same. A row an event
-- that is dispatched now (event_id), and a row a message that is owed at once.
create function scrapersky.dispatch_events(
  p_token uuid, p_tenant_ids uuid[], p_ids uuid[], p_done uuid[], p_closed jsonb, p_hold interval)
returns table (event_id uuid, message_id bigint, queue text, body jsonb)
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
  ), dispatched as (
    update scrapersky.events as e
    set dispatched_at = coalesce(e.dispatched_at, now())
    from held
    where e.tenant_id = held.tenant_id and e.id = held.id and held.id = any (p_done)
    returning e.id
  )
  select dispatched.id, null::bigint, null::text, null::jsonb from dispatched
  union all
  select null, owed.id, owed.queue, owed.body from owed where owed.due_at <= now()
$$;

-- Whether there is an event that nobody is handing on: a dispatcher is called if so.
create function scrapersky.has_events_to_dispatch() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$ select exists (select from scrapersky.events where dispatched_at is null and held_until <= now()) $$;

-- Events that are past their time, with their deliveries. What is still to be told stays.
create function scrapersky.purge_events(p_kept interval, p_limit integer) returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with old as (
    select e.tenant_id, e.id from scrapersky.events as e
    where e.occurred_at < now() - p_kept and e.dispatched_at is not null
      and not exists (
        select from scrapersky.webhook_deliveries as d
        where d.tenant_id = e.tenant_id and d.event_id = e.id and d.status = 'pending')
    order by e.occurred_at
    limit p_limit
    for update skip locked
  ), gone as (
    delete from scrapersky.events as e using old where e.tenant_id = old.tenant_id and e.id = old.id returning 1
  )
  select count(*)::integer from gone
$$;

-- --- what the operator sees ---
-- What is owed for later is no backlog: the time that a message may go at is due_at, here too.
create or replace function scrapersky.postpone_jobs(p_ids uuid[], p_pause interval)
returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with busy as (
    select * from scrapersky.jobs where id = any (p_ids) and status = 'pending' and batch_id is null
  ), met as (
    update scrapersky.outbox as o set sent_at = now() from busy as j -- as in release_jobs
    where o.job_id = j.id and o.sent_at is null
    returning o.job_id
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until, due_at)
    select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now() + p_pause, now() + p_pause
    from busy as j left join met on met.job_id = j.id
    on conflict do nothing
    returning 1
  )
  select count(*)::integer from owed
$$;

-- How many seconds after they were due the messages went.
drop function scrapersky.mark_outbox_sent(bigint[]);
create function scrapersky.mark_outbox_sent(p_ids bigint[])
returns table (lag_seconds double precision)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update scrapersky.outbox as o set sent_at = now()
  where o.id = any (p_ids) and o.sent_at is null
  returning greatest(extract(epoch from now() - greatest(o.created_at, o.due_at)), 0)::double precision
$$;

-- How the whole stands, for the operator's gauges. `gauges` stays for sweepers of before, which know six of them.
create function scrapersky.all_gauges()
returns table (
  pending bigint, running bigint, oldest_pending_seconds double precision, expired_leases bigint, outbox_owed bigint,
  oldest_owed_seconds double precision, undispatched_events bigint, oldest_undispatched_seconds double precision,
  open_batches bigint, pending_deliveries bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select
    (select count(*) from scrapersky.jobs where status = 'pending'),
    (select count(*) from scrapersky.jobs where status = 'running'),
    -- A batch's jobs wait their turn, and that it does not stand still is seen elsewhere (sweep_batches).
    (select coalesce(extract(epoch from now() - min(enqueued_at)), 0)::double precision
     from scrapersky.jobs where status = 'pending' and batch_id is null),
    (select count(*) from scrapersky.jobs where status = 'running' and lease_until < now()),
    (select count(*) from scrapersky.outbox where sent_at is null and due_at <= now()),
    (select coalesce(extract(epoch from now() - min(greatest(created_at, due_at))), 0)::double precision
     from scrapersky.outbox where sent_at is null and due_at <= now()),
    (select count(*) from scrapersky.events where dispatched_at is null),
    (select coalesce(extract(epoch from now() - min(occurred_at)), 0)::double precision
     from scrapersky.events where dispatched_at is null),
    (select count(*) from (
       select distinct tenant_id, batch_id from scrapersky.jobs
       where batch_id is not null and status in ('pending', 'running')) as open),
    (select count(*) from scrapersky.webhook_deliveries where status = 'pending')
$$;

-- As it was (0004), and which jobs it was about: the first hundred, for the log.
drop function scrapersky.sweep_leases(integer, integer);
create function scrapersky.sweep_leases(p_max_attempts integer, p_limit integer)
returns table (reopened integer, failed integer, jobs jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with lost as (
    select id from scrapersky.jobs
    where status = 'running' and lease_until < now()
    order by lease_until
    limit p_limit
    for update skip locked
  ), swept as (
    update scrapersky.jobs as j
    set status = case when j.attempt >= p_max_attempts then 'failed' else 'pending' end,
        lease_token = null,
        lease_until = null,
        progress = 0,
        enqueued_at = now(),
        updated_at = now(),
        finished_at = case when j.attempt >= p_max_attempts then now() end,
        error_code = case when j.attempt >= p_max_attempts then 'worker_lost' end,
        error_message = case when j.attempt >= p_max_attempts
          then 'its worker was lost ' || j.attempt || ' times' end
    from lost
    where j.id = lost.id
    returning j.*
  ), met as (
    update scrapersky.outbox as o set sent_at = now() from swept as j -- as in release_jobs
    where o.job_id = j.id and o.sent_at is null
    returning o.job_id
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now()
    from swept as j left join met on met.job_id = j.id
    where j.status = 'pending' and j.batch_id is null
    on conflict do nothing
  ), told as (
    select id, batch_id, correlation_id, status, attempt from swept limit 100
  )
  select count(*) filter (where status = 'pending')::integer, count(*) filter (where status = 'failed')::integer,
         (select coalesce(jsonb_agg(jsonb_build_object(
            'job_id', told.id, 'batch_id', told.batch_id, 'correlation_id', told.correlation_id,
            'status', told.status, 'attempt', told.attempt)), '[]') from told)
  from swept
$$;

-- As it was (0002), and which batches it was about.
drop function scrapersky.sweep_batches(interval, integer, integer);
create function scrapersky.sweep_batches(p_after interval, p_max_restarts integer, p_limit integer)
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
  ), ended as (
    update scrapersky.jobs as j
    set status = 'failed', error_code = 'worker_lost', error_message = 'its batch was restarted in vain',
        lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
    from stuck
    where j.tenant_id = stuck.tenant_id and j.batch_id = stuck.id and stuck.restarts >= p_max_restarts
      and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
    returning 1
  ), told as (
    select id, correlation_id, restarts < p_max_restarts as is_restarted from stuck limit 100
  )
  select (select count(*) from restarted)::integer, (select count(*) from ended)::integer,
         (select coalesce(jsonb_agg(jsonb_build_object(
            'batch_id', told.id, 'correlation_id', told.correlation_id, 'restarted', told.is_restarted)), '[]')
          from told)
$$;

-- As it was (0006), and the batch that the job is of.
drop function scrapersky.claim_jobs_of_kind(uuid[], text, uuid, interval, integer);
create function scrapersky.claim_jobs_of_kind(
  p_ids uuid[], p_kind text, p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text,
  batch_id uuid)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  select claim.*, j.batch_id
  from scrapersky.claim_jobs(
    array(select j.id from scrapersky.jobs as j where j.id = any (p_ids) and j.kind = p_kind),
    p_token, p_lease, p_max_attempts) as claim
  join scrapersky.jobs as j on j.tenant_id = claim.tenant_id and j.id = claim.id
$$;

-- As it was (0002), and the batch that the job is of.
drop function scrapersky.fail_dead_letters(uuid[]);
create function scrapersky.fail_dead_letters(p_ids uuid[])
returns table (id uuid, batch_id uuid)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update scrapersky.jobs as j
  set status = 'failed', error_code = 'worker_lost',
      error_message = 'its message was given up after repeated deliveries',
      lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
  where j.id = any (p_ids)
    and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
  returning j.id, j.batch_id
$$;

-- --- doors of webhooks ---
-- Claim deliveries by id. A row a delivery that exists, with what became of it:
--   claimed   this token holds the lease now (again, when the first answer was lost)
--   waiting   its endpoint is paused, or as many workers as it may have are at it: it is called when there is room
--   disabled  its endpoint is, and with it the delivery has ended
--   leased    another worker is at it
--   early     it is not its time: another message is owed for that
--   final     nothing is left to do
-- An endpoint that has failed gets one delivery at a time until one gets through: whatever else is for it uses up no
-- try, and no worker waits for it that others could have.
create function scrapersky.claim_deliveries(
  p_ids uuid[], p_token uuid, p_lease interval, p_workers integer, p_code text, p_reasons jsonb)
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
                else 'free' end as state
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
                         when admitted.id is null then 'waiting' else 'claimed' end as outcome
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

-- Deliveries that nobody is at and no message tells of: ended when their endpoint is disabled, else they owe one.
--   those whose worker was lost: whatever it still has to say comes too late; and those whose message was, by p_after
--   of each endpoint that is not paused, the first of those that wait for it: one if it has failed, to see whether
--   it is well again, else p_first of them; with each that gets through its worker takes up more
create function scrapersky.sweep_deliveries(
  p_after interval, p_first integer, p_limit integer, p_code text, p_reasons jsonb)
returns table (owed integer, ended integer)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with hopeless as (
    select d.tenant_id, d.id, w.disabled_reason
    from scrapersky.webhooks as w
    join scrapersky.webhook_deliveries as d on d.tenant_id = w.tenant_id and d.webhook_id = w.id
    where not w.is_enabled and d.status = 'pending' and (d.lease_until is null or d.lease_until < now())
    limit p_limit
    for update of d skip locked
  ), ended as (
    update scrapersky.webhook_deliveries as d
    set status = 'failed', lease_until = null, is_waiting = false, error_code = p_code,
        error_message = p_reasons ->> hopeless.disabled_reason, finished_at = now(), updated_at = now()
    from hopeless where d.tenant_id = hopeless.tenant_id and d.id = hopeless.id
    returning d.id
  ), left_behind as (
    select d.tenant_id, d.id
    from scrapersky.webhook_deliveries as d
    join scrapersky.webhooks as w on w.tenant_id = d.tenant_id and w.id = d.webhook_id and w.is_enabled
    where d.status = 'pending' and not d.is_waiting
      and case when d.lease_until is null then d.next_attempt_at < now() - p_after else d.lease_until < now() end
      and not exists (
        select from scrapersky.outbox as o
        where o.tenant_id = d.tenant_id and o.delivery_id = d.id and o.sent_at is null)
    order by d.next_attempt_at
    limit p_limit
    for update of d skip locked
  ), next_in_line as (
    select first.tenant_id, first.id
    from scrapersky.webhooks as w
    cross join lateral (
      select d.tenant_id, d.id from scrapersky.webhook_deliveries as d
      where d.tenant_id = w.tenant_id and d.webhook_id = w.id and d.is_waiting and d.status = 'pending'
      order by d.next_attempt_at
      limit case when w.failing_since is null then p_first else 1 end
      for update of d skip locked
    ) as first
    where w.is_enabled and (w.paused_until is null or w.paused_until <= now())
  ), called as (
    update scrapersky.webhook_deliveries as d
    set next_attempt_at = now(), lease_until = null, is_waiting = false, updated_at = now()
    from (select * from left_behind union select * from next_in_line) as found
    where d.tenant_id = found.tenant_id and d.id = found.id
    returning d.tenant_id, d.id, d.event_id
  ), owed as (
    insert into scrapersky.outbox (tenant_id, delivery_id, queue, body, held_until)
    select called.tenant_id, called.id, 'webhook', scrapersky.delivery_message(called.id, e.correlation_id), now()
    from called join scrapersky.events as e on e.tenant_id = called.tenant_id and e.id = called.event_id
    on conflict do nothing
  )
  select (select count(*) from called)::integer, (select count(*) from ended)::integer
$$;

-- --- door of deleted webhooks ---
-- Deliveries of webhooks that their tenants deleted, with their attempts and messages, then the webhooks themselves; a
-- worker that is at one of them is let finish. Zero once there is nothing left.
create function scrapersky.purge_webhooks(p_limit integer) returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with old as (
    select d.tenant_id, d.id
    from scrapersky.webhooks as w
    join scrapersky.webhook_deliveries as d on d.tenant_id = w.tenant_id and d.webhook_id = w.id
    where w.deleted_at is not null and (d.lease_until is null or d.lease_until < now())
    limit p_limit
    for update of d skip locked
  ), gone as (
    delete from scrapersky.webhook_deliveries as d using old where d.tenant_id = old.tenant_id and d.id = old.id
    returning 1
  ), empty as (
    delete from scrapersky.webhooks as w
    where w.deleted_at is not null
      and not exists (
        select from scrapersky.webhook_deliveries as d where d.tenant_id = w.tenant_id and d.webhook_id = w.id)
    returning 1
  )
  select (select count(*) from gone)::integer + (select count(*) from empty)::integer
$$;

-- --- whose the doors are, and who may use them ---
do $$
declare
  door regprocedure;
begin
  grant create on schema scrapersky to scrapersky_system; -- an owner of a function must be allowed to make one
  foreach door in array array[
    'scrapersky.take_events(uuid, interval, integer)',
    'scrapersky.closed_batches(uuid[], uuid[])',
    'scrapersky.dispatch_events(uuid, uuid[], uuid[], uuid[], jsonb, interval)',
    'scrapersky.has_events_to_dispatch()',
    'scrapersky.purge_events(interval, integer)',
    'scrapersky.mark_outbox_sent(bigint[])',
    'scrapersky.all_gauges()',
    'scrapersky.sweep_leases(integer, integer)',
    'scrapersky.sweep_batches(interval, integer, integer)',
    'scrapersky.claim_jobs_of_kind(uuid[], text, uuid, interval, integer)',
    'scrapersky.fail_dead_letters(uuid[])',
    'scrapersky.claim_deliveries(uuid[], uuid, interval, integer, text, jsonb)',
    'scrapersky.sweep_deliveries(interval, integer, integer, text, jsonb)',
    'scrapersky.purge_webhooks(integer)']::regprocedure[]
  loop
    execute format('revoke all on function %s from public', door);
    execute format('grant execute on function %s to scrapersky_app', door);
    execute format('alter function %s owner to scrapersky_system', door);
  end loop;
  revoke create on schema scrapersky from scrapersky_system;
end $$;
