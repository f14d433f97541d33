"""Error answers: the same shape always, and nothing in them that was not written for the caller."""

import json
from typing import Any

import pytest

from scrapersky.api.denials import DenialCode
from scrapersky.api.problems import (
    MAX_ERRORS,
    MAX_LOC_CHARACTERS,
    MethodNotAllowed,
    denied,
    field_errors,
    problem,
)
from scrapersky.api.schemas import Problem
from scrapersky.errors import (
    ConfigurationError,
    Conflict,
    FieldError,
    Forbidden,
    IdempotencyKeyReused,
    Invalid,
    NotFound,
    ScraperSkyError,
    Unauthorized,
    Unavailable,
)


def answered(error: ScraperSkyError) -> dict[str, Any]:
    response = problem(error, "request-1")
    document: dict[str, Any] = json.loads(response.body or "")
    Problem.model_validate(document)
    assert response.status_code == document["status"] == error.status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert document["request_id"] == "request-1"
    return document


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthorized("x"), 401, "unauthorized"),
        (Forbidden("x"), 403, "forbidden"),
        (NotFound("x"), 404, "not_found"),
        (Conflict("x", code="job_is_final"), 409, "job_is_final"),
        (Invalid("x"), 422, "invalid"),
        (IdempotencyKeyReused("x"), 422, "idempotency_key_reused"),
        (Unavailable("x"), 503, "unavailable"),
    ],
)
def test_an_error_is_answered_with_its_status_code_and_detail(error: ScraperSkyError, status: int, code: str) -> None:
    document = answered(error)
    assert (document["status"], document["code"], document["detail"]) == (status, code, "x")
    assert document["type"] == f"urn:problem-type:scrapersky:{code}"
    assert document["title"] == error.title
    assert "errors" not in document


def test_what_went_wrong_inside_is_not_told() -> None:
    document = answered(ConfigurationError("environment variable DATABASE_SECRET_ARN is not set"))
    assert (document["status"], document["code"], document["title"]) == (500, "internal", "Internal error")
    assert "DATABASE" not in json.dumps(document)


def test_wrong_fields_are_listed_with_place_and_reason() -> None:
    error = Invalid("x", errors=[FieldError(("body", "domains", 3), "is no domain")])
    assert answered(error)["errors"] == [{"loc": ["body", "domains", 3], "msg": "is no domain"}]


def test_a_thousand_wrong_fields_and_endless_names_make_a_small_answer() -> None:
    errors = [FieldError(("body", "x" * 100_000), "unknown")] * 1000
    listed = answered(Invalid("x", errors=errors))["errors"]
    assert len(listed) == MAX_ERRORS
    assert listed[0]["loc"] == ["body", "x" * MAX_LOC_CHARACTERS]


def test_a_text_that_cannot_be_encoded_is_answered_all_the_same() -> None:
    body = problem(Invalid("x", errors=[FieldError(("query", "\ud800"), "x")]), "request-1").body or ""
    assert body.encode("ascii")


def test_a_validators_own_words_are_kept_out() -> None:
    (error,) = field_errors(
        [{"type": "value_error", "loc": ("body", "x"), "msg": "Value error, too odd", "input": "s", "url": "u"}]
    )
    assert error == FieldError(("body", "x"), "too odd")


def test_headers_are_named_as_they_are_written() -> None:
    (error,) = field_errors([{"loc": ("header", "idempotency-key"), "msg": "too long"}])
    assert error.loc == ("header", "Idempotency-Key")


@pytest.mark.parametrize("code", list(DenialCode))
def test_each_denial_has_its_words_and_says_who_is_at_fault(code: DenialCode) -> None:
    document = answered(denied(code))
    assert (document["code"], document["detail"]) == (code.value, code.detail)
    assert document["status"] == (503 if code is DenialCode.KEYS_UNAVAILABLE else 401)


def test_a_401_says_how_to_come_in() -> None:
    assert problem(denied(DenialCode.MISSING), "r").headers["WWW-Authenticate"] == "Bearer"
    assert problem(denied(DenialCode.EXPIRED), "r").headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_503_says_when_to_come_again() -> None:
    assert int(str(problem(Unavailable("x"), "r").headers["Retry-After"])) > 0


def test_a_405_says_which_methods_there_are() -> None:
    assert problem(MethodNotAllowed("PUT", ["GET", "POST"]), "r").headers["Allow"] == "GET, POST"
