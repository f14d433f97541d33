"""Places searches worked off: against the emulator over a socket, into Postgres through PgBouncer."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import places_store
from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller
from scrapersky.domain.places import FieldPreset
from scrapersky.places.retrying import MAX_TRIES
from scrapersky.services import jobs, sweep
from scrapersky_local.places_emulator.errors import Reply, error
from support.places import ENTERPRISE, KEY, Searching, asked, searching

BUSY = Reply(429, error(429, "RESOURCE_EXHAUSTED", f"key {KEY}", "RATE_LIMIT_EXCEEDED"), {"Retry-After": "2"})
DOWN = Reply(503, error(503, "UNAVAILABLE", "The service is currently unavailable."))


@pytest.fixture
def google(postgres: TestDatabase, db: Database, queue: ScanQueue, caller: Caller) -> Iterator[Searching]:
    with searching(postgres, db, queue.sender, caller) as running:
        yield running


def test_sixty_places_over_three_pages_each_once(google: Searching) -> None:
    job_id = google.search()
    job = google.job(job_id)
    assert (job["status"], job["progress"]) == ("complete", 100)
    assert job["result"] == {
        "total_places": 60,
        "stored_places": 60,
        "new_places": 60,
        "requests": 3,
        "cost_usd": 0.105,
        "stopped": "max_results",
        "reused_from": None,
    }
    places = google.listed(job_id)
    assert len(places) == len(set(places)) == 60
    assert google.ledger() == [(ENTERPRISE, "answered", 200)] * 3
    assert google.emulator.counts() == {ENTERPRISE: 3}


def test_what_is_stored_of_a_place(google: Searching) -> None:
    google.search(asked("dentist", max_results=4))
    stored = google.postgres.rows(
        "select name, website, website_class, domain, phone, status, business_type, expires_at - content_at"
        " from scrapersky.places order by created_at, place_id"
    )
    month = timedelta(days=30)
    assert stored == [
        (
            "Cedar Dental Practice", "https://cedar-dental.example/?utm_source=google&utm_medium=maps", "own_site",
            "cedar-dental.example", "+353 20 914 6321", "New", "dentist", month,
        ),
        ("Old Mill Smiles", "https://www.facebook.com/oldmillsmiles", "social", None, None, "New", "dentist", month),
        (
            "Granite Dental Archive", "http://granite-archive.example/", "own_site", "granite-archive.example", None,
            "New", "dentist", month,
        ),
        (
            "Shut Gate Orthodontics", "http://shut-gate.example/", "own_site", "shut-gate.example", None, "New",
            "dentist", month,
        ),
    ]  # fmt: skip


def test_nothing_found_is_complete_with_zero(google: Searching) -> None:
    job_id = google.search(asked("astronaut"))
    job = google.job(job_id)
    assert (job["status"], job["result"]["total_places"], job["result"]["stopped"]) == ("complete", 0, "all_found")
    assert google.listed(job_id) == []


def test_a_location_is_geocoded_first(google: Searching) -> None:
    job_id = google.search(asked("cafe", centre=None))
    assert len(google.listed(job_id)) == 3
    assert google.ledger() == [("Geocoding", "answered", 200), (ENTERPRISE, "answered", 200)]
    assert google.emulator.counts() == {"Geocoding": 1, ENTERPRISE: 1}


def test_a_location_that_google_does_not_know_is_told(google: Searching) -> None:
    job = google.job(google.search(asked("cafe", centre=None, location="Atlantis")))
    assert (job["status"], job["error_code"]) == ("failed", "location_not_found")
    assert google.ledger() == [("Geocoding", "answered", 200)]


def test_a_later_search_takes_nothing_from_an_earlier_one_and_curation_survives(google: Searching) -> None:
    first = google.search(asked(max_results=20))
    before = google.listed(first)
    google.postgres.rows("update scrapersky.places set status = 'Selected' where place_id = %s", before[0])
    ids = google.postgres.rows("select place_id, id from scrapersky.places order by place_id")
    second = google.search(asked(max_results=40))
    assert google.listed(first) == before
    assert google.listed(second)[:20] == before
    assert google.job(second)["result"]["new_places"] == 20
    assert set(ids) < set(google.postgres.rows("select place_id, id from scrapersky.places"))
    assert google.postgres.one("select status from scrapersky.places where place_id = %s", before[0]) == ("Selected",)


def test_places_are_each_tenants_own(google: Searching, postgres: TestDatabase, caller: Caller) -> None:
    google.search(asked(max_results=1))
    google.caller = replace(caller, tenant_id=type(caller.tenant_id)(int=7))
    google.search(asked(max_results=1))
    assert postgres.one("select count(*), count(distinct place_id) from scrapersky.places") == (2, 1)


@pytest.mark.parametrize("preset", [FieldPreset.IDS, FieldPreset.BASIC])
def test_what_was_not_asked_for_stays_as_it_was(google: Searching, preset: FieldPreset) -> None:
    google.search(asked(max_results=1))
    google.postgres.rows("update scrapersky.places set expires_at = now() + interval '1 day'")
    google.search(asked(max_results=1, preset=preset))
    stored = google.postgres.one(
        "select name, website_class, domain, expires_at < now() + interval '2 days' from scrapersky.places"
    )
    assert stored == ("Cedar Dental Practice", "own_site", "cedar-dental.example", True)


def test_ids_alone_bring_no_content_that_could_expire(google: Searching) -> None:
    google.search(asked(max_results=1, preset=FieldPreset.IDS))
    stored = google.postgres.one("select name, website_class, content_at, expires_at from scrapersky.places")
    assert stored == (None, None, None, None)
    assert google.emulator.counts() == {"Text Search Essentials (IDs Only)": 1}


@pytest.mark.parametrize("fault", [BUSY, DOWN, Reply(200, raw=b"{oops"), Reply(500, raw=b"")])
def test_a_passing_fault_is_got_past_and_each_try_is_in_the_ledger(google: Searching, fault: Reply) -> None:
    google.emulator.faults.extend([None, fault, fault])
    job_id = google.search()
    assert google.job(job_id)["status"] == "complete"
    assert len(google.listed(job_id)) == 60
    assert len(google.waits) == 2
    assert len(google.ledger()) == sum(google.emulator.counts().values()) == 5
    assert Counter(outcome for _, outcome, _ in google.ledger()) == {"answered": 3, "refused": 2}


@pytest.mark.parametrize(
    ("fault", "tries", "code"),
    [
        (BUSY, MAX_TRIES, "quota_exceeded"),
        (DOWN, MAX_TRIES, "upstream_error"),
        (Reply(200, raw=b"<html>"), MAX_TRIES, "upstream_error"),
        (Reply(403, error(403, "PERMISSION_DENIED", KEY, "API_KEY_SERVICE_BLOCKED")), 1, "invalid_key"),
        (Reply(400, error(400, "INVALID_ARGUMENT", KEY)), 1, "request_refused"),
        (Reply(302, raw=b"", headers={"Location": "http://169.254.169.254/"}), 1, "request_refused"),
    ],
)
def test_a_lasting_fault_ends_the_search_and_keeps_what_was_found(
    google: Searching, fault: Reply, tries: int, code: str
) -> None:
    google.emulator.faults.extend([None, *[fault] * tries])
    job_id = google.search()
    job = google.job(job_id)
    if code == "request_refused" and fault.status == 400:
        code = "page_token_expired"  # Google has no other word for it, and the second page has a token
    assert (job["status"], job["error_code"]) == ("failed", code)
    assert (job["metadata"]["stored_places"], job["metadata"]["requests"]) == (20, 1 + tries)
    assert len(google.listed(job_id)) == 20
    assert len(google.ledger()) == sum(google.emulator.counts().values()) == 1 + tries


def test_an_expired_page_token_is_told_and_a_retry_starts_anew(google: Searching, queue: ScanQueue) -> None:
    google.emulator.token_seconds = 0.0
    job_id = google.search()
    assert google.job(job_id)["error_code"] == "page_token_expired"
    assert len(google.listed(job_id)) == 20
    google.emulator.token_seconds = 300.0
    jobs.retry(google.db, queue.sender, google.caller, job_id, None)
    assert google.listed(job_id) == []
    google.work(job_id)
    assert google.job(job_id)["status"] == "complete"
    assert len(google.listed(job_id)) == 60


def test_a_key_that_is_none_is_told_without_the_key(google: Searching) -> None:
    google.key = "AIza-another-key"
    job = google.job(google.search())
    assert (job["status"], job["error_code"]) == ("failed", "invalid_key")
    assert google.key not in json.dumps(job)


def test_a_budget_is_never_passed(google: Searching) -> None:
    job_id = google.search(budget="0.08")  # two pages of three
    result = google.job(job_id)["result"]
    assert (result["stopped"], result["requests"], result["cost_usd"]) == ("budget", 2, 0.07)
    assert len(google.listed(job_id)) == 40
    assert google.emulator.counts() == {ENTERPRISE: 2}


def test_tries_that_failed_are_money_too(google: Searching) -> None:
    google.emulator.faults.extend([DOWN, None, DOWN])
    job_id = google.search(budget="0.11")
    assert google.job(job_id)["result"]["stopped"] == "budget"
    assert len(google.listed(job_id)) == 20
    assert google.emulator.counts() == {ENTERPRISE: 3}


def test_a_budget_below_the_first_page_asks_for_nothing(google: Searching) -> None:
    job = google.job(google.search(budget="0.01"))
    assert (job["status"], job["error_code"]) == ("failed", "budget_exceeded")
    assert google.emulator.received == []
    assert google.ledger() == []


def test_the_same_search_again_is_answered_without_a_request(google: Searching) -> None:
    first = google.search()
    second = google.search(asked("  Dentist ", location="AUSTIN  tx"))
    assert google.listed(second) == google.listed(first)
    result = google.job(second)["result"]
    assert (result["reused_from"], result["requests"], result["cost_usd"]) == (str(first), 0, 0)
    assert (result["total_places"], result["stored_places"], result["new_places"]) == (60, 60, 0)
    assert google.emulator.counts() == {ENTERPRISE: 3}
    third = google.search()
    assert google.job(third)["result"]["reused_from"] in (str(first), str(second))


@pytest.mark.parametrize(
    "change",
    [
        lambda google: google.start(refresh=True),
        lambda google: google.start(asked(max_results=40)),
        lambda google: google.start(asked(preset=FieldPreset.BASIC)),
        lambda google: google.start(asked(radius_km=5)),
    ],
)
def test_another_search_or_a_fresh_one_asks_google(google: Searching, change: Callable[[Searching], Any]) -> None:
    google.search()
    google.work(change(google))
    assert sum(google.emulator.counts().values()) > 3


def test_an_old_search_or_one_whose_content_is_gone_is_not_reused(google: Searching) -> None:
    google.search()
    google.postgres.rows("update scrapersky.places set content_at = null, expires_at = null, name = null")
    google.search()
    assert google.emulator.counts() == {ENTERPRISE: 6}
    google.terms = replace(google.terms, reuse_within=timedelta(0))
    google.search()
    assert google.emulator.counts() == {ENTERPRISE: 9}


def test_a_split_search_finds_more_than_google_tells_of_one(google: Searching) -> None:
    job_id = google.search(asked(max_results=1000, split=True, max_requests=60, radius_km=40))
    result = google.job(job_id)["result"]
    assert (result["total_places"], result["stopped"]) == (96, "all_found")
    assert len(set(google.listed(job_id))) == 96
    assert sum(google.emulator.counts().values()) == result["requests"] <= 60


def test_a_cancelled_search_asks_for_nothing_more(google: Searching) -> None:
    job_id = google.start()

    def cancel_on_the_second() -> None:
        if len(google.emulator.received) == 1:
            with Database(google.postgres.app_dsn) as other:
                jobs.cancel(other, google.caller.tenant_id, job_id)

    google.emulator.on_request = cancel_on_the_second
    tally = google.work(job_id)
    assert tally.fenced == [job_id]
    assert google.job(job_id)["status"] == "cancelled"
    assert len(google.listed(job_id)) == 20  # what was found before stays
    assert len(google.emulator.received) == len(google.ledger()) == 2


def test_without_time_the_job_is_given_back(google: Searching, queue: ScanQueue) -> None:
    job_id = google.start()
    queue.drain_places()
    tally = google.work(job_id, seconds=10)
    assert tally.released == [job_id]
    job = google.job(job_id)
    assert (job["status"], job["attempt"]) == ("pending", 0)
    assert google.emulator.received == []


def test_a_resumed_search_links_nothing_twice(google: Searching) -> None:
    job_id = google.start()
    google.emulator.faults.extend([None, DOWN])

    def lose(_seconds: float) -> None:
        raise KeyboardInterrupt

    google.wait = lose
    with pytest.raises(KeyboardInterrupt):
        google.work(job_id)
    assert len(google.listed(job_id)) == 20
    google.postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 second' where id = %s", job_id)
    google.postgres.rows("update scrapersky.host_leases set until = now() - interval '1 second'")
    google.wait = None
    google.work(job_id)
    assert google.job(job_id)["status"] == "complete"
    assert len(set(google.listed(job_id))) == 60
    assert len(google.ledger()) == sum(google.emulator.counts().values()) == 5


def test_a_budget_that_a_lost_worker_used_up_ends_the_search_with_what_it_found(google: Searching) -> None:
    job_id = google.start(budget="0.04")
    real = places_store.store_page

    def store_and_die(*arguments: Any, **named: Any) -> bool:
        real(*arguments, **named)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places_store, "store_page", store_and_die)
        with pytest.raises(KeyboardInterrupt):
            google.work(job_id)
    google.postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 second' where id = %s", job_id)
    google.postgres.rows("update scrapersky.host_leases set until = now() - interval '1 second'")
    google.work(job_id)
    job = google.job(job_id)
    assert (job["status"], job["result"]["stopped"]) == ("complete", "budget")
    assert (job["result"]["total_places"], job["result"]["stored_places"], job["result"]["requests"]) == (20, 20, 1)
    assert google.emulator.counts() == {ENTERPRISE: 1}


def test_the_key_is_in_no_row(google: Searching) -> None:
    google.emulator.faults.extend([BUSY, Reply(403, error(403, "PERMISSION_DENIED", f"key {KEY} is bad"))])
    google.search()
    google.search(asked("cafe"))
    tables = google.postgres.rows(
        "select relname from pg_class where relnamespace = 'scrapersky'::regnamespace and relkind = 'r'"
    )
    for (table,) in tables:
        for (row,) in google.postgres.rows(f"select t::text from scrapersky.{table} t"):
            assert KEY not in str(row), table


def test_content_goes_when_its_time_is_over_and_the_place_stays(google: Searching) -> None:
    job_id = google.search(asked(max_results=4))
    google.postgres.rows(
        "insert into scrapersky.domains (tenant_id, domain, site_data, job_id, scanned_at)"
        " values (%s, 'cedar-dental.example', '{}', %s, now())",
        google.caller.tenant_id,
        job_id,
    )
    before = google.listed(job_id)
    assert sweep.run(google.db, google.sender, deadline=monotonic() + 10).expired == 0
    google.postgres.rows("update scrapersky.places set expires_at = now() where name <> 'Old Mill Smiles'")
    google.postgres.rows("update scrapersky.places set status = 'Maybe'")
    assert sweep.run(google.db, google.sender, deadline=monotonic() + 10).expired == 3
    assert google.listed(job_id) == before
    stored = google.postgres.rows(
        "select name, formatted_address is null, website, domain, website_class, status, expires_at is null"
        " from scrapersky.places order by place_id"
    )
    assert stored == [
        # The site itself was read: what it shows is ours, its name among it.
        (None, True, None, "cedar-dental.example", "own_site", "Maybe", True),
        ("Old Mill Smiles", False, "https://www.facebook.com/oldmillsmiles", None, "social", "Maybe", False),
        (None, True, None, None, None, "Maybe", True),
        (None, True, None, None, None, "Maybe", True),
    ]


def test_a_search_makes_no_domain_of_its_subject(google: Searching) -> None:
    google.search(asked(max_results=1))
    assert google.postgres.rows("select domain from scrapersky.domains") == []
