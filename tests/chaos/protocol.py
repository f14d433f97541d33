"""What the run and its processes say to each other: one JSON object a line."""

import json
import socket
import threading
from typing import Any


class Line:
    """One end of a connection. Sending is safe between threads, receiving is one thread's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        with self._lock:
            self._connection.sendall(json.dumps(message, default=str).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other end is gone."""
        try:
            line = self._file.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        self._file.close()
        self._connection.close()
