"""The API against its own description, for as long as one likes: every answer to thousands of requests is held to
openapi.json.

    python tests/chaos/fuzz.py [--examples 100] [--seed 1]

Starts a stack of its own. Ends with 1 when an answer is an error of ours or not as described, and tells the request.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.stack import Stack, StackOptions
from support.arguments import positive
from support.fuzzing import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=positive, default=100, help="made-up requests an operation, per phase")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(2**32), help="of a run to ask alike; each run prints its own"
    )
    arguments = parser.parse_args()
    with (
        throwaway_directory() as data_dir,
        tempfile.TemporaryDirectory() as folder,
        Stack(StackOptions(data_dir=data_dir, durable=False)).running() as info,
    ):
        fuzzed = fuzz(
            info,
            Path(folder),
            "--max-examples",
            str(arguments.examples),
            "--seed",
            str(arguments.seed),
            "--workers",
            "2",
            seconds=None,
        )
    if fuzzed.failures:
        print(fuzzed.text)
    print(
        f"seed {arguments.seed}: {fuzzed.cases} requests to {fuzzed.operations} operations in "
        f"{fuzzed.report['running_time']:.0f} s, {len(fuzzed.failures)} failures"
    )
    return 1 if fuzzed.failures else 0


if __name__ == "__main__":
    sys.exit(main())
