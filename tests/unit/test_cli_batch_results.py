"""What a batch found, on its way to stdout or into a file: nothing changed, nothing half-written, no token lost."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scrapersky_cli.results import lines
from support.cli_runs import FakeApi, job, problem

BATCH_ID = "0197c1d2-0000-7c3e-9f3a-2b6f0c1d4e5f"
PATH = f"/api/v3/batch_page_scraper/batch/{BATCH_ID}/results"
RESULTS = f"GET {PATH}"
STORED = "https://bucket.s3.example/results.ndjson"
FOUND = json.dumps(job(result={"site_data": {"title": "Gruß\x9b\u2028 und mehr"}}), ensure_ascii=False).encode() + b"\n"
CSV = b'domain,title\r\nshop.example,"a\x1b[2J, b"\r\n'


def results(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=CSV if request.url.params["format"] == "csv" else FOUND)


@pytest.fixture
def api() -> FakeApi:
    return FakeApi({RESULTS: results})


def run(api: FakeApi, *arguments: str) -> str:
    ran = api.run("results", BATCH_ID, *arguments)
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("name", "content"), [("facts.ndjson", FOUND), ("facts.JSONL", FOUND), ("facts.csv", CSV)], ids=str
)
def test_a_file_gets_the_api_s_very_bytes_in_the_format_of_its_name(
    api: FakeApi, tmp_path: Path, name: str, content: bytes
) -> None:
    assert run(api, "-o", str(tmp_path / name)) == ""
    assert (tmp_path / name).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_format_that_is_asked_for_outdoes_the_file_s_name(api: FakeApi, tmp_path: Path) -> None:
    run(api, "-o", str(tmp_path / "facts.txt"), "--format", "csv")
    assert (tmp_path / "facts.txt").read_bytes() == CSV


def test_a_table_can_be_kept_in_a_file(api: FakeApi, tmp_path: Path) -> None:
    run(api, "-o", str(tmp_path / "facts.txt"))
    assert (tmp_path / "facts.txt").read_text("utf-8").splitlines()[1].split() == [
        "shop.example",
        "complete",
        "Gruß",
        "und",
        "mehr",
    ]


def test_ndjson_on_stdout_has_the_same_values_and_no_control_character(api: FakeApi) -> None:
    written = run(api, "--format", "ndjson")
    assert json.loads(written) == json.loads(FOUND)
    assert written.count("\n") == 1
    assert "\x9b" not in written
    assert "\u2028" not in written


def test_csv_in_a_pipe_is_the_api_s(api: FakeApi) -> None:
    assert api.run("results", BATCH_ID, "--format", "csv").stdout_bytes == CSV


def test_a_line_ends_at_a_line_feed_and_nowhere_else() -> None:
    text = "a\u2028b\x85c\r\nd\u00fc\n\ne"
    raw = text.encode()
    pieces: Iterator[bytes] = (raw[at : at + 1] for at in range(len(raw)))
    assert list(lines(pieces)) == ["a\u2028b\x85c\r\n", "dü\n", "\n", "e\n"]


@pytest.mark.parametrize("content", [b"<h1>Hello</h1>\n", b"[1]\n", b'{"domain": "a.exa'], ids=["html", "array", "cut"])
def test_what_is_no_ndjson_makes_no_table(content: bytes) -> None:
    ran = FakeApi({RESULTS: httpx.Response(200, content=content)}).run("results", BATCH_ID)
    assert ran.exit_code == 1
    assert "not NDJSON" in ran.stderr


def leading_to(address: str, stored: httpx.Response) -> FakeApi:
    """An API whose results are elsewhere, and a storage that has them."""
    led = httpx.Response(303, headers={"Location": address})
    return FakeApi({RESULTS: led, f"GET {httpx.URL(address).path}": stored})


@pytest.mark.parametrize(
    "address", [f"{STORED}?X-Amz-Signature=s", "http://127.0.0.1:4566/bucket/results.ndjson?X-Amz-Signature=s"]
)
def test_results_in_storage_are_fetched_without_the_token(address: str, tmp_path: Path) -> None:
    api = leading_to(address, httpx.Response(200, content=FOUND))
    run(api, "-o", str(tmp_path / "facts.ndjson"))
    assert (tmp_path / "facts.ndjson").read_bytes() == FOUND
    asked, fetched = api.requests
    assert asked.headers["Authorization"] == "Bearer a-token"
    assert fetched.url == address
    assert "Authorization" not in fetched.headers
    assert "a-token" not in str(fetched.headers.raw)


@pytest.mark.parametrize(
    "address", ["http://bucket.s3.example/results", "file:///etc/passwd", "ftp://127.0.0.1/results"]
)
def test_an_address_that_is_not_safe_to_read_is_not_read(address: str) -> None:
    api = FakeApi({RESULTS: httpx.Response(303, headers={"Location": address})})
    ran = api.run("results", BATCH_ID)
    assert ran.exit_code == 1
    assert "leads to" in ran.stderr
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "stored",
    [httpx.Response(403, text="<Error>"), httpx.Response(302, headers={"Location": "https://elsewhere.example/"})],
    ids=["expired", "redirect"],
)
def test_a_storage_that_does_not_give_them_is_named_without_its_signature(stored: httpx.Response) -> None:
    api = leading_to(f"{STORED}?X-Amz-Signature=s", stored)
    ran = api.run("results", BATCH_ID)
    assert ran.exit_code == 1
    assert f"{STORED}, where the API leads, answered {stored.status_code}" in ran.stderr
    assert "Signature" not in ran.stderr
    assert len(api.requests) == 2


class Breaking(httpx.SyncByteStream):
    """A body whose connection is lost in the middle."""

    def __iter__(self) -> Iterator[bytes]:
        yield FOUND
        raise httpx.ReadError("reset")


def test_results_that_break_off_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "facts.ndjson"
    target.write_text("old", "utf-8")
    ran = leading_to(STORED, httpx.Response(200, stream=Breaking())).run("results", BATCH_ID, "-o", str(target))
    assert ran.exit_code == 1
    assert f"{STORED} broke off: reset" in ran.stderr
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["old"]


def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_stays_one(api: FakeApi, tmp_path: Path) -> None:
    target, link = tmp_path / "facts.csv", tmp_path / "link.csv"
    target.write_text("old", "utf-8")
    target.chmod(0o640)
    link.symlink_to(target)
    run(api, "-o", str(link))
    assert target.read_bytes() == CSV
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert link.is_symlink()


def test_a_pipe_is_written_to_and_not_replaced(api: FakeApi, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        run(api, "-o", str(pipe))
        assert os.read(reader, 65_536) == CSV
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_without_a_name_of_its_own_is_written_to(api: FakeApi) -> None:
    """`-o /dev/stdout` before a pipe: it leads to `pipe:[...]`, which no folder holds."""
    reader, writer = os.pipe()
    try:
        run(api, "-o", f"/dev/fd/{writer}", "--format", "csv")
        assert os.read(reader, 65_536) == CSV
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "csv"], []], ids=["json", "lines", "table"])
def test_an_output_that_takes_no_more_is_told_in_a_line(arguments: list[str]) -> None:
    """In a process of its own, since what is left in the buffer fails once more when the interpreter ends."""
    program = f"""
from scrapersky_cli.session import Session
from scrapersky_cli.main import Commands
import typer
app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
@app.command()
def show() -> None:
    arguments = {arguments!r}
    session = Session()
    if "--json" in arguments:
        session.show_json({{"a": "b"}})
    elif arguments:
        session.show_lines(["a line\\n"] * 10_000)
    else:
        session.show("a line")
@app.command()
def other() -> None: ...
app(["show"])
"""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ran.returncode, ran.stderr) == (1, "error: cannot write the output: No space left on device\n")


def test_a_refusal_is_the_api_s_own(api: FakeApi) -> None:
    refused = FakeApi({RESULTS: problem(422, "invalid", "No such format.")}).run("results", BATCH_ID)
    assert (refused.exit_code, refused.stderr) == (1, "error: 422 invalid: No such format.\n")
