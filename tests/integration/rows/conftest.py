"""A database with rows of two tenants in every table, to look at from all sides; nothing done to it stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from conftest import Cluster, TestDatabase, migrated_database
from integration.conftest import ScanQueue, scan_queue
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.domain.status import JobKind
from scrapersky.services import batch, domain_scan
from support.sitemap_lines import pages, read_all

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Seeded:
    """A database with rows of two tenants in every table."""

    database: TestDatabase
    mine: UUID
    theirs: UUID

    @contextmanager
    def as_app(self, tenant_id: UUID | str | None) -> Iterator[Connection]:
        """A transaction of the application's role, which leaves nothing behind."""
        with psycopg.connect(self.database.app_dsn, prepare_threshold=None) as connection:
            if tenant_id is not None:
                connection.execute("select set_config('app.tenant_id', %s, true)", (str(tenant_id),))
            yield connection
            connection.rollback()

    @contextmanager
    def as_owner(self) -> Iterator[Connection]:
        """A transaction that sees every row, and leaves nothing behind."""
        with psycopg.connect(self.database.direct_dsn) as connection:
            yield connection
            connection.rollback()


@pytest.fixture(scope="module")
def seeded(cluster: Cluster) -> Iterator[Seeded]:
    with migrated_database(cluster) as database, scan_queue() as queue, Database(database.app_dsn) as db:
        tenants = [seed(database, queue, db) for _ in range(2)]
        yield Seeded(database, *tenants)


def seed(database: TestDatabase, queue: ScanQueue, db: Database) -> UUID:
    """A new tenant with a row in every table."""
    caller = Caller(uuid4(), "user-1")
    key = Idempotency("k", sha256(b"request").digest())
    started = domain_scan.start(db, queue.sender, caller, base_url="a.example", max_pages=1, idempotency=key)
    batch.start(
        db,
        queue.sender,
        caller,
        kind=JobKind.DOMAIN_SCAN,
        domains=["b.example"],
        max_pages=1,
        max_concurrent=1,
        batch_id=None,
        idempotency=None,
    )
    database.rows(
        "insert into scrapersky.pages (tenant_id, job_id, position, url, fetched_at, bytes, ms)"
        " values (%s, %s, 1, 'https://a.example/', now(), 1, 1)",
        caller.tenant_id,
        started.job_id,
    )
    database.rows(
        "insert into scrapersky.facts (tenant_id, job_id, position, kind, value, page_url, method)"
        " values (%s, %s, 1, 'email', 'a@a.example', 'https://a.example/', 'mailto')",
        caller.tenant_id,
        started.job_id,
    )
    read_all(db, caller, pages(1))
    place = database.one(
        "insert into scrapersky.places (tenant_id, place_id, business_type, found_by)"
        " values (%s, 'place-1', 'cafe', %s) returning id",
        caller.tenant_id,
        started.job_id,
    )
    database.rows(
        "insert into scrapersky.place_results (tenant_id, job_id, place_id, rank) values (%s, %s, %s, 1)",
        caller.tenant_id,
        started.job_id,
        *place,
    )
    database.rows(
        "insert into scrapersky.places_ledger (id, tenant_id, job_id, sku, price_usd, prices_of)"
        " values (gen_random_uuid(), %s, %s, 'Geocoding', 0.005, now())",
        caller.tenant_id,
        started.job_id,
    )
    tell_of(database, caller.tenant_id)
    return caller.tenant_id


def tell_of(database: TestDatabase, tenant_id: UUID) -> None:
    """An endpoint of the tenant, to which an event was told at the first try."""
    webhook = database.one(
        "insert into scrapersky.webhooks (tenant_id, url, events, created_by)"
        " values (%s, 'https://told.example/', array['job.complete'], 'user-1') returning id",
        tenant_id,
    )
    event = database.one(
        "insert into scrapersky.events (tenant_id, type, webhook_id, data, correlation_id)"
        " values (%s, 'webhook.test', %s, '{}', '') returning id",
        tenant_id,
        *webhook,
    )
    delivery = database.one(
        "insert into scrapersky.webhook_deliveries (tenant_id, webhook_id, event_id, tries, attempts)"
        " values (%s, %s, %s, 1, 1) returning id",
        tenant_id,
        *webhook,
        *event,
    )
    database.rows(
        "insert into scrapersky.webhook_attempts (tenant_id, delivery_id, number, url, started_at, ms, status_code)"
        " values (%s, %s, 1, 'https://told.example/', now(), 1, 200)",
        tenant_id,
        *delivery,
    )


def tenant_tables(connection: Connection) -> list[str]:
    """Every table of the schema that holds rows of tenants, by the catalogue."""
    found = connection.execute("""
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'scrapersky'::regnamespace and c.relkind in ('r', 'p') and a.attname = 'tenant_id'
        order by c.relname
    """)
    return [name for (name,) in found]
