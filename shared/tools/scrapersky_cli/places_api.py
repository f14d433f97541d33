"""The routes of places searches, over the client of all others."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from scrapersky_cli.client import Accepted, ApiClient, Document, given

_SEARCHES = "api/v3/localminer-discoveryscan/search"
_RESULTS = "api/v3/localminer-discoveryscan/results"
_PLACES = "api/v3/places"


@dataclass(frozen=True, slots=True)
class PlacesApi:
    """What can be asked of searches and places. Every method raises ApiError."""

    client: ApiClient

    def search(self, **asked: Any) -> Accepted:
        """Create a search; what is None is left to the API. The answer says what it makes and costs at the most."""
        return self.client.start(f"{_SEARCHES}/places", {k: value for k, value in asked.items() if value is not None})

    def status(self, job_id: UUID | str) -> Document:
        """How a search stands, what it found and what it cost."""
        return self.client.document("GET", f"{_SEARCHES}/status/{job_id}")

    def history(self, **filters: str | int | None) -> Document:
        """One page of the searches, the newest first."""
        return self.client.document("GET", f"{_SEARCHES}/history", params=given(filters))

    def results(self, job_id: UUID | str, **filters: str | int | None) -> Document:
        """One page of a search's places by rank, under `places`."""
        return self.client.document("GET", f"{_RESULTS}/{job_id}", params=given(filters))

    def scan(
        self, job_id: UUID | str, *, max_pages: int, max_concurrent: int, place_ids: list[str] | None = None
    ) -> Accepted:
        """Create a batch of the places' own sites; `skipped` in the answer are the places that have none."""
        body: Document = {"max_pages": max_pages, "max_concurrent": max_concurrent}
        named = body | ({"place_ids": place_ids} if place_ids else {})
        return self.client.start(f"{_RESULTS}/{job_id}/scan", named, names="batch_id")

    def set_status(self, place_ids: list[str], status: str) -> Document:
        """Say what we think of some places. What is none of ours is `unknown` in the answer, not refused."""
        body: Document = {"place_ids": place_ids, "status": status}
        return self.client.document("PUT", f"{_PLACES}/staging/status", json=body)

    def ledger(self, *, first: str | None = None, last: str | None = None) -> Document:
        """What requests came to by day and SKU, from a day (YYYY-MM-DD, UTC) to another."""
        return self.client.document("GET", f"{_PLACES}/ledger", params=given({"from": first, "to": last}))
