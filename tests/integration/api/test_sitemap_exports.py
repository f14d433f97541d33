"""The URLs of sitemap scans as files: written by the database, the same as the list, in the answer or on S3."""

import csv
import io
import json
import tracemalloc
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import TestDatabase
from integration.api.conftest import BUCKET, SITEMAP, SITEMAP_FILES, Client, refused
from integration.conftest import REGION
from scrapersky.api.export_lines import cell
from scrapersky.db import sitemap_exports
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Site
from scrapersky.domain.jobs import Caller
from scrapersky.domain.sitemap_views import URL_COLUMNS, UrlFormat
from scrapersky.services import sitemaps
from support import sitemap_lines
from support.http_events import Answered
from support.sitemap_lines import DOMAIN, pages

STEERED = [
    '=HYPERLINK("https://evil.example")', "+1", "-1", "@x", "  =1", "a,=1", 'a; "+1', "\uff1d1", "a\tb\x0bc", "\u202eb",
    " a  b ", "a\u2028b\u3000c", '"', 'a"b,c', "\\", "\\'", "ä€🚲", "a\x85b", "\x1b[31m", "'=1", "a=b", "a-b",
    "%s", "{}",
]  # fmt: skip


@pytest.fixture
def caller(client: Client) -> Caller:
    return Caller(client.tenant_id, "user-1")


@pytest.fixture
def site(db: Database, caller: Caller) -> Site:
    """A complete scan of two files, of which one names a URL of the other, and odd ones."""
    site = sitemap_lines.scan_of(db, caller, "a", "b")
    odd = [(f"https://{DOMAIN}/{text}", text[:20], None, None, 1, 2, 3, 4) for text in STEERED]
    for entries in ([*pages(*range(2000)), *odd], [*pages(7), (f"https://{DOMAIN}/", None, None, "1", 0, 0, 0, 0)]):
        line = sitemap_lines.line_of(db, site)
        sitemap_lines.store(db, line, entries)
        sitemap_lines.finish(db, line)
    return site


def listed(client: Client, target: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = client.get(f"{target}?limit=500{cursor}").json
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def rows(answer: Answered) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.body, newline=""), strict=True))


def targets(client: Client, site: Site) -> list[str]:
    """Addresses with URLs: of the scan, and of each of its files."""
    files = client.get(f"{SITEMAP_FILES}?job_id={site.job_id}").json["items"]
    return [f"{SITEMAP}/scan/{site.job_id}/urls", *(f"{SITEMAP_FILES}/{file['id']}/urls" for file in files)]


def test_each_format_is_the_list_in_its_order(client: Client, site: Site) -> None:
    for target in targets(client, site):
        expected = listed(client, target)
        ndjson = client.get(f"{target}/export")
        assert (ndjson.status, ndjson.headers["content-type"]) == (200, "application/x-ndjson")
        lines = [json.loads(line) for line in ndjson.body.removesuffix("\n").split("\n")]
        assert [tuple(line) for line in lines] == [URL_COLUMNS] * len(expected)
        for line in lines:
            for time in ("first_seen", "last_seen"):
                line[time] = line[time].replace(".000000Z", "Z")
        assert lines == [{name: item[name] for name in URL_COLUMNS} for item in expected]

        text = client.get(f"{target}/export?format=txt")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert text.body.removesuffix("\n").split("\n") == [item["url"] for item in expected]

        table = client.get(f"{target}/export?format=csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert table.body.split("\r\n", 1)[0] == ",".join(URL_COLUMNS)
        assert [row["url"] for row in rows(table)] == [cell(item["url"]) for item in expected]


def test_a_cell_is_what_every_table_of_ours_makes_of_a_text(client: Client, site: Site) -> None:
    target = targets(client, site)[1]
    by_url = {cell(item["url"]): item for item in listed(client, target)}
    for row in rows(client.get(f"{target}/export?format=csv")):
        item = by_url[row["url"]]
        assert row["lastmod"] == cell(item["lastmod"])
        assert row["changefreq"] == cell(item["changefreq"])
        assert row["image_count"] == str(item["image_count"])
        assert row["priority"] in ("", "0.5")
    lastmods = {row["lastmod"] for row in rows(client.get(f"{target}/export?format=csv"))}
    assert {cell(text[:20]) for text in STEERED} <= lastmods


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.text(
        st.one_of(
            st.characters(codec="utf-8", exclude_characters="\x00"), st.sampled_from(' ,;"=+-@\t\r\n\u202e\u3000')
        )
    )
)
def test_the_database_and_we_make_the_same_cell_of_any_text(postgres: TestDatabase, text: str) -> None:
    statement = f"select {sitemap_exports._harmless('t.x')} from (select %s::text as x) as t"
    (made,) = postgres.one(statement, text)
    assert made == cell(text)


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "txt"])
def test_the_answer_is_a_file_with_a_name(client: Client, site: Site, file_format: str) -> None:
    scan, file, _ = targets(client, site)
    for target, name in ((scan, f"sitemap-scan-{site.job_id}"), (file, f"sitemap-{file.split('/')[-2]}")):
        answer = client.get(f"{target}/export?format={file_format}")
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}.{file_format}"'


def test_a_scan_without_urls_is_an_empty_file(client: Client, db: Database, caller: Caller) -> None:
    site = sitemap_lines.scan_of(db, caller, "a")
    target = f"{SITEMAP}/scan/{site.job_id}/urls/export"
    assert client.get(target).body == ""
    assert client.get(f"{target}?format=txt").body == ""
    assert client.get(f"{target}?format=csv").body == ",".join(URL_COLUMNS) + "\r\n"


@pytest.fixture
def large(db: Database, caller: Caller, postgres: TestDatabase) -> Site:
    """A scan of 60,000 URLs in three files: some 20 MB of lines."""
    site = sitemap_lines.scan_of(db, caller, "a", "b", "c", max_pages=100_000)
    for _ in range(3):
        line = sitemap_lines.line_of(db, site)
        sitemap_lines.store(db, line, pages(*range(20_000)))
        sitemap_lines.finish(db, line)
    return site


def test_what_does_not_fit_into_an_answer_is_an_object(client: Client, large: Site) -> None:
    answer = client.get(f"{SITEMAP}/scan/{large.job_id}/urls/export")
    assert (answer.status, answer.body) == (303, "")
    key = unquote(urlsplit(answer.headers["location"]).path).removeprefix("/")
    assert key.startswith(f"exports/{client.tenant_id}/")
    stored = boto3.client("s3", region_name=REGION).get_object(Bucket=BUCKET, Key=key)
    assert stored["ContentType"] == "application/x-ndjson"
    found = [json.loads(line) for line in stored["Body"].read().splitlines()]
    assert [int(line["url"].rsplit("/", 1)[1]) for line in found] == [*range(20_000)] * 3
    told = client.get(f"{SITEMAP}/scan/{large.job_id}/urls/export?redirect=false")
    assert (told.status, told.headers["content-type"]) == (200, "application/json")
    assert urlsplit(told.json["url"]).path.endswith(".ndjson")


def test_a_url_a_line_of_the_same_scan_fits(client: Client, large: Site) -> None:
    answer = client.get(f"{SITEMAP}/scan/{large.job_id}/urls/export?format=txt")
    assert (answer.status, answer.body.count("\n")) == (200, 60_000)


def test_no_more_than_a_few_pages_of_lines_are_held_at_a_time(
    large: Site, db: Database, caller: Caller, tenant_id: UUID
) -> None:
    lines = sitemaps.lines_of_scan(db, caller.tenant_id, large.job_id, file_format=UrlFormat.NDJSON)
    sizes = []
    tracemalloc.start()
    for text in lines:
        sizes.append(len(text))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) > 15_000_000
    assert max(sizes) < 2 * sitemaps.LINES_CHARACTERS
    assert peak < 8 * sitemaps.LINES_CHARACTERS


def test_a_bucket_that_is_not_there_is_a_503(client: Client, large: Site) -> None:
    boto3.client("s3", region_name=REGION).delete_bucket(Bucket=BUCKET)
    refused(client.get(f"{SITEMAP}/scan/{large.job_id}/urls/export"), 503, "unavailable")


def test_a_stranger_makes_no_object(client: Client, large: Site) -> None:
    refused(client.someone_else().get(f"{SITEMAP}/scan/{large.job_id}/urls/export"), 404, "not_found")
    assert "Contents" not in boto3.client("s3", region_name=REGION).list_objects_v2(Bucket=BUCKET)
