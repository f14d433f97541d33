"""How fast the whole chain of a batch is, and how its cost grows with the batch.

    python tests/bench/bench_batch.py [--growth 100 1000 10000] [--chain 100 1000] [--at-once 40]

chain     a local stack and sites that answer after 50 ms: domains a second from the POST to the last domain
growth    for each domain: rows, statements and bytes, of batches of 100 to 10,000 domains. The database, the pooler
          and the services are real; scans bring ready facts, and the state machine's steps are called one by one.
          `stored` is tables and indexes, `WAL` what a durable database writes, `wire` what goes through the pooler.

Either is left out by an empty list (`--chain` alone). The last line divides the largest batch's figures by the
smallest's.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
PARTS = Path(__file__).parent / "batching"
LARGEST_SECONDS = 1800


def width(name: str) -> int:
    return max(len(name), 9) + 2


def run(part: str, *arguments: int) -> list[dict[str, float]]:
    """The figures that a part prints, each line shown as it comes."""
    rows: list[dict[str, float]] = []
    with subprocess.Popen(
        [sys.executable, str(PARTS / part), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS), "POWERTOOLS_LOG_LEVEL": "WARNING"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            rows.append(json.loads(line))
            if len(rows) == 1:
                print("".join(f"{name:>{width(name)}}" for name in rows[0]))
            print("".join(f"{value:{width(name)},.2f}" for name, value in rows[-1].items()), flush=True)
    if process.returncode:
        raise SystemExit(f"{part} failed")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--growth", type=int, nargs="*", default=[100, 1_000, 10_000], metavar="DOMAINS")
    parser.add_argument("--chain", type=int, nargs="*", default=[100, 1_000], metavar="DOMAINS")
    parser.add_argument("--at-once", type=int, default=40, help="sites that the chain's batches have in flight")
    options = parser.parse_args()
    if options.chain:
        print(f"chain: local stack, {options.at_once} sites at once, 50 ms each")
        run("chain.py", options.at_once, *options.chain)
    if options.growth:
        print("growth: figures of the whole batch as named, statements to CPU for each domain")
        rows = run("growth.py", *options.growth)
        print("".join(f"{value / (rows[0][name] or 1):{width(name) - 1},.2f}x" for name, value in rows[-1].items()))


if __name__ == "__main__":
    main()
