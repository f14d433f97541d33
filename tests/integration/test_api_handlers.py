"""The API functions over Postgres, PgBouncer and SQS: what a client sends, what it gets, and what is stored then."""

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import boto3
import jwt
import pytest

from conftest import TestDatabase
from http_events import Answered, Context, call, event, function
from integration.conftest import REGION, ScanQueue
from scrapersky import wiring
from scrapersky.api import schemas
from scrapersky.db import leases
from scrapersky.db.connection import Database
from scrapersky.domain.facts import PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.services import domain_scan

SCAN = "/api/v3/modernized_page_scraper"
ALIAS = "/api/v3/batch_page_scraper"
JOBS = "/api/v3/jobs"
DOMAINS = "/api/v3/domains"
BODY = {"base_url": "https://www.shop.example/about", "max_pages": 3}


@dataclass(frozen=True)
class Client:
    """One tenant's way to both functions, by path, as the gateway leads it."""

    scans: ModuleType
    jobs: ModuleType
    tenant_id: UUID

    def call(self, method: str, target: str, **request: Any) -> Answered:
        module = self.scans if target.startswith((SCAN, ALIAS)) else self.jobs
        return call(module.lambda_handler, method, target, **{"tenant_id": self.tenant_id, **request})

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

    def someone_else(self) -> "Client":
        return replace(self, tenant_id=uuid4())


@pytest.fixture
def client(postgres: TestDatabase, queue: ScanQueue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name=postgres.name, SecretString=postgres.app_dsn
    )
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret["ARN"])
    monkeypatch.setenv("SCAN_QUEUE_URL", queue.url)
    for cached in (wiring.sender, wiring._sqs):
        cached.cache_clear()
    yield Client(function("domain_scan_api"), function("jobs_api"), uuid4())
    for cached in (wiring.sender, wiring._sqs):
        cached.cache_clear()


Finish = Callable[[str, SiteScan], None]


@pytest.fixture
def finish(db: Database) -> Finish:
    """Do the worker's part for a job: claim it and store what it found."""

    def finish(job_id: str, scan: SiteScan) -> None:
        token = uuid4()
        (claim,) = leases.claim(db, [UUID(job_id)], token=token, lease=timedelta(minutes=1))
        now = datetime.now(UTC)
        result = domain_scan.result(claim.domain, claim.request, scan, now, now)
        assert leases.store(db, claim, token=token, scan=scan, result=result)

    return finish


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


# --- starting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SCAN, ALIAS])
def test_a_started_scan_says_where_to_follow_it_and_that_address_works(
    client: Client, queue: ScanQueue, path: str
) -> None:
    answer = client.start(path=path)
    accepted = answer.json
    assert answer.status == 202
    assert set(accepted) == {"job_id", "status_url", "created_at"}
    assert accepted["created_at"].endswith("Z")
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{path}/status/{accepted['job_id']}"
    assert int(answer.headers["retry-after"]) > 0

    status = client.get(answer.headers["location"])
    assert (status.status, status.json["status"], status.json["domain"]) == (200, "pending", "shop.example")
    assert [message["job_id"] for message in queue.drain()] == [accepted["job_id"]]


def test_the_status_holds_exactly_what_the_contract_names(client: Client) -> None:
    status = client.get(f"{SCAN}/status/{client.started('shop.example')}").json
    assert set(status) == {
        "job_id",
        "status",
        "domain",
        "progress",
        "created_at",
        "updated_at",
        "started_at",
        "finished_at",
        "result",
        "error",
        "metadata",
    }
    assert (status["progress"], status["result"], status["error"], status["started_at"]) == (0.0, None, None, None)


def test_the_request_is_named_in_the_message(client: Client, queue: ScanQueue) -> None:
    client.start()
    (message,) = queue.drain()
    assert message["correlation_id"] == event("GET", "/")["requestContext"]["requestId"]


@pytest.mark.parametrize("base_url", ["127.0.0.1", "http://[::1]/", "localhost", "x", "http://", "0x7f.1"])
def test_what_is_no_domain_is_a_422_with_the_reason(client: Client, queue: ScanQueue, base_url: str) -> None:
    problem = refused(client.start({"base_url": base_url}), 422, "invalid_domain")
    assert problem["errors"][0]["loc"] == ["body", "base_url"]
    assert problem["errors"][0]["msg"]
    assert queue.drain() == []


def test_the_same_key_and_body_gives_the_first_answer_and_starts_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase
) -> None:
    first = client.start(key="k")
    again = client.start({"max_pages": 3, "base_url": BODY["base_url"]}, key="k")
    assert (again.status, again.json, again.headers["location"]) == (202, first.json, first.headers["location"])
    assert len(queue.drain()) == 1
    assert postgres.one("select count(*) from scrapersky.jobs") == (1,)


def test_the_same_key_with_another_body_is_a_422(client: Client, queue: ScanQueue) -> None:
    client.start(key="k")
    refused(client.start({"base_url": "other.example"}, key="k"), 422, "idempotency_key_reused")
    assert len(queue.drain()) == 1


def test_two_tenants_may_use_the_same_key(client: Client) -> None:
    first, second = client.start(key="k"), client.someone_else().start(key="k")
    assert first.json["job_id"] != second.json["job_id"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"json_body": {**BODY, "tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": " " * (3 * 1024 * 1024 + 1)}, 413, "too_large"),
        ({"body": "base_url=x", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, None),
        ({"json_body": {**BODY, "max_pages": 101}}, 422, "invalid"),
        ({"json_body": {**BODY, "depth": 2}}, 422, "invalid"),
        ({"json_body": {"base_url": "a\x00b"}}, 422, "invalid"),
        ({"json_body": BODY, "headers": {"idempotency-key": "a b"}}, 422, "invalid"),
        ({"json_body": BODY, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_refused_request_leaves_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase, request_: dict[str, Any], status: int, code: str | None
) -> None:
    answer = client.call("POST", f"{SCAN}/scan", **request_)
    refused(answer, status, code or "unsupported_media_type")
    assert queue.drain() == []
    assert postgres.one("select count(*) from scrapersky.jobs") == (0,)


# --- how it stands --------------------------------------------------------------------------------------------------


def test_a_complete_scan_shows_its_result(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    status = client.get(f"{SCAN}/status/{job_id}").json
    assert (status["status"], status["progress"], status["error"]) == ("complete", 100.0, None)
    assert set(status["result"]) == {"site_data", "pages", "processing_metrics"}
    assert set(status["result"]["site_data"]) == set(schemas.SiteData.model_fields)
    assert status["result"]["site_data"]["title"] == "Shop"
    assert status["result"]["pages"][0]["bytes"] == 18_211
    assert status["result"]["processing_metrics"]["pages_fetched"] == 1
    assert "retry-after" not in client.get(f"{SCAN}/status/{job_id}").headers


def test_a_failed_scan_says_why(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, failed())
    status = client.get(f"{SCAN}/status/{job_id}").json
    assert (status["status"], status["result"]) == ("failed", None)
    assert status["error"] == {"code": "dns_failure", "message": "the name has no address", "retryable": True}


@pytest.mark.parametrize("path", [f"{SCAN}/status/", f"{ALIAS}/status/", f"{JOBS}/"])
def test_an_unchanged_status_is_a_304_and_a_changed_one_is_not(client: Client, finish: Finish, path: str) -> None:
    job_id = client.started("shop.example")
    first = client.get(path + job_id)
    tag = first.headers["etag"]
    assert int(first.headers["retry-after"]) > 0

    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        unchanged = client.get(path + job_id, if_none_match=named)
        assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, "", tag)
        assert "retry-after" in unchanged.headers

    finish(job_id, found())
    changed = client.get(path + job_id, if_none_match=tag)
    assert (changed.status, changed.json["status"]) == (200, "complete")
    assert changed.headers["etag"] != tag
    assert client.get(path + job_id, if_none_match=changed.headers["etag"]).status == 304


def test_a_held_answer_comes_with_the_change(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    worker = threading.Timer(0.6, finish, (job_id, found()))
    worker.start()
    began = time.monotonic()
    status = client.get(f"{SCAN}/status/{job_id}?wait=20")
    took = time.monotonic() - began
    worker.join()
    assert status.json["status"] == "complete"
    assert 0.4 < took < 10


def test_a_held_answer_comes_unchanged_when_the_time_is_over(client: Client) -> None:
    job_id = client.started("shop.example")
    tag = client.get(f"{JOBS}/{job_id}").headers["etag"]
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=0.5", if_none_match=tag).status == 304
    assert time.monotonic() - began >= 0.5


def test_a_client_that_has_another_state_is_answered_at_once(client: Client) -> None:
    job_id = client.started("shop.example")
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=20", if_none_match='"stale"').status == 200
    assert time.monotonic() - began < 10


def test_a_final_state_is_not_waited_on(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    began = time.monotonic()
    assert client.get(f"{JOBS}/{job_id}?wait=20").status == 200
    assert time.monotonic() - began < 10


def test_another_tenants_job_is_answered_as_one_that_never_was(client: Client, finish: Finish) -> None:
    theirs, nobodys = client.started("shop.example"), str(uuid4())
    finish(theirs, failed())
    stranger = client.someone_else()
    for method, path in (
        ("GET", f"{SCAN}/status/{{}}"),
        ("GET", f"{ALIAS}/status/{{}}"),
        ("GET", f"{JOBS}/{{}}"),
        ("POST", f"{JOBS}/{{}}/cancel"),
        ("POST", f"{JOBS}/{{}}/retry"),
    ):
        answers = [stranger.call(method, path.format(job_id)) for job_id in (theirs, nobodys)]
        for answer in answers:
            refused(answer, 404, "not_found")
        assert answers[0].body.replace(theirs, "ID") == answers[1].body.replace(nobodys, "ID")
        assert answers[0].headers == answers[1].headers


@pytest.mark.parametrize("job_id", ["x", "123", "a" * 36, "%00"])
def test_an_id_that_is_none_is_a_422(client: Client, job_id: str) -> None:
    assert refused(client.get(f"{JOBS}/{job_id}"), 422, "invalid")["errors"][0]["loc"] == ["path", "job_id"]


# --- cancel and retry -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}])
def test_a_pending_job_is_cancelled_once_and_for_all(client: Client, body: Any) -> None:
    job_id = client.started("shop.example")
    first = client.call("POST", f"{JOBS}/{job_id}/cancel", json_body=body)
    assert (first.status, first.json["status"], first.json["error"]["code"]) == (200, "cancelled", "cancelled")
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").json == first.json


def test_a_final_job_cannot_be_cancelled(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    refused(client.call("POST", f"{JOBS}/{job_id}/cancel"), 409, "job_is_final")


def test_a_failed_job_is_retried_and_followed_at_its_address(client: Client, queue: ScanQueue, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, failed())
    queue.drain()
    answer = client.call("POST", f"{JOBS}/{job_id}/retry", headers={"idempotency-key": "again"})
    assert answer.status == 202
    assert answer.json["job_id"] == job_id
    assert answer.headers["location"] == answer.json["status_url"] == f"https://api.example{JOBS}/{job_id}"
    assert client.get(answer.headers["location"]).json["status"] == "pending"

    again = client.call("POST", f"{JOBS}/{job_id}/retry", headers={"idempotency-key": "again"})
    assert (again.status, again.json) == (202, answer.json)
    assert len(queue.drain()) == 1


def test_a_job_that_is_under_way_or_complete_cannot_be_retried(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    refused(client.call("POST", f"{JOBS}/{job_id}/retry"), 409, "job_not_retryable")
    finish(job_id, found())
    refused(client.call("POST", f"{JOBS}/{job_id}/retry"), 409, "job_not_retryable")


def test_one_key_does_not_stand_for_two_jobs(client: Client) -> None:
    jobs = [client.started(f"s{n}.example") for n in range(2)]
    for job_id in jobs:
        client.call("POST", f"{JOBS}/{job_id}/cancel")
    headers = {"idempotency-key": "k"}
    assert client.call("POST", f"{JOBS}/{jobs[0]}/retry", headers=headers).status == 202
    refused(client.call("POST", f"{JOBS}/{jobs[1]}/retry", headers=headers), 422, "idempotency_key_reused")


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_an_action_takes_no_other_body(client: Client, action: str) -> None:
    path = f"{JOBS}/{client.started('shop.example')}/{action}"
    refused(client.call("POST", path, json_body={"tenant_id": str(uuid4())}), 403, "tenant_mismatch")
    refused(client.call("POST", path, json_body={"force": True}), 422, "invalid")
    refused(client.call("POST", path, body="{"), 400, "malformed_json")
    refused(client.call("POST", path, body="[]"), 422, "invalid")


# --- lists and domains ----------------------------------------------------------------------------------------------


def pages(client: Client, target: str) -> list[list[dict[str, Any]]]:
    """Every page of a list, by its cursors."""
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        answer = client.get(f"{target}{cursor}")
        assert answer.status == 200, answer.body
        assert set(answer.json) == {"items", "next_cursor"}
        found.append(answer.json["items"])
        if answer.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={quote(answer.json['next_cursor'])}"


def test_jobs_are_listed_newest_first_page_by_page(client: Client) -> None:
    made = [client.started(f"s{n}.example") for n in range(5)]
    listed = pages(client, f"{JOBS}?limit=2")
    assert [len(page) for page in listed] == [2, 2, 1]
    assert [job["job_id"] for page in listed for job in page] == made[::-1]
    assert "result" not in listed[0][0]
    assert pages(client.someone_else(), f"{JOBS}?limit=2") == [[]]


def test_jobs_are_filtered(client: Client, finish: Finish) -> None:
    first, second = client.started("a.example"), client.started("b.example")
    finish(first, failed())

    def listed(query: str) -> list[str]:
        return [job["job_id"] for page in pages(client, f"{JOBS}?{query}") for job in page]

    assert listed("status=failed") == [first]
    assert listed("domain=b.example") == [second]
    assert listed("kind=domain_scan&status=pending") == [second]
    assert listed(f"batch_id={uuid4()}") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "limit=1,2",
        "status=done",
        "kind=x",
        "batch_id=x",
        "cursor=x",
        "cursor=" + "a" * 2000,
        "cursor=" + base64.urlsafe_b64encode(b'["\\u0000", "\\u0000"]').decode(),
        "domain=%00",
        "domain=" + "a" * 254,
    ],
)
def test_a_wrong_question_about_jobs_is_a_422_that_names_it(client: Client, query: str) -> None:
    answer = client.get(f"{JOBS}?{query}")
    problem = refused(answer, 422, answer.json["code"])
    assert problem["code"] in ("invalid", "invalid_cursor")
    assert problem["errors"][0]["loc"] == ["query", query.split("=")[0]]


def test_domains_are_listed_by_name_with_their_latest_facts(client: Client, finish: Finish) -> None:
    for name in ("c.example", "a.example", "b.example"):
        job_id = client.started(name)
        if name == "a.example":
            finish(job_id, found("A"))
            scanned_by = job_id
    listed = pages(client, f"{DOMAINS}?limit=2")
    assert [domain["domain"] for page in listed for domain in page] == ["a.example", "b.example", "c.example"]
    assert (listed[0][0]["site_data"]["title"], listed[0][0]["job_id"]) == ("A", scanned_by)
    assert (listed[0][1]["site_data"], listed[0][1]["job_id"]) == (None, None)
    assert pages(client, f"{DOMAINS}?domain_filter=B.")[0][0]["domain"] == "b.example"
    assert pages(client.someone_else(), f"{DOMAINS}?limit=2") == [[]]


def test_a_cursor_that_was_never_handed_out_is_a_422(client: Client) -> None:
    refused(client.get(f"{DOMAINS}?cursor=x"), 422, "invalid_cursor")


def test_one_domain_is_found_under_any_spelling(client: Client, finish: Finish) -> None:
    job_id = client.started("shop.example")
    finish(job_id, found())
    for spelling in ("shop.example", "WWW.Shop.Example", "shop.example."):
        domain = client.get(f"{DOMAINS}/{spelling}")
        assert (domain.status, domain.json["domain"]) == (200, "shop.example")
        assert (domain.json["site_data"]["title"], domain.json["job_id"]) == ("Shop", job_id)
    refused(client.someone_else().get(f"{DOMAINS}/shop.example"), 404, "not_found")
    refused(client.get(f"{DOMAINS}/127.0.0.1"), 404, "not_found")


def test_a_list_too_large_for_one_answer_is_cut_and_goes_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(6):
        client.started(f"s{n}.example")
    monkeypatch.setattr("scrapersky.api.responses.MAX_LIST_CHARACTERS", 1000)
    listed = pages(client, f"{JOBS}?limit=6")
    assert len(listed) > 1
    assert len([job for page in listed for job in page]) == 6


# --- health and documents -------------------------------------------------------------------------------------------


def test_health_needs_no_token(client: Client) -> None:
    for path in ("/health", "/health/database"):
        answer = client.call("GET", path, tenant_id=None)
        assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_a_database_that_does_not_answer_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name=uuid4().hex, SecretString="host=127.0.0.1 port=1 dbname=x user=x connect_timeout=1"
    )
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret["ARN"])
    monkeypatch.setattr("scrapersky.db.connection.RETRY_SECONDS", 0.0)
    answer = client.call("GET", "/health/database", tenant_id=None)
    refused(answer, 503, "unavailable")
    assert "127.0.0.1" not in answer.body
    assert client.call("GET", "/health", tenant_id=None).status == 200


def test_a_missing_secret_is_a_500_that_names_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_SECRET_ARN")
    answer = client.get(JOBS)
    refused(answer, 500, "internal")
    assert "SECRET" not in answer.body


def test_the_openapi_document_and_its_page_are_served(client: Client) -> None:
    document = client.call("GET", "/openapi.json", tenant_id=None)
    assert (document.status, document.headers["content-type"]) == (200, "application/json")
    assert json.loads(document.body)["openapi"].startswith("3.1")

    page = client.call("GET", "/docs", tenant_id=None, headers={"accept-encoding": "gzip, br"})
    assert (page.status, page.headers["content-encoding"]) == (200, "gzip")
    html = zlib.decompress(base64.b64decode(page.body), zlib.MAX_WBITS | 16).decode()
    assert "openapi.json" in html
    assert "SwaggerUIBundle" in html
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert html.count(f'nonce="{nonce}"') == html.count("<script") == 2


# --- the authorizer and the functions together ----------------------------------------------------------------------


def test_a_token_becomes_the_tenant_that_the_rows_belong_to(
    client: Client, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = "a-secret-of-more-than-thirty-two-bytes"
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name=uuid4().hex, SecretString=signing)
    monkeypatch.setenv("JWT_ALGORITHM", "HS256")
    monkeypatch.setenv("JWT_SECRET_ARN", secret["ARN"])
    monkeypatch.setenv("JWT_AUDIENCE", "authenticated")
    authorizer = function("authorizer")

    def authorized(headers: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = authorizer.lambda_handler({"headers": headers, "requestContext": {}}, Context())
        assert answer["isAuthorized"] is True
        context: dict[str, Any] = answer["context"]
        return context

    tenant_id = uuid4()
    claims = {"aud": "authenticated", "exp": int(time.time()) + 60, "sub": "user-9", "tenant_id": str(tenant_id)}
    good = authorized({"authorization": f"Bearer {jwt.encode(claims, signing, 'HS256')}"})
    assert good == {"tenant_id": str(tenant_id), "sub": "user-9", "exp": claims["exp"]}
    assert client.call("POST", f"{SCAN}/scan", json_body=BODY, authorizer=good).status == 202
    assert postgres.one("select tenant_id, created_by from scrapersky.jobs") == (tenant_id, "user-9")

    for headers, code in (
        ({}, "token_missing"),
        ({"authorization": "Bearer x.y.z"}, "token_malformed"),
        ({"authorization": f"Bearer {jwt.encode(claims, signing[::-1], 'HS256')}"}, "token_signature"),
    ):
        refused(client.call("GET", JOBS, authorizer=authorized(headers)), 401, code)

    monkeypatch.delenv("JWT_SECRET_ARN")
    denied = authorized({"authorization": f"Bearer {jwt.encode(claims, signing, 'HS256')}"})
    refused(client.call("GET", JOBS, authorizer=denied), 503, "keys_unavailable")
