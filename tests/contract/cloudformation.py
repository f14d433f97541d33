"""template.yaml as the contract tests look at it: as written, and as CloudFormation sees it after the SAM transform.

As a program, it prints the latter for tools that know nothing of SAM.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from boto3 import Session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the translator's own use of what its dependencies deprecate
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
FUNCTIONS = ROOT / "functions"
REGION = "eu-central-1"  # any will do: it decides the partition of the ARNs

Resource = dict[str, Any]


@cache
def written() -> dict[str, Any]:
    """template.yaml with its short tags (`!Ref`, ...) in the long form."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return template


@cache
def translated() -> dict[str, Any]:
    """What CloudFormation deploys. Locations of files are stand-ins, as if packaged; no managed policy is known."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    for resource in template["Resources"].values():
        for location in ("CodeUri", "ContentUri", "DefinitionUri"):
            if location in resource["Properties"]:
                resource["Properties"][location] = "s3://bucket/key"
    translator = Translator({}, Parser(), boto_session=Session(region_name=REGION))
    deployed: dict[str, Any] = translator.translate(template, {"AWS::Region": REGION})
    return deployed


def of_type(resource_type: str) -> dict[str, Resource]:
    """The deployed resources of one type: logical id to properties."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in translated()["Resources"].items()
        if resource["Type"] == resource_type
    }


def functions() -> dict[str, Resource]:
    """The deployed functions: folder name to properties."""
    return {folder_name(logical_id): properties for logical_id, properties in of_type("AWS::Lambda::Function").items()}


def logical_id(folder: str) -> str:
    """`domain_scan_api` -> `DomainScanApiFunction`."""
    return "".join(word.capitalize() for word in folder.split("_")) + "Function"


def folder_name(function_id: str) -> str:
    """`DomainScanApiFunction` -> `domain_scan_api`."""
    stem = function_id.removesuffix("Function")
    return "".join("_" + char.lower() if char.isupper() else char for char in stem).lstrip("_")


def environment(folder: str) -> dict[str, Any]:
    """The function's environment variables, every condition taken as true."""
    variables: dict[str, Any] = functions()[folder]["Environment"]["Variables"]
    return variables


def statements(role: Resource) -> Iterator[dict[str, Any]]:
    """A role's policy statements, conditional ones included; Action and Resource as lists."""
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            given = statement["Fn::If"][1] if "Fn::If" in statement else statement
            yield given | {"Action": _listed(given["Action"]), "Resource": _listed(given["Resource"])}


def allowed(folder: str) -> set[tuple[str, str]]:
    """What the function's own role permits: pairs of an action and the resource's logical id or parameter."""
    role_id = target(functions()[folder]["Role"])
    return {
        (action, target(resource))
        for statement in statements(of_type("AWS::IAM::Role")[role_id])
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def text(value: Any) -> str:
    """What is written of an ARN: the text of a `Fn::Sub`, or the value itself."""
    return value if isinstance(value, str) else str(value.get("Fn::Sub", value))


def widened(value: Any) -> str:
    """What a `Fn::Sub` has behind the ARN of a resource: `/batches/*` of `${Bucket.Arn}/batches/*`."""
    return str(value["Fn::Sub"]).partition("}")[2] if "Fn::Sub" in value else ""


def consumed_queues() -> dict[str, str]:
    """Queue to the folder of the function that reads it."""
    return {
        target(mapping["EventSourceArn"]): folder_name(target(mapping["FunctionName"]))
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values()
    }


def target(value: Any) -> str:
    """The logical id or parameter that a `Ref` or `Fn::GetAtt` points to, a `Fn::Sub` begins with or an ARN ends."""
    if "Ref" in value:
        return str(value["Ref"])
    if str(value.get("Fn::Sub", "")).startswith("arn:"):
        return str(value["Fn::Sub"]).rpartition("${")[2].removesuffix("}")
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"]).removeprefix("${").partition("}")[0].partition(".")[0]
    attribute = value["Fn::GetAtt"]
    return str(attribute[0] if isinstance(attribute, list) else attribute.split(".")[0])


def assumed(value: Any) -> Any:
    """The value with every condition taken as true."""
    if isinstance(value, dict):
        return assumed(value["Fn::If"][1]) if "Fn::If" in value else {key: assumed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [assumed(item) for item in value]
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    json.dump(translated(), sys.stdout)
