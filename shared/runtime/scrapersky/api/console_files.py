"""The console's files as they are served: with a validator, under a policy that lets nothing else run."""

import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from scrapersky.errors import NotFound

PAGE: Final = "index.html"

_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",  # RFC 9239, 6
    "svg": "image/svg+xml",
}
_HEADERS: Final[Mapping[str, str]] = {
    # Asked for anew each time, which a 304 answers: a deployment changes all files at once, and a page of one version
    # with a script of another would be neither.
    "Cache-Control": "no-cache",
    # Its own scripts and styles, from files alone; this API and no other host; and no text becomes markup or a script,
    # whatever a mistake in the console tries (Trusted Types without a policy).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}


def _described(*kinds: str) -> dict[str, Any]:
    """The content of an answer that is a file of one of these kinds, for the OpenAPI document."""
    examples = {"css": ":root {}", "html": "<!doctype html>", "js": '"use strict";', "svg": "<svg/>"}
    return {
        _TYPES[kind]: {"schema": {"type": "string"}, "examples": {"answer": {"value": examples[kind]}}}
        for kind in kinds
    }


CONTENT_OF_PAGE: Final = _described("html")
CONTENT_OF_FILES: Final = _described("css", "js", "svg")


def answer(name: str, if_none_match: str | None) -> Response[str]:
    """The file with this name, or 304 when the client has it already.

    Raises:
        NotFound: the console has no such file.
    """
    found = _files().get(name)
    if found is None:
        raise NotFound("The console has no such file.")
    text, tag = found
    headers = {**_HEADERS, "ETag": tag}
    if if_none_match is not None and tag in [part.strip() for part in if_none_match.split(",")]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, body="", headers=headers)
    return Response(
        status_code=HTTPStatus.OK.value,
        content_type=f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8",
        body=text,
        headers=headers,
        compress=True,
    )


@cache
def _files() -> Mapping[str, tuple[str, str]]:
    """Text and validator of each file by its name. The validator is weak: compressed, the bytes are others."""
    texts = {
        file.name: file.read_text("utf-8")
        for file in resources.files("scrapersky.api").joinpath("console").iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    return {name: (text, f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"') for name, text in texts.items()}
