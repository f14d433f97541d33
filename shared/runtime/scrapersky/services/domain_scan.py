"""The domain scan: from a request to a job, and from claimed jobs to stored facts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scrapersky.db.connection import Database
from scrapersky.db.leases import Claim
from scrapersky.domain.facts import SiteScan
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.domain.names import InvalidDomain, domain_key
from scrapersky.domain.status import JobKind
from scrapersky.errors import FieldError, Invalid
from scrapersky.queues import Sender
from scrapersky.services import jobs

if TYPE_CHECKING:
    from scrapersky.scraping.fetch import Fetcher
    from scrapersky.services.work import Control


def start(
    db: Database,
    sender: Sender,
    caller: Caller,
    *,
    base_url: str,
    max_pages: int,
    idempotency: Idempotency | None,
) -> Started:
    """Make a domain scan job for the site that `base_url` names (a host, a host with a path, or a URL).

    Raises:
        Invalid: `base_url` names no domain (`invalid_domain`).
        IdempotencyKeyReused: the key stands for another request.
    """
    return jobs.create(
        db,
        sender,
        caller,
        kind=JobKind.DOMAIN_SCAN,
        domain=named_domain(base_url),
        request={"base_url": base_url, "max_pages": max_pages},
        metadata={"base_url": base_url, "max_pages": max_pages},
        idempotency=idempotency,
    )


def named_domain(base_url: str) -> str:
    """The domain that a request's `base_url` names.

    Raises:
        Invalid: it names none (`invalid_domain`).
    """
    try:
        return domain_key(base_url)
    except InvalidDomain as error:
        raise Invalid(
            f"base_url names no domain: {error.reason}",
            code="invalid_domain",
            errors=[FieldError(("body", "base_url"), error.reason)],
        ) from error


def scanner(fetcher: "Fetcher") -> "Callable[[Claim, Control], tuple[SiteScan, dict[str, Any] | None]]":
    """What a worker runs for each claimed job: scan the site and put its result in the contract's shape."""
    # The API starts scans and runs none: its cold start must not load the fetcher and the parser.
    from scrapersky.scraping.site import scan_site

    def scan(job: Claim, control: "Control") -> tuple[SiteScan, dict[str, Any] | None]:
        started = datetime.now(UTC)
        found = scan_site(
            job.domain,
            max_pages=job.request["max_pages"],
            fetcher=fetcher,
            deadline=control.deadline,
            should_stop=control.stopped.is_set,
            on_progress=control.report,
        )
        return found, result(job.domain, job.request, found, started, datetime.now(UTC))

    return scan


def result(
    domain: str, request: Mapping[str, Any], scan: SiteScan, started: datetime, ended: datetime
) -> dict[str, Any] | None:
    """`result` of the HTTP contract, or None when the scan brought no facts."""
    if scan.site_data is None:
        return None
    return {
        "site_data": scan.site_data.to_json(),
        "pages": [page.to_json() for page in scan.pages],
        "processing_metrics": {
            "start_time": started.isoformat(),
            "end_time": ended.isoformat(),
            "processing_time": round((ended - started).total_seconds(), 3),
            "domain": domain,
            "max_pages": request["max_pages"],
            "pages_fetched": scan.pages_fetched,
            "bytes_fetched": scan.bytes_fetched,
        },
    }
