"""One invocation's database connection for several threads: one transaction at a time."""

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from psycopg.rows import DictRow

from scrapersky.db.connection import Copy, Cursor, Database

T = TypeVar("T")


class SharedDatabase(Database):
    """As the database that it is made of, for several threads. Transactions are short, so that none waits for long.

    Rows that are fetched after the commit are in the cursor already: they need no lock.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = RLock()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def ping(self) -> None:
        with self._lock:
            self._db.ping()

    def query(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, tenant_id: UUID | None = None
    ) -> list[DictRow]:
        with self._lock:
            return self._db.query(statement, parameters, tenant_id=tenant_id)

    def run(self, work: Callable[[Cursor], T], *, tenant_id: UUID | None = None) -> T:
        with self._lock:
            return self._db.run(work, tenant_id=tenant_id)

    def run_copy(
        self, opening: Callable[[Cursor], Callable[[], Copy | None]], closing: Callable[[Cursor], T], *, tenant_id: UUID
    ) -> T | None:
        with self._lock:
            return self._db.run_copy(opening, closing, tenant_id=tenant_id)
