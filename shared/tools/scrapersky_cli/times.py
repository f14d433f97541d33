"""Points in time as a person writes them: a time in UTC, or how long ago that is."""

import re
from datetime import UTC, date, datetime, timedelta

import typer

from scrapersky_cli.text import clean

AS_A_TIME = "a time in UTC, or a span before now such as 90m, 1h or 7d"
AS_A_DAY = "YYYY-MM-DD in UTC, or a span before now such as 7d"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,9})([smhd])")


def span_seconds(text: str) -> int | None:
    """`90s`, `30m`, `12h`, `7d` in seconds; None for anything else."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _SECONDS[match[2]] if match else None


def point_in_time(text: str) -> datetime:
    """The time in UTC that an option names: ISO 8601, in UTC where it names no offset, or a span before now.

    Raises typer.BadParameter, which the command line tells with its option.
    """
    try:
        ago = _ago(text)
        named = ago or datetime.fromisoformat(text.strip())
        return named.astimezone(UTC) if named.tzinfo else named.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{clean(text)!r} is neither a time such as 2026-03-02 or 2026-03-02T08:00:00Z nor a span before now such "
            "as 90m, 1h or 7d."
        ) from None


def day(text: str) -> date:
    """The day in UTC that an option names: YYYY-MM-DD, or that of a span before now. Raises typer.BadParameter."""
    try:
        ago = _ago(text)
        return ago.date() if ago else datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007  a mere day
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{clean(text)!r} is neither a day such as 2026-03-02 nor a span before now such as 12h or 7d."
        ) from None


def _ago(text: str) -> datetime | None:
    """Raises OverflowError for a span that begins before all time."""
    seconds = span_seconds(text)
    return datetime.now(UTC) - timedelta(seconds=seconds) if seconds is not None else None
