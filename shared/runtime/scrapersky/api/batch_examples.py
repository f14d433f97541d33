"""The examples of batches in the OpenAPI document. A test holds each against the model that it is an example of."""

import json
from typing import Any

from scrapersky.api import examples
from scrapersky.api.export_lines import COLUMNS

_BATCH_ID = "7c1e52f4-0b86-4a5d-9c1f-2f3b6a9d8e10"
_CREATED = "2026-03-02T09:15:04.120000Z"
_STARTED = "2026-03-02T09:15:05.330000Z"
_FINISHED = "2026-03-02T09:15:09.910000Z"

BATCH_REQUEST: dict[str, Any] = {
    "domains": ["shop.example", "https://www.shop.example/about", "nowhere.example", "not a domain"],
    "max_pages": 10,
    "max_concurrent": 20,
}
BATCH_RETRY_REQUEST: dict[str, Any] = {"error_codes": ["timeout", "connect_failure"]}
BATCH_ACCEPTED: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "status_url": f"https://api.scrapersky.example/api/v3/batch_page_scraper/batch/{_BATCH_ID}/status",
    "job_count": 3,
    "created_at": _CREATED,
    "rejected": [{"input": "not a domain", "reason": "holds a space"}],
    "rejected_truncated": False,
}
_SUMMARY: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "kind": "domain_scan",
    "status": "complete",
    "total_domains": 3,
    "completed_domains": 1,
    "failed_domains": 2,
    "cancelled_domains": 0,
    "progress": 100.0,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
    "start_time": _STARTED,
    "end_time": _FINISHED,
    "processing_time": 4.58,
    "error": None,
    "metadata": {"max_pages": 10, "max_concurrent": 20},
}
BATCHES: dict[str, Any] = {"items": [_SUMMARY], "next_cursor": None}
BATCH_CANCELLED: dict[str, Any] = {
    **_SUMMARY,
    "status": "cancelled",
    "failed_domains": 1,
    "cancelled_domains": 1,
    "error": {"code": "cancelled", "message": "1 of 3 domains were cancelled"},
}
_NOWHERE: dict[str, Any] = {
    **examples.JOB_FAILED,
    "job_id": "e5a1b2c3-91d4-4c52-8a06-52f8f0c9d377",
    "batch_id": _BATCH_ID,
    "domain": "nowhere.example",
    "started_at": _STARTED,
    "finished_at": "2026-03-02T09:15:06.450000Z",
    "updated_at": "2026-03-02T09:15:06.450000Z",
    "error": {**examples.JOB_FAILED["error"], "message": "nowhere.example could not be looked up"},
    "metadata": {**examples.JOB_FAILED["metadata"], "base_url": "nowhere.example"},
    "result": None,
}
BATCH_STATUS: dict[str, Any] = {
    **_SUMMARY,
    "metadata": {**_SUMMARY["metadata"], "domain_statuses_truncated": False},
    "domain_statuses": {
        "not a domain": {
            "job_id": "0d7f7c0e-6b0a-4f37-8f4c-8d1c1c7e5a21",
            "status": "failed",
            "start_time": None,
            "end_time": _CREATED,
            "processing_time": None,
            "error": {"code": "invalid_domain", "message": "holds a space", "retryable": False},
        },
        "nowhere.example": {
            "job_id": _NOWHERE["job_id"],
            "status": "failed",
            "start_time": _NOWHERE["started_at"],
            "end_time": _NOWHERE["finished_at"],
            "processing_time": 1.12,
            "error": _NOWHERE["error"],
        },
        "shop.example": {
            "job_id": examples.JOB["job_id"],
            "status": "complete",
            "start_time": _STARTED,
            "end_time": _FINISHED,
            "processing_time": 4.58,
            "error": None,
        },
    },
}
_JOBS = [_NOWHERE, {**examples.JOB, "batch_id": _BATCH_ID}]
_ROW = {
    "domain": "shop.example",
    "job_id": examples.JOB["job_id"],
    "status": "complete",
    "pages_fetched": "2",
    "title": "Shop Example",
    "emails": "hello@shop.example",
    "phones": "'+493415550100",
    "technologies": "WordPress 6.8.1",
    "is_wordpress": "true",
}
RESULTS: dict[str, Any] = {
    "application/x-ndjson": {
        "schema": {"type": "string"},
        "examples": {"lines": {"value": "".join(json.dumps(job) + "\n" for job in _JOBS)}},
    },
    "text/csv": {
        "schema": {"type": "string"},
        "examples": {
            "lines": {"value": ",".join(COLUMNS) + "\r\n" + ",".join(_ROW.get(name, "") for name in COLUMNS) + "\r\n"}
        },
    },
}
