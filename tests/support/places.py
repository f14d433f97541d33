"""Places searches against the emulator: what their tests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from conftest import TestDatabase
from scrapersky.db import leases, places_ledger, places_store
from scrapersky.db.connection import Database
from scrapersky.db.places_ledger import Reservation, Search
from scrapersky.domain.jobs import Caller
from scrapersky.domain.places import FieldPreset, FoundPlace, LatLng, Price, WebsiteClass
from scrapersky.domain.status import JobKind
from scrapersky.places.client import PlacesClient, PlacesUrls
from scrapersky.places.presets import SKUS
from scrapersky.places.search import SearchRequest
from scrapersky.queues import Sender
from scrapersky.services import places_search, places_work
from scrapersky_local.places_emulator.server import serve
from scrapersky_local.places_emulator.service import Emulator

KEY = "AIza-planted-key-0123456789"
AUSTIN = LatLng(30.2672, -97.7431)
TERMS = places_work.PlacesTerms(content_kept=timedelta(days=30), reuse_within=timedelta(hours=24))
ENTERPRISE = SKUS[FieldPreset.CONTACT]
NO_SITE: tuple[WebsiteClass, None] = (WebsiteClass.SOCIAL, None)


def asked(business_type: str = "dentist", **given: Any) -> SearchRequest:
    """A search for sixty places around the middle of Austin."""
    values: dict[str, Any] = {"location": "Austin TX", "radius_km": 50, "max_results": 60, "centre": AUSTIN}
    return SearchRequest(business_type, **(values | given))


@dataclass
class Searching:
    """An emulator, and searches that are started and worked off against it."""

    postgres: TestDatabase
    db: Database
    sender: Sender
    caller: Caller
    emulator: Emulator
    url: str
    terms: places_work.PlacesTerms = TERMS
    key: str = KEY
    waits: list[float] = field(default_factory=list)
    wait: Callable[[float], None] | None = None

    def start(self, request: SearchRequest | None = None, *, budget: str | None = None, refresh: bool = False) -> UUID:
        started = places_search.start(
            self.db,
            self.sender,
            self.caller,
            request or asked(),
            budget_usd=Decimal(budget) if budget is not None else None,
            refresh=refresh,
            idempotency=None,
        )
        return started.job_id

    def work(self, *job_ids: UUID, seconds: float = 300.0) -> places_work.Tally:
        return places_work.work_off(
            self.db,
            job_ids,
            lambda: PlacesClient(self.key, urls=PlacesUrls(self.url, self.url)),
            self.sender,
            terms=self.terms,
            lease=timedelta(seconds=60),
            deadline=monotonic() + seconds,
            wait=self.wait or self.waits.append,
        )

    def search(self, request: SearchRequest | None = None, **given: Any) -> UUID:
        """Start a search and work it off."""
        job_id = self.start(request, **given)
        self.work(job_id)
        return job_id

    def job(self, job_id: UUID) -> dict[str, Any]:
        ((row,),) = self.postgres.rows("select to_jsonb(j) from scrapersky.jobs j where id = %s", job_id)
        assert isinstance(row, dict)
        return row

    def listed(self, job_id: UUID) -> list[str]:
        """The place ids of a search's list, by rank. Ranks count from one without a gap."""
        rows = self.postgres.rows(
            "select r.rank, p.place_id from scrapersky.place_results r join scrapersky.places p on p.id = r.place_id"
            " where r.job_id = %s order by r.rank",
            job_id,
        )
        assert [rank for rank, _ in rows] == list(range(1, len(rows) + 1))
        return [str(place_id) for _, place_id in rows]

    def ledger(self) -> list[tuple[object, ...]]:
        """(sku, outcome, status code) of each request."""
        return self.postgres.rows(
            "select sku, outcome, status_code from scrapersky.places_ledger order by requested_at"
        )


def stored(db: Database, job_id: UUID, *found: tuple[str, str | None]) -> None:
    """Do the worker's part for a search that found these, each by its place id with the domain of its own site."""
    token = uuid4()
    (claim,) = leases.claim(db, [job_id], kind=JobKind.PLACES_SEARCH, token=token, lease=timedelta(minutes=1))
    search = Search(claim.tenant_id, job_id, token, None, timedelta(minutes=1))
    request_id = uuid4()
    price = Price(ENTERPRISE, Decimal("0.035"), date(2025, 3, 1))
    assert places_ledger.reserve(db, search, request_id, price, progress=0.0) is Reservation.GRANTED
    assert places_store.store_page(
        db,
        search,
        [
            (FoundPlace(place_id, name=f"Place {place_id}"), *((WebsiteClass.OWN_SITE, domain) if domain else NO_SITE))
            for place_id, domain in found
        ],
        preset=FieldPreset.CONTACT,
        business_type="dentist",
        max_results=60,
        content_kept=TERMS.content_kept,
        request_id=request_id,
        status_code=200,
    )
    result = {"total_places": len(found), "stopped": "all_found", "reused_from": None}
    assert places_store.end(db, search, result=result, error=None)


@contextmanager
def searching(postgres: TestDatabase, db: Database, sender: Sender, caller: Caller) -> Iterator[Searching]:
    emulator = Emulator(KEY)
    with serve(emulator) as url:
        yield Searching(postgres, db, sender, caller, emulator, url)
