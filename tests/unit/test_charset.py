"""The charset of a page, by whichever witness tells the truth."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.charset import codec_of
from scrapersky.scraping.page import decode

GERMAN = "<p>Müller & Söhne „5 €“</p>"


def test_latin_1_means_windows_1252() -> None:
    body = GERMAN.encode("cp1252")
    assert decode(body, "text/html; charset=ISO-8859-1") == GERMAN
    assert decode(b'<meta charset="latin1">' + body, None).endswith(GERMAN)
    assert decode(body, None) == GERMAN


def test_utf8_page_that_declares_gb2312_keeps_its_text() -> None:
    page = '<meta charset="gb2312"><a href="/über">Über uns 联系</a>'
    assert decode(page.encode(), None) == page
    assert decode(page.encode(), "text/html; charset=gb2312") == page


def test_real_gb2312_is_read_by_its_declaration() -> None:
    page = '<meta http-equiv="Content-Type" content="text/html; charset=gb2312"><p>联系我们</p>'
    assert decode(page.encode("gb2312"), None) == page


def test_header_precedes_meta() -> None:
    body = '<meta charset="windows-1252">Привет'.encode("cp1251")
    assert decode(body, 'text/html; charset="windows-1251"').endswith("Привет")


def test_meta_is_read_when_the_header_cannot_be_right() -> None:
    body = '<meta charset="windows-1251">Привет'.encode("cp1251")
    assert decode(body, "text/html; charset=utf-8").endswith("Привет")


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_byte_order_mark_precedes_all_and_is_no_text(bom: bytes, encoding: str) -> None:
    assert decode(bom + GERMAN.encode(encoding), "text/html; charset=windows-1251") == GERMAN


def test_one_broken_byte_does_not_turn_utf8_into_another_charset() -> None:
    assert decode("äöü äöü äöü äöü ".encode() + b"\xff", None) == "äöü äöü äöü äöü �"


def test_latin_page_of_a_server_that_says_utf8_is_read_as_windows_1252() -> None:
    assert decode(GERMAN.encode("cp1252"), "text/html; charset=utf-8") == GERMAN


def test_declaration_inside_a_comment_is_none() -> None:
    body = b'<!-- <meta charset="windows-1251"> -->' + GERMAN.encode("cp1252")
    assert decode(body, None).endswith(GERMAN)


def test_stateful_japanese_is_not_taken_for_ascii() -> None:
    body = "<p>日本語</p>".encode("iso2022-jp")
    assert decode(body, "text/html; charset=iso-2022-jp") == "<p>日本語</p>"


def test_xml_declaration_names_the_charset() -> None:
    page = '<?xml version="1.0" encoding="windows-1250"?><html>Žďár</html>'
    assert decode(page.encode("cp1250"), None) == page


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("UTF8", "utf-8"),
        ("us-ascii", "cp1252"),
        ("ISO_8859-9:1989", "cp1254"),
        ("iso88592", "iso8859-2"),
        ("x-sjis", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("windows-874", "cp874"),
        ("big5", "big5hkscs"),
        ("utf-7", None),
        ("rot13", None),
        ("iso-8859-99", None),
        ("", None),
    ],
)
def test_labels_follow_the_encoding_standard(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec
    if codec:
        codecs.lookup(codec)


@given(st.binary(max_size=300), st.none() | st.text(max_size=60))
def test_any_bytes_make_a_text_that_can_be_stored(body: bytes, content_type: str | None) -> None:
    decode(body, content_type).encode("utf-8")
