"""Sitemap workers as processes: one an invocation, begun by a fork once everything is loaded, killed when a test likes.

    python -m support.sitemap_workers DSN SITE_PORT LEASE_SECONDS INVOCATION_SECONDS CHUNK_ROWS SABOTAGE

As a program it forks itself for every line of standard input, a list of the bodies of queue messages: the child is one
invocation of the worker's function with the real database and the site at SITE_PORT. It says on standard output, one
JSON object a line, which process began, what it sent to its queue, what it answered with which peak of memory and how
much CPU, and how it ended.

SABOTAGE is `none`, or `unique`: each process has hashes of its own, so that no URL is known to be stored already.
"""

import json
import os
import queue
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from scrapersky.db import sitemap_rows
from scrapersky.db.connection import Database
from scrapersky.queues import Sender
from scrapersky.services import sitemap_reading, sweep
from scrapersky.services.sitemap_reading import CHUNK_ROWS
from support.sitemap_queues import Taken, Told, say

TESTS = Path(__file__).parents[1]
STEP_SECONDS = 0.05
VISIBILITY_SECONDS = 1.0
"""Above the lease of a run, as in the template: the message of a worker that was killed finds its lease over."""


@dataclass(slots=True)
class Figures:
    """What the invocations of one run took together, and the largest of them."""

    begun: int = 0
    killed: int = 0
    answered: int = 0
    peak_kib: int = 0
    cpu_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


class Workers:
    """The queue, the sweep and the processes of one run, which ends with its context.

    `program` is a module with `main`, and its arguments; `kind` is of the jobs that its invocations work off.
    """

    def __init__(self, dsn: str, *, program: Sequence[str], kind: str, lease_seconds: int) -> None:
        self.figures = Figures()
        self.living: dict[int, list[str]] = {}  # process id to the messages that it works on
        self._dsn = dsn
        self._taken = Taken()
        self._visibility = lease_seconds + VISIBILITY_SECONDS
        self._again: list[tuple[float, str]] = []
        self.sender = Sender(lambda: self._taken, {kind: "queue"})  # type: ignore[arg-type, return-value]
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            text=True,
        )
        self._said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._listen()
        for pid in self.living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._nursery.wait(30)
        self._reader.join(30)
        self._nursery.stdout.close()

    def run(
        self,
        is_over: Callable[[], bool],
        *,
        at_once: int,
        at_a_time: int = 1,
        seconds: float,
        kill_every: float | None = None,
        most_kills: int = sys.maxsize,
        progress: Callable[[], int] = lambda: 0,
        draw: random.Random | None = None,
    ) -> bool:
        """Sweep, deliver and kill until `is_over()` says so; False when that takes longer than `seconds`.

        `at_once` invocations run at a time, each with up to `at_a_time` messages.

        Nobody is killed before `progress` has grown since the last one was: what is lost three times in a row is given
        up, as it must be, and would be no loss to be found.
        """
        deadline = time.monotonic() + seconds
        next_kill, reached = time.monotonic() + (kill_every or seconds), 0
        with Database(self._dsn) as db:
            while time.monotonic() < deadline:
                sweep.run(db, self.sender, deadline=time.monotonic() + 5)
                self._listen()
                self._redeliver()
                while len(self.living) < at_once and not self._taken.bodies.empty():
                    self._begin(self._taken.several(at_a_time))
                if is_over():
                    return True
                is_due = kill_every and time.monotonic() >= next_kill and self.figures.killed < most_kills
                if kill_every and is_due and self.living and (now := progress()) > reached:
                    self._kill((draw or random.Random()).choice(sorted(self.living)))
                    next_kill, reached = time.monotonic() + kill_every, now
                time.sleep(STEP_SECONDS)
        return False

    def settle(self, seconds: float = 30) -> None:
        """Wait until no invocation runs any more."""
        deadline = time.monotonic() + seconds
        while self.living and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
            self._listen()

    def _begin(self, bodies: list[str]) -> None:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(bodies) + "\n")
        self._nursery.stdin.flush()
        said = self._said.get(timeout=30)
        while "begun" not in said:
            self._take(said)
            said = self._said.get(timeout=30)
        self.living[said["begun"]] = bodies
        self.figures.begun += 1

    def _kill(self, pid: int) -> None:
        self._note_peak(peak_kib(pid))
        with suppress(ProcessLookupError):  # it ended by itself just now, and is not taken for killed
            os.kill(pid, signal.SIGKILL)
            self.figures.killed += 1
            at = time.monotonic() + self._visibility
            self._again += [(at, body) for body in self.living.pop(pid)]

    def _redeliver(self) -> None:
        """What a killed worker took along comes again, as SQS brings it."""
        now = time.monotonic()
        for at, body in self._again:
            if at <= now:
                self._taken.bodies.put(body)
        self._again = [(at, body) for at, body in self._again if at > now]

    def _note_peak(self, kib: int) -> None:
        self.figures.peak_kib = max(self.figures.peak_kib, kib)

    def _listen(self) -> None:
        while not self._said.empty():
            self._take(self._said.get())

    def _take(self, said: dict[str, Any]) -> None:
        if "answer" in said:
            self.figures.answered += 1
            self.figures.cpu_seconds += said["cpu_seconds"]
            self._note_peak(said["peak_kib"])
            if said["answer"] != {"batchItemFailures": []}:
                self.figures.failures.append(json.dumps(said["answer"]))
        elif "sent" in said:
            self._again.append((time.monotonic() + said["delay_seconds"], said["sent"]))
        elif "ended" in said:
            self.living.pop(said["ended"], None)

    def _read(self) -> None:
        assert self._nursery.stdout is not None
        for line in self._nursery.stdout:
            self._said.put(json.loads(line))


class SitemapWorkers(Workers):
    """Workers of sitemap scans against the site at a port."""

    def __init__(
        self,
        dsn: str,
        site_port: int,
        *,
        lease_seconds: int,
        invocation_seconds: float,
        chunk_rows: int = CHUNK_ROWS,
        sabotage: str = "none",
        program: str = "support.sitemap_workers",
    ) -> None:
        numbers = (str(site_port), str(lease_seconds), str(invocation_seconds), str(chunk_rows))
        super().__init__(
            dsn, program=(program, dsn, *numbers, sabotage), kind="sitemap_scan", lease_seconds=lease_seconds
        )


def peak_kib(pid: int | str = "self") -> int:
    """VmHWM of a process, 0 when it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def sabotaged(what: str) -> None:
    """Take a guard away in this process."""
    if what == "unique":
        salt = os.urandom(8)
        vars(sitemap_rows)["sha256"] = lambda data: sha256(salt + data)


def invoke(bodies: list[str], dsn: str, site_port: int, seconds: float) -> None:
    """One invocation with these messages, in this process."""
    from scrapersky import wiring
    from support.sitemap_scans import fetcher

    vars(wiring).update(secret=lambda _arn: dsn, fetcher=lambda: fetcher(site_port))
    sender = Sender(Told, {"sitemap_scan": "sitemap"})  # type: ignore[arg-type]
    invoked("sitemap_worker", bodies, seconds, fetcher=wiring.fetcher, sender=lambda *_queues: sender)


def invoked(name: str, bodies: list[str], seconds: float, **replaced: Any) -> None:
    """Invoke a function with these messages, in this process, and say what it answered."""
    from support.http_events import Context, function

    class Invocation(Context):
        def __init__(self) -> None:
            super().__init__()
            self._until = time.monotonic() + seconds

        def get_remaining_time_in_millis(self) -> int:
            return int((self._until - time.monotonic()) * 1000)

    Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM is this process's own from now on
    worker = function(name)
    vars(worker).update(replaced)
    try:
        records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies, 1)]
        answer = worker.lambda_handler({"Records": records}, Invocation())
    except Exception as error:  # as Lambda does: the invocation failed, and its caller is told
        answer = {"error": f"{type(error).__name__}: {error}"}
    used = resource.getrusage(resource.RUSAGE_SELF)
    say(pid=os.getpid(), answer=answer, peak_kib=peak_kib(), cpu_seconds=used.ru_utime + used.ru_stime)


def main(dsn: str, site_port: int, lease_seconds: str, seconds: float, chunk_rows: int, sabotage: str) -> None:
    os.environ |= {
        "DATABASE_SECRET_ARN": "the database's",
        "SITEMAP_LEASE_SECONDS": lease_seconds,
        "MAX_CONCURRENT_SITES": "10",
        "CONTACT_URL": "https://bot.example/",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("POWERTOOLS_LOG_LEVEL", "CRITICAL"),
        "POWERTOOLS_SERVICE_NAME": "sitemap-worker",
        "PYTHONUNBUFFERED": "1",
    }
    from support.http_events import function

    function("sitemap_worker")  # and all that it needs, once for all children
    vars(sitemap_reading)["CHUNK_ROWS"] = chunk_rows

    def child(bodies: list[str]) -> None:
        sabotaged(sabotage)
        invoke(bodies, dsn, site_port, seconds)

    fork_for_each_line(child)


def fork_for_each_line(child: Callable[[list[str]], None]) -> None:
    """Run `child` in a process of its own for every line of standard input, a list of messages, until that ends."""

    def reap(*_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                say(ended=ended[0])

    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # it is told that it began before that it ended
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            child(json.loads(line))
            os._exit(0)
        say(begun=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    reap()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
