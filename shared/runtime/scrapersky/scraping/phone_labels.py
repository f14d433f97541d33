"""What a number is, by the words before it: a phone's, a fax machine's, or the number of something else."""

import re

from scrapersky.scraping.words import words

_WINDOW_CHARS = 48
# A text keeps the blanks that its page's source is indented with.
_INDENTED_CHARS = 200
_BLANKS = re.compile(r"[ \t\xa0]{2,}")
_MAX_FILLERS = 4
_PHONE_SIGNS = "\u260e\u2706\u260f\U0001f4de\U0001f4f1\U0001f57b\U0001f57e"
_FAX_SIGNS = "\U0001f4e0\U0001f5b7"
# One letter is a label when it is a capital or a mark follows: "T +44 ...", "m: 07...".
_PHONE_LETTERS = frozenset("tmpdchw\u03c4")
_FAX_LETTERS = frozenset("f")
# Scripts without blanks, and joined words: compared with the word's end. Phone, phone number, mobile, main line, dial,
# in Japanese, Chinese, Korean and Thai.
_PHONE_ENDINGS = (
    *("電話", "電話番号", "携帯", "代表", "ダイヤル", "电话", "手机", "热线", "전화", "전화번호", "โทร", "tel"),
    *("telefon", "hotline", "telefonnummer", "rufnummer", "handy"),
)
_FAX_ENDINGS = ("ファックス", "ファクス", "传真", "傳真", "팩스", "fax", "faxnummer", "fax番号")
# Compounds with a word for number, of which those for phones are known.
_OTHER_ENDINGS = ("nummer", "nr", "konto", "number", "-no")
_WORD = re.compile(rf"[^\W\d_]+(?:[-.'][^\W\d_]+)*|©|[{_PHONE_SIGNS}{_FAX_SIGNS}]")
# A list of numbers under one label: "Tel. 1, 2 or 3".
_JOINT = re.compile(
    r"[\s,;|/&·•]{0,4}(?:oder|or|ou|or|und|and|et|y|o|e|i|en|lub|nebo|och|og|veya|ve)?[\s,;|/&·•]{0,4}\Z"
)
# Two of a list are no further apart than four signs, a word of three letters, four signs and some to spare.
_JOINT_CHARS = 14
_FAX_AFTER = re.compile(r"[ \xa0]{0,2}[(\[][ \xa0]?(?:tele)?fax", re.IGNORECASE)
_JOINTS = frozenset({"/", "&", "+", "-", "und", "and", "et", "y", "e", "en"})


def label_before(text: str, start: int) -> str:
    """`phone`, `fax` or `other` by the last telling word before a number; empty when nothing stands near."""
    window = text[max(0, start - _INDENTED_CHARS) : start].rstrip()
    if not window or window[-1].isdigit():
        return ""
    if "  " in window:
        window = _BLANKS.sub(" ", window)
    window = window[-_WINDOW_CHARS:]
    # What stands before another number is that one's.
    begun = max(map(window.rfind, "0123456789")) + 1
    found = list(_WORD.finditer(window, begun))
    for fillers, at in enumerate(range(len(found) - 1, -1, -1)):
        word, end = found[at][0], found[at].end()
        kind = _kind(word, window[end : end + 1])
        if kind == "fax" and at and _is_shared(window, found, at):
            return "phone"
        if kind:
            return kind
        if fillers >= _MAX_FILLERS or word.lower() not in words("filler") or "\n" in window[end:].rstrip():
            return ""
    return ""


def are_joined(text: str, end: int, start: int) -> bool:
    """Whether a number ends at `end`, -1 if there is none, and the next of a list with it begins at `start`."""
    return end >= 0 and start - end < _JOINT_CHARS and _JOINT.fullmatch(text, end, start) is not None


def is_fax_after(text: str, end: int) -> bool:
    """Whether "(Fax)" follows a number that ends at `end`."""
    return _FAX_AFTER.match(text, end, end + 8) is not None


def _is_shared(window: str, found: list[re.Match[str]], at: int) -> bool:
    """Whether a word for fax is the second of "Tel./Fax" or "phone and fax"."""
    if found[at - 1][0].lower() in _JOINTS:
        return at > 1 and _kind(found[at - 2][0], ".") == "phone"
    between = window[found[at - 1].end() : found[at].start()].strip(" .\xa0")
    return between in _JOINTS and _kind(found[at - 1][0], ".") == "phone"


def _kind(word: str, mark: str) -> str:
    """What one word says of the number after it; `mark` is the character behind the word."""
    if len(word) == 1:
        return _kind_of_sign(word, mark)
    lower = word.lower()
    # Of a joined word ("Tel.Nr", "Service-Telefon") the last telling part counts.
    for part in (lower, *reversed(re.split(r"[-.']", lower))):
        for kind in ("fax", "other_number", "phone"):
            if part in words(kind):
                return kind.removesuffix("_number")
    for kind, endings in (("fax", _FAX_ENDINGS), ("phone", _PHONE_ENDINGS)):
        if lower.endswith(endings) and (len(lower) > 6 or not word.isascii() or word.isupper()) and lower != "hotel":
            return kind
    if lower.endswith(_OTHER_ENDINGS) and lower not in words("filler"):
        return "other"
    return ""


def _kind_of_sign(sign: str, mark: str) -> str:
    if sign in _PHONE_SIGNS:
        return "phone"
    if sign in _FAX_SIGNS:
        return "fax"
    if sign == "©":
        return "other"
    if sign.isupper() or mark in (":", ".", "|", ")"):
        return "phone" if sign.lower() in _PHONE_LETTERS else "fax" if sign.lower() in _FAX_LETTERS else ""
    return ""
