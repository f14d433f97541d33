"""Receivers of webhooks on this machine, over real sockets, and jobs whose ends they are told of."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from conftest import TestDatabase
from support.loopback import Listener, response
from support.webhooks import verified

OK = response(status="200 OK")
ERROR = response(status="500 Internal Server Error")


@dataclass(frozen=True, slots=True)
class Request:
    """One POST as it arrived, at a time of the monotonic clock."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> UUID:
        return UUID(self.headers["webhook-id"])

    @property
    def is_signed_twice(self) -> bool:
        return " " in self.headers["webhook-signature"]

    def is_signed(self, webhook_id: UUID, version: int) -> bool:
        """By the reference library, which raises for any other signature."""
        return bool(verified(webhook_id, version, self.body, self.headers)["type"] == "job.complete")


@dataclass(slots=True)
class HttpReceiver:
    """A server that hears POSTs and answers the n-th of them (0, 1, …) with `answer(n)`, after `seconds`."""

    answer: Callable[[int], bytes] = lambda _number: OK
    seconds: float = 0.0
    heard: list[Request] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, sock: socket.socket) -> None:
        head, body = receive(sock)
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        with self._lock:
            number = len(self.heard)
            self.heard.append(Request(time.monotonic(), headers, body))
        time.sleep(self.seconds)
        sock.sendall(self.answer(number))

    def times(self) -> Counter[UUID]:
        """How often each event was heard of."""
        return Counter(request.event_id for request in self.heard)

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Its port."""
        with Listener(script=self) as listener:
            yield listener.port


def receive(sock: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one request, as long as it says that it is. Raises OSError when it ends early."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = int(next(line.split(b":")[1] for line in lines if line.startswith(b"content-length")))
    while len(body) < length:
        body += some(sock)
    return head, body


def some(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise OSError("the request ends early")
    return data


_MAKE = """
insert into scrapersky.jobs
  (id, tenant_id, kind, domain, request, correlation_id, created_by, status, started_at, lease_token, lease_until)
select gen_random_uuid(), %s, 'domain_scan', 'site-' || n || '.example', '{}', 'request-1', 'user-1',
       'running', now(), gen_random_uuid(), now() + interval '1 day'
from generate_series(1, %s) as n
returning id
"""
_END = """
update scrapersky.jobs set status = 'complete', progress = 100, result = '{}', lease_until = null,
  finished_at = now(), updated_at = now()
where id = %s
"""


def end_jobs(postgres: TestDatabase, tenant_id: UUID, number: int, *, rolled_back: int = 0) -> set[UUID]:
    """Make so many jobs, and end each in a transaction of its own; the ends of the last `rolled_back` are undone.

    Returns:
        The ids of the events of those that ended.
    """
    with psycopg.connect(postgres.direct_dsn) as connection:
        jobs = [row[0] for row in connection.execute(_MAKE, (tenant_id, number + rolled_back)).fetchall()]
        connection.commit()
        for place, job_id in enumerate(jobs):
            connection.execute(_END, (job_id,))
            if place < number:
                connection.commit()
            else:
                connection.rollback()
    found = postgres.rows("select id from scrapersky.events where job_id = any (%s)", jobs)
    return {row[0] for row in found}  # type: ignore[misc]
