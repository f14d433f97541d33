"""The parts of the fetcher that need no socket: the table of failures, URLs, bodies."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.domain.status import ErrorCode
from scrapersky.scraping.decoding import MAX_GZIP_MEMBERS, PIECE_BYTES, decoded
from scrapersky.scraping.failures import CODES, FetchError, explain
from scrapersky.scraping.urls import WebUrl, parse_web_url

LIBRARY_ERRORS = [
    value
    for library in (httpcore, httpx)
    for name in library.__all__
    if isinstance(value := getattr(library, name), type) and issubclass(value, Exception)
]


@pytest.mark.parametrize("error", LIBRARY_ERRORS, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_exception_of_the_http_libraries_has_a_code_of_its_own(error: type[Exception]) -> None:
    assert error in CODES


def test_there_are_exceptions_to_map() -> None:
    assert {httpcore.ReadTimeout, httpx.InvalidURL} <= set(LIBRARY_ERRORS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpcore.ReadTimeout(), ErrorCode.TIMEOUT),
        (httpcore.ConnectError(), ErrorCode.CONNECT_FAILURE),
        (httpcore.RemoteProtocolError("bad"), ErrorCode.HTTP_ERROR),
        (ConnectionResetError(), ErrorCode.HTTP_ERROR),
        (FetchError(ErrorCode.TOO_LARGE, "x"), ErrorCode.TOO_LARGE),
    ],
)
def test_an_exception_takes_the_code_of_its_nearest_class(error: Exception, code: ErrorCode) -> None:
    assert explain(error).code is code


def test_a_defect_of_the_program_is_not_taken_for_a_failure_of_the_site() -> None:
    with pytest.raises(TypeError):
        explain(KeyError("x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://Shop.Example", WebUrl("http://shop.example/", "http", "shop.example", 80, "shop.example", "/")),
        (
            "https://shop.example:8443/a b?q=ü#top",
            WebUrl(
                "https://shop.example:8443/a%20b?q=%C3%BC",
                "https",
                "shop.example",
                8443,
                "shop.example:8443",
                "/a%20b?q=%C3%BC",
            ),
        ),
        (
            "https://user:pass@shop.example./x",
            WebUrl("https://shop.example/x", "https", "shop.example", 443, "shop.example", "/x"),
        ),
        ("http://0x7f.1/", WebUrl("http://127.0.0.1/", "http", "127.0.0.1", 80, "127.0.0.1", "/")),
        ("http://[::0001]:80/", WebUrl("http://[::1]/", "http", "::1", 80, "[::1]", "/")),
    ],
)
def test_a_url_is_taken_apart_as_browsers_do(text: str, expected: WebUrl) -> None:
    assert parse_web_url(text) == expected
    assert parse_web_url(expected.href) == expected


@pytest.mark.parametrize(
    ("location", "href"),
    [
        ("/b", "http://shop.example/b"),
        ("?x", "http://shop.example/a/?x"),
        ("//other.example/b", "http://other.example/b"),
        ("\\\\other.example\\b", "http://other.example/b"),
        ("", "http://shop.example/a/"),
    ],
)
def test_a_location_is_joined_to_its_page(location: str, href: str) -> None:
    assert parse_web_url(location, parse_web_url("http://shop.example/a/")).href == href


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ftp://shop.example/", ErrorCode.BLOCKED_ADDRESS),
        ("file:///etc/passwd", ErrorCode.BLOCKED_ADDRESS),
        ("gopher://127.0.0.1:6379/_x", ErrorCode.BLOCKED_ADDRESS),
        ("javascript:alert(1)", ErrorCode.BLOCKED_ADDRESS),
        ("http://", ErrorCode.HTTP_ERROR),
        ("http://a b/", ErrorCode.HTTP_ERROR),
        ("http://1.2.3.4.5/", ErrorCode.HTTP_ERROR),
        ("http://1.2.3.4../", ErrorCode.HTTP_ERROR),
        ("http://shop.example../", ErrorCode.HTTP_ERROR),
        ("http://shop.example:0/", ErrorCode.BLOCKED_ADDRESS),
        ("https://shop.example:000/", ErrorCode.BLOCKED_ADDRESS),
        ("relative", ErrorCode.HTTP_ERROR),
        ("http://\ud800/", ErrorCode.HTTP_ERROR),
        ("http://shop.example/" + "a" * 8000, ErrorCode.HTTP_ERROR),
    ],
)
def test_what_cannot_be_fetched_is_refused(text: str, code: ErrorCode) -> None:
    with pytest.raises(FetchError) as refused:
        parse_web_url(text)
    assert refused.value.code is code


@given(st.text())
def test_any_text_is_a_stable_url_or_a_fetch_error(text: str) -> None:
    try:
        url = parse_web_url(text, parse_web_url("http://shop.example/"))
    except FetchError:
        return
    assert url.href.isascii()
    assert parse_web_url(url.href) == url


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


TEXT = b"<title>Shop</title>" * 100
GZIPPED, ZLIBBED, DEFLATED = gzip.compress(TEXT, mtime=0), zlib.compress(TEXT), raw_deflate(TEXT)


def read_body(chunks: Iterable[bytes], encoding: str | None, limit: int) -> tuple[bytes, bool]:
    """(the first `limit` bytes, whether that is all)."""
    body = b""
    for piece in decoded(chunks, encoding):
        assert 0 < len(piece) <= PIECE_BYTES
        body += piece
        if len(body) > limit:
            return body[:limit], False
    return body, True


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        (None, TEXT),
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", GZIPPED),
        ("GZip", GZIPPED),
        ("x-gzip", GZIPPED),
        ("gzip, identity", GZIPPED),
        ("deflate", ZLIBBED),
        ("deflate", DEFLATED),
        ("gzip", gzip.compress(TEXT[:1000], mtime=0) + gzip.compress(TEXT[1000:], mtime=0)),
        ("gzip", GZIPPED + b"\x00" * 20),
        ("gzip", GZIPPED + b"trailing"),
        ("deflate", ZLIBBED + b"trailing"),
    ],
)
def test_bodies_decode_however_they_are_cut(encoding: str | None, data: bytes, size: int) -> None:
    assert read_body(pieces(data, size), encoding, len(TEXT)) == (TEXT, True)
    assert read_body(pieces(data, size), encoding, len(TEXT) - 1) == (TEXT[:-1], False)


@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
def test_no_body_is_an_empty_one(encoding: str | None) -> None:
    assert read_body([], encoding, 10) == (b"", True)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("br", b"x"),
        ("zstd", b"x"),
        ("compress", b"x"),
        ("utf-8", b"x"),
        ("gzip, gzip", gzip.compress(GZIPPED, mtime=0)),
        ("deflate, gzip", gzip.compress(ZLIBBED, mtime=0)),
        ("gzip", TEXT),
        ("gzip", ZLIBBED),
        ("gzip", GZIPPED[:-1]),
        ("gzip", GZIPPED[:5]),
        ("gzip", GZIPPED[:-8] + b"\x00" * 8),
        ("deflate", ZLIBBED[:-1]),
        ("deflate", DEFLATED[:-1]),
        ("deflate", b"\xff"),
        ("gzip", gzip.compress(b"", mtime=0) * (MAX_GZIP_MEMBERS + 1)),
    ],
)
def test_encodings_that_were_not_asked_for_and_damaged_data_are_typed(encoding: str, data: bytes) -> None:
    with pytest.raises(FetchError) as failure:
        read_body([data], encoding, 10_000)
    assert failure.value.code is ErrorCode.HTTP_ERROR


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, raw_deflate])
def test_what_a_full_piece_leaves_inside_the_decompressor_is_not_lost(compress: Callable[[bytes], bytes]) -> None:
    encoding = "gzip" if compress is gzip.compress else "deflate"
    for more in range(300):  # a copy is of 258 bytes at the most: RFC 1951 3.2.5
        body = bytes(PIECE_BYTES + more)
        assert read_body([compress(body)], encoding, 10**6) == (body, True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_inflated_no_further_than_the_limit(encoding: str) -> None:
    stream = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(stream.compress(bytes(1 << 20)) for _ in range(64)) + stream.flush()
    assert len(bomb) < 100_000
    read: list[int] = []

    def chunks() -> Iterator[bytes]:
        for piece in pieces(bomb, 1024):
            read.append(len(piece))
            yield piece

    body, is_whole = read_body(chunks(), encoding, 1 << 20)
    assert (len(body), is_whole) == (1 << 20, False)
    assert len(read) < 5
