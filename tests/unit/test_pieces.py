"""Pieces of text are found wherever they stand, whatever they and the text are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky.scraping.pieces import Pieces
from scrapersky.scraping.signatures import table

# Characters that count as rare, that do not, and none of ASCII.
LETTERS = st.text("QZ_jqaeit. é日\ud800", max_size=6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("var a = window.salesChannelId;", [1]),
        ("abc", [2]),
        ("", []),
        ("salesChannel Id", []),
        ("über salesChannelId abc", [1, 2]),
    ],
)
def test_each_piece_with_its_meaning(text: str, found: list[int]) -> None:
    assert [meaning for _, meaning in Pieces([("salesChannelId", 1), ("abc", 2)]).found_in(text)] == found


@given(st.lists(LETTERS, max_size=5), st.text("QZ_jqaeit. é日\ud800", max_size=40))
def test_what_is_found_is_what_is_in_the_text(pieces: list[str], text: str) -> None:
    found = [piece for piece, _ in Pieces((piece, None) for piece in pieces).found_in(text)]
    assert found == [piece for piece in pieces if piece in text]


def test_every_piece_of_the_table_is_found_in_a_script_that_has_it() -> None:
    pieces = [piece for signature in table().signatures for piece in signature.script]
    assert len(pieces) > 20
    for piece in pieces:
        assert piece in [found for found, _ in table().scripts.found_in(f"a();\n{piece}b;")]
