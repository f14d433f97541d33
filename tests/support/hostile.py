"""Servers that mean harm, or are broken in a way that comes to the same: how one is told, met and judged.

Each has a listener and a name of its own in a world where nothing else can be reached, so that many can be met at once.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import trustme

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.decoding import PIECE_BYTES
from scrapersky.scraping.fetch import Fetched, Fetcher, FetchFailure
from scrapersky.scraping.limits import PAGE_LIMITS, FetchLimits
from scrapersky.scraping.robots import RobotsCache, RobotsVerdict
from support.fetching import AGENT, policy
from support.loopback import Answer, Listener, Script
from support.stopwatch import Stopwatch

T = TypeVar("T")

BRIEF: Final = replace(PAGE_LIMITS, seconds=1.0, connect_seconds=0.6)
"""Everything as for a page, but the time, which an endless server uses up."""

SLACK_SECONDS: Final = 1.0
"""How much later than its deadline a fetch may end: one wait, and what the machine does meanwhile."""

LANES: Final = 16
"""Servers that are met at the same time."""


@dataclass(frozen=True)
class Hostile:
    """A server, and what a page of it must come to: `ends` is an error's code, or the body of an honest answer.

    Over `https`, `answer` is given inside TLS, and a `script` gets the context to make TLS itself, or not. `says` is
    a part of the message. `endless` tells those that send for as long as somebody reads, `by_time` those that only
    time ends; `also` is another code that it may come to, as what overtakes what is chance.
    """

    name: str
    ends: ErrorCode | bytes
    answer: Answer | None = None
    script: Callable[[ssl.SSLContext], Script] | None = None
    https: bool = False
    says: str = ""
    endless: bool = False
    by_time: bool = False
    also: ErrorCode | None = None

    @property
    def limits(self) -> FetchLimits:
        """Little time for those alone that are to use it up, since a busy machine uses it up as well."""
        return BRIEF if self.by_time or self.ends is ErrorCode.TIMEOUT else PAGE_LIMITS


@dataclass(frozen=True)
class Outcome:
    """What a fetch came to, with the seconds that it took by a clock that a busy machine does not advance."""

    answer: Fetched | FetchFailure
    seconds: float
    limits: FetchLimits

    @property
    def is_bounded(self) -> bool:
        """Whether it came in time, without more bytes than the limits allow, and with nothing secret in its words."""
        return (
            self.seconds < self.limits.seconds + SLACK_SECONDS
            and self.answer.wire_bytes <= self.limits.wire_bytes + 1
            and "127.0.0.1" not in getattr(self.answer, "message", "")
        )

    def is_as_expected(self, hostile: Hostile) -> bool:
        """Whether it is the error that was foreseen, in its words, or the honest answer."""
        if isinstance(self.answer, Fetched):
            return self.answer.body == hostile.ends
        return self.answer.code in (hostile.ends, hostile.also) and hostile.says in self.answer.message


class World:
    """The listeners of several hostile servers, and a fetcher that reaches them and nothing else."""

    def __init__(self, fetcher: Fetcher, urls: dict[str, str]) -> None:
        self._fetcher = fetcher
        self.urls = urls

    def fetch(self, hostile: Hostile, limits: FetchLimits | None = None) -> Outcome:
        """What a page of it comes to."""
        limits = limits or hostile.limits
        with self._fetcher.site() as client, Stopwatch() as watch:
            answer = client.get(self.urls[hostile.name], deadline=time.monotonic() + limits.seconds, limits=limits)
            return Outcome(answer, watch.seconds, limits)

    def stream(self, hostile: Hostile) -> Outcome:
        """What it comes to piece by piece, under the limits of a page."""
        limits, deadline = hostile.limits, time.monotonic() + hostile.limits.seconds
        with (
            self._fetcher.site() as client,
            Stopwatch() as watch,
            client.stream(self.urls[hostile.name], deadline=deadline, limits=limits) as streamed,
        ):
            if isinstance(streamed, FetchFailure):
                return Outcome(streamed, watch.seconds, limits)
            pieces = list(streamed.chunks())
            assert max(map(len, pieces), default=0) <= PIECE_BYTES
            assert sum(map(len, pieces)) <= limits.body_bytes
            answer = streamed.failure or Fetched(
                url=streamed.url,
                status_code=streamed.status_code,
                headers=streamed.headers,
                body=b"".join(pieces),
                wire_bytes=streamed.wire_bytes,
                ms=streamed.ms,
                fetched_at=streamed.fetched_at,
            )
            return Outcome(answer, watch.seconds, limits)

    def robots(self, hostile: Hostile) -> tuple[RobotsVerdict, float]:
        """What its robots.txt says of its front page, when that is what it answers with; and the seconds."""
        with self._fetcher.site() as client, Stopwatch() as watch:
            deadline = time.monotonic() + hostile.limits.seconds
            verdict = RobotsCache(AGENT).allowed(self.urls[hostile.name], client, deadline)
            return verdict, watch.seconds


@contextmanager
def world_of(servers: Iterable[Hostile], folder: Path) -> Iterator[World]:
    """All of these servers, running. `folder` takes the authority that their certificates are from."""
    authority = trustme.CA()
    ca_file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.hostile.example").configure_cert(context)
    urls: dict[str, str] = {}
    rules = []
    with ExitStack() as stack:
        for number, hostile in enumerate(servers):
            listener = stack.enter_context(
                Listener(
                    hostile.answer,
                    script=hostile.script(context) if hostile.script else None,
                    tls=context if hostile.https and hostile.answer else None,
                )
            )
            urls[hostile.name] = f"http{'s' if hostile.https else ''}://h{number}.hostile.example/"
            rules.append(f"h{number}.hostile.example=127.0.0.1:{listener.port}")
        reach = policy("127.0.0.0/8", rules=tuple(rules))
        yield World(Fetcher(policy=reach, user_agent=AGENT, ca_file=str(ca_file)), urls)


def meet_all(meet: Callable[[Hostile], T], servers: Sequence[Hostile]) -> list[T]:
    """What `meet` makes of each, several at a time."""
    with ThreadPoolExecutor(LANES) as lanes:
        return list(lanes.map(meet, servers))
