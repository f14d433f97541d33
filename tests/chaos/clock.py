"""Time in a chaos run: what takes minutes in production takes seconds here, in the same order of sizes.

The runtime's own constants are set, in the processes of the run alone. How long the database may take to answer is
not among them: a pooler that hangs is given up after as long as in production.
"""

from datetime import timedelta

from scrapersky.db import leases, outbox, sweep
from scrapersky.services import batch, batch_rounds, jobs, putting_off, work

LEASE_SECONDS = 2  # the least that a worker takes
HOLD = timedelta(seconds=1)
POSTPONE = timedelta(seconds=1)
STRANDED_AFTER = timedelta(seconds=8)
BATCH_STUCK_AFTER = timedelta(seconds=12)
ROUND_PAUSE_SECONDS = 1
RENEW_SECONDS = 0.5

VISIBILITY_SECONDS = 3.0  # above the lease, as in the template: a crashed worker's message finds its lease over
FROZEN_SECONDS = LEASE_SECONDS * 1.75  # long enough for the sweep and for the next worker
SWEEP_PAUSE_SECONDS = 0.5


def shorten() -> None:
    """Set the constants of this process."""
    vars(putting_off)["POSTPONE"] = POSTPONE
    work.RENEW_SECONDS = RENEW_SECONDS
    batch_rounds.ROUND_PAUSE_SECONDS = ROUND_PAUSE_SECONDS
    for module in (outbox, batch, jobs, leases):
        vars(module)["HOLD"] = HOLD
    sweep.STRANDED_AFTER = STRANDED_AFTER
    defaults = sweep.batches.__kwdefaults__
    assert defaults is not None
    defaults["stuck_after"] = BATCH_STUCK_AFTER
