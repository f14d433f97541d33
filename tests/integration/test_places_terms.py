"""Who waits for whom among searches, what stands for a search that is made again, and what is shown past its time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from conftest import TestDatabase
from integration.conftest import ScanQueue
from scrapersky.db import leases, places, places_store
from scrapersky.db.connection import Database
from scrapersky.db.leases import ClaimOutcome
from scrapersky.domain.jobs import Caller
from scrapersky.domain.places import FieldPreset, WebsiteClass
from scrapersky.domain.status import JobKind
from scrapersky.errors import Conflict
from scrapersky.places.client import ANSWER_SECONDS
from scrapersky.services import jobs
from scrapersky.services import places as reading
from scrapersky.services.places_work import STORE_SECONDS
from scrapersky_local.places_emulator.errors import Reply, error
from support.places import ENTERPRISE, Searching, asked, searching

LEASE = timedelta(minutes=1)
BUSY = Reply(429, error(429, "RESOURCE_EXHAUSTED", "Quota exceeded."), {"Retry-After": "2"})


@pytest.fixture
def google(postgres: TestDatabase, db: Database, queue: ScanQueue, caller: Caller) -> Iterator[Searching]:
    with searching(postgres, db, queue.sender, caller) as running:
        yield running


@pytest.fixture
def elsewhere(google: Searching, caller: Caller) -> Searching:
    """The same service, for another tenant."""
    return replace(google, caller=replace(caller, tenant_id=UUID(int=7)))


def claimed(db: Database, *job_ids: UUID) -> dict[UUID, ClaimOutcome]:
    claims = leases.claim(db, job_ids, kind=JobKind.PLACES_SEARCH, token=uuid4(), lease=LEASE)
    return {claim.id: claim.outcome for claim in claims}


def later(google: Searching, hours: int) -> None:
    """Let hours pass for all searches that have ended."""
    google.postgres.rows(
        "alter table scrapersky.jobs disable trigger jobs_transition;"  # by which what has ended does not change
        f" update scrapersky.jobs set finished_at = finished_at - interval '{hours} hours' where status = 'complete';"
        " alter table scrapersky.jobs enable trigger jobs_transition"
    )


def test_no_tenant_waits_for_anothers_search(db: Database, google: Searching, elsewhere: Searching) -> None:
    ours, theirs, ours_again = google.start(), elsewhere.start(), google.start()
    assert claimed(db, ours) == {ours: ClaimOutcome.CLAIMED}
    assert claimed(db, theirs) == {theirs: ClaimOutcome.CLAIMED}
    assert claimed(db, ours_again) == {ours_again: ClaimOutcome.BUSY}  # it is to find what the first one finds


def test_the_message_of_a_search_that_another_job_makes_is_delayed_by_the_queue(
    db: Database, google: Searching, queue: ScanQueue
) -> None:
    first, second = google.start(), google.start()
    claimed(db, first)
    queue.drain_places()
    assert google.work(second).postponed == [second]
    assert google.postgres.rows(
        "select due_at > now() + interval '5 s', sent_at is not null from scrapersky.outbox where job_id = %s"
        " order by id offset 1",
        second,
    ) == [(True, True)]
    assert queue.drain_places() == []  # not yet


def test_searches_that_only_look_the_same_do_not_wait_for_each_other(db: Database, google: Searching) -> None:
    one, other = google.start(), google.start(asked(radius_km=5))
    assert set(claimed(db, one, other).values()) == {ClaimOutcome.CLAIMED}


def test_a_search_keeps_what_it_leases_for_as_long_as_it_goes_on(db: Database, google: Searching) -> None:
    job_id, token = google.start(), uuid4()
    leases.claim(db, [job_id], kind=JobKind.PLACES_SEARCH, token=token, lease=timedelta(seconds=1))
    leases.renew(db, {job_id: 1.0}, token=token, lease=timedelta(hours=1))
    assert google.postgres.one("select until > now() + interval '50 minutes' from scrapersky.host_leases") == (True,)


def test_a_cancelled_search_does_not_keep_the_same_one_waiting(db: Database, google: Searching) -> None:
    job_id = google.start()

    def cancel() -> None:
        with Database(google.postgres.app_dsn) as other:
            jobs.cancel(other, google.caller.tenant_id, job_id)

    google.emulator.on_request = cancel
    assert google.work(job_id).fenced == [job_id]
    google.emulator.on_request = None
    again = google.start()
    assert google.work(again).ended == [again]


def test_a_search_is_never_answered_with_one_that_is_older_than_the_hours_allow(google: Searching) -> None:
    first = google.search()
    later(google, 20)
    second = google.search()
    assert google.job(second)["result"]["reused_from"] == str(first)
    later(google, 20)
    third = google.search()
    assert google.job(third)["result"]["reused_from"] is None
    assert google.emulator.counts() == {ENTERPRISE: 6}


def test_a_whole_number_of_kilometres_is_the_same_however_it_is_written(google: Searching) -> None:
    google.search(asked(radius_km=10))
    assert google.job(google.search(asked(radius_km=10.0)))["result"]["reused_from"] is not None


def test_a_search_that_has_begun_its_list_takes_over_no_other(google: Searching) -> None:
    job_id = google.start()
    google.emulator.faults.extend([None, BUSY])

    def lose(_seconds: float) -> None:
        raise KeyboardInterrupt

    google.wait = lose
    with pytest.raises(KeyboardInterrupt):
        google.work(job_id)
    google.wait = None
    google.postgres.rows("update scrapersky.place_results set rank = 21 - rank + 1000")
    google.postgres.rows("update scrapersky.place_results set rank = rank - 1000")
    google.postgres.rows("update scrapersky.jobs set lease_until = now() - interval '1 second' where id = %s", job_id)
    google.postgres.rows("update scrapersky.host_leases set until = now() - interval '1 second'")
    begun = google.listed(job_id)
    google.search()
    google.work(job_id)
    assert google.job(job_id)["result"]["reused_from"] is None
    assert google.listed(job_id)[:20] == begun
    assert len(set(google.listed(job_id))) == 60


def test_a_reuse_whose_answer_was_lost_is_told_again(google: Searching, monkeypatch: pytest.MonkeyPatch) -> None:
    first = google.search()
    take_over = places_store.reuse

    def twice(*arguments: Any, **named: Any) -> Any:
        take_over(*arguments, **named)
        return take_over(*arguments, **named)

    monkeypatch.setattr(places_store, "reuse", twice)
    second = google.search()
    assert google.job(second)["result"]["reused_from"] == str(first)
    assert google.listed(second) == google.listed(first)


def test_only_the_search_that_found_a_place_first_calls_it_new(google: Searching) -> None:
    waiting = google.start(asked(max_results=40))
    google.search(asked(max_results=20))
    google.work(waiting)
    assert google.job(waiting)["result"]["new_places"] == 20


def test_without_time_a_search_ends_with_what_it_has_and_pays_for_nothing_twice(google: Searching) -> None:
    google.emulator.faults.extend([None, BUSY])
    job_id = google.start()
    google.work(job_id, seconds=STORE_SECONDS + ANSWER_SECONDS + 1)  # the two seconds that Google asks for are not left
    job = google.job(job_id)
    assert (job["status"], job["result"]["stopped"], job["result"]["total_places"]) == ("complete", "time", 20)
    assert google.emulator.counts() == {ENTERPRISE: 2}


def test_without_time_and_without_a_place_a_search_fails_as_too_slow(google: Searching) -> None:
    google.emulator.faults.append(BUSY)
    job_id = google.start()
    google.work(job_id, seconds=STORE_SECONDS + ANSWER_SECONDS + 1)
    job = google.job(job_id)
    assert (job["status"], job["error_code"]) == ("failed", "timeout")


def test_what_is_past_its_time_is_shown_to_nobody_before_the_sweep_either(google: Searching) -> None:
    job_id, tenant_id = google.search(asked(max_results=4)), google.caller.tenant_id
    google.postgres.rows(
        "insert into scrapersky.domains (tenant_id, domain, site_data, job_id, scanned_at)"
        " values (%s, 'cedar-dental.example', '{}', %s, now())",
        tenant_id,
        job_id,
    )
    google.postgres.rows("update scrapersky.places set expires_at = now() - interval '1 second'")

    def told() -> tuple[list[tuple[Any, ...]], int]:
        listed = places.listing(google.db, tenant_id, job_id, limit=10)
        own = places.listing(google.db, tenant_id, job_id, website_class=WebsiteClass.OWN_SITE, limit=10)
        count = places.count(google.db, tenant_id, job_id, website_class=WebsiteClass.OWN_SITE)
        assert len(own) == count
        return [(one.name, one.website, one.website_class, one.domain, one.expires_at) for one in listed], count

    before = told()
    nothing = (None, None, None, None, None)
    assert before == ([(None, None, "own_site", "cedar-dental.example", None), nothing, nothing, nothing], 1)
    google.postgres.rows("select scrapersky.expire_places(100)")
    assert told() == before


def test_a_site_that_is_past_its_time_is_not_scanned(google: Searching) -> None:
    job_id = google.search(asked(max_results=1))
    google.postgres.rows("update scrapersky.places set expires_at = now() - interval '1 second'")
    with pytest.raises(Conflict):
        reading.scan_sites(
            google.db,
            google.sender,
            google.caller,
            job_id,
            place_ids=None,
            max_pages=1,
            max_concurrent=1,
            idempotency=None,
        )


def test_what_is_asked_for_anew_does_not_go_with_what_is_past_its_time(google: Searching) -> None:
    google.search(asked(max_results=1))
    google.postgres.rows("update scrapersky.places set expires_at = now() - interval '1 second'")
    google.search(asked(max_results=1, preset=FieldPreset.BASIC))
    assert google.postgres.one(
        "select name, website, phone, domain, website_class, expires_at > now() + interval '29 days'"
        " from scrapersky.places"
    ) == ("Cedar Dental Practice", None, None, None, None, True)
