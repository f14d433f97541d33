"""A process that runs the product's functions as Lambda would, and is killed or frozen where it is told to.

    python -m chaos.environment PORT SITES_PORT SABOTAGE

It forks itself for every byte on standard input, once everything is loaded: each child connects to the run at PORT and
works off what it is given. What is replaced are the edges, as in every test: the secret, the clients of AWS, the web.
The ways to the database and the scan are wrapped where they are handed over; the runtime knows nothing of it.
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from types import ModuleType
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from botocore.exceptions import ClientError
from psycopg.rows import DictRow

from chaos import clock, sabotage
from chaos.protocol import Line
from chaos.scans import scanner
from scrapersky import wiring
from scrapersky.db.connection import Cursor, Database
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky.services import domain_scan, work
from support.crowd import Crowd
from support.http_events import Context, function

T = TypeVar("T")

FUNCTIONS = (
    "domain_scan_api",
    "domain_scan_worker",
    "jobs_api",
    "batch_scan_api",
    "batch_start",
    "batch_plan",
    "batch_finish",
    "dead_letter",
    "sweeper",
)
SETTINGS = {
    "DATABASE_SECRET_ARN": "the database's",
    "SCAN_QUEUE_URL": "scan",
    "SITEMAP_QUEUE_URL": "sitemap",
    "PLACES_QUEUE_URL": "places",
    "PLACES_ARE_CONFIGURED": "1",
    "BATCH_QUEUE_URL": "batch",
    "EVENT_QUEUE_URL": "event",
    "WEBHOOK_QUEUE_URL": "webhook",
    "BATCH_DEAD_LETTER_QUEUE_URL": "batch-dead",
    "BATCH_STATE_MACHINE_ARN": "machine",
    "BATCH_BUCKET": "bucket",
    "BATCH_CHUNK_SIZE": "5",
    "BATCH_MAX_LANES": "2",
    "SCAN_LEASE_SECONDS": str(clock.LEASE_SECONDS),
    "MAX_CONCURRENT_SITES": "4",
    "MAX_CONCURRENT_SITEMAP_SITES": "2",
    "CONTACT_URL": "https://bot.example/",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_SERVICE_NAME": "chaos",
    "POWERTOOLS_METRICS_NAMESPACE": "chaos",
}


@dataclass
class Invocation(Context):
    """Lambda's word for the time that is left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class AlreadyExists(Exception):
    """The execution was started before."""


class Process:
    """This process: its line to the run, and the one point at which it is to be hit."""

    def __init__(self) -> None:
        self._line: Line | None = None
        self.dsn = ""
        self.point: str | None = None  # where: `claim due`, `store open`, `write done`, `scan`, `sent` ...
        self.step = "write"  # what the next transaction is for
        self._act = "kill"
        self._delay = 0.0
        self.token: UUID | None = None

    def connect(self, port: int) -> Line:
        """Call the run, which answers with this process's own way to the database."""
        self._line = Line(socket.create_connection(("127.0.0.1", port)))
        self._line.send(pid=os.getpid())
        welcome = self._line.receive()
        if welcome is None:
            os._exit(1)
        self.dsn = welcome["dsn"]
        return self._line

    def begin(self, order: Mapping[str, Any]) -> None:
        self.point, self._act, self._delay = order.get("point"), order.get("act", "kill"), order.get("delay", 0.0)
        self.step, self.token = "write", None

    def reached(self, point: str) -> bool:
        """Whether this is the point, which is reached once."""
        if self.point != point:
            return False
        self.point = None
        return True

    def hit(self, point: str, *, at_once: bool = True) -> None:
        """Die here, or stand still, if this is the point; or a moment later, in the middle of what follows."""
        if self.reached(point):
            if self._delay and not at_once:
                threading.Timer(self._delay, self._strike).start()
            else:
                self._strike()

    def ask(self, what: str, **details: Any) -> dict[str, Any]:
        assert self._line is not None
        self._line.send(ask=what, **details)
        answer = self._line.receive()
        if answer is None:
            os._exit(1)
        return answer

    def _strike(self) -> None:
        if self._act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        assert self._line is not None
        self._line.send(told="frozen")
        os.kill(os.getpid(), signal.SIGSTOP)


class Edges:
    """The clients of AWS, as far as the functions use them: what they are asked is carried out by the run."""

    class exceptions:  # noqa: N801 - boto3's name
        ExecutionAlreadyExists = AlreadyExists

    def __init__(self, process: Process) -> None:
        self._process = process

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self._process.hit("before sending")
        answer = self._process.ask("send", queue=QueueUrl, entries=Entries)
        self._process.hit("sent")
        if "error" in answer:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessageBatch")
        return answer

    def put_object(self, *, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803 - boto3's names
        self._process.ask("put", key=Key, body=Body.decode())

    def start_execution(self, *, name: str, input: str, **_: str) -> None:
        if "error" in self._process.ask("start", name=name, input=input):
            raise AlreadyExists


def replace_edges(process: Process, sites_port: int) -> None:
    """Hand the process's own way to the database, its AWS and its web to the functions."""

    class WatchedDatabase(Database):
        """Tells how far the invocation has come with the database."""

        def query(
            self, statement: LiteralString, parameters: Mapping[str, Any], *, tenant_id: UUID | None = None
        ) -> list[DictRow]:
            process.token = parameters.get("token", process.token)
            process.step = "store" if "site_data" in parameters else "claim" if "max_attempts" in parameters else "step"
            return super().query(statement, parameters, tenant_id=tenant_id)

        def _transaction(self, given: Any, tenant_id: UUID | None) -> Any:
            step, process.step = process.step, "write"
            process.hit(f"{step} due")

            def statements(cursor: Cursor) -> Any:
                outcome = given(cursor)
                if process.point == f"{step} open":
                    cursor.connection.cursor().execute("select 1").fetchone()  # until the server has done it all
                    process.hit(f"{step} open")
                return outcome

            outcome = super()._transaction(statements, tenant_id)
            process.hit(f"{step} done")
            return outcome

    edges: Any = Edges(process)
    crowd = Crowd(sites_port)
    fetcher = Fetcher(
        policy=NetworkPolicy(
            allowed_networks=(ip_network("127.0.0.0/8"),),
            resolve=tuple(parse_resolve_rule(rule) for rule in crowd.resolve_rules()),
        ),
        user_agent="ScraperSky (chaos)",
    )
    replaced: dict[str, Any] = {
        "secret": lambda _arn: process.dsn,
        "Database": WatchedDatabase,
        "sqs": lambda: edges,
        "s3": lambda: edges,
        "step_functions": lambda: edges,
        "fetcher": lambda: fetcher,
    }
    for name, value in replaced.items():
        setattr(wiring, name, value)
    real = domain_scan.scanner

    def token() -> UUID:
        assert process.token is not None
        return process.token

    vars(domain_scan)["scanner"] = lambda fetcher: scanner(
        real(fetcher), token, lambda is_real: process.hit("scan", at_once=not is_real)
    )


def keep_tallies() -> list[dict[str, list[str]]]:
    """Every tally of the worker from now on, as job ids by outcome."""
    kept: list[dict[str, list[str]]] = []
    work_off = work.work_off

    def remembered(*arguments: Any, **options: Any) -> work.Tally:
        tally = work_off(*arguments, **options)
        kept.append(
            {
                "stored": [str(job.id) for job, _ in tally.stored],
                **{
                    name: [str(job_id) for job_id in getattr(tally, name)]
                    for name in ("fenced", "released", "postponed", "ignored", "later")
                },
            }
        )
        return tally

    work.work_off = remembered
    return kept


def serve(
    process: Process, port: int, functions: Mapping[str, ModuleType], tallies: list[dict[str, list[str]]]
) -> None:
    """Connect to the run and work off what it gives, until it hangs up."""
    line = process.connect(port)
    while (order := line.receive()) is not None:
        process.begin(order)
        tallies.clear()
        try:
            answer = {"answer": functions[order["function"]].lambda_handler(order["event"], Invocation())}
        except Exception as error:  # as Lambda does: the invocation failed, and its caller is told
            answer = {"error": type(error).__name__, "detail": str(error)}
        process.hit("before the answer")
        line.send(**answer, tally=tallies[-1] if tallies else None, missed=process.point is not None)


def main(port: int, sites_port: int, sabotaged: str) -> None:
    """Fork a child for every byte on standard input."""
    os.environ.update(SETTINGS)
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it tells of every connection that breaks
    clock.shorten()
    sabotage.of_the_process(sabotaged)
    process = Process()
    replace_edges(process, sites_port)
    tallies = keep_tallies()
    functions = {name: function(name) for name in FUNCTIONS}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        if os.fork() == 0:
            os.close(0)
            serve(process, port, functions, tallies)
            os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
