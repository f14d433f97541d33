"""Phone numbers in tel links and text. Conservative: a number in text needs a `+`, a label, or brackets as in the US.

A number is made international (E.164) only where it says so itself, by its `+`. Which country a national number
belongs to is not known here and is not guessed.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

# E.164, 6.2.1: 15 digits at most. Shorter than 5 are emergency and service codes, not somebody's number.
MAX_DIGITS = 15
MIN_DIGITS = 5
MIN_TEXT_DIGITS = 7
_LABEL_WINDOW = 40

# First a class of what a number begins with, in ASCII, and no lookbehind: several times faster than `\d`.
_CANDIDATE = re.compile(r"[+(0-9][0-9 ()/.\-\u2010\u2011\u2013\xa0]{5,28}[0-9]")
_LABEL = re.compile(
    r"(?<![^\W\d_])"
    r"(?:(?P<fax>(?:tele)?fax)"
    r"|tel(?:efone?|efon|éfono|éphone|ephone|efono)?(?:[ \xa0.]{0,2}(?:/|&|\+|und|and)[ \xa0]?(?:tele)?fax)?"
    r"|phone|fon|ph|call(?:[ ]us)?|mobile?|handy|cell|hotline|rufnummer|[tm](?=[.:])|✆|☎|📞)"
    r"(?:[ \xa0]?(?:no|nr|number|nummer))?[\s.:)\xa0-]{0,12}\Z",
    re.IGNORECASE,
)
_NORTH_AMERICAN = re.compile(r"\(\d{3}\)[ \xa0]?\d{3}[-. \xa0]\d{4}")
_DATE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}-\d{2}-\d{2})")
_TRUNK_ZERO = re.compile(r"\([ \xa0]?0[ \xa0]?\)")
_EXTENSION = re.compile(r"[;,pwx]", re.IGNORECASE)
_GLUE = re.compile(r"[_/#=&@%€$£+]")
_NOT_DIGIT = re.compile(r"[^0-9]")
_SPACES = re.compile(r"[ \xa0]+")
# "030 1234-0 / -10", and two numbers far apart.
_SECOND_NUMBER = re.compile(r"\s*/\s*[-\u2013]|\s{3,}")


def number_of_tel(target: str) -> str | None:
    """The number of a tel link, `target` being what follows the scheme (RFC 3966), without extension and parameters.

    `+49 (0)30 123` is `+4930123`; a national number is its digits.
    """
    number = _EXTENSION.split(unquote(target).strip(), maxsplit=1)[0]
    if any(character.isalpha() for character in number):
        return None
    return _normal(number, MIN_DIGITS, as_written=False)


def number_as_given(text: str) -> str | None:
    """A number that stands alone in a field made for it (JSON-LD): E.164 when it begins with `+`, else as written."""
    text = text.strip()
    text = text[4:] if text[:4].lower() == "tel:" else text
    if any(character.isalpha() for character in text):
        return None
    return _normal(text, MIN_DIGITS, as_written=True)


def numbers_in(text: str) -> Iterator[str]:
    """Numbers in running text, in order, with repeats: E.164 with a `+`, else as written with single blanks."""
    for match in _CANDIDATE.finditer(text):
        start, end = match.span()
        if _touches_more(text, start, end):
            continue
        label = _LABEL.search(text[max(0, start - _LABEL_WINDOW) : start])
        if (label and label["fax"]) or _DATE.match(match[0]):
            continue
        raw = _SECOND_NUMBER.split(match[0], maxsplit=1)[0]
        for piece in raw.split("/") if len(digits_of(raw)) > MAX_DIGITS else [raw]:
            if label or piece.lstrip().startswith("+") or _NORTH_AMERICAN.fullmatch(piece):
                number = _normal(piece, MIN_TEXT_DIGITS, as_written=True)
                if number:
                    yield number


def digits_of(number: str) -> str:
    """What makes two spellings the same number."""
    return _NOT_DIGIT.sub("", number)


def _touches_more(text: str, start: int, end: int) -> bool:
    """Whether the candidate is a piece of something longer: a price, a version, an id, a URL."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before in (".", ",", "-", ":") and text[start - 2 : start - 1].isdigit():
        return True
    return before.isalnum() or after.isalnum() or bool(_GLUE.match(before) or _GLUE.match(after))


def _normal(number: str, least: int, *, as_written: bool) -> str | None:
    number = number.strip()
    number = number if ")" in number else number.lstrip("(")
    if number.startswith("+"):
        digits = digits_of(_TRUNK_ZERO.sub("", number))
        # No country code begins with 0 (E.164), and the shortest whole number has more digits than a local one.
        ok = digits[:1] not in ("", "0") and MIN_TEXT_DIGITS <= len(digits) <= MAX_DIGITS
        return f"+{digits}" if ok else None
    digits = digits_of(number)
    if not least <= len(digits) <= MAX_DIGITS or len(set(digits)) == 1:
        return None
    return _SPACES.sub(" ", number) if as_written else digits
