"""An app with one route of each kind, for tests of the frame that all API functions share."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from scrapersky.api import responses, schemas
from scrapersky.api.app import Api, create_app
from scrapersky.api.parameters import IdempotencyKey, Wait
from support.http_events import REQUEST_ID, Answered, call

# Of the real contract, so that the document that 405 is derived from knows it.
SCAN = "/api/v3/modernized_page_scraper/scan"
GOOD = {"base_url": "shop.example"}


class Frame:
    """An app with one route of each kind, and what its routes saw."""

    def __init__(self) -> None:
        self.app: Api = create_app(public=("/health",))
        self.seen: list[Any] = []
        self.failure: Exception | None = None

        @self.app.post(SCAN)
        def start(
            body: Annotated[schemas.ScanRequest, Body()], idempotency_key: IdempotencyKey = None
        ) -> Response[str]:
            if self.failure is not None:
                raise self.failure
            caller = self.app.caller(body.tenant_id)
            self.seen.append((caller, body, self.app.idempotency(idempotency_key)))
            return responses.answer(schemas.Health())

        @self.app.get("/api/v3/jobs")
        def jobs(status: Annotated[str | None, Query()] = None, wait: Wait = 0) -> Response[str]:
            self.seen.append((self.app.caller(), status, wait, self.app.address("/x")))
            return responses.answer(schemas.Health())

        @self.app.get("/health")
        def health() -> Response[str]:
            return responses.answer(schemas.Health())

    def call(self, method: str = "POST", target: str = SCAN, **request: Any) -> Answered:
        return call(self.app.resolve, method, target, **request)

    def post(self, body: str, **headers: str) -> Answered:
        return self.call(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def refused(answer: Answered, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is a problem of this kind, and return it."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.body
    document = schemas.Problem.model_validate(answer.json)
    assert (document.status, document.code, document.request_id) == (status, code, REQUEST_ID)
    problem: dict[str, Any] = answer.json
    return problem
