"""The commands around the local stack, as far as they need none."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
from rich.console import Console

from scrapersky_cli import local_commands
from scrapersky_cli.errors import UsageError
from scrapersky_local import demo, demo_batches, demo_places, demo_sitemaps, stack, tokens
from scrapersky_local.demo_web.sites import load
from scrapersky_local.processes import StackError
from support.cli_runs import FakeApi, job

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "AIza-planted_key-0123456789"
TENANT = "6f1c2f0e-93d8-4a55-8a3c-0d4f4f2f9b11"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), (" 1h ", 3600)]
)
def test_times_are_read_with_their_unit(text: str, seconds: int) -> None:
    assert local_commands.ttl_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1.5h", "h", "9999d", "1w", "\u0661h", "1 h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        local_commands.ttl_seconds(text)


def test_a_minted_token_is_the_bearer_s_and_ends() -> None:
    before = int(time.time())
    token = tokens.mint(SECRET, tokens.Bearer(TENANT, "tester"), ttl_seconds=60)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="authenticated")
    assert (claims["tenant_id"], claims["sub"]) == (TENANT, "tester")
    assert before + 60 <= claims["exp"] <= time.time() + 60
    assert tokens.bearer_of(token) == tokens.Bearer(TENANT, "tester")


@pytest.mark.parametrize("token", ["", "no.jwt", jwt.encode({"sub": "x"}, SECRET, algorithm="HS256")])
def test_a_token_that_speaks_for_nobody_is_said_so(token: str) -> None:
    with pytest.raises(StackError):
        tokens.bearer_of(token)


def test_a_token_needs_a_running_stack(tmp_path: Path) -> None:
    ran = FakeApi({}).run("token", "--data-dir", str(tmp_path))
    assert ran.exit_code == 2
    assert "scrapersky up" in ran.stderr


@pytest.mark.parametrize("command", ["up", "token", "demo"])
def test_without_the_local_extra_it_says_how_to_install_it(command: str, tmp_path: Path) -> None:
    info = {"api_url": "http://127.0.0.1:1", "token": "t", "aws_endpoint_url": "http://127.0.0.1:2", "region": "r"}
    (tmp_path / "stack.json").write_text(json.dumps(info))
    without = "import sys; sys.modules['boto3'] = None; from scrapersky_cli.main import main; main()"
    environ = os.environ | {"SCRAPERSKY_DATA_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", without, command], capture_output=True, text=True, env=environ)
    assert ran.returncode == 2
    assert ran.stderr == (
        "error: the local stack needs the package boto3; install it with: pip install 'scrapersky[local]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["--allow-network", "0.0.0.0/0"], ["--allow-network", "169.254.0.0/16"], ["--resolve", "shop.example"]],
    ids=" ".join,
)
def test_a_network_or_rule_that_the_guard_refuses_starts_nothing(arguments: list[str], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    ran = FakeApi({}).run("up", "--data-dir", str(data_dir), *arguments)
    assert ran.exit_code == 2
    assert ran.stderr.startswith("error: ")
    assert not data_dir.exists()


def test_a_file_of_authorities_without_one_starts_nothing(tmp_path: Path) -> None:
    data_dir, file = tmp_path / "data", tmp_path / "ca.pem"
    file.write_text("no certificate", "utf-8")
    ran = FakeApi({}).run("up", "--data-dir", str(data_dir), "--ca-file", str(file))
    assert (ran.exit_code, ran.stderr) == (2, f"error: no PEM certificates in {file}\n")
    assert not data_dir.exists()


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> list[stack.StackOptions]:
    """What stacks are started with, in the place of starting one."""
    started: list[stack.StackOptions] = []
    monkeypatch.setattr(stack, "run_until_interrupted", started.append)
    return started


def test_a_key_of_google_s_comes_from_a_file_and_is_never_shown(
    tmp_path: Path, options: list[stack.StackOptions]
) -> None:
    file = tmp_path / "google.key"
    file.write_text(f"{KEY}\n", "utf-8")
    ran = FakeApi({}).run("up", "--data-dir", str(tmp_path / "data"), "--places-key-file", str(file))
    assert ran.exit_code == 0
    (given,) = options
    assert given.places_key == KEY
    assert KEY not in f"{given}{ran.output}{given.asked_by_searches}"
    assert given.asked_by_searches == "places searches ask Google, with your key: their requests cost money"


def test_a_key_may_be_in_the_environment_and_a_file_outdoes_it(
    tmp_path: Path, options: list[stack.StackOptions]
) -> None:
    environ = {"SCRAPERSKY_PLACES_KEY": KEY, "SCRAPERSKY_DATA_DIR": str(tmp_path / "data")}
    file = tmp_path / "google.key"
    file.write_text(KEY[::-1], "utf-8")
    assert FakeApi({}, environ).run("up").exit_code == 0
    assert FakeApi({}, environ).run("up", "--places-key-file", str(file)).exit_code == 0
    assert [given.places_key for given in options] == [KEY, KEY[::-1]]


@pytest.mark.parametrize("environ", [{}, {"SCRAPERSKY_PLACES_KEY": " "}], ids=["unset", "blank"])
def test_without_a_key_searches_ask_the_emulator(
    environ: dict[str, str], tmp_path: Path, options: list[stack.StackOptions]
) -> None:
    assert FakeApi({}, environ).run("up", "--data-dir", str(tmp_path / "data")).exit_code == 0
    (given,) = options
    assert given.places_key is None
    assert "an emulator" in given.asked_by_searches
    assert "costs nothing" in given.asked_by_searches


@pytest.mark.parametrize("text", ["", "\n", "two words of a key", f"{KEY}\n{KEY}", f'{{"key": "{KEY}"}}', "\udc80"])
def test_a_file_that_holds_no_key_starts_nothing_and_is_not_repeated(
    text: str, tmp_path: Path, options: list[stack.StackOptions]
) -> None:
    file = tmp_path / "google.key"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = FakeApi({}).run("up", "--data-dir", str(tmp_path / "data"), "--places-key-file", str(file))
    assert (ran.exit_code, options) == (2, [])
    assert str(file) in ran.stderr
    assert KEY not in ran.output


def test_a_key_on_the_command_line_is_not_taken(tmp_path: Path, options: list[stack.StackOptions]) -> None:
    assert FakeApi({}).run("up", "--data-dir", str(tmp_path), "--places-key", KEY).exit_code == 2
    assert options == []


@pytest.mark.parametrize("folder", ["/proc/data", "/proc/self", f"{__file__}/data"])
def test_a_data_directory_that_takes_no_files_is_said_so(folder: str) -> None:
    ran = FakeApi({}).run("up", "--data-dir", folder)
    assert ran.exit_code == 2
    assert re.fullmatch(rf"error: cannot keep data in {re.escape(folder)}: [A-Z][a-z ]+\n", ran.stderr)


def test_a_file_in_the_place_of_the_data_directory_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    ran = FakeApi({}, {"SCRAPERSKY_DATA_DIR": str(file)}).run("up")
    assert (ran.exit_code, ran.stderr) == (2, f"error: cannot keep data in {file}: Not a directory\n")


@pytest.mark.parametrize(("as_described", "code"), [(True, 0), (False, 1)])
def test_the_demo_s_exit_code_is_whether_every_outcome_is_as_described(
    as_described: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "run", lambda *_: as_described)
    assert FakeApi({}).run("demo").exit_code == code


def test_the_demo_s_report_names_what_differs() -> None:
    console = Console(file=io.StringIO(), width=200)
    document = job("failed", error={"code": "timeout", "message": "took too long"})
    outcomes = [demo.Outcome(load()[0], document, ["error.code: expected 'x', found 'timeout'"])]
    batches = [
        demo_batches.BatchOutcome("a queue message", {"status": "failed"}, ["total_domains: expected 2, found 1"])
    ]
    files = {"/sitemap.xml": {"status": "failed", "url_count": 7, "error": {"code": "forbidden_xml"}}}
    (cave,) = (site for site in load() if site.host == "echo-cave.example")
    sitemaps = [demo_sitemaps.SitemapOutcome(cave, {"status": "failed", "files": files}, ["exported: expected 0"])]
    places = demo_places.PlacesOutcome({"status": "failed"}, differences=["spent.Geocoding: expected 2, found 1"])
    demo.report(console, outcomes, batches, sitemaps, places, 3.0)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "took too long" in text
    assert f"{load()[0].host}: error.code: expected 'x', found 'timeout'" in text
    assert "batch by a queue message: total_domains: expected 2, found 1" in text
    assert "/sitemap.xml 7 failed forbidden_xml" in " ".join(text.split())
    assert "sitemaps of echo-cave.example: exported: expected 0" in text
    assert "places: spent.Geocoding: expected 2, found 1" in text
    counts = "1 sites, the sitemaps of 1 and 1 batches of them, and 0 places in 3 s: 4 not as described."
    assert counts in text


def test_a_batch_is_held_to_what_its_sites_are_described_as() -> None:
    sites = load()
    manifest = demo_batches.expected({site.host: site.expect for site in sites}, [demo_batches.NO_DOMAIN])
    states = manifest["domain_statuses"]
    assert manifest["total_domains"] == len(sites) + 1
    assert manifest["completed_domains"] + manifest["failed_domains"] == len(sites) + 1
    assert states["granite-archive.example"] == {"status": "complete"}
    assert states["shut-gate.example"] == {"status": "failed", "error": {"code": "connect_failure"}}
    assert states[demo_batches.NO_DOMAIN] == {"status": "failed", "error": {"code": "invalid_domain"}}
