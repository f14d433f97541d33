"""Health, the OpenAPI document with its page, and the authorizer in front of it all."""

import base64
import json
import time
import zlib
from typing import Any
from uuid import uuid4

import boto3
import jwt
import pytest

from conftest import TestDatabase
from integration.api.conftest import BODY, JOBS, SCAN, Client, refused
from integration.conftest import REGION
from support.http_events import Context, function


def test_health_needs_no_token(client: Client) -> None:
    for path in ("/health", "/health/database"):
        answer = client.call("GET", path, tenant_id=None)
        assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_a_database_that_does_not_answer_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name=uuid4().hex, SecretString="host=127.0.0.1 port=1 dbname=x user=x connect_timeout=1"
    )
    monkeypatch.setenv("DATABASE_SECRET_ARN", secret["ARN"])
    monkeypatch.setattr("scrapersky.db.connection.RETRY_SECONDS", 0.0)
    answer = client.call("GET", "/health/database", tenant_id=None)
    refused(answer, 503, "unavailable")
    assert "127.0.0.1" not in answer.body
    assert client.call("GET", "/health", tenant_id=None).status == 200


def test_a_missing_secret_is_a_500_that_names_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_SECRET_ARN")
    answer = client.get(JOBS)
    refused(answer, 500, "internal")
    assert "SECRET" not in answer.body


def test_the_openapi_document_and_its_page_are_served(client: Client) -> None:
    document = client.call("GET", "/openapi.json", tenant_id=None)
    assert (document.status, document.headers["content-type"]) == (200, "application/json")
    assert json.loads(document.body)["openapi"].startswith("3.1")

    page = client.call("GET", "/docs", tenant_id=None, headers={"accept-encoding": "gzip, br"})
    assert (page.status, page.headers["content-encoding"]) == (200, "gzip")
    html = zlib.decompress(base64.b64decode(page.body), zlib.MAX_WBITS | 16).decode()
    assert "openapi.json" in html
    assert "SwaggerUIBundle" in html
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert html.count(f'nonce="{nonce}"') == html.count("<script") == 2


def test_a_token_becomes_the_tenant_that_the_rows_belong_to(
    client: Client, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = "a-secret-of-more-than-thirty-two-bytes"
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name=uuid4().hex, SecretString=signing)
    monkeypatch.setenv("JWT_ALGORITHM", "HS256")
    monkeypatch.setenv("JWT_SECRET_ARN", secret["ARN"])
    monkeypatch.setenv("JWT_AUDIENCE", "authenticated")
    authorizer = function("authorizer")

    def authorized(headers: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = authorizer.lambda_handler({"headers": headers, "requestContext": {}}, Context())
        assert answer["isAuthorized"] is True
        context: dict[str, Any] = answer["context"]
        return context

    tenant_id = uuid4()
    claims = {"aud": "authenticated", "exp": int(time.time()) + 60, "sub": "user-9", "tenant_id": str(tenant_id)}
    good = authorized({"authorization": f"Bearer {jwt.encode(claims, signing, 'HS256')}"})
    assert good == {"tenant_id": str(tenant_id), "sub": "user-9", "exp": claims["exp"]}
    assert client.call("POST", f"{SCAN}/scan", json_body=BODY, authorizer=good).status == 202
    assert postgres.one("select tenant_id, created_by from scrapersky.jobs") == (tenant_id, "user-9")

    for headers, code in (
        ({}, "token_missing"),
        ({"authorization": "Bearer x.y.z"}, "token_malformed"),
        ({"authorization": f"Bearer {jwt.encode(claims, signing[::-1], 'HS256')}"}, "token_signature"),
    ):
        refused(client.call("GET", JOBS, authorizer=authorized(headers)), 401, code)

    monkeypatch.delenv("JWT_SECRET_ARN")
    denied = authorized({"authorization": f"Bearer {jwt.encode(claims, signing, 'HS256')}"})
    refused(client.call("GET", JOBS, authorizer=denied), 503, "keys_unavailable")
