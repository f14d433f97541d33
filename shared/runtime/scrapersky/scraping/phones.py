"""Phone numbers as a page writes them: in links, in fields made for them, and in running text with what labels them.

Nothing here knows numbering plans: what is found are candidates, which `numbers` makes international or drops. Linear
in the text: one scan for runs of digits, then a look at a few characters on either side of each.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

from scrapersky.scraping.phone_labels import are_joined, is_fax_after, label_before

# E.164, 6.2.1: 15 digits at most. Shorter than 7 are service and emergency codes, or lack their area code.
MAX_DIGITS = 15
MIN_DIGITS = 7
_MAX_RAW_CHARS = 60
# More numbers of any kind than a page that people read has: a table of data.
_MAX_RUNS = 5_000
_CONTEXT_CHARS = 160

_DASHES = "\\-\u2010-\u2015\u2212\uff0d"
_BLANKS = " \t\xa0\u2000-\u200a\u202f\u3000"
# First a class of what a number begins with, in ASCII, and no lookbehind: several times faster than `\d`. The whole
# run is taken, whatever it ends with, so that nothing is ever read twice.
_RUN = re.compile(rf"[+(0-9][0-9()/.{_BLANKS}{_DASHES}\u00b7\uff08\uff09]{{6,}}")
# The same characters as bytes of Latin-1, and `?`, which stands for all others: `0` for these, `x` for what ends a run.
_IN_RUN = frozenset(b"+()0123456789/. \t\xa0-\xb7?")
_RUN_OR_NOT = bytes(ord("0" if code in _IN_RUN else "x") for code in range(256))
_LEAST_RUN = b"0000000"
_RUN_ENDS = re.compile(b"x")
# A text of more runs than these is a table of numbers, where looking for the next one saves nothing.
_FEW_RUNS = 50
# "1-800-FLOWERS" from its 8 on: a literal first, which is looked for many times as fast.
_VANITY = re.compile(
    rf"8(?:00|33|44|55|66|77|88)\)?[{_BLANKS}.{_DASHES}]{{1,3}}"
    r"(?=[0-9-]{0,6}[A-Z])[A-Z0-9](?:-?[A-Z0-9]){5,11}(?![A-Za-z0-9])"
)
_BEFORE_VANITY = re.compile(rf"(?:\+?1[{_BLANKS}.{_DASHES}]{{0,3}})?\(?\Z")
_CONTEXT = re.compile(
    r"@|\b(?:contact|kontakt|conta[ct]|tel|tél|phone|call|ruf|adres|address|anschrift)", re.IGNORECASE
)

_DIGIT = re.compile(r"[0-9]")
_NOT_DIGIT = re.compile(r"[^0-9]")
_MESSY = re.compile(rf"[{_BLANKS}]{{1,}}")
_DASH = re.compile(f"[{_DASHES}]")
_DATE = re.compile(
    r"(?:\d{1,2}[./-] ?\d{1,2}[./-] ?(?:19|20)\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)?\d\d)(?!\d)"
)
_CLOCK = re.compile(r"\(?[0-2]?\d[.][0-5]\d ?[-/] ?[0-2]?\d[.][0-5]\d(?!\d)")
_DOTTED = re.compile(r"(?!0\d)(?:\d{1,3}(?:\.\d{1,3}){3}|\d{1,3}\.\d{4,}(?: +-?\d{1,3}\.\d{4,})?|\d{1,3}(?:\.\d{3})+)")
_SLASH = re.compile(r" ?[/|] ?")
_DASH_BETWEEN = re.compile(r" +-+ +")
_SPLIT = re.compile(r" */ *-[\d ]*|   +| [-/.]+ (?=[0(])|(?<=\d) ?/ ?(?=[0(])|(?<=\d)\)? +(?=\(0?\d{2})")
# None of these is followed by nothing, so that none is "in" an empty text.
_UNITS = frozenset("\u20ac$\u00a3\u00a5\u20b9\u20ba#\u2116=<>\u2248~\u00b1\u00d7")
_PATH_GLUE = frozenset("_/=#&@%-")
_GLUE_BEFORE = _PATH_GLUE | frozenset(".,\u2013")
_GLUE_AFTER = frozenset("_#=&@%$\u20ac\u00a3")
# "TEL03-5555-0123", and the next element's text glued on: "030 1234567Fax", "212-555-0142x204".
_GLUED_LABEL = re.compile(r"(?<![A-Za-z])(?:tele?|fax|fon|ph|phone|cell|mob)\Z", re.IGNORECASE)
_GLUED_AFTER = re.compile(r"[A-Z][a-z]{2}|x\d|ext")
_ACCOUNT = re.compile(r"[A-Z]{2}\d\d")
_HOUR_AFTER = re.compile(r"[ \xa0]?(?:Uhr|h\b|a\.?m\b|p\.?m\b)")
_HOURS = re.compile(r"[ \xa0](?:[0-2]?\d(?:\.\d\d)?[ \xa0]?[-\u2013][ \xa0]?)?[0-2]?\d(?:\.\d\d)?\Z")
# What is dialled once the call is taken: after a pause, or a number sign.
_PARAMETERS = re.compile(r"[;,#]|(?<=\d)[pwx](?=\d)")
_NO_END = "(\uff08+/.-\u2010\u2011\u2012\u2013\u2014 \t\xa0\u2009\u202f\u3000"
_UNIT_AFTER = re.compile(
    r"[ \xa0]?(?:€|%|\$|£|¥|₹|₺|円|°|\xd7|eur\b|usd|gbp|chf|kč|kc\b|zł|zl\b|kr\b|sek\b|ft\b|tl\b|mm\b|cm\b|"
    r"km\b|m²|m2|qm|kg\b|"
    r"ml\b|gb\b|mb\b|px\b|kw|stück|pcs|uhr\b|h\b)",
    re.IGNORECASE,
)
# How numbers are written and hardly anything else is: with a trunk 0 in front, or in the groups of North America.
_TYPICAL = re.compile(r"\(?0\d|\(0 \d\d|\(?\d{3}[-.) ]{1,2}\d{3}[-.]\d{4}(?!\d)|1[-. ]\(?\d{3}")
_AMOUNT = re.compile(r"\d{1,3}(?:[ .]\d{3})+")
_DIGIT_FORMS = ("\uff10", "\u0660", "\u06f0")  # the zeros of full-width, Arabic-Indic and Persian digits
_TO_ASCII = {zero + digit: str(digit) for zero in map(ord, _DIGIT_FORMS) for digit in range(10)} | {
    full: full - 0xFEE0 for full in (0xFF0B, 0xFF1A, *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_UNSEEN = ("\u200b", "\u2060", "\xad", "\u200e", "\u200f", "\u202a", "\u202c", "\u202d", "\ufeff")
_DROP_UNSEEN = dict.fromkeys(map(ord, _UNSEEN))


class Candidate(NamedTuple):
    """A number as written. `label` is `phone`, `fax` or empty; `alone` says that its line holds nothing else.

    `start` and `end` are its place in the text, 0 for one from a link or field.
    """

    text: str
    label: str
    alone: bool
    start: int = 0
    end: int = 0


def readable(text: str) -> str:
    """The text without what is not seen, and its digits in ASCII. Most texts come back as they are."""
    if text.isascii():
        return text
    if any(sign in text for sign in _UNSEEN):
        text = text.translate(_DROP_UNSEEN)
    if any(zero in text for zero in _DIGIT_FORMS):
        text = text.translate(_TO_ASCII)
    return text


def number_of_link(target: str) -> str | None:
    """The number of a tel link, `target` being what follows the scheme (RFC 3966), without parameters; else None."""
    number = _PARAMETERS.split(unquote(target).strip().lstrip("/"), maxsplit=1)[0]
    return number_of_field(number)


def number_of_field(text: str) -> str | None:
    """A number from a field made for it (schema.org `telephone`), as written; None for what is no number at all."""
    number = readable(text).strip()
    number = number[4:].strip() if number[:4].lower() == "tel:" else number
    # "+49 30 123 / +49 171 123": the field holds two, of which the first is meant.
    found = next((piece.text for piece in numbers_in(number)), number[:_MAX_RAW_CHARS])
    return _plain(found) if is_number(found) else None


def number_as_given(text: str) -> str | None:
    """A number that stands alone in a field made for it: E.164 when it begins with `+`, else as written."""
    text = text.strip()
    text = text[4:].strip() if text[:4].lower() == "tel:" else text
    digits = digits_of(text)
    if any(character.isalpha() for character in text) or not is_number(text):
        return None
    if not text.startswith("+"):
        return " ".join(text.split())
    return "+" + digits_of(text.replace("(0)", "")) if digits[:1] != "0" else None


def is_number(text: str) -> bool:
    """Whether a text has as many digits as a number, and they are not the filling of a form (0000000, 123456789)."""
    digits = digits_of(text)
    letters = sum(character.isalpha() for character in text)
    if letters:
        return "XX" not in text.upper() and 3 <= letters <= 12 and 4 <= len(digits) + letters <= MAX_DIGITS
    filling = text.strip().removeprefix("+") == digits and digits.lstrip("0") in ("123456789", "1234567890", "12345678")
    most = MAX_DIGITS + 2 * digits.startswith("00")
    return MIN_DIGITS <= len(digits) <= most and len(set(digits)) > 1 and not filling and digits[-7:] != "0000000"


def numbers_in(text: str) -> Iterator[Candidate]:
    """Candidates in running text (see `readable`), in order, with repeats; numbers of other things are left out."""
    if not _DIGIT.search(text):  # as in most labels of links
        return
    last_end, last_label = -1, ""
    for match in islice(_runs(text), _MAX_RUNS):
        start = match.start()
        if _DATE.match(text, start) or _is_bare(text, match, last_end):  # what most runs are
            continue
        end = _end_of(text, match)
        if end - start < MIN_DIGITS or _touches_more(text, start, end):
            continue
        written = _plain(text[start:end][: 2 * _MAX_RAW_CHARS])
        if len(digits_of(written)) < MIN_DIGITS or _CLOCK.match(written):
            continue
        label = label_before(text, start)
        if not label and are_joined(text, last_end, start):
            label = last_label
        if is_fax_after(text, end):
            label = "fax"
        last_end, last_label = end, label
        if written[0] != "+" and (label == "other" or (not label and _is_quantity(text, end, written))):
            continue
        label = label.removeprefix("other")
        for piece in _pieces(written):
            if is_number(piece):
                yield Candidate(piece, label, _alone(text, start, end), start, end)
    for match in _VANITY.finditer(text):
        prefix = _BEFORE_VANITY.search(text, max(0, match.start() - 6), match.start())
        start = prefix.start() if prefix else match.start()
        if not text[start - 1 : start].isalnum() and is_number(match[0]):
            yield Candidate(_plain(text[start : match.end()]), "phone", False, start, match.end())


def _is_bare(text: str, match: re.Match[str], last_end: int) -> bool:
    """Whether a run is digits alone, with nothing beside it that could make them a phone number: an id, an amount."""
    if not match[0].isdigit() or are_joined(text, last_end, match.start()):
        return False
    return not label_before(text, match.start()) and not is_fax_after(text, match.end())


def _runs(text: str) -> Iterator[re.Match[str]]:
    """All matches of _RUN, which is tried only where there are as many of its characters in a row as it needs."""
    kinds = text.encode("latin-1", "replace").translate(_RUN_OR_NOT)
    start = kinds.find(_LEAST_RUN)
    for _ in range(_FEW_RUNS):
        if start < 0:
            return
        ends = _RUN_ENDS.search(kinds, start)
        end = ends.start() if ends else len(text)
        yield from _RUN.finditer(text, start, end)
        start = kinds.find(_LEAST_RUN, end)
    if start >= 0:
        yield from _RUN.finditer(text, start)


def is_typical(number: str) -> bool:
    """Whether a candidate is written as hardly anything but a phone number is."""
    return _TYPICAL.match(number) is not None


def is_amount(number: str) -> bool:
    """Whether a candidate may as well be an amount with its thousands apart: "601 234 567"."""
    return _AMOUNT.fullmatch(number) is not None


def in_contact_text(text: str, start: int, end: int) -> bool:
    """Whether what stands around a number speaks of contact: an `@`, an address, another number's label."""
    return _CONTEXT.search(text, max(0, start - _CONTEXT_CHARS), end + _CONTEXT_CHARS // 2) is not None


def digits_of(number: str) -> str:
    """What makes two spellings the same number."""
    return _NOT_DIGIT.sub("", number)


def _plain(number: str) -> str:
    """With single blanks and ASCII dashes and brackets; three blanks and more, which part two numbers, stay three."""
    if number.isascii() and "  " not in number and "\t" not in number:
        return number.strip()
    number = _DASH.sub("-", _MESSY.sub(lambda blanks: " " if len(blanks[0]) < 3 else "   ", number))
    return number.replace("\uff08", "(").replace("\uff09", ")").replace("\u00b7", " ").strip()


def _pieces(written: str) -> list[str]:
    """One run is two numbers when both are long enough: `030 1234567 / 0171 1234567`. A second extension is dropped."""
    parts = _SLASH.split(written)
    if len(parts) < 2 and " -" in written and len(digits_of(written)) > MAX_DIGITS:  # too long for an extension
        parts = _DASH_BETWEEN.split(written)
    if len(parts) < 2 or any(len(digits_of(part)) < MIN_DIGITS for part in parts):
        parts = [part.strip(" -/.") for part in _SPLIT.split(written) if part]
    whole = [part for part in parts if len(digits_of(part)) >= MIN_DIGITS]
    if len(whole) == len(parts) or (whole and len(digits_of(written)) > MAX_DIGITS):
        return [_closed(part) for part in whole]
    if "/ -" in written or "/-" in written:
        return [_closed(part) for part in whole[:1]]
    return [_closed(written)]


def _closed(number: str) -> str:
    number = number if ")" in number else number.replace("(", "")
    return number if "(" in number else number.replace(")", "")


def _end_of(text: str, match: re.Match[str]) -> int:
    """Where the number in a run ends, without the hours or the price after it.

    "030 1234567 8:00-12:00", "030 1234567 8-17 Uhr", "01805 123456 (0,14 € ...)".
    """
    run = match[0].rstrip(_NO_END)
    opened = run.rfind("(")
    if opened > MIN_DIGITS and ")" not in run[opened:]:
        run = run[:opened].rstrip(_NO_END)
    after = text[match.start() + len(run) : match.start() + len(run) + 6]
    if after[:1] == ":" and after[1:2].isdigit():
        run = run[: max(map(run.rfind, " \xa0"))].rstrip(_NO_END)
    elif _HOUR_AFTER.match(after):
        run = _HOURS.sub("", run).rstrip(_NO_END)
    return match.start() + len(run)


def _touches_more(text: str, start: int, end: int) -> bool:
    """Whether the run is a piece of something longer: a price, a version, an id, a URL, a bank account."""
    before, second = text[start - 1 : start] if start else "", text[start - 2 : start - 1] if start > 1 else ""
    if before in _GLUE_BEFORE and (second.isdigit() or (before in _PATH_GLUE and second.isalnum())):
        return True
    if before in _UNITS or (before in (" ", "\xa0") and second in _UNITS):
        return True
    if before.isascii() and before.isalnum() and not _GLUED_LABEL.search(text, max(0, start - 6), start):
        return True
    after, third = text[end : end + 1], text[end + 1 : end + 2]
    if after in _GLUE_AFTER or (after == "," and third.isdigit()):
        return True
    if after.isascii() and after.isalnum() and not _GLUED_AFTER.match(text, end, end + 4):
        return True
    # "DE12 1005 0000 ...": the blocks of an account begin with letters and two digits.
    return before == " " and _ACCOUNT.fullmatch(text, max(0, start - 5), start - 1) is not None


def _is_quantity(text: str, end: int, written: str) -> bool:
    """Whether it is an amount, an address of the network or an id, where nothing says that it is a phone number."""
    return bool(written.isdigit() or _DOTTED.fullmatch(written) or _UNIT_AFTER.match(text, end, end + 8))


def _alone(text: str, start: int, end: int) -> bool:
    """Whether the line has no letter but the number's, but for a few."""
    before = text[max(0, start - _MAX_RAW_CHARS) : start].rpartition("\n")
    after = text[end : end + _MAX_RAW_CHARS].partition("\n")
    return sum(map(str.isalnum, before[2] + after[0])) <= 2
