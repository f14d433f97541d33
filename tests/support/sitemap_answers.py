"""The API's documents of sitemap scans, as a test wants them."""

import json
from typing import Any

from support.cli_runs import JOB_ID, job

SCAN = f"/api/v3/sitemap/scan/{JOB_ID}"
FILE_ID = "0197c1d2-1111-7c3e-9f3a-2b6f0c1d4e5f"
FILE = "https://shop.example/"
NDJSON = json.dumps({"url": "https://shop.example/a", "lastmod": "2026-01-02"}).encode() + b"\n"
CSV = b"url,lastmod\r\nhttps://shop.example/a,2026-01-02\r\n"
FIGURES = {"sitemaps_found": 4, "sitemaps_done": 2, "sitemaps_failed": 1, "urls_stored": 2406}


def sitemap_file(name: str, **more: Any) -> dict[str, Any]:
    """One file of a scan, read well and for the first time."""
    return {
        "id": FILE_ID,
        "url": f"{FILE}{name}",
        "sitemap_type": "urlset",
        "discovery_method": "sitemap_index",
        "url_count": 4,
        "child_count": 0,
        "has_lastmod": False,
        "has_priority": False,
        "has_changefreq": False,
        "status": "complete",
        "error": None,
        "is_gzip": False,
        "is_partial": False,
        "is_unchanged": False,
        "truncated_by": None,
        "added_count": None,
        "changed_count": None,
        "removed_count": None,
    } | more


def scan(
    status: str = "complete",
    *,
    files: list[dict[str, Any]] | None = None,
    metadata: dict[str, Any] | None = None,
    progress: float | None = None,
    **result: Any,
) -> dict[str, Any]:
    """A scan's status document; `result` overwrites what its result says."""
    listed = [sitemap_file("a.xml")] if files is None else files
    whole = {
        "sitemaps": listed,
        "sitemaps_truncated": False,
        "total_sitemaps": len(listed),
        "total_urls": 4,
        "added_count": 0,
        "changed_count": 0,
        "removed_count": 0,
        "truncated": False,
        "truncations": [],
    } | result
    document = job(status, result=whole if status == "complete" else None, metadata=metadata or FIGURES)
    return document if progress is None else document | {"progress": progress}


def page(*items: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": cursor}
