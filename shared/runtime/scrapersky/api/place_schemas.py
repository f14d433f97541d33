"""The answers about places on a search's list and what they cost, and the requests that judge or scan them.

No two models of the API share a name, whichever module they are in.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from scrapersky.api.batch_schemas import BatchAccepted, Concurrency
from scrapersky.api.places_schemas import Count, Money, PlacesSearchStatus, dollars
from scrapersky.api.result_schemas import Time
from scrapersky.api.schemas import Answer, Asked, Page
from scrapersky.domain import limits
from scrapersky.domain.place_views import ListedPlace, NotScanned, SearchState, SitesBatch, Spent
from scrapersky.domain.places import PlaceStatus, WebsiteClass
from scrapersky.domain.status import JobStatus

MAX_PLACE_ID_CHARACTERS: Final = 500  # as stored; Google's have some thirty, and no bound that it tells

PlaceName = Annotated[str, Field(min_length=1, max_length=MAX_PLACE_ID_CHARACTERS)]
PlaceNames = Annotated[list[PlaceName], Field(min_length=1, max_length=limits.MAX_JUDGED_PLACES)]


class Place(Answer):
    """A place on a search's list. What Google tells of it is null where that was not asked for, and after its time."""

    id: UUID = Field(description="Ours: the same in every search of the tenant.")
    place_id: str = Field(description="Google's.")
    rank: int = Field(ge=1, description="Where Google has it among what the search found.")
    name: str | None
    business_type: str = Field(description="What the search asked for that found the place first.")
    primary_type: str | None = Field(description="In Google's table of types.")
    types: list[str] | None
    formatted_address: str | None
    latitude: float | None
    longitude: float | None
    rating: float | None = Field(description="1.0 to 5.0.")
    user_ratings_total: int | None
    phone: str | None
    website: str | None
    website_class: WebsiteClass | None = Field(
        description="`own_site`, `social` (a page on a network), `directory` (one in a directory or a booking service),"
        " `none`; null where websites were not asked for."
    )
    domain: str | None = Field(description="Of an own site.")
    business_status: str | None = Field(description="`OPERATIONAL`, `CLOSED_TEMPORARILY` … as Google has it.")
    status: PlaceStatus = Field(description="What the tenant thinks of it, whichever search it is seen in.")
    status_changed_at: Time | None
    expires_at: Time | None = Field(description="When Google's content goes; null where there is none.")
    search_time: Time = Field(description="When the search found it.")
    search_job_id: UUID

    @classmethod
    def of(cls, place: ListedPlace) -> Self:
        return cls.model_validate({name: getattr(place, name) for name in cls.model_fields})


class PlacesJobInfo(Answer):
    """The search that a list is of."""

    job_id: UUID
    status: JobStatus
    search_query: str
    search_location: str
    total_places: Count
    stored_places: Count
    created_at: Time
    finished_at: Time | None


class PlacesFilters(Answer):
    """What a list was filtered by."""

    status: PlaceStatus | None
    website_class: WebsiteClass | None


class PlacePage(Page):
    """A search's places, by rank."""

    places: list[Place]
    total: Count = Field(description="Places on the list that the filters let through, on all pages.")
    limit: int
    job_info: PlacesJobInfo
    filters: PlacesFilters

    @classmethod
    def of(
        cls,
        search: SearchState,
        places: Sequence[ListedPlace],
        next_cursor: str | None,
        *,
        total: int,
        limit: int,
        filters: PlacesFilters,
    ) -> Self:
        state = PlacesSearchStatus.of(search)
        return cls(
            places=[Place.of(place) for place in places],
            total=total,
            limit=limit,
            next_cursor=next_cursor,
            job_info=PlacesJobInfo.model_validate({name: getattr(state, name) for name in PlacesJobInfo.model_fields}),
            filters=filters,
        )


class PlaceStatusRequest(Asked):
    """What the tenant thinks of some of its places."""

    place_ids: PlaceNames = Field(description="Ours or Google's.")
    status: PlaceStatus


class PlaceStatusChanged(Answer):
    updated_count: Count = Field(description="Places that have the status now.")
    unknown: list[str] = Field(description="Ids that are none of the tenant's places.")


class SitesScanRequest(Asked):
    """Which of a search's places to scan, and how."""

    place_ids: PlaceNames | None = Field(None, description="Ours or Google's; null for all of the search's places.")
    max_pages: Annotated[
        int, Field(strict=True, ge=1, le=limits.MAX_PAGES, description="Pages to read of each site.")
    ] = limits.DEFAULT_PAGES
    max_concurrent: Annotated[Concurrency, Field(description="Sites to scan at the same time, at most.")] = (
        limits.DEFAULT_CONCURRENT
    )


class SkippedPlace(Answer):
    """A place that is not part of the batch."""

    place_id: str = Field(description="Google's id; of an `unknown` one what was sent.")
    reason: NotScanned = Field(
        description="Its website is `social` or `directory`, or it has `none`; `not_asked_for`: nobody asked for it, or"
        " it is past its time; `unknown`: the place is not on the search's list."
    )


class SitesScanAccepted(BatchAccepted):
    """A batch of the places' own sites was started; `status_url` tells how it stands."""

    skipped: list[SkippedPlace] = Field(description="The places without a site of their own.")

    @classmethod
    def of_sites(cls, sites: SitesBatch, status_url: str) -> Self:
        batch = BatchAccepted.of(sites.started, status_url)
        skipped = [SkippedPlace(place_id=name, reason=reason) for name, reason in sites.skipped]
        return cls(**{name: getattr(batch, name) for name in BatchAccepted.model_fields}, skipped=skipped)


class SpentItem(Answer):
    """The requests of a SKU on a day."""

    day: date = Field(description="In UTC.")
    sku: str = Field(description="What Google bills it as.")
    requests: Count
    cost_usd: Money
    unanswered: Count = Field(description="Those whose worker was lost before it heard the answer. They count.")

    @classmethod
    def of(cls, spent: Spent) -> Self:
        return cls(
            day=spent.day,
            sku=spent.sku,
            requests=spent.requests,
            cost_usd=dollars(spent.cost_usd),
            unanswered=spent.unanswered,
        )


class PlacesLedger(Answer):
    """What the tenant's requests to Google come to."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    items: list[SpentItem] = Field(description="By day, then by SKU.")
    total_requests: Count
    total_cost_usd: Money
    prices_of: date = Field(
        description="Date of the list prices that requests are counted by now; each was counted by its day's."
    )

    @classmethod
    def of(cls, spent: Sequence[Spent], *, first: date, last: date, prices_of: date) -> Self:
        return cls.model_validate(
            {
                "from": first,
                "to": last,
                "items": [SpentItem.of(one) for one in spent],
                "total_requests": sum(one.requests for one in spent),
                "total_cost_usd": dollars(sum((one.cost_usd for one in spent), Decimal(0))),
                "prices_of": prices_of,
            }
        )
