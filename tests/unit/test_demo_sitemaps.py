"""The demonstration's sitemap scans: what is not as described is told, down to a URL that is not exported."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from scrapersky_cli.client import ApiClient
from scrapersky_local.demo_sitemaps import run_sitemaps
from scrapersky_local.demo_web.sites import Site, load
from support.cli_runs import API, JOB_ID
from support.sitemap_answers import SCAN, page, scan, sitemap_file

BATCH_ID = "0197c1d2-0000-7c3e-9f3a-2b6f0c1d4e5f"
(MUSEUM,) = (site for site in load() if site.host == "tram-museum.example")
TOTAL: int = MUSEUM.sitemaps["result"]["total_urls"]


def client(files: Sequence[dict[str, Any]], exported: int) -> ApiClient:
    """An API whose scan of the museum has these files, and exports so many URLs."""
    status, batch = f"/api/v3/sitemap/status/{JOB_ID}", f"/api/v3/batch_page_scraper/batch/{BATCH_ID}/status"
    figures = {"total_domains": 1, "completed_domains": 1, "failed_domains": 0, "cancelled_domains": 0}
    states = {MUSEUM.host: {"status": "complete"}}
    answers: dict[str, Any] = {
        "/api/v3/sitemap/scan": {"job_id": JOB_ID, "status_url": f"{API}{status}"},
        status: scan(files=list(files), total_urls=TOTAL),
        "/api/v3/sitemap-files": page(*files),
        "/api/v3/sitemap/batch/create": {"batch_id": BATCH_ID, "status_url": f"{API}{batch}"},
        batch: {"status": "complete", "progress": 100.0, "domain_statuses": states, **figures},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == f"{SCAN}/urls/export":
            return httpx.Response(200, text="https://tram-museum.example/\n" * exported)
        return httpx.Response(200, json=answers[request.url.path])

    return ApiClient(API, "t", transport=httpx.MockTransport(answer), sleep=lambda _: None)


def files_of(site: Site) -> list[dict[str, Any]]:
    return [
        {**sitemap_file("x", **file), "url": f"https://{site.host}{path}"}
        for path, file in site.sitemaps["files"].items()
    ]


def differences(files: Sequence[dict[str, Any]], exported: int = TOTAL) -> list[str]:
    with client(files, exported) as api:
        (outcome,), batch = run_sitemaps(api, [MUSEUM])
    assert batch.differences == []
    return list(outcome.differences)


def test_a_scan_as_described_has_no_differences() -> None:
    assert differences(files_of(MUSEUM)) == []


@pytest.mark.parametrize("field", ["status", "url_count", "discovery_method"])
def test_a_file_that_came_to_something_else_is_told(field: str) -> None:
    index, pages, *others = files_of(MUSEUM)
    (told,) = differences([index, {**pages, field: "other"}, *others])
    assert told.startswith(f"files./sitemaps/pages.xml.{field}: expected ")


def test_a_file_that_is_not_described_is_told() -> None:
    told = differences([*files_of(MUSEUM), sitemap_file("more.xml")])
    assert told == ["result.total_sitemaps: expected 4, found 5"]


def test_a_url_that_is_not_exported_is_told() -> None:
    assert differences(files_of(MUSEUM), TOTAL - 1) == [f"exported: expected {TOTAL}, found {TOTAL - 1}"]
