"""Which of a site's pages are worth reading first: by what links call them, and by the words of their paths.

The words are data: `page_words.toml` beside this module.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import unquote

MAX_WORDS: Final = 8
"""A link of more words is a headline: `Contact tracing in hospitals, a year on` leads to no contact page."""

MAX_UNSPACED_CHARS: Final = 16
"""The same for text that is written without spaces."""

MAX_PHRASE_WORDS: Final = 4
"""No phrase of the table has more."""

PLAIN_SCORE: Final = 30.0
"""What a page is worth of which no word tells its kind; below all kinds."""

PARENT_SHARE: Final = 0.6
"""Of its kind's score, what a page is worth that stands below such a page: `/about/history`."""

SKIP: Final = "skip"

_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_TRANSLITERATED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_WORD = re.compile(r"[^\W_]+")
_EXTENSION = re.compile(r"\.(?:html?|php\d?|aspx?|jsp|cfm|do|shtml|xhtml)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FIRST_UNSPACED = "\u0e00"  # Thai; Chinese, Japanese and Korean follow. Scripts before it part words by spaces.


@dataclass(frozen=True, slots=True)
class Kind:
    """What a page is about, and what it is worth: the higher the sooner it is read."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class _Words:
    phrases: dict[tuple[str, ...], Kind]
    beginnings: dict[str, Kind]
    beginning_lengths: tuple[int, ...]
    unspaced: tuple[tuple[str, Kind], ...]


def kind_of_text(text: str | None) -> Kind | None:
    """The kind of page that a link with this text leads to; None when the text does not tell."""
    return _kind(_words_of(text)) if text else None


def kind_of_path(path: str) -> Kind | None:
    """The kind of page that a URL's path names, best in its last segment; None when the path does not tell."""
    segments = [segment for segment in unquote(path).split("/") if segment]
    best: Kind | None = None
    for number, segment in enumerate(reversed(segments)):
        found = _kind(_words_of(_CAMEL.sub(" ", _EXTENSION.sub("", segment))))
        if found is None:
            continue
        if found.name == SKIP:
            return found
        # A page is what its last segment says; those before it say what it belongs to.
        value = found if number == 0 else Kind(found.name, max(found.score * PARENT_SHARE, PLAIN_SCORE))
        if best is None or value.score > best.score:
            best = value
    return best


def _kind(words: list[str]) -> Kind | None:
    if not words or len(words) > MAX_WORDS:
        return None
    told: dict[str, tuple[Kind, set[int]]] = {}
    for kind, places in _matches(words, _known()):
        told.setdefault(kind.name, (kind, set()))[1].update(places)
    best = None
    for kind, places in told.values():
        if kind.name != SKIP:
            # The less of a text the words are, the less it is about them: `contact lenses`.
            score = kind.score * (len(places) + 1) / (len(words) + 1)
            if score > max(PLAIN_SCORE, best.score if best else 0.0):
                best = Kind(kind.name, score)
        elif len(places) == len(words):
            return kind
    return best


def _matches(words: list[str], known: _Words) -> Iterator[tuple[Kind, Sequence[int]]]:
    """Each kind that some of the words name, and which words do."""
    for length in range(min(len(words), MAX_PHRASE_WORDS), 0, -1):
        for start in range(len(words) - length + 1):
            if kind := known.phrases.get(tuple(words[start : start + length])):
                yield kind, range(start, start + length)
    for place, word in enumerate(words):
        for length in known.beginning_lengths:
            if len(word) >= length and (kind := known.beginnings.get(word[:length])):
                yield kind, (place,)
    text = "".join(words)
    if len(text) <= MAX_UNSPACED_CHARS and max(text) >= _FIRST_UNSPACED:
        for part, kind in known.unspaced:
            if part in text:
                yield kind, range(len(words))


def _words_of(text: str) -> list[str]:
    """The text's words in lower case, without accents, as `page_words.toml` has them. An apostrophe parts words."""
    text = text.casefold()
    if not text.isascii():
        text = _plain(text)
    return _WORD.findall(text)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", plain)  # puts the syllables of Korean together again


@cache
def _known() -> _Words:
    """The table, read once and at first use."""
    phrases: dict[tuple[str, ...], Kind] = {}
    beginnings: dict[str, Kind] = {}
    unspaced: dict[str, Kind] = {}
    table = tomllib.loads(files(__package__).joinpath("page_words.toml").read_text(encoding="utf-8"))
    for name, entry in table.items():
        kind = Kind(name, float(entry.pop("score")))
        for given in {spelling for words in entry.values() for word in words for spelling in _spellings(word)}:
            words = _words_of(given)
            if max(given) >= _FIRST_UNSPACED:
                unspaced.setdefault("".join(words), kind)
            elif given.endswith("*"):
                beginnings.setdefault(words[0], kind)
            else:
                phrases.setdefault(tuple(words), kind)
                phrases.setdefault(("".join(words),), kind)  # `/aboutus`
    lengths = sorted({len(word) for word in beginnings}, reverse=True)
    return _Words(phrases, beginnings, tuple(lengths), tuple(unspaced.items()))


def _spellings(word: str) -> set[str]:
    return {word, word.casefold().translate(_TRANSLITERATED)}
