"""Lines of exported results: whole as NDJSON, flat and harmless as CSV."""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.api import schemas
from scrapersky.api.export_lines import COLUMNS, DESCRIPTION, Format, cell
from scrapersky.domain.facts import Evidence, SiteData, Technology
from scrapersky.domain.jobs import Job, JobError
from scrapersky.domain.status import ErrorCode, JobKind, JobStatus

STARTED = datetime(2026, 3, 2, 9, 15, 4, 120_000, UTC)
FACTS = SiteData(
    title="Bäckerei\n „Zum  Mühlrad“",
    is_wordpress=True,
    has_divi=False,
    emails=["hallo@shop.example", "info@shop.example"],
    phones=["+49 341 5550100"],
    tech_stack=[Technology("WordPress", "cms", "6.8.1", "generator"), Technology("nginx", "server", None, "header")],
    organization={"name": "Mühlrad GmbH", "telephone": None},
    addresses=[{"text": "Hauptstr. 1, 04109 Leipzig"}],
    evidence={"hallo@shop.example": Evidence("https://shop.example/", "mailto")},
)


def job(domain: str = "shop.example", **changes: Any) -> Job:
    waiting = Job(
        id=UUID("3f0c9a52-7d1e-4f6b-9a38-0f2d5c1b7e64"),
        tenant_id=uuid4(),
        kind=JobKind.DOMAIN_SCAN,
        batch_id=uuid4(),
        domain=domain,
        status=JobStatus.PENDING,
        progress=0.0,
        attempt=0,
        request={"base_url": domain, "max_pages": 3},
        result=None,
        error=None,
        metadata={},
        created_at=STARTED,
        updated_at=STARTED,
        started_at=None,
        finished_at=None,
    )
    return replace(waiting, **changes)


def complete(facts: SiteData = FACTS) -> Job:
    metrics = {
        "start_time": STARTED.isoformat(),
        "end_time": STARTED.isoformat(),
        "processing_time": 2.5,
        "domain": "shop.example",
        "max_pages": 3,
        "pages_fetched": 2,
        "bytes_fetched": 18_211,
    }
    return job(
        status=JobStatus.COMPLETE,
        progress=100.0,
        started_at=STARTED,
        finished_at=STARTED + timedelta(seconds=2.5),
        result={"site_data": facts.to_json(), "pages": [], "processing_metrics": metrics},
    )


def failed(domain: str, reason: str) -> Job:
    error = JobError(ErrorCode.INVALID_DOMAIN, reason, False)
    return job(domain, status=JobStatus.FAILED, finished_at=STARTED, error=error)


def rows(jobs: Iterable[Job]) -> list[dict[str, str]]:
    """The exported CSV as a reader of RFC 4180 sees it."""
    return list(csv.DictReader(Format.CSV.lines(jobs, JobKind.DOMAIN_SCAN), strict=True))


def test_an_ndjson_line_is_the_job_as_the_api_shows_it() -> None:
    jobs = [complete(), job("waiting.example"), failed("no domain", "holds a space")]
    lines = list(Format.NDJSON.lines(jobs, JobKind.DOMAIN_SCAN))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert [json.loads(line) for line in lines] == [
        json.loads(schemas.JobDetail.of(shown).model_dump_json()) for shown in jobs
    ]


def test_a_csv_row_holds_the_flat_facts() -> None:
    (row,) = rows([complete()])
    assert {name: value for name, value in row.items() if value} == {
        "domain": "shop.example",
        "job_id": "3f0c9a52-7d1e-4f6b-9a38-0f2d5c1b7e64",
        "status": "complete",
        "started_at": "2026-03-02T09:15:04.120000Z",
        "finished_at": "2026-03-02T09:15:06.620000Z",
        "processing_time": "2.5",
        "pages_fetched": "2",
        "title": "Bäckerei „Zum Mühlrad“",
        "emails": "hallo@shop.example; info@shop.example",
        "phones": "'+49 341 5550100",
        "organization": "Mühlrad GmbH",
        "addresses": "Hauptstr. 1, 04109 Leipzig",
        "technologies": "WordPress 6.8.1; nginx",
        "is_wordpress": "true",
        "has_divi": "false",
    }


def test_a_domain_without_a_result_has_its_row() -> None:
    waiting, refused = rows([job("waiting.example"), failed("no domain", "holds a space")])
    assert {name: value for name, value in waiting.items() if value} == {
        "domain": "waiting.example",
        "job_id": "3f0c9a52-7d1e-4f6b-9a38-0f2d5c1b7e64",
        "status": "pending",
    }
    assert (refused["domain"], refused["status"]) == ("no domain", "failed")
    assert (refused["error_code"], refused["error_message"]) == ("invalid_domain", "holds a space")


def test_a_csv_has_its_header_even_without_a_row() -> None:
    assert list(Format.CSV.lines([], JobKind.DOMAIN_SCAN)) == [",".join(COLUMNS) + "\r\n"]
    assert list(Format.NDJSON.lines([], JobKind.DOMAIN_SCAN)) == []


def test_every_column_is_documented() -> None:
    assert all(f"`{name}`" in DESCRIPTION for name in COLUMNS)


def test_every_flat_fact_has_a_column() -> None:
    elsewhere = {"contact_info", "social_links", "tech_stack", "open_graph", "evidence", "sources"}
    elsewhere |= {"email_classes", "security_txt"}
    assert set(SiteData().to_json()) - elsewhere <= set(COLUMNS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+1", "'+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("  =1", "'=1"),
        ("\t=1", "'=1"),
        ("\r\n=1", "'=1"),
        ("\uff1d1", "'\uff1d1"),
        ('"=1', "\"'=1"),
        ("Shop;=cmd|' /C calc'!A0", "Shop;'=cmd|' /C calc'!A0"),
        ("Shop, -1", "Shop, '-1"),
        ("a-b@shop.example", "a-b@shop.example"),
        ("https://shop.example/?a=1", "https://shop.example/?a=1"),
    ],
)
def test_no_text_is_a_formula(text: str, shown: str) -> None:
    assert cell(text) == shown
    assert cell([text]) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Shop\x1b]0;title\x07 \x1b[2J", "Shop\ufffd]0;title\ufffd \ufffd[2J"),
        ("a\x00b\x08c\x7fd\x9be", "a\ufffdb\ufffdc\ufffdd\ufffde"),
        ("exe.\u202efdp", "exe.\ufffdfdp"),
        ("\u2066a\u2069\u200f", "\ufffda\ufffd\ufffd"),
        ("\x1b=1", "\ufffd=1"),
        ("\u05e9\u05dc\u05d5\u05dd 👩\u200d🔧", "\u05e9\u05dc\u05d5\u05dd 👩\u200d🔧"),
    ],
)
def test_no_text_steers_a_terminal_or_turns_a_line_around(text: str, shown: str) -> None:
    assert cell(text) == shown
    (row,) = rows([complete(SiteData(title=text))])
    assert row["title"] == shown


def test_a_number_of_ours_keeps_its_sign() -> None:
    assert cell(-1.5) == "-1.5"


HOSTILE = st.text(alphabet="=+-@;,\"' \t\r\n\x0b\u2028\x85aé\uff1d\x1b\x9b\u202e")


@given(texts=st.lists(HOSTILE, min_size=1, max_size=4))
def test_whatever_a_site_says_a_row_is_a_line_and_starts_no_formula(texts: list[str]) -> None:
    facts = SiteData(title=texts[0], emails=texts, organization={"name": texts[-1]})
    _, line = Format.CSV.lines([complete(facts)], JobKind.DOMAIN_SCAN)
    assert line.endswith("\r\n")
    assert len(line.splitlines()) == 1
    assert not set(line[:-2]) & set("\x1b\x9b\u202e")
    (row,) = csv.reader([line], strict=True)
    assert len(row) == len(COLUMNS)
    # Also where a program splits cells at semicolons or at every comma.
    for part in line.replace(";", ",").split(","):
        assert part.strip('" \r\n')[:1] not in ("=", "+", "-", "@", "\uff1d")
