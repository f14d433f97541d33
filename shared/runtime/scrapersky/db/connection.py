"""The one place that connects to Postgres: built for a transaction pooler (PgBouncer, Supavisor).

A transaction pooler hands the server connection to somebody else after every commit, so nothing may live
longer than a transaction: no prepared statement (`prepare_threshold=None`, see psycopg's "Using prepared
statements with external connection poolers"), no SET without LOCAL, no session lock, no start-up option.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg.waiting import Ready

from scrapersky import metrics
from scrapersky.errors import ConfigurationError, Unavailable
from scrapersky.metrics import Metric

T = TypeVar("T")
RV = TypeVar("RV")
Cursor = psycopg.Cursor[DictRow]

CONNECT_SECONDS = 5  # a pooler that is there answers in milliseconds
STATEMENT_SECONDS = 8.0  # told to the server; every statement here is indexed and takes milliseconds
LOCK_SECONDS = 4.0  # a row is only ever held for one short transaction
# Told to the server too, for a client that has fallen silent: a network may hide for hours that its machine is gone,
# and the rows that its transaction holds would wait as long, a pooled connection with them. Above what one answer may
# take, and below RETRY_SECONDS: what such a transaction holds up gets through in the end.
TRANSACTION_SECONDS = 15.0
IDLE_SECONDS = 5.0  # between two statements of a transaction; they follow each other within milliseconds
ANSWER_SECONDS = 10.0  # ours, for a server or pooler that no longer answers at all; above STATEMENT_SECONDS
RETRY_SECONDS = 20.0  # all tries of one transaction together; below every function's timeout
FIRST_PAUSE_SECONDS = 0.1  # doubles with each try: a restarted pooler is back within a second
MAX_PAUSE_SECONDS = 2.0

# A server before Postgres 17 knows no transaction_timeout.
_OPEN = """
select set_config('app.tenant_id', %s, true),
       set_config('statement_timeout', %s, true),
       set_config('lock_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true),
       case when current_setting('transaction_timeout', true) is not null
         then set_config('transaction_timeout', %s, true) end
"""
_LIMITS = tuple(f"{seconds:.0f}s" for seconds in (STATEMENT_SECONDS, LOCK_SECONDS, IDLE_SECONDS, TRANSACTION_SECONDS))

_PORTS = re.compile(r"[\d,]*")  # of a DSN: one for each of its hosts

# What ends a transaction through nobody's fault, so that all of it may run again on a fresh connection.
_LOST = (psycopg.OperationalError, psycopg.InternalError)
# A fault in the code or the data, to be seen as it is: an error that was swallowed, a value too large for its index.
_FAULTS = (errors.PipelineAborted, errors.InFailedSqlTransaction, errors.ProgramLimitExceeded)
_NOT_LOST = (
    errors.QueryCanceled,  # our own statement_timeout: it would only time out again
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
    errors.DiskFull,
    errors.ConfigurationLimitExceeded,
)


class BoundedConnection(psycopg.Connection[DictRow]):
    """A connection on which no single wait lasts longer than ANSWER_SECONDS, and whose round trips are counted.

    The server's own timeouts cannot help when the server, or the network before it, is gone without a word.
    """

    answer_seconds: float = ANSWER_SECONDS
    _has_spoken = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        try:
            return super().wait(self._counted(gen), interval, self.answer_seconds if timeout is None else timeout)
        except errors._WaitTimeout as error:
            self.pgconn.finish()  # the protocol is in mid-sentence: this connection is of no more use
            raise psycopg.OperationalError("the database did not answer in time") from error

    def _counted(self, gen: PQGen[RV]) -> PQGen[RV]:
        """`gen`, its answers counted that came after something was said: what an answer's further parts are is none.

        What psycopg drives a connection with says, each time, what it waits for, and is told what the socket is ready
        for. It has spoken when the socket took what it had to say and, where it sends before it first waits, at once.
        """
        try:
            wanted = next(gen)
            self._has_spoken = self._has_spoken or not wanted & Ready.W
            while True:
                ready = yield wanted
                if ready & Ready.R and self._has_spoken:
                    metrics.count(Metric.ROUND_TRIPS)
                    self._has_spoken = False
                if ready & Ready.W:
                    self._has_spoken = True
                wanted = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result


def connect(dsn: str, *, answer_seconds: float = ANSWER_SECONDS) -> BoundedConnection:
    """Open a connection that is safe behind a transaction pooler.

    `answer_seconds` bounds every single wait; only migrations, which may build indexes, have a reason to raise it.

    Raises:
        ConfigurationError: the DSN cannot be read.
        psycopg.OperationalError: nothing answers, or the credentials are refused.
    """
    _require_readable(dsn)
    with metrics.timed(Metric.DATABASE_CONNECT_MILLISECONDS):
        connection = BoundedConnection.connect(
            dsn,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_SECONDS,
            row_factory=dict_row,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=int(ANSWER_SECONDS * 1000),
        )
    connection.answer_seconds = answer_seconds
    return connection


def _begin(connection: BoundedConnection, tenant_id: UUID | None) -> None:
    connection.execute("begin")
    connection.execute(_OPEN, (str(tenant_id or ""), *_LIMITS))


def _require_readable(dsn: str) -> None:
    """Raise ConfigurationError unless the DSN says what it seems to say.

    libpq's own errors quote what they could not read. In a URI whose password holds an unescaped `@`, `/` or `%`, that
    is a part of the password, taken for the host, the port or an escape.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        parts = None
    if parts is None or "@" in str(parts.get("host", "")) or not _PORTS.fullmatch(str(parts.get("port", ""))):
        raise ConfigurationError("the database's DSN cannot be read: is its password percent-encoded?")


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY … FROM STDIN: its statement, and the rows as the statement's format has them."""

    statement: LiteralString
    data: bytes


class Database:
    """One invocation's way to the database: connects on first use, reconnects when the connection was lost.

    Not for sharing between threads. Use as a context manager, or call `close`.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: BoundedConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ping(self) -> None:
        """Ask the database for a sign of life, once.

        Raises:
            Unavailable: it gives none.
        """
        try:
            self._transaction(lambda cursor: cursor.execute("select 1"), None)
        except psycopg.Error as error:
            self._drop()
            raise Unavailable("the database does not answer") from error

    def query(
        self, statement: LiteralString, parameters: Mapping[str, Any], *, tenant_id: UUID | None = None
    ) -> list[DictRow]:
        """Run one statement in a transaction of its own and return its rows: one round trip in all."""
        cursor = self.run(lambda cursor: cursor.execute(statement, parameters), tenant_id=tenant_id)
        return cursor.fetchall()

    def run(self, work: Callable[[Cursor], T], *, tenant_id: UUID | None = None) -> T:
        """Run `work` as one transaction inside `tenant_id` (None: inside no tenant, so no tenant row is seen).

        The opening, the statements and the commit travel together; rows that `work` fetches itself cost a round
        trip each, rows fetched after the commit from a cursor that it returns cost none. When the connection is lost
        the whole of `work` runs again on a fresh one, so `work` must hold no effect but its statements, and these
        must come to the same when a commit was carried out and its answer lost.

        Raises:
            Unavailable: the database did not answer within RETRY_SECONDS.
            psycopg.Error: the statements themselves are at fault.
        """
        return self._retried(lambda: self._transaction(work, tenant_id))

    def run_copy(
        self, opening: Callable[[Cursor], Callable[[], Copy | None]], closing: Callable[[Cursor], T], *, tenant_id: UUID
    ) -> T | None:
        """Run a transaction with a COPY in its middle, which libpq has no pipeline for: four round trips.

        `opening` sends its statements and returns how to read their answers: the COPY to be done or, when there is
        nothing to do, None, and then all is undone and the answer is None. `closing` and the commit travel together.
        The same holds of all of them as of the work of `run`.

        Raises:
            Unavailable: the database did not answer within RETRY_SECONDS.
            psycopg.Error: the statements themselves are at fault.
        """
        return self._retried(lambda: self._copy_transaction(opening, closing, tenant_id))

    def _retried(self, transaction: Callable[[], T]) -> T:
        deadline = time.monotonic() + RETRY_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return transaction()
            except _FAULTS:
                raise
            except _LOST as error:
                if isinstance(error, _NOT_LOST):
                    raise Unavailable("the database is not available") from error
                self._drop()
                if time.monotonic() + pause > deadline:
                    raise Unavailable("the database is not available") from error
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, MAX_PAUSE_SECONDS)

    def _transaction(self, work: Callable[[Cursor], T], tenant_id: UUID | None) -> T:
        # psycopg's own transaction block would wait for the answers to BEGIN and to COMMIT: four round trips.
        with self._undone_by_errors() as connection, connection.pipeline():
            _begin(connection, tenant_id)
            outcome = work(connection.cursor())
            # Skipped by the server when a statement before it failed, even if `work` swallowed the error.
            connection.execute("commit")
        return outcome

    def _copy_transaction(
        self,
        opening: Callable[[Cursor], Callable[[], Copy | None]],
        closing: Callable[[Cursor], T],
        tenant_id: UUID,
    ) -> T | None:
        with self._undone_by_errors() as connection:
            with connection.pipeline():
                _begin(connection, tenant_id)
                answer = opening(connection.cursor())
            wanted = answer()
            if wanted is None:
                connection.execute("rollback")
                return None
            with connection.cursor().copy(wanted.statement) as copy:
                copy.write(wanted.data)
            with connection.pipeline():
                outcome = closing(connection.cursor())
                connection.execute("commit")
        return outcome

    @contextmanager
    def _undone_by_errors(self) -> Iterator[BoundedConnection]:
        if self._connection is None:
            self._connection = connect(self._dsn)
        connection = self._connection
        with metrics.timed(Metric.TRANSACTION_MILLISECONDS):
            try:
                yield connection
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
