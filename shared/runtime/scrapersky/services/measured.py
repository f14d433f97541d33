"""What workers tell as metrics: fetches and how they went, claims lost, jobs that found nothing.

Scans know nothing of metrics: what is counted is what they hand back. If that is nothing that can be counted, it is a
fault of ours, which is told in the log and costs no job.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

from scrapersky.domain.facts import SiteScan
from scrapersky.domain.status import ErrorCode, JobKind
from scrapersky.metrics import Metric, count
from scrapersky.observability import logger

P = ParamSpec("P")

OK: Final = "ok"


def _harmless(measure: Callable[P, None]) -> Callable[P, None]:
    @wraps(measure)
    def measured(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            measure(*arguments, **options)
        except ValueError:
            logger().exception("not measured")

    return measured


@_harmless
def site_scanned(scan: SiteScan) -> None:
    """The pages of a scan, whatever becomes of its result."""
    count(Metric.PAGES_FETCHED, scan.pages_fetched)
    count(Metric.BYTES_FETCHED, scan.bytes_fetched)
    for page in scan.pages:
        count(Metric.FETCHES, outcome=page.skipped_reason or OK)
    if scan.error is not None and not scan.pages:  # not even the home page answered
        count(Metric.FETCHES, outcome=scan.error.code.value)


@_harmless
def site_stored(scan: SiteScan) -> None:
    """A scan whose result is stored. Nothing found is neither a way to reach the site's people nor who they are."""
    facts = scan.site_data
    if facts is not None and not (facts.evidence or facts.organization or facts.addresses):
        count(Metric.JOBS_WITHOUT_RESULT, kind=JobKind.DOMAIN_SCAN.value)


@_harmless
def sitemap_fetched(outcome: str, wire_bytes: int) -> None:
    """One sitemap file: OK, `unchanged` or the word of an error, and the bytes that came for it."""
    count(Metric.PAGES_FETCHED, int(outcome == OK))
    count(Metric.BYTES_FETCHED, wire_bytes)
    count(Metric.FETCHES, outcome=outcome)


@_harmless
def google_asked(failure: ErrorCode | None) -> None:
    """One request to Google: answered, or failed."""
    count(Metric.FETCHES, outcome=failure.value if failure else OK)


@_harmless
def complete(kind: JobKind, found: int) -> None:
    """A job that ended as complete with so many URLs or places."""
    if not found:
        count(Metric.JOBS_WITHOUT_RESULT, kind=kind.value)


def claim_lost() -> None:
    """A job that this worker held is cancelled or another's."""
    count(Metric.CLAIMS_LOST)


def fence_hit() -> None:
    """A write was refused, for the job is not the writer's any more."""
    count(Metric.FENCES_HIT)
