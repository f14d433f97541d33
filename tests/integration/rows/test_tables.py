"""Rows belong to their tenant: what the catalogue says of every table, and what the application can do with it."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from conftest import APP_ROLE
from integration.rows.conftest import Connection, Seeded, tenant_tables

# Of no tenant, and out of the application's reach but through a door.
SHARED_TABLES = {"migrations", "host_leases"}
OWN_ROWS = (
    "(tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS \"nullif\"))"
)


# --- what the catalogue says ---


RELATIONS = """
select c.relname,
       c.relkind in ('r', 'p') as is_table,
       c.relrowsecurity as enabled,
       c.relforcerowsecurity as forced,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as has_tenant,
       has_any_column_privilege(%(app)s, c.oid, 'select, insert, update')
         or has_table_privilege(%(app)s, c.oid, 'delete') as in_reach,
       has_table_privilege(%(app)s, c.oid, 'truncate, references, trigger, maintain') as past_policies,
       coalesce((
         select jsonb_agg(jsonb_build_object(
           'applies', p.polroles && array[0::oid, %(app)s::regrole::oid],
           'permissive', p.polpermissive,
           'command', p.polcmd,
           'rows', pg_get_expr(p.polqual, c.oid),
           'new_rows', pg_get_expr(p.polwithcheck, c.oid)))
         from pg_policy p where p.polrelid = c.oid), '[]') as policies
from pg_class c
where c.relnamespace = 'scrapersky'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""


def faults(connection: Connection) -> set[tuple[str, str]]:
    """(relation, what is wrong with it) for everything in the schema through which a row could reach a stranger."""
    found: set[tuple[str, str]] = set()
    for name, is_table, enabled, forced, has_tenant, in_reach, past_policies, policies in connection.execute(
        RELATIONS, {"app": APP_ROLE}
    ):
        applying = [policy for policy in policies if policy["applies"]]
        whole = {"applies": True, "permissive": True, "command": "*", "rows": OWN_ROWS, "new_rows": OWN_ROWS}
        wrong = {
            "is no table": not is_table,
            "is of no tenant": not has_tenant and name not in SHARED_TABLES,
            "is shared and in reach": name in SHARED_TABLES and (has_tenant or in_reach),
            "is not enabled": has_tenant and not enabled,
            "is not forced": has_tenant and not forced,
            "has not the one policy": has_tenant and applying != [whole],
            "can be had past its policies": past_policies,
        }
        found |= {(name, fault) for fault, is_so in wrong.items() if is_so}
    return found


def test_every_table_forces_its_rows_on_their_tenant(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        assert faults(connection) == set()
        assert len(tenant_tables(connection)) >= 10


TABLE = "create table scrapersky.planted (tenant_id uuid)"
ENABLED = "alter table scrapersky.planted enable row level security"
FORCED = "alter table scrapersky.planted force row level security"
OWN = "tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid)"
POLICY = f"create policy of_the_tenant on scrapersky.planted using ({OWN}) with check ({OWN})"
SOUND = (TABLE, ENABLED, FORCED, POLICY)


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ((TABLE, FORCED, POLICY), "is not enabled"),
        ((TABLE, ENABLED, POLICY), "is not forced"),
        ((TABLE, ENABLED, FORCED), "has not the one policy"),
        ((*SOUND[:3], f"create policy p on scrapersky.planted using ({OWN})"), "has not the one policy"),
        ((*SOUND[:3], f"create policy p on scrapersky.planted for insert with check ({OWN})"),
         "has not the one policy"),
        ((*SOUND[:3], POLICY.replace(f"with check ({OWN})", "with check (true)")), "has not the one policy"),
        ((*SOUND, "create policy wide on scrapersky.planted for select using (true)"), "has not the one policy"),
        ((*SOUND, f"create policy wide on scrapersky.planted to {APP_ROLE} using (true)"), "has not the one policy"),
        ((*SOUND, f"grant truncate on scrapersky.planted to {APP_ROLE}"), "can be had past its policies"),
        ((TABLE.replace("tenant_id", "id"),), "is of no tenant"),
        (("create view scrapersky.planted as select * from scrapersky.jobs",), "is no table"),
        (("create materialized view scrapersky.planted as select 1 as one",), "is no table"),
    ],
)  # fmt: skip
def test_control_a_table_with_a_gap_is_found(seeded: Seeded, planted: tuple[str, ...], fault: str) -> None:
    with seeded.as_owner() as connection:
        for statement in planted:
            connection.execute(statement.encode())
        assert ("planted", fault) in faults(connection)


def test_control_a_table_without_a_gap_is_not(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        for statement in SOUND:
            connection.execute(statement.encode())
        assert faults(connection) == set()


def test_control_a_shared_table_in_reach_is_found(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        connection.execute(f"grant select on scrapersky.host_leases to {APP_ROLE}".encode())
        assert faults(connection) == {("host_leases", "is shared and in reach")}


def test_every_unique_key_and_reference_of_a_tenants_row_names_the_tenant(seeded: Seeded) -> None:
    """But for keys that are one generated id, which no tenant chooses."""
    lacking = seeded.database.rows("""
        select c.conrelid::regclass::text, c.conname
        from pg_constraint c
        where c.connamespace = 'scrapersky'::regnamespace and c.contype in ('p', 'u', 'f')
          and exists (
            select from pg_attribute a where a.attrelid = c.conrelid and a.attname = 'tenant_id')
          and not exists (
            select from pg_attribute a
            where a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attname = 'tenant_id')
          and not (c.contype in ('p', 'u') and cardinality(c.conkey) = 1 and exists (
            select from pg_attribute a
            where a.attrelid = c.conrelid and a.attnum = c.conkey[1]
              and a.atttypid in ('uuid'::regtype, 'int8'::regtype)))
    """)
    assert lacking == []


# --- what the application's role can do ---


def test_each_tenant_reads_its_own_rows_and_without_one_there_are_none(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        tables = tenant_tables(connection)
        for name in tables:
            stored = connection.execute(sql.SQL("select distinct tenant_id from scrapersky.{}").format(ident(name)))
            assert {tenant for (tenant,) in stored} == {seeded.mine, seeded.theirs}, name
    for tenant, seen in ((None, []), ("", []), (uuid4(), []), (seeded.mine, [(seeded.mine,)])):
        with seeded.as_app(tenant) as connection:
            for name in tables:
                read = connection.execute(sql.SQL("select distinct tenant_id from scrapersky.{}").format(ident(name)))
                assert read.fetchall() == seen, name


def test_a_tenant_that_is_no_id_is_an_error_and_not_everybody(seeded: Seeded) -> None:
    with seeded.as_app("*") as connection, pytest.raises(psycopg.errors.InvalidTextRepresentation):
        connection.execute("select * from scrapersky.jobs")


def test_no_row_is_written_without_its_tenant(seeded: Seeded) -> None:
    for tenant in (None, "", seeded.theirs):
        for name, rows in mine(seeded).items():
            with seeded.as_app(tenant) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
                insert(connection, name, rows)
            assert "row-level security" in str(refusal.value), name
            with seeded.as_app(tenant) as connection:
                changed = connection.execute(
                    sql.SQL("update scrapersky.{} set tenant_id = tenant_id where tenant_id = %s").format(ident(name)),
                    (seeded.mine,),
                )
                assert changed.rowcount == 0, name


def test_control_the_same_row_reaches_the_table_with_its_tenant(seeded: Seeded) -> None:
    for name, rows in mine(seeded).items():
        with seeded.as_app(seeded.mine) as connection, pytest.raises(psycopg.errors.UniqueViolation):
            insert(connection, name, rows)


def test_no_row_is_given_away(seeded: Seeded) -> None:
    for name in mine(seeded):
        with seeded.as_app(seeded.mine) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
            connection.execute(sql.SQL("update scrapersky.{} set tenant_id = %s").format(ident(name)), (seeded.theirs,))
        assert "row-level security" in str(refusal.value), name


def test_rows_are_deleted_where_a_retry_starts_anew_and_there_each_tenants_own(seeded: Seeded) -> None:
    deletable = set()
    for name in mine(seeded):
        with seeded.as_app(seeded.theirs) as connection:
            try:
                gone = connection.execute(sql.SQL("delete from scrapersky.{} returning tenant_id").format(ident(name)))
            except psycopg.errors.InsufficientPrivilege:
                continue
            assert gone.fetchall() == [(seeded.theirs,)], name
            deletable.add(name)
    assert deletable == {"pages", "facts", "sitemap_files", "place_results"}


def mine(seeded: Seeded) -> dict[str, list[Jsonb]]:
    """Table to one tenant's rows in it."""
    with seeded.as_owner() as connection:
        return {
            name: [
                Jsonb(row)
                for (row,) in connection.execute(
                    sql.SQL("select to_jsonb(t) from scrapersky.{} t where tenant_id = %s").format(ident(name)),
                    (seeded.mine,),
                )
            ]
            for name in tenant_tables(connection)
        }


def insert(connection: Connection, name: str, rows: list[Jsonb]) -> None:
    """Insert rows as they are, generated ids and all."""
    for row in rows:
        connection.execute(
            sql.SQL(
                "insert into scrapersky.{table} overriding system value"
                " select * from jsonb_populate_record(null::scrapersky.{table}, %s)"
            ).format(table=ident(name)),
            (row,),
        )


def ident(name: str) -> sql.Identifier:
    return sql.Identifier(name)
