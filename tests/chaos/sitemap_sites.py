"""Sitemap scans of so many sites of every kind, sick ones above all: each must end, and say what it found.

    python tests/chaos/sitemap_sites.py [--sites 500] [--scans 2] [--seed 1] [--kind gzip]

One process serves all sites, told apart by name. Postgres, PgBouncer, the queue's promises and the worker's function
are real; only limits of size and time are lowered, as the first line says. Each kind of site has its own expectation,
written beside what it serves: how the job ends, each file's state, type, error, cut and count, every stored row, and at
the second scan what was added, removed and changed since the first.
Prints a line a kind, and ends with 1 when one site's state is not the truth, or a job or a file is left open.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from chaos.run import cluster, fresh
from chaos.sites.fixture import KINDS
from chaos.sites.judge import short
from chaos.sites.limits import told
from chaos.sites.run import Found, Report, run
from support.arguments import positive


def kinds_like(word: str) -> list[str]:
    """The kinds whose name has the word in it."""
    found = [name for name in KINDS if word in name]
    if not found:
        raise argparse.ArgumentTypeError(f"there is no kind like {word!r}")
    return found


def expected(found: Found) -> str:
    """What must come of a site, in a line."""
    files = found.expected.files
    ends = f"failed {found.expected.error}" if found.expected.error else "complete"
    what = "no sitemap" if not files else short(files[0]) if len(files) == 1 else f"{len(files)} files"
    return f"{ends}: {what}"


def lines(report: Report) -> list[str]:
    """The table, and what the run came to."""
    table = [f"{'kind':22} {'sites':>8}  expected of its first site; what came of it"]
    for name, sites in report.by_kind():
        good = sum(not one.faults for one in sites)
        table += [
            f"{name:22} {f'{good}/{len(sites)}':>8}  {expected(sites[0])}",
            *(f"{'':33}{one}" for one in sites[0].told),
        ]
        table += [f"  WRONG {one.site.host}: {fault} {one.told}" for one in sites for fault in one.faults]
    figures = report.figures
    return [
        *table,
        *(f"WRONG {fault}" for fault in report.faults),
        f"{len(list(report.by_kind()))} kinds, {report.rows} URLs stored in {report.seconds:.0f} s by {figures.begun}"
        f" invocations, {figures.cpu_seconds:.0f} s of CPU, largest worker {figures.peak_kib / 1024:.0f} MiB",
        f"open jobs {report.open_jobs}, open files {report.open_files}",
        f"{report.truthful} of {len(report.found)} end with a truthful state",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=positive, default=500, help="sites, of all kinds in turn (500)")
    parser.add_argument("--seed", type=int, default=1, help="draws how many URLs each site's files have (1)")
    parser.add_argument("--kind", type=kinds_like, default=[], help="only kinds with this word in their name (all)")
    parser.add_argument("--scans", type=int, choices=[1, 2], default=2, help="scans of each site (2)")
    parser.add_argument("--seconds", type=float, default=900.0, help="when a round that is not over is given up (900)")
    options = parser.parse_args()
    os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # five hundred lines of jobs that began
    print(told(), flush=True)
    with cluster() as running:
        report = run(
            fresh(running),
            sites=options.sites,
            seed=options.seed,
            seconds=options.seconds,
            scans=options.scans,
            only=options.kind,
        )
    print(*lines(report), sep="\n")
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
