"""Workers of places searches as processes, begun by a fork and killed when a test likes.

    python -m support.places_workers DSN GOOGLE_URL LEASE_SECONDS INVOCATION_SECONDS SABOTAGE

SABOTAGE is `none`, or `late`: a request is written down when it was answered, and not before it is made.
"""

import os
import sys
from typing import Any

from scrapersky.db import places_ledger
from scrapersky.db.places_ledger import Reservation
from scrapersky.places.client import PlacesClient
from scrapersky.queues import Sender
from support.places import KEY
from support.sitemap_queues import Told
from support.sitemap_workers import Workers, fork_for_each_line, invoked


class PlacesWorkers(Workers):
    """Workers that ask the services at `url`."""

    def __init__(
        self, dsn: str, url: str, *, lease_seconds: int, invocation_seconds: float, sabotage: str = "none"
    ) -> None:
        program = ("support.places_workers", dsn, url, str(lease_seconds), str(invocation_seconds), sabotage)
        super().__init__(dsn, program=program, kind="places_search", lease_seconds=lease_seconds)


def sabotaged(what: str) -> None:
    """Take a guard away in this process."""
    if what != "late":
        return
    write_down, send = places_ledger.reserve, PlacesClient.send
    owed: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def promise(*arguments: Any, **named: Any) -> Reservation:
        owed.append((arguments, named))
        return Reservation.GRANTED

    def send_first(*arguments: Any, **named: Any) -> Any:
        answer = send(*arguments, **named)
        given, more = owed.pop()
        write_down(*given, **more)
        return answer

    vars(places_ledger)["reserve"] = promise
    setattr(PlacesClient, "send", send_first)  # noqa: B010 - a method is not to be assigned to, but here


def main(dsn: str, url: str, lease_seconds: str, seconds: float, sabotage: str) -> None:
    os.environ |= {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "DATABASE_SECRET_ARN": "the database's",
        "GEOCODING_API_URL": url,
        "PLACES_API_URL": url,
        "PLACES_CONTENT_DAYS": "30",
        "PLACES_KEY_SECRET_ARN": "the key's",
        "PLACES_LEASE_SECONDS": lease_seconds,
        "PLACES_REUSE_HOURS": "0",
        "POWERTOOLS_LOG_LEVEL": os.environ.get("POWERTOOLS_LOG_LEVEL", "CRITICAL"),
        "POWERTOOLS_SERVICE_NAME": "places-search-worker",
    }
    from scrapersky import wiring
    from support.http_events import function

    function("places_search_worker")  # and all that it needs, once for all children
    vars(wiring)["secret"] = {"the database's": dsn, "the key's": KEY}.__getitem__

    sender = Sender(Told, {"places_search": "queue"})  # type: ignore[arg-type]

    def child(bodies: list[str]) -> None:
        sabotaged(sabotage)
        invoked("places_search_worker", bodies, seconds, sender=lambda *_queues: sender)

    fork_for_each_line(child)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5])
