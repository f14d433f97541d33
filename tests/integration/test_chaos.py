"""A chaos run of a few seconds, and the same with a guard taken away. `tests/chaos/run.py` is the long one."""

import pytest

from chaos.faults import Fault
from chaos.harness import run
from conftest import TestDatabase

# What takes its time: half a minute for a connection half open, seconds for the sweeps that recover by age.
SLOW = frozenset(
    {
        Fault.HALF_OPEN,
        Fault.MUTE_POOLER,
        Fault.FREEZE_POOLER,
        Fault.LOST_MESSAGE,
        Fault.EXECUTION_LOST,
        Fault.CANCEL_BATCH,
    }
)
FROZEN = frozenset({Fault.FREEZE_SCANNING})

# What a run waits for by itself before it tells that something hangs comes to more than the suite's limit.
pytestmark = pytest.mark.timeout(300)


def test_nothing_is_lost_and_nothing_is_there_twice(postgres: TestDatabase) -> None:
    report = run(postgres, seed=1, jobs=80, faults=40, without=SLOW)
    assert report.violations == []
    assert report.jobs >= 80
    assert len(report.injected) >= 40


def test_control_a_store_without_its_fence_is_found_out(postgres: TestDatabase) -> None:
    report = run(postgres, seed=1, jobs=20, faults=4, without=set(Fault) - FROZEN, sabotaged="fence")
    assert {injected.fault for injected in report.injected} == FROZEN
    assert {
        "a final row changes by a retry alone",
        "a result is stored under the token that holds the lease",
    } & {violation.rule for violation in report.violations}
