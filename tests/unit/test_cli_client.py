"""The CLI's client: what it sends, what it makes of answers, when it tries again."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import httpx
import pytest

from scrapersky.errors import Invalid
from scrapersky.services import paging
from scrapersky.services.domain_scan import named_domain
from scrapersky.services.webhooks import receiver
from scrapersky_cli.answers import LONGEST_PAUSE_SECONDS
from scrapersky_cli.client import ATTEMPTS, ApiClient
from scrapersky_cli.errors import Refused, UnexpectedAnswer, Unreachable

API = "http://127.0.0.1:8000"
JOB_ID = UUID("0197c1d2-8a55-7c3e-9f3a-2b6f0c1d4e5f")
STATUS_URL = f"{API}/api/v3/modernized_page_scraper/status/{JOB_ID}"
ACCEPTED = {"job_id": str(JOB_ID), "status_url": STATUS_URL, "created_at": "2026-01-02T03:04:05Z"}

Handler = Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers with the given responses, in order, and keeps what was asked."""

    def __init__(self, answers: Iterable[httpx.Response | Exception]) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def client(self) -> ApiClient:
        return ApiClient(API, "a-token", transport=httpx.MockTransport(self._answer), sleep=self.pauses.append)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def job(status: str, progress: float = 0.0) -> dict[str, Any]:
    return {"job_id": str(JOB_ID), "status": status, "progress": progress, "domain": "shop.example"}


def test_a_scan_is_started_with_token_body_and_a_key_against_doubles() -> None:
    server = Server([httpx.Response(202, json=ACCEPTED)])
    with server.client() as client:
        accepted = client.start_scan("shop.example", max_pages=3)
    (request,) = server.requests
    assert (accepted.work_id, accepted.status_url) == (str(JOB_ID), STATUS_URL)
    assert request.url == f"{API}/api/v3/modernized_page_scraper/scan"
    assert json.loads(request.content) == {"base_url": "shop.example", "max_pages": 3}
    assert request.headers["Authorization"] == "Bearer a-token"
    assert str(UUID(request.headers["Idempotency-Key"])) == request.headers["Idempotency-Key"]


def test_a_repeated_start_carries_the_same_key() -> None:
    server = Server([httpx.ConnectError("refused"), httpx.Response(503), httpx.Response(202, json=ACCEPTED)])
    with server.client() as client:
        client.start_scan("shop.example", max_pages=3)
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert len(server.requests) == 3


def test_two_starts_carry_different_keys() -> None:
    server = Server([httpx.Response(202, json=ACCEPTED), httpx.Response(202, json=ACCEPTED)])
    with server.client() as client:
        client.start_scan("shop.example", max_pages=3)
        client.start_scan("shop.example", max_pages=3)
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 2


def test_a_lost_connection_is_tried_again() -> None:
    server = Server([httpx.ReadError("reset"), httpx.Response(200, json=job("complete"))])
    with server.client() as client:
        assert client.job(JOB_ID)["status"] == "complete"
    assert len(server.pauses) == 1


def test_the_tries_end_and_say_where_nobody_answered() -> None:
    server = Server([httpx.ConnectError("refused")] * ATTEMPTS)
    with server.client() as client, pytest.raises(Unreachable) as caught:
        client.job(JOB_ID)
    assert "no answer from http://127.0.0.1:8000/: refused" in caught.value.message
    assert len(server.requests) == ATTEMPTS
    assert len(server.pauses) == ATTEMPTS - 1


def test_a_server_that_asks_for_a_pause_gets_it_within_bounds() -> None:
    answers = [
        httpx.Response(429, headers={"Retry-After": "2"}),
        httpx.Response(503, headers={"Retry-After": "3600"}),
        httpx.Response(200, json=job("pending")),
    ]
    server = Server(answers)
    with server.client() as client:
        client.job(JOB_ID)
    assert server.pauses == [2.0, LONGEST_PAUSE_SECONDS]


def test_a_refusal_is_not_tried_again_and_reads_as_one_line() -> None:
    problem = {
        "type": "about:blank",
        "title": "Invalid request",
        "status": 422,
        "code": "invalid",
        "detail": "The request is not valid.",
        "errors": [{"loc": ["body", "base_url"], "msg": "an IP address is no domain name"}],
        "request_id": "r-1",
    }
    server = Server([httpx.Response(422, json=problem, headers={"Content-Type": "application/problem+json"})])
    with server.client() as client, pytest.raises(Refused) as caught:
        client.start_scan("127.0.0.1", max_pages=1)
    assert caught.value.message == (
        "422 invalid: The request is not valid. (body.base_url: an IP address is no domain name) [request r-1]"
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("detail", "errors", "told"),
    [
        ("url is no URL.", [("url", "is no URL")], ""),
        ("base_url names no domain: one label", [("base_url", "one label")], ""),
        ("Something is not an id.", [("job_id", "is not an id")], " (body.job_id)"),
        ("url is no URL.", [("url", "is no URL"), ("x", "extra")], " (body.x: extra)"),
        ("Not valid.", [("a", "extra"), ("b", "extra")], " (body.a: extra; body.b: extra)"),
        ("Not valid.", [("a", "")], " (body.a)"),
    ],
)
def test_a_refusal_tells_its_reason_once(detail: str, errors: list[tuple[str, str]], told: str) -> None:
    fields = [{"loc": ["body", name], "msg": msg} for name, msg in errors]
    refusal = Refused(422, {"code": "invalid", "detail": detail, "errors": fields})
    assert refusal.message == f"422 invalid: {detail}{told}"


@pytest.mark.parametrize(
    "refusing",
    [lambda: receiver("ftp://hook.example/"), lambda: named_domain("localhost"), lambda: paging.decode_time("x")],
    ids=["address", "domain", "cursor"],
)
def test_a_refusal_of_the_services_tells_its_reason_once(refusing: Callable[[], object]) -> None:
    with pytest.raises(Invalid) as caught:
        refusing()
    errors = [{"loc": list(field.loc), "msg": field.msg} for field in caught.value.errors]
    assert errors
    problem = {"code": caught.value.code, "detail": caught.value.detail, "errors": errors}
    assert Refused(422, problem).message == f"422 {caught.value.code}: {caught.value.detail}"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, html="<h1>Not here</h1>"),
        httpx.Response(302, headers={"Location": "https://login.example/"}),
        httpx.Response(200, text="hello"),
        httpx.Response(200, json=["no", "object"]),
        httpx.Response(400, content=b"{", headers={"Content-Type": "application/json"}),
    ],
    ids=["html", "redirect", "text", "array", "broken"],
)
def test_what_is_not_this_api_is_said_so(answer: httpx.Response) -> None:
    with Server([answer]).client() as client, pytest.raises(UnexpectedAnswer):
        client.job(JOB_ID)


def test_an_acceptance_without_an_address_is_no_acceptance() -> None:
    with Server([httpx.Response(202, json={"job_id": "x"})]).client() as client, pytest.raises(UnexpectedAnswer):
        client.start_scan("shop.example", max_pages=1)


def test_following_yields_each_change_and_ends_with_the_final_state() -> None:
    server = Server(
        [
            httpx.Response(200, json=job("pending"), headers={"ETag": '"1"'}),
            httpx.Response(304, headers={"ETag": '"1"'}),
            httpx.Response(200, json=job("running", 40.0), headers={"ETag": '"2"'}),
            httpx.Response(200, json=job("complete", 100.0), headers={"ETag": '"3"'}),
        ]
    )
    with server.client() as client:
        seen = [document["status"] for document in client.follow(STATUS_URL)]
    assert seen == ["pending", "running", "complete"]
    assert [request.headers.get("If-None-Match") for request in server.requests] == [None, '"1"', '"1"', '"2"']
    assert [request.url.params.get("wait") for request in server.requests] == [None, "20", "20", "20"]


def test_an_answer_that_was_not_held_does_not_become_a_busy_loop() -> None:
    server = Server(
        [
            httpx.Response(200, json=job("pending"), headers={"ETag": '"1"'}),
            httpx.Response(304, headers={"Retry-After": "3"}),
            httpx.Response(200, json=job("pending"), headers={"ETag": '"1"'}),
            httpx.Response(200, json=job("failed"), headers={"ETag": '"2"'}),
        ]
    )
    with server.client() as client:
        assert [document["status"] for document in client.follow(STATUS_URL)] == ["pending", "failed"]
    assert server.pauses == [3.0, 1.0]


def test_a_server_without_etags_is_polled_with_pauses() -> None:
    server = Server([httpx.Response(200, json=job("running")), httpx.Response(200, json=job("complete"))])
    with server.client() as client:
        assert len(list(client.follow(STATUS_URL))) == 2
    assert len(server.pauses) == 1


def test_following_ends_when_the_patience_does() -> None:
    server = Server([httpx.Response(200, json=job("pending"), headers={"ETag": '"1"'})] * 1000)
    with server.client() as client:
        assert [document["status"] for document in client.follow(STATUS_URL, patience=0.05)] == ["pending"]
    assert server.requests[1].url.params["wait"] == "1"


def test_the_token_stays_on_the_api_s_own_origin() -> None:
    server = Server([httpx.Response(200, json=job("complete"))])
    with server.client() as client:
        list(client.follow(f"https://elsewhere.example/api/v3/jobs/{JOB_ID}"))
    assert server.requests[0].url.copy_with(query=None) == f"{API}/api/v3/jobs/{JOB_ID}"


def test_filters_that_are_not_given_are_not_sent() -> None:
    server = Server([httpx.Response(200, json={"items": [], "next_cursor": None})])
    with server.client() as client:
        client.jobs(kind=None, status="failed", domain=None, limit=5, cursor=None)
    assert server.requests[0].url.query == b"status=failed&limit=5"


def test_a_domain_s_name_cannot_leave_its_place_in_the_path() -> None:
    server = Server([httpx.Response(200, json={})])
    with server.client() as client:
        client.domain("../jobs?x=1")
    assert server.requests[0].url.raw_path == b"/api/v3/domains/..%2Fjobs%3Fx%3D1"
