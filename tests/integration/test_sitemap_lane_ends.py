"""How a lane leaves a job that others ended, cancelled or gave back: what it tells of, and what becomes of the host."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import sitemap_ends
from scrapersky.db import sitemap_work as files
from scrapersky.db.connection import Database
from scrapersky.db.sitemap_lines import Site
from scrapersky.domain.jobs import Caller
from scrapersky.scraping.politeness import MAX_PAUSE_SECONDS
from scrapersky.services import jobs
from support import emf
from support.log_lines import recorded
from support.loopback import Listener, response
from support.sitemap_lines import DOMAIN, add, finish, lead, line_of, make_scan, scan_of
from support.sitemap_scans import start, work
from support.sitemap_site import Page, Table, page_urls, robots, site_of, urlset, xml

Told = Callable[..., emf.Values]

LONG = timedelta(seconds=90)
"""A lease that outlasts its test: a host that is free before it was freed by the lane."""


def before_calls(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, meanwhile: Callable[[], object], *, call: int = 1
) -> None:
    """Has `meanwhile` happen right before the call of that number of a function."""
    function, calls = getattr(module, name), []

    def late(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        if len(calls) == call:
            meanwhile()
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, late)


def scan_of_two(db: Database, caller: Caller) -> Site:
    """A scan that found two files where the listener of a test has them: by plain HTTP."""
    site = lead(db, caller, make_scan(db, caller))
    add(db, site, *(f"http://{DOMAIN}/{name}.xml" for name in "ab"))
    return site


def told_of(events: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["message"], event["outcome"]) for event in events if event["message"].endswith(" ended")]


def host(postgres: TestDatabase) -> tuple[object, ...]:
    """(left alone rather than asked, whole seconds until it is free)."""
    return postgres.one(
        "select is_pause, ceil(greatest(extract(epoch from until - now()), 0))::integer from scrapersky.host_leases"
    )


def test_a_lane_whose_job_another_ended_tells_of_no_end(
    db: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    """Its last file ends between this lane's joining and its asking for one."""
    site = scan_of(db, caller)
    line = line_of(db, site)
    before_calls(monkeypatch, files, "claim", lambda: finish(db, line))
    with recorded(capsys) as written, Listener(Table({}), keep_alive=True) as listener:
        tally = work(db, listener.port, site.job_id)
        assert told_of(written.events()) == [("lane ended", "over")]
    assert (tally.left, tally.stored) == ([site.job_id], [])
    assert not {"JobsWithoutResult", "FencesHit", "ClaimsLost"} & set(told() | told(kind="sitemap_scan"))


def test_a_lane_that_finds_the_job_ended_tells_what_its_host_asked_for(
    db: Database, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = scan_of_two(db, caller)
    line = line_of(db, site, lanes=2)
    before_calls(monkeypatch, files, "claim", lambda: finish(db, line), call=2)
    busy = response(b"later", status="503 Service Unavailable", headers=("Retry-After: 120",))
    with Listener(Table({"/b.xml": busy}), keep_alive=True) as listener, Database(postgres.app_dsn) as own:
        assert work(own, listener.port, site.job_id).left == [site.job_id]
    is_left_alone, seconds = host(postgres)
    assert is_left_alone
    assert 50 <= int(str(seconds)) <= MAX_PAUSE_SECONDS


def test_a_lane_that_goes_before_the_last_leaves_the_host_to_the_others(
    db: Database, caller: Caller, postgres: TestDatabase
) -> None:
    site = scan_of_two(db, caller)
    line_of(db, site, lanes=2)
    with Listener(Table({"/b.xml": xml(urlset(page_urls(0)))}), keep_alive=True) as listener:
        assert work(db, listener.port, site.job_id).left == [site.job_id]
    is_left_alone, seconds = host(postgres)
    assert (is_left_alone, int(str(seconds)) > 0) == (False, True)


def test_a_lane_that_lost_its_file_alone_leaves_the_host_to_whoever_has_it(
    db: Database, caller: Caller, postgres: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = scan_of_two(db, caller)
    taken = "update scrapersky.sitemap_files set lease_token = gen_random_uuid() where status = 'running' returning id"
    before_calls(monkeypatch, sitemap_ends, "finish", lambda: postgres.one(taken))
    with Listener(Table({"/a.xml": xml(urlset(page_urls(0)))}), keep_alive=True) as listener:
        assert work(db, listener.port, site.job_id).fenced == [site.job_id]
    is_left_alone, seconds = host(postgres)
    assert (is_left_alone, int(str(seconds)) > 0) == (False, True)


@pytest.mark.parametrize("meets", ["the site", "the job before it begins"])
def test_a_cancelled_scan_frees_its_host(
    db: Database,
    queue: ScanQueue,
    caller: Caller,
    postgres: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    meets: str,
) -> None:
    """Or whoever comes next waits until its lease is over."""
    job_id = start(db, queue, caller)

    def cancel() -> None:
        with Database(postgres.app_dsn) as other:
            jobs.cancel(other, caller.tenant_id, job_id)

    before_calls(monkeypatch, files, "site" if meets != "the site" else "claim", cancel)
    with Listener(Table(site_of(0)), keep_alive=True) as listener:
        assert work(db, listener.port, job_id, lease=LONG).fenced == [job_id]
        assert host(postgres)[1] == 0
        jobs.retry(db, queue.sender, caller, job_id, None)
        assert work(db, listener.port, job_id, lease=LONG).stored == [job_id]


def test_a_lane_whose_job_was_given_back_has_lost_nothing(
    db: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    """Whoever leads it is out of time while this lane is between two files."""
    site = scan_of_two(db, caller)
    line = line_of(db, site, lanes=2)

    def given_back() -> None:
        assert files.give_back(db, line)

    before_calls(monkeypatch, files, "claim", given_back)
    with Listener(Table({}), keep_alive=True) as listener:
        assert work(db, listener.port, site.job_id).left == [site.job_id]
    assert not {"FencesHit", "ClaimsLost"} & set(told())


def test_a_file_is_told_of_as_it_is_written_down(
    db: Database,
    caller: Caller,
    postgres: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    site = scan_of_two(db, caller)
    line_of(db, site, lanes=2)

    def cancel() -> None:
        with Database(postgres.app_dsn) as other:
            jobs.cancel(other, caller.tenant_id, site.job_id)

    before_calls(monkeypatch, sitemap_ends, "finish", cancel)
    pages: dict[str, Page] = {"/b.xml": xml(urlset(page_urls(0))), "/robots.txt": robots()}
    with recorded(capsys) as written, Listener(Table(pages), keep_alive=True) as listener:
        assert work(db, listener.port, site.job_id).fenced == [site.job_id]
        assert told_of(written.events()) == [("sitemap ended", "lost"), ("lane ended", "lost")]
