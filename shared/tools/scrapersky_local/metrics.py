"""Metrics that functions write as log lines (embedded metric format, EMF), read as CloudWatch does, and published.

On AWS the logs do this by themselves. Here what a function writes passes through the stack's own process, which reads
the metrics out of it and puts them into the engine's CloudWatch, a few calls a second however much is written.
"""

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

# Limits of the "Embedded metric format specification" and of PutMetricData.
METRICS_LIMIT: Final = 100  # definitions of a directive
VALUES_LIMIT: Final = 100  # numbers of a target member
DIMENSIONS_LIMIT: Final = 30  # names of a dimension set
DATUM_VALUES_LIMIT: Final = 150  # different values of a datum
BATCH_LIMIT: Final = 1000  # datums of a request
BATCH_VALUES_LIMIT: Final = 20_000  # values of a request, so that it stays below 1 MB
_PAST_SECONDS: Final = 14 * 24 * 3600
_FUTURE_SECONDS: Final = 2 * 3600
_UNITS: Final = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "None"}
    | {f"{size}{unit}" for size in ("", "Kilo", "Mega", "Giga", "Tera") for unit in ("bytes", "bits")}
    | {"Bytes", "Bits"}
    | {f"{size}/Second" for size in ("Bytes", "Bits", "Count")}
    | {f"{size}{unit}/Second" for size in ("Kilo", "Mega", "Giga", "Tera") for unit in ("bytes", "bits")}
)

FLUSH_SECONDS = 0.5  # so that an alarm moves within a second or two of its cause
STOP_SECONDS = 2.0  # for the request that is under way: services that hang must not keep the stack from ending
# Different values that wait to be published: some 20 MB, and a thousand times what a busy stack says in half a second.
WAITING_LIMIT = 200_000

Series = tuple[str, str, tuple[tuple[str, str], ...], str, int]
Put = Callable[[str, list[dict[str, Any]]], object]
Say = Callable[[str], None]


class InvalidMetrics(ValueError):
    """A line that calls itself metrics and is none by the specification; CloudWatch would take nothing out of it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of one metric: a name in a namespace with these dimensions. `second` is their time (Unix)."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    second: int
    values: tuple[float, ...]


def read(line: str, now: float) -> list[Measured]:
    """The metrics in a line of a log: each value once for each set of dimensions. None in a line of another kind.

    Raises:
        InvalidMetrics: what is in `_aws` is not what the specification says.
    """
    if '"_aws"' not in line:
        return []
    try:
        document = json.loads(line, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InvalidMetrics("nested too deeply") from error
    except InvalidMetrics:
        raise
    except ValueError:
        return []  # some text with the word in it
    if not isinstance(document, dict) or "_aws" not in document:
        return []
    metadata = _object(document["_aws"], "_aws")
    directives = _list(metadata.get("CloudWatchMetrics"), "CloudWatchMetrics")
    second = _second(metadata.get("Timestamp"), now)
    return [one for directive in directives for one in _of_directive(_object(directive, "directive"), document, second)]


def _of_directive(directive: Mapping[str, Any], document: Mapping[str, Any], second: int) -> Iterator[Measured]:
    namespace = _text(directive.get("Namespace"), "Namespace")
    sets = [_dimensions(names, document) for names in _list(directive.get("Dimensions", [[]]), "Dimensions")] or [()]
    definitions = _list(directive.get("Metrics"), "Metrics")
    if len(definitions) > METRICS_LIMIT:
        raise InvalidMetrics(f"{len(definitions)} metrics in a directive, more than {METRICS_LIMIT}")
    for definition in definitions:
        described = _object(definition, "metric")
        name = _text(described.get("Name"), "Name")
        unit = described.get("Unit", "None")
        if unit not in _UNITS:
            raise InvalidMetrics(f"{name}: {unit!r} is no unit")
        values = _values(name, document)
        for dimensions in dict.fromkeys(sets):
            yield Measured(namespace, name, dimensions, unit, second, values)


def _dimensions(names: Any, document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    named = [_text(name, "dimension") for name in _list(names, "dimension set")]
    if len(named) > DIMENSIONS_LIMIT:
        raise InvalidMetrics(f"{len(named)} dimensions in a set, more than {DIMENSIONS_LIMIT}")
    return tuple(sorted({name: _text(document.get(name), f"dimension {name}") for name in named}.items()))


def _values(name: str, document: Mapping[str, Any]) -> tuple[float, ...]:
    target = document.get(name)
    numbers: list[Any] = target if isinstance(target, list) else [target]
    if len(numbers) > VALUES_LIMIT:
        raise InvalidMetrics(f"{name}: {len(numbers)} values, more than {VALUES_LIMIT}")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InvalidMetrics(f"{name}: no number, nor an array of numbers")
    return tuple(float(number) for number in numbers)


def _second(timestamp: Any, now: float) -> int:
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise InvalidMetrics("Timestamp: no number of milliseconds")
    if not now - _PAST_SECONDS <= timestamp / 1000 <= now + _FUTURE_SECONDS:
        raise InvalidMetrics("Timestamp: more than two weeks ago, or two hours ahead")
    return int(timestamp // 1000)


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidMetrics(f"{what}: no object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidMetrics(f"{what}: no array")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidMetrics(f"{what}: no text")
    return value


def _refuse_constant(name: str) -> float:
    raise InvalidMetrics(f"{name} is no JSON")


class Publisher:
    """Takes log lines, and puts the metrics in them into CloudWatch: each value once, none held back for long.

    `put` is `(namespace, metric data)` as PutMetricData wants them, and raises when they were not taken: then they are
    put again with what came meanwhile. `say` is told what went wrong.
    """

    def __init__(self, put: Put, say: Say, clock: Callable[[], float] = time.time) -> None:
        self._put = put
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[Series, Counter[float]] = {}
        self._size = 0
        self._dropped = 0
        self._is_failing = False
        self._stopping = threading.Event()

    def take(self, function: str, line: str) -> None:
        """Note the metrics of a line that a function wrote. It never waits, nor raises."""
        try:
            measured = read(line, self._clock())
        except InvalidMetrics as error:
            self._say(f"{function} wrote a line of metrics that CloudWatch would not take: {error}")
            return
        with self._lock:
            for one in measured:
                series = (one.namespace, one.name, one.dimensions, one.unit, one.second)
                self._add(series, Counter(one.values))

    def flush(self) -> None:
        """Publish what is there."""
        with self._lock:
            waiting, self._waiting, self._size = self._waiting, {}, 0
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._say(f"{dropped} metric values were dropped: the AWS services did not take them for too long")
        for namespace, data in _batches(waiting):
            try:
                self._put(namespace, [_datum(series, values) for series, values in data])
            except Exception as error:  # whatever keeps it from being taken: it stays, and so does the stack
                if not self._is_failing and not self._stopping.is_set():
                    self._say(f"metrics wait, as the AWS services do not take them: {error}")
                self._is_failing = True
                with self._lock:
                    for series, values in data:
                        self._add(series, values)
            else:
                self._is_failing = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Publish every half second, from a thread of its own."""
        thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self.flush()

    def _add(self, series: Series, values: Counter[float]) -> None:
        known = self._waiting.get(series, Counter())
        more = len(values.keys() - known.keys())
        if self._size + more > WAITING_LIMIT:
            self._dropped += values.total()
            return
        known.update(values)
        self._waiting[series] = known
        self._size += more


def _batches(
    waiting: Mapping[Series, Counter[float]],
) -> Iterator[tuple[str, list[tuple[Series, Counter[float]]]]]:
    """What a request takes at a time: datums of one namespace, as many as it may hold."""
    by_namespace: dict[str, list[tuple[Series, Counter[float]]]] = {}
    for series, values in waiting.items():
        by_namespace.setdefault(series[0], []).extend((series, Counter(dict(part))) for part in _parts(values))
    for namespace, datums in by_namespace.items():
        batch: list[tuple[Series, Counter[float]]] = []
        size = 0
        for series, values in datums:
            if len(batch) == BATCH_LIMIT or size + len(values) > BATCH_VALUES_LIMIT:
                yield namespace, batch
                batch, size = [], 0
            batch.append((series, values))
            size += len(values)
        yield namespace, batch


def _parts(values: Counter[float]) -> Iterator[Sequence[tuple[float, int]]]:
    items = list(values.items())
    for begin in range(0, len(items), DATUM_VALUES_LIMIT):
        yield items[begin : begin + DATUM_VALUES_LIMIT]


def _datum(series: Series, values: Counter[float]) -> dict[str, Any]:
    _, name, dimensions, unit, second = series
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
        "Timestamp": datetime.fromtimestamp(second, UTC),
        "Unit": unit,
        "Values": list(values.keys()),
        "Counts": [float(count) for count in values.values()],
    }
