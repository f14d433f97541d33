"""The POSTs that start work, each ready to be sent, and a witness of what came of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from conftest import TestDatabase
from integration.api.conftest import ALIAS, BATCHES, DISCOVERY, JOBS, SCAN, SITEMAP, Client
from integration.conftest import ScanQueue
from scrapersky import wiring
from scrapersky_local.openapi import DOCUMENT
from support.http_events import Answered
from support.places import stored

POSTS: dict[str, Any] = {
    path: methods["post"] for path, methods in json.loads(DOCUMENT.read_text())["paths"].items() if "post" in methods
}
STARTING = [path for path, operation in POSTS.items() if "202" in operation["responses"]]


class Killed(BaseException):
    """The end of the process, which no handler catches."""


def accepted(answer: Answered) -> tuple[dict[str, str], str]:
    """The whole of an answer which says that work has started."""
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == answer.json["status_url"]
    return answer.headers, answer.body


@dataclass(frozen=True)
class Start:
    """A request that starts work: `body`, or `other` that asks the same route for something else.

    `senseless` is a body that the route refuses.
    """

    client: Client
    path: str
    target: str
    body: Any
    other: Any
    senseless: Any = field(default_factory=dict)

    def send(self, key: str = "k", *, other: bool = False) -> Answered:
        body = self.other if other else self.body
        return self.client.call("POST", self.target, json_body=body, headers={"idempotency-key": key})

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
}


def prepared(client: Client, path: str) -> Start:
    """A request to one of STARTING, with everything at hand that it needs. A new route belongs into PREPARED."""
    return PREPARED[path](client, path)


@dataclass(frozen=True, slots=True)
class Work:
    """All that starts leave behind: jobs, how often they were started anew, rounds of batches, messages."""

    jobs: int
    retries: int
    rounds: int
    messages: int

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
                 messages as (select from scrapersky.outbox where tenant_id = %s)
            select (select count(*) from jobs),
                   (select coalesce(sum((metadata ->> 'retries')::integer), 0) from jobs),
                   (select coalesce(sum(round), 0) from batches),
                   (select count(*) from messages)
            """,
            *[client.tenant_id] * 3,
        )
        return Work(*(int(str(figure)) for figure in row))

    def sent(self, client: Client) -> list[str]:
        """Take every message off the queues: the jobs and the runs of the client's tenant that they named."""
        queues = (self.queue.drain, self.queue.drain_sitemaps, self.queue.drain_places)
        named = [message["job_id"] for drain in queues for message in drain()]
        named += [message["run"] for message in self.queue.drain_batches()]
        own = self.postgres.rows(
            "select id from scrapersky.jobs where tenant_id = %s union all"
            " select run from scrapersky.batches where tenant_id = %s",
            *[client.tenant_id] * 2,
        )
        return [name for name in named if name in {str(identity) for (identity,) in own}]
