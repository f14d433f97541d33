"""The requests and answers about places searches. No two models of the API share a name, whichever module they are in.

Money is in USD, as JSON numbers of up to six decimals: list prices by the request, not what Google bills.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from scrapersky.api.result_schemas import PlacesSearchResult, Time
from scrapersky.api.schemas import Answer, Asked, Error, Page, Progress
from scrapersky.domain import limits
from scrapersky.domain.jobs import Started
from scrapersky.domain.place_views import SearchState
from scrapersky.domain.places import FieldPreset, Stop
from scrapersky.domain.status import JobStatus

MAX_QUERY_CHARACTERS: Final = 200  # of each of the two texts: a street's address has some dozens
BUDGET_DECIMALS: Final = 4
MONEY_DECIMALS: Final = 6

_CONTROL = "\\u0000-\\u001f\\u007f-\\u009f"
_CONTROLS = re.compile(f"[{_CONTROL}]")
# The same as `_query` says in words, for readers of the document.
_QUERY_PATTERN = f"^[^{_CONTROL}]*[^\\s{_CONTROL}][^{_CONTROL}]*$"


def _query(text: str) -> str:
    """One line that says something, without the space around it.

    Raises:
        ValueError: it is blank, or holds a control character.
    """
    if _CONTROLS.search(text):
        raise ValueError("holds a control character")
    if not text.strip():
        raise ValueError("is blank")
    return text.strip()


def _decimals(number: float) -> int:
    exponent = Decimal(str(number)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def dollars(amount: Decimal) -> float:
    """An amount as JSON has it."""
    return float(round(amount, MONEY_DECIMALS))


Query = Annotated[
    str,
    Field(min_length=1, max_length=MAX_QUERY_CHARACTERS, json_schema_extra={"pattern": _QUERY_PATTERN}),
    AfterValidator(_query),
]
Money = Annotated[float, Field(ge=0, description="In USD, by list price.")]
Count = Annotated[int, Field(ge=0)]


class PlacesSearchRequest(Asked):
    """A places search to start."""

    business_type: Query = Field(description="What to look for, in any words.", examples=["dentist"])
    location: Query = Field(
        description="Where. Without `latitude` and `longitude`, Google is asked where that is.", examples=["Austin TX"]
    )
    latitude: Annotated[float, Field(strict=True, ge=-90, le=90)] | None = Field(
        None, description="Of the circle's centre, in degrees (WGS 84). Together with `longitude`, or neither."
    )
    longitude: Annotated[float, Field(strict=True, ge=-180, le=180)] | None = Field(
        None, description="Of the circle's centre, in degrees (WGS 84).", validate_default=True
    )
    radius_km: Annotated[float, Field(strict=True, ge=1, le=limits.MAX_RADIUS_KM)] = Field(
        limits.DEFAULT_RADIUS_KM,
        description="Of the circle, in kilometres. Places in it come first; a split search holds to it or, with `ids`, "
        "which tell no place's point, to the square around it.",
    )
    fields: FieldPreset = Field(
        FieldPreset.CONTACT,
        description="What to ask for, and so what each request costs: `ids` alone; `basic`, with name, address, point, "
        "types and business status; `contact`, with website, phone and rating on top.",
    )
    split: bool = Field(
        False,
        strict=True,
        description="Whether to search the circle in parts, each again in parts where Google has more than it tells.",
    )
    max_results: Annotated[int, Field(strict=True, ge=1, le=limits.MAX_SPLIT_PLACES)] = Field(
        limits.DEFAULT_PLACES,
        description=f"Places at the most: up to {limits.MAX_PLACES}, which is all that Google tells of one query, "
        f"or with `split` up to {limits.MAX_SPLIT_PLACES}.",
    )
    max_requests: Annotated[int, Field(strict=True, ge=1, le=limits.MAX_SPLIT_REQUESTS)] | None = Field(
        None,
        description="Requests to Google at the most, tries that fail not counted. Of a split search alone, whose "
        f"default is {limits.DEFAULT_SPLIT_REQUESTS}; another's follows from `max_results`.",
    )
    budget_usd: Annotated[float, Field(strict=True, gt=0, le=limits.MAX_BUDGET_USD)] | None = Field(
        None,
        description="What the search may cost by list price, with all its tries and retries; up to "
        f"{BUDGET_DECIMALS} decimals. It ends before a request that would pass it.",
    )
    refresh: bool = Field(
        False, strict=True, description="Whether to ask Google also when the same search was made a while ago."
    )
    language: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")] | None = Field(
        None, description="Of names and addresses: a BCP 47 tag.", examples=["en-GB"]
    )
    region: Annotated[str, Field(pattern="^[A-Za-z]{2}$")] | None = Field(
        None, description="Country whose ways of writing addresses count: two letters (CLDR).", examples=["US"]
    )

    @field_validator("longitude")
    @classmethod
    def _both_or_neither(cls, longitude: float | None, info: ValidationInfo) -> float | None:
        if "latitude" in info.data and (info.data["latitude"] is None) != (longitude is None):
            raise ValueError("latitude and longitude go together")
        return longitude

    @field_validator("max_results")
    @classmethod
    def _as_many_as_told(cls, count: int, info: ValidationInfo) -> int:
        if count > limits.MAX_PLACES and info.data.get("split") is False:
            raise ValueError(f"more than {limits.MAX_PLACES} need `split`")
        return count

    @field_validator("max_requests")
    @classmethod
    def _enough_requests(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count is not None and info.data.get("split") is False:
            raise ValueError("is of a search with `split` alone")
        if count == 1 and "longitude" in info.data and info.data["longitude"] is None:
            raise ValueError("1 is for asking where the location is: give latitude and longitude, or at least 2")
        return count

    @field_validator("budget_usd")
    @classmethod
    def _of_few_decimals(cls, budget: float | None) -> float | None:
        if budget is not None and _decimals(budget) > BUDGET_DECIMALS:
            raise ValueError(f"has more than {BUDGET_DECIMALS} decimals")
        return budget

    @property
    def budget(self) -> Decimal | None:
        """`budget_usd` as it was written."""
        return Decimal(str(self.budget_usd)) if self.budget_usd is not None else None

    @property
    def request_bound(self) -> int | None:
        """`max_requests` of a split search, None of another."""
        return (self.max_requests or limits.DEFAULT_SPLIT_REQUESTS) if self.split else None


class PlacesSearchAccepted(Answer):
    """A places search was started; `status_url` tells how it stands."""

    job_id: UUID
    status_url: str = Field(description="Absolute address of the status; the same as in `Location`.")
    status: JobStatus = Field(description="`pending`.")
    created_at: Time
    max_requests: Count = Field(description="The most requests to Google, tries that fail not counted.")
    max_cost_usd: Money = Field(
        description="What these come to by list price, in USD; `budget_usd` where that is less."
    )

    @classmethod
    def of(cls, started: Started, status_url: str) -> Self:
        return cls(
            job_id=started.job_id,
            status_url=status_url,
            status=JobStatus.PENDING,
            created_at=started.created_at,
            max_requests=started.metadata["max_requests"],
            max_cost_usd=started.metadata["max_cost_usd"],
        )


class PlacesSearchStatus(Answer):
    """How a places search stands. `complete`, `failed` and `cancelled` are final."""

    job_id: UUID
    status: JobStatus
    progress: Progress
    created_at: Time
    updated_at: Time
    started_at: Time | None
    finished_at: Time | None
    search_query: str = Field(description="What was looked for: `business_type`.")
    search_location: str
    total_places: Count = Field(description="Places found; until the search is complete, those found so far.")
    stored_places: Count = Field(description="Places on its list.")
    new_places: Count = Field(description="Those that no search of the tenant had found before.")
    requests: Count = Field(description="Requests to Google so far, tries that failed included.")
    cost_usd: Money = Field(description="What they come to by list price, in USD.")
    stopped: Stop | None = Field(description="Why nothing more was asked for; null until the search is complete.")
    reused_from: UUID | None = Field(description="The search whose list was taken over, so that nothing was asked.")
    error: Error | None
    metadata: Annotated[
        dict[str, Any],
        Field(
            description="What was asked for, what it makes and costs at the most (`max_requests`, `max_cost_usd`) and,"
            " once it ended, what it came to."
        ),
    ]

    @classmethod
    def of(cls, search: SearchState) -> Self:
        job, figures = search.job, search.figures
        result = PlacesSearchResult.model_validate(job.result) if job.result is not None else None
        return cls(
            job_id=job.id,
            status=job.status,
            progress=job.progress,
            created_at=job.created_at,
            updated_at=job.updated_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            search_query=job.metadata["business_type"],
            search_location=job.metadata["location"],
            total_places=result.total_places if result else figures.stored_places,
            stored_places=figures.stored_places,
            new_places=figures.new_places,
            requests=figures.requests,
            cost_usd=dollars(figures.cost_usd),
            stopped=result.stopped if result else None,
            reused_from=result.reused_from if result else None,
            error=Error.model_validate(job.error) if job.error is not None else None,
            metadata=job.metadata,
        )


class PlacesSearchPage(Page):
    items: list[PlacesSearchStatus]

    @classmethod
    def of(cls, searches: Sequence[SearchState], next_cursor: str | None) -> Self:
        return cls(items=[PlacesSearchStatus.of(search) for search in searches], next_cursor=next_cursor)
