"""The POSTs that start work or make something, each ready to be sent, and a witness of what came of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from conftest import TestDatabase
from integration.api.conftest import ALIAS, BATCHES, DELIVERIES, DISCOVERY, JOBS, SCAN, SITEMAP, WEBHOOKS, Client
from integration.api.webhook_log import told
from integration.conftest import ScanQueue
from scrapersky import wiring
from scrapersky_local.openapi import DOCUMENT
from support.http_events import Answered
from support.places import stored

POSTS: dict[str, Any] = {
    path: methods["post"] for path, methods in json.loads(DOCUMENT.read_text())["paths"].items() if "post" in methods
}
ROTATE = f"{WEBHOOKS}/{{webhook_id}}/rotate-secret"
# A rotation starts nothing and makes nothing, and yet must not be carried out twice.
STARTING = [
    path for path, operation in POSTS.items() if {"201", "202"} & operation["responses"].keys() or path == ROTATE
]


class Killed(BaseException):
    """The end of the process, which no handler catches."""


def accepted(answer: Answered) -> tuple[dict[str, str], str]:
    """The whole of an answer which says that work has started, or that something was made or rotated."""
    assert answer.status in (200, 201, 202), answer.body
    assert answer.status != 202 or answer.headers["location"] == answer.json["status_url"]
    return answer.headers, answer.body


@dataclass(frozen=True)
class Start:
    """A request that starts work: `body`, or `other` that asks the same route for something else.

    `senseless` is a body that the route refuses. What it starts is told by a message that it owes, or calls the
    dispatcher of events; what only makes something does neither.
    """

    client: Client
    path: str
    target: str
    body: Any
    other: Any
    senseless: Any = field(default_factory=dict)
    owes: bool = True
    calls: bool = False

    def send(self, key: str = "k", *, other: bool = False) -> Answered:
        body = self.other if other else self.body
        return self.client.call("POST", self.target, json_body=body, headers={"idempotency-key": key})

    @property
    def is_told(self) -> int:
        """How many messages tell of it."""
        return int(self.owes or self.calls)

    def from_another_process(self) -> "Start":
        return replace(self, client=self.client.another_process())

    def of_someone_else(self) -> "Start":
        """The same for a tenant that did nothing before."""
        return prepared(self.client.someone_else(), self.path)


def of_scan(client: Client, path: str) -> Start:
    return Start(client, path, path, {"base_url": "a.example"}, {"base_url": "b.example"})


def of_batch(client: Client, path: str) -> Start:
    domains = ["a.example", "b.example", "localhost"]
    return Start(client, path, path, {"domains": domains}, {"domains": domains, "max_pages": 3})


def of_job_retry(client: Client, path: str) -> Start:
    job_id = client.started("a.example")
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").status == 200
    return Start(client, path, path.format(job_id=job_id), None, {"tenant_id": str(client.tenant_id)})


def of_batch_retry(client: Client, path: str) -> Start:
    batch = client.started_batch("a.example", "b.example", "localhost")
    assert client.call("POST", f"{batch}/cancel").status == 200
    return Start(client, path, f"{batch}/retry", None, {"error_codes": ["cancelled"]})


def of_search(client: Client, path: str) -> Start:
    asked = {"business_type": "dentist", "location": "Austin TX"}
    return Start(client, path, path, asked, {**asked, "max_results": 60})


def of_site_scan(client: Client, path: str) -> Start:
    """Of a search that found a place with a site and one without."""
    job_id = client.searched()
    with wiring.database() as db:
        stored(db, UUID(job_id), ("a", "a.example"), ("b", None))
    return Start(client, path, path.format(job_id=job_id), None, {"max_pages": 3}, senseless={"place_ids": []})


def of_webhook(client: Client, path: str) -> Start:
    url = "https://hooks.example/in"
    return Start(client, path, path, {"url": url}, {"url": url, "events": ["job.failed"]}, owes=False)


def of_webhook_action(client: Client, path: str) -> Start:
    """A rotation, or a test."""
    target = path.format(webhook_id=client.made_webhook())
    other, calls = {"tenant_id": str(client.tenant_id)}, path.endswith("/test")
    return Start(client, path, target, None, other, senseless={"no": "field"}, owes=False, calls=calls)


def of_replay(client: Client, path: str) -> Start:
    """Of a webhook with one delivery, which failed."""
    webhook_id = client.made_webhook()
    (delivery_id,) = told(client, webhook_id, status="failed")
    target = path.format(webhook_id=webhook_id, delivery_id=delivery_id)
    if "delivery_id" in path:
        return Start(client, path, target, None, {"tenant_id": str(client.tenant_id)}, senseless={"no": "field"})
    since = {"since": "2026-01-01T00:00:00Z"}
    return Start(client, path, target, since, {**since, "until": "2026-12-31T00:00:00Z"}, senseless={"since": "never"})


PREPARED: dict[str, Callable[[Client, str], Start]] = {
    f"{SCAN}/scan": of_scan,
    f"{ALIAS}/scan": of_scan,
    BATCHES: of_batch,
    f"{BATCHES}/{{batch_id}}/retry": of_batch_retry,
    f"{JOBS}/{{job_id}}/retry": of_job_retry,
    f"{SITEMAP}/scan": of_scan,
    f"{SITEMAP}/batch/create": of_batch,
    f"{DISCOVERY}/search/places": of_search,
    f"{DISCOVERY}/results/{{job_id}}/scan": of_site_scan,
    WEBHOOKS: of_webhook,
    ROTATE: of_webhook_action,
    f"{WEBHOOKS}/{{webhook_id}}/test": of_webhook_action,
    f"{WEBHOOKS}/{{webhook_id}}/replay": of_replay,
    f"{DELIVERIES}/{{delivery_id}}/replay": of_replay,
}


def prepared(client: Client, path: str) -> Start:
    """A request to one of STARTING, with everything at hand that it needs. A new route belongs into PREPARED."""
    return PREPARED[path](client, path)


@dataclass(frozen=True, slots=True)
class Work:
    """All that starts leave behind: jobs, how often they were started anew, rounds of batches, messages.

    `webhooks` counts these, the rotations of their secrets, and their tests.
    """

    jobs: int
    retries: int
    rounds: int
    messages: int
    webhooks: int = 0

    def __sub__(self, before: "Work") -> "Work":
        return Work(*(getattr(self, field.name) - getattr(before, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Witness:
    """Sees what is really stored and really sent, tenant by tenant."""

    postgres: TestDatabase
    queue: ScanQueue

    def work(self, client: Client) -> Work:
        (row,) = self.postgres.rows(
            """
            with jobs as (select metadata from scrapersky.jobs where tenant_id = %s),
                 batches as (select round from scrapersky.batches where tenant_id = %s),
                 messages as (select from scrapersky.outbox where tenant_id = %s),
                 webhooks as (select secret_version from scrapersky.webhooks where tenant_id = %s),
                 tests as (select from scrapersky.events where tenant_id = %s and type = 'webhook.test')
            select (select count(*) from jobs),
                   (select coalesce(sum((metadata ->> 'retries')::integer), 0) from jobs),
                   (select coalesce(sum(round), 0) from batches),
                   (select count(*) from messages),
                   (select coalesce(sum(secret_version), 0) from webhooks) + (select count(*) from tests)
            """,
            *[client.tenant_id] * 5,
        )
        return Work(*(int(str(figure)) for figure in row))

    def sent(self, client: Client) -> list[str]:
        """Take every message off the queues: what of the client's tenant they named, or called for."""
        queues = (self.queue.drain, self.queue.drain_sitemaps, self.queue.drain_places)
        named = [message["job_id"] for drain in queues for message in drain()]
        named += [message["run"] for message in self.queue.drain_batches()]
        named += [message["delivery_id"] for message in self.queue.drain_webhooks()]
        own = self.postgres.rows(
            "select id from scrapersky.jobs where tenant_id = %s union all"
            " select run from scrapersky.batches where tenant_id = %s union all"
            " select id from scrapersky.webhook_deliveries where tenant_id = %s",
            *[client.tenant_id] * 3,
        )
        called_for = self.postgres.rows(
            "select id::text from scrapersky.events where tenant_id = %s and type = 'webhook.test'"
            " and dispatched_at is null and exists (select from scrapersky.idempotency_keys where resource_id = id)",
            client.tenant_id,
        )
        calls = [str(identity) for (identity,) in called_for] if self.queue.drain_events() else []
        return calls + [name for name in named if name in {str(identity) for (identity,) in own}]
