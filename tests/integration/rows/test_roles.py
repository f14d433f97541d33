"""Who may do what in the database: the application's role little, the system role what its doors do, nobody else."""

import psycopg
import pytest

from conftest import APP_ROLE
from integration.rows.conftest import Connection, Seeded

SYSTEM_ROLE = "scrapersky_system"
DOORS = {
    "claim_jobs", "renew_leases", "release_jobs", "sweep_leases", "sweep_stranded", "take_outbox",
    "mark_outbox_sent", "fail_dead_letters", "purge_expired", "gauges", "free_hosts", "postpone_jobs",
    "sweep_batches", "batch_of_run", "schema_version", "claim_jobs_of_kind",
    "expire_places", "take_events", "closed_batches", "dispatch_events", "has_events_to_dispatch", "purge_events",
    "claim_deliveries", "sweep_deliveries", "purge_webhooks", "all_gauges",
}  # fmt: skip


@pytest.mark.parametrize("role", [APP_ROLE, SYSTEM_ROLE])
def test_neither_role_is_more_than_a_role(seeded: Seeded, role: str) -> None:
    powers = seeded.database.one(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = %s",
        role,
    )
    assert not any(powers)
    places = seeded.database.one(
        """
        select has_schema_privilege(%s, 'scrapersky', 'create'), has_schema_privilege(%s, 'public', 'create'),
               has_database_privilege(%s, current_database(), 'create')
        """,
        *[role] * 3,
    )
    assert not any(places)


def test_the_applications_role_owns_nothing_and_the_system_role_functions_alone(seeded: Seeded) -> None:
    owned = seeded.database.rows("""
        select refobjid::regrole::text, classid::regclass::text from pg_shdepend
        where refclassid = 'pg_authid'::regclass and deptype = 'o'
          and refobjid in ('scrapersky_app'::regrole, 'scrapersky_system'::regrole)
        group by 1, 2
    """)
    assert owned == [(SYSTEM_ROLE, "pg_proc")]


def test_the_applications_role_can_become_no_other(seeded: Seeded) -> None:
    assert seeded.database.rows("select * from pg_auth_members where member = 'scrapersky_app'::regrole") == []
    assert seeded.database.one("select rolcanlogin from pg_roles where rolname = %s", SYSTEM_ROLE) == (False,)
    with seeded.as_app(seeded.mine) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("set local role scrapersky_system")


def open_doors(connection: Connection) -> dict[str, str]:
    """Functions that run with their owner's rights: each with what is wrong with it, or nothing."""
    doors = connection.execute("""
        select p.proname, p.pronamespace::regnamespace::text, p.proowner::regrole::text, p.proconfig::text,
               (select array_agg(distinct coalesce(nullif(a.grantee, 0)::regrole::text, 'public'))
                from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a)
        from pg_proc p
        where p.prosecdef and p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    """)
    return {
        name: "; ".join(
            fault
            for fault, is_so in {
                "is somewhere else": schema != "scrapersky",
                "is another's": owner != SYSTEM_ROLE,
                "is led by the caller's search_path": config != '{"search_path=pg_catalog, pg_temp"}',
                "opens to others": set(callers) != {APP_ROLE, SYSTEM_ROLE},
            }.items()
            if is_so
        )
        for name, schema, owner, config, callers in doors
    }


def test_the_doors_across_tenants_are_these_and_open_to_the_application_alone(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        assert open_doors(connection) == dict.fromkeys(DOORS, "")


def test_control_a_door_that_anybody_can_open_is_found(seeded: Seeded) -> None:
    with seeded.as_owner() as connection:
        connection.execute(
            "create function public.planted() returns bigint language sql security definer"
            " as 'select count(*) from scrapersky.jobs'"
        )
        assert open_doors(connection)["planted"].count(";") == 3
