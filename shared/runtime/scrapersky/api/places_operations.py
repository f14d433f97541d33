"""What the OpenAPI document says of the operations on places searches, their places, and what they cost."""

from scrapersky.api import place_schemas, places_examples, places_schemas
from scrapersky.api.operations import (
    OF_A_BODY,
    OF_A_LIST,
    OF_A_TOKEN,
    OF_ACCEPTED,
    OF_AN_ITEM,
    OF_STATUS,
    json_of,
    operation,
)

_SEARCHES, _PLACES = "Places search", "Places"

START = operation(
    "start_places_search",
    "Start a places search",
    tag=_SEARCHES,
    description=(
        "The answer tells what it makes and costs at the most. The same search, made within the hours that the "
        "operator set, is answered with its list and no request to Google, unless `refresh` is true. Without a key for "
        "Google the answer is a 503, `places_not_configured`."
    ),
    status=202,
    content=json_of(places_schemas.PlacesSearchAccepted, places_examples.SEARCH_ACCEPTED),
    headers=OF_ACCEPTED,
    problems=(*OF_A_TOKEN, *OF_A_BODY),
)

STATUS = operation(
    "get_places_search",
    "How a places search stands",
    tag=_SEARCHES,
    description="Nothing found is `complete` with zero. What a failed search found before stays on its list.",
    content=json_of(places_schemas.PlacesSearchStatus, places_examples.SEARCH_STATUS),
    headers=OF_STATUS,
    problems=OF_AN_ITEM,
    conditional=True,
)

HISTORY = operation(
    "list_places_searches",
    "The tenant's places searches, newest first",
    tag=_SEARCHES,
    content=json_of(places_schemas.PlacesSearchPage, places_examples.HISTORY),
    problems=OF_A_LIST,
)

RESULTS = operation(
    "list_places_of_search",
    "The places of a search",
    tag=_SEARCHES,
    description="By rank, also while the search runs. No other search changes whose places these are.",
    content=json_of(place_schemas.PlacePage, places_examples.RESULTS),
    problems=OF_AN_ITEM,
)

SCAN = operation(
    "scan_sites_of_search",
    "Scan the own sites of a search's places",
    tag=_SEARCHES,
    description=(
        "A batch of domain scans, each domain once. It is followed, steered and exported as every other. When none of "
        "the places has a site of its own, the answer is a 409, `no_sites`."
    ),
    status=202,
    content=json_of(place_schemas.SitesScanAccepted, places_examples.SCAN_ACCEPTED),
    headers=OF_ACCEPTED,
    problems=(*OF_AN_ITEM, *OF_A_BODY, 409),
)

SET_STATUS = operation(
    "set_place_status",
    "Say what the tenant thinks of places",
    tag=_PLACES,
    description="It stays with the place, whichever search finds it again.",
    content=json_of(place_schemas.PlaceStatusChanged, places_examples.STATUS_CHANGED),
    problems=(*OF_A_TOKEN, *OF_A_BODY),
)

LEDGER = operation(
    "get_places_ledger",
    "What requests to Google come to",
    tag=_PLACES,
    description="By UTC day and SKU. Every request counts, also one that failed, or whose worker was lost.",
    content=json_of(place_schemas.PlacesLedger, places_examples.LEDGER),
    problems=OF_A_LIST,
)
