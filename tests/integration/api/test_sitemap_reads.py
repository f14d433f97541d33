"""What sitemap files name, over HTTP, and what changed in them."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.api.conftest import JOBS, SITEMAP, SITEMAP_FILES, Client, refused
from integration.api.sitemap_scans import Scan, files_of, items, pages_of, scanner
from scrapersky.db import sitemap_ends, sitemaps
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.services import paging
from support import sitemap_lines
from support.sitemap_lines import DOMAIN, address, pages, partial, whole


@pytest.fixture
def caller(client: Client) -> Caller:
    return Caller(client.tenant_id, "user-1")


@pytest.fixture
def scan(db: Database, caller: Caller) -> Scan:
    return scanner(db, caller)


def test_a_files_urls_are_listed_as_first_found(client: Client, scan: Scan) -> None:
    job_id = scan(a=pages(*range(30, 0, -1)))
    file_id = files_of(client, job_id)["a"]
    listed = items(client, f"{SITEMAP_FILES}/{file_id}/urls")
    assert pages_of(listed) == [*range(30, 0, -1)]
    for limit in (1, 7, 29, 30, 31):
        assert items(client, f"{SITEMAP_FILES}/{file_id}/urls", limit) == listed
    assert listed[0] == {
        **listed[0],
        "url": f"https://{DOMAIN}/page/30",
        "lastmod": "2024-01-01",
        "changefreq": "daily",
        "priority": 0.5,
        "sitemap_id": file_id,
        "sitemap_url": address("a"),
        "image_count": 0,
        "removed_at": None,
    }
    assert listed[0]["first_seen"] == listed[0]["last_seen"]


def test_a_scans_urls_are_listed_file_by_file(client: Client, scan: Scan) -> None:
    job_id = scan(b=pages(*range(12)), empty=[], a=pages(*range(100, 103)), c=pages(3, 200))
    expected = [*range(12), 100, 101, 102, 3, 200]  # 3 is in two files
    for limit in range(1, 20):
        listed = items(client, f"{SITEMAP}/scan/{job_id}/urls", limit)
        assert pages_of(listed) == expected
    by_file = files_of(client, job_id)
    assert [item["sitemap_id"] for item in listed if item["url"].endswith("/3")] == [by_file["b"], by_file["c"]]


def test_each_scan_shows_what_it_saw(client: Client, scan: Scan) -> None:
    jobs = [scan(a=pages(1, 2, 3)), scan(a=pages(2, 3, 4)), scan(a=pages(4, 5))]
    files = [files_of(client, job_id)["a"] for job_id in jobs]

    def shown(file_id: str, state: str) -> list[int]:
        return pages_of(items(client, f"{SITEMAP_FILES}/{file_id}/urls?state={state}"))

    assert [shown(file, "present") for file in files] == [[1, 2, 3], [2, 3, 4], [4, 5]]
    assert [shown(file, "removed") for file in files] == [[], [1], [1, 2, 3]]
    assert [shown(file, "all") for file in files] == [[1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert [pages_of(items(client, f"{SITEMAP}/scan/{job}/urls")) for job in jobs] == [[1, 2, 3], [2, 3, 4], [4, 5]]


def test_a_read_of_a_part_shows_that_part(client: Client, scan: Scan) -> None:
    scan(a=pages(1, 2, 3))
    job_id = scan(a=(pages(2, 4), partial()))
    file_id = files_of(client, job_id)["a"]
    assert pages_of(items(client, f"{SITEMAP_FILES}/{file_id}/urls")) == [2, 4]
    assert items(client, f"{SITEMAP_FILES}/{file_id}/urls?state=removed") == []
    assert pages_of(items(client, f"{SITEMAP_FILES}/{file_id}/urls?state=all")) == [1, 2, 3, 4]


def test_a_file_that_could_not_be_read_shows_nothing(client: Client, scan: Scan, db: Database, caller: Caller) -> None:
    scan(a=pages(1, 2))
    site = sitemap_lines.scan_of(db, caller, "a")
    sitemap_lines.fail(db, sitemap_lines.line_of(db, site))
    target = f"{SITEMAP}/scan/{site.job_id}/urls"
    assert items(client, target) == []
    scan(a=pages(1, 2))  # what the scans before and after it have seen, it has not
    (file,) = items(client, f"{SITEMAP_FILES}?job_id={site.job_id}")
    assert (file["status"], file["url_count"]) == ("failed", 0)
    assert items(client, target) == items(client, f"{SITEMAP_FILES}/{file['id']}/urls") == []
    assert client.get(f"{target}/export?format=txt").body == ""


def test_a_file_that_was_not_modified_shows_what_it_named_before(
    client: Client, scan: Scan, db: Database, caller: Caller
) -> None:
    scan(a=(pages(1, 2, 3), whole(etag='"1"')))
    scan(a=(pages(2, 3), whole(etag='"2"')))
    site = sitemap_lines.scan_of(db, caller, "a")
    line = sitemap_lines.line_of(db, site)
    assert line.known is not None
    sitemap_ends.not_modified(db, line, status_code=304, wire_bytes=0, ms=1, lanes=1)
    scan(a=pages(3, 4))
    job_id = str(site.job_id)
    (file,) = items(client, f"{SITEMAP_FILES}?job_id={job_id}")
    assert (file["is_unchanged"], file["url_count"], file["status_code"]) == (True, 2, 304)
    assert pages_of(items(client, f"{SITEMAP}/scan/{job_id}/urls")) == [2, 3]
    assert pages_of(items(client, f"{SITEMAP_FILES}/{file['id']}/urls?state=removed")) == [1]


def test_a_scan_that_runs_shows_what_is_stored_so_far(client: Client, db: Database, caller: Caller) -> None:
    site = sitemap_lines.scan_of(db, caller, "a", "b")
    target = f"{SITEMAP}/scan/{site.job_id}/urls"
    assert items(client, target) == []
    line = sitemap_lines.line_of(db, site)
    sitemap_lines.store(db, line, pages(1, 2))
    assert pages_of(items(client, target)) == [1, 2]
    page = client.get(f"{target}?limit=1").json
    sitemap_lines.store(db, line, pages(3))
    rest = client.get(f"{target}?limit=5&cursor={page['next_cursor']}").json
    assert (pages_of(rest["items"]), rest["next_cursor"]) == ([2, 3], None)


# --- what changed ---


def changes(client: Client, job_id: str, kind: str, limit: int = 500) -> list[tuple[int, str | None, str | None]]:
    listed = items(client, f"{SITEMAP}/scan/{job_id}/changes?kind={kind}", limit)
    assert all(item["change"] == kind for item in listed)
    return [(int(item["url"].rsplit("/", 1)[1]), item["previous_lastmod"], item["lastmod"]) for item in listed]


def test_a_scan_shows_what_is_new_gone_and_changed(client: Client, scan: Scan) -> None:
    first = scan(a=pages(1, 2, 3), b=pages(10))
    second = scan(a=[*pages(1), *pages(2, lastmod="2024-05-05"), *pages(4)], b=pages(10, 11), c=pages(20))
    third = scan(a=[*pages(1), *pages(2, lastmod=None), *pages(3, 4)])
    for kind in ("added", "removed", "changed"):
        assert changes(client, first, kind) == []
    assert changes(client, second, "added") == [(4, None, "2024-01-01"), (11, None, "2024-01-01")]
    assert changes(client, second, "changed") == []  # it has changed again since
    assert changes(client, third, "changed") == [(2, "2024-05-05", None)]
    assert changes(client, third, "added") == [(3, None, "2024-01-01")]  # it is back
    assert changes(client, third, "removed") == []
    fourth = scan(a=pages(1), b=[])
    assert changes(client, fourth, "removed") == [
        (2, None, None), (3, "2024-01-01", None), (4, "2024-01-01", None), (10, "2024-01-01", None),
        (11, "2024-01-01", None),
    ]  # fmt: skip
    for limit in (1, 2, 3, 4):
        assert changes(client, fourth, "removed", limit) == changes(client, fourth, "removed")
    result = client.get(f"{JOBS}/{fourth}").json["result"]
    assert (result["removed_count"], result["added_count"], result["changed_count"]) == (5, 0, 0)


def test_what_is_added_is_shown_when_nothing_else_is_asked_for(client: Client, scan: Scan) -> None:
    scan(a=pages(1))
    job_id = scan(a=pages(1, 2))
    assert [item["change"] for item in client.get(f"{SITEMAP}/scan/{job_id}/changes").json["items"]] == ["added"]


# --- what is refused ---


def test_a_cursor_is_of_one_list_alone(client: Client, scan: Scan) -> None:
    scan(a=pages(0))
    first, second = scan(a=pages(1, 2, 3), b=pages(1, 2)), scan(a=pages(4, 5, 6), b=pages(5))
    a, b = files_of(client, first)["a"], files_of(client, first)["b"]
    lists = [
        f"{SITEMAP_FILES}?",
        f"{SITEMAP_FILES}?job_id={first}&",
        f"{SITEMAP_FILES}?job_id={second}&",
        f"{SITEMAP_FILES}/{a}/urls?",
        f"{SITEMAP_FILES}/{b}/urls?",
        f"{SITEMAP_FILES}/{a}/urls?state=all&",
        f"{SITEMAP}/scan/{first}/urls?",
        f"{SITEMAP}/scan/{second}/urls?",
        f"{SITEMAP}/scan/{first}/changes?",
        f"{SITEMAP}/scan/{second}/changes?kind=removed&",
    ]
    cursors = {target: client.get(f"{target}limit=1").json["next_cursor"] for target in lists}
    assert all(cursors.values())
    for target in lists:
        for of, cursor in cursors.items():
            answer = client.get(f"{target}cursor={cursor}")
            if of == target:
                assert answer.status == 200
            else:
                assert refused(answer, 422, "invalid_cursor")["errors"][0]["loc"] == ["query", "cursor"]


@pytest.mark.parametrize(
    "numbers",
    [["-1", "1"], ["1", "-1"], ["1", str(2**63)], [str(2**31), "1"], ["1", "1" * 400], ["1", "²"], ["1"], []],
)
def test_a_cursor_that_nobody_handed_out_is_refused(client: Client, scan: Scan, numbers: list[str]) -> None:
    job_id = scan(a=pages(1))
    cursor = paging.encode(["urls", job_id, *numbers])
    refused(client.get(f"{SITEMAP}/scan/{job_id}/urls?cursor={cursor}"), 422, "invalid_cursor")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/urls?limit=0", "limit"),
        ("/urls?limit=501", "limit"),
        ("/urls?state=gone", "state"),
        ("/urls/export?format=xml", "format"),
    ],
)
def test_what_is_out_of_bounds_is_refused(client: Client, scan: Scan, path: str, parameter: str) -> None:
    file_id = files_of(client, scan(a=pages(1)))["a"]
    problem = refused(client.get(f"{SITEMAP_FILES}/{file_id}{path}"), 422, "invalid")
    assert problem["errors"][0]["loc"] == ["query", parameter]


@pytest.mark.parametrize(
    "target",
    [
        f"{SITEMAP_FILES}/{{}}",
        f"{SITEMAP_FILES}/{{}}/urls",
        f"{SITEMAP_FILES}/{{}}/urls/export",
        f"{SITEMAP}/scan/{{}}/urls",
        f"{SITEMAP}/scan/{{}}/urls/export",
        f"{SITEMAP}/scan/{{}}/changes",
    ],
)
def test_what_is_not_there_is_a_404_and_what_is_no_id_a_422(client: Client, target: str) -> None:
    refused(client.get(target.format(uuid4())), 404, "not_found")
    assert refused(client.get(target.format("x")), 422, "invalid")["errors"][0]["loc"][0] == "path"


# --- how it is found ---


def test_a_page_reads_no_more_than_it_shows_whatever_the_statistics_say(
    db: Database, scan: Scan, tenant_id: UUID, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(f00=pages(1))
    postgres.rows("analyze scrapersky.sitemap_files, scrapersky.sitemap_urls")  # so few rows that they may be sorted
    job_id = scan(**{f"f{n:02}": pages(*range(200)) for n in range(20)})
    asked = {"job_id": UUID(job_id), "position": 3, "id": 0, "limit": 10, "state": "present"}

    def rows_read() -> float:
        explained = sitemaps.in_order(db, tenant_id, "explain (analyze, format json) " + sitemaps._URLS, asked)
        return most_rows(explained[0]["QUERY PLAN"][0]["Plan"])

    assert rows_read() <= 11
    monkeypatch.setattr(sitemaps, "FOUND_IN_ORDER", "select")
    assert rows_read() > 100  # the control: as the planner would have it


def most_rows(plan: dict[str, Any]) -> float:
    own: float = plan["Actual Rows"] * plan["Actual Loops"]
    return max([own, *map(most_rows, plan.get("Plans", ()))])
