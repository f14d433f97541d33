"""The OpenAPI document that ships beside this module: served as it is, and asked which methods a path has."""

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@cache
def text() -> str:
    """The document as it was built (scrapersky_local.openapi)."""
    return resources.files("scrapersky.api").joinpath("openapi.json").read_text("utf-8")


def methods_of(path: str) -> tuple[str, ...]:
    """The methods that a concrete path answers to, in upper case; empty when no path template fits."""
    for template, item in _paths():
        if fits(template, path.split("/")):
            return tuple(sorted(method.upper() for method in item & _METHODS))
    return ()


@cache
def _paths() -> tuple[tuple[tuple[str, ...], frozenset[str]], ...]:
    """Path templates in segments with their methods; literal paths before templated ones (OpenAPI 3.1, 4.8.8)."""
    paths = json.loads(text())["paths"]
    ordered = sorted(paths, key=lambda template: ("{" in template, template))
    return tuple((tuple(template.split("/")), frozenset(paths[template])) for template in ordered)


def fits(template: Sequence[str], segments: Sequence[str]) -> bool:
    """Whether a concrete path is one of a path template's, both in segments."""
    return len(template) == len(segments) and all(
        bool(segment) if part.startswith("{") else part == segment
        for part, segment in zip(template, segments, strict=True)
    )
