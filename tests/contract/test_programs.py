"""The programs that only people run still start, and say what they do."""

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


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_tells_its_use(program: str) -> None:
    told = subprocess.run(
        [sys.executable, program, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("usage: ")
    assert f"python {program}" in told.stdout
