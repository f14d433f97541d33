"""Chaos: processes killed and frozen at every point, connections cut at every byte that counts, messages lost, doubled
and refused; and in the end nothing lost and nothing twice.

    python tests/chaos/run.py [--seed 1 2 3] [--jobs 2000] [--faults 1000] [--sabotage fence]

Postgres, PgBouncer and the product's functions are real; a run's queue and state machine keep SQS's and Step Functions'
promises and no more. A seed decides every draw, but not which process comes to it first: two runs of a seed are alike,
not equal. The table says of each fault what happened first to one of its jobs. Ends with 1 when a rule does not hold.
`--sabotage` takes a guard away, which must end with 1.
"""

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

sys.path[0] = str(Path(__file__).parents[1])

import psycopg
from psycopg import sql

from chaos import sabotage
from chaos.harness import run
from chaos.report import summary, table
from conftest import APP_ROLE, Cluster, TestDatabase
from scrapersky.db.migrate import apply
from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.postgres import PgBouncer, Postgres
from support.arguments import positive

POOL_SIZE = 6  # fewer server connections than processes


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Postgres and its pooler, for this command alone."""
    password = secrets.token_urlsafe(16)
    with throwaway_directory() as folder, Postgres(folder, durable=False) as postgres:
        apply(postgres.admin_dsn)
        with PgBouncer(postgres, users={APP_ROLE: password}, pool_size=POOL_SIZE) as pooler:
            yield Cluster(postgres, pooler, password)


def fresh(running: Cluster) -> TestDatabase:
    """A migrated database for one run."""
    name = f"chaos_{uuid4().hex}"
    running.admin(sql.SQL("create database {}").format(sql.Identifier(name)))
    direct = psycopg.conninfo.make_conninfo(running.postgres.admin_dsn, dbname=name)
    apply(direct)
    running.admin(sql.SQL("alter role {} password {}").format(sql.Identifier(APP_ROLE), sql.Literal(running.password)))
    return TestDatabase(
        cluster=running,
        name=name,
        app_dsn=running.pooler.dsn(APP_ROLE, name),
        direct_app_dsn=running.postgres.dsn(APP_ROLE, running.password, name),
        direct_dsn=direct,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one run for each of these (1)")
    parser.add_argument("--jobs", type=positive, default=2000, help="jobs of a run, at least (2000)")
    parser.add_argument("--faults", type=int, default=1000, help="faults of a run, at least (1000)")
    parser.add_argument("--sabotage", choices=sabotage.KINDS, default="none", help="the guard to take away (none)")
    options = parser.parse_args()
    violated = False
    with cluster() as running:
        for seed in options.seed:
            report = run(
                fresh(running), seed=seed, jobs=options.jobs, faults=options.faults, sabotaged=options.sabotage
            )
            print(table(report), summary(report), "", sep="\n", flush=True)
            violated = violated or bool(report.violations)
    return int(violated)


if __name__ == "__main__":
    sys.exit(main())
