"""What a job costs in database round trips: each is a network latency that the customer waits for and pays."""

from collections.abc import Callable
from uuid import UUID

import psycopg

from conftest import TestDatabase
from integration.conftest import ScanQueue
from integration.relay import relay
from integration.test_work import run
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import domain_scan

CONNECT = 4  # the question for TLS, start-up, two for SCRAM


def through(dsn: str, port: int) -> str:
    return psycopg.conninfo.make_conninfo(dsn, port=port)


def test_a_scan_job_costs_two_round_trips_from_claim_to_final(
    postgres: TestDatabase, make_job: Callable[..., UUID]
) -> None:
    job_id = make_job()
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        assert len(run(db, job_id).stored) == 1
        assert counted.connections == 1
        assert counted.round_trips == CONNECT + 2


def test_a_batch_of_ten_claims_once_and_stores_each(postgres: TestDatabase, make_job: Callable[..., UUID]) -> None:
    job_ids = [make_job(f"s{n}.example") for n in range(10)]
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        assert len(run(db, *job_ids).stored) == 10
        assert counted.connections == 1
        assert counted.round_trips == CONNECT + 1 + 10


def test_starting_a_scan_costs_three_round_trips(postgres: TestDatabase, queue: ScanQueue, caller: Caller) -> None:
    with relay(postgres.cluster.pooler.port) as counted, Database(through(postgres.app_dsn, counted.port)) as db:
        domain_scan.start(db, queue.sender, caller, base_url="site.example", max_pages=1, idempotency=None)
        assert counted.round_trips == CONNECT + 3  # write, commit, mark as sent
