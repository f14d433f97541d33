"""The commands that show what scans of sitemaps have stored, and the batch of such scans."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.cli_runs import API, JOB_ID, Answer, FakeApi, job, problem
from support.sitemap_answers import CSV, FILE, FILE_ID, NDJSON, SCAN, page, scan, sitemap_file

FILES = "GET /api/v3/sitemap-files"
OF_SCAN = f"GET {SCAN}/urls"
OF_FILE = f"{FILES}/{FILE_ID}/urls"
CHANGES = f"GET {SCAN}/changes"
BATCH_ID = "0197c1d2-0000-7c3e-9f3a-2b6f0c1d4e5f"
URL = {
    "url": "https://shop.example/a\x1b[2J",
    "lastmod": "2026-01-02",
    "changefreq": "daily",
    "priority": 0.8,
    "image_count": 2,
    "first_seen": "2026-01-02T03:04:05Z",
}


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def answering(document: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=document)


def test_files_are_listed_with_their_filters() -> None:
    fake = FakeApi({FILES: answering(page(sitemap_file("a.xml", is_gzip=True), cursor="more"))})
    ran = fake.run("sitemap-files", "--domain", "shop.example", "--job", JOB_ID, "--type", "urlset", "--limit", "1")
    assert ran.exit_code == 0
    assert f"{FILE}a.xml urlset, gzip sitemap_index 4 complete" in words(ran.stdout)
    assert "--cursor more" in ran.stderr
    asked = {"domain": "shop.example", "job_id": JOB_ID, "sitemap_type": "urlset", "limit": "1"}
    assert dict(fake.requests[0].url.params) == asked
    assert json.loads(fake.run("sitemap-files", "--json").stdout)["items"] == [sitemap_file("a.xml", is_gzip=True)]


@pytest.mark.parametrize(("work_id", "route"), [(JOB_ID, OF_SCAN), (FILE_ID, OF_FILE)], ids=["scan", "file"])
def test_urls_of_a_scan_and_of_a_file_are_listed(work_id: str, route: str) -> None:
    fake = FakeApi({route: answering(page(URL, cursor="more"))})
    ran = fake.run("sitemap-urls", work_id, "--limit", "1")
    assert ran.exit_code == 0
    assert "https://shop.example/a[2J 2026-01-02 daily 0.8 2 2026-01-02 03:04:05" in words(ran.stdout)
    assert "--cursor more" in ran.stderr
    assert fake.requests[-1].url.params["limit"] == "1"
    assert json.loads(fake.run("sitemap-urls", work_id, "--json").stdout) == page(URL, cursor="more")


@pytest.mark.parametrize(("work_id", "route"), [(JOB_ID, OF_SCAN), (FILE_ID, OF_FILE)], ids=["scan", "file"])
def test_urls_of_a_scan_and_of_a_file_are_exported(work_id: str, route: str, tmp_path: Path) -> None:
    def export(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=CSV if request.url.params["format"] == "csv" else NDJSON)

    fake = FakeApi({f"{route}/export": export})
    target = tmp_path / "urls.csv"
    assert fake.run("sitemap-urls", work_id, "-o", str(target)).exit_code == 0
    assert target.read_bytes() == CSV
    assert json.loads(fake.run("sitemap-urls", work_id, "--format", "ndjson").stdout) == json.loads(NDJSON)


@pytest.mark.parametrize("arguments", [[], ["--format", "txt"]], ids=["list", "export"])
def test_an_id_of_nothing_is_said_to_be_neither(arguments: list[str]) -> None:
    ran = FakeApi({}).run("sitemap-urls", JOB_ID, *arguments)
    assert (ran.exit_code, ran.stderr) == (1, "error: 404 not_found: There is no such sitemap scan or file.\n")


def test_a_scan_that_refuses_is_not_taken_for_a_file() -> None:
    fake = FakeApi({OF_SCAN: problem(503, "unavailable", "Later.")})
    assert fake.run("sitemap-urls", JOB_ID).stderr == "error: 503 unavailable: Later.\n"
    assert not any(request.url.path.startswith("/api/v3/sitemap-files") for request in fake.requests)


def test_changes_of_one_kind_are_listed() -> None:
    gone = {"url": "https://shop.example/b", "change": "removed", "lastmod": "2026", "previous_lastmod": "2026"}
    fake = FakeApi({CHANGES: answering(page(gone))})
    ran = fake.run("sitemap-changes", JOB_ID, "--kind", "removed")
    assert "- https://shop.example/b 2026 2026" in words(ran.stdout)
    assert fake.requests[0].url.params["kind"] == "removed"


@pytest.mark.parametrize(
    "arguments",
    [
        ["sitemap-files", "--type", "xml"],
        ["sitemap-files", "--job", "mine"],
        ["sitemap-urls", "mine"],
        ["sitemap-urls", JOB_ID, "--format", "csv", "--json"],
        ["sitemap-urls", JOB_ID, "-o", "urls.csv", "--all"],
        ["sitemap-urls", JOB_ID, "-o", "urls"],
        ["sitemap-changes", JOB_ID, "--kind", "moved"],
        ["sitemap-batch", "missing.txt"],
        ["sitemap-batch", "-", "--max-urls", "0"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_asks_nobody(arguments: list[str]) -> None:
    fake = FakeApi({})
    assert (fake.run(*arguments, input="shop.example\n").exit_code, fake.requests) == (2, [])


SUMMARY = {
    "domain": "shop.example",
    "job_id": JOB_ID,
    "scanned_at": "2026-03-02T09:15:06.910000Z",
    "total_sitemaps": 3,
    "total_urls": 2406,
    "lastmod": {"count": 2400, "share": 0.9975, "oldest": "2021-05-03T00:00:00Z", "newest": "2026-03-01T17:20:00Z"},
    "freshness": {"future": 0, "last_7_days": 40, "older": 2360, "none": 6},
    "sampled_urls": 2000,
    "clusters": [{"template": "/products/{id}", "count": 2400, "example": "https://shop.example/products/4711"}],
}


def test_a_site_is_summed_up_by_how_fresh_it_is_and_how_it_is_built() -> None:
    fake = FakeApi({"GET /api/v3/sitemap/sites/shop.example/summary": answering(SUMMARY)})
    ran = fake.run("sitemap-summary", "shop.example")
    assert ran.exit_code == 0
    lines = words(ran.stdout)
    assert lines[0] == f"shop.example 2406 URLs in 3 files, as of 2026-03-02 09:15:06 UTC, from job {JOB_ID}"
    assert lines[1] == "Lastmod of 99.8 %, from 2021-05-03 to 2026-03-01"
    ages = ["in the last 7 days 40", "more than 365 days ago 2360", "not told 6"]  # each says its days without the rest
    assert lines[3:6] == ages
    assert "/products/{id} 2400 https://shop.example/products/4711" in lines
    assert lines[-1] == "How they are built is told from 2000 of them."
    assert json.loads(fake.run("sitemap-summary", "shop.example", "--json").stdout) == SUMMARY


def test_a_site_that_names_nothing_has_no_tables() -> None:
    empty = {"domain": "shop.example", "total_sitemaps": 0, "total_urls": 0, "lastmod": {"count": 0}, "clusters": []}
    fake = FakeApi({"GET /api/v3/sitemap/sites/shop.example/summary": answering(empty)})
    assert len(fake.run("sitemap-summary", "shop.example").stdout.splitlines()) == 1


def batch(status: str) -> dict[str, Any]:
    counts = {"total_domains": 2, "completed_domains": 1, "failed_domains": 1, "cancelled_domains": 0}
    return {"batch_id": BATCH_ID, "kind": "sitemap_scan", "status": status, "progress": 100.0, **counts}


def batch_api() -> FakeApi:
    status = f"/api/v3/sitemap/batch/status/{BATCH_ID}"
    accepted = {"batch_id": BATCH_ID, "status": "pending", "total_domains": 2, "status_url": f"{API}{status}"}
    found = scan() | {"kind": "sitemap_scan"}
    error = {"code": "timeout", "message": "no answer", "retryable": True}
    failed = job("failed", domain="slow.example", error=error, kind="sitemap_scan")
    lines = "".join(json.dumps(line) + "\n" for line in (found, failed))
    answers: dict[str, Answer] = {
        "POST /api/v3/sitemap/batch/create": httpx.Response(202, json=accepted),
        f"GET {status}": answering(batch("complete")),
        f"GET /api/v3/batch_page_scraper/batch/{BATCH_ID}/status": answering(batch("complete")),
        f"GET /api/v3/batch_page_scraper/batch/{BATCH_ID}/results": httpx.Response(200, text=lines),
    }
    return FakeApi(answers)


def test_a_batch_is_sent_waited_for_and_shown_by_what_was_found_of_sitemaps() -> None:
    fake = batch_api()
    options = ["--max-urls", "50", "--max-concurrent", "2", "--batch-id", BATCH_ID]
    ran = fake.run("sitemap-batch", "-", *options, input="shop.example\nslow.example\n")
    assert ran.exit_code == 0
    assert words(ran.stdout)[1:] == ["shop.example complete 1 4", "slow.example failed timeout"]
    assert f"Batch {BATCH_ID} is complete. 2 domains: 1 complete, 1 failed" in ran.stderr
    domains = ["shop.example", "slow.example"]
    asked = {"domains": domains, "max_pages": 50, "max_concurrent": 2, "batch_id": BATCH_ID}
    assert json.loads(fake.requests[0].content) == asked


def test_a_batch_s_results_may_go_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "sitemaps.ndjson"
    assert batch_api().run("sitemap-batch", "-", "-o", str(target), input="shop.example\n").exit_code == 0
    found, failed = map(json.loads, target.read_text("utf-8").splitlines())
    assert (found["result"]["total_urls"], failed["error"]["code"]) == (4, "timeout")


def test_a_batch_need_not_be_waited_for() -> None:
    ran = batch_api().run("sitemap-batch", "-", "--no-wait", input="shop.example\n")
    assert (ran.exit_code, ran.stdout) == (0, f"{BATCH_ID}\n")
