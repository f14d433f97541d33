"""Makes text of the outside safe to print: what a scanned site says must not steer the terminal that shows it."""

import json
import re
import unicodedata
from typing import Any

_REMOVED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi and other format marks, lone surrogates
_KEPT = "\u200c\u200d\t\n"  # joiners, which Persian words and emoji need; white space
# What json.dumps leaves as it is, though a terminal obeys it (DEL, C1, bidi) or cannot encode it (surrogates).
_JSON_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
LONGEST_VALUE = 500  # a table cell is to be read; the whole value is in `--json`


def clean(value: object) -> str:
    """One printable line: white space is one space, control and direction characters are gone, long text is cut.

    None is the empty string.
    """
    if value is None:
        return ""
    words = " ".join(str(value)[: 4 * LONGEST_VALUE].split())
    text = printable(words)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def printable(line: str) -> str:
    """The same line without what could act on a terminal; nothing is cut."""
    return "".join(c for c in line if c in _KEPT or unicodedata.category(c) not in _REMOVED)


def to_json(document: Any) -> str:
    """The same document as indented JSON: every value is unchanged, what could act on a terminal is `\\u`-escaped."""
    return escape_json(json.dumps(document, indent=2, ensure_ascii=False))


def escape_json(text: str) -> str:
    """The same JSON text, with what could act on a terminal `\\u`-escaped: it reads as the same values."""
    return _JSON_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
