"""A site of every kind is scanned, and each ends with the truth. `tests/chaos/sitemap_sites.py` takes five hundred."""

from dataclasses import replace

import pytest

from chaos.sites.fixture import KINDS, File, read
from chaos.sites.run import run
from conftest import TestDatabase

SECONDS = 120.0

# Half a minute on an idle machine: the slow sites take what they are given.
pytestmark = pytest.mark.timeout(300)


def test_every_kind_of_site_ends_with_a_truthful_state(postgres: TestDatabase) -> None:
    report = run(postgres, sites=len(KINDS), seed=7, seconds=SECONDS)
    assert {one.site.host: one.faults for one in report.found if one.faults} == {}
    assert report.faults == []
    assert (report.holds, report.truthful, report.open_jobs, report.open_files) == (True, len(KINDS), 0, 0)
    assert report.rows > len(KINDS)


def test_what_changed_until_the_second_scan_is_told(postgres: TestDatabase) -> None:
    kinds = [name for name in KINDS if name.startswith("again-")]
    report = run(postgres, sites=len(kinds), seed=7, seconds=SECONDS, scans=2, only=kinds)
    assert {one.site.host: one.faults for one in report.found if one.faults} == {}
    assert report.faults == []
    assert {len(one.told) for one in report.found} == {2}


def test_control_a_change_that_is_not_the_expected_one_is_told(postgres: TestDatabase) -> None:
    kind = KINDS["again-more"]
    first = kind.make(kind.site(0, 7))[1]
    report = run(
        postgres,
        sites=1,
        seed=7,
        seconds=SECONDS,
        scans=2,
        only=[kind.name],
        instead={kind.name: replace(first, then=None)},
    )
    assert [fault.partition(":")[0] for fault in report.found[0].faults] == ["scan 2"] * 2
    assert not report.holds


def test_control_a_state_that_is_not_the_expected_one_is_told(postgres: TestDatabase) -> None:
    wrong = {"urlset-plain": read(File(urls=1)), "nothing": read(File()), "index-circle": read()}
    report = run(postgres, sites=4, seed=7, seconds=SECONDS, instead=wrong, only=[*wrong, "feed-rss"])
    assert not report.holds
    assert {one.kind for one in report.found if one.faults} == set(wrong)


def test_control_a_job_that_does_not_end_is_told(postgres: TestDatabase) -> None:
    report = run(postgres, sites=1, seed=7, seconds=0.0, only=["urlset-plain"])
    assert (report.open_jobs, report.truthful, report.holds) == (1, 0, False)
    assert "scan 1: 1 jobs are open" in report.faults
