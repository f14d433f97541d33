"""Exported URLs: what stands before the lines that the database writes, and what is said of them."""

from collections.abc import Iterator

import pytest

from scrapersky.api.sitemap_lines import DESCRIPTION, MEDIA_TYPES, file_of
from scrapersky.domain.sitemap_views import URL_COLUMNS, UrlFormat


def test_a_table_alone_has_a_header() -> None:
    lines = ["a\r\nb\r\n", "c\r\n"]
    assert list(file_of(lines, UrlFormat.CSV)) == [",".join(URL_COLUMNS) + "\r\n", *lines]
    for file_format in (UrlFormat.NDJSON, UrlFormat.TXT):
        assert list(file_of(lines, file_format)) == lines


@pytest.mark.parametrize("file_format", list(UrlFormat))
def test_each_format_has_a_media_type_and_a_word_in_the_description(file_format: UrlFormat) -> None:
    assert MEDIA_TYPES[file_format]
    assert file_format.value in DESCRIPTION.lower()


def test_the_columns_are_all_told() -> None:
    assert [name for name in URL_COLUMNS if f"`{name}`" not in DESCRIPTION] == []


def test_lines_are_passed_on_as_they_come() -> None:
    taken: list[str] = []

    def coming() -> Iterator[str]:
        for line in ("a", "b"):
            taken.append(line)
            yield line

    whole = file_of(coming(), UrlFormat.CSV)
    next(whole)
    assert taken == []
    assert next(whole) == "a"
    assert taken == ["a"]
