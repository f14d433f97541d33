"""Races and losses that the chaos run brought to light, each set up by hand."""

from datetime import timedelta

from conftest import TestDatabase
from scrapersky.db import connection as factory
from scrapersky.db.connection import Database

LEASE = timedelta(seconds=60)


def test_limits_of_a_transaction_are_gone_after_it(postgres: TestDatabase) -> None:
    names = ("idle_in_transaction_session_timeout", "transaction_timeout")
    settings = "select " + ", ".join(f"current_setting('{name}') as {name}" for name in names)
    with Database(postgres.app_dsn) as db:
        assert db.run(lambda cursor: cursor.execute(settings.encode())).fetchall() == [
            dict(zip(names, ("5s", "15s"), strict=True))
        ]
    with factory.connect(postgres.app_dsn) as connection:
        assert connection.execute(settings.encode()).fetchall() == [dict.fromkeys(names, "0")]
