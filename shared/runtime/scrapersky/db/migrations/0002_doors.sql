-- The only doors across tenants. Each is owned by a role that may do just this, and has a fixed search_path.
create policy across_tenants on scrapersky.jobs to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.outbox to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.idempotency_keys to scrapersky_system using (true) with check (true);
grant select, update on scrapersky.jobs to scrapersky_system;
grant select, insert, update, delete on scrapersky.outbox to scrapersky_system;
grant select, delete on scrapersky.idempotency_keys to scrapersky_system;

-- Claim jobs by id. A row a job that exists, with what became of the claim:
--   claimed  this token holds the lease now (again, when the first answer was lost)
--   leased   another worker's lease is alive
--   final    nothing is left to do
--   spent    its last lease ran out: the sweep will end it
create function scrapersky.claim_jobs(p_ids uuid[], p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with claimed as (
    update scrapersky.jobs as j
    set status = 'running',
        attempt = j.attempt + (j.lease_token is distinct from p_token)::integer,
        lease_token = p_token,
        lease_until = now() + p_lease,
        started_at = coalesce(j.started_at, now()),
        updated_at = now()
    where j.id = any (p_ids)
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
      else 'leased' -- claimed by another between our two looks
    end,
    j.id, j.tenant_id, j.kind, j.domain, j.request, j.attempt, j.correlation_id
  from scrapersky.jobs as j
  where j.id = any (p_ids) and not exists (select from claimed as c where c.id = j.id)
$$;

-- Renew the leases that a token still holds; what is not returned was cancelled or lost.
create function scrapersky.renew_leases(p_ids uuid[], p_progress double precision[], p_token uuid, p_lease interval)
returns setof uuid
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update scrapersky.jobs as j
  set lease_until = now() + p_lease, progress = greatest(j.progress, held.progress), updated_at = now()
  from unnest(p_ids, p_progress) as held (id, progress)
  where j.id = held.id and j.lease_token = p_token and j.status = 'running'
  returning j.id
$$;

-- Give back what an invocation has no time left for: it does not count as an attempt, and a message is owed.
create function scrapersky.release_jobs(p_ids uuid[], p_token uuid)
returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with released as (
    update scrapersky.jobs as j
    set status = 'pending', attempt = greatest(j.attempt - 1, 0), lease_token = null, lease_until = null,
        progress = 0, enqueued_at = now(), updated_at = now()
    where j.id = any (p_ids) and j.lease_token = p_token and j.status = 'running'
    returning j.*
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now()
    from released
    on conflict do nothing
  )
  select count(*)::integer from released
$$;

-- Leases that ran out: back to pending with a message owed or, after the last attempt, failed.
create function scrapersky.sweep_leases(p_max_attempts integer, p_limit integer)
returns table (reopened integer, failed integer)
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
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now()
    from swept
    where status = 'pending'
    on conflict do nothing
  )
  select count(*) filter (where status = 'pending')::integer, count(*) filter (where status = 'failed')::integer
  from swept
$$;

-- Pending jobs whose message was sent but never came to a worker: a message is owed again.
-- One too many does no harm, for a second delivery claims nothing.
create function scrapersky.sweep_stranded(p_after interval, p_limit integer)
returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with stranded as (
    select j.id from scrapersky.jobs as j
    where j.status = 'pending' and j.enqueued_at < now() - p_after
      and not exists (select from scrapersky.outbox as o where o.job_id = j.id and o.sent_at is null)
    order by j.enqueued_at
    limit p_limit
    for update skip locked
  ), renewed as (
    update scrapersky.jobs as j set enqueued_at = now() from stranded where j.id = stranded.id returning j.*
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now()
    from renewed
    on conflict do nothing
    returning 1
  )
  select count(*)::integer from owed
$$;

-- Messages owed, for one sender to send: held so that no other takes them in the meantime.
create function scrapersky.take_outbox(p_hold interval, p_limit integer)
returns table (id bigint, queue text, body jsonb)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with due as (
    select o.id from scrapersky.outbox as o
    where o.sent_at is null and o.held_until <= now()
    order by o.held_until, o.id
    limit p_limit
    for update skip locked
  )
  update scrapersky.outbox as o
  set held_until = now() + p_hold, tries = o.tries + 1
  from due
  where o.id = due.id
  returning o.id, o.queue, o.body
$$;

create function scrapersky.mark_outbox_sent(p_ids bigint[])
returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with sent as (
    update scrapersky.outbox set sent_at = now() where id = any (p_ids) and sent_at is null returning 1
  )
  select count(*)::integer from sent
$$;

-- Jobs whose message could not be worked off: failed, unless final already or in a worker's hands right now.
create function scrapersky.fail_dead_letters(p_ids uuid[])
returns setof uuid
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  update scrapersky.jobs as j
  set status = 'failed', error_code = 'worker_lost',
      error_message = 'its message was given up after repeated deliveries',
      lease_token = null, lease_until = null, finished_at = now(), updated_at = now()
  where j.id = any (p_ids)
    and (j.status = 'pending' or (j.status = 'running' and j.lease_until < now()))
  returning j.id
$$;

-- What is past its time: idempotency keys, and outbox rows that were sent.
create function scrapersky.purge_expired(p_sent_before interval, p_limit integer)
returns table (idempotency_keys integer, outbox integer)
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
  )
  select (select count(*) from old_keys)::integer, (select count(*) from old_messages)::integer
$$;

-- How the whole stands, for the operator's gauges.
create function scrapersky.gauges()
returns table (
  pending bigint, running bigint, oldest_pending_seconds double precision, expired_leases bigint, outbox_owed bigint,
  oldest_owed_seconds double precision)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select
    (select count(*) from scrapersky.jobs where status = 'pending'),
    (select count(*) from scrapersky.jobs where status = 'running'),
    (select coalesce(extract(epoch from now() - min(enqueued_at)), 0)::double precision
     from scrapersky.jobs where status = 'pending'),
    (select count(*) from scrapersky.jobs where status = 'running' and lease_until < now()),
    (select count(*) from scrapersky.outbox where sent_at is null),
    (select coalesce(extract(epoch from now() - min(created_at)), 0)::double precision
     from scrapersky.outbox where sent_at is null)
$$;

do $$
declare
  door regprocedure;
begin
  execute format('grant scrapersky_system to %I', current_user); -- giving a function away asks for membership
  grant create on schema scrapersky to scrapersky_system;
  for door in
    select p.oid from pg_proc as p where p.pronamespace = 'scrapersky'::regnamespace and p.prosecdef
  loop
    execute format('revoke all on function %s from public', door);
    execute format('grant execute on function %s to scrapersky_app', door);
    execute format('alter function %s owner to scrapersky_system', door);
  end loop;
  revoke create on schema scrapersky from scrapersky_system;
end $$;
