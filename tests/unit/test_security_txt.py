"""security.txt by RFC 9116: its fields, and what is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.security_txt import MAX_BYTES, parse

URL = "https://inn.example/.well-known/security.txt"
PLAIN = {"content-type": "text/plain; charset=utf-8"}
FILE = b"""# Our security address
Contact: mailto:security@inn.example
CONTACT: https://inn.example/report
Contact: security@inn.example
Expires: 2027-01-01T12:00:00+02:00
Encryption: openpgp4fpr:5f2de5521c63a801ab59ccb603d49de44b29100f
Preferred-Languages: en, de
Policy: https://inn.example/policy
Unknown-Field: something
"""


def test_fields() -> None:
    found = parse(FILE, URL, PLAIN)
    assert found is not None
    assert found.contacts == ("mailto:security@inn.example", "https://inn.example/report")  # a bare address is no URI
    assert found.expires == datetime(2027, 1, 1, 10, tzinfo=UTC)
    assert found.preferred_languages == ("en", "de")
    assert found.policy == ("https://inn.example/policy",)
    assert found.encryption == ("openpgp4fpr:5f2de5521c63a801ab59ccb603d49de44b29100f",)
    assert not found.is_signed


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_signed_file(line_end: bytes) -> None:
    body = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        b"- Contact: mailto:dashed@inn.example\nContact: mailto:a@inn.example\n"
        b"-----BEGIN PGP SIGNATURE-----\n\nContact: mailto:forged@evil.example\n-----END PGP SIGNATURE-----\n"
    ).replace(b"\n", line_end)
    found = parse(body, URL, PLAIN)
    assert found is not None
    assert found.contacts == ("mailto:dashed@inn.example", "mailto:a@inn.example")
    assert found.is_signed


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<!doctype html><title>Not found</title>\nContact: mailto:a@inn.example", {}),
        (FILE, {"content-type": "text/html"}),
        (b"\n <html>Contact: https://inn.example/</html>", PLAIN),
        (b"Expires: 2027-01-01T00:00:00Z\n", PLAIN),
        (b"Contact: call us\n", PLAIN),
        (b"", PLAIN),
        (FILE + b"\xff", PLAIN),
        (FILE + b"#" * MAX_BYTES, PLAIN),
    ],
    ids=["soft-404", "html-type", "html", "no-contact", "no-uri", "empty", "no-utf8", "too-long"],
)
def test_what_is_no_security_txt(body: bytes, headers: dict[str, str]) -> None:
    assert parse(body, URL, headers) is None


@pytest.mark.parametrize(
    ("expires", "moment"),
    [
        (["2027-01-01T00:00:00z"], datetime(2027, 1, 1, tzinfo=UTC)),
        (["2027-01-01T00:00:00.000Z"], datetime(2027, 1, 1, tzinfo=UTC)),
        (["2027-01-01"], datetime(2027, 1, 1, tzinfo=UTC)),
        (["2027-13-01T00:00:00Z"], None),
        (["0001-01-01T00:00:00+23:59"], None),
        (["next year"], None),
        (["2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"], None),
    ],
)
def test_expiry(expires: list[str], moment: datetime | None) -> None:
    body = "Contact: mailto:a@inn.example\n" + "".join(f"Expires: {value}\n" for value in expires)
    found = parse(body.encode(), URL, PLAIN)
    assert found is not None
    assert found.expires == moment


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"Contact: mailto:a@b.c\n{text}".encode()))
def test_any_bytes_are_read(body: bytes) -> None:
    parse(body, URL, PLAIN)
