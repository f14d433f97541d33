-- Places searches. A place is its tenant's once, whichever search found it; each search keeps a list of its own.
alter table scrapersky.jobs
  drop constraint jobs_kind_check,
  add constraint jobs_kind_check check (kind in ('domain_scan', 'sitemap_scan', 'places_search')),
  drop constraint jobs_error_code_check,
  add constraint jobs_error_code_check check (error_code in (
    'invalid_domain', 'dns_failure', 'blocked_address', 'connect_failure', 'tls_failure', 'timeout', 'too_large',
    'too_many_redirects', 'http_error', 'not_html', 'robots_denied', 'blocked', 'login_required', 'needs_js', 'parked',
    'default_page', 'soft_404', 'invalid_sitemap', 'forbidden_xml', 'off_site', 'invalid_key', 'quota_exceeded',
    'budget_exceeded', 'request_refused', 'location_not_found', 'page_token_expired', 'upstream_error', 'worker_lost',
    'cancelled', 'internal'));
alter table scrapersky.outbox
  drop constraint outbox_queue_check,
  add constraint outbox_queue_check check (queue in ('domain_scan', 'sitemap_scan', 'places_search', 'batch'));

create table scrapersky.places (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  place_id text not null check (length(place_id) between 1 and 500), -- Google's own; the one thing of Google's that stays
  -- Google's content: null when a search did not ask for it, and again after expires_at.
  name text,
  primary_type text,
  types text[],
  formatted_address text,
  latitude double precision,
  longitude double precision,
  rating real,
  user_ratings_total integer,
  phone text,
  website text,
  business_status text,
  content_at timestamptz,                                    -- when Google last gave the content
  expires_at timestamptz,                                    -- when it must go (Google Maps Platform terms)
  -- Ours.
  business_type text not null,                               -- what the search that found it first asked for
  found_by uuid not null,                                    -- the job of that search
  website_class text check (website_class in ('own_site', 'social', 'directory', 'none')), -- null: not asked for
  domain text check (length(domain) between 1 and 253),      -- the key of an own site
  status text not null default 'New' check (status in ('New', 'Selected', 'Maybe', 'Not a Fit', 'Archived')),
  status_changed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (tenant_id, id),
  unique (tenant_id, place_id),
  constraint places_content_expires check ((content_at is null) = (expires_at is null)),
  constraint places_domain_is_of_an_own_site check (domain is null or website_class = 'own_site')
);
create index places_by_expiry on scrapersky.places (expires_at) where expires_at is not null;
create index places_by_domain on scrapersky.places (tenant_id, domain) where domain is not null;

-- A search's list: in Google's order, whatever later searches find.
create table scrapersky.place_results (
  tenant_id uuid not null,
  job_id uuid not null,
  place_id uuid not null,
  rank integer not null check (rank >= 1),
  found_at timestamptz not null default now(),
  primary key (tenant_id, job_id, place_id),
  unique (tenant_id, job_id, rank),
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id) on delete cascade,
  foreign key (tenant_id, place_id) references scrapersky.places (tenant_id, id)
);

-- Every request to Google that may be billed, written before it is sent: none is missed, whoever dies when.
create table scrapersky.places_ledger (
  id uuid primary key,                                       -- the request's: written twice, it is one
  tenant_id uuid not null,
  job_id uuid not null,
  sku text not null,
  price_usd numeric(12, 6) not null check (price_usd >= 0),
  prices_of date not null,                                   -- of the price table that it was taken from
  requested_at timestamptz not null default now(),
  outcome text check (outcome in ('answered', 'refused', 'no_answer')), -- null: its worker was lost meanwhile
  status_code integer,
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id)
);
create index places_ledger_by_job on scrapersky.places_ledger (tenant_id, job_id);
create index places_ledger_by_time on scrapersky.places_ledger (tenant_id, requested_at);

-- The same search again, within the hours that its tenant allows, takes the list of the one before.
create index jobs_of_places_by_request on scrapersky.jobs (tenant_id, md5(request ->> 'search'), finished_at desc)
  where kind = 'places_search' and status = 'complete';

-- What a first answer said that does not follow from the row it made: the list it was made from may change meanwhile.
alter table scrapersky.idempotency_keys add column aside jsonb;

do $$
declare
  name text;
begin
  foreach name in array array['places', 'place_results', 'places_ledger'] loop
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
grant delete on scrapersky.place_results to scrapersky_app; -- a retried search starts with an empty list

-- claim_jobs of 0004 for searches as well: what a search leases in the place of a host is the very search, which is its
-- tenant's own, so that no tenant waits for another's, or learns of it.
create or replace function scrapersky.claim_jobs(p_ids uuid[], p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with claimable as (
    select j.id, subject.host, row_number() over (partition by subject.host order by j.created_at, j.id) as place
    from scrapersky.jobs as j, lateral (
      select case j.kind when 'places_search' then j.tenant_id || ' ' || md5(j.request ->> 'search') else j.domain end
    ) as subject (host)
    where j.id = any (p_ids)
      and (
        (j.status = 'pending' and j.attempt < p_max_attempts)
        or (j.status = 'running' and j.lease_token = p_token)
        or (j.status = 'running' and j.lease_until < now() and j.attempt < p_max_attempts))
  ), hosts as (
    insert into scrapersky.host_leases as h (host, job_id, token, until)
    select c.host, c.id, p_token, now() + p_lease
    from claimable as c
    where c.place = 1
    order by c.host -- two workers lock the same hosts in the same order
    on conflict (host) do update
      set job_id = excluded.job_id, token = excluded.token, until = excluded.until, is_pause = false
      -- Not by the job alone: a second delivery at the same moment must not take the host from under its worker.
      where h.until < now() or (h.job_id = excluded.job_id and h.token = excluded.token and not h.is_pause)
    returning h.job_id
  ), claimed as (
    update scrapersky.jobs as j
    set status = 'running',
        attempt = j.attempt + (j.lease_token is distinct from p_token)::integer,
        lease_token = p_token,
        lease_until = now() + p_lease,
        started_at = coalesce(j.started_at, now()),
        updated_at = now()
    from hosts
    where j.id = hosts.job_id
      -- Looked at again: it may have changed hands between our two looks.
      and (
        (j.status = 'pending' and j.attempt < p_max_attempts)
        or (j.status = 'running' and j.lease_token = p_token)
        or (j.status = 'running' and j.lease_until < now() and j.attempt < p_max_attempts))
    returning j.*
  )
  select 'claimed', c.id, c.tenant_id, c.kind, c.domain, c.request, c.attempt, c.correlation_id
  from claimed as c
  union all
  select
    case
      when j.status in ('complete', 'failed', 'cancelled') then 'final'
      when j.status = 'running' and j.lease_until >= now() then 'leased'
      when j.attempt >= p_max_attempts then 'spent'
      else 'busy'
    end,
    j.id, j.tenant_id, j.kind, j.domain, j.request, j.attempt, j.correlation_id
  from scrapersky.jobs as j
  where j.id = any (p_ids) and not exists (select from claimed as c where c.id = j.id)
$$;

-- As in 0002, but for a host that is not told by the job's domain.
create or replace function scrapersky.renew_leases(
  p_ids uuid[], p_progress double precision[], p_token uuid, p_lease interval)
returns setof uuid
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with renewed as (
    update scrapersky.jobs as j
    set lease_until = now() + p_lease,
        progress = greatest(j.progress, held.progress),
        -- A renewed lease is no news to those who wait for some.
        updated_at = case when held.progress > j.progress then now() else j.updated_at end
    from unnest(p_ids, p_progress) as held (id, progress)
    where j.id = held.id and j.lease_token = p_token and j.status = 'running'
    returning j.id
  ), hosts as (
    update scrapersky.host_leases as h
    set until = now() + p_lease
    from renewed
    where h.job_id = renewed.id and h.token = p_token
  )
  select id from renewed
$$;

-- Google's content that is past its time, over all tenants. The site's own domain stays where a scan of ours read it.
create policy across_tenants on scrapersky.places to scrapersky_system using (true) with check (true);
grant select, update on scrapersky.places to scrapersky_system;
create policy across_tenants on scrapersky.domains for select to scrapersky_system using (true);
grant select on scrapersky.domains to scrapersky_system;
create function scrapersky.expire_places(p_limit integer) returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with due as (
    select p.id,
           exists (
             select from scrapersky.domains as d
             where d.tenant_id = p.tenant_id and d.domain = p.domain and d.site_data is not null) as is_known
    from scrapersky.places as p
    where p.expires_at <= now()
    order by p.expires_at
    limit p_limit
    for update of p skip locked
  ), expired as (
    update scrapersky.places as p
    set name = null, primary_type = null, types = null, formatted_address = null, latitude = null, longitude = null,
        rating = null, user_ratings_total = null, phone = null, website = null, business_status = null,
        content_at = null, expires_at = null, updated_at = now(),
        domain = case when due.is_known then p.domain end,
        website_class = case when due.is_known then p.website_class end
    from due
    where p.id = due.id
    returning 1
  )
  select count(*)::integer from expired
$$;

do $$
declare
  door regprocedure := 'scrapersky.expire_places(integer)';
begin
  execute format('revoke all on function %s from public', door);
  execute format('grant execute on function %s to scrapersky_app', door);
  grant create on schema scrapersky to scrapersky_system;
  execute format('alter function %s owner to scrapersky_system', door);
  revoke create on schema scrapersky from scrapersky_system;
end $$;
