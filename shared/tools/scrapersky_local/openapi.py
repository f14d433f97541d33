"""One OpenAPI 3.1 document from all API functions: `python -m scrapersky_local.openapi [--check]`.

Without `--check` it writes the document that ships with the runtime; with it, it only says whether that is stale.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from scrapersky.api.app import Api
from scrapersky.api.examples import PROBLEM_STATUSES
from scrapersky.api.operations import gateway_response, problem_response
from scrapersky.api.problems import CONTENT_TYPE, header_name
from scrapersky.api.schemas import GatewayMessage, Problem
from scrapersky.api.webhook_events import described

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions"
DOCUMENT = ROOT / "shared" / "runtime" / "scrapersky" / "api" / "openapi.json"

SCHEMAS = "#/components/schemas/"
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "`tenant_id` (or `app_metadata.tenant_id`) is the tenant, `sub` the user within it.",
}
INFO = {
    "title": "ScraperSky",
    "version": "3.0.0",
    "summary": "Turns domains into stored, sourced facts.",
    "description": (
        "Work is started with a POST, which answers 202 and the address to follow. Errors are RFC 9457 problems. "
        "Everything belongs to the token's tenant; another tenant's id is answered as an unknown one. What is no HTTP "
        "request (a broken header, or more of them than the gateway takes) never reaches the API, and is answered by a "
        "bare 4xx."
    ),
}

THROTTLED = "TooManyRequests"  # name of the answer that the gateway alone gives

Document = dict[str, Any]


class Conflict(Exception):
    """Two functions say different things under one name."""


def load_function(folder: Path) -> ModuleType:
    """The module of one function. The folders all hold an `app.py`, so each is loaded under a name of its own."""
    module_name = f"scrapersky_function_{folder.name}"
    spec = importlib.util.spec_from_file_location(module_name, folder / "app.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no app.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # annotations are resolved through it
    spec.loader.exec_module(module)
    return module


def load_app(folder: Path) -> Api:
    """The resolver of one function."""
    app = load_function(folder).app
    if not isinstance(app, Api):
        raise TypeError(f"{folder.name}: `app` is no Api")
    return app


def merge(apps: Mapping[str, Api]) -> Document:
    """One document from all apps, by function name.

    Raises:
        Conflict: two functions have the same operation or operationId, or different models of the same name.
    """
    paths: dict[str, Document] = {}
    schemas: Document = {}
    owners: dict[str, str] = {}
    for function, app in sorted(apps.items()):
        part = json.loads(app.get_openapi_json_schema(title=INFO["title"], version=INFO["version"]))
        for model, schema in part["components"]["schemas"].items():
            if schemas.setdefault(model, schema) != schema:
                raise Conflict(f"{function} has another model {model}")
        for path, item in part["paths"].items():
            for method, operation in item.items():
                for what in (f"{method.upper()} {path}", f"operationId {operation['operationId']}"):
                    if owners.setdefault(what, function) != function or method in paths.get(path, {}):
                        raise Conflict(f"{what} is in {owners[what]} and in {function}")
                paths.setdefault(path, {})[method] = tidied(operation, public=path in app.public)
    schemas |= error_schemas()
    webhooks, payloads = described(SCHEMAS + "{model}")
    for model, schema in payloads.items():
        if schemas.setdefault(model, schema) != schema:
            raise Conflict(f"what is sent to webhooks has another model {model}")
    problems = {name(status): problem_response(status) for status in PROBLEM_STATUSES}
    problems[THROTTLED] = gateway_response(429)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "responses": problems,
            "schemas": used(schemas, {"paths": paths, "webhooks": webhooks, "responses": problems}),
            "securitySchemes": {"bearer": BEARER},
        },
    }


def tidied(operation: Document, *, public: bool) -> Document:
    """The operation with each problem told once for the whole document, and header names as they are written."""
    responses = {}
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if CONTENT_TYPE in content:
            responses[status] = {"$ref": f"#/components/responses/{name(int(status))}"}
        elif status != "422":  # the resolver's own description of a validation error, which no caller ever sees
            responses[status] = response
    operation["responses"] = {**responses, "429": {"$ref": f"#/components/responses/{THROTTLED}"}}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            parameter["name"] = header_name(parameter["name"])
    if public:
        operation["security"] = []
    return operation


def name(status: int) -> str:
    """The name of the problem with this status among the document's shared responses."""
    return f"Problem{status}"


def error_schemas() -> Document:
    """The schemas that every operation's errors refer to, with what they refer to themselves."""
    schemas: Document = {}
    for model in (Problem, GatewayMessage):
        schema = model.model_json_schema(ref_template=SCHEMAS + "{model}", mode="serialization")
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    return schemas


def used(schemas: Document, document: Document) -> Document:
    """The schemas that the document refers to, directly or through others; the resolver adds some of its own."""
    found: Document = {}
    waiting = list(references(document))
    while waiting:
        model = waiting.pop()
        if model not in found:
            found[model] = schemas[model]
            waiting.extend(references(schemas[model]))
    return found


def references(value: object) -> Iterator[str]:
    """Names of the schemas that are referred to anywhere in a document."""
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(SCHEMAS):
            yield target.removeprefix(SCHEMAS)
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def build() -> str:
    """The document as it is committed: sorted, so that it changes only where the API does."""
    folders = [*FUNCTIONS.glob("*_api"), FUNCTIONS / "console"]
    apps = {folder.name: load_app(folder) for folder in sorted(folders)}
    return json.dumps(merge(apps), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scrapersky_local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the document is stale")
    check = parser.parse_args(arguments).check
    document = build()
    committed = DOCUMENT.read_text("utf-8") if DOCUMENT.exists() else None
    if document == committed:
        return 0
    if check:
        print(f"{DOCUMENT.relative_to(ROOT)} is stale: run python -m scrapersky_local.openapi", file=sys.stderr)
        return 1
    DOCUMENT.write_text(document, "utf-8")
    print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
