"""Metrics: what is counted and observed comes out as lines that CloudWatch reads, once, and within its limits."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from scrapersky import metrics, observability
from scrapersky.metrics import SERIES_LIMIT, VALUES_LIMIT, Metric, count, flush, observe
from scrapersky.observability import observed
from support import emf
from support.http_events import Context
from support.log_lines import recorded

NAMESPACE = "ScraperSky/unit"
CONTEXT: Any = Context()


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer of its own for each test, of a process that has had its cold start."""
    monkeypatch.setattr(metrics, "_buffer", metrics._Buffer())
    monkeypatch.setattr(observability, "_is_cold", False)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "sweeper")


class Printed:
    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def documents(self) -> list[dict[str, Any]]:
        return emf.documents(self._capture.readouterr().out)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(capsys)


def dimensions_of(metric: Metric) -> dict[str, str]:
    named = {name for names in metric.sets for name in names} - {"service"}
    return {name: f"some_{name}" for name in named}


def test_counts_are_added_up_and_observations_are_told_one_by_one(printed: Printed) -> None:
    count(Metric.ROUND_TRIPS)
    count(Metric.ROUND_TRIPS, 4)
    observe(Metric.TRANSACTION_MILLISECONDS, 1.23456)
    observe(Metric.TRANSACTION_MILLISECONDS, 20)
    flush()
    found = printed.documents()
    told = {"RoundTrips": [5], "TransactionMilliseconds": [1.235, 20]}
    assert len(found) == 1
    assert emf.values(found) == emf.values(found, service="sweeper") == told
    assert {directive["Namespace"] for directive in found[0]["_aws"]["CloudWatchMetrics"]} == {NAMESPACE}


def test_what_was_written_is_not_written_again_and_nothing_is_no_line(printed: Printed) -> None:
    count(Metric.SWEEPS)
    flush()
    flush()
    assert len(printed.documents()) == 1
    count(Metric.OUTBOX_SENT, 0)
    flush()
    assert printed.documents() == []


def test_without_a_namespace_nothing_is_written_and_nothing_kept(
    printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE")
    count(Metric.SWEEPS)
    flush()
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", NAMESPACE)
    flush()
    assert printed.documents() == []


def test_each_dimension_is_told_apart_and_the_whole_beside_it(printed: Printed) -> None:
    count(Metric.JOBS_FAILED, 2, kind="domain_scan")
    count(Metric.JOBS_FAILED, 3, kind="sitemap_scan")
    flush()
    found = printed.documents()
    assert emf.values(found, kind="domain_scan") == {"JobsFailed": [2]}
    assert emf.values(found, kind="sitemap_scan") == {"JobsFailed": [3]}
    assert sum(emf.values(found)["JobsFailed"]) == 5


def test_lines_are_as_few_as_can_be(printed: Printed) -> None:
    for metric in Metric:
        observe(metric, 1, **dimensions_of(metric))
    flush()
    (found,) = printed.documents()  # every metric there is, of one kind and one outcome: one line
    assert {name for name in found if name[0].isupper()} == {metric.value for metric in Metric}


@pytest.mark.parametrize("metric", Metric, ids=lambda metric: str(metric))
def test_every_metric_has_a_name_a_unit_and_a_meaning(metric: Metric, printed: Printed) -> None:
    assert metric.meaning
    assert metric.value.isalnum()
    assert metric.value[0].isupper()
    observe(metric, 1, **dimensions_of(metric))
    flush()
    (found,) = printed.documents()
    ((_, told),) = [(name, value) for name, value in found.items() if name[0].isupper()]
    assert told == [1]


def test_no_array_has_more_values_than_cloudwatch_takes_and_none_is_lost(printed: Printed) -> None:
    for number in range(VALUES_LIMIT * 2 + 50):
        observe(Metric.WEBHOOK_SECONDS, number)
    flush()
    found = printed.documents()
    assert [len(document["WebhookSeconds"]) for document in found] == [100, 100, 50]
    assert emf.values(found)["WebhookSeconds"] == list(range(250))


def test_the_buffer_is_bounded_whatever_is_counted(printed: Printed) -> None:
    for number in range(SERIES_LIMIT * 3):
        count(Metric.FETCHES, outcome=f"code_{number}")
        assert len(metrics._buffer._values) < SERIES_LIMIT
    flush()
    found = printed.documents()
    assert len(found) == SERIES_LIMIT * 3
    assert all(emf.values(found, outcome=f"code_{number}") == {"Fetches": [1]} for number in range(SERIES_LIMIT * 3))


def test_the_largest_line_is_far_below_an_events_limit(printed: Printed) -> None:
    for metric in Metric:
        for _ in range(VALUES_LIMIT - 1):
            observe(metric, sys.float_info.max, **dimensions_of(metric))
    flush()
    (found,) = printed.documents()
    assert len(json.dumps(found)) < emf.LINE_BYTES


@pytest.mark.parametrize(
    "outcome",
    [
        "shop.example",
        "11111111-1111-4111-8111-111111111111",
        "eyJhbGciOi.J9",
        "Timeout",
        "",
        "a" * 65,
        "two words",
        "ö",
    ],
)
def test_a_dimension_says_words_of_ours_alone(outcome: str, printed: Printed) -> None:
    with pytest.raises(ValueError, match="outcome is no word of ours") as raised:
        count(Metric.FETCHES, outcome=outcome)
    assert not outcome or outcome not in str(raised.value)
    flush()
    assert printed.documents() == []


@pytest.mark.parametrize(
    ("metric", "dimensions"),
    [
        (Metric.FETCHES, {}),
        (Metric.FETCHES, {"kind": "domain_scan"}),
        (Metric.SWEEPS, {"tenant_id": "somebody"}),
        (Metric.ROUND_TRIPS, {"service": "other"}),
        (Metric.JOBS_ENDED, {"kind": "domain_scan"}),
    ],
)
def test_a_metric_has_its_own_dimensions_and_no_other(metric: Metric, dimensions: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="its dimensions are"):
        count(metric, 1, **dimensions)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no number"):
        observe(Metric.JOB_SECONDS, value, kind="domain_scan")


@pytest.mark.parametrize(("metric", "value"), [(Metric.SWEEPS, -1), (Metric.JOB_SECONDS, 3)])
def test_only_counts_are_added_up(metric: Metric, value: int) -> None:
    with pytest.raises(ValueError, match="added up"):
        count(metric, value)


def test_threads_lose_nothing_and_pass_no_limit(printed: Printed, request: pytest.FixtureRequest) -> None:
    # As many turns of threads as can be: one that is interrupted between any two steps here is in production, too.
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)

    def work(_: int) -> None:
        for number in range(1_000):
            count(Metric.ROUND_TRIPS)
            observe(Metric.TRANSACTION_MILLISECONDS, number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    flush()
    told = emf.values(printed.documents())  # lines that got into each other are no JSON
    assert sum(told["RoundTrips"]) == 8_000
    assert sorted(told["TransactionMilliseconds"]) == sorted(list(range(1_000)) * 8)


def test_an_invocation_writes_its_metrics_at_its_end_a_failed_one_too(printed: Printed) -> None:
    @observed
    def handler(event: Any, _context: Any) -> None:
        count(Metric.SWEEPS)
        assert printed.documents() == []
        if event:
            raise LookupError("broken")

    handler({}, CONTEXT)
    assert emf.values(printed.documents()) == {"Sweeps": [1]}
    with pytest.raises(LookupError):
        handler({"break": True}, CONTEXT)
    assert emf.values(printed.documents()) == {"Sweeps": [1]}


def test_a_cold_start_is_counted_once(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = observed(lambda _event, _context: None)
    monkeypatch.setattr(observability, "_is_cold", True)
    handler({}, CONTEXT)
    handler({}, CONTEXT)
    assert emf.values(printed.documents(), service="sweeper") == {"ColdStarts": [1]}
    # What was started before anybody asked kept nobody waiting.
    monkeypatch.setattr(observability, "_is_cold", True)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
    handler({}, CONTEXT)
    assert printed.documents() == []


def test_metrics_that_cannot_be_written_cost_no_invocation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OSError("no standard output")

    monkeypatch.setattr(metrics, "flush", broken)
    with recorded(capsys) as written:
        assert observed(lambda _event, _context: "done")({}, CONTEXT) == "done"
    (line,) = written.events()
    assert (line["level"], line["message"]) == ("ERROR", "metrics not written")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(Sweeps=[1.0] * 101),
        lambda document: document.update(Sweeps="1"),
        lambda document: document.pop("Sweeps"),
        lambda document: document["_aws"].pop("Timestamp"),
        lambda document: document["_aws"]["CloudWatchMetrics"][0].update(Dimensions=[["kind"]]),
        lambda document: document["_aws"]["CloudWatchMetrics"][0].update(Dimensions=[]),
        lambda document: document["_aws"]["CloudWatchMetrics"][0]["Metrics"][0].update(Unit="Jobs"),
        lambda document: document["_aws"]["CloudWatchMetrics"].append(document["_aws"]["CloudWatchMetrics"][0]),
    ],
    ids=["values", "type", "missing", "time", "dimension", "no_set", "unit", "twice"],
)
def test_control_the_check_sees_what_cloudwatch_would_refuse(change: Any, printed: Printed) -> None:
    count(Metric.SWEEPS)
    flush()
    (document,) = printed.documents()
    change(document)
    with pytest.raises((AssertionError, KeyError)):
        emf.check(document)
