"""What a metric costs where it is counted, beside Powertools' own way.

    python tests/bench/bench_metrics.py

Prints nanoseconds a call and how many times that Powertools takes, and what an invocation's metrics take in all.
"""

import argparse
import io
import os
import timeit
from collections.abc import Callable
from contextlib import redirect_stdout

from aws_lambda_powertools.metrics import EphemeralMetrics

from scrapersky.metrics import Metric, count, flush, observe

CALLS = 50_000
REPEATS = 5


def nanoseconds(call: Callable[[], object]) -> float:
    """The least of the repeats: what else the machine does is not the call's."""
    with redirect_stdout(io.StringIO()):
        taken = min(timeit.repeat(call, number=CALLS, repeat=REPEATS)) / CALLS * 1e9
        flush()
    return taken


def an_invocation() -> None:
    """What a worker of ten sites counts."""
    for _ in range(25):
        count(Metric.ROUND_TRIPS)
        observe(Metric.TRANSACTION_MILLISECONDS, 1.5)
    for _ in range(10):
        count(Metric.PAGES_FETCHED, 5)
        count(Metric.FETCHES, outcome="ok")
    count(Metric.FETCHES, outcome="timeout")
    observe(Metric.DATABASE_CONNECT_MILLISECONDS, 20.0)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "ScraperSky/bench"
    os.environ["POWERTOOLS_SERVICE_NAME"] = "bench"
    theirs = EphemeralMetrics()
    peer = nanoseconds(lambda: theirs.add_metric("Fetches", "Count", 1))
    ways: dict[str, Callable[[], object]] = {
        "count": lambda: count(Metric.ROUND_TRIPS),
        "count with a dimension": lambda: count(Metric.FETCHES, outcome="ok"),
        "observe, with its writing": lambda: observe(Metric.TRANSACTION_MILLISECONDS, 1.5),
    }
    print(f"{'Powertools add_metric':28} {peer:8.0f} ns")
    for name, way in ways.items():
        ours = nanoseconds(way)
        print(f"{name:28} {ours:8.0f} ns   {peer / ours:5.1f} times as fast")

    def whole() -> None:
        an_invocation()
        flush()

    with redirect_stdout(io.StringIO()):
        taken = min(timeit.repeat(whole, number=200, repeat=REPEATS)) / 200 * 1e6
    print(f"{'an invocation, all in all':28} {taken:8.0f} us")


if __name__ == "__main__":
    main()
