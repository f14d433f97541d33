"""What an answer of the API is: a document, a way elsewhere, a refusal, or nothing of this API at all."""

from typing import Any

import httpx

from scrapersky_cli.errors import Refused, UnexpectedAnswer

LONGEST_PAUSE_SECONDS = 5.0  # what a Retry-After may ask of somebody who sits and waits


def leads_on(answer: httpx.Response) -> bool:
    """Whether what was asked for is somewhere else."""
    return answer.status_code == httpx.codes.SEE_OTHER and "Location" in answer.headers


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer when it is of the 200s, or 304. Raises Refused, or UnexpectedAnswer for what this API never says."""
    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
        return answer
    if answer.is_error and "json" in answer.headers.get("Content-Type", ""):
        raise Refused(answer.status_code, document_of(answer))
    raise UnexpectedAnswer(
        f"{answer.url.copy_with(query=None)} answered {answer.status_code} {answer.reason_phrase}, "
        "not as this API does; is it the API's address?"
    )


def document_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object that an answer holds. Raises UnexpectedAnswer for anything else."""
    try:
        document = answer.json()
    except ValueError as error:
        raise UnexpectedAnswer(f"{answer.url.copy_with(query=None)} did not answer with JSON") from error
    if not isinstance(document, dict):
        raise UnexpectedAnswer(f"{answer.url.copy_with(query=None)} did not answer with a JSON object")
    return document


def retry_after(answer: httpx.Response, *, default: float) -> float:
    """Seconds of the Retry-After header, within what a person waits; `default` when there is none."""
    value = answer.headers.get("Retry-After", "")
    return min(float(value), LONGEST_PAUSE_SECONDS) if value.isdecimal() else default
