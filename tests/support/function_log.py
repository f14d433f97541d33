"""What the functions of a running stack wrote, out of its `functions.log`."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WAIT_SECONDS = 30.0

Event = dict[str, Any]


def events(data_dir: Path) -> list[Event]:
    """All that was written so far: every line is one JSON object that names its function."""
    text = (data_dir / "functions.log").read_text("utf-8")
    found = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    assert all(isinstance(event, dict) and event["service"] for event in found)
    return found


def eventually(data_dir: Path, wanted: Callable[[Event], bool]) -> Event:
    """The first event of this kind, once it is there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        for event in events(data_dir):
            if wanted(event):
                return event
        assert time.monotonic() < deadline, "not written"
        time.sleep(0.1)
