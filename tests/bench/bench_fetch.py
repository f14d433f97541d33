"""Pages per second per core of the worker's fetch and extraction, beside Scrapy and Crawlee in the same run.

    python tests/bench/bench_fetch.py [--sites 300] [--rounds 3] [--concurrency 10] [--ours]

A fixture web of that many sites (home pages of 165 kB on average, sent as gzip over plain http) is served by a process
of its own, on the last core; each crawler runs in one of its own, pinned to the first, reads the robots.txt and the
home page of every site, and extracts the same facts. The rounds are interleaved and the table shows their medians.

CPU is of the whole process from the first URL on, imports left out; the peak is its resident memory, imports included.
The peers get an environment of their own, made on first use under ~/.cache/scrapersky.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PARTS = Path(__file__).parent / "fetching"
PEERS = Path.home() / ".cache" / "scrapersky" / "bench-peers"
OURS_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}  # as template.yaml gives it to the worker
PEER_PACKAGES = ("scrapy==2.19.0", "crawlee[parsel]==1.11.0")
OURS = "ours"
LARGEST_SECONDS = 600  # one crawler's run; the slowest does some 30 pages a second


@dataclass(frozen=True, slots=True)
class Crawler:
    name: str
    script: str
    python: Path


def crawlers() -> list[Crawler]:
    peers = PEERS / "bin" / "python"
    return [
        Crawler(OURS, "ours.py", Path(sys.executable)),
        Crawler("scrapy", "scrapy_peer.py", peers),
        Crawler("crawlee", "crawlee_peer.py", peers),
    ]


def install_peers() -> None:
    """Make the peers' environment unless it holds these very versions."""
    done = PEERS / "packages.json"
    if done.is_file() and json.loads(done.read_text()) == list(PEER_PACKAGES):
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
    subprocess.run([str(PEERS / "bin" / "pip"), "install", "--quiet", *PEER_PACKAGES], check=True)
    done.write_text(json.dumps(PEER_PACKAGES))


def pinned(core: int, python: Path, script: str) -> list[str]:
    return ["taskset", "--cpu-list", str(core), str(python), str(PARTS / script)]


@contextmanager
def fixture_web(environment: dict[str, str]) -> Iterator[str]:
    """The port of a running fixture web."""
    command = pinned((os.cpu_count() or 1) - 1, Path(sys.executable), "web.py")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def run(crawler: Crawler, environment: dict[str, str]) -> dict[str, Any]:
    """What one run cost. Raises subprocess.CalledProcessError, with its errors on ours, when it failed."""
    done = subprocess.run(
        pinned(0, crawler.python, crawler.script),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=LARGEST_SECONDS,
    )
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return cost


def table(costs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A line for each crawler: medians, and how many times ours does and costs what it does."""
    lines = [
        f"{'':9}{'pages/s':>9}{'CPU ms/page':>13}{'peak MB':>9}{'imported MB':>13}{'same facts':>12}"
        f"{'ours is faster by':>19}{'leaner by':>11}"
    ]
    expected = costs[OURS][0]["facts"]

    def median(name: str, key: str) -> float:
        return statistics.median(float(cost[key]) for cost in costs[name])

    for name, runs in costs.items():
        pages = runs[0]["pages"]
        rate, cpu = pages / median(name, "wall"), 1000 * median(name, "cpu") / pages
        same = sum(1 for site, facts in runs[0]["facts"].items() if expected[site] == facts)
        ratio = median(name, "wall") / median(OURS, "wall")
        memory = median(name, "peak_mb") / median(OURS, "peak_mb")
        lines.append(
            f"{name:9}{rate:9.0f}{cpu:13.2f}{median(name, 'peak_mb'):9.1f}{median(name, 'imported_mb'):13.1f}"
            f"{f'{same}/{len(expected)}':>12}{f'{ratio:.1f} x':>19}{f'{memory:.1f} x':>11}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=10, help="sites at once, as one worker has them")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    options = parser.parse_args()
    chosen = crawlers()[: 1 if options.ours else None]
    if not options.ours:
        install_peers()
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "BENCH_SITES": str(options.sites),
        "BENCH_CONCURRENCY": str(options.concurrency),
    }
    costs: dict[str, list[dict[str, Any]]] = {crawler.name: [] for crawler in chosen}
    with fixture_web(environment) as port:
        for number in range(1, options.rounds + 1):
            for crawler in chosen:
                own = OURS_ENVIRONMENT if crawler.name == OURS else {}
                cost = run(crawler, {**environment, **own, "BENCH_PORT": port})
                costs[crawler.name].append(cost)
                print(f"round {number}: {crawler.name} read {cost['pages']} pages in {cost['wall']:.2f} s", flush=True)
    print(f"{options.sites} sites, {options.concurrency} at once, one core; medians of {options.rounds} rounds")
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
