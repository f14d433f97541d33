"""The way from one process to the pooler: a relay of its own, which breaks at the byte that it is told to."""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

COMMIT = b"\0commit\0"  # in a Parse message: its statement's name, which is none, and its text
_HEADER = 5  # of a protocol message: its type and its length
COMMITTED = b"COMMIT\0"  # the tag of the answer


class Break(Enum):
    """Where the way breaks."""

    BEFORE_COMMIT = "what comes before COMMIT arrives, COMMIT does not"
    AFTER_COMMIT = "COMMIT arrives, its answer does not"
    HALF_OPEN = "from COMMIT on nothing passes, and neither side is told"
    MUTE = "nothing passes for a while, and then all of it"


class Wire:
    """One process's way to `target_port`; only one break waits at a time."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._waiting: tuple[Break, Callable[[], None]] | None = None
        self._commits_to_pass = 0
        self._silence: tuple[float, float] = (0.0, 0.0)  # since, until
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, kind: Break, *, after_commits: int, then: Callable[[], None]) -> None:
        """Break at the commit after so many; `then` runs at that moment."""
        with self._lock:
            self._waiting, self._commits_to_pass = (kind, then), after_commits

    def disarm(self) -> bool:
        """Break nothing any more; whether a break was still waiting."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
            return waiting is not None

    def mute(self, seconds: float) -> None:
        """Accept and take everything from now on, and hand it on after `seconds`."""
        now = time.monotonic()
        self._silence = (now, now + seconds)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed: the process is gone
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self._wait_for_speech()
            with socket.create_connection(("127.0.0.1", self._target_port)) as server:
                self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        cut_answer: Callable[[], None] | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65536)
                    if not data:
                        return
                    self._wait_for_speech()
                    if source is client:
                        taken = self._break_at(data)
                        if taken is not None:
                            kind, then, cut = taken
                            if kind is Break.AFTER_COMMIT:
                                cut_answer = then
                            elif kind is Break.MUTE:
                                then()
                                self._wait_for_speech()
                            else:
                                server.sendall(data[:cut])
                                then()
                                if kind is Break.HALF_OPEN:
                                    _keep_open(server)
                                    _keep_open(client)
                                return
                    elif cut_answer is not None and COMMITTED in data:
                        cut_answer()
                        return
                    key.data.sendall(data)

    def _break_at(self, data: bytes) -> tuple[Break, Callable[[], None], int] | None:
        """The break that these bytes bring about, and how many of them come before it."""
        at = data.find(COMMIT)
        if at < 0:
            return None
        with self._lock:
            if self._waiting is None:
                return None
            if self._commits_to_pass:
                self._commits_to_pass -= 1
                return None
            (kind, then), self._waiting = self._waiting, None
        return kind, then, at - _HEADER

    def _wait_for_speech(self) -> None:
        while (left := self._silence[1] - time.monotonic()) > 0:
            time.sleep(left)


HALF_OPEN_SECONDS = 60.0  # far beyond every timeout of ours; a network may take hours to tell of a lost connection


def _keep_open(end: socket.socket) -> None:
    """Let nothing through until whoever is at this end gives up."""
    end.settimeout(HALF_OPEN_SECONDS)
    with suppress(OSError):
        while end.recv(65536):
            continue
