"""The command line as people run it: processes of their own, against the running stack and the demo web."""

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from e2e.conftest import RunningStack
from scrapersky_local.demo_web.sites import Site, differences, load
from support.cli_processes import SECONDS, Cli
from support.held_site import HeldSite

SITES = {site.host: site for site in load()}


@pytest.fixture
def cli(stack: RunningStack) -> Cli:
    return Cli(stack.data_dir)


def expected(host: str) -> Mapping[str, Any]:
    site: Site = SITES[host]
    return site.expect


def test_a_scan_s_json_is_the_job_with_the_page_s_facts(cli: Cli) -> None:
    job = cli.json("scan", "lantern-tea.example", "--max-pages", "1")
    assert differences(expected("lantern-tea.example"), job) == []
    site_data = job["result"]["site_data"]
    assert site_data["evidence"]["hello@lantern-tea.example"] == {
        "page_url": "https://lantern-tea.example/",
        "method": "mailto",
    }
    assert job["progress"] == 100.0
    assert job["error"] is None


def test_a_scan_reads_as_a_table_without_colours_in_a_pipe(cli: Cli) -> None:
    ran = cli.run("scan", "https://www.lantern-tea.example/some/page")
    assert ran.returncode == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert "email hello@lantern-tea.example https://lantern-tea.example/ (mailto)" in lines
    assert lines[0].startswith("lantern-tea.example complete 1 page(s), ")
    assert "\x1b" not in ran.stdout
    assert ran.stderr == ""


def test_a_contact_page_three_links_deep_is_shown_with_its_page_and_method(cli: Cli) -> None:
    ran = cli.run("scan", "quarry-pottery.example")
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    source = "https://quarry-pottery.example/house/workshop/reach-us/"
    assert f"email clay@quarry-pottery.example {source} (mailto)" in lines
    assert f"phone +441632960311 {source} (tel)" in lines
    assert lines[0].startswith("quarry-pottery.example complete 4 page(s), ")


def test_a_wall_is_no_site_and_says_so(cli: Cli) -> None:
    ran = cli.run("scan", "guarded-gate.example")
    assert ran.returncode == 1
    assert "blocked: the home page is behind a check that lets no programs pass (Cloudflare)" in ran.stdout
    assert "scrapersky retry " not in ran.stdout


def test_a_scanned_domain_is_found_again_in_status_jobs_and_domains(cli: Cli) -> None:
    job = cli.json("scan", "harbour-outfitters.example")
    again = cli.json("status", job["job_id"])
    assert again["kind"] == "domain_scan"
    assert again["result"] == job["result"]
    listed = cli.json("jobs", "--domain", "harbour-outfitters.example", "--status", "complete", "--all")
    assert job["job_id"] in {item["job_id"] for item in listed["items"]}
    known = cli.json("domain", "harbour-outfitters.example")
    assert known["site_data"] == job["result"]["site_data"]
    assert known["job_id"] == job["job_id"]
    assert "harbour-outfitters.example" in cli.run("domains", "--filter", "harbour").stdout


def test_a_site_that_does_not_answer_is_1_with_the_reason(cli: Cli) -> None:
    ran = cli.run("scan", "shut-gate.example")
    assert ran.returncode == 1
    assert "connect_failure: " in ran.stdout
    assert "scrapersky retry " in ran.stdout


def test_what_is_no_domain_is_refused_with_the_reason(cli: Cli) -> None:
    ran = cli.run("scan", "127.0.0.1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: 422 ")
    assert "an IP address is no domain name" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_job_can_be_cancelled_and_tried_again(cli: Cli, held: HeldSite) -> None:
    job_id = cli.json("scan", held.host, "--no-wait")["job_id"]
    assert cli.json("cancel", job_id)["status"] == "cancelled"
    assert cli.json("cancel", job_id)["status"] == "cancelled"
    assert cli.json("status", job_id, code=1)["status"] == "cancelled"
    held.let_go()
    retried = cli.json("retry", job_id, "--wait")
    assert (retried["job_id"], retried["status"]) == (job_id, "complete")
    assert retried["result"]["site_data"]["title"] == held.title


def test_a_complete_job_is_neither_cancelled_nor_retried(cli: Cli) -> None:
    job_id = cli.json("scan", "parish-hall.example")["job_id"]
    cancelled, retried = cli.run("cancel", job_id), cli.run("retry", job_id)
    assert (cancelled.returncode, retried.returncode) == (1, 1)
    assert "409 job_is_final" in cancelled.stderr
    assert "409 job_not_retryable" in retried.stderr


def test_a_token_of_another_tenant_opens_nothing_of_ours(cli: Cli) -> None:
    job_id = cli.json("scan", "parish-hall.example")["job_id"]
    minted = cli.run("token", "--tenant", str(uuid4()), "--user", "tester", "--ttl", "5m")
    assert minted.returncode == 0
    token = minted.stdout.strip()
    assert json.loads(cli.run("jobs", "--json", SCRAPERSKY_TOKEN=token).stdout)["items"] == []
    foreign = cli.run("status", job_id, SCRAPERSKY_TOKEN=token)
    assert foreign.returncode == 1
    assert "404 not_found" in foreign.stderr


def test_a_token_is_by_default_the_stack_s_own_tenant_s(cli: Cli) -> None:
    job_id = cli.json("scan", "parish-hall.example")["job_id"]
    token = cli.run("token").stdout.strip()
    assert cli.run("status", job_id, SCRAPERSKY_TOKEN=token).returncode == 0


def test_a_token_that_nobody_signed_is_refused(cli: Cli) -> None:
    ran = cli.run("jobs", SCRAPERSKY_TOKEN="not-a-token")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: 401 ")


def test_ctrl_c_leaves_the_job_running(cli: Cli, held: HeldSite) -> None:
    screen, stderr = os.openpty()  # on a terminal the command shows when it has begun to wait
    with open(screen, "rb", buffering=0) as terminal, cli.running("scan", held.host, stderr=stderr) as process:
        os.close(stderr)
        shown = b""
        while b" pending" not in shown:
            shown += terminal.read(1024)
        held.wait_asked()
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the terminal's other end is closed
            while data := terminal.read(1024):
                shown += data
        assert process.wait(SECONDS) == 130
    held.let_go()
    job_id = shown.decode().rpartition("scrapersky status ")[2].split()[0]
    assert cli.json("status", job_id, "--wait")["status"] == "complete"


def test_a_reader_that_goes_away_is_no_error_to_talk_about(cli: Cli) -> None:
    with cli.running("jobs", "--all", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
