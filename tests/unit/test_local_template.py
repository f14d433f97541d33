"""Reading the template for the local AWS: packages in place of folders, numbers as numbers, routes out of the body."""

from pathlib import Path
from typing import Any

import pytest

from scrapersky_local import template as reading
from scrapersky_local.processes import StackError
from scrapersky_local.template import Authorizer, Route

TEMPLATE = """
Parameters:
  Workers: {Type: Number, Default: 20}
  Name: {Type: String}
Conditions:
  Reserves: !Not [!Equals [!Ref Workers, -1]]
Globals:
  Function: {Runtime: python3.13, Layers: [!Ref Shared]}
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: shared}
  WorkerFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker/
      Environment: {Variables: {NAME: !Ref Name, WORKERS: !Ref Workers}}
      Events:
        Queue: {Type: SQS, Properties: {ScalingConfig: {MaximumConcurrency: !Ref Workers}}}
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: flow.asl.json}
"""

INTEGRATION = {
    "payloadFormatVersion": "2.0",
    "type": "aws_proxy",
    "uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/functions/${JobsApiFunction.Arn}/invocations"},
}


@pytest.fixture
def template(tmp_path: Path) -> reading.Template:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    return reading.read(path)


def local(template: reading.Template, **parameters: str) -> reading.Template:
    return reading.for_engine(template, lambda name: f"s3://code/{name}.zip", parameters)


def body(paths: dict[str, Any], schemes: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"paths": paths, "components": {"securitySchemes": schemes or {}}}


def test_code_is_taken_from_packages_and_run_by_their_own_program(template: reading.Template) -> None:
    result = local(template)
    assert result["Resources"]["WorkerFunction"]["Properties"]["CodeUri"] == "s3://code/WorkerFunction.zip"
    assert result["Resources"]["Shared"]["Properties"]["ContentUri"] == "s3://code/Shared.zip"
    assert result["Globals"]["Function"]["Runtime"].startswith("provided")


def test_number_parameters_are_numbers_wherever_they_are_used_but_in_the_environment(
    template: reading.Template,
) -> None:
    result = local(template, Workers="6", Name="7")
    properties = result["Resources"]["WorkerFunction"]["Properties"]
    assert properties["Events"]["Queue"]["Properties"]["ScalingConfig"]["MaximumConcurrency"] == 6
    assert properties["Environment"]["Variables"] == {"NAME": {"Ref": "Name"}, "WORKERS": {"Ref": "Workers"}}
    assert result["Conditions"]["Reserves"] == {"Fn::Not": [{"Fn::Equals": [6, -1]}]}


def test_an_address_that_is_another_one_here_is_put_in_where_a_function_is_told_it(template: reading.Template) -> None:
    told = {"NAME": "http://127.0.0.1:8000", "OTHER": "http://127.0.0.1:9"}
    result = reading.for_engine(template, lambda name: f"s3://code/{name}.zip", {}, told)
    variables = result["Resources"]["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    assert variables == {"NAME": "http://127.0.0.1:8000", "WORKERS": {"Ref": "Workers"}}
    assert template["Resources"]["WorkerFunction"]["Properties"]["Environment"]["Variables"]["NAME"] == {"Ref": "Name"}


def test_a_number_that_is_not_given_has_its_default(template: reading.Template) -> None:
    assert local(template)["Conditions"]["Reserves"] == {"Fn::Not": [{"Fn::Equals": [20, -1]}]}


def test_the_template_itself_is_left_as_it_was(template: reading.Template) -> None:
    local(template, Workers="6")
    assert template["Resources"]["WorkerFunction"]["Properties"]["CodeUri"] == "functions/worker/"


def test_a_missing_code_folder_is_named(template: reading.Template, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="WorkerFunction"):
        reading.code_folders(template, reading.FUNCTION, tmp_path)


def test_a_state_machine_is_taken_from_its_file_and_given_as_one(template: reading.Template, tmp_path: Path) -> None:
    (tmp_path / "flow.asl.json").write_text("{}", "utf-8")
    assert reading.definitions(template, tmp_path) == {"Flow": b"{}"}
    assert local(template)["Resources"]["Flow"]["Properties"]["DefinitionUri"] == "s3://code/Flow.zip"


def test_a_missing_definition_is_named(template: reading.Template, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"Flow of the template wants the file .*flow\.asl\.json"):
        reading.definitions(template, tmp_path)


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no template at .*nowhere\.yaml"):
        reading.read(tmp_path / "nowhere.yaml")


def test_routes_have_their_function_and_authorizer() -> None:
    paths = {
        "/jobs/{id}": {
            "get": {"x-amazon-apigateway-integration": INTEGRATION, "security": [{"Tokens": []}]},
            "post": {"x-amazon-apigateway-integration": INTEGRATION, "security": [{"Tokens": []}]},
        },
        "/health": {"get": {"x-amazon-apigateway-integration": INTEGRATION, "security": [{"NONE": []}]}},
    }
    assert reading.routes(body(paths)) == [
        Route("GET /jobs/{id}", "JobsApiFunction", "2.0", "Tokens"),
        Route("POST /jobs/{id}", "JobsApiFunction", "2.0", "Tokens"),
        Route("GET /health", "JobsApiFunction", "2.0", None),
    ]


def test_the_default_route_catches_every_method() -> None:
    paths = {"/$default": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": INTEGRATION}}}
    assert reading.routes(body(paths)) == [Route("$default", "JobsApiFunction", "2.0", None)]


def test_an_authorizer_names_its_function_however_its_arn_is_written() -> None:
    settings = {
        "type": "request",
        "authorizerUri": {
            "Fn::Sub": [
                "arn:aws:apigateway:${AWS::Region}:lambda:path/functions/${Arn}/invocations",
                {"Arn": {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]}},
            ]
        },
        "authorizerPayloadFormatVersion": 2.0,
        "enableSimpleResponses": True,
        "identitySource": "$context.routeKey, $request.header.Host",
        "authorizerResultTtlInSeconds": 0,
    }
    assert reading.authorizers(body({}, {"Tokens": {"x-amazon-apigateway-authorizer": settings}})) == [
        Authorizer("Tokens", "AuthorizerFunction", "2.0", True, ("$context.routeKey", "$request.header.Host"), 0)
    ]


def test_an_integration_without_a_function_is_refused() -> None:
    paths = {"/x": {"get": {"x-amazon-apigateway-integration": {**INTEGRATION, "uri": "https://example.com"}}}}
    with pytest.raises(StackError, match="no function"):
        reading.routes(body(paths))
