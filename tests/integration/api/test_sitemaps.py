"""Sitemap scans over HTTP: started alone and as a batch, followed, and kept apart from other kinds of work."""

import csv
import json
import threading
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from conftest import TestDatabase
from integration.api.conftest import BATCHES, JOBS, SCAN, SITEMAP, SITEMAP_FILES, Client, jobs_of, refused
from integration.conftest import ScanQueue
from scrapersky.api import result_schemas, sitemap_examples
from scrapersky.api.export_lines import SITEMAP_COLUMNS
from scrapersky.api.schemas import MAX_FILES_BYTES
from scrapersky.db import jobs as db_jobs
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.status import ErrorCode
from support import sitemap_lines
from support.sitemap_lines import address, pages


@pytest.fixture
def caller(client: Client) -> Caller:
    return Caller(client.tenant_id, "user-1")


def complete(db: Database, caller: Caller, job_id: str, *numbers: int) -> None:
    """Do the worker's part for a scan: two files, of which one cannot be read."""
    site = sitemap_lines.lead(db, caller, UUID(job_id))
    sitemap_lines.add(db, site, address("a"), address("b"))
    line = sitemap_lines.line_of(db, site)
    sitemap_lines.store(db, line, pages(*numbers))
    sitemap_lines.finish(db, line, sitemap_lines.whole(has_lastmod=True))
    sitemap_lines.fail(db, sitemap_lines.line_of(db, site))


def test_a_started_scan_says_where_to_follow_it_and_that_address_works(client: Client, queue: ScanQueue) -> None:
    answer = client.start_sitemaps("https://www.site.example/about")
    accepted = answer.json
    assert answer.status == 202
    assert set(accepted) == {"job_id", "status_url", "created_at"}
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{SITEMAP}/status/{accepted['job_id']}"
    assert int(answer.headers["retry-after"]) > 0

    status = client.get(answer.headers["location"])
    assert (status.status, status.json["status"], status.json["domain"]) == (200, "pending", "site.example")
    assert status.json["metadata"] == {
        "base_url": "https://www.site.example/about",
        "max_pages": 10_000,
        "sitemaps_found": 0,
        "sitemaps_done": 0,
        "sitemaps_failed": 0,
        "urls_stored": 0,
    }
    assert [message["job_id"] for message in queue.drain_sitemaps()] == [accepted["job_id"]]
    assert queue.drain() == []


def test_a_scan_that_runs_shows_how_far_it_is(client: Client, db: Database, caller: Caller) -> None:
    job_id = client.started_sitemaps("site.example", max_pages=1_000_000)
    before = client.get(f"{SITEMAP}/status/{job_id}")
    site = sitemap_lines.lead(db, caller, UUID(job_id))
    sitemap_lines.add(db, site, address("a"), address("b"))
    sitemap_lines.store(db, sitemap_lines.line_of(db, site), pages(1, 2, 3))
    status = client.get(f"{SITEMAP}/status/{job_id}", if_none_match=before.headers["etag"])
    assert (status.status, status.json["status"], status.json["result"]) == (200, "running", None)
    assert status.json["progress"] < 100
    shown = status.json["metadata"]
    assert (shown["sitemaps_found"], shown["sitemaps_done"], shown["sitemaps_failed"], shown["urls_stored"]) == (
        2, 0, 0, 3,
    )  # fmt: skip
    assert int(status.headers["retry-after"]) > 0
    assert client.get(f"{SITEMAP}/status/{job_id}", if_none_match=status.headers["etag"]).status == 304


def test_a_held_answer_comes_when_a_figure_changes_though_the_job_does_not(
    client: Client, db: Database, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = client.started_sitemaps("site.example")
    sitemap_lines.add(db, sitemap_lines.lead(db, caller, UUID(job_id)), address("a"))
    tag = client.get(f"{SITEMAP}/status/{job_id}").headers["etag"]
    worker = threading.Timer(0.6, postgres.rows, ("update scrapersky.sitemap_files set url_count = 7",))
    began = time.monotonic()
    worker.start()
    answer = client.get(f"{SITEMAP}/status/{job_id}?wait=20", if_none_match=tag)
    worker.join()
    assert (answer.status, answer.json["metadata"]["urls_stored"]) == (200, 7)
    assert 0.4 < time.monotonic() - began < 10


def test_a_complete_scan_shows_its_files_in_the_words_of_the_contract(
    client: Client, db: Database, caller: Caller
) -> None:
    job_id = client.started_sitemaps("site.example")
    complete(db, caller, job_id, 1, 2, 3)
    answer = client.get(f"{SITEMAP}/status/{job_id}?wait=20")
    status = answer.json
    assert (status["status"], status["progress"], status["error"]) == ("complete", 100.0, None)
    assert "retry-after" not in answer.headers
    assert (status["metadata"]["sitemaps_done"], status["metadata"]["sitemaps_failed"]) == (1, 1)
    result = status["result"]
    assert (result["total_sitemaps"], result["total_urls"], result["truncated"]) == (2, 3, False)
    read, unread = result["sitemaps"]
    assert read.keys() >= result_schemas.ScannedSitemap.model_fields.keys()
    assert (read["url"], read["sitemap_type"], read["url_count"], read["status"]) == (
        address("a"), "urlset", 3, "complete",
    )  # fmt: skip
    assert (read["has_lastmod"], read["has_priority"], read["discovery_method"]) == (True, False, "robots_txt")
    assert (unread["status"], unread["error"]["code"], unread["error"]["retryable"]) == ("failed", "http_error", True)
    assert client.get(f"{JOBS}/{job_id}").json["result"] == result
    assert client.get(f"{SITEMAP_FILES}/{read['id']}").json["url"] == address("a")


def test_a_site_without_a_sitemap_is_complete_with_zero(client: Client, db: Database, caller: Caller) -> None:
    job_id = client.started_sitemaps("site.example")
    sitemap_lines.add(db, sitemap_lines.lead(db, caller, UUID(job_id)))
    status = client.get(f"{SITEMAP}/status/{job_id}").json
    assert (status["status"], status["result"]["total_sitemaps"], status["result"]["sitemaps"]) == ("complete", 0, [])


def test_a_scan_none_of_whose_files_can_be_read_is_failed(client: Client, db: Database, caller: Caller) -> None:
    job_id = client.started_sitemaps("site.example")
    site = sitemap_lines.lead(db, caller, UUID(job_id))
    sitemap_lines.add(db, site, address("a"))
    sitemap_lines.fail(db, sitemap_lines.line_of(db, site), ErrorCode.FORBIDDEN_XML)
    status = client.get(f"{SITEMAP}/status/{job_id}").json
    assert (status["status"], status["result"], status["error"]["code"]) == ("failed", None, "forbidden_xml")
    assert status["metadata"]["sitemaps_failed"] == 1


def test_each_kind_of_work_has_its_own_address(client: Client) -> None:
    sitemaps, pages_ = client.started_sitemaps("site.example"), client.started("site.example")
    refused(client.get(f"{SITEMAP}/status/{pages_}?wait=20"), 404, "not_found")
    refused(client.get(f"{SCAN}/status/{sitemaps}?wait=20"), 404, "not_found")
    for path in ("urls", "urls/export", "changes"):
        refused(client.get(f"{SITEMAP}/scan/{pages_}/{path}"), 404, "not_found")
    listed = {item["job_id"]: item["kind"] for item in client.get(JOBS).json["items"]}
    assert listed == {sitemaps: "sitemap_scan", pages_: "domain_scan"}
    assert [item["job_id"] for item in client.get(f"{JOBS}?kind=sitemap_scan").json["items"]] == [sitemaps]


def test_a_long_list_of_files_is_cut_to_what_an_answer_holds(
    client: Client, db: Database, caller: Caller, postgres: TestDatabase
) -> None:
    job_id = client.started_sitemaps("site.example")
    sitemap_lines.lead(db, caller, UUID(job_id))
    shown = sitemap_examples.SCAN_STATUS["result"]
    files = [{**shown["sitemaps"][0], "url": "https://site.example/" + "ü" * 2000}] * 1000
    postgres.rows(
        "update scrapersky.jobs set status = 'complete', lease_until = null, finished_at = now(), result = %s"
        " where id = %s",
        Jsonb({**shown, "sitemaps": files}),
        UUID(job_id),
    )
    for target in (f"{SITEMAP}/status/{job_id}", f"{JOBS}/{job_id}"):
        answer = client.get(target)
        assert len(json.dumps(answer.body)) < MAX_FILES_BYTES + 100_000
        assert answer.json["result"]["sitemaps_truncated"]
        assert 100 < len(answer.json["result"]["sitemaps"]) < 1000


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": "{"}, 400, "malformed_json"),
        ({"json_body": {"base_url": "a.example", "tenant_id": str(uuid4())}}, 403, "tenant_mismatch"),
        ({"body": " " * (3 * 1024 * 1024 + 1)}, 413, "too_large"),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"json_body": {"base_url": "a.example", "max_pages": 0}}, 422, "invalid"),
        ({"json_body": {"base_url": "a.example", "max_pages": 1_000_001}}, 422, "invalid"),
        ({"json_body": {"base_url": "a.example", "max_pages": "10"}}, 422, "invalid"),
        ({"json_body": {"base_url": "a.example", "max_urls": 10}}, 422, "invalid"),
        ({"json_body": {"base_url": "localhost"}}, 422, "invalid_domain"),
        ({"json_body": {"base_url": "a.example"}, "authorizer": {"denied": "token_expired"}}, 401, "token_expired"),
    ],
)
def test_a_refused_request_leaves_nothing(
    client: Client, queue: ScanQueue, postgres: TestDatabase, request_: dict[str, Any], status: int, code: str
) -> None:
    refused(client.call("POST", f"{SITEMAP}/scan", **request_), status, code)
    assert queue.drain_sitemaps() == []
    assert postgres.one("select count(*) from scrapersky.jobs") == (0,)


def test_a_batch_says_where_to_follow_it_and_that_address_works(client: Client, queue: ScanQueue) -> None:
    answer = client.start_sitemap_batch("b.example", "https://www.b.example/x", "a.example", "localhost", max_pages=70)
    accepted = answer.json
    assert answer.status == 202
    assert (accepted["status"], accepted["total_domains"], accepted["rejected_truncated"]) == ("pending", 3, False)
    assert [item["input"] for item in accepted["rejected"]] == ["localhost"]
    assert answer.headers["location"] == accepted["status_url"]
    assert accepted["status_url"] == f"https://api.example{SITEMAP}/batch/status/{accepted['batch_id']}"
    assert len(queue.drain_batches()) == 1

    answer = client.get(accepted["status_url"])
    status = answer.json
    assert (status["kind"], status["total_domains"], status["metadata"]["max_pages"]) == ("sitemap_scan", 3, 70)
    assert {domain: state["status"] for domain, state in status["domain_statuses"].items()} == {
        "a.example": "pending",
        "b.example": "pending",
        "localhost": "failed",
    }
    assert client.get(accepted["status_url"], if_none_match=answer.headers["etag"]).status == 304
    assert client.get(accepted["status_url"] + "?domain_statuses=false").json["domain_statuses"] is None


def test_a_batch_of_nothing_but_mistakes_is_failed_from_the_beginning(client: Client) -> None:
    accepted = client.start_sitemap_batch("localhost", "not a domain").json
    assert (accepted["status"], accepted["total_domains"]) == ("failed", 2)
    assert client.get(accepted["status_url"]).json["status"] == "failed"


def test_the_same_batch_id_is_the_same_batch_and_of_one_kind(client: Client) -> None:
    identity = str(uuid4())
    first = client.start_sitemap_batch("a.example", batch_id=identity)
    assert client.start_sitemap_batch("a.example", batch_id=identity).body == first.body
    refused(client.start_sitemap_batch("b.example", batch_id=identity), 409, "batch_exists")
    refused(client.start_batch("a.example", batch_id=identity, max_pages=10_000 // 100), 409, "batch_exists")


@pytest.mark.parametrize(
    "body",
    [
        {"domains": []},
        {"domains": ["a.example"] * 10_001},
        {"domains": ["a.example"], "max_pages": 1_000_001},
        {"domains": ["a.example"], "max_concurrent": 0},
        {"domains": ["a.example"], "max_concurrent_jobs": 1},
        {"domains": ["a.example"], "batch_id": "x"},
    ],
)
def test_a_batch_that_is_not_as_described_is_refused(client: Client, body: dict[str, Any]) -> None:
    refused(client.call("POST", f"{SITEMAP}/batch/create", json_body=body), 422, "invalid")


def test_a_batch_of_another_kind_is_not_one_of_sitemaps(client: Client) -> None:
    batch_id = client.started_batch("a.example").rsplit("/", 1)[1]
    refused(client.get(f"{SITEMAP}/batch/status/{batch_id}"), 404, "not_found")


def test_a_batch_is_listed_steered_and_exported_like_any_other(client: Client, db: Database, caller: Caller) -> None:
    batch_id = client.start_sitemap_batch("site.example", "=other.example", "b.example").json["batch_id"]
    batch = f"{BATCHES}/{batch_id}"
    assert [item["kind"] for item in client.get(BATCHES).json["items"]] == ["sitemap_scan"]
    job_id = jobs_of(client, batch)["site.example"]
    complete(db, caller, job_id, 1, 2, 3)
    assert {item["kind"] for item in client.get(f"{batch}/jobs").json["items"]} == {"sitemap_scan"}
    cancelled = client.call("POST", f"{batch}/cancel").json
    assert (cancelled["completed_domains"], cancelled["cancelled_domains"]) == (1, 1)

    lines = {line["domain"]: line for line in map(json.loads, client.get(f"{batch}/results").body.splitlines())}
    shown = lines["site.example"]["result"]
    assert (shown["total_sitemaps"], shown["total_urls"]) == (2, 3)
    assert (shown["sitemaps"], shown["sitemaps_truncated"]) == ([], True)
    whole = client.get(f"{JOBS}/{job_id}").json
    assert lines["site.example"] == {**whole, "result": {**whole["result"], "sitemaps": [], "sitemaps_truncated": True}}
    assert lines["b.example"]["result"] is None

    table = client.get(f"{batch}/results?format=csv")
    rows = {row["domain"]: row for row in csv.DictReader(table.body.splitlines(), strict=True)}
    assert table.body.split("\r\n", 1)[0] == ",".join(SITEMAP_COLUMNS)
    assert (rows["site.example"]["total_urls"], rows["site.example"]["truncated"]) == ("3", "false")
    assert (rows["'=other.example"]["error_code"], rows["b.example"]["status"]) == ("invalid_domain", "cancelled")

    assert client.call("POST", f"{batch}/retry").status == 202
    assert client.get(f"{SITEMAP}/batch/status/{batch_id}").json["completed_domains"] == 1


def test_a_retried_scan_starts_anew(client: Client, db: Database, caller: Caller, queue: ScanQueue) -> None:
    job_id = client.started_sitemaps("site.example")
    site = sitemap_lines.lead(db, caller, UUID(job_id))
    sitemap_lines.add(db, site, address("a"))
    assert client.call("POST", f"{JOBS}/{job_id}/cancel").status == 200
    queue.drain_sitemaps()
    assert client.call("POST", f"{JOBS}/{job_id}/retry").status == 202
    assert [message["job_id"] for message in queue.drain_sitemaps()] == [job_id]
    assert client.get(f"{SITEMAP}/status/{job_id}").json["metadata"]["sitemaps_found"] == 0
    job = db_jobs.get(db, client.tenant_id, UUID(job_id))
    assert job is not None
    assert job.metadata["retries"] == 1
