"""What an answer is that is no sitemap, in words for people."""

import re
from typing import Final

HTML: Final = "it is an HTML page, not a sitemap"

# The first bytes of files that are no text: https://mimesniff.spec.whatwg.org/, and what servers compress with.
_SIGNS: Final = {
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"RIFF": "an image",
    b"\0\0\1\0": "an image",
    b"%PDF-": "a PDF file",
    b"PK\3\4": "a ZIP archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\x1f\x8b": "a gzip file inside a gzip file",
}
_HTML = re.compile(
    r"<(?:!doctype\s+html|(?:html|head|body|title|script|style|meta|link|div|p|h1|center|table)[\s>/])", re.IGNORECASE
)
_HTML_CHARS: Final = 1024  # comments and white space may come before the first tag
_JSON = re.compile(r"[\[{]\s*(?:[\"{\[\]}0-9-]|true|false|null)")


def binary_kind(head: bytes) -> str | None:
    """What a file that is no text is, None for one that may be text."""
    return next((f"it is {kind}, not a sitemap" for sign, kind in _SIGNS.items() if head.startswith(sign)), None)


def root_kind(name: str) -> str:
    """What a document is whose outermost element is of no sitemap."""
    return HTML if _HTML.match(f"<{name}>") else "it is XML of another kind, not a sitemap"


def text_kind(head: str, content_type: str = "") -> str:
    """What a text, without white space before it, is that is neither a sitemap nor a list of addresses."""
    if not head:
        return "it is empty"
    if _HTML.search(head[:_HTML_CHARS]) or "html" in content_type.lower():
        return HTML
    if _JSON.match(head):
        return "it is JSON, not a sitemap"
    if head.startswith("<"):
        return "it is broken XML without a sitemap in it"
    return "it is neither XML nor a list of addresses"
