"""Metrics: numbers that CloudWatch reads out of log lines (embedded metric format, EMF).

`count` and `observe` only put a number aside; `flush` writes what came together, in as few lines as can be, at the end
of an invocation. A line holds names, numbers and words of ours alone: no tenant, no domain, no text from outside.

Each metric says which dimensions it is told with. CloudWatch adds nothing up over dimensions, so what an alarm or a
graph wants as one number is a set of its own: `()` is the whole, whoever says it. Every set with other values is a
metric that is paid for, which is why most have one.
"""

import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, Literal

Unit = Literal["Count", "Seconds", "Milliseconds", "Bytes"]
Sets = tuple[tuple[str, ...], ...]
Series = tuple["Metric", tuple[tuple[str, str], ...]]

VALUES_LIMIT: Final = 100
"""Numbers in an array. CloudWatch takes no more (EMF specification, Target members)."""

SERIES_LIMIT: Final = 500
"""Kept between two writings: a hundred kilobytes or two. No function has as many, whatever happens to it."""

WHOLE: Final[Sets] = ((),)
OF_SERVICE: Final[Sets] = ((), ("service",))
OF_KIND: Final[Sets] = (("kind",),)
OF_KIND_AND_WHOLE: Final[Sets] = ((), ("kind",))
OF_OUTCOME: Final[Sets] = (("outcome",),)

# What a dimension may say: the words of our own enums and function names. No domain, address, UUID or token is one.
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SERVICE: Final = "service"  # said by the process, not by who counts
_DIGITS: Final = 3  # behind the point: microseconds of a millisecond


class Metric(StrEnum):
    """Every metric of ours: name, unit, the sets of dimensions that it is told with, and what it means."""

    unit: Unit
    sets: Sets
    meaning: str

    def __new__(cls, name: str, unit: Unit = "Count", sets: Sets = WHOLE, meaning: str = "") -> "Metric":
        member = str.__new__(cls, name)
        member._value_ = name
        member.unit, member.sets, member.meaning = unit, sets, meaning
        return member

    JOBS_CREATED = "JobsCreated", "Count", OF_KIND, "jobs made by requests, once each; a batch's are counted singly"
    JOBS_ENDED = "JobsEnded", "Count", (("kind", "outcome"),), "jobs that became final, by complete, cancelled or error"
    JOBS_COMPLETE = "JobsComplete", "Count", OF_KIND_AND_WHOLE, "jobs that ended as complete"
    JOBS_FAILED = "JobsFailed", "Count", OF_KIND_AND_WHOLE, "jobs that ended as failed"
    JOBS_CANCELLED = "JobsCancelled", "Count", OF_KIND_AND_WHOLE, "jobs that ended as cancelled"
    JOB_SECONDS = "JobSeconds", "Seconds", OF_KIND, "from a job's creation to its end"
    JOBS_WITHOUT_RESULT = "JobsWithoutResult", "Count", OF_KIND, "complete jobs that found nothing"
    PAGES_FETCHED = "PagesFetched", "Count", WHOLE, "pages and sitemap files that were answered and read"
    BYTES_FETCHED = "BytesFetched", "Bytes", WHOLE, "bytes that came over the wire for pages and sitemap files"
    FETCHES = "Fetches", "Count", OF_OUTCOME, "pages, sitemap files and requests to Google: ok, or how they failed"
    CLAIMS_LOST = "ClaimsLost", "Count", OF_SERVICE, "jobs that a worker held and lost: cancelled, or taken over"
    FENCES_HIT = "FencesHit", "Count", OF_SERVICE, "writes that the fence refused, as the job was not the writer's"
    OUTBOX_SENT = "OutboxSent", "Count", WHOLE, "owed messages that a queue took"
    OUTBOX_LAG_SECONDS = "OutboxLagSeconds", "Seconds", WHOLE, "from when a message was owed to when a queue took it"
    DATABASE_CONNECT_MILLISECONDS = "DatabaseConnectMilliseconds", "Milliseconds", OF_SERVICE, "to connect, or to fail"
    TRANSACTION_MILLISECONDS = "TransactionMilliseconds", "Milliseconds", OF_SERVICE, "from begin to its end"
    ROUND_TRIPS = "RoundTrips", "Count", OF_SERVICE, "times that a function waited for the database's answer"
    COLD_STARTS = "ColdStarts", "Count", OF_SERVICE, "invocations that found no process waiting for them"
    MALFORMED_MESSAGES = "MalformedMessages", "Count", WHOLE, "batch messages that were set aside for people to look at"
    EVENTS_DISPATCHED = "EventsDispatched", "Count", WHOLE, "events that were handed on"
    WEBHOOK_DELIVERIES = "WebhookDeliveries", "Count", OF_OUTCOME, "tries to deliver: delivered, failed or retried"
    WEBHOOK_SECONDS = "WebhookSeconds", "Seconds", WHOLE, "that a receiver took for one try"
    PENDING_JOBS = "PendingJobs", "Count", WHOLE, "jobs that wait, over all tenants, as of one moment"
    RUNNING_JOBS = "RunningJobs", "Count", WHOLE, "jobs in work"
    OLDEST_PENDING_SECONDS = "OldestPendingSeconds", "Seconds", WHOLE, "age of the job of no batch that waits longest"
    EXPIRED_LEASES = "ExpiredLeases", "Count", WHOLE, "jobs in work whose worker is lost"
    OUTBOX_OWED = "OutboxOwed", "Count", WHOLE, "messages owed to a queue"
    OLDEST_OWED_SECONDS = "OldestOwedSeconds", "Seconds", WHOLE, "how long the oldest of them is due"
    UNDISPATCHED_EVENTS = "UndispatchedEvents", "Count", WHOLE, "events that were not handed on yet"
    OLDEST_UNDISPATCHED_SECONDS = "OldestUndispatchedSeconds", "Seconds", WHOLE, "age of the oldest of them"
    OPEN_BATCHES = "OpenBatches", "Count", WHOLE, "batches with a job that is not final"
    PENDING_DELIVERIES = "PendingDeliveries", "Count", WHOLE, "webhook deliveries that are not made and not given up"
    CANARY_SUCCESS = "CanarySuccess", "Count", WHOLE, "1 when the canary's scan went as a client's has to, else 0"
    CANARY_MILLISECONDS = "CanaryMilliseconds", "Milliseconds", WHOLE, "that a scan took that went so"
    SWEEPS = "Sweeps", "Count", WHOLE, "sweeps that came to their end: the heartbeat"


class _Buffer:
    """What was counted and observed since the last writing, by metric and dimensions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Series, list[float]] = {}

    def add(
        self, metric: Metric, value: float, dimensions: Mapping[str, str], *, is_sum: bool
    ) -> dict[Series, list[float]]:
        """Put one number aside. What it filled the buffer with is given back, to be written, and nothing else is.

        It is taken before another thread can add to it: CloudWatch refuses an array that is one value too long.
        """
        series = (metric, tuple(sorted(dimensions.items())) if dimensions else ())
        with self._lock:
            values = self._values.get(series)
            if values is None:
                _require_known(metric, dimensions)
                values = self._values[series] = []
            if is_sum and values:
                values[0] += value
            else:
                values.append(value)
            if len(values) < VALUES_LIMIT and len(self._values) < SERIES_LIMIT:
                return {}
            return self._emptied()

    def take(self) -> dict[Series, list[float]]:
        with self._lock:
            return self._emptied()

    def _emptied(self) -> dict[Series, list[float]]:
        taken, self._values = self._values, {}
        return taken


_buffer = _Buffer()


def count(metric: Metric, value: int = 1, **dimensions: str) -> None:
    """Add to a number that is told as one sum. Nothing is told of a metric that nothing was added to.

    Raises:
        ValueError: the metric is no count, the value is negative, or the dimensions are not the metric's.
    """
    if metric.unit not in ("Count", "Bytes") or value < 0:
        raise ValueError(f"{metric}: {value} is nothing to be added up")
    if value:
        _write(_buffer.add(metric, value, dimensions, is_sum=True))


def observe(metric: Metric, value: float, **dimensions: str) -> None:
    """Put one measured value aside, in the metric's unit. Each is told, so that there are percentiles of them.

    Raises:
        ValueError: the value is no number, or the dimensions are not the metric's.
    """
    if not math.isfinite(value):
        raise ValueError(f"{metric}: {value} is no number")
    _write(_buffer.add(metric, value, dimensions, is_sum=False))


@contextmanager
def timed(metric: Metric) -> Iterator[None]:
    """Observe the milliseconds of the block, however it ends: what fails for want of an answer was slow."""
    began = time.perf_counter()
    try:
        yield
    finally:
        observe(metric, (time.perf_counter() - began) * 1000)


def flush() -> None:
    """Write what came together since the last time; nothing, when nothing did or no namespace is set."""
    _write(_buffer.take())


def _write(taken: Mapping[Series, list[float]]) -> None:
    if not taken:
        return
    namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE")
    if not namespace:
        return
    service = os.environ.get("POWERTOOLS_SERVICE_NAME", "service_undefined")
    for document in _documents(taken, namespace, service):
        # In one piece: a line of another thread's must not get in between.
        sys.stdout.write(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")
    sys.stdout.flush()


def _require_known(metric: Metric, dimensions: Mapping[str, str]) -> None:
    named = {name for names in metric.sets for name in names} - {_SERVICE}
    if set(dimensions) != named:
        raise ValueError(f"{metric}: its dimensions are {sorted(named)}, not {sorted(dimensions)}")
    for name, value in dimensions.items():
        if not _WORD.fullmatch(value):
            raise ValueError(f"{metric}: {name} is no word of ours")


def _documents(taken: Mapping[Series, list[float]], namespace: str, service: str) -> list[dict[str, Any]]:
    """The lines' objects. Directives share one, as long as none of its members would have to say two things."""
    documents: list[dict[str, Any]] = []
    for directive in _directives(taken, namespace, service):
        members = {name: value for name, value in directive.items() if name != "_aws"}
        for document in documents:
            if all(name not in document or document[name] == value for name, value in members.items()):
                document["_aws"]["CloudWatchMetrics"] += directive["_aws"]["CloudWatchMetrics"]
                document.update(members)
                break
        else:
            documents.append(directive)
    return documents


def _directives(taken: Mapping[Series, list[float]], namespace: str, service: str) -> Iterator[dict[str, Any]]:
    """One object of one directive for all metrics with the same dimensions."""
    from aws_lambda_powertools.metrics import EphemeralMetrics

    alike: dict[tuple[Sets, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
    for (metric, dimensions), values in taken.items():
        rounded = [round(value, _DIGITS) for value in values]
        alike.setdefault((metric.sets, dimensions), {})[metric.value] = {"Unit": metric.unit, "Value": rounded}
    for (sets, dimensions), metrics in alike.items():
        told = {_SERVICE: service, **dict(dimensions)}
        first, *others = sets  # the empty set can only be the first
        provider = EphemeralMetrics(
            metric_set=metrics,
            dimension_set={name: told[name] for name in first},
            namespace=namespace,
            service="",  # else it is a dimension of every metric
        )
        for names in others:
            provider.add_dimensions(**{name: told[name] for name in names})
        yield dict(provider.serialize_metric_set())
