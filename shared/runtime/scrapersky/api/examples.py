"""The examples of the OpenAPI document. A test holds each against the model that it is an example of."""

from typing import Any

from scrapersky.domain.facts import SOCIAL_NETWORKS

_JOB_ID = "3f0c9a52-7d1e-4f6b-9a38-0f2d5c1b7e64"
_HOST = "https://api.scrapersky.example"
_CREATED = "2026-03-02T09:15:04.120000Z"
_STARTED = "2026-03-02T09:15:04.480000Z"
_FINISHED = "2026-03-02T09:15:06.910000Z"

FILE_ELSEWHERE: dict[str, Any] = {"url": "https://files.scrapersky.example/exports/9c1d/urls.csv?X-Amz-Signature=4f1d"}

SITE_DATA: dict[str, Any] = {
    "title": "Shop Example",
    "description": "Hand-made bicycles from Leipzig.",
    "language": "en",
    "canonical_url": "https://shop.example/",
    "favicon_url": "https://shop.example/favicon.ico",
    "logo_url": None,
    "is_wordpress": True,
    "wordpress_version": "6.8.1",
    "wordpress_theme": "astra",
    "has_elementor": True,
    "elementor_version": "3.29.0",
    "has_divi": False,
    "has_woocommerce": True,
    "has_contact_form7": False,
    "has_yoast_seo": False,
    "has_wpforms": False,
    "contact_info": {"email": ["hello@shop.example"], "phone": ["+493415550100"]},
    "social_links": dict.fromkeys(SOCIAL_NETWORKS) | {"linkedin": "https://www.linkedin.com/company/shop-example"},
    "tech_stack": [
        {
            "name": "WordPress",
            "category": "CMS",
            "version": "6.8.1",
            "evidence": "generator: WordPress 6.8.1",
            "page_url": "https://shop.example/",
        },
        {
            "name": "WooCommerce",
            "category": "e-commerce",
            "version": "9.8.5",
            "evidence": "generator: WooCommerce 9.8.5",
            "page_url": "https://shop.example/",
        },
        {
            "name": "Elementor",
            "category": "page builder",
            "version": "3.29.0",
            "evidence": "generator: Elementor 3.29.0",
            "page_url": "https://shop.example/",
        },
        {
            "name": "astra",
            "category": "WordPress theme",
            "version": None,
            "evidence": "asset: https://shop.example/wp-content/themes/astra/style.css",
            "page_url": "https://shop.example/",
        },
    ],
    "organization": None,
    "addresses": [],
    "open_graph": {"og:site_name": "Shop Example"},
    "evidence": {
        "hello@shop.example": {"page_url": "https://shop.example/contact/", "method": "mailto"},
        "+493415550100": {"page_url": "https://shop.example/contact/", "method": "tel"},
        "https://www.linkedin.com/company/shop-example": {"page_url": "https://shop.example/", "method": "link"},
    },
    "site_name": "Shop Example",
    "email_classes": {"hello@shop.example": "role"},
    "security_txt": None,
    "sources": {
        "title": {"page_url": "https://shop.example/", "method": "title"},
        "description": {"page_url": "https://shop.example/", "method": "meta"},
        "language": {"page_url": "https://shop.example/", "method": "lang"},
        "canonical_url": {"page_url": "https://shop.example/", "method": "canonical"},
        "favicon_url": {"page_url": "https://shop.example/", "method": "icon"},
        "site_name": {"page_url": "https://shop.example/", "method": "og:site_name"},
    },
}

_ASKED: dict[str, Any] = {"base_url": "shop.example", "max_pages": 10}
_STATE: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status": "complete",
    "domain": "shop.example",
    "progress": 100.0,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
    "started_at": _STARTED,
    "finished_at": _FINISHED,
    "error": None,
    "metadata": {**_ASKED, "final_url": "https://shop.example/", "stopped": "all_read"},
}
_RESULT: dict[str, Any] = {
    "site_data": SITE_DATA,
    "pages": [
        {
            "url": "https://shop.example/",
            "status_code": 200,
            "title": "Shop Example",
            "fetched_at": "2026-03-02T09:15:06.200000Z",
            "bytes": 18211,
            "ms": 340,
            "skipped_reason": None,
        },
        {
            "url": "https://shop.example/contact/",
            "status_code": 200,
            "title": "Contact",
            "fetched_at": "2026-03-02T09:15:06.520000Z",
            "bytes": 9120,
            "ms": 190,
            "skipped_reason": None,
        },
        {
            "url": "https://shop.example/en/",
            "status_code": 200,
            "title": "Shop Example",
            "fetched_at": "2026-03-02T09:15:06.560000Z",
            "bytes": 18211,
            "ms": 230,
            "skipped_reason": "duplicate",
        },
    ],
    "processing_metrics": {
        "start_time": _STARTED,
        "end_time": _FINISHED,
        "processing_time": 2.43,
        "domain": "shop.example",
        "max_pages": 10,
        "pages_fetched": 2,
        "bytes_fetched": 45542,
    },
}
_KIND: dict[str, Any] = {"kind": "domain_scan", "batch_id": None, "attempt": 1}

SCAN_REQUEST: dict[str, Any] = {"base_url": "https://www.shop.example/about", "max_pages": 10}
SCAN_ACCEPTED: dict[str, Any] = {
    "job_id": _JOB_ID,
    "status_url": f"{_HOST}/api/v3/modernized_page_scraper/status/{_JOB_ID}",
    "created_at": _CREATED,
}
RETRY_ACCEPTED: dict[str, Any] = {**SCAN_ACCEPTED, "status_url": f"{_HOST}/api/v3/jobs/{_JOB_ID}"}
SCAN_STATUS: dict[str, Any] = {**_STATE, "result": _RESULT}
JOB: dict[str, Any] = {**_STATE, **_KIND, "result": _RESULT}
JOB_FAILED: dict[str, Any] = {
    **_STATE,
    **_KIND,
    "status": "failed",
    "progress": 0.0,
    "error": {"code": "dns_failure", "message": "shop.example could not be looked up", "retryable": True},
    "metadata": {**_ASKED, "final_url": None, "stopped": None},
}
JOB_CANCELLED: dict[str, Any] = {
    **JOB_FAILED,
    "status": "cancelled",
    "progress": 4.8,
    "metadata": _ASKED,
    "error": {"code": "cancelled", "message": "cancelled on request", "retryable": True},
    "result": None,
}
JOBS: dict[str, Any] = {"items": [JOB_FAILED], "next_cursor": None}
DOMAIN: dict[str, Any] = {
    "id": "b2a1c7de-53f4-4a0e-8f56-6d0c9e8a1f27",
    "domain": "shop.example",
    "site_data": SITE_DATA,
    "job_id": _JOB_ID,
    "scanned_at": _FINISHED,
    "created_at": _CREATED,
    "updated_at": _FINISHED,
}
DOMAINS: dict[str, Any] = {"items": [DOMAIN], "next_cursor": None}
HEALTH: dict[str, Any] = {"status": "ok"}

_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: ("malformed_json", "Malformed body", "The body is not JSON: Expecting value at character 12."),
    401: ("token_expired", "Unauthorized", "The token has expired."),
    403: ("tenant_mismatch", "Forbidden", "The body's tenant_id is not the token's."),
    404: ("not_found", "Not found", f"There is no job {_JOB_ID}."),
    405: ("method_not_allowed", "Method not allowed", "PUT is not one of this path's methods: GET."),
    409: ("job_is_final", "Conflict", "The job is complete already."),
    413: ("too_large", "Body too large", "The body is larger than 3145728 bytes."),
    415: (
        "unsupported_media_type",
        "Unsupported media type",
        "Send the body as `Content-Type: application/json`, in UTF-8 and not compressed.",
    ),
    422: ("invalid", "Invalid request", "The request is not as the API describes it."),
    500: ("internal", "Internal error", "Something went wrong on our side."),
    503: ("unavailable", "Unavailable", "The database is not available."),
}
PROBLEM_STATUSES = tuple(_PROBLEMS)


def problem(status: int) -> dict[str, Any]:
    """A problem as it is answered with this status."""
    code, title, detail = _PROBLEMS[status]
    document: dict[str, Any] = {
        "type": f"urn:problem-type:scrapersky:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "JKJaXmPLvHcESHA=",
    }
    if status == 422:
        document["errors"] = [{"loc": ["body", "max_pages"], "msg": "Input should be less than or equal to 100"}]
    return document
