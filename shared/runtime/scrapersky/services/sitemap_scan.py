"""The sitemap scan, from a request to a job. `services.sitemap_work` works it off."""

from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.domain.status import JobKind
from scrapersky.queues import Sender
from scrapersky.services import jobs
from scrapersky.services.domain_scan import named_domain


def start(
    db: Database,
    sender: Sender,
    caller: Caller,
    *,
    base_url: str,
    max_pages: int,
    idempotency: Idempotency | None,
) -> Started:
    """Make a sitemap scan job for the site that `base_url` names; `max_pages` is how many URLs it stores at the most.

    Raises:
        Invalid: `base_url` names no domain (`invalid_domain`).
        IdempotencyKeyReused: the key stands for another request.
    """
    return jobs.create(
        db,
        sender,
        caller,
        kind=JobKind.SITEMAP_SCAN,
        domain=named_domain(base_url),
        request={"base_url": base_url, "max_pages": max_pages},
        metadata={"base_url": base_url, "max_pages": max_pages},
        idempotency=idempotency,
    )
