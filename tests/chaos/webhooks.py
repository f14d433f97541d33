"""Webhooks under fire: workers killed all the time, receivers that fail, hang up and keep silent, and what it comes to.

    python tests/chaos/webhooks.py [--events 1000] [--dead 10000] [--living 100] [--workers 10] [--seed 1]
                                   [--sabotage limits]

First so many events are told to an endpoint whose receiver answers 500 or hangs up now and then and whose secret is
rotated meanwhile, by workers that are killed twice a second. Then a tenant's receiver is dead, with so many messages in
the queue, and another tenant's events come behind them. Postgres, PgBouncer, the worker's function and the sockets are
real; the queue keeps SQS's promises and no more. Ends with 1 when an event is missing, invented or unsigned, or when
the living wait. `--sabotage limits` neither pauses an endpoint that fails nor bounds its workers: it must end with 1.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])
os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")

from chaos.run import cluster, fresh
from conftest import TestDatabase
from scrapersky.db.connection import Database
from scrapersky.scraping.limits import POST_LIMITS
from support.arguments import positive
from support.loopback import Listener
from support.webhook_receivers import ERROR, OK, HttpReceiver, end_jobs
from support.webhook_workers import WebhookWorkers
from support.webhooks import Webhooks

LEASE_SECONDS = 2  # the least that a worker takes: a killed one's deliveries are soon another's
RUN_SECONDS = 600.0
LIVING_SECONDS = 60.0
"""In which the living must have heard of everything: a try of the dead receiver, and the queue that is before them."""

# An endpoint that fails is as any other: neither its pause nor its one worker are there.
UNPAUSED = """
create function public.unpaused() returns trigger language plpgsql as $$
begin
  new.failing_since := null;
  new.paused_until := null;
  return new;
end $$;
create trigger unpaused before update on scrapersky.webhooks for each row execute function public.unpaused();
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A figure with its name, and whether it is as it must be."""

    name: str
    figure: object
    holds: bool = True


def under_fire(database: TestDatabase, events: int, draw: random.Random) -> list[Told]:
    """All of `events` to one endpoint, and as many as a fifth of them undone before they happened."""

    def answer(_number: int) -> bytes:
        drawn = draw.random()
        return b"" if drawn < 0.005 else ERROR if drawn < 0.01 else OK

    receiver = HttpReceiver(answer, seconds=0.1)
    pending = "select count(*) from scrapersky.webhook_deliveries where status = 'pending'"
    with Database(database.app_dsn) as db, receiver.listening() as port:
        webhooks = Webhooks(db, database)
        webhook_id = webhooks.endpoint("http://hook.example/in")
        expected = end_jobs(database, webhooks.tenant_id, events, rolled_back=events // 5)

        def is_over() -> bool:
            if len(receiver.heard) > events // 3:
                webhooks.change(webhook_id, "secret_version = 2, previous_secret_until = now() + interval '24 hours'")
            return database.one(pending) == (0,)

        with WebhookWorkers(database.app_dsn, {"hook.example": port}, lease_seconds=LEASE_SECONDS) as workers:
            webhooks.dispatch(workers.sender)
            begun = time.monotonic()
            is_ended = workers.run(
                is_over,
                at_once=4,
                at_a_time=10,
                seconds=RUN_SECONDS,
                kill_every=0.5,
                # In the end there is one delivery, and whoever is at it would be killed again and again.
                progress=lambda: min(len(receiver.heard), events),
                draw=draw,
            )
            seconds = time.monotonic() - begun
            workers.settle()
    times = receiver.times()
    by_one = [request for request in receiver.heard if request.is_signed(webhook_id, 1)]
    twice = [request for request in receiver.heard if request.is_signed_twice]
    by_both = [request for request in twice if request.is_signed(webhook_id, 2)]
    return [
        Told("events that happened", len(expected), len(expected) == events),
        Told("events that were undone", events // 5),
        Told("workers killed", workers.figures.killed, workers.figures.killed > 0),
        Told("requests", len(receiver.heard)),
        Told("events heard of", len(times)),
        Told("missing", len(expected - set(times)), not expected - set(times)),
        Told("never happened", len(set(times) - expected), not set(times) - expected),
        Told("heard of more than once", sum(count > 1 for count in times.values())),
        Told("signed by the first secret", len(by_one), len(by_one) == len(receiver.heard)),
        Told("signed by both, during the rotation", len(by_both), 0 < len(by_both) == len(twice)),
        Told("all told after", f"{seconds:.1f} s", is_ended),
    ]


def beside_the_dead(database: TestDatabase, dead: int, living: int, *, at_once: int, unbound: bool) -> list[Told]:
    """`dead` events for a receiver that takes connections and says nothing, and behind them `living` for another."""
    receiver = HttpReceiver()
    with Database(database.app_dsn) as db, Listener() as silent, receiver.listening() as port:
        gone, well = Webhooks(db, database), Webhooks(db, database)
        gone.endpoint("http://dead.example/")
        well.endpoint("http://living.example/")
        end_jobs(database, gone.tenant_id, dead)
        rules = {"dead.example": silent.port, "living.example": port}
        with WebhookWorkers(database.app_dsn, rules, lease_seconds=45, workers=1000 if unbound else at_once) as workers:
            gone.dispatch(workers.sender)
            expected = end_jobs(database, well.tenant_id, living)
            well.dispatch(workers.sender)
            begun = time.monotonic()
            all_heard: Callable[[], bool] = lambda: len(receiver.times()) == living  # noqa: E731
            workers.drain(all_heard, at_once=at_once, at_a_time=10, seconds=LIVING_SECONDS)
            waits = sorted(request.at - begun for request in receiver.heard)
            asked = silent.connections
    return [
        Told("messages of the dead receiver", dead),
        Told("seconds that each of its tries takes", POST_LIMITS.seconds),
        Told("connections that it was given meanwhile", asked),
        Told("the others' events, behind them", living),
        Told("told of them", len(waits), set(receiver.times()) == expected),
        Told("the first after", f"{waits[0]:.1f} s" if waits else "never"),
        Told("half of them after", f"{statistics.median(waits):.1f} s" if waits else "never"),
        Told("the last after", f"{waits[-1]:.1f} s" if waits else "never"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--events", type=positive, default=1000, help="events that are told under fire (%(default)s)")
    parser.add_argument("--dead", type=positive, default=10_000, help="messages of a dead receiver (%(default)s)")
    parser.add_argument("--living", type=positive, default=100, help="the others' events (%(default)s)")
    parser.add_argument("--workers", type=positive, default=10, help="workers at once beside the dead (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (%(default)s)")
    parser.add_argument("--sabotage", choices=["limits"], help="neither pause an endpoint that fails nor bound it")
    options = parser.parse_args()
    with cluster() as running:
        fire, beside = fresh(running), fresh(running)
        if options.sabotage:
            for database in (fire, beside):
                database.rows(UNPAUSED)

        told = [
            ("under fire", under_fire(fire, options.events, random.Random(options.seed))),
            (
                "beside a dead receiver",
                beside_the_dead(
                    beside, options.dead, options.living, at_once=options.workers, unbound=bool(options.sabotage)
                ),
            ),
        ]
    for title, figures in told:
        print(title)
        for one in figures:
            print(f"  {one.name:<40} {one.figure!s:>10}{'' if one.holds else '   <- must not be'}")
    return 0 if all(one.holds for _, figures in told for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
