"""The demo web's sites as data: whole, varied, and about nobody real."""

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from scrapersky.domain.names import domain_key
from scrapersky.domain.sitemaps import DiscoveryMethod
from scrapersky.domain.status import FINAL, ErrorCode
from scrapersky_local.demo_web.sites import FOLDER, Page, Site, differences, load

SITES = load()
# Hosts that pages of real software refer to. Nothing fetches them.
REFERRED_TO = {"cdn.shopify.com", "gmpg.org", "schema.org", "w3.org", "yoast.com", "api.w.org"}
NAMESPACES = {"sitemaps.org", "google.com"}  # of sitemaps and of the pictures in them
NETWORKS = {"facebook.com", "instagram.com", "linkedin.com", "pinterest.com", "tiktok.com", "youtube.com"}
URL_HOST = re.compile(r"https?:\\?/\\?/([\w.-]+)")
EMAIL = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
# 020 7946 0xxx and 01632 960xxx (Ofcom), 555-01xx (NANPA), 040 66969 xxx (Bundesnetzagentur), 020 91x xxxx (ComReg)
FICTIONAL = re.compile(r"\+(442079460\d{3}|441632960\d{3}|1\d{3}55501\d{2}|494066969\d{3}|3532091\d{5})")


def test_there_are_sites_of_every_outcome() -> None:
    outcomes = Counter(site.expect["status"] for site in SITES)
    assert len(SITES) >= 12
    assert outcomes["complete"] >= 6
    assert outcomes["failed"] >= 6
    assert len({site.shows for site in SITES}) == len(SITES)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.host)
def test_an_expectation_is_in_the_words_of_the_contract(site: Site) -> None:
    assert site.expect["status"] in FINAL
    if site.expect["status"] == "failed":
        assert ErrorCode(site.expect["error"]["code"])
    else:
        assert site.expect["result"]["site_data"]["title"]


@pytest.mark.parametrize("site", [site for site in SITES if site.sitemaps], ids=lambda site: site.host)
def test_a_sitemap_expectation_is_in_the_words_of_the_contract_and_of_paths_that_the_site_has(site: Site) -> None:
    assert site.sitemaps["status"] in FINAL
    for path, file in site.sitemaps.get("files", {}).items():
        assert DiscoveryMethod(file["discovery_method"])
        assert (path in site.pages) == (file["status"] == "complete")
    if site.sitemaps["status"] == "failed":
        assert ErrorCode(site.sitemaps["error"]["code"])
    else:
        assert sum(file["url_count"] for file in site.sitemaps["files"].values()) == total_urls(site)


def total_urls(site: Site) -> int:
    total: int = site.sitemaps["result"]["total_urls"]
    return total


def test_there_are_sites_with_sitemaps_of_every_outcome() -> None:
    described = [site.sitemaps for site in SITES if site.sitemaps]
    assert {one["status"] for one in described} == {"complete", "failed"}
    assert any(total_urls(site) == 0 for site in SITES if site.sitemaps.get("status") == "complete")
    files = [file for one in described for file in one.get("files", {}).values()]
    assert any(file.get("is_gzip") for file in files)
    assert any(file.get("is_partial") for file in files)


def test_a_line_of_a_number_is_sent_for_each_number(tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("first\nno {n} of {n}\nlast", "utf-8")
    page = Page("/", tmp_path, "numbers.txt", expand=2, gzip_file=True)
    assert page.content == b"first\nno 1 of 1\nno 2 of 2\nlast"
    assert gzip.decompress(page.body) == page.content
    assert "Content-Encoding" not in page.all_headers


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.host)
def test_a_site_s_names_are_domains_under_example(site: Site) -> None:
    assert all(host.endswith(".example") for host in site.hosts)
    assert {domain_key(host) for host in site.hosts} == {site.host}


@pytest.mark.parametrize("folder", sorted(FOLDER.iterdir()), ids=lambda folder: folder.name)
def test_a_site_s_files_are_all_served(folder: Path) -> None:
    (site,) = (site for site in SITES if site.host == f"{folder.name}.example")
    files = {path.name for path in folder.iterdir()} - {"site.toml"}
    assert {page.file for page in site.pages.values() if page.file} == files


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.host)
def test_contacts_are_fictional(site: Site) -> None:
    found = site.expect.get("result", {}).get("site_data", {}).get("contact_info", {})
    assert all(email.endswith(".example") for email in found.get("email", []))
    assert all(FICTIONAL.fullmatch(phone) for phone in found.get("phone", []))


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.host)
def test_pages_name_no_real_site_but_software_and_networks(site: Site) -> None:
    for page in site.pages.values():
        text = (page.folder / page.file).read_bytes().decode("utf-8") if page.file else ""
        hosts = {host.lower().removeprefix("www.") for host in URL_HOST.findall(text)}
        assert all(host.endswith(".example") or host in REFERRED_TO | NAMESPACES | NETWORKS for host in hosts), hosts
        assert all(host.endswith(".example") for host in EMAIL.findall(text))


def test_a_broken_description_is_named(tmp_path: Path) -> None:
    site = tmp_path / "broken"
    site.mkdir()
    (site / "site.toml").write_text('host = "broken.example"\nhttps = "sometimes"\nhttp = "open"\n')
    with pytest.raises(ValueError) as caught:
        load(tmp_path)
    assert "broken/site.toml" in str(caught.value)


def test_a_document_is_held_to_what_is_expected_and_to_nothing_else() -> None:
    expected = {"status": "complete", "result": {"phone": ["+1"], "theme": "x"}}
    found = {"status": "complete", "result": {"phone": [], "theme": "x", "more": 1}, "id": 2}
    assert differences(expected, found) == ["result.phone: expected ['+1'], found []"]
    assert differences(expected, {"status": "failed", "result": None}) == [
        "status: expected 'complete', found 'failed'",
        "result.phone: expected ['+1'], found None",
        "result.theme: expected 'x', found None",
    ]
