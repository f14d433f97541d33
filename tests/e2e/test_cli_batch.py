"""Batches from the command line: processes of their own, against the running stack and the demo web."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from scrapersky.domain.limits import MAX_DOMAINS
from scrapersky_local.demo_web.sites import Site, differences, load
from support import batches
from support.cli_processes import SECONDS, Cli, environment
from support.held_site import HeldSite

SITES = load()
SHUT = "shut-gate.example"
QUICK = "parish-hall.example"
UNTOLD = "select count(*) from scrapersky.events where dispatched_at is null"
HALFWAY = r"batch running .* 2/3 +done 1 failed .*ETA"
DIRECT_BYTES = 5_000_000  # of results in one answer; more are fetched from storage


@pytest.fixture
def cli(stack: RunningStack) -> Cli:
    return Cli(stack.data_dir)


def code_of(site: Site) -> str:
    code: str = site.expect.get("error", {}).get("code", "")
    return code


def test_a_spreadsheet_of_sites_becomes_a_spreadsheet_of_what_is_known_of_them(cli: Cli, tmp_path: Path) -> None:
    given, target = tmp_path / "customers.csv", tmp_path / "facts.csv"
    rows = [("Name", "Website"), *((site.shows, f"https://{site.host}/") for site in SITES), ("Nobody", "nobody's")]
    with given.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    ran = cli.run("batch", str(given), "--max-concurrent", "20", "--max-pages", "1", "-o", str(target))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    assert "no domain: nobody's (" in ran.stderr
    complete = sum(site.expect["status"] == "complete" for site in SITES)
    figures = f"{len(SITES) + 1} domains: {complete} complete, {len(SITES) - complete + 1} failed, 0 cancelled, 0 to go"
    assert figures in ran.stderr
    with target.open(encoding="utf-8", newline="") as file:
        found = {row["domain"]: (row["status"], row["error_code"]) for row in csv.DictReader(file)}
    expected = {site.host: (site.expect["status"], code_of(site)) for site in SITES}
    assert found == {**expected, "nobody's": ("failed", "invalid_domain")}


def test_each_line_of_a_pipe_is_a_job_with_its_facts(cli: Cli) -> None:
    hosts = ["lantern-tea.example", SHUT, QUICK]
    given = "# ours\n" + "\n".join([*hosts, f"https://www.{QUICK}/"])
    ran = cli.run("batch", "-", "--format", "ndjson", given=given)
    assert ran.returncode == 0, ran.stderr
    found = {line["domain"]: line for line in map(json.loads, ran.stdout.splitlines())}
    expected = {site.host: site.expect for site in SITES if site.host in hosts}
    assert differences(expected, found) == []
    assert len(ran.stdout.splitlines()) == len(hosts)


def test_a_batch_of_which_nothing_completed_is_1_and_shows_why(cli: Cli) -> None:
    ran = cli.run("batch", "-", given=f"{SHUT}\nno domain\n")
    assert ran.returncode == 1
    assert f"{SHUT} failed connect_failure" in " ".join(ran.stdout.split())
    assert "no domain failed invalid_domain" in " ".join(ran.stdout.split())


def test_a_started_batch_is_found_again_everywhere(cli: Cli) -> None:
    batch_id = cli.json("batch", "-", "--no-wait", given=f"{QUICK}\n{SHUT}\n")["batch_id"]
    status = cli.json("status", batch_id, "--wait")
    assert (status["status"], status["completed_domains"], status["failed_domains"]) == ("complete", 1, 1)
    assert status["domain_statuses"][SHUT]["error"]["code"] == "connect_failure"
    assert batch_id in {item["batch_id"] for item in cli.json("batches", "--limit", "2", "--all")["items"]}
    listed = cli.json("jobs", "--batch", batch_id)["items"]
    assert {item["domain"]: item["status"] for item in listed} == {QUICK: "complete", SHUT: "failed"}
    assert "connect_failure 1 shut-gate.example" in " ".join(cli.run("status", batch_id).stdout.split())
    assert QUICK in cli.run("results", batch_id).stdout


def test_an_id_of_our_own_is_one_batch_however_often_it_is_asked_for(cli: Cli, api: httpx.Client) -> None:
    batch_id = str(uuid4())
    first, again = (cli.json("batch", "-", "--no-wait", "--batch-id", batch_id, given=f"{QUICK}\n") for _ in range(2))
    assert first == again
    other = cli.run("batch", "-", "--no-wait", "--batch-id", batch_id, given=f"{SHUT}\n")
    assert other.returncode == 1
    assert "409 batch_exists" in other.stderr
    batches.final(api, batch_id)  # so that what it fetches is seen by no other test


def test_a_batch_is_cancelled_and_its_rest_is_completed_later(cli: Cli, held: HeldSite) -> None:
    given = f"{held.host}\n{QUICK}\nlantern-tea.example\n{SHUT}\n"
    batch_id = cli.json("batch", "-", "--no-wait", "--max-concurrent", "1", given=given)["batch_id"]
    held.wait_asked()
    cancelled = cli.json("cancel", batch_id)
    assert cancelled["status"] == "cancelled"
    assert cli.json("cancel", batch_id)["status"] == "cancelled"
    assert cli.json("status", batch_id, code=1)["cancelled_domains"] == cancelled["cancelled_domains"] > 0
    held.let_go()
    retried = cli.json("retry", batch_id, "--wait")
    assert (retried["completed_domains"], retried["failed_domains"], retried["cancelled_domains"]) == (3, 1, 0)


def test_only_the_failures_of_one_kind_are_retried(cli: Cli) -> None:
    batch_id = cli.json("batch", "-", "--no-wait", given=f"{QUICK}\n{SHUT}\n")["batch_id"]
    before = cli.json("status", batch_id, "--wait")
    refused = cli.run("retry", batch_id, "--error-code", "timeout")
    assert refused.returncode == 1
    assert "409 batch_not_retryable" in refused.stderr
    after = cli.json("retry", batch_id, "--error-code", "connect_failure", "--wait")
    assert after["domain_statuses"][QUICK] == before["domain_statuses"][QUICK]
    assert after["domain_statuses"][SHUT]["end_time"] > before["domain_statuses"][SHUT]["end_time"]


def test_ctrl_c_leaves_the_batch_running(cli: Cli, held: HeldSite, tmp_path: Path) -> None:
    given = tmp_path / "domains.txt"
    given.write_text(f"{held.host}\n{QUICK}\n", "utf-8")
    with cli.running("batch", str(given)) as process:
        held.wait_asked()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=SECONDS)
    held.let_go()
    assert (process.returncode, stdout) == (130, "")
    batch_id = stderr.rpartition("scrapersky results ")[2].split()[0]
    assert cli.json("status", batch_id, "--wait")["completed_domains"] == 2


def test_a_terminal_sees_how_it_goes(cli: Cli, held: HeldSite, tmp_path: Path) -> None:
    given = tmp_path / "domains.txt"
    given.write_text(f"{held.host}\n{QUICK}\n{SHUT}\n", "utf-8")
    seen, terminal = pty.openpty()
    with subprocess.Popen(
        cli.line("batch", str(given)),
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment(COLUMNS="120", TERM="xterm"),
    ) as process:
        os.close(terminal)
        shown = read_all(seen, held)
        assert process.stdout is not None
        results = process.stdout.read().decode()
    assert process.returncode == 0
    assert re.search(HALFWAY, shown), shown
    assert "\x1b" not in results
    assert held.host in results


def read_all(descriptor: int, held: HeldSite) -> str:
    """What a terminal shows until nobody has its other end; the held site is let go when it shows the rest as done."""
    read = b""
    while True:
        try:
            read += os.read(descriptor, 65_536)
        except OSError:  # EIO, which is how Linux says it
            os.close(descriptor)
            return plain(read)
        if re.search(HALFWAY, plain(read)):
            held.let_go()


def plain(shown: bytes) -> str:
    """Without what moves a cursor or colours, and without the character that a read ends in."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="ignore"))


def test_results_too_large_for_an_answer_come_from_storage(
    cli: Cli, database: psycopg.Connection[TupleRow], tmp_path: Path
) -> None:
    target = tmp_path / "results.ndjson"
    entries = [f"number {number} {'is no domain ' * 15}" for number in range(MAX_DOMAINS)]
    ran = cli.run("batch", "-", "-o", str(target), given="\n".join(entries))
    assert ran.returncode == 1, ran.stderr
    assert f"{MAX_DOMAINS} domains: 0 complete, {MAX_DOMAINS} failed" in ran.stderr
    assert target.stat().st_size > DIRECT_BYTES
    with target.open(encoding="utf-8") as file:
        codes = [json.loads(line)["error"]["code"] for line in file]
    assert codes == ["invalid_domain"] * MAX_DOMAINS
    all_are_told_of(database)


def all_are_told_of(database: psycopg.Connection[TupleRow]) -> None:
    """Wait until no event is left in the way of those of the tests that come next."""
    deadline = time.monotonic() + SECONDS
    while (left := database.execute(UNTOLD).fetchone()) != (0,):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_batch_of_another_tenant_is_none(cli: Cli) -> None:
    batch_id = cli.json("batch", "-", "--no-wait", given=f"{QUICK}\n")["batch_id"]
    token = cli.run("token", "--tenant", str(uuid4())).stdout.strip()
    for command in ("status", "cancel", "retry", "results"):
        ran = cli.run(command, batch_id, SCRAPERSKY_TOKEN=token)
        assert ran.returncode == 1
        assert "404 not_found" in ran.stderr
    assert json.loads(cli.run("batches", "--json", SCRAPERSKY_TOKEN=token).stdout)["items"] == []
    assert cli.run("status", batch_id, "--wait").returncode == 0
