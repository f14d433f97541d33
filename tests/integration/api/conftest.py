"""The API functions over Postgres, PgBouncer and SQS, as one tenant's client and one worker see them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import boto3
import pytest

from conftest import TestDatabase
from integration.conftest import REGION, ScanQueue
from scrapersky import wiring
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.facts import PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode
from scrapersky.services import domain_scan
from support.http_events import Answered, call, function
from support.places import Searching, searching

SCAN = "/api/v3/modernized_page_scraper"
ALIAS = "/api/v3/batch_page_scraper"
BATCHES = f"{ALIAS}/batch"
JOBS = "/api/v3/jobs"
DOMAINS = "/api/v3/domains"
SITEMAP = "/api/v3/sitemap"
SITEMAP_FILES = "/api/v3/sitemap-files"
DISCOVERY = "/api/v3/localminer-discoveryscan"
PLACES = "/api/v3/places"
WEBHOOKS = "/api/v3/webhooks"
DELIVERIES = f"{WEBHOOKS}/deliveries"
EVENTS = "/api/v3/events"
WEBHOOK_KEY = "the key of all webhooks' secrets"
BUCKET = "batches"
BODY = {"base_url": "https://www.shop.example/about", "max_pages": 3}


@dataclass(frozen=True)
class Client:
    """One tenant's way to the functions, by path, as the gateway leads it."""

    scans: ModuleType
    batches: ModuleType
    sitemaps: ModuleType
    places: ModuleType
    jobs: ModuleType
    console: ModuleType
    webhooks: ModuleType
    tenant_id: UUID

    def call(self, method: str, target: str, **request: Any) -> Answered:
        return call(self._function(target).lambda_handler, method, target, **{"tenant_id": self.tenant_id, **request})

    def get(self, target: str, **headers: str) -> Answered:
        parts = urlsplit(target)  # a `Location` is absolute
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def start(self, body: Any = None, *, path: str = SCAN, key: str | None = None) -> Answered:
        headers = {"idempotency-key": key} if key is not None else {}
        return self.call("POST", f"{path}/scan", json_body=body or BODY, headers=headers)

    def started(self, domain: str) -> str:
        answer = self.start({"base_url": domain})
        assert answer.status == 202, answer.body
        job_id: str = answer.json["job_id"]
        return job_id

    def start_batch(self, *domains: str, key: str | None = None, **body: Any) -> Answered:
        headers = {"idempotency-key": key} if key is not None else {}
        return self.call("POST", BATCHES, json_body={"domains": domains, **body}, headers=headers)

    def started_batch(self, *domains: str, **body: Any) -> str:
        """The address of a new batch."""
        answer = self.start_batch(*domains, **body)
        assert answer.status == 202, answer.body
        return f"{BATCHES}/{answer.json['batch_id']}"

    def start_sitemaps(self, base_url: str, *, key: str | None = None, **body: Any) -> Answered:
        headers = {"idempotency-key": key} if key is not None else {}
        return self.call("POST", f"{SITEMAP}/scan", json_body={"base_url": base_url, **body}, headers=headers)

    def started_sitemaps(self, base_url: str, **body: Any) -> str:
        """The job of a new sitemap scan."""
        answer = self.start_sitemaps(base_url, **body)
        assert answer.status == 202, answer.body
        job_id: str = answer.json["job_id"]
        return job_id

    def start_sitemap_batch(self, *domains: str, **body: Any) -> Answered:
        return self.call("POST", f"{SITEMAP}/batch/create", json_body={"domains": domains, **body})

    def search(self, business_type: str = "dentist", *, key: str | None = None, **body: Any) -> Answered:
        """Start a places search around the middle of Austin."""
        headers = {"idempotency-key": key} if key is not None else {}
        asked = {"location": "Austin TX", "latitude": 30.2672, "longitude": -97.7431, "radius_km": 50, **body}
        return self.call(
            "POST", f"{DISCOVERY}/search/places", json_body={"business_type": business_type, **asked}, headers=headers
        )

    def searched(self, business_type: str = "dentist", **body: Any) -> str:
        """The job of a new places search."""
        answer = self.search(business_type, **body)
        assert answer.status == 202, answer.body
        job_id: str = answer.json["job_id"]
        return job_id

    def make_webhook(self, url: str = "https://hooks.example/in", *, key: str | None = None, **body: Any) -> Answered:
        headers = {"idempotency-key": key} if key is not None else {}
        return self.call("POST", WEBHOOKS, json_body={"url": url, **body}, headers=headers)

    def made_webhook(self, url: str = "https://hooks.example/in", **body: Any) -> str:
        """The id of a new webhook."""
        answer = self.make_webhook(url, **body)
        assert answer.status == 201, answer.body
        webhook_id: str = answer.json["id"]
        return webhook_id

    def someone_else(self) -> "Client":
        return replace(self, tenant_id=uuid4())

    def another_process(self) -> "Client":
        """The same tenant's way to functions of their own: what runs at the same time shares no function's state.

        The frame keeps the request that it answers for the whole interpreter, so that such requests must be equal.
        """
        return deployed_for(self.tenant_id)

    def _function(self, target: str) -> ModuleType:
        if target == "/" or target.startswith("/console/"):
            return self.console
        if target.startswith((WEBHOOKS, EVENTS)):
            return self.webhooks
        if target.startswith(BATCHES):
            return self.batches
        if target.startswith(SITEMAP):  # and SITEMAP_FILES
            return self.sitemaps
        if target.startswith((DISCOVERY, PLACES)):
            return self.places
        return self.scans if target.startswith((SCAN, ALIAS)) else self.jobs


def deployed_for(tenant_id: UUID) -> Client:
    """A tenant's way to functions that nobody else uses."""
    return Client(
        scans=function("domain_scan_api"),
        batches=function("batch_scan_api"),
        sitemaps=function("sitemap_api"),
        places=function("places_search_api"),
        jobs=function("jobs_api"),
        console=function("console"),
        webhooks=function("webhooks_api"),
        tenant_id=tenant_id,
    )


@contextmanager
def deployed(postgres: TestDatabase, queue: ScanQueue) -> Iterator[Client]:
    """The functions with their secret, their queues and their bucket, for a tenant that nobody else has."""
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name=postgres.name, SecretString=postgres.app_dsn
    )
    webhook_key = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name=f"{postgres.name}-webhooks", SecretString=WEBHOOK_KEY
    )
    boto3.client("s3", region_name=REGION).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    caches = (wiring.sender, wiring.sqs, wiring.s3, wiring.exports)
    for cache in caches:
        cache.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_SECRET_ARN", secret["ARN"])
        patch.setenv("SCAN_QUEUE_URL", queue.url)
        patch.setenv("SITEMAP_QUEUE_URL", queue.sitemap_url)
        patch.setenv("PLACES_QUEUE_URL", queue.places_url)
        patch.setenv("PLACES_ARE_CONFIGURED", "1")
        patch.setenv("BATCH_QUEUE_URL", queue.batch_url)
        patch.setenv("EVENT_QUEUE_URL", queue.event_url)
        patch.setenv("WEBHOOK_QUEUE_URL", queue.webhook_url)
        patch.setenv("WEBHOOK_KEY_SECRET_ARN", webhook_key["ARN"])
        patch.setenv("BATCH_BUCKET", BUCKET)
        yield deployed_for(uuid4())
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def client(postgres: TestDatabase, queue: ScanQueue) -> Iterator[Client]:
    with deployed(postgres, queue) as client:
        yield client


@pytest.fixture
def google(postgres: TestDatabase, db: Database, queue: ScanQueue, client: Client) -> Iterator[Searching]:
    """The client's searches, worked off against an emulator of Google's services."""
    with searching(postgres, db, queue.sender, Caller(client.tenant_id, "user-1")) as running:
        yield running


def searched(client: Client, google: Searching, business_type: str = "dentist", **body: Any) -> str:
    """A search that was started over HTTP and is worked off."""
    job_id = client.searched(business_type, **body)
    google.work(UUID(job_id))
    return job_id


Store = Callable[[SiteScan], None]
Finish = Callable[[str, SiteScan], None]


def claimer(db: Database) -> Callable[[str], Store]:
    """Claims a job as a worker does, and leaves to the test when what was found is stored."""

    def claim(job_id: str) -> Store:
        token = uuid4()
        (claim,) = leases.claim(db, [UUID(job_id)], token=token, lease=timedelta(minutes=1))

        def store(scan: SiteScan) -> None:
            now = datetime.now(UTC)
            result = domain_scan.result(claim.domain, claim.request, scan, now, now)
            assert leases.store(db, claim, token=token, scan=scan, result=result)

        return store

    return claim


def finisher(db: Database) -> Finish:
    """Does the worker's part for a job: claims it and stores what it found."""
    claim = claimer(db)
    return lambda job_id, scan: claim(job_id)(scan)


@pytest.fixture
def claim(db: Database) -> Callable[[str], Store]:
    return claimer(db)


@pytest.fixture
def finish(db: Database) -> Finish:
    return finisher(db)


def found(title: str = "Shop") -> SiteScan:
    page = PageRecord("https://shop.example/", 200, title, datetime.now(UTC), 18_211, 340)
    return SiteScan((page,), SiteData(title=title, organization={"name": title}))


def failed() -> SiteScan:
    return SiteScan((), error=ScanError(ErrorCode.DNS_FAILURE, "the name has no address"))


def refused(answer: Answered, status: int, code: str) -> dict[str, Any]:
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.body
    problem: dict[str, Any] = answer.json
    assert problem["code"] == code
    return problem


def figures(status: Any) -> tuple[int, int, int, int]:
    """Of a batch: how many domains there are, and how many are completed, failed and cancelled."""
    total, completed, failed, cancelled = (
        status[f"{name}_domains"] for name in ("total", "completed", "failed", "cancelled")
    )
    return total, completed, failed, cancelled


def jobs_of(client: Client, batch: str) -> dict[str, str]:
    """Job id by domain."""
    states = client.get(f"{batch}/status").json["domain_statuses"]
    return {domain: state["job_id"] for domain, state in states.items()}
