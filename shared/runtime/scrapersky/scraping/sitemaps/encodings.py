"""Which charset a sitemap is in, and its bytes as text while they come.

The witnesses in their order: a byte order mark, the zeros of UTF-16 and UTF-32 (XML 1.0 appendix F.1), the charset of
the Content-Type header (RFC 7303 3.2), the XML declaration, and UTF-8. Where a charset of single bytes is said, bytes
that are UTF-8 are read as UTF-8 nevertheless and only the others by what is said: text of such a charset is
practically never valid UTF-8, and labels are often wrong.
"""

import codecs
import re
from typing import Final

from scrapersky.scraping.charset import codec_of

# The longer ones first: UTF-32's mark begins with that of UTF-16.
_SIGNS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
    (b"h\0", "utf-16-le"),  # http…, in a plain list
    (b"\0h", "utf-16-be"),
)
_WIDE: Final = frozenset({"utf-16-le", "utf-16-be"})
_MULTI_BYTE: Final = frozenset({"gb18030", "big5hkscs", "euc-jp", "cp932", "iso2022-jp", "cp949"})
_DECLARED = re.compile(rb"[\s\xef\xbb\xbf]*<\?xml\s[^>]{0,400}?\bencoding\s{0,20}=\s{0,20}[\"']([^\"'>]*)")
_CONTENT_TYPE = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]{1,40})", re.IGNORECASE)
# Bytes that begin no character of UTF-8, whatever follows, or whose next is none of theirs: one call for many of them.
_NOT_UTF_8 = re.compile(rb"(?:[\x80-\xc1\xf5-\xff]|[\xc2-\xf4](?=[\x00-\x7f\xc0-\xff]))*")
_LATIN: Final = "cp1252"  # what bytes that are not UTF-8 are where nothing else is said


class UnknownEncodingError(Exception):
    """The file says that it is in a charset that nobody knows: its words are in the message."""


def decoder_for(head: bytes, content_type: str) -> codecs.IncrementalDecoder:
    """What turns a file that begins with `head` into text; it never fails.

    Raises UnknownEncodingError for a declaration that no browser knows (UTF-7 is one of them).
    """
    for sign, codec in _SIGNS:
        if head.startswith(sign):
            return _utf_8(_LATIN) if codec == "utf-8" else codecs.getincrementaldecoder(codec)("replace")
    said = [codec for codec in (_header_codec(content_type), _declared_codec(head)) if codec]
    if said and said[0] in _MULTI_BYTE and "utf-8" not in said:
        return codecs.getincrementaldecoder(said[0])("replace")
    single = (codec for codec in said if codec not in _MULTI_BYTE and codec != "utf-8")
    return _utf_8(next(single, _LATIN))


def _header_codec(content_type: str) -> str | None:
    match = _CONTENT_TYPE.search(content_type[:400])
    codec = codec_of(match[1]) if match else None
    return None if codec in _WIDE else codec  # it would have shown in the zeros


def _declared_codec(head: bytes) -> str | None:
    match = _DECLARED.match(head)
    if not match:
        return None
    label = match[1].decode("ascii", "replace").strip()
    codec = codec_of(label[:100])
    if codec is None:
        raise UnknownEncodingError(f"its encoding is unknown: {_printable(label)}")
    # A declaration that can be read as ASCII is not in UTF-16.
    return "utf-8" if codec in _WIDE else codec


def _printable(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]", "?", label[:40]) or "an empty name"


def _utf_8(other: str) -> codecs.IncrementalDecoder:
    """UTF-8, in which bytes that are none are of another charset. So decoded, none of them is markup."""
    handler = f"scrapersky.{other}"

    def as_other(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        run = _NOT_UTF_8.match(error.object, error.end)
        end = run.end() if run else error.end
        return error.object[error.start : end].decode(other, "replace"), end

    codecs.register_error(handler, as_other)
    return codecs.getincrementaldecoder("utf-8")(handler)
