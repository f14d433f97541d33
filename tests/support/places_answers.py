"""What the API answers about places searches, as the CLI's tests hand it out."""

import json
from typing import Any

import httpx

from support.cli_runs import API, JOB_ID, Answer, FakeApi

BATCH_ID = "0197c1d2-0000-7c3e-9f3a-2b6f0c1d4e5f"
SEARCHES = "/api/v3/localminer-discoveryscan/search"
START = f"POST {SEARCHES}/places"
STATUS_PATH = f"{SEARCHES}/status/{JOB_ID}"
STATUS = f"GET {STATUS_PATH}"
RESULTS_PATH = f"/api/v3/localminer-discoveryscan/results/{JOB_ID}"
RESULTS = f"GET {RESULTS_PATH}"
SCAN = f"POST {RESULTS_PATH}/scan"
BATCH_PATH = f"/api/v3/batch_page_scraper/batch/{BATCH_ID}/status"
BATCH = f"GET {BATCH_PATH}"
BATCH_RESULTS = f"GET /api/v3/batch_page_scraper/batch/{BATCH_ID}/results"
SUMMARY = f"dentist in Austin TX complete 4 places, 3 new, 2 requests, $0.04 {JOB_ID}"
FACTS_CSV = b"domain,status\r\ncedar.example,complete\r\n"

ACCEPTED = {
    "job_id": JOB_ID,
    "status_url": f"{API}{STATUS_PATH}",
    "status": "pending",
    "created_at": "2026-01-02T03:04:05Z",
    "max_requests": 4,
    "max_cost_usd": 0.11,
}
BATCH_ACCEPTED = {
    "batch_id": BATCH_ID,
    "status_url": f"{API}{BATCH_PATH}",
    "total_domains": 1,
    "skipped": [
        {"place_id": "ChIJ2", "reason": "social"},
        {"place_id": "ChIJ3", "reason": "none"},
        {"place_id": "ChIJ4", "reason": "none"},
    ],
}


def search(status: str = "complete", **more: Any) -> dict[str, Any]:
    """A search's status."""
    return {
        "job_id": JOB_ID,
        "status": status,
        "progress": 100.0 if status == "complete" else 40.0,
        "created_at": "2026-01-02T03:04:05.678901Z",
        "updated_at": "2026-01-02T03:04:06Z",
        "search_query": "dentist",
        "search_location": "Austin TX",
        "total_places": 4,
        "stored_places": 4,
        "new_places": 3,
        "requests": 2,
        "cost_usd": 0.04,
        "stopped": "all_found" if status == "complete" else None,
        "reused_from": None,
        "error": None,
        "metadata": {"max_requests": 4, "max_cost_usd": 0.11},
    } | more


def place(rank: int, **more: Any) -> dict[str, Any]:
    """A place on the list."""
    return {
        "id": f"0197c1d2-0000-7c3e-9f3a-00000000000{rank}",
        "place_id": f"ChIJ{rank}",
        "rank": rank,
        "name": f"Dentist No. {rank}",
        "types": ["dentist", "health"],
        "rating": None,
        "user_ratings_total": None,
        "phone": None,
        "website": None,
        "website_class": "none",
        "domain": None,
        "status": "New",
    } | more


PLACES = [
    place(
        1,
        name="Cedar Dental",
        rating=4.25,
        user_ratings_total=7,
        phone="+1 512-555-0100",
        website="https://www.cedar.example/?utm_source=google",
        website_class="own_site",
        domain="cedar.example",
    ),
    place(2, website="https://www.facebook.com/two", website_class="social", status="Not a Fit"),
    place(3, rating=3),
    place(4, name="=HYPERLINK(1)"),
]


def listed(*places: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    """A page of a search's list."""
    return {"places": list(places), "total": len(places), "limit": 500, "next_cursor": cursor, "filters": {}}


def batch(status: str = "complete", **more: Any) -> dict[str, Any]:
    """The status of the batch of the places' sites."""
    counts = {"total_domains": 1, "completed_domains": 1, "failed_domains": 0, "cancelled_domains": 0}
    return {"batch_id": BATCH_ID, "status": status, "progress": 100.0, **counts} | more


def facts(request: httpx.Request) -> httpx.Response:
    """What the batch exports."""
    line = b'{"domain": "cedar.example", "status": "complete", "result": {"site_data": {"title": "Cedar"}}}\n'
    return httpx.Response(200, content={"ndjson": line, "csv": FACTS_CSV}[request.url.params["format"]])


def api(*statuses: dict[str, Any], **more: Answer) -> FakeApi:
    """An API that takes a search, tells these states of it, the last one again and again, and scans its sites."""
    left = list(statuses or (search(),))

    def status(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    answers: dict[str, Answer] = {
        START: httpx.Response(202, json=ACCEPTED),
        STATUS: status,
        RESULTS: httpx.Response(200, json=listed(*PLACES)),
        SCAN: httpx.Response(202, json=BATCH_ACCEPTED),
        BATCH: httpx.Response(200, json=batch()),
        BATCH_RESULTS: facts,
    }
    return FakeApi(answers | more)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def sent(fake: FakeApi, method: str = "POST") -> list[tuple[str, Any]]:
    """(last part of the path, body) of the requests with a method."""
    return [
        (request.url.path.rpartition("/")[2], json.loads(request.content))
        for request in fake.requests
        if request.method == method
    ]
