"""The commands: what they print where, and with which exit code they end."""

import json

import httpx
import pytest

from support.cli_runs import ACCEPTED, ENVIRON, JOB_ID, STATUS_PATH, FakeApi, job, problem, result

SCAN = "POST /api/v3/modernized_page_scraper/scan"
STATUS = f"GET {STATUS_PATH}"
JOB = f"GET /api/v3/jobs/{JOB_ID}"


def test_a_scan_waits_and_shows_each_fact_with_its_source() -> None:
    facts = result(
        title="Shop",
        is_wordpress=True,
        wordpress_version="6.8.2",
        contact_info={"email": ["a@shop.example"], "phone": []},
        social_links={"facebook": None, "github": "https://github.com/shop"},
        evidence={"a@shop.example": {"page_url": "https://shop.example/contact", "method": "mailto"}},
    )
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=job(result=facts))})
    ran = api.run("scan", "shop.example", "--max-pages", "3")
    assert ran.exit_code == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert f"shop.example complete 1 page(s), 4321 bytes, 0.4 s {JOB_ID}" in lines
    assert "title Shop https://shop.example/" in lines
    assert "software WordPress 6.8.2 https://shop.example/" in lines
    assert "email a@shop.example https://shop.example/contact (mailto)" in lines
    assert "github https://github.com/shop https://shop.example/" in lines
    assert not any(line.startswith("facebook") for line in lines)
    assert json.loads(api.requests[0].content) == {"base_url": "shop.example", "max_pages": 3}


def test_a_scan_of_several_pages_says_where_each_fact_stood_and_what_was_not_read() -> None:
    clue = {"name": "nginx", "version": None, "evidence": "header server: nginx", "page_url": "https://shop.example/b"}
    facts = result(
        logo_url="https://shop.example/l.png",
        organization={"name": "Shop Ltd"},
        tech_stack=[clue],
        sources={
            "logo_url": {"page_url": "https://shop.example/a", "method": "header"},
            "organization": {"page_url": "https://shop.example/a", "method": "json-ld"},
        },
    )
    reasons = ["http_error", None, "duplicate", "http_error"]
    facts["pages"] = [{"url": f"https://shop.example/{n}", "skipped_reason": why} for n, why in enumerate(reasons)]
    document = job(result=facts, metadata={"stopped": "max_pages", "final_url": "https://shop.example/"})
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=document)})
    lines = [" ".join(line.split()) for line in api.run("scan", "shop.example").stdout.splitlines()]
    assert "logo https://shop.example/l.png https://shop.example/a (header)" in lines
    assert "organization Shop Ltd https://shop.example/a (json-ld)" in lines
    assert "software nginx https://shop.example/b (header server: nginx)" in lines
    assert lines[-1] == "Pages not read: 2 http_error, 1 duplicate; there are more (--max-pages)"


def test_a_scan_s_json_is_the_status_document_and_nothing_else() -> None:
    document = job(result=result(title="Gruß"))
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=document)})
    ran = api.run("scan", "shop.example", "--json")
    assert json.loads(ran.stdout) == document
    assert ran.stderr == ""


def test_a_failed_scan_says_why_and_ends_with_1() -> None:
    failed = job("failed", error={"code": "dns_failure", "message": "no such name", "retryable": True})
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=failed)})
    ran = api.run("scan", "shop.example")
    assert ran.exit_code == 1
    assert "dns_failure: no such name\n" in ran.stdout
    assert f"scrapersky retry {JOB_ID}\n" in ran.stdout


def test_a_failed_scan_s_json_ends_with_1_too() -> None:
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=job("cancelled"))})
    ran = api.run("scan", "shop.example", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["status"] == "cancelled"


def test_a_scan_need_not_be_waited_for() -> None:
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED)})
    ran = api.run("scan", "shop.example", "--no-wait")
    assert (ran.exit_code, ran.stdout) == (0, f"{JOB_ID}\n")
    assert f"scrapersky status {JOB_ID} --wait" in ran.stderr
    assert json.loads(api.run("scan", "shop.example", "--no-wait", "--json").stdout) == ACCEPTED


def test_an_interrupted_wait_leaves_the_job_and_says_how_to_come_back() -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: interrupt})
    ran = api.run("scan", "shop.example")
    assert ran.exit_code == 130
    assert f"scrapersky status {JOB_ID} --wait" in ran.stderr
    assert not any(request.url.path.endswith("/cancel") for request in api.requests)


def test_a_refusal_is_one_line_on_stderr_and_1() -> None:
    refusal = problem(422, "invalid", "Not valid.", errors=[{"loc": ["body", "base_url"], "msg": "one label"}])
    ran = FakeApi({SCAN: refusal}).run("scan", "localhost")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == "error: 422 invalid: Not valid. (body.base_url: one label)\n"


def test_text_of_the_server_does_not_steer_the_terminal() -> None:
    facts = result(title="\x1b]0;owned\x07[red]Shop[/red]", open_graph={})
    api = FakeApi({SCAN: httpx.Response(202, json=ACCEPTED), STATUS: httpx.Response(200, json=job(result=facts))})
    ran = api.run("scan", "shop.example")
    assert "]0;owned[red]Shop[/red]" in ran.stdout
    assert "\x1b" not in ran.stdout
    refused = FakeApi({SCAN: problem(403, "forbidden", "\x1b[2J no")}).run("scan", "shop.example")
    assert refused.stderr == "error: 403 forbidden: [2J no\n"


@pytest.mark.parametrize(("status", "code"), [("pending", 0), ("running", 0), ("complete", 0), ("failed", 1)])
def test_the_exit_code_of_status_is_how_the_job_stands(status: str, code: int) -> None:
    ran = FakeApi({JOB: httpx.Response(200, json=job(status))}).run("status", JOB_ID)
    assert ran.exit_code == code
    assert status in ran.stdout


def test_status_waits_until_the_job_is_final() -> None:
    answers = iter([job("running", progress=30.0), job("complete", result=result(title="Shop"))])
    api = FakeApi({JOB: lambda _: httpx.Response(200, json=next(answers))})
    ran = api.run("status", JOB_ID, "--wait", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["status"]) == (0, "complete")


def test_an_unknown_job_is_refused() -> None:
    ran = FakeApi({}).run("status", JOB_ID)
    assert (ran.exit_code, ran.stderr) == (1, "error: 404 not_found: There is no such job or batch.\n")


def test_cancelling_succeeds_although_the_job_ends_cancelled() -> None:
    api = FakeApi({f"POST /api/v3/jobs/{JOB_ID}/cancel": httpx.Response(200, json=job("cancelled"))})
    ran = api.run("cancel", JOB_ID)
    assert ran.exit_code == 0
    assert "cancelled" in ran.stdout


def test_a_retry_carries_a_key_and_can_be_waited_for() -> None:
    accepted = {**ACCEPTED, "status_url": f"/api/v3/jobs/{JOB_ID}"}
    api = FakeApi(
        {
            f"POST /api/v3/jobs/{JOB_ID}/retry": httpx.Response(202, json=accepted),
            JOB: httpx.Response(200, json=job("complete")),
        }
    )
    ran = api.run("retry", JOB_ID, "--wait")
    assert ran.exit_code == 0
    assert "Idempotency-Key" in api.requests[0].headers


def test_jobs_are_listed_with_their_filters() -> None:
    api = FakeApi({"GET /api/v3/jobs": httpx.Response(200, json={"items": [job("failed")], "next_cursor": "more"})})
    ran = api.run("jobs", "--status", "failed", "--kind", "domain_scan", "--domain", "shop.example", "--limit", "1")
    assert ran.exit_code == 0
    assert JOB_ID in ran.stdout
    assert "2026-01-02 03:04:05" in ran.stdout
    assert "--cursor more" in ran.stderr
    assert dict(api.requests[0].url.params) == {
        "kind": "domain_scan",
        "status": "failed",
        "domain": "shop.example",
        "limit": "1",
    }


def test_all_jobs_are_one_document_over_every_page() -> None:
    pages = {
        None: {"items": [job("failed")], "next_cursor": "b"},
        "b": {"items": [job("complete"), job("pending")], "next_cursor": None},
    }
    api = FakeApi(
        {"GET /api/v3/jobs": lambda request: httpx.Response(200, json=pages[request.url.params.get("cursor")])}
    )
    ran = api.run("jobs", "--all", "--json")
    document = json.loads(ran.stdout)
    assert [item["status"] for item in document["items"]] == ["failed", "complete", "pending"]
    assert document["next_cursor"] is None


def test_a_list_that_leads_back_to_itself_ends() -> None:
    api = FakeApi({"GET /api/v3/jobs": httpx.Response(200, json={"items": [], "next_cursor": "again"})})
    ran = api.run("jobs", "--all")
    assert ran.exit_code == 1
    assert "read already" in ran.stderr


def test_known_domains_are_listed() -> None:
    known = {
        "domain": "shop.example",
        "site_data": {"title": "Shop", "contact_info": {"email": ["a@shop.example"], "phone": ["+1"]}},
        "job_id": JOB_ID,
        "scanned_at": "2026-01-02T03:04:05Z",
    }
    api = FakeApi({"GET /api/v3/domains": httpx.Response(200, json={"items": [known], "next_cursor": None})})
    ran = api.run("domains", "--filter", "shop")
    assert ran.exit_code == 0
    assert {"shop.example", "Shop", "a@shop.example", "+1"} <= set(ran.stdout.split())
    assert api.requests[0].url.params["domain_filter"] == "shop"


def test_a_known_domain_shows_its_facts_and_their_job() -> None:
    known = {"domain": "shop.example", "site_data": {"title": "Shop"}, "job_id": JOB_ID, "scanned_at": None}
    api = FakeApi({"GET /api/v3/domains/shop.example": httpx.Response(200, json=known)})
    ran = api.run("domain", "shop.example")
    assert ran.exit_code == 0
    assert f"from job {JOB_ID}" in ran.stdout
    assert json.loads(api.run("domain", "shop.example", "--json").stdout) == known


def test_a_domain_of_which_nothing_is_known_says_so() -> None:
    known = {"domain": "shop.example", "site_data": None, "job_id": None, "scanned_at": None}
    ran = FakeApi({"GET /api/v3/domains/shop.example": httpx.Response(200, json=known)}).run("domain", "shop.example")
    assert ran.exit_code == 0
    assert "nothing known yet" in ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["scan", "shop.example", "--max-pages", "0"],
        ["scan", "shop.example", "--max-pages", "101"],
        ["status", "not-an-id"],
        ["jobs", "--status", "done"],
        ["jobs", "--limit", "501"],
        ["token", "--tenant", "me"],
        ["up", "--port", "70000"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_2_and_asks_nobody(arguments: list[str]) -> None:
    api = FakeApi({})
    ran = api.run(*arguments)
    assert ran.exit_code == 2
    assert api.requests == []


def test_a_missing_token_is_a_matter_of_configuration() -> None:
    ran = FakeApi({}, {"SCRAPERSKY_API_URL": ENVIRON["SCRAPERSKY_API_URL"]}).run("jobs")
    assert ran.exit_code == 2
    assert "SCRAPERSKY_TOKEN" in ran.stderr
