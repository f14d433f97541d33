-- Events, and the webhooks that are told of them. An event is written in the transaction that makes it true, so that
-- none is invented and none is missed, whoever ended the job.
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
create index events_undispatched on scrapersky.events (occurred_at) where dispatched_at is null;
create index events_old on scrapersky.events using brin (occurred_at); -- they come in their order

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
  unique (tenant_id, id),
  constraint webhooks_disabled_has_a_reason
    check (is_enabled = (disabled_reason is null) and is_enabled = (disabled_at is null))
);
create index webhooks_by_time on scrapersky.webhooks (tenant_id, created_at desc, id desc);

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
grant delete on scrapersky.webhooks to scrapersky_app; -- and what hangs on it
grant select, insert, update, delete on scrapersky.events to scrapersky_system;
grant select, update on scrapersky.webhooks to scrapersky_system;
grant select, insert, update on scrapersky.webhook_deliveries to scrapersky_system;

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
