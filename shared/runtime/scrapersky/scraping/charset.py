"""Bytes of a page to text: which charset they really are in.

Label names follow the WHATWG Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels): a page that
says `latin-1` or `us-ascii` means windows-1252. The order of the witnesses is our own, see `decode`.
"""

import codecs
import re

# Browsers prescan 1024 bytes (HTML Standard, "prescan a byte stream"); tag managers and comments push the
# declaration of real pages further down, and a wrong hit costs nothing: it must decode strictly.
PRESCAN_BYTES = 4096

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Python codec -> the labels that mean it. What follows a pattern (`iso-8859-N`, `windows-N`) is not listed here.
_LABELS = {
    "utf-8": "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "cp1252": "ascii us-ascii ansi_x3.4-1968 latin1 latin-1 l1 cp819 ibm819 iso-ir-100 csisolatin1 x-user-defined",
    "iso8859-2": "latin2 l2 iso-ir-101 csisolatin2",
    "iso8859-3": "latin3 l3 iso-ir-109 csisolatin3",
    "iso8859-4": "latin4 l4 iso-ir-110 csisolatin4",
    "iso8859-5": "cyrillic iso-ir-144 csisolatincyrillic",
    "iso8859-6": "arabic asmo-708 ecma-114 iso-ir-127 csisolatinarabic",
    "iso8859-7": "greek greek8 ecma-118 elot_928 sun_eu_greek iso-ir-126 csisolatingreek",
    "iso8859-8": "hebrew visual logical iso-ir-138 csisolatinhebrew",
    "iso8859-10": "latin6 l6 iso-ir-157 csisolatin6",
    "iso8859-15": "l9 csisolatin9",
    "cp1254": "latin5 l5 iso-ir-148 csisolatin5",
    "cp874": "tis-620 dos-874",
    "cp866": "866 cp866 ibm866 csibm866",
    "koi8-r": "koi koi8 koi8-r koi8_r cskoi8r",
    "koi8-u": "koi8-u koi8-ru",
    "mac-roman": "mac macintosh x-mac-roman csmacintosh",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "gb18030 gb2312 gbk x-gbk chinese csgb2312 gb_2312 gb_2312-80 iso-ir-58 csiso58gb231280",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc-jp": "euc-jp x-euc-jp cseucpkdfmtjapanese",
    "cp932": "shift_jis shift-jis sjis x-sjis ms932 ms_kanji windows-31j csshiftjis",
    "iso2022-jp": "iso-2022-jp csiso2022jp",
    "cp949": "euc-kr cseuckr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 csksc56011987",
    "utf-16-le": "utf-16 utf-16le ucs-2 unicode unicodefeff iso-10646-ucs-2 csunicode",
    "utf-16-be": "utf-16be unicodefffe",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_ISO_8859 = re.compile(r"iso[-_]?8859[-_]?(\d{1,2})(?:-[ei])?(?::\d{4})?")
_WINDOWS = re.compile(r"(?:windows-|x-cp|cp)(125[0-8]|874)")
_ISO_SUPERSETS = {"1": "cp1252", "9": "cp1254", "11": "cp874"}
_ISO_PARTS = frozenset({"2", "3", "4", "5", "6", "7", "8", "10", "13", "14", "15", "16"})

# Their bytes are valid UTF-8 too, so that the UTF-8 trial says nothing about them.
_LOOKS_LIKE_UTF8 = frozenset({"utf-16-le", "utf-16-be", "iso2022-jp"})

_CONTENT_TYPE = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]{1,40})", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_META = re.compile(rb"<meta\b[^>]{0,400}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})")


def codec_of(label: str | None) -> str | None:
    """The Python codec that a charset label stands for, or None for one that no browser knows."""
    if not label:
        return None
    label = label.strip().lower()
    if match := _ISO_8859.fullmatch(label):
        part = match[1].lstrip("0")
        return _ISO_SUPERSETS.get(part) or (f"iso8859-{part}" if part in _ISO_PARTS else None)
    if match := _WINDOWS.fullmatch(label):
        return f"cp{match[1]}"
    return _CODECS.get(label)


def decode(body: bytes, content_type: str | None) -> str:
    """The text of a page, by the first witness that fits; never raises.

    1. A byte order mark.
    2. UTF-8, if every byte fits it. Text of another encoding is practically never valid UTF-8, so the bytes outrank
       a wrong label (a UTF-8 page that says gb2312 would lose all its links). Plain ASCII is the same in all.
    3. The charset of the Content-Type header, then that of the page's `<meta>`, if all bytes fit.
    4. UTF-8 with a few broken bytes, unless the page says that it is something else.
    5. What the page says, broken bytes replaced, and windows-1252 where it says nothing.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(codec, "replace")
    declared = [codec for codec in (_header_codec(content_type), _meta_codec(body)) if codec]
    if not (declared and declared[0] in _LOOKS_LIKE_UTF8):
        declared.insert(0, "utf-8")
    for codec in declared:
        try:
            return body.decode(codec)
        except UnicodeDecodeError:
            continue
    legacy = next((codec for codec in declared if codec != "utf-8"), None)
    if legacy is None:
        text = body.decode("utf-8", "replace")
        if _is_mostly_intact(text):
            return text
    return body.decode(legacy or "cp1252", "replace")


def _header_codec(content_type: str | None) -> str | None:
    match = _CONTENT_TYPE.search(content_type or "")
    return codec_of(match[1]) if match else None


def _meta_codec(body: bytes) -> str | None:
    head = _COMMENT.sub(b"", body[:PRESCAN_BYTES])
    match = _META.search(head) or _XML_DECLARATION.match(head)
    codec = codec_of(match[1].decode("ascii", "ignore")) if match else None
    # A declaration that can be read as ASCII is not in UTF-16 (HTML Standard, same section).
    return "utf-8" if codec in ("utf-16-le", "utf-16-be") else codec


def _is_mostly_intact(text: str) -> bool:
    """Whether decoding as UTF-8 met far more good characters beyond ASCII than broken ones."""
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return good > 4 * broken
