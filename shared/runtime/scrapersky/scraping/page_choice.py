"""Which of a site's pages are worth reading first: by what links call them, and by the words of their paths.

The words are data: `page_words.toml` beside this module.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from urllib.parse import unquote

MAX_WORDS: Final = 8
"""A link of more words is a headline: `Contact tracing in hospitals, a year on` leads to no contact page."""

MAX_CHARS: Final = 40
"""Longer than all of the table's phrases with what stands beside them."""

MAX_UNSPACED_CHARS: Final = 16
"""The same for text that is written without spaces."""

MIN_BEGINNING_CHARS: Final = 4
"""No `word*` of the table is shorter: words are looked up by so many letters."""

PLAIN_SCORE: Final = 30.0
"""What a page is worth of which no word tells its kind; below all kinds."""

PARENT_SHARE: Final = 0.6
"""Of its kind's score, what a page is worth that stands below such a page: `/about/history`."""

SKIP: Final = "skip"

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)  # the last is the dotless i
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
    phrases: dict[str, list[tuple[tuple[str, ...], Kind]]]
    """By their first word."""
    beginnings: dict[str, list[tuple[str, Kind]]]
    """By their own first letters."""
    unspaced: list[tuple[str, Kind]]


@lru_cache(maxsize=2_000)
def kind_of_text(text: str | None) -> Kind | None:
    """The kind of page that a link with this text leads to; None when the text does not tell."""
    return _kind(_words_of(text)) if text and len(text) <= MAX_CHARS else None


def kind_of_path(segments: Sequence[str]) -> Kind | None:
    """The kind of page that the segments of a URL's path name, best the last one; None when they do not tell."""
    best: Kind | None = None
    for number, segment in enumerate(reversed(segments)):
        found = _kind_of_segment(segment)
        if found is None:
            continue
        if found.name == SKIP:
            return found
        # A page is what its last segment says; those before it say what it belongs to.
        value = found if number == 0 else Kind(found.name, max(found.score * PARENT_SHARE, PLAIN_SCORE))
        if best is None or value.score > best.score:
            best = value
    return best


@lru_cache(maxsize=2_000)
def _kind_of_segment(segment: str) -> Kind | None:
    if "%" in segment:
        segment = unquote(segment)
    if "." in segment:
        segment = _EXTENSION.sub("", segment)
    return _kind(_words_of(segment if segment.islower() else _CAMEL.sub(" ", segment)))


def _kind(words: list[str]) -> Kind | None:
    if not words or len(words) > MAX_WORDS or _says_nothing(words, _known()):
        return None
    told: dict[str, tuple[Kind, set[int]]] = {}
    for kind, places in _matches(words, _known()):
        told.setdefault(kind.name, (kind, set()))[1].update(places)
    best = None
    for kind, covered in told.values():
        if kind.name != SKIP:
            # The less of a text the words are, the less it is about them: `contact lenses`.
            score = kind.score * (len(covered) + 1) / (len(words) + 1)
            if score > max(PLAIN_SCORE, best.score if best else 0.0):
                best = Kind(kind.name, score)
        elif len(covered) == len(words):
            return kind
    return best


def _says_nothing(words: list[str], known: _Words) -> bool:
    """What most links are asked first, because it is soon answered."""
    if not known.phrases.keys().isdisjoint(words) or max(words) >= _FIRST_UNSPACED:
        return False
    return known.beginnings.keys().isdisjoint([word[:MIN_BEGINNING_CHARS] for word in words])


def _matches(words: list[str], known: _Words) -> Iterator[tuple[Kind, Sequence[int]]]:
    """Each kind that some of the words name, and which words do."""
    for place, word in enumerate(words):
        for phrase, kind in known.phrases.get(word, ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                yield kind, range(place, place + len(phrase))
        for beginning, kind in known.beginnings.get(word[:MIN_BEGINNING_CHARS], ()):
            if word.startswith(beginning):
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
    known = _Words({}, {}, [])
    table = tomllib.loads(files(__package__).joinpath("page_words.toml").read_text(encoding="utf-8"))
    for name, entry in table.items():
        kind = Kind(name, float(entry.pop("score")))
        given = {spelling for words in entry.values() for word in words for spelling in _spellings(word)}
        for word in sorted(given):
            words = _words_of(word)
            joined = "".join(words)
            if max(joined) >= _FIRST_UNSPACED:
                known.unspaced.append((joined, kind))
            elif word.endswith("*"):
                known.beginnings.setdefault(words[0][:MIN_BEGINNING_CHARS], []).append((words[0], kind))
            else:
                for phrase in {tuple(words), (joined,)}:  # the second for `/aboutus`
                    known.phrases.setdefault(phrase[0], []).append((phrase, kind))
    return known


def _spellings(word: str) -> set[str]:
    return {word, word.casefold().translate(_TRANSLITERATED)}
