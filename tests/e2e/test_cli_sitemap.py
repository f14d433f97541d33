"""Sitemap scans from the command line: processes of their own, against the running stack and the demo web."""

import csv
import json
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from e2e.conftest import RunningStack
from scrapersky_local.demo_web.sites import differences, load
from support.cli_processes import Cli

SITES = {site.host: site for site in load()}
MUSEUM = "tram-museum.example"  # an index of three files, one of them gzipped, one cut short
NONE = "willow-weavers.example"
HOSTILE = "echo-cave.example"
TOTAL = SITES[MUSEUM].sitemaps["result"]["total_urls"]


@pytest.fixture
def cli(stack: RunningStack) -> Cli:
    return Cli(stack.data_dir)


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_site_s_sitemaps_are_shown_and_each_of_their_urls_is_written(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "urls.csv"
    ran = cli.run("sitemap", MUSEUM, "-o", str(target))
    assert ran.returncode == 0, ran.stderr
    lines = words(ran.stdout)
    assert lines[0].startswith(f"{MUSEUM} complete 4 files, {TOTAL} URLs ")
    assert any(line.startswith(f"https://{MUSEUM}/sitemap.xml index robots_txt 3 files") for line in lines)
    assert any("/sitemaps/trams.xml.gz urlset, gzip sitemap_index 2400 yes" in line for line in lines)
    assert any(line.endswith("complete (broken: what comes before is kept)") for line in lines)
    with target.open(encoding="utf-8", newline="") as file:
        urls = [row["url"] for row in csv.DictReader(file)]
    assert len(urls) == len(set(urls)) == TOTAL
    assert f"https://{MUSEUM}/trams/2400" in urls


def test_an_export_is_the_same_urls_in_every_format(cli: Cli) -> None:
    job_id = cli.json("sitemap", MUSEUM)["job_id"]
    plain = cli.run("sitemap-urls", job_id, "--format", "txt").stdout.splitlines()
    lines = cli.run("sitemap-urls", job_id, "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["url"] for line in lines] == plain
    listed = cli.json("sitemap-urls", job_id, "--limit", "500", "--all")["items"]
    assert [item["url"] for item in listed] == plain
    assert len(plain) == TOTAL


def test_files_are_found_again_by_domain_scan_and_type(cli: Cli) -> None:
    job_id = cli.json("sitemap", MUSEUM)["job_id"]
    files = cli.json("sitemap-files", "--job", job_id)["items"]
    assert len(files) == 4
    (index,) = cli.json("sitemap-files", "--domain", MUSEUM, "--type", "index", "--job", job_id)["items"]
    assert index["url"] == f"https://{MUSEUM}/sitemap.xml"
    (pages,) = (file for file in files if file["url"].endswith("/pages.xml"))
    urls = cli.run("sitemap-urls", pages["id"], "--format", "txt").stdout.split()
    assert sorted(urls) == [f"https://{MUSEUM}/", f"https://{MUSEUM}/de/besuch", f"https://{MUSEUM}/visit"]


def test_a_site_without_a_sitemap_is_a_success_that_says_so(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "urls.txt"
    ran = cli.run("sitemap", NONE, "-o", str(target))
    assert ran.returncode == 0, ran.stderr
    assert f"{NONE} complete the site has no sitemap" in words(ran.stdout)[0]
    assert target.read_text() == ""


def test_a_sitemap_that_means_harm_is_1_with_the_reason(cli: Cli) -> None:
    ran = cli.run("sitemap", HOSTILE)
    assert ran.returncode == 1
    assert "forbidden_xml: " in ran.stdout
    assert f"https://{HOSTILE}/sitemap.xml" in ran.stdout
    assert "scrapersky retry " not in ran.stdout


@pytest.mark.parametrize("host", sorted(host for host, site in SITES.items() if site.sitemaps))
def test_a_scan_s_json_is_the_job_that_the_site_describes(host: str, cli: Cli) -> None:
    described = {name: value for name, value in SITES[host].sitemaps.items() if name not in ("shows", "files")}
    job = cli.json("sitemap", host, code=0 if described["status"] == "complete" else 1)
    assert differences(described, job) == []


def test_what_a_scan_may_store_is_kept_to_and_the_cut_is_told(cli: Cli) -> None:
    ran = cli.run("sitemap", MUSEUM, "--max-urls", "10")
    assert ran.returncode == 0, ran.stderr
    assert " 10 URLs " in words(ran.stdout)[0]
    assert "more URLs than asked for (--max-urls)" in ran.stdout


@pytest.fixture
def museum_of_before(cli: Cli, database: psycopg.Connection[TupleRow]) -> None:
    """A first scan, and then as if the site had looked otherwise at that time."""
    job_id = cli.json("sitemap", MUSEUM)["job_id"]
    # Other tenants of this stack may have the same file.
    ((sitemap,),) = database.execute(
        "select s.id from scrapersky.sitemaps as s join scrapersky.jobs as j using (tenant_id)"
        " where s.url = %s and j.id = %s",
        [f"https://{MUSEUM}/sitemaps/pages.xml", job_id],
    ).fetchall()
    named = "sitemap_id = %s and url = %s"
    database.execute(f"delete from scrapersky.sitemap_urls where {named}", [sitemap, f"https://{MUSEUM}/visit"])
    database.execute(
        f"update scrapersky.sitemap_urls set lastmod = '2020' where {named}", [sitemap, f"https://{MUSEUM}/"]
    )
    database.execute(
        "insert into scrapersky.sitemap_urls (tenant_id, sitemap_id, url_hash, url, first_seen, last_seen)"
        " select tenant_id, id, gen_random_uuid(), %s, read_at, read_at from scrapersky.sitemaps where id = %s",
        [f"https://{MUSEUM}/closed", sitemap],
    )
    database.execute("update scrapersky.sitemaps set etag = null, last_modified = null, sha256 = null")


@pytest.mark.usefixtures("museum_of_before")
def test_a_rescan_tells_what_is_new_changed_and_gone(cli: Cli) -> None:
    ran = cli.run("sitemap", MUSEUM, "--changes")
    assert ran.returncode == 0, ran.stderr
    lines = words(ran.stdout)
    assert "Since the scan before: +1 ~1 -1" in lines
    assert f"+ https://{MUSEUM}/visit 2026-04" in lines
    assert f"~ https://{MUSEUM}/ 2026-05-04T09:30:00+02:00 2020" in lines
    assert any(line.startswith(f"- https://{MUSEUM}/closed") for line in lines)
    job_id = lines[0].split()[-1]
    (gone,) = cli.json("sitemap-changes", job_id, "--kind", "removed")["items"]
    assert gone["url"] == f"https://{MUSEUM}/closed"


def test_a_site_as_a_whole_is_summed_up(cli: Cli) -> None:
    cli.json("sitemap", MUSEUM)
    ran = cli.run("sitemap-summary", MUSEUM)
    assert ran.returncode == 0, ran.stderr
    assert any(line.startswith("/trams/{id} 2400") for line in words(ran.stdout))
    assert cli.run("sitemap-summary", "nobody.example").returncode == 1


def test_many_sites_are_a_batch(cli: Cli) -> None:
    ran = cli.run("sitemap-batch", "-", given=f"{MUSEUM}\n{NONE}\n{HOSTILE}\n")
    assert ran.returncode == 0, ran.stderr
    lines = words(ran.stdout)
    assert {f"{MUSEUM} complete 4 {TOTAL}", f"{NONE} complete 0 0", f"{HOSTILE} failed forbidden_xml"} <= set(lines)
    assert "3 domains: 2 complete, 1 failed" in ran.stderr


def test_a_scan_is_watched_steered_and_tried_again_as_any_job(cli: Cli) -> None:
    started = cli.json("sitemap", HOSTILE, "--no-wait")["job_id"]
    assert cli.json("status", started, "--wait", code=1)["error"]["code"] == "forbidden_xml"
    listed = cli.json("jobs", "--kind", "sitemap_scan", "--domain", HOSTILE)["items"]
    assert started in {item["job_id"] for item in listed}
    assert cli.json("retry", started, "--wait", code=1)["error"]["code"] == "forbidden_xml"
    done = cli.json("sitemap", NONE)["job_id"]
    assert "the site has no sitemap" in cli.run("status", done).stdout
    assert "409 job_is_final" in cli.run("cancel", done).stderr


def test_another_tenant_sees_none_of_it(cli: Cli) -> None:
    job_id = cli.json("sitemap", MUSEUM)["job_id"]
    token = cli.run("token", "--tenant", str(uuid4())).stdout.strip()
    for command in (["sitemap-urls", job_id], ["sitemap-changes", job_id], ["sitemap-summary", MUSEUM]):
        ran = cli.run(*command, SCRAPERSKY_TOKEN=token)
        assert ran.returncode == 1
        assert "404 not_found" in ran.stderr
    files = cli.run("sitemap-files", "--domain", MUSEUM, "--json", SCRAPERSKY_TOKEN=token)
    assert json.loads(files.stdout)["items"] == []
