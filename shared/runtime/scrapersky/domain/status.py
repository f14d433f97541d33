"""The words for where a job stands and why it failed, the same in SQL, Python, OpenAPI and CLI."""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job or batch stands. The last three are final: only an explicit retry leaves them."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED})

# What a row in one state may become. The database holds every statement to it (trigger jobs_transition).
TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.PENDING: frozenset({JobStatus.PENDING, JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset(JobStatus),
    JobStatus.COMPLETE: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.PENDING}),
    JobStatus.CANCELLED: frozenset({JobStatus.PENDING}),
}


class JobKind(StrEnum):
    """What a job does. Each kind has its own worker."""

    DOMAIN_SCAN = "domain_scan"
    SITEMAP_SCAN = "sitemap_scan"
    PLACES_SEARCH = "places_search"


class ErrorCode(StrEnum):
    """Why a job failed: the closed list of the HTTP contract.

    The six from `blocked` on are of sites that answered, but with something else than their home page; the three from
    `invalid_sitemap` on are of files that are no sitemap, or none that is read.
    """

    INVALID_DOMAIN = "invalid_domain"
    DNS_FAILURE = "dns_failure"
    BLOCKED_ADDRESS = "blocked_address"
    CONNECT_FAILURE = "connect_failure"
    TLS_FAILURE = "tls_failure"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    HTTP_ERROR = "http_error"
    NOT_HTML = "not_html"
    ROBOTS_DENIED = "robots_denied"
    BLOCKED = "blocked"
    LOGIN_REQUIRED = "login_required"
    NEEDS_JS = "needs_js"
    PARKED = "parked"
    DEFAULT_PAGE = "default_page"
    SOFT_404 = "soft_404"
    INVALID_SITEMAP = "invalid_sitemap"
    FORBIDDEN_XML = "forbidden_xml"
    OFF_SITE = "off_site"
    INVALID_KEY = "invalid_key"
    QUOTA_EXCEEDED = "quota_exceeded"
    BUDGET_EXCEEDED = "budget_exceeded"
    REQUEST_REFUSED = "request_refused"
    LOCATION_NOT_FOUND = "location_not_found"
    PAGE_TOKEN_EXPIRED = "page_token_expired"  # noqa: S105 - no password
    UPSTREAM_ERROR = "upstream_error"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    INTERNAL = "internal"

    @property
    def retryable(self) -> bool:
        """Whether the same job may well end otherwise when it is tried again later."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorCode.DNS_FAILURE,
        ErrorCode.CONNECT_FAILURE,
        ErrorCode.TLS_FAILURE,
        ErrorCode.TIMEOUT,
        ErrorCode.HTTP_ERROR,
        ErrorCode.SOFT_404,
        ErrorCode.QUOTA_EXCEEDED,
        ErrorCode.PAGE_TOKEN_EXPIRED,
        ErrorCode.UPSTREAM_ERROR,
        ErrorCode.WORKER_LOST,
        ErrorCode.CANCELLED,
        ErrorCode.INTERNAL,
    }
)
