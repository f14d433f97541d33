"""The HTTP API's routes: each behind the authorizer but the public four, and each described in openapi.json."""

import json
from typing import Any

from contract.cloudformation import FUNCTIONS, folder_name, of_type, target, translated
from scrapersky_local.openapi import DOCUMENT, load_app

PUBLIC = {
    *(("get", "/health"), ("get", "/health/database"), ("get", "/openapi.json"), ("get", "/docs")),
    *(("get", "/"), ("get", "/console/{file}")),
}
EVERYTHING_ELSE = ("x-amazon-apigateway-any-method", "$default")


def body() -> dict[str, Any]:
    (api,) = of_type("AWS::ApiGatewayV2::Api").values()
    document: dict[str, Any] = api["Body"]
    return document


def routes() -> dict[tuple[str, str], dict[str, Any]]:
    """(method, path) to the route's operation."""
    return {
        (method, path): operation for path, methods in body()["paths"].items() for method, operation in methods.items()
    }


def folder_of(operation: dict[str, Any]) -> str:
    """The folder of the function that a route leads to."""
    uri: str = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return folder_name(uri.split("${")[-1].split(".")[0])


def described(document: dict[str, Any]) -> set[tuple[str, str]]:
    """The operations of an OpenAPI document."""
    return {(method, path) for path, methods in document["paths"].items() for method in methods}


def test_only_the_public_routes_do_without_a_token() -> None:
    security = {route: operation["security"] for route, operation in routes().items()}

    assert {route for route, schemes in security.items() if schemes != [{"TokenAuthorizer": []}]} == PUBLIC
    assert all(security[route] == [{"NONE": []}] for route in PUBLIC)


def test_the_authorizer_hears_every_request_anew() -> None:
    (scheme,) = body()["components"]["securitySchemes"].values()
    authorizer = scheme["x-amazon-apigateway-authorizer"]

    assert authorizer["type"] == "request"
    assert authorizer["authorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["enableSimpleResponses"] is True
    assert authorizer["authorizerResultTtlInSeconds"] == 0
    # An identity source that a request lacks would be answered by the gateway itself.
    assert authorizer["identitySource"] == ["$context.routeKey"]


def test_the_gateway_may_invoke_every_function_that_it_routes_to() -> None:
    permitted = {target(permission["FunctionName"]) for permission in of_type("AWS::Lambda::Permission").values()}

    assert {folder_name(name) for name in permitted} == {folder_of(route) for route in routes().values()} | {
        "authorizer"
    }


def test_unknown_routes_are_answered_by_a_function() -> None:
    assert EVERYTHING_ELSE in routes()


def test_each_route_leads_to_the_function_that_answers_it() -> None:
    for folder in {folder_of(operation) for operation in routes().values()}:
        app = load_app(FUNCTIONS / folder)
        answered = described(json.loads(app.get_openapi_json_schema()))

        assert {key for key, route in routes().items() if folder_of(route) == folder} - {EVERYTHING_ELSE} == answered


def test_the_routes_are_those_of_the_openapi_document() -> None:
    assert set(routes()) - {EVERYTHING_ELSE} == described(json.loads(DOCUMENT.read_text()))


def test_access_is_logged_without_query_or_token() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    logged = json.loads(stage["AccessLogSettings"]["Format"])

    assert target(stage["AccessLogSettings"]["DestinationArn"]) in translated()["Resources"]
    assert not any("query" in value.lower() or "header" in value.lower() for value in logged.values())
