"""security.txt (RFC 9116): who takes reports of security problems. Takes bytes, fetches nothing, never raises.

A file counts only as RFC 9116 3 has it: `text/plain` in UTF-8, at least one Contact. A site's page for what it does not
have, sent with status 200, is none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

# The RFC's own bound for parsers to set (5.6, "excessively large"): real ones have 2 kB, signed ones 4.
MAX_BYTES: Final = 32 * 1024
MAX_FIELDS: Final = 100
MAX_VALUE_CHARS: Final = 2_000

WELL_KNOWN_PATH: Final = "/.well-known/security.txt"

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{1,40}):[ \t]*(\S.*)")
_URI = re.compile(r"(?:https|mailto|tel|openpgp4fpr|dns):\S+", re.IGNORECASE)
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
# RFC 3339, as RFC 9116 2.5.5 wants it; a blank for the T and a date alone are common and mean the same.
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}:\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:\d{2})?)?")


@dataclass(frozen=True, slots=True)
class SecurityTxt:
    """The file's fields. `contacts` are URIs in order of preference; `expires` is aware, or None if not given soundly.

    `is_signed` says that the file has an OpenPGP signature, which is not checked here.
    """

    url: str
    contacts: tuple[str, ...]
    expires: datetime | None
    encryption: tuple[str, ...]
    acknowledgments: tuple[str, ...]
    policy: tuple[str, ...]
    hiring: tuple[str, ...]
    canonical: tuple[str, ...]
    preferred_languages: tuple[str, ...]
    is_signed: bool


def parse(body: bytes, url: str, headers: Mapping[str, str]) -> SecurityTxt | None:
    """The file fetched from `url`, with its response headers, lower-case keys; None if it is no security.txt."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if len(body) > MAX_BYTES or media_type not in ("", "text/plain") or body.lstrip()[:1] == b"<":
        return None
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    fields: dict[str, list[str]] = {}
    count = 0
    for line in _signed_part(text).splitlines():
        match = _FIELD.fullmatch(line.strip())
        if match and count < MAX_FIELDS:
            count += 1
            fields.setdefault(match[1].lower(), []).append(match[2].strip()[:MAX_VALUE_CHARS])
    uris = {name: tuple(value for value in values if _URI.fullmatch(value)) for name, values in fields.items()}
    contacts = uris.get("contact", ())
    if not contacts:
        return None
    languages = ",".join(fields.get("preferred-languages", [])[:1])
    return SecurityTxt(
        url=url,
        contacts=contacts,
        expires=_moment(fields.get("expires", [])),
        encryption=uris.get("encryption", ()),
        acknowledgments=uris.get("acknowledgments", ()) + uris.get("acknowledgements", ()),
        policy=uris.get("policy", ()),
        hiring=uris.get("hiring", ()),
        canonical=uris.get("canonical", ()),
        preferred_languages=tuple(tag.strip() for tag in languages.split(",") if tag.strip()),
        is_signed=text.lstrip().startswith(_SIGNED) and _SIGNATURE in text,
    )


def _signed_part(text: str) -> str:
    """What the signature is for (RFC 9580, 7): after the armor's headers, before the signature, dashes unescaped."""
    if not text.lstrip().startswith(_SIGNED):
        return text
    _, _, rest = text.replace("\r\n", "\n").partition("\n\n")
    lines = rest.partition(_SIGNATURE)[0].split("\n")
    return "\n".join(line.removeprefix("- ") for line in lines)


def _moment(values: list[str]) -> datetime | None:
    """The field's time; None when it is missing, broken, or given more than once, which the RFC forbids."""
    match = _DATE.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return None
    offset = match[3] if match[3] and match[3] not in "Zz" else "+00:00"
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00:00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
