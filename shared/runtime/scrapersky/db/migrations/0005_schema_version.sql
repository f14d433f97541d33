-- Which version the schema is of: a worker of a newer one must take on no job whose result it could not store.
grant select on scrapersky.migrations to scrapersky_system;

-- The name of the newest migration.
create function scrapersky.schema_version()
returns text
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select max(name collate "C") from scrapersky.migrations
$$;

revoke all on function scrapersky.schema_version() from public;
grant execute on function scrapersky.schema_version() to scrapersky_app;
grant create on schema scrapersky to scrapersky_system; -- an owner of a function must be allowed to make one
alter function scrapersky.schema_version() owner to scrapersky_system;
revoke create on schema scrapersky from scrapersky_system;
