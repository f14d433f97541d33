-- Four doors of 0002 anew. What was wrong: a job that was delivered twice at the same moment took its host from its own
-- worker, and a job that was put off before its sender had marked the last message sent was owed no new one.

-- Claim jobs by id, each together with its host's lease or not at all. A row a job that exists, with what became of it:
--   claimed  this token holds the lease now (again, when the first answer was lost)
--   leased   another worker's lease is alive
--   final    nothing is left to do
--   spent    its last lease ran out: the sweep will end it
--   busy     another job fetches the host, or the host wants to be left alone for a while
create or replace function scrapersky.claim_jobs(p_ids uuid[], p_token uuid, p_lease interval, p_max_attempts integer)
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

-- Give back what an invocation has no time left for: it does not count as an attempt, and a message is owed. A batch's
-- job is owed none, here and below: its batch's next round takes it up.
create or replace function scrapersky.release_jobs(p_ids uuid[], p_token uuid)
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
  ), met as (
    -- Its message is here before its sender has said so. What the sender says then must not be taken for the next one.
    update scrapersky.outbox as o set sent_at = now() from released as j
    where o.job_id = j.id and o.sent_at is null
    returning o.job_id
  ), owed as (
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now()
    from released as j left join met on met.job_id = j.id -- after it
    where j.batch_id is null
    on conflict do nothing
  )
  select count(*)::integer from released
$$;

-- Leases that ran out: back to pending with a message owed or, after the last attempt, failed.
create or replace function scrapersky.sweep_leases(p_max_attempts integer, p_limit integer)
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
  )
  select count(*) filter (where status = 'pending')::integer, count(*) filter (where status = 'failed')::integer
  from swept
$$;

-- Jobs whose host is busy: their message is owed again, for after a while.
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
    insert into scrapersky.outbox (tenant_id, job_id, queue, body, held_until)
    select j.tenant_id, j.id, j.kind, scrapersky.job_message(j.id, j.correlation_id), now() + p_pause
    from busy as j left join met on met.job_id = j.id
    on conflict do nothing
    returning 1
  )
  select count(*)::integer from owed
$$;
