"""What exported URLs look like: NDJSON, CSV, or a URL a line. The lines themselves are the database's to write."""

from collections.abc import Iterable, Iterator

from scrapersky.domain.sitemap_views import URL_COLUMNS, UrlFormat

MEDIA_TYPES = {
    UrlFormat.NDJSON: "application/x-ndjson",
    UrlFormat.CSV: "text/csv; charset=utf-8; header=present",
    UrlFormat.TXT: "text/plain; charset=utf-8",
}

DESCRIPTION = f"""\
NDJSON and CSV hold {", ".join(f"`{name}`" for name in URL_COLUMNS)}: what the file says of the URL, which file that is,
and when it was first and last seen there. `txt` is a URL a line, as it was published.

CSV is by RFC 4180, in UTF-8, with a header; what a file does not say is empty. Runs of white space are one space, what
a spreadsheet would take for a formula has an apostrophe before it, and control characters and those that set the
direction of writing are U+FFFD.

Up to 5 MB are answered directly, more by 303 to a file. Of a scan that runs it is what is stored so far."""


def file_of(lines: Iterable[str], file_format: UrlFormat) -> Iterator[str]:
    """The export from its first line on; a table has a header."""
    if file_format is UrlFormat.CSV:
        yield ",".join(URL_COLUMNS) + "\r\n"
    yield from lines
