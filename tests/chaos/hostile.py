"""Every hostile server of the tests, many times over, at the limits of a real page: is the outcome always the same?

    python tests/chaos/hostile.py [--runs 20] [--kind PART-OF-A-NAME]

Each kind is met as a page, as a stream and as robots.txt, several at a time. The table says how often it came to what
was foreseen, the slowest by its seconds beyond the deadline (less than none for most: they end by size or by form), and
by how much the process grew at its largest, listeners and all, for one of those that ran at a time. Ends with 1 when
one differs.
"""

import argparse
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from support.arguments import positive
from support.hostile import LANES, SLACK_SECONDS, Hostile, World, meet_all, world_of
from support.hostile_answers import IN_PLAIN
from support.hostile_tls import IN_TLS

MAX_GROWTH_MIB = 64.0
"""What one fetch may take: the bound of the tests."""


@dataclass(frozen=True)
class Figures:
    """What the runs of one kind came to."""

    name: str
    runs: int
    as_foreseen: int
    seconds: float
    overrun: float
    growth_mib: float

    @property
    def holds(self) -> bool:
        is_bounded = self.overrun < SLACK_SECONDS and self.growth_mib < MAX_GROWTH_MIB
        return self.as_foreseen == self.runs and is_bounded


def resident_mib(field: str) -> float:
    """VmRSS, what the process holds, or VmHWM, the most that it held since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM


def measure(world: World, hostile: Hostile, runs: int) -> Figures:
    forget_peak()
    before = resident_mib("VmRSS")
    outcomes = meet_all(world.fetch, [hostile] * runs) + meet_all(world.stream, [hostile] * runs)
    growth = (resident_mib("VmHWM") - before) / min(LANES, runs)
    verdicts = meet_all(world.robots, [hostile] * runs)
    codes = [verdict.failure and verdict.failure.code for verdict, _ in verdicts]
    same = {hostile.ends, hostile.also} if hostile.also else {codes[0]}
    as_foreseen = sum(
        outcome.is_as_expected(hostile) and outcome.is_bounded and code in same
        for outcome, code in zip(outcomes, codes + codes, strict=True)
    )
    slowest = max(*(outcome.seconds for outcome in outcomes), *(seconds for _, seconds in verdicts))
    return Figures(
        hostile.name, len(outcomes), as_foreseen, slowest, slowest - hostile.limits.seconds, max(growth, 0.0)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=positive, default=20, help="how often to meet each kind (20)")
    parser.add_argument("--kind", default="", help="only the kinds with this in their name (all)")
    options = parser.parse_args()
    kinds = [kind for kind in (*IN_PLAIN, *IN_TLS) if options.kind in kind.name]
    if not kinds:
        parser.error(f"argument --kind: no kind has {options.kind!r} in its name")
    print(f"{'kind':46} {'foreseen':>9} {'slowest s':>9} {'overrun s':>9} {'MiB each':>8}")
    with tempfile.TemporaryDirectory() as folder, world_of(kinds, Path(folder)) as world:
        results = []
        for kind in kinds:
            figures = measure(world, kind, options.runs)
            results.append(figures)
            print(
                f"{figures.name[:46]:46} {figures.as_foreseen:4}/{figures.runs:<4} {figures.seconds:9.2f}"
                f" {figures.overrun:9.2f} {figures.growth_mib:8.1f}{'' if figures.holds else '  <--'}",
                flush=True,
            )
    held = sum(figures.holds for figures in results)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{held} of {len(results)} kinds hold; {len(results) * options.runs * 3} fetches; {peak:.0f} MiB at the most")
    return 0 if held == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
