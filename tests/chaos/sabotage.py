"""Guards taken away on purpose, for the controls: without them the checks of a run must find violations.

none          nothing is taken away
fence         a worker stores whatever it holds, and the schema lets a final row change
stranded      the queue's losses are left as they are
"""

from datetime import timedelta

import psycopg

from scrapersky.db import leases, sweep

KINDS = ("none", "fence", "stranded")
_FENCED = "and lease_token = %(token)s and status = 'running'"


def of_the_process(kind: str) -> None:
    """Take the guard out of the runtime in this process."""
    if kind == "fence":
        assert _FENCED in leases._STORE
        leases._STORE = leases._STORE.replace(_FENCED, "")
    elif kind == "stranded":
        sweep.STRANDED_AFTER = timedelta(days=1)


def of_the_database(kind: str, owner_dsn: str) -> None:
    """Take the guard out of the schema."""
    if kind == "fence":
        with psycopg.connect(owner_dsn, autocommit=True) as connection:
            connection.execute("drop trigger jobs_transition on scrapersky.jobs")
