"""Requests that no client of good will sends, byte by byte: each is a problem, and none leaves a row behind."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack, token_of
from scrapersky.api.schemas import Problem

SCAN = "/api/v3/modernized_page_scraper/scan"
BATCH = "/api/v3/batch_page_scraper/batch"
JOBS = "/api/v3/jobs"
DOMAINS = "/api/v3/domains"
GOOD = b'{"base_url": "shop.example", "max_pages": 1}'
JSON = b"Content-Type: application/json"
ANSWER_SECONDS = 25.0

BODIES: dict[str, tuple[int, bytes]] = {
    "cut off": (400, GOOD[:-1]),
    "not JSON": (400, b"{'base_url': 1}"),
    "a name twice": (400, b'{"base_url": "a.example", "base_url": "b.example"}'),
    "100,000 lists deep": (400, b'{"base_url": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "100,000 objects deep": (400, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "U+0000 escaped": (422, b'{"base_url": "a\\u0000.example"}'),
    "U+0000 raw": (400, b'{"base_url": "a\x00.example"}'),
    "half a surrogate pair": (422, b'{"base_url": "\\ud800.example"}'),
    "a name that is half a pair": (422, b'{"base_url": "a.example", "\\udfff": 1}'),
    "1e400": (422, b'{"base_url": "a.example", "max_pages": 1e400}'),
    "5,000 digits": (400, b'{"base_url": "a.example", "max_pages": 1' + b"0" * 5000 + b"}"),
    "minus zero": (422, b'{"base_url": "a.example", "max_pages": -0}'),
    "NaN": (400, b'{"base_url": "a.example", "max_pages": NaN}'),
    "Infinity": (400, b'{"base_url": "a.example", "max_pages": -Infinity}'),
    "a byte order mark": (400, b"\xef\xbb\xbf" + GOOD),
    "UTF-16": (400, GOOD.decode().encode("utf-16")),
    "Latin-1": (400, '{"base_url": "é.example"}'.encode("latin-1")),
    "6 MB": (413, b'{"base_url": "' + b"a" * 6_000_000 + b'"}'),
    "gzip that does not say so": (400, gzip.compress(GOOD)),
    "white space": (400, b" \n"),
    "nothing": (422, b""),
    "a list": (422, b"[]"),
    "null": (422, b"null"),
}
HEADERS: dict[str, tuple[int, list[bytes]]] = {
    "text": (415, [b"Content-Type: text/plain"]),
    "no kind that there is": (415, [b"Content-Type: \x80\xff"]),
    "UTF-16": (415, [b"Content-Type: application/json; charset=utf-16"]),
    "two kinds": (415, [JSON, b"Content-Type: text/plain"]),
    "compressed": (415, [JSON, b"Content-Encoding: gzip"]),
    "no token": (401, [JSON, b"Authorization: Basic dXNlcjpwYXNz"]),
    "half a token": (401, [JSON, b"Authorization: Bearer e30.e30"]),
    "an endless key": (422, [JSON, b"Idempotency-Key: " + b"k" * 300]),
    "a key with a space": (422, [JSON, b"Idempotency-Key: a b"]),
    "a key that is no ASCII": (422, [JSON, "Idempotency-Key: ä".encode()]),
}
IDS = {
    "unknown": (404, str(uuid4())),
    "unknown in upper case": (404, str(uuid4()).upper()),
    "10,000 characters": (422, "a" * 10_000),
    "U+0000": (422, "%00"),
    "half an escape": (422, "%zz"),
    "a slash": (404, "a%2Fb"),
    "two dots": (422, "%2e%2e"),
    "a line break": (404, "%0d%0aX-Evil:1"),
    "SQL": (422, "1'%20or%20'1'='1"),
}
QUERIES = [
    *(f"wait={text}" for text in ("-1", "20.5", "nan", "inf", "1e3", "", "1,2", "0x1", "1&wait=2", "%00", "%ff")),
    *(f"limit={text}" for text in ("0", "501", "1e2", "-1", "9" * 30, "1&limit=2", "%00")),
    *(f"cursor={text}" for text in ("", "x", "e30", "W10", "bnVsbA", "A" * 2000, "%00", "%f0%9f%98%80")),
    *(f"{name}={text}" for name in ("status", "kind", "batch_id") for text in ("x", "%00", f"complete&{name}=failed")),
    "domain=" + "a" * 300,
]


@dataclass(frozen=True, slots=True)
class Stranger:
    """A tenant that nobody else is, at the API's port."""

    tenant_id: UUID
    token: str
    port: int


@pytest.fixture
def somebody(stack: RunningStack) -> Stranger:
    """Somebody who may leave rows behind."""
    tenant_id = uuid4()
    return Stranger(tenant_id, token_of(stack, tenant_id), int(stack.info.api_url.rpartition(":")[2]))


@pytest.fixture
def stranger(somebody: Stranger, database: psycopg.Connection[TupleRow]) -> Iterator[Stranger]:
    """Somebody of whom no table holds a row after the test."""
    yield somebody
    assert set(rows(database, somebody.tenant_id).values()) == {0}


def rows(database: psycopg.Connection[TupleRow], tenant_id: UUID) -> dict[str, int]:
    """How many rows the tenant has, by table."""
    found = database.execute(
        "select table_name from information_schema.columns where table_schema = 'scrapersky'"
        " and column_name = 'tenant_id'"
    ).fetchall()
    tables = {name for (name,) in found}
    assert {"jobs", "batches", "outbox", "idempotency_keys", "domains"} <= tables
    counts = {}
    for table in sorted(tables):
        statement = f"select count(*) from scrapersky.{table} where tenant_id = %s".encode()
        ((counts[table],),) = database.execute(statement, (tenant_id,)).fetchall()
    return counts


def send(stranger: Stranger, method: bytes, target: bytes, *headers: bytes, body: bytes | None = None) -> bytes:
    """The bytes of the answer to one request on a connection of its own."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: api.example", b"Connection: close", *headers]
    if not any(line.startswith(b"Authorization") for line in headers):
        lines.append(b"Authorization: Bearer " + stranger.token.encode())
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    answer = b""
    with socket.create_connection(("127.0.0.1", stranger.port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))
        while part := connection.recv(65_536):
            answer += part
    return answer


def problem(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and document of an answer that must be a problem, whole and safe."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.search(rb"(?i)\r\ncontent-type: application/problem\+json(\r\n|$)", head), answer[:300]
    assert b"evil" not in head.lower()
    document = json.loads(body)
    Problem.model_validate(document)
    assert not re.search("(?i)traceback|psycopg|select |/work|site-packages", body.decode())
    status = int(head.split(b" ", 2)[1])
    assert document["status"] == status
    return status, document


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", [SCAN, BATCH])
def test_a_bad_body_is_a_problem(stranger: Stranger, name: str, path: str) -> None:
    status, body = BODIES[name]
    assert problem(send(stranger, b"POST", path.encode(), JSON, body=body))[0] == status


def test_a_bad_header_is_a_problem(stranger: Stranger) -> None:
    found = {
        name: problem(send(stranger, b"POST", SCAN.encode(), *sent, body=GOOD))[0]
        for name, (_, sent) in HEADERS.items()
    }
    assert found == {name: status for name, (status, _) in HEADERS.items()}


@pytest.mark.parametrize("method", ["GET", "cancel", "retry"])
def test_a_bad_id_is_a_problem(stranger: Stranger, method: str) -> None:
    verb, end = (b"GET", "") if method == "GET" else (b"POST", f"/{method}")
    found = {name: problem(send(stranger, verb, f"{JOBS}/{id_}{end}".encode()))[0] for name, (_, id_) in IDS.items()}
    assert found == {name: status for name, (status, _) in IDS.items()}


def test_a_bad_query_is_a_problem(stranger: Stranger) -> None:
    job = str(uuid4())
    for query in QUERIES:
        path = f"{JOBS}/{job}" if query.startswith("wait") else JOBS
        assert problem(send(stranger, b"GET", f"{path}?{query}".encode()))[0] == 422, query


def test_a_method_that_a_path_does_not_have_is_a_problem(stranger: Stranger) -> None:
    for method in (b"OPTIONS", b"TRACE", b"PUT", b"DELETE", b"PATCH", b"CONNECT", b"PROPFIND"):
        for path, status in ((JOBS, 405), (SCAN, 405), ("/health", 405), ("/nowhere", 404)):
            answer = send(stranger, method, path.encode())
            assert problem(answer)[0] == status, (method, path)
            assert (b"\r\nallow: " in answer.lower()) == (status == 405)


def test_a_head_request_is_answered_by_a_head_alone(stranger: Stranger) -> None:
    for path in (JOBS, "/health", "/nowhere"):
        head, _, body = send(stranger, b"HEAD", path.encode()).partition(b"\r\n\r\n")
        assert int(head.split(b" ", 2)[1]) in (404, 405)
        assert body == b""


@pytest.mark.parametrize(
    "path",
    [
        f"{JOBS}/",
        f"/{JOBS}",
        f"{JOBS}//",
        "/api/v3//jobs",
        "/api/v3/./jobs/x/y",
        "/..",
        "/%2e%2e/health",
        "/HEALTH",
        "/health%00",
        "*",
        "http://evil.example/health",
        "/_aws/execute-api/x/$default/health",
        "/_ministack/health",
        "/_scrapersky/open/x",
        "/2015-03-31/functions",
        f"{DOMAINS}/%00",
        f"{DOMAINS}/{'a' * 10_000}",
    ],
)
def test_a_path_that_is_not_there_is_a_problem(stranger: Stranger, path: str) -> None:
    assert problem(send(stranger, b"GET", path.encode()))[0] in (404, 422)


def test_a_header_cannot_be_put_into_an_answer(somebody: Stranger, database: psycopg.Connection[TupleRow]) -> None:
    host = b"X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https://evil.example/"
    answer = send(somebody, b"POST", SCAN.encode(), JSON, host, body=GOOD)
    head, _, accepted = answer.partition(b"\r\n\r\n")
    assert b" 202 " in head
    assert b"evil" not in answer
    assert json.loads(accepted)["status_url"].startswith("http://api.example/")
    assert rows(database, somebody.tenant_id)["jobs"] == 1  # what the other tests would see if one were left


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /health HTTP/1.1\r\nNo colon",
        b"GET / HTTP/1.1\r\nX: a\rb",
        b"GET /\xff HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_what_is_no_http_is_refused_and_the_next_request_is_served(stranger: Stranger, request_line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", stranger.port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(request_line + b"\r\nHost: x\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
    assert b" 200 " in send(stranger, b"GET", b"/health").partition(b"\r\n")[0]
