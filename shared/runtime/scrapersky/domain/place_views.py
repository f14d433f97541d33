"""Places and searches as they are read."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from scrapersky.domain.batches import StartedBatch
from scrapersky.domain.jobs import Job
from scrapersky.domain.places import PlaceStatus, WebsiteClass
from scrapersky.domain.status import JobStatus


@dataclass(frozen=True, slots=True)
class ListedPlace:
    """A place on a search's list. Google's content is None where it was not asked for, or is past its time."""

    id: UUID
    place_id: str
    rank: int
    name: str | None
    business_type: str
    primary_type: str | None
    types: list[str] | None
    formatted_address: str | None
    latitude: float | None
    longitude: float | None
    rating: float | None
    user_ratings_total: int | None
    phone: str | None
    website: str | None
    business_status: str | None
    website_class: WebsiteClass | None
    domain: str | None
    status: PlaceStatus
    status_changed_at: datetime | None
    content_at: datetime | None
    expires_at: datetime | None
    search_time: datetime
    search_job_id: UUID


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """How far a search is, counted off its list and its ledger."""

    stored_places: int
    new_places: int
    requests: int
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class SearchState:
    """A search with its figures."""

    job: Job
    figures: SearchFigures

    @property
    def status(self) -> JobStatus:
        return self.job.status


class NotScanned(StrEnum):
    """Why a place is not part of a batch."""

    SOCIAL = "social"
    DIRECTORY = "directory"
    NONE = "none"
    NOT_ASKED_FOR = "not_asked_for"  # its website was never asked for, or its content is past its time
    UNKNOWN = "unknown"  # it is not on this search's list


@dataclass(frozen=True, slots=True)
class SitesBatch:
    """A batch over the own sites of a search's places, and the places that have none."""

    started: StartedBatch
    skipped: tuple[tuple[str, NotScanned], ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the requests of a SKU came to on a day (UTC)."""

    day: date
    sku: str
    requests: int
    cost_usd: Decimal
    unanswered: int
