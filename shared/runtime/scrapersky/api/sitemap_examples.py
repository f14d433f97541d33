"""The examples of sitemap scans in the OpenAPI document. A test holds each against its model."""

import json
from typing import Any

from scrapersky.domain.sitemap_views import URL_COLUMNS

_JOB_ID = "5b7d1e90-2c4f-4a86-9d13-7e0a4f6c2b58"
_BATCH_ID = "c2a9f6b4-8e17-4d35-a0c2-6b1f9d7e3a40"
_INDEX_ID = "0c9e4a7b-51d2-4f38-8b60-3a7d2e1f9c64"
_FILE_ID = "e81b3d5f-7a29-4c06-b4d8-1f5c0a9e7b32"
_BROKEN_ID = "94f2c7a1-6b08-4e5d-9a73-d0c4b8e1f526"
_HOST = "https://api.scrapersky.example"
_CREATED = "2026-03-02T09:15:04.120000Z"
_STARTED = "2026-03-02T09:15:04.480000Z"
_READ = "2026-03-02T09:15:05.070000Z"
_FINISHED = "2026-03-02T09:15:06.910000Z"
_BEFORE = "2026-02-01T08:00:12.300000Z"
_INDEX, _PRODUCTS, _NEWS = (f"https://shop.example/{name}" for name in ("sitemap.xml", "products.xml.gz", "news.xml"))
_LAMP = "https://shop.example/products/4711"

SCAN_REQUEST: dict[str, Any] = {"base_url": "https://www.shop.example/about", "max_pages": 50_000}
SCAN_ACCEPTED: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status_url": f"{_HOST}/api/v3/sitemap/status/{_JOB_ID}",
    "created_at": _CREATED,
}
BATCH_REQUEST: dict[str, Any] = {
    "domains": ["shop.example", "https://www.shop.example/about", "other.example", "not a domain"],
    "max_pages": 10_000,
    "max_concurrent": 20,
}
BATCH_ACCEPTED: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "status": "pending",
    "total_domains": 3,
    "status_url": f"{_HOST}/api/v3/sitemap/batch/status/{_BATCH_ID}",
    "created_at": _CREATED,
    "rejected": [{"input": "not a domain", "reason": "holds a space"}],
    "rejected_truncated": False,
}

_UNREADABLE = {"code": "http_error", "message": "the server answered 503 Service Unavailable", "retryable": True}
_LISTED: dict[str, Any] = {
    "id": _INDEX_ID,
    "url": _INDEX,
    "sitemap_type": "index",
    "discovery_method": "robots_txt",
    "url_count": 0,
    "has_lastmod": True,
    "has_priority": False,
    "has_changefreq": False,
    "status": "complete",
    "error": None,
    "child_count": 2,
    "depth": 0,
    "is_gzip": False,
    "is_partial": False,
    "is_unchanged": False,
    "added_count": 0,
    "changed_count": 0,
    "removed_count": 0,
    "truncated_by": None,
}
_LISTED_FILE: dict[str, Any] = {
    **_LISTED,
    "id": _FILE_ID,
    "url": _PRODUCTS,
    "sitemap_type": "urlset",
    "discovery_method": "sitemap_index",
    "url_count": 2406,
    "child_count": 0,
    "depth": 1,
    "is_gzip": True,
    "added_count": 12,
    "changed_count": 40,
    "removed_count": 3,
}
_LISTED_BROKEN: dict[str, Any] = {
    **_LISTED_FILE,
    "id": _BROKEN_ID,
    "url": _NEWS,
    "sitemap_type": None,
    "url_count": 0,
    "has_lastmod": False,
    "status": "failed",
    "error": _UNREADABLE,
    "is_gzip": False,
    "added_count": None,
    "changed_count": None,
    "removed_count": None,
}
_RESULT: dict[str, Any] = {
    "sitemaps": [_LISTED, _LISTED_FILE, _LISTED_BROKEN],
    "sitemaps_truncated": False,
    "total_sitemaps": 3,
    "total_urls": 2406,
    "added_count": 12,
    "changed_count": 40,
    "removed_count": 3,
    "truncated": False,
    "truncations": [],
}
SCAN_STATUS: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status": "complete",
    "domain": "shop.example",
    "progress": 100.0,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
    "started_at": _STARTED,
    "finished_at": _FINISHED,
    "result": _RESULT,
    "error": None,
    "metadata": {
        "base_url": "https://www.shop.example/about",
        "max_pages": 50_000,
        "sitemaps_found": 3,
        "sitemaps_done": 2,
        "sitemaps_failed": 1,
        "urls_stored": 2406,
    },
}
BATCH_STATUS: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "kind": "sitemap_scan",
    "status": "running",
    "total_domains": 3,
    "completed_domains": 1,
    "failed_domains": 1,
    "cancelled_domains": 0,
    "progress": 66.6,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
    "start_time": _STARTED,
    "end_time": None,
    "processing_time": None,
    "error": None,
    "metadata": {"max_pages": 10_000, "max_concurrent": 20, "domain_statuses_truncated": False},
    "domain_statuses": {
        "not a domain": {
            "job_id": "2d8e6b14-90f7-4c3a-85d1-4e7b0c9a6f23",
            "status": "failed",
            "start_time": None,
            "end_time": _CREATED,
            "processing_time": None,
            "error": {"code": "invalid_domain", "message": "holds a space", "retryable": False},
        },
        "other.example": {
            "job_id": "a17c5e82-3b6d-4f90-9e24-c8d1f0b7a365",
            "status": "running",
            "start_time": _STARTED,
            "end_time": None,
            "processing_time": None,
            "error": None,
        },
        "shop.example": {
            "job_id": _JOB_ID,
            "status": "complete",
            "start_time": _STARTED,
            "end_time": _FINISHED,
            "processing_time": 2.43,
            "error": None,
        },
    },
}

FILE: dict[str, Any] = {
    **_LISTED_FILE,
    "job_id": _JOB_ID,
    "domain": "shop.example",
    "parent_id": _INDEX_ID,
    "final_url": _PRODUCTS,
    "status_code": 200,
    "skipped_count": 1,
    "image_count": 4120,
    "video_count": 0,
    "news_count": 0,
    "alternate_count": 0,
    "unchanged_count": 2354,
    "truncated_at": None,
    "wire_bytes": 61_204,
    "bytes": 702_118,
    "ms": 340,
    "created_at": _READ,
    "started_at": _READ,
    "finished_at": _FINISHED,
}
FILES: dict[str, Any] = {"items": [FILE], "next_cursor": None}
URL: dict[str, Any] = {
    "url": _LAMP,
    "lastmod": "2026-02-27T14:05:00+01:00",
    "changefreq": "weekly",
    "priority": 0.8,
    "sitemap_id": _FILE_ID,
    "sitemap_url": _PRODUCTS,
    "image_count": 2,
    "video_count": 0,
    "news_count": 0,
    "alternate_count": 0,
    "first_seen": _BEFORE,
    "last_seen": _READ,
    "removed_at": None,
}
URLS: dict[str, Any] = {"items": [URL], "next_cursor": "WyJ1cmxzIl0"}
CHANGES: dict[str, Any] = {
    "items": [
        {
            "url": _LAMP,
            "change": "changed",
            "lastmod": "2026-02-27T14:05:00+01:00",
            "previous_lastmod": "2026-01-12",
            "sitemap_id": _FILE_ID,
            "sitemap_url": _PRODUCTS,
        }
    ],
    "next_cursor": None,
}
SUMMARY: dict[str, Any] = {
    "domain": "shop.example",
    "job_id": _JOB_ID,
    "scanned_at": _FINISHED,
    "total_sitemaps": 3,
    "sitemaps_by_status": {"complete": 2, "failed": 1},
    "sitemaps_by_type": {"index": 1, "urlset": 1},
    "total_urls": 2406,
    "counted_urls": 2406,
    "lastmod": {
        "count": 2400,
        "readable": 2400,
        "share": 0.9975,
        "oldest": "2021-05-03T00:00:00Z",
        "newest": "2026-03-01T17:20:00Z",
    },
    "freshness": {
        "future": 0,
        "last_7_days": 40,
        "last_30_days": 160,
        "last_90_days": 500,
        "last_365_days": 1100,
        "older": 600,
        "none": 6,
    },
    "changefreq": {"weekly": 2400, "none": 6},
    "priority": [{"priority": 0.8, "count": 2400}, {"priority": None, "count": 6}],
    "image_count": 4120,
    "video_count": 0,
    "news_count": 0,
    "alternate_count": 0,
    "sampled_urls": 2406,
    "clusters": [
        {"template": "/products/{id}", "count": 2400, "example": _LAMP},
        {"template": "/guides/{slug}", "count": 6, "example": "https://shop.example/guides/how-to-hang-a-lamp"},
    ],
}

_LINE = {name: URL[name] for name in URL_COLUMNS}
_CELLS = [
    f'"{value}"' if name in ("url", "lastmod", "changefreq", "sitemap_url") else str(value)
    for name, value in _LINE.items()
]
EXPORT: dict[str, Any] = {
    media_type: {"schema": {"type": "string"}, "examples": {"lines": {"value": text}}}
    for media_type, text in {
        "application/x-ndjson": json.dumps(_LINE, separators=(",", ":")) + "\n",
        "text/csv": ",".join(URL_COLUMNS) + "\r\n" + ",".join(_CELLS) + "\r\n",
        "text/plain": f"{_LAMP}\n",
    }.items()
}
