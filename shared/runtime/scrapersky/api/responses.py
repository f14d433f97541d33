"""The answers that are no errors: work accepted, how it stands, and lists."""

import hashlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol, TypeVar

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel

from scrapersky.api.schemas import Accepted, FileElsewhere, Page
from scrapersky.domain.jobs import Started
from scrapersky.domain.status import JobStatus

RETRY_AFTER_SECONDS = 1  # a scan of a quick site is over by then; `?wait=` saves even that
# Lambda answers with 6 MB at most, and its runtime spends up to 6 bytes on a character (`\\uXXXX`).
MAX_LIST_CHARACTERS = 1_000_000

T = TypeVar("T")


class Work(Protocol):
    """A job or a batch."""

    @property
    def status(self) -> JobStatus: ...


W = TypeVar("W", bound=Work)


def answer(
    model: BaseModel, *, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response[str]:
    """A model as the body of an answer."""
    return Response(
        status_code=status.value, content_type="application/json", body=model.model_dump_json(), headers=headers
    )


def accepted(started: Started, status_url: str) -> Response[str]:
    """202 for work that was started, with the address that tells how it stands."""
    body = Accepted(job_id=started.job_id, status_url=status_url, created_at=started.created_at)
    return accepted_as(body, status_url)


def accepted_as(body: BaseModel, status_url: str) -> Response[str]:
    """202 with a body that tells more of what was started."""
    headers = {"Location": status_url, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return answer(body, status=HTTPStatus.ACCEPTED, headers=headers)


def created(body: BaseModel, url: str) -> Response[str]:
    """201 with what was made, and its address."""
    return answer(body, status=HTTPStatus.CREATED, headers={"Location": url})


def deleted() -> Response[str]:
    """204: there is nothing left to tell of."""
    return Response(status_code=HTTPStatus.NO_CONTENT.value, body="")


def status(model: BaseModel, *, final: bool, if_none_match: str | None) -> Response[str]:
    """How work stands, or 304 when that is what the client has already (RFC 9110, 13.1.2)."""
    tag = etag(model)
    headers = {"ETag": tag}
    if not final:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if _matches(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, body="", headers=headers)
    return answer(model, headers=headers)


def etag(model: BaseModel) -> str:
    """A strong validator: the same for the same bytes, and for no others."""
    return f'"{hashlib.sha256(model.model_dump_json().encode()).hexdigest()[:32]}"'


def changed_since(if_none_match: str | None, shown: Callable[[W], BaseModel]) -> Callable[[W], bool]:
    """What ends a held answer: anything the client does not have yet or, when it does not say, another status."""
    if if_none_match is not None:
        return lambda work: not _matches(if_none_match, etag(shown(work)))
    seen: list[JobStatus] = []

    def status_changed(work: W) -> bool:
        seen.append(work.status)
        return seen[0] != seen[-1]

    return status_changed


def page(
    fetch: Callable[[int], tuple[Sequence[T], str | None]],
    make: Callable[[Sequence[T], str | None], Page],
    *,
    limit: int,
) -> Response[str]:
    """One page of a list: `limit` items, or fewer where they would not fit into one answer."""
    while True:
        items, cursor = fetch(limit)
        response = answer(make(items, cursor))
        if len(response.body or "") <= MAX_LIST_CHARACTERS or limit == 1:
            return response
        limit = max(1, limit // 2)


def file(text: str, *, name: str, media_type: str) -> Response[str]:
    """A file that fits into an answer."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(status_code=HTTPStatus.OK.value, content_type=media_type, body=text, headers=headers)


def elsewhere(url: str, *, redirect: bool) -> Response[str]:
    """303: to be fetched from another address (RFC 9110, 15.4.4). Without `redirect` it is a 200 that names it."""
    if not redirect:
        return answer(FileElsewhere(url=url))
    return Response(status_code=HTTPStatus.SEE_OTHER.value, body="", headers={"Location": url})


def _matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the header names the tag, by weak comparison."""
    if if_none_match is None:
        return False
    names = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return "*" in names or tag in names
