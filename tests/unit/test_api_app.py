"""The frame around the API functions: who passes, which bodies and texts are taken, how everything else is answered."""

import base64
import json
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from http_events import REQUEST_ID, TENANT, Answered, call, event
from scrapersky.api import requests, responses, schemas
from scrapersky.api.app import Api, create_app
from scrapersky.api.denials import DenialCode
from scrapersky.api.parameters import IdempotencyKey, Wait
from scrapersky.errors import Conflict, Unavailable
from scrapersky.observability import logger
from scrapersky.services.jobs import Idempotency

# Of the real contract, so that the document that 405 is derived from knows it.
SCAN = "/api/v3/modernized_page_scraper/scan"
GOOD = {"base_url": "shop.example"}


class Frame:
    """An app with one route of each kind, and what its routes saw."""

    def __init__(self) -> None:
        self.app: Api = create_app(public=("/health",))
        self.seen: list[Any] = []
        self.failure: Exception | None = None

        @self.app.post(SCAN)
        def start(
            body: Annotated[schemas.ScanRequest, Body()], idempotency_key: IdempotencyKey = None
        ) -> Response[str]:
            if self.failure is not None:
                raise self.failure
            caller = self.app.caller(body.tenant_id)
            self.seen.append((caller, body, self.app.idempotency(idempotency_key)))
            return responses.answer(schemas.Health())

        @self.app.get("/api/v3/jobs")
        def jobs(status: Annotated[str | None, Query()] = None, wait: Wait = 0) -> Response[str]:
            self.seen.append((self.app.caller(), status, wait, self.app.address("/x")))
            return responses.answer(schemas.Health())

        @self.app.get("/health")
        def health() -> Response[str]:
            return responses.answer(schemas.Health())

    def call(self, method: str = "POST", target: str = SCAN, **request: Any) -> Answered:
        return call(self.app.resolve, method, target, **request)

    def post(self, body: str, **headers: str) -> Answered:
        return self.call(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def frame() -> Frame:
    return Frame()


def refused(answer: Answered, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is a problem of this kind, and return it."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.body
    document = schemas.Problem.model_validate(answer.json)
    assert (document.status, document.code, document.request_id) == (status, code, REQUEST_ID)
    problem: dict[str, Any] = answer.json
    return problem


# --- who passes -----------------------------------------------------------------------------------------------------


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


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'base_url': 'x'}",
        '{"base_url": "x"} x',
        '{"base_url": "x", "max_pages": NaN}',
        '{"base_url": "x", "max_pages": -Infinity}',
        '{"base_url": "x", "base_url": "y"}',
        '{"base_url": "x", "max_pages": ' + "9" * 5000 + "}",
        '{"base_url": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"base_url": ' + "[" * 40 + "]" * 40 + "}",
        '{"base_url": "a\nb"}',
    ],
)
def test_what_is_not_json_is_a_400(frame: Frame, body: str) -> None:
    refused(frame.post(body), 400, "malformed_json")
    assert frame.seen == []


@pytest.mark.parametrize("encoded", ["not base64!", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_is_not_utf_8_is_a_400(frame: Frame, encoded: str) -> None:
    refused(frame.call(body=encoded, base64=True), 400, "malformed_json")


def test_a_body_may_come_in_base64(frame: Frame) -> None:
    assert frame.call(body=base64.b64encode(json.dumps(GOOD).encode()).decode(), base64=True).status == 200


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ("[]", ["body"]),
        ('[{"base_url": "x"}]', ["body"]),
        ("null", ["body"]),
        ('"x"', ["body"]),
        ("{}", ["body", "base_url"]),
        ('{"base_url": ""}', ["body", "base_url"]),
        ('{"base_url": 7}', ["body", "base_url"]),
        ('{"base_url": ["x"]}', ["body", "base_url"]),
        ('{"base_url": "' + "x" * 2049 + '"}', ["body", "base_url"]),
        ('{"base_url": "x", "max_pages": 0}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 101}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": "5"}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": true}', ["body", "max_pages"]),
        ('{"base_url": "x", "max_pages": 1e400}', ["body", "max_pages"]),
        ('{"base_url": "x", "tenant_id": "acme"}', ["body", "tenant_id"]),
        ('{"base_url": "x", "max_page": 3}', ["body", "max_page"]),
        ('{"base_url": "a\\u0000b"}', ["body", "base_url"]),
        ('{"base_url": "a\\ud800b"}', ["body", "base_url"]),
        ('{"base_url": "x", "\\u0000": 1}', ["body"]),
    ],
)
def test_a_wrong_field_is_a_422_that_names_it(frame: Frame, body: str, loc: list[str]) -> None:
    problem = refused(frame.post(body), 422, "invalid")
    assert problem["errors"][0]["loc"] == loc
    assert problem["errors"][0]["msg"]
    assert frame.seen == []


def test_no_body_at_all_is_a_422(frame: Frame) -> None:
    assert refused(frame.call(), 422, "invalid")["errors"][0]["loc"] == ["body"]


def test_a_pair_of_surrogates_is_one_good_character(frame: Frame) -> None:
    assert frame.post('{"base_url": "\\ud83d\\ude00.example"}').status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=latin-1",
        "",
    ],
)
def test_another_kind_of_body_is_a_415(frame: Frame, content_type: str) -> None:
    refused(frame.post(json.dumps(GOOD), content_type=content_type), 415, "unsupported_media_type")


def test_a_compressed_body_is_a_415(frame: Frame) -> None:
    refused(frame.post(json.dumps(GOOD), content_encoding="gzip"), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON ; Charset=UTF-8", 'application/json; charset="utf-8"']
)
def test_json_in_utf_8_is_taken_however_it_is_spelled(frame: Frame, content_type: str) -> None:
    assert frame.post(json.dumps(GOOD), content_type=content_type).status == 200


def test_too_large_a_body_is_a_413(frame: Frame) -> None:
    padding = " " * requests.MAX_BODY_BYTES
    refused(frame.post(json.dumps(GOOD) + padding), 413, "too_large")
    refused(frame.post("ä" * (requests.MAX_BODY_BYTES // 2 + 1)), 413, "too_large")
    encoded = base64.b64encode((json.dumps(GOOD) + padding).encode()).decode()
    refused(frame.call(body=encoded, base64=True), 413, "too_large")


def test_a_body_of_just_the_limit_is_taken(frame: Frame) -> None:
    text = json.dumps(GOOD)
    assert frame.post(text + " " * (requests.MAX_BODY_BYTES - len(text))).status == 200


# --- parameters and headers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["-1", "20.5", "nan", "inf", "soon", "", "1,2"])
def test_a_wrong_parameter_is_a_422_that_names_it(frame: Frame, wait: str) -> None:
    problem = refused(frame.call("GET", f"/api/v3/jobs?wait={wait}"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", "wait"]


def test_a_parameter_that_cannot_be_stored_is_a_422(frame: Frame) -> None:
    problem = refused(frame.call("GET", "/api/v3/jobs?status=a%00b"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", "status"]
    refused(frame.call("GET", "/api/v3/jobs/a\x00b"), 422, "invalid")


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\t", "ü", "line\n", "\x7f"])
def test_a_wrong_idempotency_key_is_a_422(frame: Frame, key: str) -> None:
    answer = frame.call(json_body=GOOD, headers={"idempotency-key": key})
    assert refused(answer, 422, "invalid")["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def fingerprint(frame: Frame, body: str, key: str = "k") -> bytes:
    assert frame.post(body, idempotency_key=key).status == 200
    used: Idempotency = frame.seen.pop()[2]
    assert used.key == key
    return used.fingerprint


def test_a_key_stands_for_the_same_request_however_it_is_spelled(frame: Frame) -> None:
    first = fingerprint(frame, '{"base_url": "x", "max_pages": 3}')
    assert len(first) == 32
    assert fingerprint(frame, '{ "max_pages":3,"base_url" : "\\u0078" }') == first
    assert fingerprint(frame, '{"base_url": "x", "max_pages": 4}') != first


@pytest.mark.parametrize("key", ["a,b", "!~", "x" * 255])
def test_every_visible_character_may_stand_in_a_key(frame: Frame, key: str) -> None:
    assert fingerprint(frame, json.dumps(GOOD), key)


def test_without_a_key_there_is_none(frame: Frame) -> None:
    frame.call(json_body=GOOD)
    assert frame.seen[0][2] is None


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "api.example", "x-forwarded-proto": "https"}, "https://api.example/x"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}, "http://127.0.0.1:8000/x"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": ""}, "http://127.0.0.1:8000/x"),
        ({"host": "localhost:8000", "x-forwarded-proto": ""}, "http://localhost:8000/x"),
        ({"host": "[::1]:8000", "x-forwarded-proto": ""}, "http://[::1]:8000/x"),
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


# --- everything else ------------------------------------------------------------------------------------------------


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
        ("PUT", f"/api/v3/jobs/{uuid4()}", "GET"),
        ("GET", f"/api/v3/jobs/{uuid4()}/cancel", "POST"),
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
