"""In whatever charset a sitemap is, or says that it is, its addresses are read as they are meant."""

import pytest

from scrapersky.domain.status import ErrorCode
from support.sitemap_reads import read, urls, urlset

UMLAUTS = "https://shop.example/straße-é"
JAPANESE = "https://shop.example/日本語"
CHINESE = "https://shop.example/简体中文"
KOREAN = "https://shop.example/한국어"
RUSSIAN = "https://shop.example/Привет"


def document(url: str, codec: str, declared: str | None = None) -> bytes:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return (declaration + urlset(f"<loc>{url}</loc>")).encode(codec)


@pytest.mark.parametrize(
    ("url", "codec", "declared"),
    [
        (UMLAUTS, "utf-8", None),
        (UMLAUTS, "utf-8", "UTF-8"),
        (UMLAUTS, "utf-8-sig", "utf8"),
        (UMLAUTS, "utf-16", "UTF-16"),
        (UMLAUTS, "utf-16-le", None),
        (UMLAUTS, "utf-16-be", "utf-16"),
        (UMLAUTS, "utf-32", None),
        (UMLAUTS, "utf-32-be", None),
        (UMLAUTS, "latin-1", "ISO-8859-1"),
        (UMLAUTS, "cp1252", "windows-1252"),
        (UMLAUTS, "iso8859-15", "iso-8859-15"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (RUSSIAN, "iso8859-5", "iso-8859-5"),
        (JAPANESE, "cp932", "Shift_JIS"),
        (JAPANESE, "euc-jp", "EUC-JP"),
        (JAPANESE, "iso2022-jp", "iso-2022-jp"),
        (CHINESE, "gbk", "GBK"),
        (CHINESE, "gb18030", "gb18030"),
        ("https://shop.example/繁體", "big5", "big5"),
        (KOREAN, "euc-kr", "euc-kr"),
    ],
)
def test_the_charset_that_a_file_is_in(url: str, codec: str, declared: str | None) -> None:
    body = document(url, codec, declared)
    entries, reader = read(body)
    assert [entry[0] for entry in entries] == [url]
    assert not reader.is_partial
    assert urls(b"".join(read_pieces(body))) == [url]


def read_pieces(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


@pytest.mark.parametrize(
    ("url", "codec", "declared"),
    [
        (UMLAUTS, "latin-1", None),
        (UMLAUTS, "latin-1", "UTF-8"),
        (UMLAUTS, "utf-8", "ISO-8859-1"),
        (RUSSIAN, "utf-8", "windows-1251"),
        (UMLAUTS, "utf-8", "UTF-16"),
        (UMLAUTS, "utf-16", "UTF-8"),
        (UMLAUTS, "utf-8-sig", "ISO-8859-1"),
        (UMLAUTS, "utf-8-sig", "GBK"),
    ],
)
def test_the_bytes_outrank_a_wrong_declaration(url: str, codec: str, declared: str | None) -> None:
    entries, reader = read(document(url, codec, declared))
    assert [entry[0] for entry in entries] == [url]
    assert not reader.is_partial


def test_the_header_says_what_the_file_does_not() -> None:
    assert urls(document(RUSSIAN, "cp1251"), content_type="text/xml; charset=windows-1251") == [RUSSIAN]
    assert urls(document(JAPANESE, "cp932"), content_type='text/xml;charset="Shift_JIS"') == [JAPANESE]
    assert urls(f"{RUSSIAN}\n".encode("cp1251"), content_type="text/plain; charset=windows-1251") == [RUSSIAN]
    assert urls(document(CHINESE, "utf-8", "utf-8"), content_type="text/xml; charset=gb2312") == [CHINESE]
    assert urls(document(UMLAUTS, "utf-8"), content_type="text/xml; charset=utf-16") == [UMLAUTS]
    assert urls(document(UMLAUTS, "utf-8"), content_type="text/xml; charset=no-such") == [UMLAUTS]


@pytest.mark.parametrize(
    "label", ["no-such", "UTF-7", "ebcdic-cp-us", "x" * 300, " ", "utf_8_sig\x00", "idna", "rot13", "zlib", "cp437"]
)
def test_a_charset_that_nobody_knows_is_an_error(label: str) -> None:
    entries, reader = read(document(UMLAUTS, "utf-8", label))
    assert entries == []
    assert reader.error is not None
    assert reader.error[0] is ErrorCode.INVALID_SITEMAP
    assert "encoding is unknown" in reader.error[1]
    assert len(reader.error[1]) < 100


@pytest.mark.parametrize("before", ["\n", " \t\r\n", "\ufeff\n", "\ufeff\ufeff", "\n\ufeff "])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_what_may_stand_before_the_declaration(before: str, codec: str) -> None:
    text = before + document(UMLAUTS, "utf-8", "utf-8").decode()
    assert urls(text.encode(codec)) == [UMLAUTS]


@pytest.mark.parametrize(
    "declaration",
    [
        "<?xml version='1.0' standalone='yes'?>",
        '<?xml version="1.1"?>',
        '<?xml encoding="UTF-8"?>',
        '<?xml version="1.0" encoding=utf-8?>',
        '<?xml version="1.0" encoding="UTF-8" ?><?xml-stylesheet type="text/xsl" href="/main.xsl"?>',
    ],
)
def test_declarations_that_are_not_quite_right(declaration: str) -> None:
    entries, reader = read((declaration + urlset(f"<loc>{UMLAUTS}</loc>")).encode())
    assert [entry[0] for entry in entries] == [UMLAUTS]
    assert not reader.is_partial


def test_halves_of_surrogate_pairs_and_overlong_forms_are_replaced_and_never_markup() -> None:
    for odd in (b"\xed\xa0\x80", b"\xc0\xbc", b"\xf8\x88\x80\x80\x80", b"\xff"):
        body = document("https://shop.example/@", "utf-8").replace(b"@", odd)
        entries, reader = read(body)
        assert len(entries) == 1
        assert not reader.is_partial
        entries[0][0].encode()
    assert urls(urlset("<loc>https://shop.example/@</loc>").encode("utf-16").replace(b"@\0", b"\0\xd8")) == [
        "https://shop.example/\ufffd"
    ]
