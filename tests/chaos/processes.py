"""The processes of a run, from the run's side: started by a fork, given work, killed, frozen and replaced."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from chaos.clock import FROZEN_SECONDS
from chaos.protocol import Line
from chaos.wire import Wire

TESTS = Path(__file__).parents[1]
CONNECT_SECONDS = 60.0  # the first one loads everything that the product is made of

Edge = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class Outcome:
    """How an invocation ended: with an answer, with an error, or with the death of its process."""

    answer: Any = None
    error: str | None = None
    died: bool = False
    froze: bool = False
    missed: bool = False  # its process never came to the point at which it was to be hit
    tally: dict[str, list[str]] = field(default_factory=dict)


class Environment:
    """One process with its own way to the pooler. One thread's."""

    def __init__(self, line: Line, pid: int, wire: Wire, edge: Edge) -> None:
        self._line = line
        self._pid = pid
        self._edge = edge
        self.wire = wire

    def invoke(self, function: str, event: Any, **hit: Any) -> Outcome:
        """Run a function. `hit` is where the process dies or stands still (`point`, `act`, `delay`)."""
        froze = False
        try:
            self._line.send(function=function, event=event, **hit)
            while (told := self._line.receive()) is not None:
                if "ask" in told:
                    self._line.send(**self._edge(told))
                elif "told" in told:
                    froze = True
                    time.sleep(FROZEN_SECONDS)
                    os.kill(self._pid, signal.SIGCONT)
                else:
                    return Outcome(
                        told.get("answer"),
                        told.get("error"),
                        froze=froze,
                        missed=told["missed"],
                        tally=told["tally"] or {},
                    )
        except (BrokenPipeError, ConnectionResetError):
            pass  # the same as hanging up: the process is dead
        self.end()
        return Outcome(died=True, froze=froze)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self._line.close()
        self.wire.close()


class Processes:
    """Makes environments; each thread of the run has one at a time."""

    def __init__(self, pooler_port: int, dsn_for: Callable[[int], str], edge: Edge, sites_port: int, sabotage: str):
        self._pooler_port = pooler_port
        self._dsn_for = dsn_for
        self._edge = edge
        self._arguments = [str(sites_port), sabotage]
        self._mine = threading.local()
        self._living: set[Environment] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._nursery: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        port = self._listener.getsockname()[1]
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "chaos.environment", str(port), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        self._listener.settimeout(CONNECT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for environment in self._living:
                environment.end()
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.kill()
        self._nursery.wait()
        self._listener.close()

    def mine(self) -> Environment:
        """This thread's environment: the one that it had, unless that is dead."""
        environment: Environment | None = getattr(self._mine, "environment", None)
        if environment is None:
            environment = self._mine.environment = self._start()
        return environment

    def invoke(self, function: str, event: Any, **hit: Any) -> Outcome:
        """Run a function in this thread's environment."""
        environment = self.mine()
        outcome = environment.invoke(function, event, **hit)
        if outcome.died:
            self._mine.environment = None
            with self._lock:
                self._living.discard(environment)
        return outcome

    def _start(self) -> Environment:
        with self._lock:
            assert self._nursery is not None
            assert self._nursery.stdin is not None
            self._nursery.stdin.write(b"+")
            self._nursery.stdin.flush()
            connection, _ = self._listener.accept()
            connection.settimeout(None)
            line = Line(connection)
            hello = line.receive()
            assert hello is not None
            wire = Wire(self._pooler_port)
            line.send(dsn=self._dsn_for(wire.port))
            environment = Environment(line, hello["pid"], wire, self._edge)
            self._living.add(environment)
            return environment
