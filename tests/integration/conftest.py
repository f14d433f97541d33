"""What tests of services and handlers share: queues as SQS gives them, and jobs made the ordinary way."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore import loaders, session
from moto import mock_aws

from conftest import Cluster, TestDatabase, migrated_database
from scrapersky import metrics
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.queues import Sender
from scrapersky.services import domain_scan
from support import emf
from support.webhooks import Webhooks

REGION = "eu-central-1"


class ScanQueue:
    """The queues of one test: one for each kind of job, and one each for batches, events and webhooks."""

    def __init__(self) -> None:
        self.client = boto3.client("sqs", region_name=REGION)
        self.url = self.client.create_queue(QueueName="scan")["QueueUrl"]
        self.sitemap_url = self.client.create_queue(QueueName="sitemap")["QueueUrl"]
        self.batch_url = self.client.create_queue(QueueName="batch")["QueueUrl"]
        self.places_url = self.client.create_queue(QueueName="places")["QueueUrl"]
        self.event_url = self.client.create_queue(QueueName="event")["QueueUrl"]
        self.webhook_url = self.client.create_queue(QueueName="webhook")["QueueUrl"]
        urls = {
            "domain_scan": self.url,
            "sitemap_scan": self.sitemap_url,
            "places_search": self.places_url,
            "batch": self.batch_url,
            "event": self.event_url,
            "webhook": self.webhook_url,
        }
        self.sender = Sender(lambda: self.client, urls)
        # The queue is gone: every send fails the way SQS says it.
        self.broken_sender = Sender(lambda: self.client, {queue: url + "-gone" for queue, url in urls.items()})

    def drain(self) -> list[dict[str, Any]]:
        """Take every message off the scan queue."""
        return self._take(self.url)

    def drain_sitemaps(self) -> list[dict[str, Any]]:
        """Take every message off the sitemap queue."""
        return self._take(self.sitemap_url)

    def drain_places(self) -> list[dict[str, Any]]:
        """Take every message off the places queue."""
        return self._take(self.places_url)

    def drain_batches(self) -> list[dict[str, Any]]:
        """Take every message off the batch queue."""
        return self._take(self.batch_url)

    def drain_events(self) -> list[dict[str, Any]]:
        """Take every call for a dispatcher off its queue."""
        return self._take(self.event_url)

    def drain_webhooks(self) -> list[dict[str, Any]]:
        """Take every message off the webhook queue."""
        return self._take(self.webhook_url)

    def _take(self, url: str) -> list[dict[str, Any]]:
        bodies = []
        while messages := self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies


@pytest.fixture(scope="session", autouse=True)
def descriptions_of_aws() -> Iterator[None]:
    """What botocore knows of the services, read once: mock_aws begins a session for each test, which would again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(loaders.create_loader))
        yield


@contextmanager
def scan_queue() -> Iterator[ScanQueue]:
    """Queues in an AWS account that is there while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        with mock_aws():
            yield ScanQueue()


@pytest.fixture
def queue() -> Iterator[ScanQueue]:
    with scan_queue() as queue:
        yield queue


@pytest.fixture
def make_job(db: Database, queue: ScanQueue, caller: Caller) -> Callable[..., UUID]:
    """Start a scan of a domain and return its job's id; its message waits in the queue."""

    def make(domain: str = "site.example", *, sender: Sender | None = None) -> UUID:
        accepted = domain_scan.start(
            db, sender or queue.sender, caller, base_url=domain, max_pages=10, idempotency=None
        )
        return accepted.job_id

    return make


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., emf.Values]:
    """What was counted so far, as CloudWatch keeps it: under no dimension, or under those that are asked for."""
    monkeypatch.setattr(metrics, "_buffer", metrics._Buffer())
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "ScraperSky/test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    kept: list[dict[str, Any]] = []

    def written(**dimensions: str) -> emf.Values:
        metrics.flush()
        kept.extend(emf.documents(capsys.readouterr().out))
        return emf.values(kept, **dimensions)

    return written


@pytest.fixture(scope="module")
def database_of_webhooks(cluster: Cluster) -> Iterator[TestDatabase]:
    with migrated_database(cluster) as database:
        yield database


@pytest.fixture
def webhooks(database_of_webhooks: TestDatabase) -> Iterator[Webhooks]:
    """Those of an empty database."""
    database_of_webhooks.rows("truncate scrapersky.events, scrapersky.webhooks, scrapersky.outbox cascade")
    with Database(database_of_webhooks.app_dsn) as db:
        yield Webhooks(db, database_of_webhooks)
