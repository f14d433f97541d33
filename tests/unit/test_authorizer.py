"""The authorizer: a tenant or the reason for a denial, whatever a request brings, and never an error of its own."""

import json
import time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrapersky.api import jwks
from scrapersky.api.denials import DenialCode
from scrapersky.errors import ConfigurationError
from support.http_events import REQUEST_ID, Context, function
from support.jwts import RSA_KEY, SECRET, TENANT, by_key, claims, forged, public, signed
from support.log_lines import recorded

HOSTILE = [
    "Bearer",
    "Bearer ..",
    "Bearer " + "x" * 10_000,
    "Bearer " + forged({"alg": "none"}, claims()),
    "Bearer " + forged({"alg": "HS256", "kid": ["one"]}, claims()),
    "Bearer " + forged("[" * 3000, claims()),
    "Bearer " + forged({"alg": "HS256"}, '{"exp": NaN}'),
    "Bearer " + forged({"alg": "HS256"}, "[" * 3000),
    "Bearer " + forged({"alg": "HS256"}, '{"exp": ' + "9" * 5000 + "}"),
    "Bearer \ud800.b.c",
    "\x00",
]


class Authorizer:
    """The function, asked with one header."""

    def __init__(self) -> None:
        self.module = function("authorizer")

    def context(self, authorization: Any) -> dict[str, Any]:
        event = {"headers": {"authorization": authorization}, "requestContext": {}}
        answer: dict[str, Any] = self.module.lambda_handler(event, Context())
        # The gateway lets every request pass, with a context of plain values: texts and numbers.
        assert answer["isAuthorized"] is True
        assert all(isinstance(value, str | int) for value in answer["context"].values())
        json.dumps(answer)
        context: dict[str, Any] = answer["context"]
        return context

    def denied(self, authorization: Any) -> DenialCode:
        context = self.context(authorization)
        assert set(context) == {"denied"}
        return DenialCode(context["denied"])


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Authorizer:
    monkeypatch.setenv("JWT_ALGORITHM", "HS256")
    monkeypatch.setenv("JWT_SECRET_ARN", "arn")
    monkeypatch.setenv("JWT_AUDIENCE", "authenticated")
    authorizer = Authorizer()

    def secret(arn: str, *, answer_seconds: float) -> str:
        assert (arn, answer_seconds) == ("arn", authorizer.module.SECRET_ANSWER_SECONDS)
        return SECRET

    monkeypatch.setattr(authorizer.module, "secret", secret)
    return authorizer


def test_a_good_token_is_a_tenant(shared: Authorizer) -> None:
    until = int(time.time()) + 60
    context = shared.context(f"Bearer {signed(exp=until)}")
    assert context == {"tenant_id": str(TENANT), "sub": "user-1", "exp": until}


def test_a_tenant_is_told_in_one_spelling(shared: Authorizer) -> None:
    other = UUID("abcdefab-cdef-4bcd-8fab-cdefabcdefab")
    assert shared.context(f"Bearer {signed(tenant_id=str(other).upper())}")["tenant_id"] == str(other)


@pytest.mark.parametrize("authorization", [None, "", *HOSTILE])
def test_a_bad_token_is_its_senders_fault(shared: Authorizer, authorization: str | None) -> None:
    assert not shared.denied(authorization).is_ours


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(max_size=60) | st.text(alphabet="Bearer .=eyJhbG{}\"'\x00", max_size=60).map("Bearer {}".format))
def test_so_is_any_other_text(shared: Authorizer, authorization: str) -> None:
    assert not shared.denied(authorization).is_ours


@pytest.mark.parametrize("headers", [None, {}])
def test_a_request_without_headers_has_no_token(shared: Authorizer, headers: Any) -> None:
    answer = shared.module.lambda_handler({"headers": headers, "requestContext": {}}, Context())
    assert answer == {"isAuthorized": True, "context": {"denied": "token_missing"}}


def test_a_denial_is_logged_under_the_requests_id(shared: Authorizer, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"headers": {}, "requestContext": {"requestId": REQUEST_ID}}
    with recorded(capsys) as written:
        shared.module.lambda_handler(event, Context())
        shared.denied(None)
    first, second = written.events()
    assert (first["message"], first["code"], first["correlation_id"]) == ("token denied", "token_missing", REQUEST_ID)
    assert second.get("correlation_id") is None


def test_control_what_goes_wrong_on_our_side_is_told_as_ours(
    shared: Authorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(arn: str, *, answer_seconds: float) -> str:
        raise ConfigurationError(f"secret {arn} cannot be read")

    monkeypatch.setattr(shared.module, "secret", unreadable)
    assert shared.denied(f"Bearer {signed()}").is_ours


def test_without_its_configuration_nobody_is_let_in(shared: Authorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_ALGORITHM", "none")
    assert shared.denied(f"Bearer {signed()}").is_ours
    monkeypatch.delenv("JWT_ALGORITHM")
    assert shared.denied(f"Bearer {signed()}").is_ours


def test_one_process_fetches_its_issuers_keys_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return json.dumps({"keys": [public("one", RSA_KEY)]}).encode()

    monkeypatch.setattr(jwks, "fetch_document", fetch)
    monkeypatch.setenv("JWT_ALGORITHM", "RS256")
    monkeypatch.setenv("JWT_AUDIENCE", "authenticated")
    monkeypatch.setenv("JWKS_URL", "https://issuer.example/jwks.json")
    authorizer = Authorizer()
    for _ in range(3):
        assert authorizer.context(f"Bearer {by_key()}")["tenant_id"] == str(TENANT)
        assert authorizer.denied(f"Bearer {by_key('invented')}") is DenialCode.UNKNOWN_KEY
        assert authorizer.denied(f"Bearer {signed()}") is DenialCode.WRONG_ALGORITHM
    assert asked == ["https://issuer.example/jwks.json"]
