"""The rounds of a batch's execution, as the state machine asks for them: plan one, close it, end what is left."""

from collections.abc import Mapping
from uuid import UUID

from scrapersky.db import rounds
from scrapersky.db.connection import Database
from scrapersky.domain.batches import Chunk, Finished, Plan, lanes
from scrapersky.domain.status import JobKind
from scrapersky.errors import NotFound
from scrapersky.observability import logger

MAX_ROUNDS = 3  # of one execution: what three rounds could not end is lost
CHUNK_SHRINKS = 5  # times a round: 25, 5, 1
# The least wait before another round, so that a round which failed at once does not come back at once.
ROUND_PAUSE_SECONDS = 10


def plan(
    db: Database, run: UUID, *, round: int, chunk_size: int, sites_per_worker: Mapping[JobKind, int], max_lanes: int
) -> Plan:
    """A round of a run: what still waits, in chunks for the workers, of `chunk_size` jobs at most.

    A small batch is cut so that all its workers have something to do. Each later round has smaller chunks, and the last
    one single jobs: a site that kills its worker, or takes all its time, takes its chunk along, and must not do so
    until they are all spent.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, run)
    kind, waiting = rounds.pending(db, batch)
    most = batch.request["max_concurrent"]
    workers, window = lanes(most, sites_per_worker=sites_per_worker[kind], max_lanes=max_lanes)
    largest = chunk_size // CHUNK_SHRINKS ** (round - 1) if round < MAX_ROUNDS else 1
    size = max(1, min(largest, -(-len(waiting) // workers)))
    chunks = tuple(Chunk(tuple(waiting[at : at + size]), window) for at in range(0, len(waiting), size))
    return Plan(batch.batch_id, kind, chunks, workers)


def finish(db: Database, run: UUID, *, round: int) -> Finished:
    """How the round ended. After the last one, what nobody works on any more fails as `worker_lost`.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, run)
    lost = 0
    if round >= MAX_ROUNDS:
        lost = rounds.give_up(db, batch, f"it was not done in {MAX_ROUNDS} rounds of its batch")
        if lost:
            logger().error("batch gave up", extra={"run": str(run), "batch_id": str(batch.batch_id), "lost": lost})
    still_open, seconds = rounds.open_jobs(db, batch)
    return Finished(
        batch_id=batch.batch_id,
        given_up=lost,
        open=still_open,
        again=still_open > 0,
        wait_seconds=max(seconds + 1, ROUND_PAUSE_SECONDS) if still_open else 0,
    )


def abort(db: Database, run: UUID) -> int:
    """End what an execution that failed leaves behind; return how many jobs. What a worker still holds ends by itself.

    Raises:
        NotFound: there is no such run.
    """
    batch = _run(db, run)
    ended = rounds.give_up(db, batch, "its batch was aborted")
    logger().error("batch aborted", extra={"run": str(run), "batch_id": str(batch.batch_id), "ended": ended})
    return ended


def _run(db: Database, run: UUID) -> rounds.Run:
    found = rounds.find(db, run)
    if found is None:
        raise NotFound(f"There is no run {run}.")
    return found
