-- Sitemap scans. A job's rows in sitemap_files are its work list; what a file names is kept from scan to scan in
-- sitemap_urls, so that the next scan can tell what is new, gone or changed.
alter table scrapersky.jobs
  drop constraint jobs_kind_check,
  add constraint jobs_kind_check check (kind in ('domain_scan', 'sitemap_scan')),
  drop constraint jobs_error_code_check,
  add constraint jobs_error_code_check check (error_code in (
    'invalid_domain', 'dns_failure', 'blocked_address', 'connect_failure', 'tls_failure', 'timeout', 'too_large',
    'too_many_redirects', 'http_error', 'not_html', 'robots_denied', 'blocked', 'login_required', 'needs_js', 'parked',
    'default_page', 'soft_404', 'invalid_sitemap', 'forbidden_xml', 'off_site', 'worker_lost', 'cancelled',
    'internal'));
alter table scrapersky.batches
  drop constraint batches_kind_check,
  add constraint batches_kind_check check (kind in ('domain_scan', 'sitemap_scan'));

-- Several workers read one site's files at a time: each further one is a lane, and a message of its own brings it.
alter table scrapersky.outbox
  add column lane smallint not null default 0 check (lane between 0 and 15),
  drop constraint outbox_queue_check,
  add constraint outbox_queue_check check (queue in ('domain_scan', 'sitemap_scan', 'batch'));
drop index scrapersky.outbox_one_owed_per_job;
create unique index outbox_one_owed_per_job on scrapersky.outbox (job_id, lane) where sent_at is null;

-- One file of a site, whichever scan read it.
create table scrapersky.sitemaps (
  id bigint generated always as identity,
  tenant_id uuid not null,
  domain text not null check (length(domain) between 1 and 253),
  url text not null,
  url_hash uuid not null,    -- the first 16 bytes of the sha256 of its URL: an index row holds 2,704 bytes at the most
  read_at timestamptz,       -- when the last read of it began, whole or not
  confirmed_at timestamptz,  -- when it was last known to be what is stored: read whole, or answered as not modified
  -- Of the last whole read, to be asked with the next time; null when what is stored is no longer just what that brought.
  etag text,
  last_modified text,
  -- Of the last read when that was whole.
  sha256 bytea check (octet_length(sha256) = 32),
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, domain, url_hash)
);

-- One file in one scan: a line of its job's work list, and what came of it.
create table scrapersky.sitemap_files (
  id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null,
  job_id uuid not null,
  sitemap_id bigint not null,
  domain text not null,
  parent_id uuid,                                             -- the index that names it
  depth integer not null default 0 check (depth between 0 and 5),
  position integer not null check (position >= 1),            -- in the order in which the scan came to know of it
  url text not null,
  url_hash uuid not null,
  final_url text,                                             -- after redirects
  final_hash uuid,
  discovery_method text not null check (
    discovery_method in ('robots_txt', 'link_tag', 'page_link', 'common_path', 'sitemap_index')),
  status text not null default 'pending'
    check (status in ('pending', 'running', 'complete', 'failed', 'cancelled')),
  attempt integer not null default 0 check (attempt >= 0),    -- claims since it last got on
  lease_token uuid,
  lease_until timestamptz,
  -- When the read of it began whose URLs are its own: this scan's, kept when resumed. Of a file that was not modified it
  -- is that of its last whole read, whose changes were an earlier scan's.
  read_at timestamptz,
  sitemap_type text check (sitemap_type in ('urlset', 'index', 'text', 'rss', 'atom')),
  is_gzip boolean not null default false,
  is_duplicate boolean not null default false,                -- it leads to another line's final address: not listed
  is_unchanged boolean not null default false,                -- not modified, or the same bytes as the last time
  is_partial boolean not null default false,                  -- it ends early or is broken: what came before is kept
  status_code integer,
  etag text,
  last_modified text,
  sha256 bytea check (octet_length(sha256) = 32),
  url_count bigint not null default 0 check (url_count >= 0), -- distinct URLs of it that are stored
  child_count bigint not null default 0,                      -- of an index: distinct files that it names
  skipped_count bigint not null default 0,                    -- entries without a usable URL
  has_lastmod boolean not null default false,
  has_priority boolean not null default false,
  has_changefreq boolean not null default false,
  image_count bigint not null default 0,
  video_count bigint not null default 0,
  news_count bigint not null default 0,
  alternate_count bigint not null default 0,                  -- hreflang
  added_count bigint,                                         -- these four against the read before, null on the first
  changed_count bigint,
  removed_count bigint,                                       -- null too when this read cannot tell
  unchanged_count bigint,
  truncated_by text check (truncated_by in ('bytes', 'urls', 'files', 'depth', 'seconds')),
  truncated_at text,                                          -- where it was cut, for people
  error_code text,
  error_message text,
  wire_bytes bigint not null default 0 check (wire_bytes >= 0),
  bytes bigint not null default 0 check (bytes >= 0),         -- inflated
  ms integer not null default 0 check (ms >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (tenant_id, job_id, url_hash),
  unique (tenant_id, job_id, position),
  foreign key (tenant_id, job_id) references scrapersky.jobs (tenant_id, id) on delete cascade,
  foreign key (tenant_id, sitemap_id) references scrapersky.sitemaps (tenant_id, id),
  constraint sitemap_files_running_is_leased check ((status = 'running') = (lease_until is not null)),
  constraint sitemap_files_running_is_fenced
    check (status <> 'running' or (lease_token is not null and read_at is not null)),
  constraint sitemap_files_final_has_an_end
    check ((status in ('complete', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint sitemap_files_failed_has_a_reason check ((status = 'failed') = (error_code is not null)),
  constraint sitemap_files_reason_is_told check ((error_code is null) = (error_message is null)),
  constraint sitemap_files_complete_has_a_type check (status <> 'complete' or sitemap_type is not null or is_duplicate)
);
create unique index sitemap_files_by_final on scrapersky.sitemap_files (tenant_id, job_id, final_hash)
  where final_hash is not null and not is_duplicate;
create index sitemap_files_open on scrapersky.sitemap_files (tenant_id, job_id, position)
  where status in ('pending', 'running');
create index sitemap_files_by_time on scrapersky.sitemap_files (tenant_id, created_at desc, id desc);
create index sitemap_files_by_domain on scrapersky.sitemap_files (tenant_id, domain, created_at desc, id desc);
create index sitemap_files_by_sitemap on scrapersky.sitemap_files (tenant_id, sitemap_id, created_at desc);
create index sitemap_files_by_parent on scrapersky.sitemap_files (tenant_id, parent_id) where parent_id is not null;

-- What a file names. The times are those of reads (sitemap_files.read_at), so that each read's changes can be told.
-- No foreign key: checking one costs as much as the row; a fenced write of its file's line is what brings rows here.
create table scrapersky.sitemap_urls (
  tenant_id uuid not null,
  sitemap_id bigint not null,
  id bigint generated always as identity,
  url_hash uuid not null,                    -- as sitemaps.url_hash
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  added_at timestamptz,                      -- when it came back after it was gone; else it was added when first seen
  changed_at timestamptz,                    -- the last time that lastmod differed from the read before
  removed_at timestamptz,                    -- the first whole read that did not name it any more
  lastmod_at timestamptz,                    -- lastmod as a time: a day without one begins at midnight UTC
  priority real,
  image_count smallint not null default 0,
  video_count smallint not null default 0,
  news_count smallint not null default 0,
  alternate_count smallint not null default 0,
  url text not null,
  lastmod text,                              -- as published, time zone and precision kept
  previous_lastmod text,
  changefreq text,
  primary key (tenant_id, sitemap_id, id)    -- the order of lists: as first found
)
-- The next scan writes each row anew. Where the page has room for that, no index gets an entry: half the cost, and after
-- it the table is as large as a full one would have become.
with (fillfactor = 50);
create unique index sitemap_urls_by_hash on scrapersky.sitemap_urls (tenant_id, sitemap_id, url_hash);

do $$
declare
  name text;
begin
  foreach name in array array['sitemaps', 'sitemap_files', 'sitemap_urls'] loop
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
grant delete on scrapersky.sitemap_files to scrapersky_app; -- a retried job starts with an empty work list

-- A job that is ended from outside (cancelled, given up) takes its open files along, whichever statement ends it: each
-- is cancelled or fails as the job does. One that its own lanes end has none by then.
create policy across_tenants on scrapersky.sitemap_files to scrapersky_system using (true) with check (true);
grant select, update on scrapersky.sitemap_files to scrapersky_system;
create function scrapersky.end_sitemap_files() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  update scrapersky.sitemap_files
  set status = new.status,
      error_code = case when new.status = 'failed' then new.error_code end,
      error_message = case when new.status = 'failed' then new.error_message end,
      lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
  where tenant_id = new.tenant_id and job_id = new.id and status in ('pending', 'running');
  return null;
end $$;
create trigger jobs_end_sitemap_files after update on scrapersky.jobs for each row
  when (new.kind = 'sitemap_scan' and new.status in ('failed', 'cancelled') and old.status <> new.status)
  execute function scrapersky.end_sitemap_files();

-- Claim jobs of one kind by id, as claim_jobs of 0004 does: a message that came to the wrong queue claims nothing.
create function scrapersky.claim_jobs_of_kind(
  p_ids uuid[], p_kind text, p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  select claim.* from scrapersky.claim_jobs(
    array(select j.id from scrapersky.jobs as j where j.id = any (p_ids) and j.kind = p_kind),
    p_token, p_lease, p_max_attempts) as claim
$$;

do $$
declare
  door regprocedure := 'scrapersky.claim_jobs_of_kind(uuid[], text, uuid, interval, integer)';
begin
  execute format('revoke all on function %s from public', door);
  execute format('grant execute on function %s to scrapersky_app', door);
  grant create on schema scrapersky to scrapersky_system;
  execute format('alter function %s owner to scrapersky_system', door);
  revoke create on schema scrapersky from scrapersky_system;
end $$;
