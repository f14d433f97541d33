"""The commands that scan sitemaps: what they send, print and write, and with which exit code they end."""

import io
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from rich.console import Console

from scrapersky_cli import follow
from support.cli_runs import API, JOB_ID, Answer, FakeApi, job, problem
from support.sitemap_answers import CSV, FILE, NDJSON, SCAN, page, scan, sitemap_file

START = "POST /api/v3/sitemap/scan"
STATUS_PATH = f"/api/v3/sitemap/status/{JOB_ID}"
STATUS = f"GET {STATUS_PATH}"
URLS = f"GET {SCAN}/urls/export"
CHANGES = f"GET {SCAN}/changes"
ACCEPTED = {"job_id": JOB_ID, "status_url": f"{API}{STATUS_PATH}", "created_at": "2026-01-02T03:04:05Z"}


def urls(request: httpx.Request) -> httpx.Response:
    exported = {"ndjson": NDJSON, "csv": CSV, "txt": b"https://shop.example/a\n"}
    return httpx.Response(200, content=exported[request.url.params["format"]])


def api(*statuses: dict[str, Any], **more: Answer) -> FakeApi:
    """An API that takes a scan, then tells these states of it, the last one again and again."""
    left = list(statuses or (scan(),))

    def status(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])

    answers: dict[str, Answer] = {START: httpx.Response(202, json=ACCEPTED), STATUS: status, URLS: urls}
    return FakeApi(answers | more)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_scan_waits_and_shows_each_file_with_what_became_of_it() -> None:
    files = [
        sitemap_file("index.xml", sitemap_type="index", discovery_method="robots_txt", child_count=3, url_count=0),
        sitemap_file("a.xml.gz", is_gzip=True, has_lastmod=True, url_count=2400, added_count=3, removed_count=None),
        sitemap_file("b.xml", is_partial=True, changed_count=2, added_count=0, removed_count=1),
        sitemap_file("big.xml", is_partial=True, truncated_by="bytes"),
        sitemap_file("c.xml", is_unchanged=True),
        sitemap_file(
            "d.xml",
            sitemap_type=None,
            status="failed",
            url_count=0,
            error={"code": "forbidden_xml", "message": "it has a DOCTYPE", "retryable": False},
        ),
    ]
    fake = api(scan("pending"), scan("running"), scan(files=files, total_urls=2407))
    ran = fake.run("sitemap", "shop.example", "--max-urls", "5000")
    assert ran.exit_code == 0
    lines = words(ran.stdout)
    assert lines[0] == f"shop.example complete 6 files, 2407 URLs {JOB_ID}"
    assert f"{FILE}index.xml index robots_txt 3 files complete" in lines
    assert f"{FILE}a.xml.gz urlset, gzip sitemap_index 2400 yes +3 complete" in lines
    assert f"{FILE}b.xml urlset sitemap_index 4 +0 ~2 -1 complete (broken: what comes before is kept)" in lines
    assert f"{FILE}big.xml urlset sitemap_index 4 complete (cut: bytes)" in lines
    assert f"{FILE}c.xml urlset sitemap_index 4 unchanged complete" in lines
    assert f"{FILE}d.xml sitemap_index 0 failed forbidden_xml (it has a DOCTYPE)" in lines
    start, *_ = fake.requests
    assert json.loads(start.content) == {"base_url": "shop.example", "max_pages": 5000}
    assert str(UUID(start.headers["Idempotency-Key"])) == start.headers["Idempotency-Key"]


def test_without_being_asked_for_a_scan_has_the_contract_s_bound() -> None:
    fake = api()
    fake.run("sitemap", "shop.example")
    assert json.loads(fake.requests[0].content)["max_pages"] == 10_000


def test_a_site_without_a_sitemap_is_a_success_that_says_so() -> None:
    ran = api(scan(files=[], total_urls=0)).run("sitemap", "shop.example")
    assert ran.exit_code == 0
    assert words(ran.stdout) == [f"shop.example complete the site has no sitemap {JOB_ID}"]


def test_a_rescan_says_what_became_of_the_site() -> None:
    files = [sitemap_file("a.xml", added_count=3, changed_count=0, removed_count=2), sitemap_file("new.xml")]
    document = scan(files=files, added_count=3, changed_count=0, removed_count=2)
    assert "Since the scan before: +3 ~0 -2" in words(api(document).run("sitemap", "shop.example").stdout)
    assert "Since the scan before" not in api(scan()).run("sitemap", "shop.example").stdout


def test_what_was_cut_is_said_with_where_and_why() -> None:
    truncations = [
        {"url": None, "by": "urls", "detail": "after 10000 of them"},
        {"url": f"{FILE}b.xml", "by": "bytes", "detail": "after 268435456 bytes"},
        {"url": f"{FILE}c.xml", "by": "moon", "detail": None},
    ]
    lines = words(api(scan(truncated=True, truncations=truncations)).run("sitemap", "shop.example").stdout)
    assert lines[-3:] == [
        "The site has more URLs than asked for (--max-urls): after 10000 of them",
        f"{FILE}b.xml is larger than a file may be: after 268435456 bytes",
        f"{FILE}c.xml was cut by moon",
    ]


def test_files_that_the_result_has_no_room_for_are_told_of() -> None:
    document = scan(total_sitemaps=3000, sitemaps_truncated=True)
    assert f"2999 more: scrapersky sitemap-files --job {JOB_ID} --all" in words(
        api(document).run("sitemap", "shop.example").stdout
    )


def test_a_failed_scan_says_why_of_each_file_and_ends_with_1() -> None:
    error = {"code": "http_error", "message": "its only sitemap could not be read: 404", "retryable": True}
    failed = {**job("failed", error=error), "kind": "sitemap_scan"}
    file = sitemap_file("a.xml", status="failed", sitemap_type=None, url_count=0, error={**error, "message": "404"})
    fake = api(failed, **{"GET /api/v3/sitemap-files": httpx.Response(200, json=page(file))})
    ran = fake.run("sitemap", "shop.example", "--format", "table")
    assert ran.exit_code == 1
    assert "http_error: its only sitemap could not be read: 404\n" in ran.stdout
    assert f"scrapersky retry {JOB_ID}\n" in ran.stdout
    assert f"{FILE}a.xml sitemap_index 0 failed http_error (404)" in words(ran.stdout)
    assert fake.requests[-1].url.params["job_id"] == JOB_ID


def test_a_scan_s_json_is_the_status_document_and_nothing_else() -> None:
    ran = api().run("sitemap", "shop.example", "--json")
    assert json.loads(ran.stdout) == scan()
    assert ran.stderr == ""


def test_the_status_may_be_printed_while_the_urls_go_into_a_file(tmp_path: Path) -> None:
    ran = api().run("sitemap", "shop.example", "--json", "-o", str(tmp_path / "urls.csv"))
    assert json.loads(ran.stdout) == scan()
    assert (tmp_path / "urls.csv").read_bytes() == CSV


def test_a_scan_need_not_be_waited_for() -> None:
    ran = api().run("sitemap", "shop.example", "--no-wait")
    assert (ran.exit_code, ran.stdout) == (0, f"{JOB_ID}\n")
    assert f"scrapersky status {JOB_ID} --wait" in ran.stderr


def test_an_interrupted_wait_leaves_the_job_and_says_how_to_come_back(tmp_path: Path) -> None:
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    target = tmp_path / "urls.txt"
    fake = api(**{STATUS: interrupt})
    ran = fake.run("sitemap", "shop.example", "-o", str(target))
    assert ran.exit_code == 130
    assert f"scrapersky status {JOB_ID} --wait" in ran.stderr
    assert f"scrapersky sitemap-urls {JOB_ID} -o urls.csv" in ran.stderr
    assert not target.exists()


def test_how_far_a_long_scan_is_is_said_now_and_then_where_no_line_can_change(monkeypatch: pytest.MonkeyPatch) -> None:
    running = scan("running")
    line = "shop.example running: 4 files found, 2 done, 1 failed, 2406 URLs\n"
    assert line not in api(running, scan()).run("sitemap", "shop.example").stderr
    monkeypatch.setattr(follow, "TELL_SECONDS", 0.0)
    assert line in api(running, scan()).run("sitemap", "shop.example").stderr


def test_a_terminal_sees_how_far_it_is_in_a_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None, legacy_windows=False)
    monkeypatch.setattr(follow, "notices", lambda: terminal)
    monkeypatch.setattr(follow, "TELL_SECONDS", 0.0)
    ran = api(scan()).run("sitemap", "shop.example")
    assert isinstance(terminal.file, io.StringIO)
    assert "shop.example complete: 4 files found, 2 done, 1 failed, 2406 URLs" in terminal.file.getvalue()
    assert ran.stderr == ""


@pytest.mark.parametrize(("name", "content"), [("urls.ndjson", NDJSON), ("urls.jsonl", NDJSON), ("urls.CSV", CSV)])
def test_a_file_gets_the_api_s_very_bytes_and_stdout_the_table(tmp_path: Path, name: str, content: bytes) -> None:
    ran = api().run("sitemap", "shop.example", "-o", str(tmp_path / name))
    assert ran.exit_code == 0
    assert f"{FILE}a.xml" in ran.stdout
    assert (tmp_path / name).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f"The URLs are in {tmp_path / name}" in ran.stderr.replace("\n", "")


def test_a_format_that_is_asked_for_outdoes_the_file_s_name(tmp_path: Path) -> None:
    api().run("sitemap", "shop.example", "-o", str(tmp_path / "urls.txt"), "--format", "csv")
    assert (tmp_path / "urls.txt").read_bytes() == CSV


def test_urls_may_be_all_that_is_printed() -> None:
    ran = api().run("sitemap", "shop.example", "--format", "txt")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "https://shop.example/a\n", "")


def test_an_export_too_large_for_an_answer_comes_from_storage(tmp_path: Path) -> None:
    stored = "https://bucket.s3.example/urls.csv"

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(303, headers={"Location": stored})

    answers: dict[str, Answer] = {URLS: answer, "GET /urls.csv": httpx.Response(200, content=CSV)}
    fake = api(**answers)
    fake.run("sitemap", "shop.example", "-o", str(tmp_path / "urls.csv"))
    assert (tmp_path / "urls.csv").read_bytes() == CSV
    assert "Authorization" not in fake.requests[-1].headers


@pytest.mark.parametrize("answer", [problem(500, "internal", "No."), httpx.Response(303)], ids=["refused", "nowhere"])
def test_a_broken_export_leaves_the_file_that_was_there(tmp_path: Path, answer: httpx.Response) -> None:
    target = tmp_path / "urls.csv"
    target.write_text("of last week")
    ran = api(**{URLS: answer}).run("sitemap", "shop.example", "-o", str(target))
    assert ran.exit_code == 1
    assert target.read_text() == "of last week"
    assert list(tmp_path.iterdir()) == [target]


def test_a_scan_that_failed_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    target = tmp_path / "urls.csv"
    target.write_text("of last week")
    ran = api(
        {**scan("cancelled"), "result": None}, **{"GET /api/v3/sitemap-files": httpx.Response(200, json=page())}
    ).run("sitemap", "shop.example", "-o", str(target))
    assert ran.exit_code == 1
    assert target.read_text() == "of last week"
    assert "Nothing was written to " in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-urls", "0"],
        ["--max-urls", "1000001"],
        ["--format", "xml"],
        ["-o", "urls"],
        ["-o", "urls.xml"],
        ["-o", "urls.csv", "--format", "table"],
        ["-o", "no/such/folder/urls.csv"],
        ["-o", "."],
        ["--json", "--format", "csv"],
        ["--json", "--changes"],
        ["--no-wait", "--changes"],
        ["--no-wait", "-o", "urls.csv"],
        ["--changes", "--format", "csv"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_starts_no_scan(arguments: list[str]) -> None:
    fake = api()
    ran = fake.run("sitemap", "shop.example", *arguments)
    assert (ran.exit_code, fake.requests) == (2, [])


def test_changes_are_shown_of_each_kind() -> None:
    def changes(request: httpx.Request) -> httpx.Response:
        kind = request.url.params["kind"]
        item = {"url": f"https://shop.example/{kind}", "change": kind, "lastmod": "2026", "previous_lastmod": "2025"}
        return httpx.Response(200, json=page(item, cursor="more" if kind == "added" else None))

    ran = api(**{CHANGES: changes}).run("sitemap", "shop.example", "--changes")
    assert ran.exit_code == 0
    lines = words(ran.stdout)
    assert "+ https://shop.example/added 2026 2025" in lines
    assert "- https://shop.example/removed 2026 2025" in lines
    assert "~ https://shop.example/changed 2026 2025" in lines
    assert f"scrapersky sitemap-changes {JOB_ID} --kind added --all\n" in ran.stderr
    assert "--kind removed" not in ran.stderr


def test_a_refusal_is_one_line_on_stderr_and_1() -> None:
    refused = problem(422, "invalid_domain", "Not valid.")
    ran = FakeApi({START: refused}).run("sitemap", "localhost")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (1, "", "error: 422 invalid_domain: Not valid.\n")


def test_text_of_a_site_does_not_steer_the_terminal() -> None:
    ran = api(scan(files=[sitemap_file("\x1b]0;owned\x07[red]a.xml")])).run("sitemap", "shop.example")
    assert f"{FILE}]0;owned[red]a.xml" in ran.stdout
    assert "\x1b" not in ran.stdout


JOB = f"GET /api/v3/jobs/{JOB_ID}"


def test_status_shows_a_scan_of_sitemaps_as_such() -> None:
    ran = FakeApi({JOB: httpx.Response(200, json=scan() | {"kind": "sitemap_scan"})}).run("status", JOB_ID)
    assert words(ran.stdout)[0] == f"shop.example complete 1 file, 4 URLs {JOB_ID}"
    assert f"{FILE}a.xml" in ran.stdout


def test_status_of_a_running_scan_says_how_far_it_is() -> None:
    running = scan("running", progress=12.0)
    known = running | {"kind": "sitemap_scan", "metadata": {}}
    fake = FakeApi({JOB: httpx.Response(200, json=known), STATUS: httpx.Response(200, json=running)})
    ran = fake.run("status", JOB_ID)
    line = f"shop.example running 12 % 4 files found, 2 done, 1 failed, 2406 URLs {JOB_ID}"
    assert words(ran.stdout) == [line]
    assert json.loads(fake.run("status", JOB_ID, "--json").stdout) == known


def test_status_waits_for_a_scan_by_its_own_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "TELL_SECONDS", 0.0)
    states = iter([scan("running") | {"kind": "sitemap_scan"}, scan() | {"kind": "sitemap_scan"}])
    fake = api(scan("running"), scan(), **{JOB: lambda _: httpx.Response(200, json=next(states))})
    ran = fake.run("status", JOB_ID, "--wait", "--json")
    assert json.loads(ran.stdout)["kind"] == "sitemap_scan"
    assert "running: 4 files found" in ran.stderr


def test_status_of_a_failed_scan_leads_to_its_files() -> None:
    error = {"code": "http_error", "message": "404", "retryable": True}
    failed = job("failed", error=error, kind="sitemap_scan")
    ran = FakeApi({JOB: httpx.Response(200, json=failed)}).run("status", JOB_ID)
    assert f"Its files, if it found any: scrapersky sitemap-files --job {JOB_ID}" in ran.stdout
