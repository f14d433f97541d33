"""Time as this process was given it: what a busy machine keeps from us says nothing about what is tested."""

import threading
from types import TracebackType
from typing import Self

TICK_SECONDS = 0.01


class Stopwatch:
    """Counts the seconds of its `with` block in ticks of a thread; it can be read inside and after it.

    Never more than wall time and close to it on an idle machine. A moment in which the machine runs something else
    is one tick however long it is, so that the bounds of a test can be tight and still hold under load.
    """

    def __init__(self) -> None:
        self._ticks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        return self._ticks * TICK_SECONDS

    def _count(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            self._ticks += 1
