"""The SQL of exported URLs. The server writes the lines: a million of them cost Python next to nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from scrapersky.db.connection import Database
from scrapersky.db.sitemaps import NAMED, in_order
from scrapersky.domain.sitemap_views import URL_COLUMNS, UrlFormat, UrlState

_TEXTS: dict[str, LiteralString] = {
    "url": "u.url",
    "lastmod": "u.lastmod",
    "changefreq": "u.changefreq",
    "sitemap_url": "f.url",
}
_NUMBERS: dict[str, LiteralString] = {
    "priority": "u.priority",
    "image_count": "u.image_count",
    "video_count": "u.video_count",
    "news_count": "u.news_count",
    "alternate_count": "u.alternate_count",
}
_TIMES: dict[str, LiteralString] = {"first_seen": "u.first_seen", "last_seen": "u.last_seen"}

# White space, what steers a terminal or a line's direction, and what a spreadsheet takes for a formula: the rules of
# `api.export_lines.cell`. A text that none of them concerns, as nearly all are, is looked at once.
_SPACE: LiteralString = r"[\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_STEERING: LiteralString = r"[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_FORMULA: LiteralString = r'(?:^|[,;])[ "]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20])'
_CONCERNED: LiteralString = _SPACE + "|" + _STEERING + "|" + _FORMULA


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of an export, each with its end, and where the last of them stands: after it come the next."""

    text: str
    count: int
    position: int
    id: int


def lines(db: Database, tenant_id: UUID, scope: Mapping[str, Any], *, file_format: UrlFormat) -> Lines | None:
    """The next lines of what files name; None after the last. `scope` is that of `sitemaps.urls`."""
    (row,) = in_order(db, tenant_id, _LINES[file_format], {**scope, "state": UrlState.PRESENT.value})
    return Lines(row["text"], row["count"], row["position"], row["id"]) if row["count"] else None


def _json(name: str) -> LiteralString:
    if name in _TEXTS:
        return "coalesce(to_json(" + _TEXTS[name] + ")::text, 'null')"
    if name in _NUMBERS:
        return "coalesce(" + _NUMBERS[name] + "::text, 'null')"
    return "'\"' || " + _time(_TIMES[name]) + " || '\"'"


def _cell(name: str) -> LiteralString:
    if name in _TEXTS:
        return "coalesce('\"' || replace(" + _harmless(_TEXTS[name]) + ", '\"', '\"\"') || '\"', '')"
    if name in _NUMBERS:
        return "coalesce(" + _NUMBERS[name] + "::text, '')"
    return _time(_TIMES[name])


def _time(column: LiteralString) -> LiteralString:
    """RFC 3339, in UTC whatever the session's zone is."""
    return "to_char(" + column + " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def _harmless(column: LiteralString) -> LiteralString:
    one_line = "btrim(regexp_replace(" + column + ", '" + _SPACE + "+', ' ', 'g'))"
    plain = "regexp_replace(" + one_line + ", '" + _STEERING + "', U&'\\FFFD', 'g')"
    no_formula = "regexp_replace(" + plain + ", '" + _FORMULA + "', '\\&''', 'g')"
    return "case when " + column + " ~ '" + _CONCERNED + "' then " + no_formula + " else " + column + " end"


def _statement(line: LiteralString) -> LiteralString:
    return (
        "select count(*) as count, string_agg(line, '') as text,"  # noqa: S608 - constants alone
        " max(position) as position, (array_agg(id))[count(*)] as id"
        " from (select f.position, u.id, " + line + " as line " + NAMED + ") as named"
    )


_LINES: dict[UrlFormat, LiteralString] = {
    UrlFormat.NDJSON: _statement(
        "'{' || " + " || ',' || ".join("'\"" + name + "\":' || " + _json(name) for name in URL_COLUMNS) + " || E'}\\n'"
    ),
    UrlFormat.CSV: _statement(" || ',' || ".join(map(_cell, URL_COLUMNS)) + " || E'\\r\\n'"),
    # A file of lines cannot hold a URL that has one's end in it, and browsers read past it (URL standard, 4.4).
    UrlFormat.TXT: _statement("translate(u.url, E'\\r\\n', '') || E'\\n'"),
}
