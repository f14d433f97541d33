"""Pages per second per core of the worker's fetch and extraction, beside Scrapy and Crawlee in the same run.

    python tests/bench/bench_fetch.py [--sites 300] [--pages 5] [--rounds 3] [--concurrency 10] [--ours] [--peers DIR]

A fixture web of that many sites is served by a process of its own, on the last core: one page to `--pages` a site, in
turn, of 165 kB on average, sent as gzip over plain http. Each crawler runs in a process of its own, pinned to the
first core, reads the robots.txt and the home page of every site and the further pages that the home page links to, and
extracts the same facts from each. The rounds are interleaved; the table shows their medians, and how many of the facts
that ours found are the same in the other crawler's first round, fact by fact.

Ours is `scan_site`, in the worker's window of threads: two pages of a site at a time, and one security.txt, which the
peers do not ask for. A site's facts are compared: its home page's, and the e-mail addresses of all its pages.

CPU is of the whole process from the first URL on, imports left out; the peak is its resident memory, imports included.
The peers get an environment of their own, made on first use, under ~/.cache/scrapersky unless `--peers` says where.
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
MOST_DIFFERENCES = 5  # that are named; all are counted
LARGEST_SECONDS = 600  # one crawler's run; the slowest does some 60 pages a second


@dataclass(frozen=True, slots=True)
class Crawler:
    name: str
    script: str
    python: Path


def crawlers(peers: Path) -> list[Crawler]:
    """All of them, ours first; `peers` is the folder of the others' environment."""
    python = peers / "bin" / "python"
    return [
        Crawler(OURS, "ours.py", Path(sys.executable)),
        Crawler("scrapy", "scrapy_peer.py", python),
        Crawler("crawlee", "crawlee_peer.py", python),
    ]


def install_peers(peers: Path) -> None:
    """Make the peers' environment unless it holds these very versions."""
    done = peers / "packages.json"
    if done.is_file() and json.loads(done.read_text()) == list(PEER_PACKAGES):
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(peers)], check=True)
    subprocess.run([str(peers / "bin" / "pip"), "install", "--quiet", *PEER_PACKAGES], check=True)
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


def differences(expected: dict[str, dict[str, Any]], found: dict[str, dict[str, Any]]) -> list[str]:
    """The facts (`page: name`) that are not the same in both; those of a page that only one has read, too."""
    return [
        f"{page}: {name}"
        for page in expected.keys() | found.keys()
        for name in expected.get(page, {}).keys() | found.get(page, {}).keys()
        if page not in expected or page not in found or expected[page][name] != found[page][name]
    ]


def table(costs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A line for each crawler: medians, and how many times ours does and costs what it does."""
    lines = [
        f"{'':9}{'pages/s':>9}{'CPU ms/page':>13}{'peak MB':>9}{'imported MB':>13}{'same facts':>15}"
        f"{'ours is faster by':>19}{'leaner by':>11}"
    ]
    expected = costs[OURS][0]["facts"]
    facts = sum(map(len, expected.values()))

    def median(name: str, key: str) -> float:
        return statistics.median(float(cost[key]) for cost in costs[name])

    for name, runs in costs.items():
        pages = runs[0]["pages"]
        rate, cpu = pages / median(name, "wall"), 1000 * median(name, "cpu") / pages
        different = differences(expected, runs[0]["facts"])
        ratio = median(name, "wall") / median(OURS, "wall")
        memory = median(name, "peak_mb") / median(OURS, "peak_mb")
        lines.append(
            f"{name:9}{rate:9.0f}{cpu:13.2f}{median(name, 'peak_mb'):9.1f}{median(name, 'imported_mb'):13.1f}"
            f"{f'{facts - len(different)}/{facts}':>15}{f'{ratio:.1f} x':>19}{f'{memory:.1f} x':>11}"
        )
        lines += [f"{'':9}not the same: {fact}" for fact in sorted(different)[:MOST_DIFFERENCES]]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--pages", type=int, default=5, help="a site has one page to this many, in turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=10, help="sites (the peers: pages) at once")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument("--peers", type=Path, default=PEERS, metavar="DIR", help="the folder of their environment")
    options = parser.parse_args()
    chosen = crawlers(options.peers)[: 1 if options.ours else None]
    if not options.ours:
        install_peers(options.peers)
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "BENCH_SITES": str(options.sites),
        "BENCH_PAGES": str(options.pages),
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
    read = f"{options.sites} sites, {costs[OURS][0]['pages']} pages"
    print(f"{read}, {options.concurrency} at once, one core; medians of {options.rounds} rounds")
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
