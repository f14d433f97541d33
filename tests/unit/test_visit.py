"""The fetching of one scan: what its threads learn of hosts is known to all of them."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetcher, FetchFailure
from scrapersky.scraping.visit import Visit

PATIENT, PLAIN = "https://patient.example/", "https://plain.example/"
ASKED_SECONDS = 5.0


@dataclass
class Denied:
    """A robots.txt that forbids its page. Whoever asks for its delay is held up until another thread has had its turn,
    or 0.2 seconds when that one has to wait."""

    url: str
    delay: float | None = None
    other: threading.Thread | None = None
    sitemaps: tuple[str, ...] = ()

    @property
    def failure(self) -> FetchFailure:
        return FetchFailure(self.url, ErrorCode.ROBOTS_DENIED, "denied", 0, datetime.now(UTC))

    @property
    def crawl_delay(self) -> float | None:
        if self.other is not None:
            other, self.other = self.other, None
            other.start()
            other.join(0.2)
        return self.delay


class Files:
    def __init__(self, *verdicts: Denied) -> None:
        self._verdicts = {verdict.url: verdict for verdict in verdicts}

    def allowed(self, url: str, *_: Any) -> Denied:
        return self._verdicts[url]


def test_the_longest_delay_is_kept_whichever_thread_hears_of_it_last() -> None:
    with Visit(Fetcher(user_agent="unit"), time.monotonic() + 60, lambda: False) as visit:
        other = threading.Thread(target=visit.get, args=(PATIENT,))
        files: Any = Files(Denied(PLAIN, other=other), Denied(PATIENT, delay=ASKED_SECONDS, sitemaps=("its own",)))
        visit.robots = files
        answer = visit.get(PLAIN)
        other.join()
    assert isinstance(answer, FetchFailure)
    assert answer.code is ErrorCode.ROBOTS_DENIED
    assert (visit.crawl_delay, visit.sitemaps) == (ASKED_SECONDS, ("its own",))
