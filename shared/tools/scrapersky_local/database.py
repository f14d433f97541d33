"""The stack's database: its roles, and what a new start owes to the jobs of the last one."""

from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

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


@dataclass(frozen=True, slots=True)
class Resumed:
    """How much of the last run goes on: single jobs, and batches."""

    jobs: int
    batches: int

    def __bool__(self) -> bool:
        return bool(self.jobs or self.batches)

    def __str__(self) -> str:
        return f"{self.jobs} scans and {self.batches} batches"


def resume(postgres: Postgres) -> Resumed:
    """Let what the last run left go on; what it owes is sent by the next sweep.

    Queues and executions live as long as the AWS process and workers as long as the stack: no message is left, no batch
    is worked off, and every lease is void.
    """
    with psycopg.connect(superuser_dsn(postgres)) as connection:
        left = connection.execute(
            "update scrapersky.jobs set lease_until = now() where status = 'running' and lease_until > now()"
            " returning batch_id"
        ).fetchall()
        connection.execute("update scrapersky.host_leases set until = now() where until > now()")
        connection.commit()  # the sweeps below go by the time at which their transaction began
        (stranded,) = _only(connection, "select scrapersky.sweep_stranded(interval '0', 1000000)")
        (batches,) = _only(connection, "select restarted from scrapersky.sweep_batches(interval '0', 1000000, 1000000)")
        return Resumed(sum(batch_id is None for (batch_id,) in left) + stranded, batches)


def _only(connection: psycopg.Connection[TupleRow], statement: LiteralString) -> TupleRow:
    (row,) = connection.execute(statement).fetchall()
    return row
