"""The programs that only people run still start, and say what they do."""

import re
import subprocess
import sys

import pytest

from contract.cloudformation import ROOT

PROGRAMS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*(ROOT / "tests" / "chaos").glob("*.py"), *(ROOT / "tests" / "bench").glob("*.py")]
    if "__main__" in path.read_text("utf-8") and "argparse" in path.read_text("utf-8")
)


def test_they_are_found() -> None:
    assert {"tests/chaos/run.py", "tests/chaos/hostile.py", "tests/chaos/fuzz.py", "tests/bench/bench_page.py"} <= set(
        PROGRAMS
    )


def run(program: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, program, *options], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_tells_its_use(program: str) -> None:
    told = run(program, "--help")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("usage: ")
    assert f"python {program}" in told.stdout


@pytest.mark.parametrize("program", [program for program in PROGRAMS if "/chaos/" in program])
def test_a_program_tells_what_each_option_is_for(program: str) -> None:
    options = run(program, "--help").stdout.partition("\noptions:\n")[2]
    # argparse puts the help beside an option or, where that is long, on a line of its own below.
    assert re.findall(r"^  -\S.*$(?!\n {10,}\S)", re.sub(r"^  -.*\S {2,}\S.*$", "", options, flags=re.M), re.M) == []


@pytest.mark.parametrize(
    ("program", "options", "named"),
    [
        ("tests/chaos/hostile.py", ("--kind", "nothingmatches"), "--kind"),
        ("tests/chaos/hostile.py", ("--runs", "0"), "--runs"),
        ("tests/chaos/run.py", ("--jobs", "0"), "--jobs"),
        ("tests/chaos/fuzz.py", ("--examples", "-1"), "--examples"),
        ("tests/chaos/sitemaps.py", ("--files", "0"), "--files"),
        ("tests/chaos/sitemap_sites.py", ("--sites", "0"), "--sites"),
        ("tests/chaos/sitemap_sites.py", ("--kind", "nothingmatches"), "--kind"),
        ("tests/chaos/webhooks.py", ("--events", "0"), "--events"),
        ("tests/bench/bench_facts.py", ("nopage",), "names"),
    ],
)
def test_a_program_that_would_look_at_nothing_says_so(program: str, options: tuple[str, ...], named: str) -> None:
    told = run(program, *options)
    assert told.returncode == 2
    assert f"error: argument {named}: " in told.stderr
