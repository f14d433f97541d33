"""What functions write as metrics comes into CloudWatch: read as the specification says, each value once."""

import json
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from scrapersky import metrics as ours
from scrapersky.metrics import Metric
from scrapersky_local import metrics
from scrapersky_local.metrics import (
    BATCH_LIMIT,
    DATUM_VALUES_LIMIT,
    InvalidMetrics,
    Measured,
    Publisher,
    read,
)

NOW = 1_790_000_000.0
SPACE = "ScraperSky/test"


def emf(*directives: dict[str, Any], timestamp: object = int(NOW * 1000), **members: object) -> str:
    return json.dumps({"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": list(directives)}, **members})


def directive(*sets: list[str], **units: str | None) -> dict[str, Any]:
    metrics = [{"Name": name} | ({"Unit": unit} if unit else {}) for name, unit in units.items()]
    return {"Namespace": SPACE, "Dimensions": list(sets), "Metrics": metrics}


class Store:
    """What PutMetricData was given; `refusals` of its calls are refused before."""

    def __init__(self, refusals: int = 0) -> None:
        self.calls: list[tuple[str, list[dict[str, Any]]]] = []
        self.refusals = refusals

    def put(self, namespace: str, data: list[dict[str, Any]]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("nobody there")
        self.calls.append((namespace, data))

    def values(self) -> Counter[tuple[object, ...]]:
        """How often each value came, by metric and dimensions."""
        found: Counter[tuple[object, ...]] = Counter()
        for namespace, data in self.calls:
            for datum in data:
                named = tuple((one["Name"], one["Value"]) for one in datum["Dimensions"])
                for value, count in zip(datum["Values"], datum["Counts"], strict=True):
                    found[namespace, datum["MetricName"], named, value] += int(count)
        return found


def publisher(store: Store) -> tuple[Publisher, list[str]]:
    said: list[str] = []
    return Publisher(store.put, said.append, clock=lambda: NOW), said


def test_a_value_counts_once_for_each_set_of_dimensions_the_empty_one_among_them() -> None:
    line = emf(directive([], ["kind"], ["service", "kind"], JobsFailed="Count"), JobsFailed=2, kind="k", service="s")
    assert read(line, NOW) == [
        Measured(SPACE, "JobsFailed", dimensions, "Count", int(NOW), (2.0,))
        for dimensions in ((), (("kind", "k"),), (("kind", "k"), ("service", "s")))
    ]


@pytest.mark.parametrize("dimensions", [{}, {"Dimensions": []}, {"Dimensions": [[]]}], ids=["none", "no set", "empty"])
def test_a_metric_may_have_no_dimensions(dimensions: dict[str, Any]) -> None:
    told = {"Namespace": SPACE, "Metrics": [{"Name": "Sweeps", "Unit": "Count"}], **dimensions}
    assert read(emf(told, Sweeps=1), NOW) == [Measured(SPACE, "Sweeps", (), "Count", int(NOW), (1.0,))]


def test_an_array_is_as_many_values_and_directives_and_units_are_their_own() -> None:
    first, second = directive([], Seconds="Seconds", Plain=None), directive(["a"], Bytes="Bytes") | {"Namespace": "N"}
    line = emf(first, second, Seconds=[0.25, 0.5, 0.25], Plain=0, Bytes=[7], a="x", other={"any": [1]})
    assert [(one.namespace, one.name, one.unit, one.values) for one in read(line, NOW)] == [
        (SPACE, "Seconds", "Seconds", (0.25, 0.5, 0.25)),
        (SPACE, "Plain", "None", (0.0,)),
        ("N", "Bytes", "Bytes", (7.0,)),
    ]


def test_the_time_is_the_line_s_own() -> None:
    (one,) = read(emf(directive([], Sweeps="Count"), timestamp=(NOW - 90) * 1000 + 999, Sweeps=1), NOW)
    assert one.second == int(NOW - 90)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "plain text",
        '{"message": "x"}',
        '["_aws"]',
        '{"a": "_aws"}',
        '{"_aws"',
        '"_aws"',
        '{"message":"{\\"_aws\\":1}"}',
    ],
)
def test_other_lines_are_none_of_it(line: str) -> None:
    assert read(line, NOW) == []


ONE = directive([], M="Count")
INVALID = {
    "_aws: no object": '{"_aws": 1}',
    "CloudWatchMetrics: no array": '{"_aws": {"Timestamp": 1}}',
    "Timestamp: no number": emf(ONE, timestamp="now", M=1),
    "Timestamp: no number of": emf(ONE, timestamp=True, M=1),
    "Timestamp: more than two weeks": emf(ONE, timestamp=1, M=1),
    "two hours ahead": emf(ONE, timestamp=(NOW + 8000) * 1000, M=1),
    "directive: no object": emf("x", M=1),  # type: ignore[arg-type]
    "Namespace: no text": emf(ONE | {"Namespace": ""}, M=1),
    "Dimensions: no array": emf(ONE | {"Dimensions": "kind"}, M=1),
    "dimension set: no array": emf(ONE | {"Dimensions": ["kind"]}, M=1),
    "dimension kind: no text": emf(directive(["kind"], M="Count"), M=1),
    "dimension kind: no": emf(directive(["kind"], M="Count"), M=1, kind=3),
    "31 dimensions": emf(directive([f"d{n}" for n in range(31)], M="Count"), M=1, **{f"d{n}": "x" for n in range(31)}),
    "Metrics: no array": emf(ONE | {"Metrics": None}, M=1),
    "101 metrics": emf(directive([], **{f"m{n}": "Count" for n in range(101)})),
    "Name: no text": emf(ONE | {"Metrics": [{"Unit": "Count"}]}, M=1),
    "'count' is no unit": emf(directive([], M="count"), M=1),
    "M: no number": emf(ONE),
    "M: no number, nor": emf(ONE, M="1"),
    "M: no number, nor an": emf(ONE, M=[1, True]),
    "M: 101 values": emf(ONE, M=[1] * 101),
    "NaN is no JSON": emf(ONE, M=float("nan")),
    "nested too deeply": '{"_aws":' + "[" * 200_000,
}


@pytest.mark.parametrize(("reason", "line"), INVALID.items(), ids=INVALID)
def test_what_is_no_metric_is_taken_as_none_and_said(reason: str, line: str) -> None:
    with pytest.raises(InvalidMetrics, match=reason):
        read(line, NOW)
    store = Store()
    one, said = publisher(store)
    one.take("sweeper", line)
    one.flush()
    assert store.calls == []
    assert len(said) == 1
    assert said[0].startswith("sweeper wrote a line of metrics that CloudWatch would not take: ")


def test_what_our_functions_write_is_read_as_it_was_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", SPACE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "event_dispatcher")
    ours.flush()
    capsys.readouterr()
    ours.count(Metric.JOBS_COMPLETE, 3, kind="domain_scan")
    ours.count(Metric.JOBS_COMPLETE, 4, kind="sitemap_scan")
    ours.count(Metric.SWEEPS)
    for milliseconds in (1.5, 1.5, 2.25):
        ours.observe(Metric.TRANSACTION_MILLISECONDS, milliseconds)
    ours.flush()
    store = Store()
    one = Publisher(store.put, print)
    for line in capsys.readouterr().out.splitlines():
        one.take("event_dispatcher", line)
    one.flush()
    service = (("service", "event_dispatcher"),)
    assert store.values() == {
        (SPACE, "JobsComplete", (), 3.0): 1,
        (SPACE, "JobsComplete", (), 4.0): 1,
        (SPACE, "JobsComplete", (("kind", "domain_scan"),), 3.0): 1,
        (SPACE, "JobsComplete", (("kind", "sitemap_scan"),), 4.0): 1,
        (SPACE, "Sweeps", (), 1.0): 1,
        (SPACE, "TransactionMilliseconds", (), 1.5): 2,
        (SPACE, "TransactionMilliseconds", (), 2.25): 1,
        (SPACE, "TransactionMilliseconds", service, 1.5): 2,
        (SPACE, "TransactionMilliseconds", service, 2.25): 1,
    }


def test_nothing_is_lost_or_doubled_and_no_request_is_larger_than_it_may_be() -> None:
    """Thousands of metrics, values of all kinds, written in disorder, and a service that refuses now and then."""
    drawn = random.Random(11)
    store = Store()
    one, said = publisher(store)
    expected: Counter[tuple[object, ...]] = Counter()
    for number in range(4000):
        kind, name = f"k{drawn.randrange(1300)}", f"M{drawn.randrange(3)}"
        values = [drawn.choice((1.0, drawn.random())) for _ in range(drawn.randrange(1, 8))]
        when = (NOW - drawn.randrange(200)) * 1000
        one.take("f", emf(directive([], ["kind"], **{name: "Count"}), timestamp=when, kind=kind, **{name: values}))
        for value in values:
            expected[SPACE, name, (), value] += 1
            expected[SPACE, name, (("kind", kind),), value] += 1
        if number % 900 == 0:
            store.refusals = 1
            one.flush()
    one.flush()
    assert store.values() == expected
    assert max(len(data) for _, data in store.calls) == BATCH_LIMIT
    assert max(len(datum["Values"]) for _, data in store.calls for datum in data) <= DATUM_VALUES_LIMIT
    assert {namespace for namespace, _ in store.calls} == {SPACE}
    assert set(said) == {"metrics wait, as the AWS services do not take them: nobody there"}


def test_an_answer_that_is_lost_doubles_its_batch_and_the_count_sees_it() -> None:
    """The control, and the one way to come to a double: CloudWatch took it, and nobody heard."""
    store = Store()

    def put_and_break(namespace: str, data: list[dict[str, Any]]) -> None:
        store.calls.append((namespace, data))
        if len(store.calls) == 1:
            raise ConnectionError("no answer")

    one = Publisher(put_and_break, print, clock=lambda: NOW)
    one.take("f", emf(ONE, M=[1, 2]))
    one.flush()
    one.flush()
    assert store.values() == {(SPACE, "M", (), 1.0): 2, (SPACE, "M", (), 2.0): 2}


def test_a_metric_of_many_values_is_told_in_as_many_datums_as_it_takes() -> None:
    store = Store()
    one, _ = publisher(store)
    for begin in range(0, 1000, 100):
        one.take("f", emf(ONE, M=list(range(begin, begin + 100))))
    one.flush()
    ((_, data),) = store.calls
    assert [len(datum["Values"]) for datum in data] == [DATUM_VALUES_LIMIT] * 6 + [100]
    assert {datum["Timestamp"] for datum in data} == {datetime.fromtimestamp(NOW, UTC)}
    assert store.values().total() == 1000


def test_a_service_that_takes_nothing_fills_no_memory_and_what_was_dropped_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "WAITING_LIMIT", 500)
    store = Store(refusals=1)
    one, said = publisher(store)
    for begin in range(0, 800, 100):
        one.take("f", emf(ONE, M=list(range(begin, begin + 100))))
    one.take("f", emf(ONE, M=0))  # which is there: it takes no more room
    one.flush()
    one.flush()
    assert "300 metric values were dropped: the AWS services did not take them for too long" in said
    assert store.values().total() == 501


def test_what_is_taken_is_published_by_itself_until_the_end() -> None:
    store = Store()
    one, _ = publisher(store)
    with one.running():
        one.take("f", emf(ONE, M=[1, 2]))
        deadline = time.monotonic() + 10
        while not store.calls and time.monotonic() < deadline:
            time.sleep(0.01)
    assert store.values().total() == 2


def test_services_that_hang_keep_nobody_from_ending_and_are_not_complained_of_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "STOP_SECONDS", 0.05)
    asked, goes_on = threading.Event(), threading.Event()

    def hang(_namespace: str, _data: list[dict[str, Any]]) -> None:
        asked.set()
        goes_on.wait(10)
        raise ConnectionError("killed")

    said: list[str] = []
    one = Publisher(hang, said.append, clock=lambda: NOW)
    with one.running():
        one.take("f", emf(ONE, M=1))
        assert asked.wait(10)
        begin = time.monotonic()
    assert time.monotonic() - begin < 5
    goes_on.set()
    assert said == []
