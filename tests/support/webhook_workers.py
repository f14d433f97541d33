"""Webhook workers as processes: one an invocation, killed when a test likes. See `sitemap_workers`.

    python -m support.webhook_workers DSN RULES LEASE_SECONDS INVOCATION_SECONDS POST_SECONDS WORKERS

RULES are `HOST=ADDR:PORT`, by commas: where receivers are on this machine. A receiver has POST_SECONDS to answer.
WORKERS is what MaximumConcurrency would be.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scrapersky.db.connection import Database
from scrapersky.queues import Sender
from scrapersky.scraping.answers import FetchFailure
from scrapersky.scraping.limits import POST_LIMITS
from scrapersky.scraping.post import Posted, post
from scrapersky.services import sweep
from support.sitemap_queues import say
from support.sitemap_workers import Workers, fork_for_each_line, invoked
from support.webhooks import KEY

SWEEP_SECONDS = 1.0
DRAIN_STEP_SECONDS = 0.002


class WebhookWorkers(Workers):
    """Workers whose queue delays what it is told to, as SQS does."""

    def __init__(
        self,
        dsn: str,
        rules: Mapping[str, int],
        *,
        lease_seconds: int,
        post_seconds: float = POST_LIMITS.seconds,
        workers: int = 4,
        invocation_seconds: float = 60,
        redelivers: bool = True,
    ) -> None:
        where = ",".join(f"{host}=127.0.0.1:{port}" for host, port in rules.items())
        numbers = map(str, (lease_seconds, invocation_seconds, post_seconds, workers))
        program = ("support.webhook_workers", dsn, where, *numbers)
        super().__init__(dsn, program=program, kind="webhook", lease_seconds=lease_seconds)
        self._redelivers = redelivers

    def drain(self, is_over: Callable[[], bool], *, at_once: int, at_a_time: int, seconds: float) -> bool:
        """As `run`, without kills: a worker that has ended is followed by the next at once, as SQS's pollers do it."""
        deadline = time.monotonic() + seconds
        next_sweep = 0.0
        with Database(self._dsn) as db:
            while time.monotonic() < deadline and not is_over():
                if time.monotonic() >= next_sweep:
                    sweep.run(db, self.sender, deadline=time.monotonic() + 5)
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                self._listen()
                self._redeliver()
                while len(self.living) < at_once and not self._taken.bodies.empty():
                    self._begin(self._taken.several(at_a_time))
                time.sleep(DRAIN_STEP_SECONDS)
        return is_over()

    def _take(self, said: dict[str, Any]) -> None:
        if "delayed" in said:
            self._again.append((time.monotonic() + said["seconds"], said["delayed"]))
        else:
            super()._take(said)

    def _kill(self, pid: int) -> None:
        super()._kill(pid)
        if not self._redelivers:
            self._again.clear()


class Told:
    """A queue from a worker's side, as `sitemap_queues.Told`, and for how long each message is delayed."""

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        for entry in Entries:
            say(delayed=entry["MessageBody"], seconds=entry["DelaySeconds"])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def main(dsn: str, rules: str, lease: str, seconds: float, post_seconds: float, workers: str) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "CONTACT_URL": "https://bot.example/",
        "DATABASE_SECRET_ARN": "the database's",
        "FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
        "FETCH_RESOLVE": rules,
        "POWERTOOLS_LOG_LEVEL": os.environ.get("POWERTOOLS_LOG_LEVEL", "CRITICAL"),
        "POWERTOOLS_SERVICE_NAME": "webhook-worker",
        "WEBHOOK_KEY_SECRET_ARN": "the key's",
        "WEBHOOK_LEASE_SECONDS": lease,
        "WEBHOOK_MAXIMUM_CONCURRENCY": workers,
    }
    from scrapersky import wiring
    from support.http_events import function

    function("webhook_worker")  # and all that it needs, once for all children
    vars(wiring)["secret"] = {"the database's": dsn, "the key's": KEY}.__getitem__
    limits = replace(POST_LIMITS, seconds=post_seconds)

    def send(url: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Posted | FetchFailure:
        return post(wiring.fetcher(), url, body, headers, deadline=deadline, limits=limits)

    def child(bodies: list[str]) -> None:
        sender = Sender(Told, {"webhook": "webhook"})  # type: ignore[arg-type]
        invoked("webhook_worker", bodies, seconds, sender=lambda _queue: sender, send=send)

    wiring.fetcher()  # its TLS context takes 20 ms
    fork_for_each_line(child)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
