"""The rounds of a batch's execution, as the state machine asks for them: plan one, close it, end what is left.

An execution may find itself superseded at any step, by a retry or by the sweeper: a newer one is at the same jobs, and
counts its rounds anew. The older one plans nothing then, waits for nothing and ends nothing.
"""

from collections.abc import Mapping

from scrapersky.db import rounds
from scrapersky.db.connection import Database
from scrapersky.domain.batches import Chunk, Execution, Finished, Plan, lanes
from scrapersky.domain.status import ErrorCode, JobKind
from scrapersky.errors import NotFound
from scrapersky.observability import logger

MAX_ROUNDS = 3  # of one execution: what three rounds could not end is lost
CHUNK_SHRINKS = 5  # times a round: 25, 5, 1
# The least wait before another round, so that a round which failed at once does not come back at once.
ROUND_PAUSE_SECONDS = 10
# What nobody works on any more after the last round fails. `worker_lost` is a fault of ours, and an alarm is there for
# it: that a job's turn did not come, or was too short for it, is none.
_NOT_DONE = f"it was not done in {MAX_ROUNDS} rounds of its batch"
_LOST = (ErrorCode.WORKER_LOST, f"{_NOT_DONE}: its worker was lost")
_UNFINISHED = (ErrorCode.TIMEOUT, _NOT_DONE)
_UNBEGUN = (
    ErrorCode.TIMEOUT,
    f"it was not begun in {MAX_ROUNDS} rounds of its batch: another job was at its host, or no worker was free",
)
_ABORTED = (ErrorCode.WORKER_LOST, "its batch was aborted")


def plan(
    db: Database,
    execution: Execution,
    *,
    round: int,
    chunk_size: int,
    sites_per_worker: Mapping[JobKind, int],
    max_lanes: int,
) -> Plan:
    """A round of an execution: what still waits, in chunks for the workers, of `chunk_size` jobs at most.

    A small batch is cut so that all its workers have something to do. Each later round has smaller chunks, and the last
    one single jobs: a site that kills its worker, or takes all its time, takes its chunk along, and must not do so
    until they are all spent.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, execution)
    kind, waiting = rounds.pending(db, batch)
    most = batch.request["max_concurrent"]
    workers, window = lanes(most, sites_per_worker=sites_per_worker[kind], max_lanes=max_lanes)
    largest = chunk_size // CHUNK_SHRINKS ** (round - 1) if round < MAX_ROUNDS else 1
    size = max(1, min(largest, -(-len(waiting) // workers)))
    chunks = tuple(Chunk(tuple(waiting[at : at + size]), window) for at in range(0, len(waiting), size))
    return Plan(batch.batch_id, kind, chunks, workers)


def finish(db: Database, execution: Execution, *, round: int) -> Finished:
    """How the round ended. After the last one, what nobody works on any more fails.

    A superseded execution has no further round, whatever is open.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, execution)
    lost = 0
    if round >= MAX_ROUNDS:
        lost = rounds.give_up(db, batch, lost=_LOST, unfinished=_UNFINISHED, unbegun=_UNBEGUN) or 0
        if lost:
            logger().error("batch gave up", extra={**_keys(execution, batch), "lost": lost})
    still = rounds.open_jobs(db, batch)
    is_newest = still.newest == execution.number
    if not is_newest:
        _superseded(execution, batch)
    again = is_newest and still.count > 0
    return Finished(
        batch_id=batch.batch_id,
        given_up=lost,
        open=still.count,
        again=again,
        wait_seconds=max(still.seconds + 1, ROUND_PAUSE_SECONDS) if again else 0,
    )


def abort(db: Database, execution: Execution) -> int:
    """End what an execution that failed leaves behind; return how many jobs. What a worker still holds ends by itself.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, execution)
    ended = rounds.give_up(db, batch, lost=_ABORTED, unfinished=_ABORTED, unbegun=_ABORTED)
    if ended is None:
        _superseded(execution, batch)
        return 0
    logger().error("batch aborted", extra={**_keys(execution, batch), "ended": ended})
    return ended


def _run(db: Database, execution: Execution) -> rounds.Run:
    found = rounds.find(db, execution)
    if found is None:
        raise NotFound(f"There is no run {execution.run}.")
    return found


def _superseded(execution: Execution, batch: rounds.Run) -> None:
    """Told by the last step of an execution alone, so that it is told once."""
    logger().info("execution superseded", extra=_keys(execution, batch))


def _keys(execution: Execution, batch: rounds.Run) -> dict[str, str]:
    return {"run": str(execution.run), "batch_id": str(batch.batch_id), "execution": execution.name}
