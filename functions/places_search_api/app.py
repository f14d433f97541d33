"""Places searches over HTTP: start one, ask how it stands, judge its places, have their sites scanned, see the cost."""

import os
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BeforeValidator

from scrapersky.api import place_schemas, places_examples, places_schemas, responses
from scrapersky.api import places_operations as operations
from scrapersky.api.app import create_app
from scrapersky.api.parameters import DEFAULT_LIMIT, Cursor, IdempotencyKey, IfNoneMatch, JobId, Limit, Wait
from scrapersky.domain.place_views import SearchState
from scrapersky.domain.places import LatLng, PlaceStatus, WebsiteClass
from scrapersky.domain.status import JobStatus
from scrapersky.errors import PlacesNotConfigured
from scrapersky.observability import observed
from scrapersky.places.presets import GEOCODING_SKU, price
from scrapersky.places.search import SearchRequest
from scrapersky.services import places, places_search
from scrapersky.settings import PlacesSettings
from scrapersky.wiring import database, sender

SEARCHES = "/api/v3/localminer-discoveryscan/search"
RESULTS = "/api/v3/localminer-discoveryscan/results"
PLACES = "/api/v3/places"
BATCHES = "/api/v3/batch_page_scraper/batch"

app = create_app()


def _written_date(text: object) -> object:
    """Only what RFC 3339 calls a full-date: Pydantic would take times and seconds since 1970 as well."""
    if isinstance(text, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("is not a date as YYYY-MM-DD")
    return text


Day = Annotated[date, BeforeValidator(_written_date)]
SearchBody = Annotated[
    places_schemas.PlacesSearchRequest, Body(openapi_examples={"search": {"value": places_examples.SEARCH_REQUEST}})
]
ScanBody = Annotated[
    place_schemas.SitesScanRequest | None, Body(openapi_examples={"scan": {"value": places_examples.SCAN_REQUEST}})
]
StatusBody = Annotated[
    place_schemas.PlaceStatusRequest, Body(openapi_examples={"status": {"value": places_examples.STATUS_REQUEST}})
]


@app.post(f"{SEARCHES}/places", **operations.START)
def start(body: SearchBody, idempotency_key: IdempotencyKey = None) -> Response[str]:
    caller = app.caller(body.tenant_id)
    if not PlacesSettings.from_env(os.environ).are_configured:
        raise PlacesNotConfigured
    with database() as db:
        started = places_search.start(
            db,
            sender("places_search"),
            caller,
            search_request(body),
            budget_usd=body.budget,
            refresh=body.refresh,
            idempotency=app.idempotency(idempotency_key),
        )
    status_url = app.address(f"{SEARCHES}/status/{started.job_id}")
    return responses.accepted_as(places_schemas.PlacesSearchAccepted.of(started, status_url), status_url)


@app.get(f"{SEARCHES}/status/<job_id>", **operations.STATUS)
def status(job_id: JobId, wait: Wait = 0, if_none_match: IfNoneMatch = None) -> Response[str]:
    changed = responses.changed_since(if_none_match, shown)
    with database() as db:
        search = places.wait(db, app.caller().tenant_id, job_id, seconds=wait, changed=changed)
    return responses.status(shown(search), final=search.status.is_final, if_none_match=if_none_match)


@app.get(f"{SEARCHES}/history", **operations.HISTORY)
def history(
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    with database() as db:
        return responses.page(
            lambda size: places.history(db, tenant_id, status=status, cursor=cursor, limit=size),
            places_schemas.PlacesSearchPage.of,
            limit=limit,
        )


@app.get(f"{RESULTS}/<job_id>", **operations.RESULTS)
def results(
    job_id: JobId,
    status: Annotated[PlaceStatus | None, Query(description="Only what the tenant thinks this of.")] = None,
    website_class: Annotated[WebsiteClass | None, Query(description="Only with such a website.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response[str]:
    tenant_id = app.caller().tenant_id
    filters = place_schemas.PlacesFilters(status=status, website_class=website_class)
    with database() as db:
        search = places.get(db, tenant_id, job_id)
        total = places.count(db, tenant_id, job_id, status=status, website_class=website_class)
        return responses.page(
            lambda size: places.listing(
                db, tenant_id, job_id, status=status, website_class=website_class, cursor=cursor, limit=size
            ),
            lambda found, following: place_schemas.PlacePage.of(
                search, found, following, total=total, limit=limit, filters=filters
            ),
            limit=limit,
        )


@app.post(f"{RESULTS}/<job_id>/scan", **operations.SCAN)
def scan_sites(job_id: JobId, body: ScanBody = None, idempotency_key: IdempotencyKey = None) -> Response[str]:
    asked = body or place_schemas.SitesScanRequest.model_validate({})
    caller = app.caller(asked.tenant_id)
    with database() as db:
        sites = places.scan_sites(
            db,
            sender("batch"),
            caller,
            job_id,
            place_ids=asked.place_ids,
            max_pages=asked.max_pages,
            max_concurrent=asked.max_concurrent,
            idempotency=app.idempotency(idempotency_key),
        )
    status_url = app.address(f"{BATCHES}/{sites.started.batch_id}/status")
    return responses.accepted_as(place_schemas.SitesScanAccepted.of_sites(sites, status_url), status_url)


@app.put(f"{PLACES}/staging/status", **operations.SET_STATUS)
def set_status(body: StatusBody) -> Response[str]:
    caller = app.caller(body.tenant_id)
    with database() as db:
        updated, unknown = places.set_status(db, caller.tenant_id, body.place_ids, body.status)
    return responses.answer(place_schemas.PlaceStatusChanged(updated_count=updated, unknown=unknown))


@app.get(f"{PLACES}/ledger", **operations.LEDGER)
def ledger(
    first: Annotated[
        Day | None, Query(alias="from", description="The first day, in UTC; the first of the last day's month.")
    ] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day, in UTC; today.")] = None,
) -> Response[str]:
    until = last or datetime.now(UTC).date()
    since = first or until.replace(day=1)
    with database() as db:
        spent = places.spent(db, app.caller().tenant_id, first=since, last=until)
    prices_of = price(GEOCODING_SKU).as_of
    return responses.answer(place_schemas.PlacesLedger.of(spent, first=since, last=until, prices_of=prices_of))


def shown(search: SearchState) -> places_schemas.PlacesSearchStatus:
    return places_schemas.PlacesSearchStatus.of(search)


def search_request(body: places_schemas.PlacesSearchRequest) -> SearchRequest:
    """The search that a body asks for."""
    latitude, longitude = body.latitude, body.longitude
    return SearchRequest(
        business_type=body.business_type,
        location=body.location,
        radius_km=body.radius_km,
        max_results=body.max_results,
        preset=body.fields,
        centre=LatLng(latitude, longitude) if latitude is not None and longitude is not None else None,
        split=body.split,
        max_requests=body.request_bound,
        language=body.language,
        region=body.region.upper() if body.region else None,
    )


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
