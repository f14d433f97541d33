"""What work costs, in a way that a busy machine does not decide."""

import time
from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], runs: int) -> float:
    """CPU, the least of some runs: whatever else the machine does can only add."""
    best = float("inf")
    for _ in range(runs):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best
