"""The examples of places searches in the OpenAPI document. A test holds each against its model."""

from typing import Any

_JOB_ID = "8d2f4c61-0b7a-4e95-a3d8-51c6e9f0b274"
_BATCH_ID = "f16b0a93-5c2d-4b7e-8e40-9d3a7c5f1e82"
_HOST = "https://api.scrapersky.example"
_PATH = "/api/v3/localminer-discoveryscan"
_CREATED = "2026-03-02T09:15:04.120000Z"
_STARTED = "2026-03-02T09:15:04.480000Z"
_FOUND = "2026-03-02T09:15:05.360000Z"
_FINISHED = "2026-03-02T09:15:06.910000Z"
_EXPIRES = "2026-04-01T09:15:05.360000Z"

SEARCH_REQUEST: dict[str, Any] = {
    "business_type": "dentist",
    "location": "Austin TX",
    "radius_km": 10,
    "max_results": 40,
    "budget_usd": 0.5,
}
SEARCH_ACCEPTED: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status_url": f"{_HOST}{_PATH}/search/status/{_JOB_ID}",
    "status": "pending",
    "created_at": _CREATED,
    "max_requests": 3,
    "max_cost_usd": 0.075,
}
SEARCH_STATUS: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status": "complete",
    "progress": 100.0,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
    "started_at": _STARTED,
    "finished_at": _FINISHED,
    "search_query": "dentist",
    "search_location": "Austin TX",
    "total_places": 40,
    "stored_places": 40,
    "new_places": 38,
    "requests": 3,
    "cost_usd": 0.075,
    "stopped": "max_results",
    "reused_from": None,
    "error": None,
    "metadata": {
        "business_type": "dentist",
        "location": "Austin TX",
        "radius_km": 10.0,
        "max_results": 40,
        "fields": "contact",
        "split": False,
        "budget_usd": 0.5,
        "max_requests": 3,
        "max_cost_usd": 0.075,
        "stored_places": 40,
        "new_places": 38,
        "requests": 3,
        "cost_usd": 0.075,
    },
}
HISTORY: dict[str, Any] = {"items": [SEARCH_STATUS], "next_cursor": None}

PLACE: dict[str, Any] = {
    "id": "2b9e7d14-6a53-4c08-b1f7-e0d4a8c3596b",
    "place_id": "ChIJexample-cedar-dental",
    "rank": 1,
    "name": "Cedar Dental",
    "business_type": "dentist",
    "primary_type": "dentist",
    "types": ["dentist", "health", "point_of_interest", "establishment"],
    "formatted_address": "100 Example Street, Austin, TX 78701, USA",
    "latitude": 30.2672,
    "longitude": -97.7431,
    "rating": 4.8,
    "user_ratings_total": 212,
    "phone": "+1 512-555-0100",
    "website": "https://www.cedar-dental.example/?utm_source=google",
    "website_class": "own_site",
    "domain": "cedar-dental.example",
    "business_status": "OPERATIONAL",
    "status": "Selected",
    "status_changed_at": _FINISHED,
    "expires_at": _EXPIRES,
    "search_time": _FOUND,
    "search_job_id": _JOB_ID,
}
RESULTS: dict[str, Any] = {
    "places": [PLACE],
    "total": 31,
    "limit": 1,
    "next_cursor": "WyIxIl0",
    "job_info": {
        name: SEARCH_STATUS[name]
        for name in (
            "job_id",
            "status",
            "search_query",
            "search_location",
            "total_places",
            "stored_places",
            "created_at",
            "finished_at",
        )
    },
    "filters": {"status": None, "website_class": "own_site"},
}
STATUS_REQUEST: dict[str, Any] = {"place_ids": [PLACE["id"], "ChIJexample-old-mill"], "status": "Selected"}
STATUS_CHANGED: dict[str, Any] = {"updated_count": 1, "unknown": ["ChIJexample-old-mill"]}
SCAN_REQUEST: dict[str, Any] = {"place_ids": [PLACE["id"], "ChIJexample-old-mill"], "max_pages": 10}
SCAN_ACCEPTED: dict[str, Any] = {
    "batch_id": _BATCH_ID,
    "status_url": f"{_HOST}/api/v3/batch_page_scraper/batch/{_BATCH_ID}/status",
    "job_count": 1,
    "created_at": _FINISHED,
    "rejected": [],
    "rejected_truncated": False,
    "skipped": [{"place_id": "ChIJexample-old-mill", "reason": "social"}],
}
LEDGER: dict[str, Any] = {
    "from": "2026-03-01",
    "to": "2026-03-02",
    "items": [
        {"day": "2026-03-02", "sku": "Geocoding", "requests": 1, "cost_usd": 0.005, "unanswered": 0},
        {"day": "2026-03-02", "sku": "Text Search Enterprise", "requests": 2, "cost_usd": 0.07, "unanswered": 0},
    ],
    "total_requests": 3,
    "total_cost_usd": 0.075,
    "prices_of": "2026-03-01",
}
