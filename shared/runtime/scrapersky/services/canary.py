"""The synthetic canary: what a client does from outside, done for its own sake, and held to what a client relies on.

By the public HTTP API alone, as a customer has it: name, certificate, gateway, authorizer, queue, worker, database.
Whatever of that is broken, the canary fails, and says at which step.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import httpx

from scrapersky.domain.loopback import is_loopback
from scrapersky.domain.status import FINAL, JobStatus
from scrapersky.errors import ConfigurationError

START: Final = "/api/v3/modernized_page_scraper/scan"
JOBS: Final = "/api/v3/jobs"
MAX_PAGES: Final = 1  # of the page that is given: more would cost its site more and show nothing else
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 29.0  # the gateway gives up after 30 s and says so itself
HOLD_SECONDS: Final = 20  # the longest that `?wait=` holds an answer
PAUSE_SECONDS: Final = 0.2  # a hold of no seconds answers at once
MAX_SHOWN: Final = 200  # characters of a text that the API said, in our log

# Visible ASCII (RFC 6750, 2.1, is narrower): httpx shows a header that it cannot send, and this one is a secret.
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class Step(StrEnum):
    """What is done, in this order."""

    START = "start"
    FOLLOW = "follow"
    FACTS = "facts"
    READ_BACK = "read_back"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why and where it ended. `request_id` leads to the API's own lines; None when no answer of the API's came."""

    step: Step
    reason: str
    status_code: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """How one run went: the job that it made, if it came to that, and what was wrong, if anything."""

    job_id: str | None
    failure: Failure | None


class _FailedError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def client(api_url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client that speaks for the token's tenant, to be used as a context. `transport` is for tests alone.

    Raises:
        ConfigurationError: the address is neither https nor this machine's own, or the token none for a header.
    """
    url = _url(api_url)
    if not url or not url.host or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host))):
        raise ConfigurationError("CANARY_API_URL is no https address")
    if not _TOKEN.fullmatch(token):
        raise ConfigurationError("the secret of CANARY_TOKEN_SECRET_ARN is no bearer token")
    return httpx.Client(
        base_url=url,
        headers={"Authorization": f"Bearer {token}", "User-Agent": "ScraperSky-Canary", "Accept": "application/json"},
        follow_redirects=False,  # the token is for this address
        trust_env=False,
        transport=transport,
    )


def run(api: httpx.Client, page: str, *, deadline: float) -> Seen:
    """Scan the page, follow the scan to its end, look at its facts and read them back; never raises for the API.

    Nothing is tried again: what a client sees once is what is told, and the alarm asks for it twice.

    Args:
        api: the client of `client`.
        page: the address that is scanned. It is ours to choose, so that what it says does not change.
        deadline: of `time.monotonic()`; what is not done by then has failed.
    """
    job_id: str | None = None
    session = _Session(api, deadline)
    try:
        accepted = session.answer(Step.START, "POST", START, json={"base_url": page, "max_pages": MAX_PAGES})
        job_id = _text(Step.START, accepted, "job_id")
        status = session.follow(_text(Step.START, accepted, "status_url"))
        _require_facts(Step.FACTS, status)
        job = session.answer(Step.READ_BACK, "GET", f"{JOBS}/{job_id}")
        _require_facts(Step.READ_BACK, job)
        if _site_data(job)["title"] != _site_data(status)["title"]:
            raise _FailedError(Failure(Step.READ_BACK, "the title is another one than the status had"))
    except _FailedError as failed:
        return Seen(job_id, failed.failure)
    return Seen(job_id, None)


@dataclass(frozen=True, slots=True)
class _Session:
    """Requests to the API, all of which end by the deadline."""

    api: httpx.Client
    deadline: float

    def follow(self, status_url: str) -> Mapping[str, Any]:
        """The scan once it is complete. The address is the API's own: the token goes nowhere else."""
        if _origin(_url(status_url)) != _origin(self.api.base_url):
            raise _FailedError(Failure(Step.FOLLOW, "status_url leads to another host"))
        word: object = None
        while (left := self.deadline - time.monotonic()) > 1:
            hold = min(HOLD_SECONDS, int(left / 2))  # an answer that was held to the end still has to come
            status = self.answer(Step.FOLLOW, "GET", status_url, params={"wait": hold})
            word = status.get("status")
            if word == JobStatus.COMPLETE:
                return status
            if word in FINAL:
                error = status.get("error")
                code = error.get("code") if isinstance(error, Mapping) else None
                raise _FailedError(Failure(Step.FOLLOW, f"the scan ended as {word}: {_shown(code)}"))
            time.sleep(PAUSE_SECONDS)
        raise _FailedError(Failure(Step.FOLLOW, f"the scan is still {_shown(word)}, and the time is up"))

    def answer(self, step: Step, method: str, url: str, **request: Any) -> dict[str, Any]:
        """The JSON object of a successful answer."""
        seconds = min(ANSWER_SECONDS, self.deadline - time.monotonic())
        if seconds <= 0:
            raise _FailedError(Failure(step, "the time is up"))
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
        try:
            response = self.api.request(method, url, timeout=timeout, **request)
        except httpx.TimeoutException:
            raise _FailedError(Failure(step, "no answer in time")) from None
        except httpx.RequestError as error:
            # Its kind alone: the text is a library's, and may hold what was sent.
            raise _FailedError(Failure(step, f"not reached: {type(error).__name__}")) from None
        body = _object(response)
        request_id = body.get("request_id") or response.headers.get("apigw-requestid")
        told = request_id if isinstance(request_id, str) else None
        if not response.is_success:
            raise _FailedError(Failure(step, f"refused: {_shown(body.get('code'))}", response.status_code, told))
        if not body:
            raise _FailedError(Failure(step, "the answer is no JSON object", response.status_code, told))
        return body


def _require_facts(step: Step, answer: Mapping[str, Any]) -> None:
    """A page has a title, and a title that was found has the page and the method it was found by."""
    if answer.get("status") != JobStatus.COMPLETE:
        raise _FailedError(Failure(step, f"the job is {_shown(answer.get('status'))}, not complete"))
    facts = _site_data(answer)
    if not isinstance(facts.get("title"), str) or not facts["title"].strip():
        raise _FailedError(Failure(step, "the title was not found"))
    sources = facts.get("sources")
    source = sources.get("title") if isinstance(sources, Mapping) else None
    if not isinstance(source, Mapping) or not source.get("page_url") or not source.get("method"):
        raise _FailedError(Failure(step, "the title has no evidence"))


def _site_data(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    result = answer.get("result")
    facts = result.get("site_data") if isinstance(result, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:  # of JSON, and of a text that is not UTF-8
        return {}
    return body if isinstance(body, dict) else {}


def _text(step: Step, answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise _FailedError(Failure(step, f"the answer has no {name}"))
    return value


def _url(text: str) -> httpx.URL | None:
    """The address, None for a text that is none."""
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None


def _origin(url: httpx.URL | None) -> tuple[str, str, int | None] | None:
    return (url.scheme, url.host, url.port) if url else None  # httpx leaves a scheme's own port out


def _shown(value: object) -> str:
    return str(value)[:MAX_SHOWN]
