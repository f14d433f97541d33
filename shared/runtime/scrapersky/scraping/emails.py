"""E-mail addresses in text, links and Cloudflare's tokens. Linear in the text: a window around each `@`."""

import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from importlib.resources import files
from itertools import islice
from urllib.parse import parse_qs, unquote

# RFC 5321, 4.5.3.1: the longest local part and domain.
_LOCAL_CHARS = 64
_DOMAIN_CHARS = 255

_LOCAL = re.compile(r"[A-Za-z0-9._+&'-]+\Z")
# Letters of the scripts whose words go on with ASCII ones (Latin, Greek, Cyrillic, Armenian, Georgian and their marks),
# and the sign for one that could not be decoded. After these an ASCII local part is the tail of a longer name: the
# "ller" of "m\u00fcller". Scripts that write without blanks, or glue particles to a word, end at the ASCII letter.
_NAME_GOES_ON = re.compile(
    "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0374\u0376\u0377\u037a-\u037d\u037f\u0386\u0388-\u0559\u0560-\u0588"
    "\u10a0-\u10ff\u1c80-\u1cbf\u1d00-\u1fff\u2c60-\u2c7f\u2d00-\u2d2d\u2de0-\u2dff\ua640-\ua69f\ua720-\ua7ff"
    "\uab30-\uab6f\ufb00-\ufb17\uff21-\uff3a\uff41-\uff5a\ufffd]"
)
# "%20info@firma.de", "m%C3%BCller@firma.de" where nothing decodes it: the digits are none of the name.
_ESCAPE_TAIL = re.compile(r"[0-9A-Fa-f]{2}")
# Latin letters beyond ASCII occur in domain names as people write them (RFC 5890, U-label); a name's end is ASCII.
_DOMAIN = re.compile(
    r"((?:[A-Za-z0-9\u00c0-\u024f-]{1,63}\.){1,10})([A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,59})"
    r"(?!\.?[A-Za-z0-9_@\u00c0-\u024f])"
)
# Text of the next element glued to the name: "info@firma.deTelefon".
_GLUED = re.compile(r"((?:[A-Za-z0-9\u00c0-\u024f-]{1,63}\.){1,10})([a-z]{2,12})(?=[A-Z][a-z])")
_VERSION = re.compile(r"v?\d+(?:\.\d|x\.)|latest\.")
_HEX_NAME = re.compile(r"[0-9a-f]{16,64}")

# How "at" and "dot" are written so that only people read them; several languages, most in brackets.
_AT_WORDS = "at|@|ät|aet|arroba|arobase|chiocciola|zavinac|zavináč|malpa|małpa|snabel-a|klammeraffe"
_DOT_WORDS = r"dot|punkt|point|punto|ponto|punt|kropka|tečka|tecka|nokta|\."
_BLANK = r"[ \t\xa0]{0,2}"
_WRITTEN_AT = re.compile(
    rf"(?<=[\w-]){_BLANK}(?:[(\[{{<|]{_BLANK}(?:{_AT_WORDS}){_BLANK}[)\]}}>|]|_(?:at|AT)_){_BLANK}(?=[\w-])"
    r"|(?<=[\w-])\((?:a|à)\)(?=[\w-])",
    re.IGNORECASE,
)
_WRITTEN_DOT = re.compile(
    rf"(?<=\w){_BLANK}[(\[{{<|]{_BLANK}(?:{_DOT_WORDS}){_BLANK}[)\]}}>|]{_BLANK}(?=\w)", re.IGNORECASE
)
# "info at firma dot de": words of a language but for the two together.
_SPOKEN = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64})[ \xa0](?:at|AT|@)[ \xa0]"
    r"([\w-]{1,63}(?:[ \xa0](?:dot|DOT)[ \xa0][\w-]{1,63}){1,4})(?![\w-])"
)
_SPOKEN_DOT = re.compile(r"[ \xa0](?:dot|DOT)[ \xa0]")
_BRACKETS = ("(", "[", "{", "<", "|")
_AT_BEGINNING = re.compile(rf"{_BLANK}(?:{_AT_WORDS}|a|à){_BLANK}[)\]}}>|]", re.IGNORECASE)
# A blank on both sides of the sign, after a name that nobody bears.
_SPACED = re.compile(
    r"(?<![\w.@-])(info|kontakt|contact|contacto|office|mail|hello|hallo|sales|support|service|post|hola|bonjour)"
    r"[ \xa0]@[ \xa0](?=[\w-]{1,63}\.[\w.-]{2,63}(?![\w@]))",
    re.IGNORECASE,
)
# Two assignments an address: `name = [name +] 'literal' + 'literal' ...;`
_JOOMLA = re.compile(r"(addy\w{0,60}) ?= ?(?:addy\w{0,60} ?\+ ?)?((?:'[^'\n]{0,200}'[ +]{0,3}){1,20});")
_LITERAL = re.compile(r"'([^']*)'")
_MAX_CLOAKED = 400
# What a page writes into itself: `document.write('<a href="mai' + 'lto:info' + '@firma.de">')`, literals alone.
_WRITES = "document.write"
_WRITTEN = re.compile(
    r"(?:ln)?\(\s{0,20}((?:(?:'(?:[^'\\\n]|\\.){0,600}'|\"(?:[^\"\\\n]|\\.){0,600}\")[\s+]{0,20}){1,40})"
)
_WRITTEN_LITERAL = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))")
_MAILTO = re.compile(r"mailto:([^'\"<>\s]{3,400})", re.IGNORECASE)
_FULL_WIDTH = {0xFF20: "@", 0xFE6B: "@", 0xFF0E: "."}
_UNSEEN = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xAD, 0xFEFF, 0x200E, 0x200F))

# What people are told to take out.
_NO_SPAM = re.compile(r"[._+-]?no-?spam[._+-]?", re.IGNORECASE)

# What follows the last dot in a file name (logo@2x.ai, lib@main.zip) more often than in a host's.
_FILE_ENDINGS = frozenset({"map", "mov", "zip"})
# Reserved for documentation and tests (RFC 2606, RFC 6761): no top-level domain, yet a site may bear one on a test net.
_RESERVED_ENDINGS = frozenset({"example", "test", "invalid", "localhost"})


@cache
def endings() -> frozenset[str]:
    """The top-level domains there are, lower case, A-labels; IANA's list, whose version is in the file."""
    lines = files(__package__).joinpath("tlds.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#")) | _RESERVED_ENDINGS


def addresses_in(text: str) -> Iterator[str]:
    """Addresses in running text, lower case, in order, with repeats. Also `info (at) name (dot) tld`."""
    for address, _ in placed_addresses_in(text):
        yield address


def placed_addresses_in(text: str) -> Iterator[tuple[str, str]]:
    """Each address with what stands before it, up to 120 characters."""
    text = _written_plainly(text)
    at, before = text.find("@"), -1
    while at >= 0:
        local = _LOCAL.search(text, max(at - _LOCAL_CHARS, before + 1), at)
        if local and not _is_torn(text, local.start()) and (domain := _domain(text, at + 1)):
            name = _NO_SPAM.sub("", local[0]).strip("-.'&")
            if name and ".." not in name and not _HEX_NAME.fullmatch(name):
                yield f"{name.lower()}@{domain}", text[max(0, local.start() - 120) : local.start()]
        at, before = text.find("@", at + 1), at


def addresses_of_mailto(target: str) -> Iterator[str]:
    """The recipients of a mailto link, `target` being what follows the scheme (RFC 6068); not those who get copies."""
    recipients, _, fields = target.partition("?")
    yield from addresses_in(unquote(recipients))
    if "to=" in fields:
        for name, values in parse_qs(fields, max_num_fields=None).items():
            if name.lower() == "to":
                yield from addresses_in(",".join(values))


def address_of_cfemail(token: str) -> str | None:
    """The address in Cloudflare's token: hex, its first byte XORed onto each of the others; else None."""
    try:
        key, *coded = bytes.fromhex(token.strip())
        text = bytes(byte ^ key for byte in coded).decode("utf-8")
    except ValueError:  # no hex, empty, or no text
        return None
    return next(addresses_in(text.partition("?")[0]), None)


def address_of_typo3(target: str) -> str | None:
    """The address in TYPO3's `linkTo_UnCryptMailto('…')`: "mailto:…", each character shifted within its range."""
    _, _, coded = unquote(target).partition("linkTo_UnCryptMailto(")
    coded = coded.strip("'\"%27);")
    if len(coded) < len("mailto:a@b.de"):
        return None
    offset = ord("m") - ord(coded[0])
    plain = "".join(_shifted(character, offset) for character in coded[: _LOCAL_CHARS + _DOMAIN_CHARS])
    return next(addresses_of_mailto(plain[7:]), None) if plain.startswith("mailto:") else None


def addresses_of_joomla(scripts: str) -> Iterator[str]:
    """The addresses that Joomla cloaks: `var addy9 = 'in' + 'fo' + '&#64;'; addy9 = addy9 + 'firma.de';`."""
    if "addy" not in scripts:
        return
    parts: dict[str, str] = {}
    for name, literals in islice(_JOOMLA.findall(scripts), _MAX_CLOAKED):
        text = unescape("".join(_LITERAL.findall(literals)))
        if "addy_text" not in name:
            parts[name] = parts.get(name, "") + text
    for text in parts.values():
        yield from addresses_in(text)


def addresses_of_written(scripts: str) -> Iterator[str]:
    """The addresses of mail links that a script writes into the page where it stands, from literals alone."""
    at, left = scripts.find(_WRITES), _MAX_CLOAKED
    while at >= 0 and left:
        if match := _WRITTEN.match(scripts, at + len(_WRITES)):
            literals = "".join(single or double for single, double in _WRITTEN_LITERAL.findall(match[1]))
            for link in _MAILTO.findall(unescape(_ESCAPED.sub(_unescaped, literals))):
                yield from addresses_of_mailto(link)
        at, left = scripts.find(_WRITES, at + len(_WRITES)), left - 1


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else match[3]


def _shifted(character: str, offset: int) -> str:
    code = ord(character)
    for low, high in ((0x2B, 0x3A), (0x40, 0x5A), (0x61, 0x7A)):
        if low <= code <= high:
            return chr((code - low + offset) % (high - low + 1) + low)
    return character


def _written_plainly(text: str) -> str:
    """The text with the usual ways of hiding an address undone. Most texts come back as they are."""
    if not text.isascii():
        if "\uff20" in text or "\ufe6b" in text:
            text = text.translate(_FULL_WIDTH)
        if "@" in text and any(chr(sign) in text for sign in _UNSEEN):
            text = text.translate(_UNSEEN)
    if _has_written_at(text) or ("_" in text and "_at_" in text):
        text = _WRITTEN_DOT.sub(".", _WRITTEN_AT.sub("@", text))
    elif "@" in text and any(bracket in text for bracket in _BRACKETS):
        text = _WRITTEN_DOT.sub(".", text)
    # What ends in a blank takes twice as long to look for, since texts are full of them.
    if (" dot" in text and " dot " in text) or (" DOT" in text and " DOT " in text):
        text = _SPOKEN.sub(lambda found: f"{found[1]}@{_SPOKEN_DOT.sub('.', found[2])}", text)
    return _SPACED.sub(r"\1@", text) if _has_spaced_at(text) else text


def _has_written_at(text: str) -> bool:
    """Whether a bracket opens a word for "at": brackets are few, and each is looked behind."""
    for bracket in _BRACKETS:
        at = text.find(bracket)
        while at >= 0:
            if _AT_BEGINNING.match(text, at + 1):
                return True
            at = text.find(bracket, at + 1)
    return False


def _has_spaced_at(text: str) -> bool:
    """Whether there is an `@` between two blanks."""
    at = text.find("@", 1)
    while at >= 0:
        if text[at - 1] == text[at + 1 : at + 2] == " ":
            return True
        at = text.find("@", at + 1)
    return False


def _domain(text: str, start: int) -> str | None:
    """The domain that begins here, lower case, if its ending exists."""
    match = _DOMAIN.match(text, start, start + _DOMAIN_CHARS)
    if match is None or match[2].lower() not in endings():
        match = _GLUED.match(text, start, start + _DOMAIN_CHARS)
        if match is None or match[2] not in endings():
            return None
    host = match[0].lower()
    if (
        _VERSION.match(host)
        or match[2].lower() in _FILE_ENDINGS
        or host.startswith("-")
        or "-." in host
        or ".-" in host
    ):
        return None
    # "git@host:path" is where a repository lies; so is "user:password@host/" no address.
    after = text[match.end() : match.end() + 2]
    return (
        None
        if after[:1] == ":" and after[1:].strip(" \n\t") and not after[1:].isdigit() and _is_path_start(after[1:])
        else host
    )


def _is_path_start(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "/~")


def _is_torn(text: str, start: int) -> bool:
    """Whether what begins here is a piece of something longer: of a path, or of a name that is not all ASCII.

    Such a name (RFC 6531) is left out as a whole: few mail servers take it, and a part of it is somebody else's.
    """
    if start == 0:
        return False
    before = text[start - 1]
    if not before.isascii():
        return _NAME_GOES_ON.match(before) is not None
    return _is_path(text, start) or (before == "%" and _ESCAPE_TAIL.match(text, start) is not None)


def _is_path(text: str, start: int) -> bool:
    """Whether it is part of a URL (`https://user@host`, `/photos/me@site.com`) or a handle (`@me@host`)."""
    if text[start - 1] in "/@=":
        return True
    return text[start - 1] == ":" and "//" in text[max(0, start - _LOCAL_CHARS) : start].rpartition(" ")[2]
