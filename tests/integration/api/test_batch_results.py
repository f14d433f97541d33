"""What a batch found, as a file: one line a domain at every stage, in the answer or in an object on S3."""

import csv
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest

from integration.api.conftest import BUCKET, JOBS, Client, Finish, failed, found, jobs_of, refused
from integration.conftest import REGION
from scrapersky.api.export_lines import COLUMNS
from scrapersky.domain.facts import PageRecord, SiteData, SiteScan
from scrapersky.objects import LINK_SECONDS
from support.http_events import Answered


def lines(answer: Answered) -> list[Any]:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.body[:300]
    return [json.loads(line) for line in answer.body.splitlines()]


def rows(answer: Answered) -> list[dict[str, str]]:
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(answer.body.splitlines(), strict=True))


def outcomes(listed: list[Any]) -> list[tuple[str, str]]:
    return [(line["domain"], line["status"]) for line in listed]


def test_there_is_one_line_a_domain_at_every_stage(client: Client, finish: Finish) -> None:
    batch = client.started_batch("b.example", "c.example", "a.example", "localhost")
    jobs = jobs_of(client, batch)
    finish(jobs["a.example"], found("A"))
    finish(jobs["c.example"], failed())
    expected = [("a.example", "complete"), ("b.example", "pending"), ("c.example", "failed"), ("localhost", "failed")]
    assert outcomes(lines(client.get(f"{batch}/results"))) == expected
    assert outcomes(rows(client.get(f"{batch}/results?format=csv"))) == expected

    client.call("POST", f"{batch}/cancel")
    expected[1] = ("b.example", "cancelled")
    assert outcomes(lines(client.get(f"{batch}/results"))) == expected
    assert outcomes(rows(client.get(f"{batch}/results?format=csv"))) == expected


def test_a_line_is_what_the_api_says_of_the_job(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example", "b.example")
    finish(jobs_of(client, batch)["a.example"], found("A"))
    for line in lines(client.get(f"{batch}/results?format=ndjson")):
        assert line == client.get(f"{JOBS}/{line['job_id']}").json


def test_a_row_holds_the_facts_in_the_documented_columns(client: Client, finish: Finish) -> None:
    batch = client.started_batch("a.example", "=1+1")
    finish(jobs_of(client, batch)["a.example"], found("=HYPERLINK(1)"))
    answer = client.get(f"{batch}/results?format=csv")
    assert answer.body.split("\r\n", 1)[0] == ",".join(COLUMNS)
    mistake, site = rows(answer)
    assert (mistake["domain"], mistake["error_code"]) == ("'=1+1", "invalid_domain")
    assert (site["domain"], site["title"], site["pages_fetched"]) == ("a.example", "'=HYPERLINK(1)", "1")


@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
def test_the_answer_is_a_file_with_a_name(client: Client, file_format: str) -> None:
    batch = client.started_batch("a.example")
    answer = client.get(f"{batch}/results?format={file_format}")
    name = f"batch-{batch.rsplit('/', 1)[1]}.{file_format}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_a_long_batch_is_exported_whole_and_in_order(client: Client) -> None:
    domains = [f"site-{number:03}.example" for number in range(650)]  # more than three pages of the database
    batch = client.started_batch(*reversed(domains))
    assert [line["domain"] for line in lines(client.get(f"{batch}/results"))] == domains


def test_only_this_batch_is_exported(client: Client) -> None:
    batch = client.started_batch("a.example")
    client.started_batch("b.example")
    client.started("c.example")
    assert outcomes(lines(client.get(f"{batch}/results"))) == [("a.example", "pending")]


@pytest.mark.parametrize("query", ["format=xml", "format="])
def test_another_format_is_a_422(client: Client, query: str) -> None:
    batch = client.started_batch("a.example")
    problem = refused(client.get(f"{batch}/results?{query}"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", "format"]


def large(size: int) -> SiteScan:
    page = found().pages[0]
    pages = tuple(PageRecord(f"https://a.example/{n}", 200, "x" * 1_000, page.fetched_at, 1, 1) for n in range(size))
    return SiteScan(pages, SiteData(title="Large"))


@pytest.fixture
def large_batch(client: Client, finish: Finish) -> str:
    """A batch whose results are some 12 MB, hence two parts of an upload."""
    batch = client.started_batch(*(f"site-{number:02}.example" for number in range(11)), "localhost")
    for domain, job_id in jobs_of(client, batch).items():
        if domain != "localhost":
            finish(job_id, large(1_000))
    return batch


def test_what_does_not_fit_into_an_answer_is_an_object(client: Client, large_batch: str) -> None:
    answer = client.get(f"{large_batch}/results")
    assert (answer.status, answer.body) == (303, "")
    url = urlsplit(answer.headers["location"])
    signed = parse_qs(url.query)
    assert (url.scheme, url.hostname) == ("https", f"{BUCKET}.s3.{REGION}.amazonaws.com")
    assert signed["X-Amz-Expires"] == [str(LINK_SECONDS)]
    assert signed["X-Amz-Signature"]

    key = unquote(url.path).removeprefix("/")
    assert re.fullmatch(rf"exports/{client.tenant_id}/[0-9a-f-]{{36}}/batch-[0-9a-f-]{{36}}\.ndjson", key)
    stored = boto3.client("s3", region_name=REGION).get_object(Bucket=BUCKET, Key=key)
    assert stored["ContentType"] == "application/x-ndjson"
    assert stored["ContentDisposition"] == f'attachment; filename="{key.rsplit("/", 1)[1]}"'
    listed = [json.loads(line) for line in stored["Body"].read().splitlines()]
    assert outcomes(listed) == [
        ("localhost", "failed"),
        *((f"site-{number:02}.example", "complete") for number in range(11)),
    ]
    assert all(len(line["result"]["pages"]) == 1_000 for line in listed[1:])


def test_a_script_in_a_browser_is_told_where_the_object_is(client: Client, large_batch: str) -> None:
    answer = client.get(f"{large_batch}/results?redirect=false")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert "location" not in answer.headers
    (url,) = answer.json.values()
    key = unquote(urlsplit(url).path).removeprefix("/")
    assert len(boto3.client("s3", region_name=REGION).get_object(Bucket=BUCKET, Key=key)["Body"].readline()) > 100
    small = client.get(f"{large_batch}/results?redirect=false&format=csv")
    assert (small.status, small.headers["content-type"].partition(";")[0]) == (200, "text/csv")


def test_a_table_of_the_same_batch_fits(client: Client, large_batch: str) -> None:
    assert len(rows(client.get(f"{large_batch}/results?format=csv"))) == 12


def test_a_bucket_that_is_not_there_is_a_503(client: Client, large_batch: str) -> None:
    boto3.client("s3", region_name=REGION).delete_bucket(Bucket=BUCKET)
    answer = client.get(f"{large_batch}/results")
    refused(answer, 503, "unavailable")
    assert BUCKET not in answer.body


def test_a_stranger_makes_no_object(client: Client, large_batch: str) -> None:
    refused(client.someone_else().get(f"{large_batch}/results"), 404, "not_found")
    assert "Contents" not in boto3.client("s3", region_name=REGION).list_objects_v2(Bucket=BUCKET)
