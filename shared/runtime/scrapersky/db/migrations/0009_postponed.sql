-- The messages of jobs whose host is busy go at once, delayed by the queue, and no longer with the sweep of a minute
-- hence. The function of two parameters stays for workers of the version before, which leave them to the sweep.

-- A host that is left alone for a while says for how long; of one that is being fetched nobody knows, and p_pause is
-- waited. The queue delays by whole seconds, and by no more than fifteen minutes. The sweep is left p_hold of time to
-- the sender after that.
create function scrapersky.postpone_jobs(p_ids uuid[], p_pause interval, p_hold interval)
returns table (message_id bigint, queue text, body jsonb, delay_seconds integer)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with busy as (
    select j.tenant_id, j.id, j.kind, j.correlation_id,
           least(900, ceil(extract(epoch from case when h.is_pause then h.until - now() else p_pause end))::integer)
             as delay_seconds
    from scrapersky.jobs as j
    left join scrapersky.host_leases as h on h.host = j.domain and h.until > now()
    where j.id = any (p_ids) and j.status = 'pending' and j.batch_id is null
  ), met as (
    update scrapersky.outbox as o set sent_at = now() from busy -- as in release_jobs
    where o.job_id = busy.id and o.sent_at is null
    returning o.job_id
  ), owed as (
    insert into scrapersky.outbox as o (tenant_id, job_id, queue, body, held_until, due_at)
    select busy.tenant_id, busy.id, busy.kind, scrapersky.job_message(busy.id, busy.correlation_id),
           now() + make_interval(secs => busy.delay_seconds) + p_hold,
           now() + make_interval(secs => busy.delay_seconds)
    from busy left join met on met.job_id = busy.id
    on conflict do nothing
    returning o.id, o.job_id, o.queue, o.body
  )
  select owed.id, owed.queue, owed.body, busy.delay_seconds from owed join busy on busy.id = owed.job_id
$$;

do $$
declare
  door constant regprocedure := 'scrapersky.postpone_jobs(uuid[], interval, interval)';
begin
  grant create on schema scrapersky to scrapersky_system; -- an owner of a function must be allowed to make one
  execute format('revoke all on function %s from public', door);
  execute format('grant execute on function %s to scrapersky_app', door);
  execute format('alter function %s owner to scrapersky_system', door);
  revoke create on schema scrapersky from scrapersky_system;
end $$;
