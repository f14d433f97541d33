"""The stack's database: its roles, and what a new start owes to the jobs of the last one."""

import psycopg
from psycopg import sql

from scrapersky_local.postgres import Postgres
from scrapersky_local.state import Secrets

NAME = "scrapersky"
OWNER = "scrapersky_owner"
APP = "scrapersky_app"

_ROLES = {
    # May make the roles that the migrations make, as the first user of a managed Postgres may.
    OWNER: sql.SQL("login createrole nosuperuser nobypassrls"),
    APP: sql.SQL("login nosuperuser nobypassrls"),
}


def prepare(postgres: Postgres, secrets: Secrets) -> None:
    """Make the roles and the database that a deployment finds in place: an owner and the application's login."""
    passwords = {OWNER: secrets.owner_password, APP: secrets.app_password}
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
        for name, rights in _ROLES.items():
            verb = sql.SQL("alter" if name in roles else "create")
            connection.execute(
                sql.SQL("{} role {} {} password {}").format(
                    verb, sql.Identifier(name), rights, sql.Literal(passwords[name])
                )
            )
        if connection.execute("select from pg_database where datname = %s", (NAME,)).fetchone() is None:
            connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(NAME), sql.Identifier(OWNER))
            )


def owner_dsn(postgres: Postgres, secrets: Secrets) -> str:
    """The schema owner's direct DSN, for migrations."""
    return postgres.dsn(OWNER, secrets.owner_password, NAME)


def app_dsn(postgres: Postgres, secrets: Secrets) -> str:
    """The application's DSN without a pooler."""
    return postgres.dsn(APP, secrets.app_password, NAME)


def superuser_dsn(postgres: Postgres) -> str:
    """The superuser's DSN for the stack's database."""
    password = psycopg.conninfo.conninfo_to_dict(postgres.admin_dsn)["password"]
    return postgres.dsn(Postgres.SUPERUSER, str(password), NAME)


def resume(postgres: Postgres) -> int:
    """Let the jobs of the last run go on; returns how many there are.

    Queues live as long as the AWS process and workers as long as the stack: no message is left and every lease is void.
    """
    with psycopg.connect(superuser_dsn(postgres)) as connection:
        left = connection.execute(
            "update scrapersky.jobs set lease_until = now() where status = 'running' and lease_until > now()"
        ).rowcount
        row = connection.execute("select scrapersky.sweep_stranded(interval '0', 1000000)").fetchone()
        return left + (row[0] if row else 0)
