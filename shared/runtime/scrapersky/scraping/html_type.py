"""Whether an answer is an HTML page: by its Content-Type, and by its beginning only when it has none."""

from typing import Final

_HTML_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
# WHATWG MIME Sniffing, 7.1: what an unlabelled HTML page begins with.
_HTML_BEGINNINGS: Final = (
    *(b"<!doctype html", b"<html", b"<head", b"<script", b"<iframe", b"<h1", b"<div", b"<font", b"<table"),
    *(b"<a", b"<style", b"<title", b"<b", b"<body", b"<br", b"<p", b"<!--"),
)


def media_type(content_type: str) -> str:
    """The type of a Content-Type header without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def says_other_than_html(content_type: str) -> bool:
    """Whether the header names a type, and that is not HTML."""
    return media_type(content_type) not in _HTML_TYPES | {""}


def is_html(content_type: str, body: bytes) -> bool:
    """Whether a body under this header is to be read as HTML."""
    if media_type(content_type):
        return not says_other_than_html(content_type)
    return body[:512].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_HTML_BEGINNINGS)
