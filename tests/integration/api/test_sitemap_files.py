"""The files of sitemap scans, listed over HTTP."""

import pytest

from conftest import TestDatabase
from integration.api.conftest import SITEMAP_FILES, Client, refused
from integration.api.sitemap_scans import Scan, items, scanner
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.sitemaps import SitemapType
from support import sitemap_lines
from support.sitemap_lines import address, pages, whole


@pytest.fixture
def caller(client: Client) -> Caller:
    return Caller(client.tenant_id, "user-1")


@pytest.fixture
def scan(db: Database, caller: Caller) -> Scan:
    return scanner(db, caller)


def test_files_are_listed_newest_first_and_those_of_a_scan_in_its_order(client: Client, scan: Scan) -> None:
    first, second = scan(a=pages(1), b=pages(2)), scan(c=pages(3), a=pages(1))
    listed = items(client, SITEMAP_FILES)
    assert {item["job_id"] for item in listed[:2]} == {second}
    assert {item["job_id"] for item in listed[2:]} == {first}
    assert items(client, SITEMAP_FILES, limit=1) == listed
    of_second = items(client, f"{SITEMAP_FILES}?job_id={second}")
    assert [item["url"] for item in of_second] == [address("c"), address("a")]
    assert items(client, f"{SITEMAP_FILES}?job_id={second}", limit=1) == of_second
    assert client.get(f"{SITEMAP_FILES}/{listed[0]['id']}").json == listed[0]


def test_files_are_filtered(client: Client, scan: Scan, db: Database, caller: Caller) -> None:
    scan(a=pages(1), b=([], whole(sitemap_type=SitemapType.TEXT)))
    scan("other.example", a=pages(1))
    sitemap_lines.scan_of(db, caller, "c")
    names = {
        query: sorted(item["url"].rsplit("/", 1)[1] for item in items(client, f"{SITEMAP_FILES}?{query}"))
        for query in ("domain=https://WWW.site.example/", "sitemap_type=text", "status=pending", "domain=localhost")
    }
    assert names == {
        "domain=https://WWW.site.example/": ["a.xml", "b.xml", "c.xml"],
        "sitemap_type=text": ["b.xml"],
        "status=pending": ["c.xml"],
        "domain=localhost": [],
    }
    assert items(client, f"{SITEMAP_FILES}?domain=other.example&sitemap_type=index") == []


def test_a_file_that_leads_to_another_ones_address_is_not_shown(
    client: Client, db: Database, caller: Caller, postgres: TestDatabase
) -> None:
    site = sitemap_lines.scan_of(db, caller, "a", "b")
    postgres.rows(
        "update scrapersky.sitemap_files set is_duplicate = true, status = 'complete', finished_at = now()"
        " where url = %s",
        address("b"),
    )
    (shown,) = items(client, f"{SITEMAP_FILES}?job_id={site.job_id}")
    assert items(client, SITEMAP_FILES) == [shown]
    (hidden,) = postgres.one("select id from scrapersky.sitemap_files where is_duplicate")
    refused(client.get(f"{SITEMAP_FILES}/{hidden}"), 404, "not_found")
