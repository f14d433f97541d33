"""One tenant's things are to every other tenant as if they were not there: whatever the route, whatever is swapped.

The routes and their parameters are those of the OpenAPI document: a new one fails here until it is known.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import (
    BATCHES,
    DELIVERIES,
    DISCOVERY,
    EVENTS,
    JOBS,
    PLACES,
    SITEMAP,
    SITEMAP_FILES,
    WEBHOOKS,
    Client,
    failed,
    finisher,
    found,
    jobs_of,
    refused,
)
from integration.api.webhook_log import told
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky_local.openapi import DOCUMENT
from support import sitemap_lines
from support.http_events import Answered
from support.places import stored

OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    (method.upper(), path): operation
    for path, methods in json.loads(DOCUMENT.read_text())["paths"].items()
    for method, operation in methods.items()
}
PUBLIC = [route for route, operation in OPERATIONS.items() if operation.get("security") == []]
PROTECTED = [route for route in OPERATIONS if route not in PUBLIC]
# What deletes comes last: nothing else is answered after it.
ITEMS = sorted((route for route in PROTECTED if "{" in route[1]), key=lambda route: route[0] == "DELETE")
LISTS = [route for route in PROTECTED if "{" not in route[1] and route[0] == "GET" and route[1] != f"{PLACES}/ledger"]
LEDGER = ("GET", f"{PLACES}/ledger")  # sums, and no list of things
BODIES = [route for route in PROTECTED if "requestBody" in OPERATIONS[route]]

GOOD = (200, 201, 202, 404)  # of a good body: done, made, started, or for nothing that is there
SEARCHES = f"{DISCOVERY}/search"
DOMAIN, KEY = "shop.example", "the-key-of-the-owner"


@dataclass(frozen=True)
class Owner:
    """A tenant with things of every kind: the ids of each, by the name that the routes have for them."""

    client: Client
    ids: dict[str, list[str]]
    sitemap_ids: dict[str, list[str]]  # of sitemap scans, which routes of their own are for
    search_ids: dict[str, list[str]]  # of places searches, likewise
    cursors: dict[str, str]

    def names(self) -> Iterator[str]:
        for ids in (*self.ids.values(), *self.sitemap_ids.values(), *self.search_ids.values()):
            yield from ids

    def ids_for(self, path: str) -> list[str]:
        """The ids of what a route is for."""
        ids = (
            self.sitemap_ids
            if path.startswith(SITEMAP)
            else self.search_ids
            if path.startswith(DISCOVERY)
            else self.ids
        )
        return ids[parameter(path)]

    def things(self) -> list[str]:
        """All that there is to see, for comparing."""
        jobs, batches = (self.ids[name] + self.sitemap_ids[name] for name in ("job_id", "batch_id"))
        seen = [self.client.get(f"{JOBS}/{job_id}").body for job_id in jobs]
        seen += [self.client.get(f"{BATCHES}/{batch_id}/status").body for batch_id in batches]
        seen += [self.client.get(f"{DISCOVERY}/results/{job_id}").body for job_id in self.search_ids["job_id"]]
        seen += [self.client.get(path).body for path in (LEDGER[1], WEBHOOKS, EVENTS)]
        seen += [self.client.get(f"{DELIVERIES}/{delivery_id}").body for delivery_id in self.ids["delivery_id"]]
        files = self.sitemap_ids["file_id"]
        return seen + [self.client.get(f"{SITEMAP_FILES}/{file_id}/urls?state=all").body for file_id in files]


def owning(client: Client, postgres: TestDatabase) -> Owner:
    """Let a tenant have jobs in every state, alone and in a batch, with keys."""
    jobs: list[str] = []
    with Database(postgres.app_dsn) as db:
        finish = finisher(db)
        for state in (None, failed(), found()):
            jobs.append(client.start({"base_url": DOMAIN}, key=f"{KEY}-{len(jobs)}").json["job_id"])
            if state is not None:
                finish(jobs[-1], state)
        batch = client.start_batch(DOMAIN, "other.example", "localhost", key=KEY).json["batch_id"]
        in_batch = jobs_of(client, f"{BATCHES}/{batch}")
        finish(in_batch["other.example"], failed())
    client.start_batch("another.example")
    client.made_webhook()
    webhook_id = client.make_webhook(key=f"{KEY}-webhook").json["id"]
    ids = {
        "job_id": [*jobs, *in_batch.values()],
        "batch_id": [batch],
        "domain": [DOMAIN],
        "webhook_id": [webhook_id],
        "delivery_id": told(client, webhook_id, 2, status="failed"),
    }
    return Owner(
        client,
        ids,
        sitemaps_of(client, postgres),
        searches_of(client, postgres),
        {path: client.get(f"{path}?limit=1").json["next_cursor"] for _, path in LISTS},
    )


def sitemaps_of(client: Client, postgres: TestDatabase) -> dict[str, list[str]]:
    """Let a tenant have sitemap scans: one that waits, and one that is complete with a file read and one not."""
    done, _ = client.started_sitemaps(DOMAIN), client.started_sitemaps("other.example")
    batch = client.start_sitemap_batch(DOMAIN, "other.example").json["batch_id"]
    caller = Caller(client.tenant_id, "user-1")
    with Database(postgres.app_dsn) as db:
        site = sitemap_lines.lead(db, caller, UUID(done))
        sitemap_lines.add(db, site, *map(sitemap_lines.address, "ab"))
        line = sitemap_lines.line_of(db, site)
        sitemap_lines.store(db, line, sitemap_lines.pages(1, 2, 3))
        sitemap_lines.finish(db, line)
        sitemap_lines.fail(db, sitemap_lines.line_of(db, site))
    files = client.get(f"{SITEMAP_FILES}?job_id={done}").json["items"]
    return {
        "job_id": [done],
        "batch_id": [batch],
        "file_id": [file["id"] for file in files],
        "domain": [DOMAIN],
    }


def searches_of(client: Client, postgres: TestDatabase) -> dict[str, list[str]]:
    """Let a tenant have places searches: one that found a place with a site and one without, and one that waits."""
    done, waits = client.searched(), client.searched("florist")
    with Database(postgres.app_dsn) as db:
        stored(db, UUID(done), (f"place-{done}", DOMAIN), (f"other-{done}", None))
    places = client.get(f"{DISCOVERY}/results/{done}").json["places"]
    return {
        "job_id": [done, waits],
        "place_id": [place[name] for place in places for name in ("id", "place_id")],
    }


@pytest.fixture(scope="module")
def owner(deployment: Client, postgres: TestDatabase) -> Owner:
    """One for all tests, for none of them may change it."""
    return owning(deployment.someone_else(), postgres)


@pytest.fixture
def stranger(owner: Owner) -> Client:
    """Another tenant, with a job and a batch of its own."""
    stranger = owner.client.someone_else()
    stranger.started("mine.example")
    stranger.started_batch("mine.example")
    stranger.started_sitemaps("mine.example")
    stranger.searched()
    stranger.made_webhook()
    return stranger


def unknown(name: str) -> str:
    """An id of nobody's."""
    return "never.example" if name == "domain" else str(uuid4())


def questions(route: tuple[str, str], owner: Owner) -> list[str]:
    """The query strings that a route understands: none, and each of its parameters with something of the owner's."""
    values = {
        "wait": "0.1",
        "domain_statuses": "false",
        "format": "csv",
        "kind": "removed" if route[1].endswith("/changes") else "domain_scan",
        "state": "all",
        "sitemap_type": "urlset",
        "job_id": owner.sitemap_ids["job_id"][0],
        "status": {f"{SEARCHES}/history": "complete", f"{DISCOVERY}/results/{{job_id}}": "New"}.get(route[1], "failed"),
        "redirect": "false",
        "type": "job.failed",
        "event_id": str(uuid4()),
        "website_class": "social",
        "batch_id": owner.ids["batch_id"][0],
        "domain": DOMAIN,
        "domain_filter": "shop",
        "limit": "500",
        "cursor": next(iter(owner.cursors.values())) if "{" in route[1] else owner.cursors.get(route[1], ""),
    }
    names = [item["name"] for item in OPERATIONS[route].get("parameters", ()) if item["in"] == "query"]
    return ["", *(f"?{name}={values[name]}" for name in names)]


def swapped_headers(owner: Owner) -> list[dict[str, str]]:
    """What the owner could send along, in a stranger's hands."""
    tag = owner.client.get(f"{JOBS}/{owner.ids['job_id'][0]}").headers["etag"]
    return [{}, {"if-none-match": tag}, {"if-none-match": "*"}, {"idempotency-key": KEY}]


def parameter(path: str) -> str:
    (name,) = [part[1:-1] for part in path.split("/") if part[:1] == "{"]
    return name


def label(route: tuple[str, str]) -> str:
    return " ".join(route)


@pytest.mark.parametrize("route", ITEMS, ids=label)
def test_another_tenants_id_is_answered_as_one_that_never_was(
    owner: Owner, stranger: Client, route: tuple[str, str]
) -> None:
    method, path = route
    name = parameter(path)
    ids, nobodys = owner.ids_for(path), unknown(name)
    body = example(OPERATIONS[route]) if OPERATIONS[route].get("requestBody", {}).get("required") else None
    before = owner.things()
    for identity, query, headers in (
        *product(ids, [""], [{}]),
        *product(ids[:1], questions(route, owner), swapped_headers(owner)),
    ):
        answers = [
            stranger.call(method, path.format(**{name: one}) + query, headers=headers, json_body=body)
            for one in (identity, nobodys)
        ]
        for answer in answers:
            refused(answer, 404, "not_found")
        assert answers[0].body.replace(identity, "ID") == answers[1].body.replace(nobodys, "ID")
        assert answers[0].headers == answers[1].headers
    assert owner.things() == before


def test_control_its_own_tenant_is_answered_otherwise(client: Client, postgres: TestDatabase) -> None:
    owner = owning(client, postgres)
    for method, path in ITEMS:
        for one in owner.ids_for(path):
            body = example(OPERATIONS[method, path]) if "requestBody" in OPERATIONS[method, path] else None
            answer = client.call(method, path.format(**{parameter(path): one}), json_body=body)
            assert answer.status in (200, 202, 204, 409), path


@pytest.mark.parametrize("route", LISTS, ids=label)
def test_a_list_holds_nothing_of_another_tenants(owner: Owner, stranger: Client, route: tuple[str, str]) -> None:
    newcomer = owner.client.someone_else()
    for query in questions(route, owner):
        target = route[1] + query
        answers = [asking.get(target) for asking in (stranger, newcomer)]
        assert [answer.status for answer in answers] == [200, 200]
        assert not [name for name in owner.names() if any(name in answer.body for answer in answers)]
        assert answers[1].json == {"items": [], "next_cursor": None}
        if "cursor" not in query:
            assert owner.client.get(target).json["items"], target  # the same question is a good one


def example(operation: dict[str, Any]) -> dict[str, Any]:
    """A good body for a route, out of the document; none where the route needs none."""
    content = operation["requestBody"]["content"]["application/json"]
    value: dict[str, Any] = next((one["value"] for one in content.get("examples", {}).values()), {})
    return value


def test_the_ledger_holds_nothing_of_another_tenants(owner: Owner, stranger: Client) -> None:
    answers = [asking.get(LEDGER[1]).json for asking in (stranger, owner.client.someone_else())]
    assert answers[0] == answers[1]
    assert (answers[0]["items"], answers[0]["total_requests"]) == ([], 0)
    assert owner.client.get(LEDGER[1]).json["total_requests"] == 1


def test_another_tenants_places_are_judged_by_nobody_else(owner: Owner, stranger: Client) -> None:
    ids = owner.search_ids["place_id"]
    before = owner.things()
    answer = stranger.call("PUT", f"{PLACES}/staging/status", json_body={"place_ids": ids, "status": "Archived"})
    assert answer.json == {"updated_count": 0, "unknown": ids}
    assert owner.things() == before


@pytest.mark.parametrize("route", BODIES, ids=label)
def test_another_tenant_in_the_body_is_refused(owner: Owner, stranger: Client, route: tuple[str, str]) -> None:
    method, path = route
    body = example(OPERATIONS[route])
    target = path.format(**{parameter(path): owner.ids_for(path)[0]}) if "{" in path else path
    before = owner.things()
    answer = stranger.call(method, target, json_body={**body, "tenant_id": str(owner.client.tenant_id)})
    refused(answer, 403, "tenant_mismatch")
    assert owner.things() == before
    # The control: with its own id it gets as far as the route.
    assert stranger.call(method, target, json_body={**body, "tenant_id": str(stranger.tenant_id)}).status in GOOD


def test_another_tenants_batch_id_in_the_body_is_an_id_of_its_own(owner: Owner, stranger: Client) -> None:
    (batch_id,) = owner.ids["batch_id"]
    before = owner.things()
    answer = stranger.start_batch("evil.example", batch_id=batch_id, key=KEY)
    assert (answer.status, answer.json["batch_id"], answer.json["job_count"]) == (202, batch_id, 1)
    assert list(jobs_of(stranger, f"{BATCHES}/{batch_id}")) == ["evil.example"]
    assert stranger.call("POST", f"{BATCHES}/{batch_id}/cancel").status == 200
    assert owner.things() == before


@pytest.mark.parametrize("route", PROTECTED, ids=label)
def test_nobody_is_answered_without_a_tenant(owner: Owner, postgres: TestDatabase, route: tuple[str, str]) -> None:
    method, path = route
    before = owner.things()
    target = path.format(
        **{name: ids[0] for name, ids in {**owner.sitemap_ids, **owner.search_ids, **owner.ids}.items()}
    )
    for authorizer in (None, {}, {"sub": "user-1"}, {"denied": "token_expired", **identity(owner.client.tenant_id)}):
        answer: Answered = owner.client.call(method, target, tenant_id=None, authorizer=authorizer)
        assert answer.status == 401
        assert not [name for name in owner.names() if name in answer.body]
    assert owner.things() == before


def identity(tenant_id: UUID) -> dict[str, str]:
    return {"tenant_id": str(tenant_id), "sub": "user-1"}


def test_what_is_public_is_the_same_for_everybody(owner: Owner) -> None:
    paths = {"/health", "/health/database", "/openapi.json", "/docs", "/", "/console/{file}"}
    assert {path for _, path in PUBLIC} == paths
    for method, path in PUBLIC:
        assert owner.client.call(method, path.format(file="app.js"), tenant_id=None).status == 200
