"""Brings a database to the present schema: the SQL files of `migrations/`, each once and in order.

Runs over the direct (session) connection as the schema's owner, never through the pooler.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from scrapersky.db.connection import connect
from scrapersky.errors import ConfigurationError, Unavailable

# A migration may build an index over a large table, so it gets the whole time of the migrate function.
ANSWER_SECONDS = 840.0

_PREPARE = """
create schema if not exists scrapersky;
create table if not exists scrapersky.migrations (
  name text primary key,
  sha256 text not null,
  applied_at timestamptz not null default now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name (which orders it) and its text."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations that come with this version, in order."""
    return [Migration(file.name, file.read_text("utf-8")) for file in _files()]


@cache
def newest() -> str:
    """The name of the last migration that comes with this version."""
    return _files()[-1].name


def outdated() -> Unavailable:
    """What a database of an older version is to those that need this one."""
    return Unavailable(f"the database lacks migration {newest()}")


def _files() -> list[Traversable]:
    folder = resources.files("scrapersky.db") / "migrations"
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def apply(dsn: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing and return the names applied; each file is one transaction.

    Two calls at once are safe: the second waits for the first and finds nothing to do.

    Raises:
        ConfigurationError: an applied file was changed since, or the database is ahead of this version.
    """
    wanted = shipped() if migrations is None else list(migrations)
    with connect(dsn, answer_seconds=ANSWER_SECONDS) as connection:
        # A session lock, rightly here: this is the direct connection, and closing it frees the lock.
        connection.execute("select pg_advisory_lock(hashtext('scrapersky.migrations'))")
        connection.execute(_PREPARE)
        rows = connection.execute("select name, sha256 from scrapersky.migrations").fetchall()
        applied = {row["name"]: row["sha256"] for row in rows}
        _check(applied, wanted)
        missing = [migration for migration in wanted if migration.name not in applied]
        for migration in missing:
            with connection.transaction():
                connection.execute(migration.text)
                connection.execute(
                    "insert into scrapersky.migrations (name, sha256) values (%s, %s)",
                    (migration.name, migration.sha256),
                )
        return [migration.name for migration in missing]


def _check(applied: dict[str, str], wanted: Sequence[Migration]) -> None:
    known = {migration.name: migration for migration in wanted}
    for name, sha256 in sorted(applied.items()):
        if name not in known:
            raise ConfigurationError(f"the database has migration {name}, which this version does not know")
        if known[name].sha256 != sha256:
            raise ConfigurationError(f"migration {name} was changed after it had been applied")
