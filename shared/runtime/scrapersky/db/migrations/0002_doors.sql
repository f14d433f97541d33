-- The only doors across tenants. Each is owned by a role that may do just this, and has a fixed search_path.
create policy across_tenants on scrapersky.jobs to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.outbox to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.idempotency_keys to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.host_leases to scrapersky_system using (true) with check (true);
create policy across_tenants on scrapersky.batches to scrapersky_system using (true) with check (true);
grant select, update on scrapersky.jobs to scrapersky_system;
grant select, insert, update, delete on scrapersky.host_leases to scrapersky_system;
grant select, update on scrapersky.batches to scrapersky_system;
grant select, insert, update, delete on scrapersky.outbox to scrapersky_system;
grant select, delete on scrapersky.idempotency_keys to scrapersky_system;

-- Claim jobs by id, each together with its host's lease or not at all. A row a job that exists, with what became of it:
--   claimed  this token holds the lease now (again, when the first answer was lost)
--   leased   another worker's lease is alive
--   final    nothing is left to do
--   spent    its last lease ran out: the sweep will end it
--   busy     another job fetches the host, or the host wants to be left alone for a while
create function scrapersky.claim_jobs(p_ids uuid[], p_token uuid, p_lease interval, p_max_attempts integer)
returns table (
  outcome text, id uuid, tenant_id uuid, kind text, domain text, request jsonb, attempt integer, correlation_id text)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with claimable as (
    select j.id, j.domain, row_number() over (partition by j.domain order by j.created_at, j.id) as place
    from scrapersky.jobs as j
    where j.id = any (p_ids)
      and (
        (j.status = 'pending' and j.attempt < p_max_attempts)
        or (j.status = 'running' and j.lease_token = p_token)
        or (j.status = 'running' and j.lease_until < now() and j.attempt < p_max_attempts))
  ), hosts as (
    insert into scrapersky.host_leases as h (host, job_id, token, until)
    select c.domain, c.id, p_token, now() + p_lease
    from claimable as c
    where c.place = 1
    order by c.domain -- two workers lock the same hosts in the same order
    on conflict (host) do update
      set job_id = excluded.job_id, token = excluded.token, until = excluded.until, is_pause = false
      where h.until < now() or (h.job_id = excluded.job_id and not h.is_pause)
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

-- Renew the leases that a token still holds, hosts and all; what is not returned was cancelled or lost.
create function scrapersky.renew_leases(
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
    returning j.id, j.domain
  ), hosts as (
    update scrapersky.host_leases as h
    set until = now() + p_lease
    from renewed
    where h.host = renewed.domain and h.job_id = renewed.id and h.token = p_token
  )
  select id from renewed
$$;

-- Give back what an invocation has no time left for: it does not count as an attempt, and a message is owed. A batch's
-- job is owed none, here and below: its batch's next round takes it up.
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
  ), hosts as (
    update scrapersky.host_leases set until = now() where job_id = any (p_ids) and token = p_token
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now()
    from released
    where batch_id is null
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
    where status = 'pending' and batch_id is null
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
    where j.status = 'pending' and j.batch_id is null and j.enqueued_at < now() - p_after
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

-- What is past its time: idempotency keys, outbox rows that were sent, host leases that are over.
create function scrapersky.purge_expired(p_sent_before interval, p_limit integer)
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
  ), old_hosts as (
    delete from scrapersky.host_leases
    where host in (
      select host from scrapersky.host_leases where until < now() - interval '1 minute'
      order by until limit p_limit)
      and until < now()
    returning 1
  )
  select (select count(*) from old_keys)::integer, (select count(*) from old_messages)::integer,
         (select count(*) from old_hosts)::integer
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

-- The host is free when its job is over, or after the pause that it asked for.
create function scrapersky.free_hosts(p_ids uuid[], p_token uuid, p_pause interval) returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with freed as (
    update scrapersky.host_leases set until = now() + p_pause, is_pause = true
    where job_id = any (p_ids) and token = p_token
    returning 1
  )
  select count(*)::integer from freed
$$;

-- Jobs whose host is busy: their message is owed again, for after a while.
create function scrapersky.postpone_jobs(p_ids uuid[], p_pause interval)
returns integer
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select tenant_id, id, kind, scrapersky.job_message(id, correlation_id), now() + p_pause
    from scrapersky.jobs
    where id = any (p_ids) and status = 'pending' and batch_id is null
    on conflict do nothing
    returning 1
  )
  select count(*)::integer from owed
$$;

-- Batches with an open job on which nothing has moved: their execution is gone. Another round is owed to them or,
-- after the last one, their open jobs fail, so that every batch ends.
create function scrapersky.sweep_batches(p_after interval, p_max_restarts integer, p_limit integer)
returns table (restarted integer, failed integer)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with stuck as (
    select b.tenant_id, b.id,
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
  )
  select (select count(*) from restarted)::integer, (select count(*) from ended)::integer
$$;

-- The state machine knows a run and nothing of tenants.
create function scrapersky.batch_of_run(p_run uuid)
returns table (tenant_id uuid, id uuid, request jsonb, round integer, correlation_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select b.tenant_id, b.id, b.request, b.round, b.correlation_id from scrapersky.batches as b where b.run = p_run
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
