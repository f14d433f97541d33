"""What the code under test writes to its log, to standard output and to standard error."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scrapersky.observability import logger

_HANDLER: Any = logger().registered_handler  # made now, so that it does not keep the standard output of one test


class Written:
    """What was written so far."""

    def __init__(self, log: io.StringIO, capture: pytest.CaptureFixture[str]) -> None:
        self._log = log
        self._capture = capture
        self._printed = ""

    @property
    def text(self) -> str:
        self._printed += "".join(self._capture.readouterr())
        return self._log.getvalue() + self._printed

    def events(self) -> list[dict[str, Any]]:
        """The lines, each of which must be one JSON object."""
        events = [json.loads(line, parse_constant=pytest.fail) for line in self.text.splitlines()]
        assert all(isinstance(event, dict) for event in events)
        return events


@contextmanager
def recorded(capture: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """Record what is written meanwhile."""
    log = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_HANDLER, "stream", log)
        yield Written(log, capture)
