"""Text of the outside on a terminal: it is shown, and steers nothing."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapersky_cli.text import LONGEST_VALUE, clean, printable, to_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\r\n lines\t and  tabs", "two lines and tabs"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07after", "]0;titleafter"),
        ("\x9b2Jcleared", "2Jcleared"),
        ("bell\x07 nul\x00 del\x7f", "bell nul del"),
        ("moc.\u202eelpmaxe", "moc.elpmaxe"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
        ("Logroño · 東京 · \u06cc\u200c\u062e", "Logroño · 東京 · \u06cc\u200c\u062e"),
    ],
)
def test_controls_go_and_words_stay(text: str, expected: str) -> None:
    assert clean(text).split() == expected.split()


def test_nothing_is_an_empty_text() -> None:
    assert clean(None) == ""


def test_long_text_is_cut_visibly() -> None:
    cut = clean("x" * 10_000)
    assert len(cut) == LONGEST_VALUE
    assert cut.endswith("…")


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_brings_a_control_character_through(text: str) -> None:
    left = clean(text).replace("\u200c", "").replace("\u200d", "")
    assert {unicodedata.category(character) for character in left}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_a_printable_line_keeps_its_length_and_its_spaces() -> None:
    line = "  a\tb  " + "x" * 10_000 + "\r\n"
    assert printable(line) == line.replace("\r", "")
    assert printable("\x1b[2J\u202e\x9b\x07") == "[2J"


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(documents)
def test_json_reads_back_as_the_same_document(document: object) -> None:
    assert json.loads(to_json(document)) == document


@given(st.text(st.characters(exclude_categories=())))
def test_json_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = to_json(text)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode()


def test_json_leaves_readable_text_readable() -> None:
    assert to_json({"title": "Logroño"}) == '{\n  "title": "Logroño"\n}'
