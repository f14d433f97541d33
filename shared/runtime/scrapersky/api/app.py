"""The frame around every API function: who may pass, what a request must look like, how errors are answered."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError, ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import document, problems, requests
from scrapersky.domain.jobs import Caller, Idempotency
from scrapersky.errors import Forbidden, Invalid, NotFound, ScraperSkyError, Unauthorized
from scrapersky.observability import logger

DEFAULT_ROUTE = "$default"  # the gateway's name for what none of its routes matched

# The answers are one tenant's data, and nothing but /docs is meant for a browser to render.
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Api(APIGatewayHttpResolver):
    """A resolver that lets nobody in without a tenant and answers every error as a problem.

    `public` are the paths that need no token, as templates.
    """

    def __init__(self, public: Collection[str] = ()) -> None:
        super().__init__(enable_validation=True, json_body_deserializer=requests.parse_json)
        self.public = frozenset(public)
        self.exception_handler(RequestValidationError)(self._invalid)
        self.exception_handler(RequestUnsupportedContentType)(self._unsupported)
        self.exception_handler(NotFoundError)(self._no_route)
        # Named beside Exception, or its handler would take them before the resolver's own cases do.
        self.exception_handler([ScraperSkyError, ServiceError, Exception])(self._ended)

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one request. Never raises: what the gateway makes of an exception is no problem+json."""
        request = APIGatewayProxyEventV2(dict(event))
        request_id = request.request_context.request_id
        logger().set_correlation_id(request_id)
        try:
            self._let_in(request)
            answer = super().resolve(requests.normalised(request), context)
        except Exception as error:
            answer = _plain(_problem(error, request))
        finally:
            self.context.clear()
        answer["headers"] = {**HEADERS, **answer["headers"]}
        return answer

    def caller(self, tenant_id: UUID | None = None) -> Caller:
        """Who asks. `tenant_id` is what the body says, which may only repeat the token.

        Raises:
            Forbidden: the body names another tenant.
        """
        caller: Caller = self.context["caller"]
        if tenant_id is not None and tenant_id != caller.tenant_id:
            raise Forbidden("The body's tenant_id is not the token's.", code="tenant_mismatch")
        return caller

    def idempotency(self, key: str | None) -> Idempotency | None:
        """The client's Idempotency-Key with what it stands for."""
        return requests.idempotency(self.current_event, key)

    def address(self, path: str) -> str:
        """The absolute address of a path, as this client reaches it."""
        return requests.base_address(self.current_event) + path

    def _let_in(self, request: APIGatewayProxyEventV2) -> None:
        if not self._is_public(request.path):
            try:
                caller = requests.caller(request)
            except Unauthorized:
                if request.get("routeKey") == DEFAULT_ROUTE:
                    raise _missing_route(request) from None
                raise
            self.context["caller"] = caller
        requests.check(request)

    def _is_public(self, path: str) -> bool:
        return any(document.fits(template.split("/"), path.split("/")) for template in self.public)

    def _ended(self, error: Exception) -> Response[str]:
        return _problem(error, self.current_event)

    def _invalid(self, error: RequestValidationError) -> Response[str]:
        fields = problems.field_errors(error.errors())
        return self._ended(Invalid("The request is not as the API describes it.", errors=fields))

    def _unsupported(self, _: RequestUnsupportedContentType) -> Response[str]:
        return self._ended(problems.UnsupportedMediaType(requests.JSON_ONLY))

    def _no_route(self, _: NotFoundError) -> Response[str]:
        return self._ended(_missing_route(self.current_event))


def create_app(public: Collection[str] = ()) -> Api:
    """The app of one API function; its routes are added by the function. Touches no environment and no network."""
    return Api(public)


def _missing_route(request: APIGatewayProxyEventV2) -> ScraperSkyError:
    """404, or 405 when the path exists for other methods."""
    allowed = document.methods_of(request.path)
    if allowed and request.http_method not in allowed:
        return problems.MethodNotAllowed(request.http_method, allowed)
    return NotFound("There is no such path.")


def _problem(error: Exception, request: APIGatewayProxyEventV2) -> Response[str]:
    """The answer to an error, and the log line that its request_id leads to.

    An error of ours is logged with all it knows. Of a refusal only words of ours are: what was sent stays out of it.
    """
    known = error if isinstance(error, ScraperSkyError) else ScraperSkyError("unexpected")
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger().error("request failed", exc_info=error)
    else:
        keys = {"code": known.code, "status": known.status, "route": request.get("routeKey")}
        logger().info("request refused", extra=keys)
    return problems.problem(known, request.request_context.request_id)


def _plain(response: Response[str]) -> dict[str, Any]:
    """A response as the gateway takes it, for what never reached the router."""
    return {
        "statusCode": response.status_code,
        "headers": response.headers,
        "body": response.body,
        "isBase64Encoded": False,
        "cookies": [],
    }
