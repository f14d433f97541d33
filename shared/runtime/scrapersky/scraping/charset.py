"""Bytes of a page to UTF-8: which charset they really are in.

Label names follow the WHATWG Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels): a page that
says `latin-1` or `us-ascii` means windows-1252. Labels of the replacement encoding (iso-2022-kr, hz-gb-2312) mean
nothing here: browsers show such pages as one broken character. The order of the witnesses is our own, see `to_utf8`.

Pages that declare nothing are told apart without a library: charset_normalizer takes 14 ms to import and tries dozens
of codecs on each page, to tell windows-1252 from its cousins by frequencies that menus and names do not have.
"""

import codecs
import re
from urllib.parse import urlsplit

from scrapersky.scraping.prescan import prescan

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
    "iso8859-6": "arabic asmo-708 ecma-114 iso-ir-127 csisolatinarabic csiso88596e csiso88596i",
    "iso8859-7": "greek greek8 ecma-118 elot_928 sun_eu_greek iso-ir-126 csisolatingreek",
    "iso8859-8": "hebrew visual logical iso-ir-138 csisolatinhebrew csiso88598e csiso88598i",
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
    "cp949": "euc-kr cseuckr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 csksc56011987 "
    "iso-ir-149",
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

# The encoding that browsers assume where nothing is declared (HTML Standard 13.2.3.3, table of locales), by html's
# language, and by the top-level domains of countries where one of these languages is written.
_LEGACY = {
    "cp1256": "ar fa",
    "cp1251": "be bg ky mk ru sr tg tt uk ba kk",
    "iso8859-2": "cs hu pl sk sl hr bs",
    "cp1253": "el",
    "cp1257": "et lt lv",
    "cp1255": "he iw",
    "cp932": "ja",
    "cp949": "ko",
    "cp1254": "ku tr az",
    "cp874": "th",
    "cp1258": "vi",
    "gb18030": "zh zh-cn zh-hans",
    "big5hkscs": "zh-tw zh-hant zh-hk",
}
_CODEC_OF_LANGUAGE = {language: codec for codec, languages in _LEGACY.items() for language in languages.split()}
_DOMAINS = "su:ru ua:uk by:be kz:kk rs:sr cz:cs si:sl gr:el ee:et il:he jp:ja kr:ko vn:vi cn:zh tw:zh-tw hk:zh-hk ir:fa"
_LANGUAGE_OF_DOMAIN = {
    **{name: name for name in ("ru", "bg", "hu", "pl", "sk", "hr", "lt", "lv", "tr", "th", "mk")},
    **dict(pair.split(":") for pair in _DOMAINS.split()),
}
# Of one language: where the first cannot be, or makes less sense, it is the next.
_RIVALS = {"cp932": ("euc-jp", "cp932"), "cp1251": ("cp1251", "koi8-r"), "iso8859-2": ("cp1250", "iso8859-2")}
# Text in the encoding of a rival: KOI8-R has small letters where windows-1251 has capitals, ISO 8859-2 has
# letters where windows-1250 has signs, and EUC-JP read as Shift_JIS is half-width katakana.
_INSIDE_OUT = re.compile(
    "[\u0430-\u044f][\u0410-\u042f]|[A-Za-z\xc0-\u017e][\xa6\xac\xb1\xb6\xbc\u02c7\u02d8\u02db]|[\uff61-\uff9f]"
)
# Enough to see an encoding by; the menu and the first paragraphs of a page.
_DETECT_BYTES = 16 * 1024
_STATEFUL_JAPANESE = re.compile(rb"\x1b(?:\$[@B]|\([BJ])")


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


def to_utf8(body: bytes, content_type: str | None, url: str = "") -> bytes:
    """A page from `url` in UTF-8, which most are already, by the first witness of its charset that fits; never raises.

    1. A byte order mark.
    2. UTF-8, if every byte fits it. Text of another encoding is practically never valid UTF-8, so the bytes outrank
       a wrong label (a UTF-8 page that says gb2312 would lose all its links). Plain ASCII is the same in all.
    3. The charset of the Content-Type header, then that of the page's `<meta>`, if all bytes fit.
    4. UTF-8 with a few broken bytes, unless the page says that it is something else.
    5. What the page says, broken bytes replaced; where it says nothing, what its language and then its country used to
       be written in, and windows-1252.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            return _recoded(body[len(bom) :], codec)
    if body.isascii() and b"\x1b" not in body and b"\0" not in body:
        return body
    said = prescan(body)
    declared = [codec for codec in (_header_codec(content_type), _meta_codec(said.charset)) if codec]
    if not declared and _STATEFUL_JAPANESE.search(body[:_DETECT_BYTES]) and body.isascii():
        declared = ["iso2022-jp"]
    if not (declared and declared[0] in _LOOKS_LIKE_UTF8):
        declared.insert(0, "utf-8")
    for codec in declared:
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        return body if codec == "utf-8" else text.encode()
    legacy = next((codec for codec in declared if codec != "utf-8"), None)
    if legacy is None:
        text = body.decode("utf-8", "replace")
        if _is_mostly_intact(text):
            return text.encode()
    return _recoded(body, legacy or _habit(body, said.language, url))


def _recoded(body: bytes, codec: str) -> bytes:
    """In UTF-8, with U+FFFD for what is broken."""
    return body.decode(codec, "replace").encode()


def _header_codec(content_type: str | None) -> str | None:
    match = _CONTENT_TYPE.search(content_type or "")
    return codec_of(match[1]) if match else None


def _meta_codec(label: str | None) -> str | None:
    codec = codec_of(label)
    # A declaration that can be read as ASCII is not in UTF-16 (HTML Standard 13.2.3.2).
    return "utf-8" if codec in ("utf-16-le", "utf-16-be") else codec


def _habit(body: bytes, language: str | None, url: str) -> str:
    """The codec that pages of this language, or else of this country, had before UTF-8."""
    tag = (language or "").strip().lower().replace("_", "-")
    codec = _CODEC_OF_LANGUAGE.get(tag) or _CODEC_OF_LANGUAGE.get(tag.partition("-")[0])
    if codec is None and not tag:
        codec = _CODEC_OF_LANGUAGE.get(_LANGUAGE_OF_DOMAIN.get(_top_level_domain(url), ""))
    if codec is None:
        return "cp1252"
    sample = body[:_DETECT_BYTES]
    return min(_RIVALS.get(codec, (codec,)), key=lambda rival: _oddness(sample, rival))


def _oddness(sample: bytes, codec: str) -> int:
    """How much of the sample makes no sense in this encoding: broken bytes, control characters, words inside out."""
    text = sample.decode(codec, "replace")
    controls = sum(1 for character in text if "\x7f" < character < "\xa0")
    return 10 * (text.count("\ufffd") + controls) + len(_INSIDE_OUT.findall(text))


def _top_level_domain(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rpartition(".")[2]
    except ValueError:
        return ""


def _is_mostly_intact(text: str) -> bool:
    """Whether decoding as UTF-8 met far more good characters beyond ASCII than broken ones."""
    broken = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - broken
    return good > 4 * broken
