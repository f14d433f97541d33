"""Tells a webhook's receiver of an event: one POST, one answer.

It goes over the same guarded connections as every fetch: to checked addresses on the web's ports, with verified
certificates, within a total deadline and counted bytes. It follows no redirect, keeps no cookie and no connection, and
is sent once: whoever calls decides whether it is to be sent again. robots.txt has no say in it, since who owns the
receiver has asked for this.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from scrapersky.scraping.answers import Attempt, FetchFailure, Streamed
from scrapersky.scraping.failures import FETCH_ERRORS, explain
from scrapersky.scraping.fetch import Fetcher
from scrapersky.scraping.limits import POST_LIMITS, FetchLimits
from scrapersky.scraping.politeness import retry_after
from scrapersky.scraping.streams import Meter
from scrapersky.scraping.transport import WEB_URL
from scrapersky.scraping.urls import parse_web_url

TEXT_BYTES: Final = 4 * 1024
"""Of the answer's body that are told: four times what the log keeps, so that no secret is cut in two before it is
looked for."""

BODY_SECONDS: Final = 2.0
"""For the answer's body once its status has come: the rest of a short text follows at once, and nothing hangs on it."""


@dataclass(frozen=True, slots=True)
class Posted:
    """An answer, whatever its status. `retry_after` is in seconds, of a 429 or 503 that has it."""

    status_code: int
    retry_after: float | None
    text: str
    """How the body begins, as UTF-8; what is none of it stands as U+FFFD."""
    ms: int
    """Until the status and the beginning of the body were there."""


def post(
    fetcher: Fetcher,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    deadline: float,
    limits: FetchLimits = POST_LIMITS,
) -> Posted | FetchFailure:
    """Send `body` to `url` and read the answer, until `deadline` (of `time.monotonic()`) at the latest. Never raises.

    An answer is one as soon as its status is there: a body that breaks off, never ends or cannot be read is cut.
    """
    attempt = Attempt(url)
    meter = Meter(min(deadline, attempt.begun + limits.seconds), limits, should_stop=lambda: False)
    with fetcher.guarded() as (transport, backend):
        backend.meter = meter
        try:
            target = parse_web_url(url)
            sent = {
                "Host": target.authority,
                "User-Agent": fetcher.user_agent,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
                **headers,
            }
            request = httpx.Request("POST", target.href, headers=sent, content=body, extensions={WEB_URL: target})
            response = transport.handle_request(request)
        except FETCH_ERRORS as error:
            return attempt.failure(explain(error), meter)
        meter.reading_head = False
        meter.deadline = min(meter.deadline, time.monotonic() + BODY_SECONDS)
        answer = Streamed(response, attempt, meter)
        try:
            begun = b"".join(answer.chunks())[:TEXT_BYTES]
        finally:
            answer.close()
        return Posted(answer.status_code, retry_after(answer), begun.decode("utf-8", "replace"), answer.ms)
