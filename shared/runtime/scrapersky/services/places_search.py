"""The places search: from a request to a job, and what it will cost at the most."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from scrapersky.db.connection import Database
from scrapersky.domain.jobs import Caller, Idempotency, Started
from scrapersky.domain.places import FieldPreset, LatLng
from scrapersky.domain.status import JobKind
from scrapersky.places.presets import GEOCODING_SKU, SKUS, price
from scrapersky.places.search import SearchRequest
from scrapersky.queues import Sender
from scrapersky.services import jobs

SUBJECT_CHARS: Final = 300
"""Of a job's `domain`, which for a search holds what is searched for."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a search makes and costs at the most, tries that failed and were made again not counted."""

    max_requests: int
    max_cost_usd: Decimal


def bound(request: SearchRequest, budget_usd: Decimal | None) -> Bound:
    """What is told before a search is begun."""
    geocoding = price(GEOCODING_SKU).usd if request.centre is None else Decimal(0)
    pages = request.request_bound - (request.centre is None)
    cost = geocoding + pages * price(SKUS[request.preset]).usd
    return Bound(request.request_bound, min(cost, budget_usd) if budget_usd is not None else cost)


def start(
    db: Database,
    sender: Sender,
    caller: Caller,
    request: SearchRequest,
    *,
    budget_usd: Decimal | None,
    refresh: bool,
    idempotency: Idempotency | None,
) -> Started:
    """Make a places search job.

    Raises:
        IdempotencyKeyReused: the key stands for another request.
    """
    told = bound(request, budget_usd)
    return jobs.create(
        db,
        sender,
        caller,
        kind=JobKind.PLACES_SEARCH,
        domain=request.text_query[:SUBJECT_CHARS],
        request=to_json(request, budget_usd, refresh),
        metadata={
            "business_type": request.business_type,
            "location": request.location,
            "radius_km": float(request.radius_km),
            "max_results": request.max_results,
            "fields": request.preset.value,
            "split": request.split,
            "budget_usd": float(budget_usd) if budget_usd is not None else None,
            "max_requests": told.max_requests,
            "max_cost_usd": float(told.max_cost_usd),
        },
        idempotency=idempotency,
    )


def to_json(request: SearchRequest, budget_usd: Decimal | None, refresh: bool) -> dict[str, Any]:
    """The job's `request`. `search` is the same text for searches that ask for the same, whatever they may cost."""
    asked = {
        "business_type": request.business_type,
        "location": request.location,
        "radius_km": float(request.radius_km),  # 10 and 10.0 are the same, and not the same text
        "max_results": request.max_results,
        "fields": request.preset.value,
        "latitude": float(request.centre.latitude) if request.centre else None,
        "longitude": float(request.centre.longitude) if request.centre else None,
        "split": request.split,
        "max_requests": request.max_requests,
        "language": request.language,
        "region": request.region,
    }
    same = asked | {
        "business_type": " ".join(request.business_type.casefold().split()),
        "location": " ".join(request.location.casefold().split()),
    }
    return {
        **asked,
        "search": json.dumps(same, sort_keys=True, ensure_ascii=False),
        "budget_usd": str(budget_usd) if budget_usd is not None else None,
        "refresh": refresh,
    }


def of_json(request: Mapping[str, Any]) -> SearchRequest:
    """The search that a job's `request` asks for."""
    centre = LatLng(request["latitude"], request["longitude"]) if request["latitude"] is not None else None
    return SearchRequest(
        business_type=request["business_type"],
        location=request["location"],
        radius_km=request["radius_km"],
        max_results=request["max_results"],
        preset=FieldPreset(request["fields"]),
        centre=centre,
        split=request["split"],
        max_requests=request["max_requests"],
        language=request["language"],
        region=request["region"],
    )
