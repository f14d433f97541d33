-- Who did what to a job's row and to its results, written down by the database itself.
create schema chaos;

create table chaos.moves (
  n bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  job_id uuid not null,
  was text,
  now text not null,
  old_token uuid,
  token uuid,
  attempt integer not null,
  error_code text,
  writer text, -- the claim that the stored result says it was made under
  changed boolean not null -- anything at all is different
);

create function chaos.move() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  if tg_op = 'INSERT' then
    insert into chaos.moves (job_id, now, token, attempt, changed)
    values (new.id, new.status, new.lease_token, new.attempt, true);
  elsif old.finished_at is not null
    or (old.status, old.lease_token) is distinct from (new.status, new.lease_token)
  then
    insert into chaos.moves (job_id, was, now, old_token, token, attempt, error_code, writer, changed)
    values (new.id, old.status, new.status, old.lease_token, new.lease_token, new.attempt, new.error_code,
            new.metadata ->> 'writer', to_jsonb(old) <> to_jsonb(new));
  end if;
  return null;
end $$;
create trigger chaos_move after insert or update on scrapersky.jobs for each row execute function chaos.move();

create table chaos.kept (
  n bigint generated always as identity primary key,
  job_id uuid not null,
  source text not null,
  operation text not null
);

create function chaos.keep() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into chaos.kept (job_id, source, operation)
  values (coalesce(new.job_id, old.job_id), tg_table_name, tg_op);
  return null;
end $$;
create trigger chaos_keep after insert or update or delete on scrapersky.pages
  for each row execute function chaos.keep();
create trigger chaos_keep after insert or update or delete on scrapersky.facts
  for each row execute function chaos.keep();
