"""Precision and recall of each fact over the labelled pages of tests/data/corpus, with every miss and false find.

    python tests/bench/bench_facts.py [--quiet] [name of a page ...]

Each page is read as its site's only one. What is counted is in the corpus' README.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.corpus import Score, measure, pages


def show(scores: dict[str, Score], *, quiet: bool) -> None:
    print(f"{'fact':16} {'expected':>8} {'found':>6} {'precision':>9} {'recall':>7}")
    for fact, score in scores.items():
        print(f"{fact:16} {score.expected:8} {score.found:6} {score.precision:9.3f} {score.recall:7.3f}")
    if quiet:
        return
    for fact, score in scores.items():
        for kind, cases in (("missed", score.missed), ("false", score.false)):
            for page, value in cases:
                print(f"{fact:16} {kind:6} {page}: {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pages to read; all if none is named")
    parser.add_argument("--quiet", action="store_true", help="only the figures")
    options = parser.parse_args()
    known = list(pages())
    if unknown := sorted(set(options.names) - {page.name for page in known}):
        parser.error(f"argument names: there is no page {', '.join(unknown)}")
    chosen = [page for page in known if not options.names or page.name in options.names]
    print(f"{len(chosen)} pages")
    show(measure(chosen), quiet=options.quiet)


if __name__ == "__main__":
    main()
