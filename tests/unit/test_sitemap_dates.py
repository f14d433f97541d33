"""Which texts tell when something was modified, and when that was."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.sitemaps.dates import feed_date, lastmod_time
from scrapersky.scraping.sitemaps.entry import lastmod_time as exported


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024", (2024, 1, 1)),
        ("2024-05", (2024, 5, 1)),
        ("2024-05-03", (2024, 5, 3)),
        ("2024-02-29", (2024, 2, 29)),
        ("2024-05-03T10:20Z", (2024, 5, 3, 10, 20)),
        ("2024-05-03T10:20+02:00", (2024, 5, 3, 8, 20)),
        ("2024-05-03T10:20:30Z", (2024, 5, 3, 10, 20, 30)),
        ("2024-05-03T10:20:30+00:00", (2024, 5, 3, 10, 20, 30)),
        ("2024-05-03T00:20:30+05:30", (2024, 5, 2, 18, 50, 30)),
        ("2024-05-03T10:20:30-08:00", (2024, 5, 3, 18, 20, 30)),
        ("2024-05-03T10:20:30.5Z", (2024, 5, 3, 10, 20, 30, 500_000)),
        ("2024-05-03T10:20:30.123456789+01:00", (2024, 5, 3, 9, 20, 30, 123_456)),
        ("2024-05-03T10:20:30.12345", (2024, 5, 3, 10, 20, 30, 123_450)),
        ("2024-05-03T10:20:30", (2024, 5, 3, 10, 20, 30)),
        ("2024-05-03 10:20:30", (2024, 5, 3, 10, 20, 30)),
        ("2024-05-03 10:20:30 +0200", (2024, 5, 3, 8, 20, 30)),
        ("2024-05-03T10:20:30+0200", (2024, 5, 3, 8, 20, 30)),
        ("2024-05-03T10:20:30+02", (2024, 5, 3, 8, 20, 30)),
        ("2024-05-03t10:20:30z", (2024, 5, 3, 10, 20, 30)),
        ("2024-05-03 10:20:30 UTC", (2024, 5, 3, 10, 20, 30)),
    ],
)
def test_dates(text: str, time: tuple[int, ...]) -> None:
    assert lastmod_time(text) == datetime(*time, tzinfo=UTC)  # type: ignore[misc,arg-type]
    assert exported is lastmod_time


@pytest.mark.parametrize(
    "text",
    [
        *("", " 2024", "2024-13", "2024-00-01", "2023-02-29", "2024-5-3", "20240503", "03.05.2024", "2024/05/03"),
        *("24-05-03", "2024-05-03T", "2024-05-03T25:00:00Z", "2024-05-03T10:60:00Z", "2024-05-03T10:20:30+25:00"),
        *("2024-W18-5", "0000-00-00", "0000-00-00T00:00:00+00:00", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        *("1899-12-30", "now", "-0001-11-30T00:00:00+00:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59-01:00"),
        *("\u0662\u0660\u0662\u0664-05-03", "2024-05-03\n", "2024-05-03T10:20:30.Z", "2024-05-03T10:20:30+02:"),
        *("2024-05-03T10:20:30[UTC]", "1714731630", "2024" * 1000, "2024-W18-5T10:20:30Z"),
    ],
)
def test_no_dates(text: str) -> None:
    assert lastmod_time(text) is None


@given(st.datetimes(timezones=st.timezones()).filter(lambda time: 1970 < time.year < 9999))
def test_what_python_writes_is_read(time: datetime) -> None:
    offset = time.utcoffset()
    if offset is None or offset.seconds % 60:  # local mean time of the 19th century, and of a few later
        return
    for text in (time.isoformat(), time.isoformat(" "), time.isoformat(timespec="seconds")):
        read = lastmod_time(text)
        assert read is not None
        assert read.tzinfo is UTC
        assert abs(read - time).total_seconds() < 1


@given(st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{5,9}([Z+-][0-9:]{0,5})?\Z") | st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    time = lastmod_time(text)
    assert time is None or time.tzinfo is UTC


def test_dates_of_feeds() -> None:
    assert feed_date("Wed, 01 May 2024 10:00:00 GMT") == "2024-05-01T10:00:00+00:00"
    assert feed_date("1 May 2024 10:00 -0700") == "2024-05-01T10:00:00-07:00"
    assert feed_date("Wed, 01 May 2024 10:00:00 -0000") == "2024-05-01T10:00:00+00:00"
    assert feed_date("2024-05-01T10:00:00Z") == "2024-05-01T10:00:00Z"
    for text in ("", "May", "Wed, 99 May 2024 10:00:00 GMT", "Wed, 01 May 1950 10:00:00 GMT", "x" * 5000):
        assert feed_date(text) is None


@given(st.text(max_size=40))
def test_any_text_is_a_feed_s_date_or_none(text: str) -> None:
    date = feed_date(text)
    assert date is None or lastmod_time(date)
