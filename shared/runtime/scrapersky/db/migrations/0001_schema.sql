-- Who may do what. Neither role owns a table or has BYPASSRLS.
do $$
begin
  create role scrapersky_app login; -- what the Lambdas connect as; the operator sets its password
exception when duplicate_object then null;
end $$;
do $$
begin
  create role scrapersky_system nologin; -- owns the few doors across tenants (0002)
exception when duplicate_object then null;
end $$;

create table scrapersky.domains (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  domain text not null check (length(domain) between 1 and 253),
  site_data jsonb, -- the latest known facts; null until a scan brought some
  job_id uuid,     -- the job that they came from
  scanned_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, domain),
  unique (tenant_id, id),
  constraint domains_facts_have_a_source check ((site_data is null) = (job_id is null)),
  constraint domains_facts_have_a_time check ((site_data is null) = (scanned_at is null))
);

-- Many jobs under one name, brought to the workers by a state machine instead of by a message each. The client may
-- choose the id, so it is the tenant's own; `run` names the batch where tenants meet (executions).
create table scrapersky.batches (
  id uuid not null,
  tenant_id uuid not null,
  kind text not null check (kind in ('domain_scan')),
  request jsonb not null,
  fingerprint bytea not null check (octet_length(fingerprint) = 32), -- sha256 of what was asked for
  run uuid not null unique,
  round integer not null default 1 check (round >= 1), -- of the state machine's executions
  restarts integer not null default 0 check (restarts >= 0), -- rounds in a row that the sweeper had to begin
  begun_at timestamptz not null default now(), -- when the last round was asked for
  correlation_id text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index batches_by_time on scrapersky.batches (tenant_id, created_at desc, id desc);

create table scrapersky.jobs (
  id uuid primary key,
  tenant_id uuid not null,
  kind text not null check (kind in ('domain_scan')),
  batch_id uuid,
  domain text not null check (length(domain) between 1 and 2048),
  request jsonb not null,
  status text not null default 'pending'
    check (status in ('pending', 'running', 'complete', 'failed', 'cancelled')),
  progress double precision not null default 0 check (progress between 0 and 100),
  attempt integer not null default 0 check (attempt >= 0), -- claims so far; a retry starts anew
  lease_token uuid,        -- the fence: only the claim that set it may write
  lease_until timestamptz, -- on the database's clock
  enqueued_at timestamptz not null default now(), -- when a message was last owed
  result jsonb,
  error_code text check (error_code in (
    'invalid_domain', 'dns_failure', 'blocked_address', 'connect_failure', 'tls_failure', 'timeout', 'too_large',
    'too_many_redirects', 'http_error', 'not_html', 'robots_denied', 'worker_lost', 'cancelled', 'internal')),
  error_message text,
  metadata jsonb not null default '{}',
  correlation_id text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (tenant_id, id),
  foreign key (tenant_id, batch_id) references scrapersky.batches (tenant_id, id),
  constraint jobs_running_is_leased check ((status = 'running') = (lease_until is not null)),
  constraint jobs_running_is_fenced check (status <> 'running' or lease_token is not null),
  constraint jobs_final_has_an_end check ((status in ('complete', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint jobs_complete_has_a_result check ((status = 'complete') = (result is not null)),
  constraint jobs_unsuccessful_has_a_reason check ((status in ('failed', 'cancelled')) = (error_code is not null)),
  constraint jobs_reason_is_told check ((error_code is null) = (error_message is null)),
  constraint jobs_cancelled_says_so check ((status = 'cancelled') = (coalesce(error_code, '') = 'cancelled'))
);
create index jobs_by_time on scrapersky.jobs (tenant_id, created_at desc, id desc);
create index jobs_by_domain on scrapersky.jobs (tenant_id, domain, created_at desc, id desc);
create index jobs_by_batch on scrapersky.jobs (tenant_id, batch_id, status) where batch_id is not null;
-- One job a domain; lists and exports of a batch go by it.
create unique index jobs_of_batch_by_domain on scrapersky.jobs (tenant_id, batch_id, domain) where batch_id is not null;
-- Which batches are open, without looking at a finished one.
create index jobs_open_in_batch on scrapersky.jobs (tenant_id, batch_id)
  where batch_id is not null and status in ('pending', 'running');
create index jobs_leased on scrapersky.jobs (lease_until) where status = 'running';
create index jobs_waiting on scrapersky.jobs (enqueued_at) where status = 'pending';

-- The message that tells a worker of a job. It names the job; everything else that counts is in the row.
create function scrapersky.job_message(p_id uuid, p_correlation_id text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp
as $$ select jsonb_build_object('version', 1, 'job_id', p_id, 'correlation_id', p_correlation_id) $$;

-- The message that begins a round of a batch.
create function scrapersky.batch_message(p_run uuid, p_round integer, p_correlation_id text) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('version', 1, 'run', p_run, 'round', p_round, 'correlation_id', p_correlation_id)
$$;

-- Which state may follow which; a final row does not change at all, but for a retry. The guarded statements keep to
-- this by themselves: a statement that one day does not is refused here.
create function scrapersky.check_job_transition() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if old.status = 'pending' and new.status in ('pending', 'running', 'failed', 'cancelled')
    or old.status = 'running'
    or old.status in ('failed', 'cancelled') and new.status = 'pending'
  then
    return new;
  end if;
  raise check_violation using
    message = format('a job does not go from %s to %s', old.status, new.status), constraint = 'jobs_transition';
end $$;
create trigger jobs_transition before update on scrapersky.jobs
  for each row execute function scrapersky.check_job_transition();

create table scrapersky.outbox (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  job_id uuid,
  batch_id uuid,
  queue text not null check (queue in ('domain_scan', 'batch')), -- the job's kind, or batch: each has its own
  body jsonb not null,
  held_until timestamptz not null, -- one sender at a time; after this another may try
  tries integer not null default 0,
  sent_at timestamptz,
  created_at timestamptz not null default now(),
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id) on delete cascade,
  foreign key (tenant_id, batch_id) references scrapersky.batches (tenant_id, id) on delete cascade,
  constraint outbox_is_of_a_job_or_a_batch check ((job_id is null) <> (batch_id is null)),
  constraint outbox_batches_have_their_queue check ((queue = 'batch') = (batch_id is not null))
);
create unique index outbox_one_owed_per_job on scrapersky.outbox (job_id) where sent_at is null;
create unique index outbox_one_owed_per_batch on scrapersky.outbox (tenant_id, batch_id)
  where sent_at is null and batch_id is not null;
create index outbox_owed on scrapersky.outbox (held_until) where sent_at is null;
create index outbox_sent on scrapersky.outbox (sent_at) where sent_at is not null;

create table scrapersky.idempotency_keys (
  tenant_id uuid not null,
  key text not null check (length(key) between 1 and 255),
  fingerprint bytea not null check (octet_length(fingerprint) = 32), -- sha256 of route and body
  resource_id uuid not null, -- what the first request made; the first answer follows from its row
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, key)
);
create index idempotency_keys_by_expiry on scrapersky.idempotency_keys (expires_at);

create table scrapersky.pages (
  tenant_id uuid not null,
  job_id uuid not null,
  position integer not null check (position >= 1),
  url text not null,
  status_code integer,
  title text,
  fetched_at timestamptz not null,
  bytes bigint not null check (bytes >= 0),
  ms integer not null check (ms >= 0),
  skipped_reason text,
  primary key (tenant_id, job_id, position),
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id) on delete cascade
);

create table scrapersky.facts (
  tenant_id uuid not null,
  job_id uuid not null,
  position integer not null check (position >= 1),
  kind text not null check (kind in ('email', 'phone', 'social')),
  value text not null check (value <> ''),
  page_url text not null, -- a fact without its source is none
  method text not null,
  primary key (tenant_id, job_id, position),
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id) on delete cascade
);

-- One job at a time fetches a host, whoever's it is. A row outlives its job while the host wants to be left alone.
create table scrapersky.host_leases (
  host text primary key,
  job_id uuid not null,
  token uuid not null,
  until timestamptz not null,
  is_pause boolean not null default false -- no job is at it any more: the host asked to be left alone
);
create index host_leases_by_end on scrapersky.host_leases (until);
create index host_leases_by_job on scrapersky.host_leases (job_id);
alter table scrapersky.host_leases enable row level security;
alter table scrapersky.host_leases force row level security;

-- Row-level security: a row is there for its tenant alone, and no tenant set means no row.
do $$
declare
  name text;
begin
  foreach name in array array['domains', 'batches', 'jobs', 'outbox', 'idempotency_keys', 'pages', 'facts'] loop
    execute format('alter table scrapersky.%I enable row level security', name);
    execute format('alter table scrapersky.%I force row level security', name);
    execute format(
      'create policy of_the_tenant on scrapersky.%I
         using (tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid))
         with check (tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid))',
      name);
    execute format('grant select, insert, update on scrapersky.%I to scrapersky_app', name);
  end loop;
end $$;
grant usage on schema scrapersky to scrapersky_app, scrapersky_system;
-- A retried job starts without what its failed attempt left.
grant delete on scrapersky.pages, scrapersky.facts to scrapersky_app;
