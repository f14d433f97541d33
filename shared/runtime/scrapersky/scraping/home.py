"""Finding a site's home page: by https, else by http, at the domain itself or under `www.`."""

from dataclasses import replace
from typing import Any, TypeGuard

from scrapersky.domain.facts import PageRecord
from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.fetch import Fetched, FetchFailure, Redirect
from scrapersky.scraping.limits import MAX_URL_CHARS
from scrapersky.scraping.robots import RobotsReason, RobotsVerdict
from scrapersky.scraping.visit import Visit

_NO_HTTPS = frozenset({ErrorCode.CONNECT_FAILURE, ErrorCode.TLS_FAILURE})


class HomePage:
    """The way to one site's home page: `records` are the tries that failed, `metadata` what is told of the last one."""

    def __init__(self, visit: Visit) -> None:
        self.records: list[PageRecord] = []
        self.metadata: dict[str, Any] = {
            "final_url": None,
            "scheme": None,
            "https_error": None,
            "robots": None,
            "redirects": [],
        }
        self._visit = visit

    def find(self, domain: str) -> Fetched | FetchFailure:
        """The home page by https, else by http, at the domain itself, or under `www.` if only that has an address."""
        first = self._either_scheme(domain)
        if not _befell(first, {ErrorCode.DNS_FAILURE}):
            return first
        second = self._either_scheme(f"www.{domain}")
        return first if _befell(second, {ErrorCode.DNS_FAILURE}) else second

    def _either_scheme(self, host: str) -> Fetched | FetchFailure:
        encrypted = self._get(f"https://{host}/")
        if not _befell(encrypted, _NO_HTTPS):
            return encrypted
        self.metadata["https_error"] = {"code": encrypted.code, "message": encrypted.message}
        plain = self._get(f"http://{host}/")
        # Where nothing listens on port 80 either, what is wrong with https is the better answer.
        return encrypted if _befell(plain, {ErrorCode.CONNECT_FAILURE}) else plain

    def follow(self, answer: Fetched, url: str) -> Fetched | FetchFailure:
        """The page that `answer` is nothing but the way to, as if by a redirect with the status that it has."""
        hop = Redirect(answer.url, answer.status_code, url[:MAX_URL_CHARS])
        return self._get(url, (*answer.redirects, hop))

    def _get(self, url: str, before: tuple[Redirect, ...] = ()) -> Fetched | FetchFailure:
        answer = self._visit.get(url, on_verdict=self._note)
        answer = replace(answer, redirects=before + answer.redirects)
        self.metadata["redirects"] = [
            {"url": hop.url, "status_code": hop.status_code, "location": hop.location} for hop in answer.redirects
        ]
        if isinstance(answer, FetchFailure):
            self.metadata |= {"final_url": None, "scheme": None}
            self.records.append(record(answer, skipped_reason=answer.code))
        else:
            self.metadata |= {"final_url": answer.url, "scheme": answer.url.partition(":")[0]}
        return answer

    def _note(self, verdict: RobotsVerdict) -> None:
        self.metadata["robots"] = None if verdict.reason is RobotsReason.HOST_FAILURE else verdict.reason.value


def _befell(answer: Fetched | FetchFailure, codes: frozenset[ErrorCode] | set[ErrorCode]) -> TypeGuard[FetchFailure]:
    """Whether one of these befell the host itself that was asked, and not one that it redirects to."""
    return isinstance(answer, FetchFailure) and answer.code in codes and not answer.redirects


def record(
    answer: Fetched | FetchFailure, *, title: str | None = None, skipped_reason: str | None = None
) -> PageRecord:
    """What a scan tells of one page."""
    return PageRecord(
        url=answer.url,
        status_code=answer.status_code,
        title=title,
        fetched_at=answer.fetched_at,
        bytes=answer.wire_bytes,
        ms=answer.ms,
        skipped_reason=str(skipped_reason) if skipped_reason else None,
    )
