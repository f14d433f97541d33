"""Every minute: sends what is owed, recovers what lost workers left, tells how the whole stands."""

import time
from typing import TYPE_CHECKING, Any

from scrapersky.observability import logger, observed
from scrapersky.services import sweep
from scrapersky.wiring import database, sender

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 10.0  # for the statements after the sending


@observed
def lambda_handler(_event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Sweep once and answer with what was done."""
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    with database() as db:
        swept = sweep.run(
            db, sender("domain_scan", "sitemap_scan", "places_search", "batch", "event", "webhook"), deadline=deadline
        )
    answer = {
        "reopened": swept.reopened,
        "lost": swept.lost,
        "resent": swept.resent,
        "restarted": swept.restarted,
        "redelivered": swept.redelivered,
        "undeliverable": swept.undeliverable,
        "sent": swept.sent,
        "expired_places": swept.expired,
        "called_dispatcher": swept.called,
        "pending": swept.gauges.pending,
        "running": swept.gauges.running,
        "oldest_pending_seconds": round(swept.gauges.oldest_pending_seconds),
        "expired_leases": swept.gauges.expired_leases,
        "outbox_owed": swept.gauges.outbox_owed,
        "oldest_owed_seconds": round(swept.gauges.oldest_owed_seconds),
        "undispatched_events": swept.gauges.undispatched_events,
        "oldest_undispatched_seconds": round(swept.gauges.oldest_undispatched_seconds),
        "open_batches": swept.gauges.open_batches,
        "pending_deliveries": swept.gauges.pending_deliveries,
    }
    logger().info("swept", extra=answer)
    return answer
