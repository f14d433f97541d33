"""robots.txt by RFC 9309: may this page be fetched, and if not, why. protego reads the file; this fetches and keeps it.

What comes of the file (RFC 9309 2.3.1)      what is allowed               what is reported of a page that is not
2xx                                          what its rules say            robots_denied
4xx, another status, over five redirects     everything (2.3.1.3)
5xx, broken answer                           nothing (2.3.1.4)             http_error: nobody denied it, it may pass
a host that cannot be reached                nothing                       that failure itself
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from protego import Protego

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.failures import FetchError
from scrapersky.scraping.fetch import Fetched, FetchFailure
from scrapersky.scraping.limits import ROBOTS_LIMITS
from scrapersky.scraping.politeness import Client
from scrapersky.scraping.sitemaps.declared import bare_host, declared
from scrapersky.scraping.urls import WebUrl, parse_web_url

MAX_RULE_COPIES: Final = 500_000
"""protego stores each rule once per agent of its group: a hostile file of 500 KiB would make 300 million of them, in
minutes. Real files have some thousand rules in groups of few agents; this many take half a second and 30 MB."""

_ENDS_AGENTS: Final = re.compile(r"(?:allow|dis|dia|crawl|request|visit|noindex|clean)[^:]*:", re.IGNORECASE)
"""The lines after which the next User-agent line begins a new group."""

_HOST_FAILURES: Final = frozenset(
    {
        ErrorCode.DNS_FAILURE,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.CONNECT_FAILURE,
        ErrorCode.TLS_FAILURE,
    }
)
"""What says that the host, or the one that its file moved to, is out of reach: truer than to speak of a denial."""

_OF_THE_MOMENT: Final = frozenset({ErrorCode.TIMEOUT, ErrorCode.CANCELLED, ErrorCode.INTERNAL})
"""What says nothing about the file, so that it is neither a denial nor kept."""


class RobotsReason(StrEnum):
    """Why a page may be fetched or not."""

    ALLOWED = "allowed"
    NO_FILE = "no_robots_txt"
    DENIED = "denied"
    UNREACHABLE = "robots_txt_unreachable"
    HOST_FAILURE = "host_failure"


_DENIAL: Final = "robots.txt does not allow this page"
_UNTIL_READ: Final = "so the site is left alone until it can be read"


@dataclass(frozen=True, slots=True)
class RobotsVerdict:
    """Whether one page may be fetched. `failure` is set if and only if it may not: what a scan reports for it.

    `crawl_delay` is in seconds, as the file asks of us; `sitemaps` are the absolute URLs of those that the file names.
    """

    allowed: bool
    reason: RobotsReason
    failure: FetchFailure | None = None
    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """What one origin's robots.txt came to: the rules of one that was read, or the failure that forbids all pages."""

    reason: RobotsReason
    rules: Protego | None = None
    failure: FetchFailure | None = None
    sitemaps: tuple[str, ...] = ()


class RobotsCache:
    """The robots.txt files of one scan, each fetched once: one for each origin (scheme, host and port)."""

    def __init__(self, user_agent: str) -> None:
        """`user_agent` as in the header: its product token, before the slash, is what a file's groups name."""
        self._agent = user_agent.partition("/")[0]
        self._files: dict[str, _File] = {}
        self.fetched: list[Fetched | FetchFailure] = []
        """What came of each file that was asked for, without its body."""

    @property
    def sitemaps(self) -> dict[str, tuple[str, ...]]:
        """Those that its files name, by the origin whose file it is, in the order of reading: forbidden or not."""
        return {origin: file.sitemaps for origin, file in self._files.items() if file.sitemaps}

    def allowed(
        self, url: str, client: Client, deadline: float, should_stop: Callable[[], bool] = lambda: False
    ) -> RobotsVerdict:
        """Whether `url` may be fetched; asks its origin for the file when this is the first page of it."""
        begun = time.monotonic()
        try:
            target = parse_web_url(url)
        except FetchError as error:
            return RobotsVerdict(False, RobotsReason.HOST_FAILURE, _failure(url, error.code, error.message, begun))
        file = self._files.get(target.origin)
        if file is None:
            answer = _fetch(target, client, deadline, should_stop)
            self.fetched.append(replace(answer, body=b"") if isinstance(answer, Fetched) else answer)
            file = _file(answer, target, begun)
            if file.failure is None or file.failure.code not in _OF_THE_MOMENT:
                self._files[target.origin] = file
        return self._judge(file, target, begun)

    def _judge(self, file: _File, target: WebUrl, begun: float) -> RobotsVerdict:
        if file.failure is not None:
            return RobotsVerdict(False, file.reason, replace(file.failure, url=target.href))
        if file.rules is None:
            return RobotsVerdict(True, file.reason)
        is_allowed = file.rules.can_fetch(target.href, self._agent)
        reason = RobotsReason.ALLOWED if is_allowed else RobotsReason.DENIED
        return RobotsVerdict(
            allowed=is_allowed,
            reason=reason,
            failure=None if is_allowed else _failure(target.href, ErrorCode.ROBOTS_DENIED, _DENIAL, begun),
            crawl_delay=file.rules.crawl_delay(self._agent),
            sitemaps=file.sitemaps,
        )


def _fetch(target: WebUrl, client: Client, deadline: float, should_stop: Callable[[], bool]) -> Fetched | FetchFailure:
    url = f"{target.origin}/robots.txt"
    return client.get(url, deadline=deadline, limits=ROBOTS_LIMITS, should_stop=should_stop)


def _file(answer: Fetched | FetchFailure, target: WebUrl, begun: float) -> _File:
    if isinstance(answer, FetchFailure):
        return _unread(answer, begun)
    if 200 <= answer.status_code < 300:
        return _read(answer, target, begun)
    if answer.status_code >= 500:
        return _unreachable(answer.url, f"robots.txt answered with status {answer.status_code}", begun)
    return _File(RobotsReason.NO_FILE)


def _unread(failure: FetchFailure, begun: float) -> _File:
    if failure.code in _OF_THE_MOMENT or failure.code in _HOST_FAILURES:
        return _File(RobotsReason.HOST_FAILURE, failure=failure)
    if failure.code is ErrorCode.TOO_MANY_REDIRECTS:
        return _File(RobotsReason.NO_FILE)
    return _unreachable(failure.url, f"robots.txt could not be read ({failure.message})", begun)


def _read(answer: Fetched, target: WebUrl, begun: float) -> _File:
    text = answer.body.decode("utf-8-sig", errors="replace")
    if rule_copies(text) > MAX_RULE_COPIES:
        return _unreachable(answer.url, "robots.txt could not be read (it has too many rules)", begun)
    rules = Protego.parse(text)
    if text.lstrip().startswith("<"):  # a page in the file's place: its words about a sitemap are for people
        return _File(RobotsReason.ALLOWED, rules=rules)
    # RFC 9309 2.3.1.2: a file that was moved speaks for whom it was asked for, unless that is `www.` or https.
    moved = bare_host(answer.url) != bare_host(target.href)
    base = f"{target.origin}/robots.txt" if moved else answer.url
    return _File(RobotsReason.ALLOWED, rules=rules, sitemaps=declared(rules.sitemaps, base))


def _unreachable(url: str, reason: str, begun: float) -> _File:
    failure = _failure(url, ErrorCode.HTTP_ERROR, f"{reason}, {_UNTIL_READ}", begun)
    return _File(RobotsReason.UNREACHABLE, failure=failure)


def rule_copies(text: str) -> int:
    """At most how often protego will store or compare a rule: for each line, the agents of the group it stands in."""
    copies = agents = 0
    is_group_open = False
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if line[:4].lower() == "user":
            if not is_group_open:
                agents = 0
            is_group_open = True
            agents += 1 + ("*" in line)
        elif _ENDS_AGENTS.match(line):
            is_group_open = False
        copies += agents * (1 + ("$" in line))
    return copies


def _failure(url: str, code: ErrorCode, message: str, begun: float) -> FetchFailure:
    ms = round((time.monotonic() - begun) * 1000)
    return FetchFailure(url=url, code=code, message=message, ms=ms, fetched_at=datetime.now(UTC))
