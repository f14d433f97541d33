"""What the first bytes of a page say of its charset and language, before they can be text.

HTML Standard 13.2.3.2, "prescan a byte stream to determine its encoding", with its algorithm for attributes: a regular
expression alone would believe `<meta name="description" content="charset=...">` and a meta in a comment or attribute.
"""

import re
from typing import Final, NamedTuple

# Browsers look at 1024 bytes at least; tag managers and comments push the declaration of real pages further down, and a
# wrong hit costs nothing: it must decode strictly.
PRESCAN_BYTES: Final = 4096

_SPACE = rb"\t\n\f\r "
_TAG = re.compile(rb"<(?:(!--)|(/?[A-Za-z][^" + _SPACE + rb"/>]*)|([!/?]))")
_ATTRIBUTE = re.compile(
    rb"[" + _SPACE + rb"/]*([^" + _SPACE + rb"/>=][^" + _SPACE + rb"/>=]*)"
    rb"(?:["
    + _SPACE
    + rb"]*=["
    + _SPACE
    + rb"]*(?:\"([^\"]*)\"|'([^']*)'|([^"
    + _SPACE
    + rb">\"'][^"
    + _SPACE
    + rb">]*)))?"
)
_CHARSET = re.compile(
    rb"charset[" + _SPACE + rb"]*=[" + _SPACE + rb"]*(?:\"([^\"]*)\"|'([^']*)'|([^" + _SPACE + rb";\"']+))", re.I
)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s{0,20}=\s{0,20}[\"']([^\"'>]{1,40})[\"']")


class Declared(NamedTuple):
    """The label of the charset, and html's language, as written; None for what is not declared."""

    charset: str | None
    language: str | None


def prescan(body: bytes) -> Declared:
    """What the page's first PRESCAN_BYTES declare. Linear, never raises."""
    head = body[:PRESCAN_BYTES]
    xml = _XML_ENCODING.match(head.lstrip())
    charset = xml[1].decode("latin-1") if xml else None
    language: str | None = None
    position = 0
    while match := _TAG.search(head, position):
        position = match.end()
        if match[1]:  # a comment; `<!-->` is a whole one
            end = head.find(b"-->", match.start() + 2)
            position = end + 3 if end >= 0 else len(head)
        elif match[3]:
            end = head.find(b">", position)
            position = end + 1 if end >= 0 else len(head)
        else:
            attributes, position = _attributes(head, position)
            name = match[2].lower()
            if name == b"html" and language is None:
                language = attributes.get("lang") or attributes.get("xml:lang")
            elif name == b"meta" and (label := _label_of(attributes)):
                return Declared(label, language)
    return Declared(charset, language)


def _attributes(head: bytes, position: int) -> tuple[dict[str, str], int]:
    """A tag's attributes, lower-case names, the first of each; and where the tag ends."""
    found: dict[str, str] = {}
    while match := _ATTRIBUTE.match(head, position):
        position = match.end()
        value = next((group for group in match.groups()[1:] if group is not None), b"")
        found.setdefault(match[1].decode("latin-1").lower(), value.decode("latin-1"))
    return found, position


def _label_of(attributes: dict[str, str]) -> str | None:
    """The charset of one meta: its `charset`, or that in `content` if it is a pragma for the content type."""
    if label := attributes.get("charset"):
        return label
    if attributes.get("http-equiv", "").lower() == "content-type":
        match = _CHARSET.search(attributes.get("content", "").encode("latin-1"))
        if match:
            return next(group for group in match.groups() if group is not None).decode("latin-1")
    return None
