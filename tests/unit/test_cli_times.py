"""Points in time on the command line."""

from datetime import UTC, date, datetime, timedelta

import pytest
import typer

from scrapersky_cli.times import day, point_in_time

SOON = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("0m", timedelta(0)),
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("1h", timedelta(hours=1)),
        (" 7d ", timedelta(days=7)),
    ],
)
def test_a_span_is_of_the_time_before_now(text: str, ago: timedelta) -> None:
    now = datetime.now(UTC)
    assert timedelta(0) <= point_in_time(text) - (now - ago) < SOON
    assert (now - ago).date() <= day(text) <= (now - ago + SOON).date()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T08:00:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02 08:00", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00:00Z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00:00.123456Z", datetime(2026, 3, 2, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-02T08:00:00+02:00", datetime(2026, 3, 2, 6, tzinfo=UTC)),
    ],
)
def test_a_time_is_in_utc_unless_it_says_otherwise(text: str, time: datetime) -> None:
    assert point_in_time(text) == time
    assert point_in_time(text).tzinfo is UTC


NO_TIMES = ["", "yesterday", "1w", "h", "-1h", "1.5h", "1 h", "90", "\u0661h", "999999999d", "2026-13-02", "\x1b[31m"]


@pytest.mark.parametrize("text", [*NO_TIMES, "0001-01-01T00:00:00+14:00"])
def test_what_is_neither_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"neither a time such as .* nor a span before now such as") as caught:
        point_in_time(text)
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("text", [*NO_TIMES, "2026-01-01T00:00"])
def test_what_is_no_day_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"neither a day such as .* nor a span before now such as"):
        day(text)


def test_a_day_is_a_day() -> None:
    assert day("2026-03-02") == date(2026, 3, 2)
