"""A site that answers when a test says so: what happens in the middle of a scan needs no guess how long that is."""

import threading
from types import TracebackType
from typing import Self

from support.loopback import CLOSED_PORT, Listener, response

PATIENCE_SECONDS = 60.0


class HeldSite:
    """`http://held.example/`. A scan that has asked for its home page waits until `let_go`."""

    host = "held.example"
    title = "Held until let go"

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._let_go = threading.Event()
        self._listener = Listener(self._answer)

    def __enter__(self) -> Self:
        self._listener.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._listener.__exit__(kind, error, trace)

    def resolve_rules(self) -> tuple[str, ...]:
        return f"{self.host}:80=127.0.0.1:{self._listener.port}", f"{self.host}:443=127.0.0.1:{CLOSED_PORT}"

    def hold(self) -> None:
        """From now on, let scans wait."""
        self._asked.clear()
        self._let_go.clear()

    def let_go(self) -> None:
        """Answer those who wait, and whoever comes."""
        self._let_go.set()

    def wait_asked(self) -> None:
        """Wait until a scan is in the middle: it has asked for the home page since `hold`."""
        assert self._asked.wait(PATIENCE_SECONDS), "no scan has asked for the home page"

    def _answer(self, path: str) -> list[bytes]:
        if path != "/":
            return [response(status="404 Not Found")]
        self._asked.set()
        self._let_go.wait(PATIENCE_SECONDS)
        return [response(f"<title>{self.title}</title><p>Write to info@{self.host}".encode())]
