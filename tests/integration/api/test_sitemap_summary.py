"""A site as its sitemaps know it, over HTTP: how much, how fresh, how built; of all that is stored or of a sample."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conftest import TestDatabase
from integration.api.conftest import SITEMAP, Client, refused
from integration.api.sitemap_scans import Scan, scanner
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Entry
from scrapersky.domain.jobs import Caller
from scrapersky.domain.sitemaps import SitemapType
from scrapersky.services import sitemaps
from support import sitemap_lines
from support.sitemap_lines import DOMAIN, pages, partial, whole

SUMMARY = f"{SITEMAP}/sites/{DOMAIN}/summary"


@pytest.fixture
def caller(client: Client) -> Caller:
    return Caller(client.tenant_id, "user-1")


@pytest.fixture
def scan(db: Database, caller: Caller) -> Scan:
    return scanner(db, caller)


def summary(client: Client) -> Any:
    answer = client.get(SUMMARY)
    assert answer.status == 200, answer.body
    return answer.json


def entry(path: str, *, days: float | None = None, changefreq: str | None = None, priority: str | None = None) -> Entry:
    lastmod = None if days is None else (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return (f"https://{DOMAIN}{path}", lastmod, changefreq, priority, 2, 1, 0, 3)


def test_a_site_is_shown_as_a_whole(client: Client, scan: Scan) -> None:
    ages = [-1, 1, 6, 8, 29, 31, 89, 91, 364, 366, 4000]
    dated = [entry(f"/blog/{number}", days=days, changefreq="daily") for number, days in enumerate(ages)]
    bare = [entry("/about"), entry("/team", priority="0.84"), (f"https://{DOMAIN}/odd", "soon", None, "1", 0, 0, 0, 0)]
    job_id = scan(a=dated, b=bare, c=([], whole(sitemap_type=SitemapType.TEXT)))
    shown = summary(client)
    assert (shown["domain"], shown["job_id"], shown["total_sitemaps"]) == (DOMAIN, job_id, 3)
    assert shown["sitemaps_by_status"] == {"complete": 3}
    assert shown["sitemaps_by_type"] == {"urlset": 2, "text": 1}
    assert (shown["total_urls"], shown["counted_urls"], shown["sampled_urls"]) == (14, 14, 14)
    assert shown["freshness"] == {
        "future": 1, "last_7_days": 2, "last_30_days": 2, "last_90_days": 2, "last_365_days": 2, "older": 2, "none": 3,
    }  # fmt: skip
    lastmod = shown["lastmod"]
    assert (lastmod["count"], lastmod["readable"], lastmod["share"]) == (12, 11, 0.8571)
    assert lastmod["oldest"][:4] < lastmod["newest"][:4]
    assert shown["changefreq"] == {"daily": 11, "none": 3}
    assert shown["priority"] == [
        {"priority": 1.0, "count": 1}, {"priority": 0.8, "count": 1}, {"priority": None, "count": 12},
    ]  # fmt: skip
    assert [shown[f"{what}_count"] for what in ("image", "video", "news", "alternate")] == [26, 13, 0, 39]
    assert shown["clusters"] == [
        {"template": "/blog/{id}", "count": 11, "example": shown["clusters"][0]["example"]},
        {"template": "/about", "count": 1, "example": f"https://{DOMAIN}/about"},
        {"template": "/odd", "count": 1, "example": f"https://{DOMAIN}/odd"},
        {"template": "/team", "count": 1, "example": f"https://{DOMAIN}/team"},
    ]
    assert client.get(f"{SITEMAP}/sites/WWW.{DOMAIN.upper()}/summary").json == shown


def test_a_site_without_a_sitemap_is_shown_with_zeros(client: Client, db: Database, caller: Caller) -> None:
    site = sitemap_lines.lead(db, caller, sitemap_lines.make_scan(db, caller))
    sitemap_lines.add(db, site)
    shown = summary(client)
    assert (shown["total_sitemaps"], shown["total_urls"], shown["sampled_urls"]) == (0, 0, 0)
    assert (shown["lastmod"]["share"], shown["lastmod"]["oldest"], shown["clusters"]) == (0.0, None, [])


@pytest.mark.parametrize("domain", ["never.example", "localhost", "a%20b", "127.0.0.1"])
def test_a_site_without_a_complete_scan_is_not_known(client: Client, db: Database, caller: Caller, domain: str) -> None:
    sitemap_lines.scan_of(db, caller, "a", domain="never.example")  # it runs
    refused(client.get(f"{SITEMAP}/sites/{domain}/summary"), 404, "not_found")


def test_what_is_gone_does_not_count_and_what_was_not_looked_at_does(client: Client, scan: Scan) -> None:
    scan(a=pages(1, 2, 3), b=pages(10, 11), gone=pages(99))
    scan(a=pages(1, 2), b=(pages(12), partial()))
    shown = summary(client)
    assert (shown["total_sitemaps"], shown["total_urls"]) == (2, 5)


def test_a_scan_that_failed_hides_no_other(client: Client, scan: Scan, db: Database, caller: Caller) -> None:
    job_id = scan(a=pages(1, 2, 3))
    site = sitemap_lines.scan_of(db, caller, "a")
    sitemap_lines.fail(db, sitemap_lines.line_of(db, site))
    shown = summary(client)
    assert (shown["job_id"], shown["total_urls"]) == (job_id, 3)


def test_of_many_urls_a_fair_sample_is_taken(client: Client, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(a=[entry(f"/a/{n}", days=1) for n in range(3000)], b=[entry(f"/b/{n}") for n in range(1000)])
    monkeypatch.setattr(sitemaps, "SAMPLED_URLS", 1000)
    shown = summary(client)
    assert (shown["total_urls"], shown["counted_urls"]) == (4000, 4000)
    assert 850 < shown["sampled_urls"] < 1150
    clusters = {cluster["template"]: cluster["count"] for cluster in shown["clusters"]}
    assert sum(clusters.values()) == shown["sampled_urls"]
    assert 2.4 < clusters["/a/{id}"] / clusters["/b/{id}"] < 3.8

    monkeypatch.setattr(sitemaps, "COUNTED_URLS", 2000)
    shown = summary(client)
    assert 1800 < shown["counted_urls"] < 2200
    assert 3600 < shown["total_urls"] < 4400
    assert sum(shown["freshness"].values()) == shown["counted_urls"]


def test_a_url_beyond_measure_is_counted_and_not_sampled(client: Client, scan: Scan) -> None:
    scan(a=[entry("/" + "x" * 600), entry("/y")])
    shown = summary(client)
    assert (shown["total_urls"], shown["counted_urls"], shown["sampled_urls"]) == (2, 2, 1)


def test_a_stranger_sees_nothing(client: Client, scan: Scan, postgres: TestDatabase) -> None:
    scan(a=pages(1, 2))
    stranger = client.someone_else()
    refused(stranger.get(SUMMARY), 404, "not_found")
    theirs = Caller(stranger.tenant_id, "user-2")
    with Database(postgres.app_dsn) as db:
        scanner(db, theirs)(a=pages(5))
    assert stranger.get(SUMMARY).json["total_urls"] == 1
    assert summary(client)["total_urls"] == 2
