"""One invocation's database connection for several threads: one more thread carries all transactions out, in turn."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Any, Concatenate, LiteralString, ParamSpec, TypeVar
from uuid import UUID

from psycopg.rows import DictRow

from scrapersky.db.connection import Copy, Cursor, Database

P = ParamSpec("P")
T = TypeVar("T")


class SharedDatabase(Database):
    """As the database that it is made of, for several threads. Transactions are short, so that none waits for long.

    A thread of its own rather than a lock: what is put together for a transaction is some megabytes, and glibc gives
    each thread a heap that stays as large as it once was (mallopt(3), M_ARENA_MAX). To be used as a context, or to be
    closed; the database that it is made of stays open.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._ident = self._thread.submit(get_ident).result()

    def call(self, function: Callable[Concatenate[Database, P], T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `function(db, …)` returns, or raises, when that thread has carried it out."""
        if get_ident() == self._ident:
            return function(self._db, *arguments, **options)
        return self._thread.submit(function, self._db, *arguments, **options).result()

    def close(self) -> None:
        self._thread.shutdown()

    def ping(self) -> None:
        self.call(Database.ping)

    def query(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, tenant_id: UUID | None = None
    ) -> list[DictRow]:
        return self.call(lambda db: db.query(statement, parameters, tenant_id=tenant_id))

    def run(self, work: Callable[[Cursor], T], *, tenant_id: UUID | None = None) -> T:
        return self.call(lambda db: db.run(work, tenant_id=tenant_id))

    def run_copy(
        self, opening: Callable[[Cursor], Callable[[], Copy | None]], closing: Callable[[Cursor], T], *, tenant_id: UUID
    ) -> T | None:
        return self.call(lambda db: db.run_copy(opening, closing, tenant_id=tenant_id))
