"""The public API over HTTP, as the CLI and the demo use it.

Documents are the parsed JSON objects themselves, so that what a command prints as JSON is what the API said.
Every request here can be repeated without a second effect (GETs, POSTs with an Idempotency-Key, cancel and PATCH,
which answer the same twice), so a broken connection or a 502/503/504 is tried again within a small budget.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

import httpx

from scrapersky.domain.loopback import is_loopback
from scrapersky.domain.status import JobStatus
from scrapersky_cli.answers import checked, document_of, leads_on, retry_after
from scrapersky_cli.errors import UnexpectedAnswer, Unreachable
from scrapersky_cli.origins import stream

Document = dict[str, Any]

ATTEMPTS = 4  # with the pauses below, a restarting stack or a dropped connection is outlived
FIRST_PAUSE_SECONDS = 0.25  # doubled each time, with jitter: 0.25, 0.5, 1
LONG_POLL_SECONDS = 20  # the most that the API holds an answer
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = LONG_POLL_SECONDS + 15.0  # a cold start on top of a held answer
HELD_SECONDS = 1.0  # an unchanged answer that came sooner was not held: pause before the next
BATCH_PACE_SECONDS = 0.5  # a batch changes with each of its domains; nobody reads its figures faster than this
_SCANS = "api/v3/modernized_page_scraper/scan"
_BATCHES = "api/v3/batch_page_scraper/batch"
_SITEMAPS = "api/v3/sitemap"
_SITEMAP_FILES = "api/v3/sitemap-files"
_TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Accepted:
    """A 202: the API's document, the job or batch that it names and the address to follow."""

    document: Document
    work_id: str
    status_url: str


class ApiClient:
    """One connection pool to one API, with one tenant's token. Close it, or use it as a context manager."""

    def __init__(
        self,
        api_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = httpx.URL(api_url.rstrip("/") + "/")
        self._sleep = sleep
        self._transport = transport
        self._http = httpx.Client(
            base_url=self._base,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "scrapersky-cli", "Accept": "application/json"},
            timeout=httpx.Timeout(READ_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            transport=transport,
            trust_env=not is_loopback(self._base.host),  # a proxy cannot reach this machine's own addresses
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def start_scan(self, base_url: str, *, max_pages: int) -> Accepted:
        """Create a scan of one site. Raises Refused when the API takes it for no domain."""
        return self.start(_SCANS, {"base_url": base_url, "max_pages": max_pages})

    def retry(self, job_id: UUID) -> Accepted:
        """Put a failed or cancelled job back in the queue."""
        return self.start(f"api/v3/jobs/{job_id}/retry", None)

    def cancel(self, job_id: UUID) -> Document:
        return self.document("POST", f"api/v3/jobs/{job_id}/cancel")

    def job(self, job_id: UUID) -> Document:
        return self.document("GET", self.job_url(job_id))

    @staticmethod
    def job_url(job_id: UUID) -> str:
        return f"api/v3/jobs/{job_id}"

    def jobs(self, **filters: str | int | None) -> Document:
        """One page of the list: `{"items": [...], "next_cursor": …}`. Filters that are None are left out."""
        return self.document("GET", "api/v3/jobs", params=given(filters))

    def start_batch(
        self, domains: Sequence[str], *, max_pages: int, max_concurrent: int, batch_id: UUID | None = None
    ) -> Accepted:
        """Create a batch of 1 to 10 000 domains. What is no domain is `rejected` in the answer, not refused."""
        return self.start(_BATCHES, _batch(domains, max_pages, max_concurrent, batch_id), names="batch_id")

    def retry_batch(self, batch_id: UUID, error_codes: Sequence[str] = ()) -> Accepted:
        """Put the failed jobs of a batch back in the queue: all, or those that failed with one of the codes."""
        body = {"error_codes": list(error_codes)} if error_codes else {}
        return self.start(f"{_BATCHES}/{batch_id}/retry", body, names="batch_id")

    def cancel_batch(self, batch_id: UUID) -> Document:
        return self.document("POST", f"{_BATCHES}/{batch_id}/cancel")

    def batch(self, batch_id: UUID | str) -> Document:
        """How a batch stands, with the first thousand of its domains."""
        return self.document("GET", self.batch_url(batch_id))

    @staticmethod
    def batch_url(batch_id: UUID | str) -> str:
        return f"{_BATCHES}/{batch_id}/status"

    def batches(self, **filters: str | int | None) -> Document:
        return self.document("GET", _BATCHES, params=given(filters))

    def batch_results(self, batch_id: UUID | str, *, file_format: str) -> Iterator[bytes]:
        """What a batch has so far, as `ndjson` or `csv`, in pieces. Raises ApiError, also in the middle."""
        return self._export(f"{_BATCHES}/{batch_id}/results", file_format)

    def start_sitemap_scan(self, base_url: str, *, max_urls: int) -> Accepted:
        """Create a scan of one site's sitemaps. Raises Refused when the API takes it for no domain."""
        return self.start(f"{_SITEMAPS}/scan", {"base_url": base_url, "max_pages": max_urls})

    def start_sitemap_batch(
        self, domains: Sequence[str], *, max_urls: int, max_concurrent: int, batch_id: UUID | None = None
    ) -> Accepted:
        """`start_batch` for scans of sitemaps."""
        body = _batch(domains, max_urls, max_concurrent, batch_id)
        return self.start(f"{_SITEMAPS}/batch/create", body, names="batch_id")

    def sitemap_scan(self, job_id: UUID | str) -> Document:
        """How a scan stands, and how far it is."""
        return self.document("GET", self.sitemap_scan_url(job_id))

    @staticmethod
    def sitemap_scan_url(job_id: UUID | str) -> str:
        return f"{_SITEMAPS}/status/{job_id}"

    def sitemap_files(self, **filters: str | int | None) -> Document:
        """One page of the sitemap files of all scans, the newest first."""
        return self.document("GET", _SITEMAP_FILES, params=given(filters))

    def sitemap_urls(self, of: str, **filters: str | int | None) -> Document:
        """One page of the URLs of a scan or a file: `of` is `scan_path` or `file_path` of its id."""
        return self.document("GET", f"{of}/urls", params=given(filters))

    def export_sitemap_urls(self, of: str, *, file_format: str) -> Iterator[bytes]:
        """All those URLs as `ndjson`, `csv` or `txt`, in pieces. Raises ApiError, also in the middle."""
        return self._export(f"{of}/urls/export", file_format)

    def sitemap_changes(self, job_id: UUID | str, **filters: str | int | None) -> Document:
        """One page of what became of URLs since the scan before."""
        return self.document("GET", f"{self.scan_path(job_id)}/changes", params=given(filters))

    def sitemap_summary(self, domain: str) -> Document:
        return self.document("GET", f"{_SITEMAPS}/sites/{quote(domain, safe='')}/summary")

    @staticmethod
    def scan_path(job_id: UUID | str) -> str:
        return f"{_SITEMAPS}/scan/{job_id}"

    @staticmethod
    def file_path(file_id: UUID | str) -> str:
        return f"{_SITEMAP_FILES}/{file_id}"

    def domains(self, **filters: str | int | None) -> Document:
        return self.document("GET", "api/v3/domains", params=given(filters))

    def domain(self, name: str) -> Document:
        """The latest known facts of one domain."""
        return self.document("GET", f"api/v3/domains/{quote(name, safe='')}")

    def follow_batch(self, status_url: str, *, patience: float = math.inf) -> Iterator[Document]:
        """`follow` for a batch: its figures without its domains, and not each of their changes."""
        lean = {"domain_statuses": "false"}
        return self.follow(status_url, patience=patience, params=lean, pace=BATCH_PACE_SECONDS)

    def follow(
        self,
        status_url: str,
        *,
        patience: float = math.inf,
        params: Mapping[str, str] | None = None,
        pace: float = 0.0,
    ) -> Iterator[Document]:
        """The document as it stands and each time it changes, until it is final or `patience` seconds are over.

        The first look is answered at once: without an ETag the API would hold it until the end of what runs already.
        Then it long-polls, so a quiet minute costs three small requests. `pace` is the least number of seconds between
        two requests.
        """
        etag: str | None = None
        query: dict[str, str | int] = {**(params or {})}
        looked = False
        begin = time.monotonic()
        while (left := patience - (time.monotonic() - begin)) > 0:
            asked = time.monotonic()
            if looked:
                query["wait"] = LONG_POLL_SECONDS if left > LONG_POLL_SECONDS else math.ceil(left)
            headers = {"If-None-Match": etag} if etag else {}
            answer = self.send("GET", status_url, params=query, headers=headers)
            looked = True
            changed = answer.status_code != httpx.codes.NOT_MODIFIED and answer.headers.get("ETag", "") != etag
            if changed:
                document = document_of(answer)
                etag = answer.headers.get("ETag")
                yield document
                if is_final(document):
                    return
            took = time.monotonic() - asked
            if took < HELD_SECONDS and not (changed and etag):
                self._sleep(retry_after(answer, default=HELD_SECONDS))
            elif took < pace:
                self._sleep(pace - took)

    def _export(self, path: str, file_format: str) -> Iterator[bytes]:
        answer = self.send("GET", path, params={"format": file_format}, headers={"Accept": "*/*"}, elsewhere=True)
        if answer.status_code != httpx.codes.SEE_OTHER:
            return iter([answer.content])
        return stream(self._base.join(answer.headers["Location"]), self._transport)

    def start(self, path: str, body: Document | None, *, names: str = "job_id") -> Accepted:
        answer = self.send("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        document = document_of(answer)
        work_id, status_url = document.get(names), document.get("status_url") or answer.headers.get("Location")
        if not isinstance(work_id, str) or not isinstance(status_url, str):
            raise UnexpectedAnswer(f"the API accepted the work but named no {names} and status_url")
        return Accepted(document, work_id, status_url)

    def document(self, method: str, path: str, **sent: Any) -> Document:
        """The object that is answered. `sent` is as `send` has it."""
        return document_of(self.send(method, path, **sent))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Document | None = None,
        headers: Mapping[str, str] | None = None,
        elsewhere: bool = False,
    ) -> httpx.Response:
        """One answer of the 200s (or 304, or 303 with `elsewhere`), after as many tries as the budget allows.

        Raises ApiError.
        """
        url = self._own_url(path)
        for attempt in range(1, ATTEMPTS + 1):
            pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
            try:
                answer = self._http.request(method, url, params=params, json=json, headers=headers)
            except httpx.TransportError as error:
                if attempt == ATTEMPTS:
                    raise Unreachable(f"no answer from {self._base}: {str(error) or type(error).__name__}") from error
            else:
                if answer.status_code not in _TRY_AGAIN or attempt == ATTEMPTS:
                    return answer if elsewhere and leads_on(answer) else checked(answer)
                pause = retry_after(answer, default=pause)
            self._sleep(pause)
        raise AssertionError("the loop returns or raises on its last attempt")

    def _own_url(self, path: str) -> httpx.URL:
        """The path on this API's own origin, whatever origin a `status_url` names.

        The token must not follow an answer elsewhere, and behind a proxy the API may know itself by another name.
        """
        return self._base.join(path).copy_with(scheme=self._base.scheme, netloc=self._base.netloc)


def is_final(document: Document) -> bool:
    return document.get("status") in {status.value for status in JobStatus if status.is_final}


def given(filters: Mapping[str, str | int | None]) -> dict[str, str | int]:
    return {name: value for name, value in filters.items() if value is not None}


def _batch(domains: Sequence[str], max_pages: int, max_concurrent: int, batch_id: UUID | None) -> Document:
    """The body that starts a batch of any kind."""
    body = {"domains": list(domains), "max_pages": max_pages, "max_concurrent": max_concurrent}
    return body if batch_id is None else body | {"batch_id": str(batch_id)}
