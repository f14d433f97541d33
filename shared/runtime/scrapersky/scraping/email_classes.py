"""Whose an e-mail address is: a role's, a person's, nobody's, or that of somebody who only made or runs the site."""

import re
from urllib.parse import urlsplit

from scrapersky.scraping.words import words

# Reserved for documentation and tests (RFC 2606, RFC 6761).
_RESERVED_ENDINGS = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")
_NO_REPLY = re.compile(
    r"(?:(?:no|do[-_.]?not|dont)[-_.]?(?:reply|replay|response)|donotreply|nicht[-_.]?antworten|keine[-_.]?antwort|"
    r"ne[-_.]?pas[-_.]?repondre|nepasrepondre|no[-_.]?(?:responder|contestar|responda|rispondere|odpowiadaj)|"
    r"nao[-_.]?responda|non[-_.]?rispondere|niet[-_.]?beantwoorden|ingen[-_.]?svar|inte[-_.]?svara|mailer[-_.]?daemon|"
    r"bounces?|noreply\w*)(?:[-_.+].*)?"
)
_SEPARATOR = re.compile(r"[-_.+]")
_DIGITS = re.compile(r"\d+\Z")
_PERSON = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?[._][^\W\d_]{2,}(?:-[^\W\d_]+)?\d{0,2}")
_MADE_BY = re.compile(
    r"(?:web ?-?(?:design|site|seite|entwicklung|agentur|master)|(?:site|website|sito|theme) (?:by|door|von|par|web)|"
    r"(?:design(?:ed)?|developed|powered|made|created|built|hosted|hosting|maintained) by|umsetzung|programmierung|"
    r"realisi?er(?:t|ung)|gestaltung|konzept|r[ée]alisation|r[ée]alis[ée]|cr[ée]ation|cr[ée][ée]|"
    r"h[ée]berge(?:ur|ment)|desarroll\w*|dise[ñn]o web|realizza\w*|sviluppo|desenvolvid\w*|realizacja|projekt i |"
    r"tvorba|webbyr[åa]|webbureau|hosting|hoster|provider|powered)\b[^\n]{0,60}\Z",
    re.IGNORECASE,
)


def is_placeholder(address: str, page_url: str) -> bool:
    """Whether an address stands for "yours here": reserved and template names, but for a site that bears them itself.

    The pages of `shop.example` may well write to `info@shop.example`.
    """
    local, _, domain = address.rpartition("@")
    host = _host(page_url)
    if local in words("template_local"):
        return True
    if domain in words("template_domain") and not _is_under(host, domain):
        return True
    return any(_is_under(domain, name) and not _is_under(host, name) for name in _RESERVED_ENDINGS)


def class_of(address: str, domain: str, *, made_by: bool) -> str:
    """`role`, `person`, `no_reply`, `vendor` or `other`; `made_by` says that the page names its maker before it."""
    local, _, host = address.rpartition("@")
    own = owner_name(host) == owner_name(domain)
    if _NO_REPLY.fullmatch(local):
        return "no_reply"
    if (
        not own
        and host not in words("free_mail")
        and (made_by or any(_is_under(host, vendor) for vendor in words("vendor")))
    ):
        return "vendor"
    roles = words("role")
    parts = [part for part in _SEPARATOR.split(_DIGITS.sub("", local)) if part]
    if local in roles or any(part in roles for part in (parts[:1] + parts[-1:])):
        return "role"
    return "person" if _PERSON.fullmatch(local) else "other"


def is_own(address: str, domain: str) -> bool:
    """Whether an address is at the site's own domain, a host under it or above it, or its name elsewhere."""
    return owner_name(address.rpartition("@")[2]) == owner_name(domain)


def names_maker(before: str) -> bool:
    """Whether the text before an address or link says that what follows made or runs the site."""
    return _MADE_BY.search(before) is not None


def owner_name(host: str) -> str:
    """The label that somebody registered: `acme` of `www.acme.co.uk`. A rule of thumb, not the public suffix list."""
    labels = host.lower().removeprefix("www.").rstrip(".").split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in words("second_level"):
        labels = labels[:-1]
    return labels[-2] if len(labels) > 1 else labels[0]


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_under(host: str, name: str) -> bool:
    return host == name or host.endswith("." + name)
