"""The commands around batches: what they send, print and write, and with which exit code they end."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from scrapersky_cli.client import is_final
from support.cli_runs import API, JOB_ID, Answer, FakeApi, job, problem

BATCH_ID = "0197c1d2-0000-7c3e-9f3a-2b6f0c1d4e5f"
BATCHES = "/api/v3/batch_page_scraper/batch"
START = f"POST {BATCHES}"
STATUS = f"GET {BATCHES}/{BATCH_ID}/status"
RESULTS = f"GET {BATCHES}/{BATCH_ID}/results"
NO_JOB = problem(404, "not_found", "There is no such job.")
ACCEPTED = {
    "batch_id": BATCH_ID,
    "status_url": f"{API}{BATCHES}/{BATCH_ID}/status",
    "job_count": 3,
    "created_at": "2026-01-02T03:04:05Z",
    "rejected": [{"input": "no\x1b[2J domain", "reason": "the text is no domain name"}],
}
TIMED_OUT = {"code": "timeout", "message": "no answer in 15 s", "retryable": True}
FOUND = {
    **job("complete"),
    "result": {"site_data": {"title": "Shop", "contact_info": {"email": ["a@shop.example"], "phone": ["+1"]}}},
}
NOT_FOUND = job("failed", domain="slow.example", error=TIMED_OUT)
NDJSON = "".join(json.dumps(line) + "\n" for line in (FOUND, NOT_FOUND)).encode()


def batch(status: str = "complete", **more: Any) -> dict[str, Any]:
    """A batch's status document as the API has it."""
    document: dict[str, Any] = {
        "batch_id": BATCH_ID,
        "kind": "domain_scan",
        "status": status,
        "total_domains": 3,
        "completed_domains": 1,
        "failed_domains": 2,
        "cancelled_domains": 0,
        "progress": 100.0,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:09Z",
        "start_time": "2026-01-02T03:04:06Z",
        "end_time": "2026-01-02T03:04:09Z",
        "processing_time": 3.0,
        "domain_statuses": {
            "a.example": {"job_id": JOB_ID, "status": "failed", "error": TIMED_OUT},
            "b.example": {"job_id": JOB_ID, "status": "failed", "error": TIMED_OUT},
            "shop.example": {"job_id": JOB_ID, "status": "complete", "error": None},
        },
        "error": None,
        "metadata": {"domain_statuses_truncated": False},
    }
    return document | more


def results(request: httpx.Request) -> httpx.Response:
    if request.url.params["format"] == "csv":
        return httpx.Response(200, text='domain,title\r\nshop.example,"a\x1b[2J"\r\n')
    return httpx.Response(200, content=NDJSON)


def api(*statuses: dict[str, Any], **more: Answer) -> FakeApi:
    """An API that takes a batch, then tells these states of it, the last one again and again."""
    left = list(statuses or (batch(),))

    def status(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    answers: dict[str, Answer] = {START: httpx.Response(202, json=ACCEPTED), STATUS: status, RESULTS: results}
    return FakeApi(answers | more)


@pytest.fixture
def domains(tmp_path: Path) -> str:
    path = tmp_path / "domains.txt"
    path.write_text("shop.example\na.example\nno domain\n", "utf-8")
    return str(path)


def test_a_batch_is_sent_waited_for_and_shown(domains: str) -> None:
    fake = api(batch("pending", progress=0.0), batch("running", progress=50.0), batch())
    ran = fake.run("batch", domains, "--max-pages", "3", "--max-concurrent", "50", "--batch-id", BATCH_ID)
    assert ran.exit_code == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert lines[1:] == ["shop.example complete Shop a@shop.example +1", "slow.example failed timeout"]
    assert "no domain: no[2J domain (the text is no domain name)\n" in ran.stderr
    assert f"Batch {BATCH_ID} is complete. 3 domains: 1 complete, 2 failed, 0 cancelled, 0 to go\n" in ran.stderr
    start, *polls, fetched = fake.requests
    assert json.loads(start.content) == {
        "domains": ["shop.example", "a.example", "no domain"],
        "max_pages": 3,
        "max_concurrent": 50,
        "batch_id": BATCH_ID,
    }
    assert str(UUID(start.headers["Idempotency-Key"])) == start.headers["Idempotency-Key"]
    lean = {"domain_statuses": "false"}
    assert [dict(poll.url.params) for poll in polls] == [lean, *[{**lean, "wait": "20"}] * 2]
    assert fetched.url.params["format"] == "ndjson"


def test_without_being_asked_for_a_batch_has_the_contract_s_bounds_and_no_id(domains: str) -> None:
    fake = api()
    fake.run("batch", domains)
    body = json.loads(fake.requests[0].content)
    assert {name: body[name] for name in body if name != "domains"} == {"max_pages": 10, "max_concurrent": 5}


@pytest.mark.parametrize(("status", "code"), [("complete", 0), ("failed", 1), ("cancelled", 1)])
def test_the_exit_code_is_how_the_batch_ended_and_its_results_are_there_anyway(
    domains: str, status: str, code: int
) -> None:
    ran = api(batch(status)).run("batch", domains)
    assert ran.exit_code == code
    assert "a@shop.example" in ran.stdout


def test_a_batch_s_json_is_its_whole_status_and_nothing_else(domains: str) -> None:
    ran = api().run("batch", domains, "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == batch()


def test_a_batch_need_not_be_waited_for(domains: str) -> None:
    ran = api().run("batch", domains, "--no-wait")
    assert (ran.exit_code, ran.stdout) == (0, f"{BATCH_ID}\n")
    assert f"scrapersky status {BATCH_ID} --wait" in ran.stderr
    assert json.loads(api().run("batch", domains, "--no-wait", "--json").stdout) == ACCEPTED


def test_many_entries_that_are_no_domains_are_told_in_few_lines(domains: str) -> None:
    rejected = [{"input": f"no {number}", "reason": "bad"} for number in range(12)]
    fake = api(**{START: httpx.Response(202, json={**ACCEPTED, "rejected": rejected})})
    said = fake.run("batch", domains, "--no-wait").stderr
    assert said.count("no domain: ") == 6
    assert "no domain: 7 more" in said
    cut = {**ACCEPTED, "rejected": rejected, "rejected_truncated": True}
    fake = api(**{START: httpx.Response(202, json=cut)})
    assert "no domain: at least 7 more" in fake.run("batch", domains, "--no-wait").stderr


def test_the_domains_may_come_from_standard_input() -> None:
    fake = api()
    ran = fake.run("batch", "-", "--no-wait", input="# ours\na.example\nb.example\n")
    assert ran.exit_code == 0
    assert json.loads(fake.requests[0].content)["domains"] == ["a.example", "b.example"]
    assert fake.run("batch", "-", input="").stderr == "error: standard input names no domain\n"


def test_an_interrupted_wait_leaves_the_batch_and_says_how_to_come_back(domains: str, tmp_path: Path) -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    target = tmp_path / "facts.csv"
    fake = api(**{STATUS: interrupt})
    ran = fake.run("batch", domains, "-o", str(target))
    assert ran.exit_code == 130
    assert f"scrapersky status {BATCH_ID} --wait" in ran.stderr
    assert f"scrapersky results {BATCH_ID}" in ran.stderr
    assert not any(request.url.path.endswith("/cancel") for request in fake.requests)
    assert not target.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.txt"],
        ["{domains}", "--max-pages", "101"],
        ["{domains}", "--max-concurrent", "1001"],
        ["{domains}", "--batch-id", "mine"],
        ["{domains}", "--format", "xml"],
        ["{domains}", "--json", "--format", "csv"],
        ["{domains}", "--json", "-o", "facts.csv"],
        ["{domains}", "--no-wait", "-o", "facts.csv"],
        ["{domains}", "-o", "no/such/folder/facts.csv"],
        ["{domains}", "-o", "."],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_starts_no_batch(domains: str, arguments: list[str]) -> None:
    fake = api()
    ran = fake.run("batch", *(argument.format(domains=domains) for argument in arguments))
    assert (ran.exit_code, fake.requests) == (2, [])


def test_batches_are_listed() -> None:
    fake = FakeApi({f"GET {BATCHES}": httpx.Response(200, json={"items": [batch("running")], "next_cursor": "more"})})
    ran = fake.run("batches", "--limit", "1")
    assert ran.exit_code == 0
    assert f"{BATCH_ID} domain_scan running 100 % 3 1 2 0 2026-01-02 03:04:05" in " ".join(ran.stdout.split())
    assert "--cursor more" in ran.stderr
    assert json.loads(fake.run("batches", "--json").stdout)["items"] == [batch("running")]


def test_a_batch_s_jobs_are_listed() -> None:
    fake = FakeApi({"GET /api/v3/jobs": httpx.Response(200, json={"items": [job()], "next_cursor": None})})
    assert fake.run("jobs", "--batch", BATCH_ID).exit_code == 0
    assert fake.requests[0].url.params["batch_id"] == BATCH_ID


def test_a_status_is_a_batch_s_when_no_job_has_the_id() -> None:
    ran = api().run("status", BATCH_ID)
    assert ran.exit_code == 0
    text = " ".join(ran.stdout.split())
    assert f"batch {BATCH_ID} complete 100 % 3 domains: 1 complete, 2 failed, 0 cancelled, 0 to go" in text
    assert "2026-01-02 03:04:06 UTC, 3.0 s" in text
    assert "timeout 2 a.example no answer in 15 s" in text
    assert json.loads(api().run("status", BATCH_ID, "--json").stdout) == batch()


def test_a_status_tells_when_its_reasons_are_those_of_a_part() -> None:
    ran = api(batch("failed", metadata={"domain_statuses_truncated": True})).run("status", BATCH_ID)
    assert ran.exit_code == 1
    assert "Of the first 3 domains" in ran.stdout


def test_a_batch_s_status_can_be_waited_for() -> None:
    fake = api(batch("running"), batch("running"), batch())
    ran = fake.run("status", BATCH_ID, "--wait", "--json")
    assert ran.exit_code == 0
    assert is_final(json.loads(ran.stdout))
    assert [request.url.params.get("domain_statuses") for request in fake.requests[1:]] == [
        None,
        "false",
        "false",
        None,
    ]


def test_a_batch_is_cancelled_when_no_job_has_the_id() -> None:
    fake = FakeApi({f"POST {BATCHES}/{BATCH_ID}/cancel": httpx.Response(200, json=batch("cancelled"))})
    ran = fake.run("cancel", BATCH_ID)
    assert ran.exit_code == 0
    assert "cancelled" in ran.stdout


def test_a_job_that_refuses_is_not_taken_for_a_batch() -> None:
    refused = problem(409, "job_is_final", "It is over.")
    fake = FakeApi({f"POST /api/v3/jobs/{JOB_ID}/cancel": refused})
    assert fake.run("cancel", JOB_ID).stderr == "error: 409 job_is_final: It is over.\n"
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ([], {}),
        (["--error-code", "timeout", "--error-code", "dns_failure"], {"error_codes": ["timeout", "dns_failure"]}),
    ],
)
def test_a_batch_s_failed_domains_are_retried(options: list[str], body: dict[str, Any]) -> None:
    fake = api(**{f"POST {BATCHES}/{BATCH_ID}/retry": httpx.Response(202, json=ACCEPTED)})
    ran = fake.run("retry", BATCH_ID, *options)
    assert (ran.exit_code, ran.stdout) == (0, f"{BATCH_ID}\n")
    assert json.loads(fake.requests[-1].content) == body
    assert fake.run("retry", BATCH_ID, *options, "--wait", "--json").exit_code == 0


def test_an_error_code_that_does_not_exist_is_no_question_to_ask() -> None:
    fake = FakeApi({})
    assert fake.run("retry", BATCH_ID, "--error-code", "bad_luck").exit_code == 2
    assert fake.requests == []


@pytest.mark.parametrize("command", ["status", "cancel", "retry"])
def test_an_id_of_nothing_is_said_to_be_neither(command: str) -> None:
    ran = FakeApi({}).run(command, BATCH_ID)
    assert (ran.exit_code, ran.stderr) == (1, "error: 404 not_found: There is no such job or batch.\n")


def test_results_of_an_unknown_batch_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "facts.csv"
    ran = FakeApi({}).run("results", BATCH_ID, "-o", str(target))
    assert ran.exit_code == 1
    assert "404 not_found" in ran.stderr
    assert list(tmp_path.iterdir()) == []
