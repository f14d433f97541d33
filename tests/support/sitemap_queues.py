"""The queue of a run of sitemap workers, from both sides: of who delivers, and of a worker that sends."""

import json
import os
import queue
from typing import Any


def say(**message: Any) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")  # shorter than PIPE_BUF: no other's line gets into it


class Taken:
    """A queue that takes every message, as far as the runtime's sender knows."""

    def __init__(self) -> None:
        self.bodies: queue.SimpleQueue[str] = queue.SimpleQueue()

    def several(self, most: int) -> list[str]:
        return [self.bodies.get() for _ in range(min(most, self.bodies.qsize()))]

    def send_message_batch(self, *, Entries: list[dict[str, str]], **_: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        for entry in Entries:
            self.bodies.put(entry["MessageBody"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class Told:
    """A queue from a worker's side: what it is sent, the process that has the real one is told."""

    def send_message_batch(self, *, Entries: list[dict[str, str]], **_: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        for entry in Entries:
            say(sent=entry["MessageBody"], delay_seconds=int(entry["DelaySeconds"]))
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}
