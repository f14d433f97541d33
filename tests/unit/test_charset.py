"""The charset of a page, by whichever witness tells the truth."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.charset import codec_of, to_utf8
from scrapersky.scraping.prescan import PRESCAN_BYTES, prescan

GERMAN = "<p>Müller & Söhne „5 €“</p>"


def decode(body: bytes, content_type: str | None, url: str = "") -> str:
    return to_utf8(body, content_type, url).decode()


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


@pytest.mark.parametrize(
    ("head", "label"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META CharSet = 'koi8-r' />", "koi8-r"),
        (b'<meta content="text/html; charset=koi8-r" http-equiv="Content-Type">', "koi8-r"),
        (b"<meta http-equiv=content-type content='text/html;charset=\"koi8-r\"'>", "koi8-r"),
        (b'<meta name="description" content="charset=utf-7">', None),
        (b'<meta content="text/html; charset=koi8-r">', None),
        (b"<!-- <meta charset=koi8-r> --><p>", None),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<p title='<meta charset=koi8-r>'>", None),
        (b"<metadata charset=koi8-r>", None),
        (b"</meta charset=koi8-r>", None),
        (b"<!doctype html><?x <meta charset=a> ?><meta/charset=koi8-r>", "koi8-r"),
        (b"<meta charset=''><meta charset=koi8-r>", "koi8-r"),
        (b'<?xml version="1.0" encoding="koi8-r"?>', "koi8-r"),
        (b'<?xml version="1.0" encoding="koi8-r"?><meta charset=utf-8>', "utf-8"),
        (b" " * PRESCAN_BYTES + b"<meta charset=koi8-r>", None),
        (b"<meta charset=koi8-r", "koi8-r"),
        (b"<meta charset", None),
        (b"<!-- open", None),
    ],
)
def test_prescan_reads_what_a_browser_would(head: bytes, label: str | None) -> None:
    assert prescan(head).charset == label


def test_prescan_reads_the_language() -> None:
    assert prescan(b'<html xml:lang="ja"><meta charset=utf-8>').language == "ja"
    assert prescan(b"<!-- <html lang=ja> --><p lang=ru>").language is None


def test_page_that_says_utf_16_in_ascii_is_utf_8() -> None:
    page = '<meta charset="utf-16"><p>\u00fcber M\u00fchlen f\u00fcr G\u00fcter \u00fcben</p>'
    assert decode(page.encode() + b"\xff", None).startswith(page)


RUSSIAN = "<html lang=ru><p>\u041c\u0430\u0433\u0430\u0437\u0438\u043d \u0427\u0430\u044f</p>"
POLISH = "<html lang=pl><p>Zaj\u0105c, Ma\u0142gorzata s\u0105 w \u015aremie, Ja\u015bka \u2013 \u0142ak\u0105</p>"
JAPANESE = "<html lang=ja><p>\u682a\u5f0f\u4f1a\u793e\u306e\u3054\u6848\u5185\u3067\u3059</p>"


@pytest.mark.parametrize(
    ("page", "codec"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (POLISH, "cp1250"),
        (POLISH.replace("\u2013", "-"), "iso8859-2"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc-jp"),
        (JAPANESE, "iso2022-jp"),
        ("<html lang=zh-TW><p>\u806f\u7d61\u6211\u5011</p>", "big5hkscs"),
        ("<html lang=zh-CN><p>\u8054\u7cfb\u6211\u4eec</p>", "gb18030"),
        ("<html lang=ko><p>\ud55c\uad6d\uc5b4</p>", "cp949"),
        ("<html lang=el><p>\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1</p>", "cp1253"),
        ("<html lang=fr><p>d\u00e9j\u00e0 vu \u2013 \u00e7a</p>", "cp1252"),
    ],
)
def test_page_that_declares_nothing_is_read_by_its_language(page: str, codec: str) -> None:
    assert decode(page.encode(codec), "text/html") == page


def test_country_of_the_address_is_the_last_hint() -> None:
    body = RUSSIAN.removeprefix("<html lang=ru>").encode("cp1251")
    assert decode(body, None, "https://chai.ru/") == RUSSIAN.removeprefix("<html lang=ru>")
    assert decode(body, None, "https://chai.example/") == body.decode("cp1252")
    assert decode(b"<html lang=de>" + body, None, "https://chai.ru/").endswith(body.decode("cp1252"))
    assert decode(body, None, "http://[broken/") == body.decode("cp1252")


@pytest.mark.parametrize("label", ["x-user-defined", "iso-8859-6-e", "logical", "iso-ir-149", "dos-874", "ISO-8859-11"])
def test_rare_labels_of_the_standard_are_known(label: str) -> None:
    codec = codec_of(label)
    assert codec is not None
    codecs.lookup(codec)


@pytest.mark.parametrize("label", ["iso-2022-kr", "hz-gb-2312", "replacement", "utf-32"])
def test_labels_that_no_browser_decodes_are_none(label: str) -> None:
    assert codec_of(label) is None
