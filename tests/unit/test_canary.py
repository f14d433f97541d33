"""The canary's judgement: every answer that a client could not work with is a failure, named by its step."""

import time
from typing import Any

import httpx
import pytest

from scrapersky.errors import ConfigurationError
from scrapersky.services import canary
from scrapersky.services.canary import Failure, Step

API = "https://abc123.execute-api.eu-central-1.amazonaws.com"
TOKEN = "header.payload.signature-of-the-canary"
JOB = "6c0d9e55-2f7a-4a75-a1d1-6a1f9a4b9d11"
STATUS = "/api/v3/modernized_page_scraper/status/" + JOB
EVIDENCE = {"title": {"page_url": "https://shop.example/", "method": "title"}}
FACTS: dict[str, Any] = {"title": "Shop", "sources": EVIDENCE}

Answers = dict[str, list[Any]]


def complete(**facts: object) -> dict[str, Any]:
    return {"job_id": JOB, "status": "complete", "error": None, "result": {"site_data": {**FACTS, **facts}}}


def answers(**changed: Any) -> Answers:
    """What the API says in turn, by step; the last answer of a step is said again and again."""
    told: Answers = {
        "start": [(202, {"job_id": JOB, "status_url": API + STATUS})],
        "follow": [(200, {"status": "pending", "result": None}), (200, complete())],
        "read_back": [(200, complete())],
    }
    return told | {step: answer if isinstance(answer, list) else [answer] for step, answer in changed.items()}


class Api:
    """An API that says what it is told to, and remembers what it was asked."""

    def __init__(self, said: Answers) -> None:
        self.said = {step: list(turn) for step, turn in said.items()}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        step = "start" if request.method == "POST" else "follow" if "/status/" in request.url.path else "read_back"
        turn = self.said[step]
        answer = turn.pop(0) if len(turn) > 1 else turn[0]
        if isinstance(answer, Exception):
            raise answer
        code, body = answer
        return httpx.Response(code, **({"json": body} if not isinstance(body, bytes) else {"content": body}))


def run(said: Answers, *, seconds: float = 300.0) -> tuple[canary.Seen, Api]:
    api = Api(said)
    with canary.client(API, TOKEN, transport=httpx.MockTransport(api)) as client:
        return canary.run(client, "https://shop.example/", deadline=time.monotonic() + seconds), api


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "PAUSE_SECONDS", 0.0)


def test_a_scan_that_is_as_it_should_be_passes() -> None:
    seen, api = run(answers())
    assert seen == canary.Seen(JOB, None)
    assert [(request.method, request.url.path) for request in api.asked] == [
        ("POST", canary.START),
        ("GET", STATUS),
        ("GET", STATUS),
        ("GET", f"{canary.JOBS}/{JOB}"),
    ]
    assert api.asked[0].content == b'{"base_url":"https://shop.example/","max_pages":1}'
    assert {request.headers["authorization"] for request in api.asked} == {f"Bearer {TOKEN}"}
    assert [request.url.params.get("wait") for request in api.asked] == [None, "20", "20", None]


def problem(code: str, status: int) -> tuple[int, dict[str, Any]]:
    return status, {"code": code, "status": status, "request_id": "JKJaXmPLvHcESHA="}


FAILURES: list[tuple[str, Answers, Failure]] = [
    (
        "no connection",
        answers(start=httpx.ConnectError(f"to {TOKEN}")),
        Failure(Step.START, "not reached: ConnectError"),
    ),
    ("no answer", answers(start=httpx.ReadTimeout("")), Failure(Step.START, "no answer in time")),
    (
        "expired token",
        answers(start=problem("token_expired", 401)),
        Failure(Step.START, "refused: token_expired", 401, "JKJaXmPLvHcESHA="),
    ),
    ("gateway's own error", answers(start=(503, {"message": "x"})), Failure(Step.START, "refused: None", 503)),
    ("redirect", answers(start=(302, b"")), Failure(Step.START, "refused: None", 302)),
    ("page", answers(start=(200, b"<!doctype html>")), Failure(Step.START, "the answer is no JSON object", 200)),
    ("not UTF-8", answers(start=(200, b'{"\xff": 1}')), Failure(Step.START, "the answer is no JSON object", 200)),
    ("list", answers(start=(200, [1])), Failure(Step.START, "the answer is no JSON object", 200)),
    ("no job", answers(start=(202, {"status_url": API})), Failure(Step.START, "the answer has no job_id")),
    ("no address", answers(start=(202, {"job_id": JOB})), Failure(Step.START, "the answer has no status_url")),
    *(
        (
            f"address {address}",
            answers(start=(202, {"job_id": JOB, "status_url": address})),
            Failure(Step.FOLLOW, "status_url leads to another host"),
        )
        for address in (
            "https://evil.example/x",
            API.replace("https", "http") + STATUS,
            API + ":8443/",
            "https://[",
            "",
        )
    ),
    (
        "failed job",
        answers(follow=(200, {"status": "failed", "error": {"code": "dns_failure"}})),
        Failure(Step.FOLLOW, "the scan ended as failed: dns_failure"),
    ),
    (
        "cancelled job",
        answers(follow=(200, {"status": "cancelled", "error": None})),
        Failure(Step.FOLLOW, "the scan ended as cancelled: None"),
    ),
    ("no title", answers(follow=(200, complete(title=None))), Failure(Step.FACTS, "the title was not found")),
    ("blank title", answers(follow=(200, complete(title=" "))), Failure(Step.FACTS, "the title was not found")),
    ("no evidence", answers(follow=(200, complete(sources={}))), Failure(Step.FACTS, "the title has no evidence")),
    (
        "half evidence",
        answers(follow=(200, complete(sources={"title": {"page_url": "https://shop.example/"}}))),
        Failure(Step.FACTS, "the title has no evidence"),
    ),
    (
        "no result",
        answers(follow=(200, {"status": "complete", "result": None})),
        Failure(Step.FACTS, "the title was not found"),
    ),
    (
        "job gone",
        answers(read_back=problem("not_found", 404)),
        Failure(Step.READ_BACK, "refused: not_found", 404, "JKJaXmPLvHcESHA="),
    ),
    (
        "job of another state",
        answers(read_back=(200, complete() | {"status": "running"})),
        Failure(Step.READ_BACK, "the job is running, not complete"),
    ),
    (
        "job with other facts",
        answers(read_back=(200, complete(title="Other"))),
        Failure(Step.READ_BACK, "the title is another one than the status had"),
    ),
]


@pytest.mark.parametrize(("said", "failure"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_what_is_not_as_it_should_be_is_told_by_its_step(said: Answers, failure: Failure) -> None:
    seen, _ = run(said)
    assert seen.failure == failure
    assert TOKEN not in repr(seen)


def test_the_token_goes_to_no_other_host() -> None:
    _, api = run(answers(start=(202, {"job_id": JOB, "status_url": "https://evil.example/x"})))
    assert {request.url.host for request in api.asked} == {httpx.URL(API).host}


class Clock:
    """A clock on which each look takes a tenth of a second."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_scan_that_does_not_end_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(canary, "time", clock)
    monkeypatch.setattr(canary, "PAUSE_SECONDS", 0.2)
    api = Api(answers(follow=(200, {"status": "running"})))
    with canary.client(API, TOKEN, transport=httpx.MockTransport(api)) as client:
        seen = canary.run(client, "https://shop.example/", deadline=clock.now + 10)
    assert seen.failure == Failure(Step.FOLLOW, "the scan is still running, and the time is up")
    assert 1008 < clock.now <= 1010
    holds = [int(request.url.params["wait"]) for request in api.asked[1:]]
    assert holds[0] == 4
    assert holds == sorted(holds, reverse=True)


def test_nothing_is_begun_when_the_time_is_up() -> None:
    seen, api = run(answers(), seconds=0)
    assert seen.failure == Failure(Step.START, "the time is up")
    assert api.asked == []


def test_what_the_api_says_is_cut_in_the_log() -> None:
    seen, _ = run(answers(start=problem("x" * 10_000, 500)))
    assert seen.failure is not None
    assert len(seen.failure.reason) <= canary.MAX_SHOWN + len("refused: ")


@pytest.mark.parametrize(
    "url",
    ["http://api.example", "http://127.0.0.1.example", "ftp://api.example", "api.example", "", "https://", "x://"],
)
def test_an_address_that_is_not_https_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CANARY_API_URL"):
        canary.client(url, TOKEN)


@pytest.mark.parametrize("url", [API, "http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_https_and_this_machine_are_taken(url: str) -> None:
    canary.client(url, TOKEN).close()


@pytest.mark.parametrize("token", ["", "two words", "line\nline", "kéy", "nul\0"])
def test_a_secret_that_no_header_can_hold_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        canary.client(API, token)
    assert not token or token not in str(refused.value)


def test_control_without_its_judgement_wrong_facts_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "_require_facts", lambda *_: None)
    seen, _ = run(answers(follow=(200, complete(sources={}))))
    assert seen.failure is None
