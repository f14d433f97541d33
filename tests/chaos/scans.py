"""What the run's sites bring: known beforehand, so that a stored result can be told from any other.

A site on `crowd.example` is fetched for real; every other one is decided by its name. Each result names the claim that
it was made under, so that the audit sees who wrote it.
"""

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scrapersky.db.leases import Claim
from scrapersky.domain.facts import Evidence, PageRecord, ScanError, SiteData, SiteScan
from scrapersky.domain.status import ErrorCode
from scrapersky.services.work import Control, Scan
from support.crowd import DOMAIN as REAL

PAGES, EMAILS = 3, 4  # of every site that brings facts
REAL_PAGES, REAL_FACTS = 2, 2  # by https in vain and by http; an address to write to, and what its server runs on
FAILING_SHARE, SLOW_SHARE = 10, 20  # one site of so many
QUICK_SECONDS, SLOW_SECONDS = 0.02, 1.5  # a slow scan is long enough for its lease to be renewed


def fails(domain: str) -> bool:
    """Whether the site brings an error instead of facts."""
    return not domain.endswith(REAL) and zlib.crc32(domain.encode()) % FAILING_SHARE == 0


def sizes(domain: str) -> tuple[int, int]:
    """How many pages and facts a stored result of the site has."""
    if fails(domain):
        return 0, 0
    return (REAL_PAGES, REAL_FACTS) if domain.endswith(REAL) else (PAGES, EMAILS)


def scanner(fetch: Scan, token: Callable[[], UUID], begun: Callable[[bool], None]) -> Scan:
    """A scan function; `token` tells the claim's, `begun` is called in every scan.

    A real one is only beginning then (True); one that is made up is as good as over (False).
    """

    def scan(job: Claim, control: Control) -> tuple[SiteScan, Mapping[str, Any] | None]:
        writer = str(token())
        if job.domain.endswith(REAL):
            begun(True)
            found, result = fetch(job, control)
        else:
            is_slow = zlib.crc32(job.domain.encode()) % SLOW_SHARE == 1
            control.stopped.wait(SLOW_SECONDS if is_slow else QUICK_SECONDS)
            begun(False)
            found, result = _made(job.domain, writer)
        return SiteScan(found.pages, found.site_data, found.error, {**found.metadata, "writer": writer}), result

    return scan


def _made(domain: str, writer: str) -> tuple[SiteScan, Mapping[str, Any] | None]:
    if fails(domain):
        return SiteScan((), error=ScanError(ErrorCode.TIMEOUT, "no answer in time")), None
    urls = [f"http://{domain}/{number}" for number in range(PAGES)]
    emails = [f"{writer}.{number}@{domain}" for number in range(EMAILS)]
    data = SiteData(title=writer, emails=emails, evidence={email: Evidence(urls[0], "mailto") for email in emails})
    pages = tuple(PageRecord(url, 200, writer, datetime.now(UTC), bytes=100, ms=1) for url in urls)
    return SiteScan(pages, site_data=data), {"site_data": data.to_json()}
