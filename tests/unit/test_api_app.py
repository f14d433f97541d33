"""The frame around the API functions: who passes, where addresses lead, how everything else is answered."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from scrapersky.api import requests
from scrapersky.api.denials import DenialCode
from scrapersky.errors import Conflict, Unavailable
from scrapersky.observability import logger
from support.api_frame import GOOD, SCAN, Frame, refused
from support.http_events import REQUEST_ID, TENANT, event
from support.log_lines import recorded

SOME_ID = UUID("11111111-1111-4111-8111-111111111111")


@pytest.fixture
def frame() -> Frame:
    return Frame()


def test_tenant_user_and_request_come_from_the_authorizer(frame: Frame) -> None:
    assert frame.call(json_body=GOOD).status == 200
    ((caller, _, _),) = frame.seen
    assert (caller.tenant_id, caller.user_id, caller.correlation_id) == (TENANT, "user-1", REQUEST_ID)


@pytest.mark.parametrize(
    ("authorizer", "code"),
    [
        ({}, "token_missing"),
        ({"denied": "token_expired"}, "token_expired"),
        ({"denied": "a word of tomorrow"}, "token_malformed"),
        ({"denied": "token_expired", "tenant_id": str(TENANT), "sub": "user-1"}, "token_expired"),
        ({"denied": "", "tenant_id": str(TENANT), "sub": "user-1"}, "token_malformed"),
        ({"tenant_id": "", "sub": "user-1"}, "token_missing"),
        ({"tenant_id": "acme", "sub": "user-1"}, "token_missing"),
        ({"tenant_id": None, "sub": "user-1"}, "token_missing"),
        ({"tenant_id": 7, "sub": "user-1"}, "token_missing"),
        ({"tenant_id": str(TENANT)}, "token_missing"),
        ({"tenant_id": str(TENANT), "sub": ""}, "token_missing"),
    ],
)
def test_without_a_tenant_nothing_is_done(frame: Frame, authorizer: dict[str, Any], code: str) -> None:
    refused(frame.call(json_body=GOOD, authorizer=authorizer), 401, code)
    assert frame.seen == []


def test_without_an_authorizer_nothing_is_done(frame: Frame) -> None:
    refused(frame.call(json_body=GOOD, tenant_id=None), 401, "token_missing")
    assert frame.seen == []


def test_who_may_not_pass_learns_nothing_about_the_request(frame: Frame) -> None:
    refused(frame.call(body="{", tenant_id=None), 401, "token_missing")


def test_keys_that_cannot_be_had_are_our_fault(frame: Frame) -> None:
    answer = frame.call(json_body=GOOD, authorizer={"denied": DenialCode.KEYS_UNAVAILABLE.value})
    refused(answer, 503, "keys_unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_a_public_path_needs_no_token(frame: Frame) -> None:
    assert frame.call("GET", "/health", tenant_id=None).status == 200


def test_one_callers_context_does_not_leak_into_the_next_request(frame: Frame) -> None:
    frame.call(json_body=GOOD)
    refused(frame.call(json_body=GOOD, tenant_id=None), 401, "token_missing")


def test_the_body_may_repeat_the_tenant_but_not_name_another(frame: Frame) -> None:
    assert frame.call(json_body={**GOOD, "tenant_id": str(TENANT)}).status == 200
    refused(frame.call(json_body={**GOOD, "tenant_id": str(uuid4())}), 403, "tenant_mismatch")
    assert len(frame.seen) == 1


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "api.example", "x-forwarded-proto": "https"}, "https://api.example/x"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}, "http://127.0.0.1:8000/x"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": ""}, "http://127.0.0.1:8000/x"),
        ({"host": "localhost:8000", "x-forwarded-proto": ""}, "http://localhost:8000/x"),
        ({"host": "[::1]:8000", "x-forwarded-proto": ""}, "http://[::1]:8000/x"),
        ({"host": "[1.2]:8000", "x-forwarded-proto": ""}, "https://[1.2]:8000/x"),
        ({"host": "api.example", "x-forwarded-proto": ""}, "https://api.example/x"),
        ({"host": "api.example", "x-forwarded-proto": "javascript"}, "https://api.example/x"),
        ({"host": "evil.example/path?x="}, "https://abc123.execute-api.eu-central-1.amazonaws.com/x"),
        ({"host": "user@evil.example"}, "https://abc123.execute-api.eu-central-1.amazonaws.com/x"),
        ({"host": ""}, "https://abc123.execute-api.eu-central-1.amazonaws.com/x"),
    ],
)
def test_addresses_are_those_the_client_reaches_us_at(frame: Frame, headers: dict[str, str], address: str) -> None:
    frame.call("GET", "/api/v3/jobs", headers=headers)
    assert frame.seen[0][3] == address


def test_a_stage_in_the_path_stays_in_the_address(frame: Frame) -> None:
    request = event("GET", "/prod/api/v3/jobs")
    request["requestContext"]["stage"] = "prod"
    assert frame.app.resolve(request, None)["statusCode"] == 200  # type: ignore[arg-type]
    assert frame.seen[0][3] == "https://api.example/prod/x"


def test_a_service_error_is_its_problem(frame: Frame) -> None:
    frame.failure = Conflict("The job is complete already.", code="job_is_final")
    assert refused(frame.call(json_body=GOOD), 409, "job_is_final")["detail"] == "The job is complete already."
    frame.failure = Unavailable("the database is not available")
    refused(frame.call(json_body=GOOD), 503, "unavailable")


def test_an_unexpected_error_is_a_500_without_its_words_and_a_log_line_with_them(
    frame: Frame, caplog: pytest.LogCaptureFixture
) -> None:
    frame.failure = RuntimeError("select secret from vault")
    answer = frame.call(json_body=GOOD)
    refused(answer, 500, "internal")
    assert "secret" not in answer.body
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is frame.failure
    assert logger().get_correlation_id() == REQUEST_ID


@pytest.mark.parametrize(
    ("request_of", "status", "code"),
    [
        ({"json_body": GOOD, "tenant_id": None}, 401, "token_missing"),
        ({"json_body": {**GOOD, "tenant_id": "33333333-3333-4333-8333-333333333333"}}, 403, "tenant_mismatch"),
        ({"method": "GET", "target": "/nothing", "route_key": "$default"}, 404, "not_found"),
        ({"method": "DELETE", "route_key": "$default"}, 405, "method_not_allowed"),
        ({"body": " " * (requests.MAX_BODY_BYTES + 1)}, 413, "too_large"),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"body": '{"pl4nted'}, 400, "malformed_json"),
        ({"json_body": {"pl4nted": "pl4nted"}}, 422, "invalid"),
        ({"method": "GET", "target": "/api/v3/jobs?wait=pl4nted"}, 422, "invalid"),
        ({"json_body": GOOD, "failure": Conflict("pl4nted", code="job_is_final")}, 409, "job_is_final"),
    ],
)
def test_a_refusal_is_one_log_line_that_its_request_id_leads_to(
    frame: Frame, capsys: pytest.CaptureFixture[str], request_of: dict[str, Any], status: int, code: str
) -> None:
    asked = {"route_key": f"POST {SCAN}", **request_of}
    frame.failure = asked.pop("failure", None)
    with recorded(capsys) as written:
        problem = refused(frame.call(**asked), status, code)
    (line,) = written.events()
    assert (line["message"], line["level"]) == ("request refused", "INFO")
    assert (line["code"], line["status"], line["route"]) == (code, status, asked["route_key"])
    assert line["correlation_id"] == problem["request_id"]
    assert "pl4nted" not in written.text


def test_a_token_that_cannot_be_checked_is_a_failure_in_the_log(
    frame: Frame, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded(capsys) as written:
        frame.call(json_body=GOOD, authorizer={"denied": DenialCode.KEYS_UNAVAILABLE.value})
    (line,) = written.events()
    assert (line["message"], line["level"], line["correlation_id"]) == ("request failed", "ERROR", REQUEST_ID)


def test_what_was_let_in_is_no_refusal(frame: Frame, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(capsys) as written:
        assert frame.call(json_body=GOOD).status == 200
    assert written.events() == []


def test_an_event_that_nobody_understands_is_a_500_all_the_same(frame: Frame) -> None:
    request = event("POST", SCAN, json_body=GOOD)
    del request["rawPath"]
    answer = frame.app.resolve(request, None)  # type: ignore[arg-type]
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "application/problem+json")


@pytest.mark.parametrize("target", ["/", "/api/v3/nothing", "/api/v3/jobs/", "/openapi.jsonx", "/%00"])
def test_an_unknown_path_is_a_404(frame: Frame, target: str) -> None:
    refused(frame.call("GET", target), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("DELETE", SCAN, "POST"),
        ("POST", "/api/v3/jobs", "GET"),
        ("PUT", f"/api/v3/jobs/{SOME_ID}", "GET"),
        ("GET", f"/api/v3/jobs/{SOME_ID}/cancel", "POST"),
        ("POST", "/openapi.json", "GET"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_ones(frame: Frame, method: str, target: str, allow: str) -> None:
    answer = frame.call(method, target)
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allow


def test_what_matches_no_route_is_unknown_to_everybody(frame: Frame) -> None:
    refused(frame.call("GET", "/nothing", tenant_id=None, route_key="$default"), 404, "not_found")
    refused(frame.call("DELETE", SCAN, tenant_id=None, route_key="$default"), 405, "method_not_allowed")


def test_the_default_route_is_no_way_around_the_token(frame: Frame) -> None:
    refused(frame.call(json_body=GOOD, tenant_id=None, route_key="$default"), 404, "not_found")
    assert frame.seen == []


@pytest.mark.parametrize("status", [200, 401, 404, 422])
def test_every_answer_is_private_and_safe_in_a_browser(frame: Frame, status: int) -> None:
    answer = {
        200: lambda: frame.call(json_body=GOOD),
        401: lambda: frame.call(json_body=GOOD, tenant_id=None),
        404: lambda: frame.call("GET", "/nothing"),
        422: lambda: frame.post("{}"),
    }[status]()
    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "max-age" in answer.headers["strict-transport-security"]


def test_an_app_knows_only_its_own_callers() -> None:
    first, second = Frame(), Frame()
    other = UUID("22222222-2222-4222-8222-222222222222")
    first.call(json_body=GOOD)
    second.call(json_body=GOOD, tenant_id=other)
    assert (first.seen[0][0].tenant_id, second.seen[0][0].tenant_id) == (TENANT, other)
